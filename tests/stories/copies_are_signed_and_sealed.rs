//! Copies bear our signatures where a next hop's settings say so, and what we sign is what arrives.

use mail_auth::DkimResult;

use crate::support::dns::NameServer;
use crate::support::keys::{KeyFile, verified};
use crate::support::signing::SigningKey;
use crate::support::{Organisation, World, message};

const FROM: &str = "x@outside.example";
const TEAM: &str = "team@contoso.example";

/// A relay that signs for the cloud with both kinds of keys and seals with the first.
fn signing(organisation: &Organisation, dns: &NameServer, domain: &str) -> World {
    let world = World::of(organisation);
    let ed = KeyFile::ed25519("ed", domain, world.path()).published(dns);
    let rsa = KeyFile::rsa("rsa", domain, world.path()).published(dns);
    let more = format!("{}{}{}", ed.settings(), rsa.settings(), dns.settings());
    world
        .more(&more)
        .hop_line("cloud", "dkim_sign = [\"ed\", \"rsa\"]\narc_seal = \"ed\"")
}

fn ours(domain: &str) -> Vec<(String, bool)> {
    vec![(domain.to_owned(), true), (domain.to_owned(), true)]
}

#[test]
fn a_next_hop_verifies_both_signatures_and_the_seal() {
    let dns = NameServer::start();
    let mut organisation = Organisation::new();
    organisation
        .cloud("lena")
        .on_premises("jonas")
        .group("team", &["lena", "jonas"], "");
    let mut world = signing(&organisation, &dns, "contoso.example")
        .hop_line("onprem", "dkim_sign = \"rsa\"\nreturn_path = \"bounces\"")
        .more("\n[return_paths]\nbounce_address = \"bounce@contoso.example\"\n");
    world.start();
    let author = SigningKey::published("outside.example", &dns);
    let body = "\r\n.a dot\r\n..two  \r\n\t\u{fc}ber \t alles\r\n\r\n\r\n";
    let mail = author.signed(&format!("{}{body}", message(FROM, TEAM, "gr\u{fc}n")));
    let mut stranger = world.stranger();
    assert!(
        stranger
            .command(&format!("MAIL FROM:<{FROM}> BODY=8BITMIME SMTPUTF8"))
            .starts_with("250")
    );
    assert!(stranger.command(&format!("RCPT TO:<{TEAM}>")).starts_with("250"));
    assert!(stranger.content(&mail).starts_with("250"));

    let copy = &world.cloud.wait_recipients(1)[0];
    let found = verified(&dns, &copy.content);
    let mut expected = ours("contoso.example");
    expected.push(("outside.example".to_owned(), true));
    assert_eq!(found.dkim, expected, "{}", copy.content);
    assert_eq!(found.arc, DkimResult::Pass, "{}", copy.content);
    assert!(copy.content.starts_with("ARC-Seal: i=1;"), "{}", copy.content);
    let flat = copy.content.replace("\r\n ", " ");
    assert!(
        flat.contains(
            "ARC-Authentication-Results: i=1; muster.contoso.example; spf=none smtp.mailfrom=outside.example; \
             dkim=pass header.d=outside.example header.s=s1; dmarc=none header.from=outside.example; arc=none\r\n"
        ),
        "what was checked when it came in: {flat}"
    );
    assert!(copy.content.ends_with(&mail), "below our fields nothing is changed");

    // Another next hop, another return path, other keys; no seal.
    let copy = &world.onprem.wait_recipients(1)[0];
    assert!(copy.reverse_path.starts_with("bounce+"), "{copy:?}");
    let found = verified(&dns, &copy.content);
    assert_eq!(found.dkim, expected[1..], "{}", copy.content);
    assert!(!copy.content.contains("ARC-Seal"), "{}", copy.content);

    let status = world.json(&["status"]);
    assert_eq!(status["signing"]["signed_total"], 2, "once per set of keys");
    assert_eq!(status["signing"]["bodies_total"], 1, "one body, one hash");
}

#[test]
fn a_chain_goes_on_over_two_relays_and_breaks_where_somebody_changes_the_message() {
    let dns = NameServer::start();
    let mut organisation = Organisation::new();
    organisation.cloud("lena").group("team", &["lena"], "");
    let mut first = signing(&organisation, &dns, "contoso.example");
    let mut second = signing(&organisation, &dns, "second.example");
    let mut third = signing(&organisation, &dns, "third.example");
    [&mut first, &mut second, &mut third].into_iter().for_each(|world| {
        world.start();
    });
    let sent = |world: &World, mail: &str, subject: &str| {
        let replies = world.stranger().send(FROM, &[TEAM], mail);
        assert!(replies.iter().all(|reply| reply.starts_with("250")), "{replies:?}");
        let copy = world.cloud.wait_copy(subject, |copy| copy.content.contains(subject));
        copy.content
    };
    let one = sent(&first, &message(FROM, TEAM, "whole"), "whole");
    assert_eq!(verified(&dns, &one).arc, DkimResult::Pass, "{one}");
    let two = sent(&second, &one, "whole");
    assert!(two.starts_with("ARC-Seal: i=2;"), "{two}");
    assert!(two.replace("\r\n ", " ").contains("; arc=pass\r\n"), "{two}");
    assert_eq!(verified(&dns, &two).arc, DkimResult::Pass, "{two}");

    // Between the relays somebody changes the body: the second says so, the third adds nothing.
    let one = sent(&first, &message(FROM, TEAM, "altered"), "altered");
    let two = sent(&second, &one.replace("Hello.", "Hullo."), "altered");
    let flat = two.replace("\r\n ", " ");
    assert!(flat.starts_with("ARC-Seal: i=2;") && flat.contains("cv=fail;"), "{two}");
    assert!(matches!(verified(&dns, &two).arc, DkimResult::Fail(_)), "{two}");
    let three = sent(&third, &two, "altered");
    assert!(
        !three.contains("i=3"),
        "a chain that has ended gets no further seal: {three}"
    );
    assert_eq!(
        verified(&dns, &three).dkim[..2],
        ours("third.example"),
        "signed all the same"
    );

    // A key that no name server tells of for now: neither broken nor whole, so it is left alone.
    let one = sent(&first, &message(FROM, TEAM, "unknown"), "unknown");
    dns.failing("ed._domainkey.contoso.example");
    let two = sent(&second, &one, "unknown");
    assert!(!two.contains("ARC-Seal: i=2"), "{two}");
}

#[test]
fn ten_thousand_recipients_are_signed_for_once() {
    let dns = NameServer::start();
    let mut organisation = Organisation::new();
    let names: Vec<String> = (0..10_000).map(|number| format!("p{number}")).collect();
    let members: Vec<&str> = names.iter().map(String::as_str).collect();
    for name in &members {
        organisation.cloud(name);
    }
    organisation.group("team", &members, "");
    let mut world = signing(&organisation, &dns, "contoso.example");
    world.start();
    world.colleague().send(
        "p1@contoso.example",
        &[TEAM],
        &message("p1@contoso.example", TEAM, "all"),
    );
    let copies = world.cloud.wait_recipients(10_000);
    assert_eq!(copies.len(), 20, "batches of 500");
    assert!(copies.iter().all(|copy| copy.content == copies[0].content));
    let found = verified(&dns, &copies[0].content);
    assert_eq!((found.dkim, found.arc), (ours("contoso.example"), DkimResult::Pass));
    let status = world.json(&["status"]);
    assert_eq!(status["signing"]["signed_total"], 1, "20 batches, one signing");
    assert_eq!(status["signing"]["bodies_total"], 1);
}

#[test]
fn a_message_of_40_megabytes_is_signed() {
    let dns = NameServer::start();
    let mut organisation = Organisation::new();
    organisation.cloud("lena").group("team", &["lena"], "");
    let mut world = signing(&organisation, &dns, "contoso.example");
    world.start();
    let from = "lena@contoso.example";
    let line = "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz \r\n";
    let mail = message(from, TEAM, "large") + &line.repeat(40 * 1024 * 1024 / line.len());
    world.colleague().send(from, &[TEAM], &mail);
    let copy = &world.cloud.wait_recipients(1)[0];
    let found = verified(&dns, &copy.content);
    assert_eq!((found.dkim, found.arc), (ours("contoso.example"), DkimResult::Pass));
}

#[test]
fn reports_of_ours_are_signed_like_any_mail() {
    let dns = NameServer::start();
    let mut organisation = Organisation::new();
    organisation
        .cloud("lena")
        .on_premises("jonas")
        .group("team", &["jonas"], "");
    let mut world = signing(&organisation, &dns, "contoso.example");
    world.start();
    world.onprem.answer_rcpt("jonas@contoso.example", "550 5.1.1 gone");
    let from = "lena@contoso.example";
    world.colleague().send(from, &[TEAM], &message(from, TEAM, "hello"));
    let report = &world.cloud.wait_recipients(1)[0];
    assert_eq!(report.reverse_path, "");
    let found = verified(&dns, &report.content);
    assert_eq!((found.dkim, found.arc), (ours("contoso.example"), DkimResult::Pass));
}
