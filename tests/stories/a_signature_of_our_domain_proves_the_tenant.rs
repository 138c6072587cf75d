//! Where the provider stamps nothing, a DKIM signature of our domain says whose mail it is.

use crate::support::dns::NameServer;
use crate::support::signing::SigningKey;
use crate::support::{Organisation, World, message};

const SHARED: &str = r#"
[[trusted_networks]]
name = "provider"
networks = ["127.0.0.0/8"]
listeners = ["inbound"]
shared = true
tenant_signature = true

[authenticity]
time_limit = "1s"
"#;

fn world(dns: &NameServer) -> World {
    let mut organisation = Organisation::new();
    organisation.on_premises("lena").on_premises("boss").group(
        "inside",
        &["lena"],
        "require_sender_authentication_enabled = true",
    );
    let mut world = World::of(&organisation).more(SHARED).more(&dns.settings());
    world.start();
    world
}

#[test]
fn a_signature_of_our_domain_proves_and_others_do_not() {
    let dns = NameServer::start();
    let ours = SigningKey::published("contoso.example", &dns);
    let theirs = SigningKey::published("tenant.example", &dns);
    let world = world(&dns);
    let inside = "inside@contoso.example";
    let send = |from: &str, mail: &str| {
        let replies = world.stranger().send(from, &[inside], mail);
        replies.last().expect("a reply").clone()
    };
    let lena = message("lena@contoso.example", inside, "signed");
    // Once: a signature tells its second.
    let signed = ours.signed(&lena);
    let boss = message("boss@contoso.example", inside, "unsigned");
    for (from, mail, expected, why) in [
        ("lena@contoso.example", signed.clone(), "250 ", "signed by our domain"),
        ("boss@contoso.example", boss.clone(), "550 5.7.1 ", "not signed"),
        (
            "boss@contoso.example",
            theirs.signed(&boss),
            "550 5.7.1 ",
            "signed by another customer",
        ),
        (
            "boss@contoso.example",
            signed.clone(),
            "550 5.7.1 ",
            "a colleague's message sent again in the boss's name",
        ),
        (
            "lena@contoso.example",
            signed.replace("Hello.", "Pay now."),
            "550 5.7.1 ",
            "changed on the way",
        ),
        (
            "lena@contoso.example",
            format!("From: <boss@contoso.example>\r\n{signed}"),
            "550 5.7.1 ",
            "a second author above the signed one",
        ),
    ] {
        let reply = send(from, &mail);
        assert!(reply.starts_with(expected), "{why}: {reply}");
    }
    let copy = world
        .onprem
        .wait_copy("the signed message", |copy| copy.content.contains("signed"));
    let content = copy.content.replace("\r\n ", " ");
    assert!(
        content.starts_with(
            "Authentication-Results: muster.contoso.example; dkim=pass header.d=contoso.example header.s=s1\r\n"
        ),
        "{content}"
    );
    assert!(copy.content.ends_with(&signed), "as it came: {}", copy.content);
}

#[test]
fn a_key_that_cannot_be_asked_for_is_no_refusal() {
    let dns = NameServer::start();
    let ours = SigningKey::published("contoso.example", &dns);
    let world = world(&dns);
    let (lena, inside) = ("lena@contoso.example", "inside@contoso.example");
    let mail = ours.signed(&message(lena, inside, "signed"));
    for trouble in [NameServer::silent, NameServer::failing] {
        trouble(&dns, &ours.name());
        let replies = world.stranger().send(lena, &[inside], &mail);
        let reply = replies.last().expect("a reply");
        assert!(reply.starts_with("451 4.7.1 "), "{reply}");
    }
}
