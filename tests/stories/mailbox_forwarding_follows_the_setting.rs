//! Mailbox forwarding is left to the mailbox's server by default, or done here, never both.

use crate::support::{Organisation, World, message};

fn organisation() -> Organisation {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("mia")
        .recipient("lena", "UserMailbox", "forwarding_address = \"mia@contoso.example\"")
        .recipient(
            "jonas",
            "UserMailbox",
            "forwarding_smtp_address = \"jonas@home.example\"\ndeliver_to_mailbox_and_forward = true",
        )
        .group("team", &["lena", "jonas"], "");
    organisation
}

#[test]
fn forwarding_is_left_to_the_mailboxs_server_by_default() {
    let world = World::start_with(&organisation());
    let mail = message("x@outside.example", "team", "left");
    world
        .stranger()
        .send("x@outside.example", &["team@contoso.example"], &mail);
    world.onprem.wait_recipients(2);
    assert_eq!(
        world.onprem.recipients(),
        ["jonas@contoso.example", "lena@contoso.example"]
    );
    assert!(world.internet.copies().is_empty());
}

#[test]
fn forwarding_is_done_here_when_set() {
    let mut world = World::of(&organisation()).policy("forwarding = \"here\"");
    world.start();
    let mail = message("x@outside.example", "team", "here");
    world
        .stranger()
        .send("x@outside.example", &["team@contoso.example"], &mail);
    world.onprem.wait_recipients(2);
    world.internet.wait_recipients(1);
    assert_eq!(
        world.onprem.recipients(),
        ["jonas@contoso.example", "mia@contoso.example"]
    );
    assert_eq!(world.internet.recipients(), ["jonas@home.example"]);
}
