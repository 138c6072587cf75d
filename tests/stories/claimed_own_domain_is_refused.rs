//! Mail that claims one of our domains without proof is refused, however it is spelled.

use crate::support::{Organisation, World};

#[test]
fn a_claimed_own_domain_without_proof_is_refused() {
    let mut organisation = Organisation::new();
    organisation.on_premises("lena").group("team", &["lena"], "");
    let world = World::start_with(&organisation);
    for from in [
        "boss@contoso.example",
        "boss@CONTOSO.example",
        "\"boss\"@contoso.example",
    ] {
        let replies = world.stranger().send(from, &["team@contoso.example"], "");
        assert!(replies[0].starts_with("550 5.7.1"), "{from}: {replies:?}");
    }
}

#[test]
fn with_external_the_claim_counts_for_nothing() {
    let mut organisation = Organisation::new();
    organisation.on_premises("lena").group("team", &["lena"], "").group(
        "inside",
        &["lena"],
        "require_sender_authentication_enabled = true",
    );
    let mut world = World::of(&organisation).policy("spoofed = \"external\"");
    world.start();
    let mut client = world.stranger();
    assert!(client.command("MAIL FROM:<boss@contoso.example>").starts_with("250 "));
    assert!(client.command("RCPT TO:<team@contoso.example>").starts_with("250 "));
    assert!(
        client
            .command("RCPT TO:<inside@contoso.example>")
            .starts_with("550 5.7.133 ")
    );
}
