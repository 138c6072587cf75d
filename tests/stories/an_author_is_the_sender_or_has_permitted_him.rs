//! With `author` set, `From` must say who sent the message; every doubtful form has its answer.

use crate::support::dns::NameServer;
use crate::support::signing::SigningKey;
use crate::support::{Organisation, World};

fn organisation() -> Organisation {
    let mut organisation = Organisation::new();
    organisation
        .recipient(
            "lena",
            "UserMailbox",
            "email_addresses = [\"smtp:lena.long@contoso.example\"]",
        )
        .on_premises("jonas")
        .on_premises("mia")
        .recipient(
            "boss",
            "UserMailbox",
            "grant_send_on_behalf_to = [\"jonas@contoso.example\"]",
        )
        .group("assistants", &["mia"], "")
        .recipient("office", "SharedMailbox", "send_as = [\"assistants@contoso.example\"]")
        .group("team", &["lena"], "");
    organisation
}

fn sent(client: &mut crate::support::Client, from: &str, fields: &str) -> String {
    let mail = format!("{fields}Subject: x\r\n\r\nHello.\r\n");
    let replies = client.send(from, &["team@contoso.example"], &mail);
    let refused = replies.iter().find(|reply| !reply.starts_with("250 "));
    refused.or(replies.last()).expect("a reply").clone()
}

#[test]
fn a_colleague_writes_as_himself_or_as_whoever_permits_it() {
    let mut world = World::of(&organisation()).policy("author = \"permitted\"");
    world.start();
    for (from, author, expected, why) in [
        ("lena", "lena@contoso.example", "250 ", "herself"),
        (
            "lena",
            "Lena <LENA.long@Contoso.example>",
            "250 ",
            "another address of hers",
        ),
        ("jonas", "boss@contoso.example", "250 ", "on behalf of the boss"),
        (
            "mia",
            "office@contoso.example",
            "250 ",
            "a group of hers may send as the office",
        ),
        (
            "mia",
            "mia@contoso.example, office@contoso.example",
            "250 ",
            "both of them",
        ),
        ("lena", "boss@contoso.example", "550 5.7.60 ", "not permitted"),
        (
            "jonas",
            "office@contoso.example",
            "550 5.7.60 ",
            "permitted elsewhere only",
        ),
        (
            "lena",
            "lena@contoso.example, boss@contoso.example",
            "550 5.7.60 ",
            "one of them is not permitted",
        ),
        (
            "lena",
            "x@outside.example",
            "550 5.7.60 ",
            "somebody outside permits nobody",
        ),
        (
            "lena",
            "b\u{43e}ss@contoso.example",
            "550 5.7.60 ",
            "a look-alike of the boss is not the boss",
        ),
    ] {
        let from = format!("{from}@contoso.example");
        let reply = sent(&mut world.colleague(), &from, &format!("From: {author}\r\n"));
        assert!(reply.starts_with(expected), "{why}: {reply}");
    }
}

#[test]
fn with_same_nobody_writes_as_another() {
    let mut world = World::of(&organisation()).policy("author = \"same\"");
    world.start();
    for (from, author, expected) in [
        ("lena", "lena.long", "250 "),
        ("jonas", "boss", "550 5.7.60 "),
        ("mia", "office", "550 5.7.60 "),
    ] {
        let (from, author) = (format!("{from}@contoso.example"), format!("{author}@contoso.example"));
        let reply = sent(&mut world.colleague(), &from, &format!("From: <{author}>\r\n"));
        assert!(reply.starts_with(expected), "{from} as {author}: {reply}");
    }
}

#[test]
fn every_doubtful_author_has_an_answer() {
    let dns = NameServer::start();
    let key = SigningKey::published("contoso.example", &dns);
    dns.text("_dmarc.contoso.example", "v=DMARC1; p=none");
    let mut world = World::of(&organisation())
        .policy("author = \"permitted\"")
        .more(&dns.settings());
    world.start();
    let outside = "x@outside.example";
    for (from, fields, expected, why) in [
        (outside, "From: x@outside.example\r\n", "250 ", "himself"),
        (outside, "From: list@lists.example\r\n", "250 ", "through a list"),
        (outside, "", "550 5.7.512 ", "no author"),
        (
            outside,
            "From: a@outside.example\r\nFrom: boss@contoso.example\r\n",
            "550 5.7.512 ",
            "two fields",
        ),
        (
            outside,
            "From: undisclosed-senders:;\r\n",
            "550 5.7.512 ",
            "an empty group",
        ),
        (
            outside,
            "From: staff: boss@contoso.example;\r\n",
            "550 5.7.512 ",
            "a group",
        ),
        (
            outside,
            "From: =?utf-8?Q?boss=40contoso.example?=\r\n",
            "550 5.7.512 ",
            "an encoded address",
        ),
        (
            outside,
            "From: Boss <=?utf-8?Q?boss?=@contoso.example>\r\n",
            "550 5.7.512 ",
            "an encoded local-part",
        ),
        (
            outside,
            "From: boss@contoso.example <x@outside.example>\r\n",
            "550 5.7.512 ",
            "an address as a name",
        ),
        (
            outside,
            "From: <a@outside.example>, <b@@contoso.example>\r\n",
            "550 5.7.512 ",
            "no address",
        ),
        (outside, "From: boss@contoso.example\r\n", "550 5.7.1 ", "forged"),
        (
            outside,
            "From: x@outside.example, boss@contoso.example\r\n",
            "550 5.7.1 ",
            "forged beside himself",
        ),
        (
            outside,
            "From: boss@c0ntoso.example\r\n",
            "550 5.7.1 ",
            "a look-alike domain",
        ),
        (
            outside,
            "From: boss@c\u{43e}ntoso.example\r\n",
            "550 5.7.1 ",
            "a look-alike letter",
        ),
        (
            "boss@c0ntoso.example",
            "From: x@outside.example\r\n",
            "550 5.7.1 ",
            "a look-alike reverse-path",
        ),
        ("", "From: boss@contoso.example\r\n", "550 5.7.1 ", "forged as a report"),
        (
            "boss@contoso.example",
            "From: boss@contoso.example\r\n",
            "550 5.7.1 ",
            "without proof",
        ),
    ] {
        let reply = sent(&mut world.stranger(), from, fields);
        assert!(reply.starts_with(expected), "{why}: {reply}");
    }
    // A colleague's mail that comes back from a list with its signature whole.
    let mail = key.signed("From: lena@contoso.example\r\nTo: list@lists.example\r\nSubject: x\r\n\r\nHello.\r\n");
    let replies = world
        .stranger()
        .send("bounces@lists.example", &["team@contoso.example"], &mail);
    assert!(replies.last().expect("a reply").starts_with("250 "), "{replies:?}");
}

#[test]
fn by_default_the_author_is_not_looked_at() {
    let mut world = World::of(&organisation());
    world.start();
    for fields in [
        "",
        "From: boss@contoso.example\r\n",
        "From: a@b.example\r\nFrom: c@d.example\r\n",
    ] {
        let reply = sent(&mut world.stranger(), "x@outside.example", fields);
        assert!(reply.starts_with("250 "), "{fields}: {reply}");
    }
}
