//! Unknown recipients, relaying, source routes and local-parts that route again are refused in the dialogue;
//! postmaster always resolves.

use crate::support::{Organisation, World, message};

#[test]
fn unknown_recipients_relaying_and_route_tricks_are_refused() {
    let mut organisation = Organisation::new();
    organisation.on_premises("lena");
    let world = World::start_with(&organisation);
    let mut client = world.stranger();
    assert!(client.command("MAIL FROM:<x@outside.example>").starts_with("250 "));
    for (path, expected) in [
        ("<nobody@contoso.example>", "550 5.1.10 "),
        ("<someone@elsewhere.example>", "550 5.7."),
        ("<lena%elsewhere.example@contoso.example>", "550 "),
        ("<elsewhere.example!lena@contoso.example>", "550 "),
        ("<\"lena@elsewhere.example\"@contoso.example>", "550 "),
        ("<@elsewhere.example:lena@contoso.example>", "5"),
        ("<lena@sub.contoso.example>", "550 5.7."),
        ("<lena@contoso.example.>", "5"),
        ("<Postmaster>", "250 "),
        ("<POSTMASTER@contoso.example>", "250 "),
        ("<LENA@CONTOSO.EXAMPLE>", "250 "),
    ] {
        let reply = client.command(&format!("RCPT TO:{path}"));
        assert!(reply.starts_with(expected), "{path}: {reply}");
    }
}

#[test]
fn a_trusted_client_of_the_relay_listener_may_send_anywhere() {
    let mut organisation = Organisation::new();
    organisation.on_premises("lena");
    let world = World::start_with(&organisation);
    let mail = message("lena@contoso.example", "someone@elsewhere.example", "out");
    let replies = world
        .colleague()
        .send("lena@contoso.example", &["someone@elsewhere.example"], &mail);
    assert!(replies[1].starts_with("250 "), "{replies:?}");
    world.internet.wait_recipients(1);
    assert_eq!(world.internet.recipients(), ["someone@elsewhere.example"]);
}
