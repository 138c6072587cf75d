//! More recipients than the listener takes in one transaction: 452 4.5.3, the others are kept.

use crate::support::{Organisation, World, message};

#[test]
fn too_many_recipients_in_one_transaction_are_deferred() {
    let mut organisation = Organisation::new();
    let names: Vec<String> = (0..101).map(|number| format!("p{number:03}@contoso.example")).collect();
    for name in &names {
        organisation.on_premises(name);
    }
    let world = World::start_with(&organisation);
    let mut client = world.stranger();
    assert!(client.command("MAIL FROM:<x@outside.example>").starts_with("250 "));
    let mut taken = 0;
    for round in 0..10 {
        for name in &names {
            let reply = client.command(&format!("RCPT TO:<{name}>"));
            if reply.starts_with("452 4.5.3 ") {
                assert!(taken >= 1000, "at least the default limit: {taken}");
                assert!(
                    client
                        .content(&message("x@outside.example", "many", "many"))
                        .starts_with("250 ")
                );
                world.onprem.wait_recipients(101);
                return;
            }
            assert!(reply.starts_with("250 "), "round {round}: {reply}");
            taken += 1;
        }
    }
    panic!("no limit after {taken} recipients");
}
