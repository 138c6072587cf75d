//! DMARC pass with an author of ours proves a sender, if the settings say so; nothing less does.

use crate::support::dns::NameServer;
use crate::support::signing::SigningKey;
use crate::support::{Organisation, World, message};

fn world(dns: &NameServer, authenticity: &str) -> World {
    let mut organisation = Organisation::new();
    organisation.on_premises("lena").on_premises("boss").group(
        "inside",
        &["lena"],
        "require_sender_authentication_enabled = true",
    );
    let more = format!("\n[authenticity]\n{authenticity}\n{}", dns.settings());
    let mut world = World::of(&organisation).more(&more);
    world.start();
    world
}

fn published() -> (NameServer, SigningKey) {
    let dns = NameServer::start();
    let key = SigningKey::published("contoso.example", &dns);
    dns.text("_dmarc.contoso.example", "v=DMARC1; p=reject")
        .text("contoso.example", "v=spf1 ip4:192.0.2.1 -all")
        .text("mailer.example", "v=spf1 ip4:127.0.0.1 -all");
    (dns, key)
}

#[test]
fn dmarc_pass_proves_the_author_and_the_reverse_path_with_him() {
    let (dns, key) = published();
    let stranger = SigningKey::published("outside.example", &dns);
    let world = world(&dns, "dmarc_proves = true");
    let inside = "inside@contoso.example";
    let lena = message("lena@contoso.example", inside, "aligned");
    let boss = message("boss@contoso.example", inside, "forged");
    for (from, mail, expected, why) in [
        (
            "lena@contoso.example",
            key.signed(&lena),
            "250 ",
            "signed by the author's domain",
        ),
        (
            "bounce-7@mailer.example",
            key.signed(&lena),
            "250 ",
            "sent by a mailer in our name, and signed",
        ),
        (
            "boss@contoso.example",
            boss.clone(),
            "550 5.7.1 ",
            "SPF fails and nothing is signed",
        ),
        (
            "x@mailer.example",
            boss.clone(),
            "550 5.7.133 ",
            "SPF passes for somebody else's domain",
        ),
        (
            "boss@contoso.example",
            stranger.signed(&boss),
            "550 5.7.1 ",
            "signed by somebody else",
        ),
        (
            "boss@contoso.example",
            key.signed(&lena),
            "550 5.7.1 ",
            "a colleague's message in the boss's name",
        ),
        (
            "x@outside.example",
            stranger.signed(&message("x@outside.example", inside, "outside")),
            "550 5.7.133 ",
            "whoever passes for a domain of his own stays a stranger",
        ),
    ] {
        let replies = world.stranger().send(from, &[inside], &mail);
        let reply = replies.last().expect("a reply");
        assert!(reply.starts_with(expected), "{why}: {reply}");
    }
    world.onprem.wait_recipients(2);
    world.until("the trace names the proof", || {
        world
            .json(&["trace", "--from", "lena@contoso.example", "--since", "1h"])
            .to_string()
            .contains("internal, proven by dmarc contoso.example (spf=fail dkim=pass dmarc=pass)")
    });
}

#[test]
fn a_policy_that_cannot_be_asked_for_is_no_refusal() {
    let (dns, key) = published();
    dns.silent("_dmarc.contoso.example");
    let world = world(&dns, "dmarc_proves = true\ntime_limit = \"1s\"");
    let (lena, inside) = ("lena@contoso.example", "inside@contoso.example");
    let mail = key.signed(&message(lena, inside, "aligned"));
    let replies = world.stranger().send(lena, &[inside], &mail);
    let reply = replies.last().expect("a reply");
    assert!(reply.starts_with("451 4.7.1 "), "{reply}");
}

#[test]
fn by_default_it_proves_nothing_and_nobody_is_asked() {
    let (dns, key) = published();
    let world = world(&dns, "");
    let (lena, inside) = ("lena@contoso.example", "inside@contoso.example");
    let replies = world
        .stranger()
        .send(lena, &[inside], &key.signed(&message(lena, inside, "aligned")));
    assert!(replies[0].starts_with("550 5.7.1 "), "{replies:?}");
    assert_eq!(dns.asked(), Vec::<String>::new());
}
