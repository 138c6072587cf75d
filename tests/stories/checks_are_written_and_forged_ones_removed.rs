//! What we found out about a message stands on it, and nobody else's word in our name; nothing else is changed.

use crate::support::dns::NameServer;
use crate::support::signing::SigningKey;
use crate::support::{Organisation, World, message};

const FORGED: &str = "Authentication-Results: muster.contoso.example; dmarc=pass header.from=contoso.example\r\n";
const ANOTHERS: &str = "Authentication-Results: mx.outside.example; spf=pass\r\n";
const MARK: &str = "X-MS-Exchange-Organization-AuthAs:\r\n Internal\r\n";

fn world(dns: &NameServer, verify: &str) -> World {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .group("team", &["lena"], "send_oof_message_to_originator_enabled = true");
    let more = format!("\n[authenticity]\nverify = \"{verify}\"\n{}", dns.settings());
    let mut world = World::of(&organisation).more(&more);
    world.start();
    world
}

/// What was put before the message, unfolded, and the message.
fn parts(content: &str) -> (String, String) {
    let unfolded = content.replace("\r\n ", " ");
    let at = unfolded.find("Muster-Groups:").expect("our mark");
    let end = at + unfolded[at..].find("\r\n").expect("its end") + 2;
    (unfolded[..end].to_owned(), unfolded[end..].to_owned())
}

#[test]
fn a_strangers_message_is_checked_and_its_forged_fields_are_gone() {
    let dns = NameServer::start();
    let key = SigningKey::published("outside.example", &dns);
    dns.text("outside.example", "v=spf1 a:mx.outside.example -all")
        .host("mx.outside.example", "127.0.0.1".parse().expect("an address"))
        .text("_dmarc.outside.example", "v=DMARC1; p=quarantine");
    let world = world(&dns, "unproven");
    let (from, to) = ("x@outside.example", "team@contoso.example");
    // Signed with the forged fields on it: they go, and the signature is judged over what came.
    let mail = key.signed(&format!("{FORGED}{ANOTHERS}{MARK}{}", message(from, to, "hello")));
    let replies = world.stranger().send(from, &[to], &mail);
    assert!(replies.iter().all(|reply| reply.starts_with("250 ")), "{replies:?}");
    let copy = &world.onprem.wait_recipients(1)[0];
    let (ours, theirs) = parts(&copy.content);
    assert!(
        ours.starts_with(
            "Authentication-Results: muster.contoso.example; spf=pass smtp.mailfrom=outside.example; \
             dkim=pass header.d=outside.example header.s=s1; dmarc=pass (p=quarantine) \
             header.from=outside.example; arc=none\r\nReceived: from "
        ),
        "{ours}"
    );
    let expected = mail.replace(FORGED, "").replace(MARK, "").replace("\r\n ", " ");
    assert_eq!(theirs, expected, "nothing else is changed");

    // SPF of a domain that does not send from here, no signature, no policy.
    dns.text("other.example", "v=spf1 -all");
    let mail = message("y@other.example", to, "again");
    world.stranger().send("y@other.example", &[to], &mail);
    let copy = world
        .onprem
        .wait_copy("the second", |copy| copy.content.contains("again"));
    let (ours, _) = parts(&copy.content);
    assert!(
        ours.contains(
            "spf=fail smtp.mailfrom=other.example; dkim=none; dmarc=none header.from=other.example; arc=none"
        ),
        "{ours}"
    );
}

#[test]
fn a_colleagues_message_is_not_checked_and_its_marks_stay() {
    let dns = NameServer::start();
    let world = world(&dns, "unproven");
    let (from, to) = ("lena@contoso.example", "team@contoso.example");
    let mail = format!("{ANOTHERS}{MARK}{}", message(from, to, "hello"));
    world.colleague().send(from, &[to], &mail);
    let copy = &world.onprem.wait_recipients(1)[0];
    assert!(copy.content.starts_with("Received: "), "{}", copy.content);
    assert!(copy.content.ends_with(&mail), "byte for byte: {}", copy.content);
    // Even a colleague does not write results in our name.
    world
        .colleague()
        .send(from, &[to], &format!("{FORGED}{}", message(from, to, "forged")));
    let copy = world
        .onprem
        .wait_copy("the second", |copy| copy.content.contains("forged"));
    assert!(!copy.content.contains("Authentication-Results"), "{}", copy.content);
    assert_eq!(dns.asked(), Vec::<String>::new(), "nobody is asked about a colleague");
}

#[test]
fn a_large_message_is_checked_as_a_whole() {
    let dns = NameServer::start();
    let key = SigningKey::published("outside.example", &dns);
    let world = world(&dns, "unproven");
    let (from, to) = ("x@outside.example", "team@contoso.example");
    let body = "A line of a long message.\r\n".repeat(100_000);
    let mail = key.signed(&format!("{MARK}{}{body}", message(from, to, "large")));
    let replies = world.stranger().send(from, &[to], &mail);
    assert!(replies.iter().all(|reply| reply.starts_with("250 ")), "{replies:?}");
    let copy = &world.onprem.wait_recipients(1)[0];
    let (ours, theirs) = parts(&copy.content);
    assert!(ours.contains("dkim=pass header.d=outside.example"), "{ours}");
    assert_eq!(theirs.len(), mail.replace(MARK, "").replace("\r\n ", " ").len());
}
