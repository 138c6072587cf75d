//! SIGTERM: a transaction in progress finishes, idle sessions get 421, and what was accepted survives.

use crate::support::{Client, Hop, Organisation, World, message};

#[test]
fn stopping_finishes_what_is_in_progress() {
    let mut organisation = Organisation::new();
    organisation.cloud("lena");
    let address = Hop::closed_address();
    let mut world = World::of(&organisation).hop("cloud", address);
    world.start();
    let mut idle = world.stranger();
    let mut busy = world.stranger();
    assert!(busy.command("MAIL FROM:<x@outside.example>").starts_with("250 "));
    assert!(busy.command("RCPT TO:<lena@contoso.example>").starts_with("250 "));
    assert!(busy.command("DATA").starts_with("354 "));
    let id = rustix::process::Pid::from_raw(world.process_id() as i32).expect("a process id is not zero");
    rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("the process exists");
    assert!(idle.reply().starts_with("421 "), "an idle session is told");
    busy.write(message("x@outside.example", "lena", "last").as_bytes());
    busy.write(b".\r\n");
    assert!(busy.reply().starts_with("250 "), "the transaction in progress finishes");
    world.stop();

    world.start();
    let hop = Hop::start_at(address);
    assert!(
        world
            .command(&["queue", "retry", "--next-hop", "cloud", "--yes"])
            .status
            .success()
    );
    hop.wait_recipients(1);
    drop(Client::connect(world.inbound()));
}
