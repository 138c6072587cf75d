//! An account is internal for its own addresses and those it was given, for no others; the proof is kept and shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::support::tls::{Authority, implicit, starttls};
use crate::support::{Client, Organisation, World, message};

const LISTENERS: &str = r#"
[[listeners]]
name = "submission"
address = "127.0.0.1:0"
role = "submission"

[[listeners]]
name = "submissions"
address = "127.0.0.1:0"
role = "submission"
tls = "implicit"

[[certificates]]
certificate_file = "mail.pem"
key_file = "mail.key"

[accounts]
password_file = "accounts"
failures_max = 3
"#;

fn world(authority: &Authority) -> World {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("omar")
        .recipient(
            "lena",
            "UserMailbox",
            "email_addresses = [\"SMTP:lena@contoso.example\", \"smtp:l.berg@contoso.example\"]",
        )
        .recipient("sales", "SharedMailbox", "send_as = [\"lena\"]")
        .group("inside", &["omar"], "require_sender_authentication_enabled = true");
    let mut world = World::of(&organisation).more(LISTENERS);
    authority.write("mail.contoso.example", "mail", world.path());
    world.write_settings();
    let mut lines = String::new();
    for (name, given) in [
        ("lena@contoso.example", None),
        ("newsletter", Some("news@contoso.example")),
    ] {
        let mut arguments = vec!["password", name];
        arguments.extend(given.iter().flat_map(|given| ["--send-as", given]));
        lines += &world.typed(&arguments, "tea pot\n");
    }
    let path = world.path().join("accounts");
    std::fs::write(&path, lines).expect("writable");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("ours");
    world.start();
    world
}

fn plain(name: &str, password: &str) -> String {
    format!("AUTH PLAIN {}", BASE64.encode(format!("\0{name}\0{password}")))
}

fn logged_in(world: &World, authority: &Authority, name: &str) -> Client {
    let (mut client, hello) = starttls(
        world.address("submission"),
        &authority.client(None),
        "mail.contoso.example",
    );
    assert!(
        hello.contains("AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"),
        "{hello}"
    );
    let reply = client.command(&plain(name, "tea pot"));
    assert_eq!(reply, "235 2.7.0 authenticated", "{name}");
    client
}

#[test]
fn an_account_has_its_own_addresses_and_what_it_was_given() {
    let authority = Authority::new();
    let world = world(&authority);
    for (account, from, permitted) in [
        ("lena@contoso.example", "lena@contoso.example", true),
        ("LENA@contoso.example", "l.berg@contoso.example", true),
        ("lena@contoso.example", "sales@contoso.example", true),
        ("lena@contoso.example", "omar@contoso.example", false),
        ("lena@contoso.example", "lena@fabrikam.example", false),
        ("newsletter", "news@contoso.example", true),
        ("newsletter", "lena@contoso.example", false),
    ] {
        let mut client = logged_in(&world, &authority, account);
        let reply = client.command(&format!("MAIL FROM:<{from}>"));
        let expected = if permitted { "250 2.1.0" } else { "550 5.7.60" };
        assert!(reply.starts_with(expected), "{account} as {from}: {reply}");
    }
    let verdict = world.json(&[
        "explain",
        "--from",
        "sales@contoso.example",
        "--to",
        "inside@contoso.example",
        "--via",
        "submission",
        "--login",
        "lena@contoso.example",
    ]);
    assert!(verdict.to_string().contains("login lena@contoso.example"), "{verdict}");
}

#[test]
fn mail_of_an_account_is_internal_and_complete() {
    let authority = Authority::new();
    let world = world(&authority);
    let mut client = logged_in(&world, &authority, "lena@contoso.example");
    let replies = client.send(
        "lena@contoso.example",
        &["inside@contoso.example", "far@elsewhere.example"],
        "From: lena@contoso.example\r\nTo: inside@contoso.example\r\nSubject: bare\r\n\r\nHello.\r\n",
    );
    assert!(replies.iter().all(|reply| reply.starts_with("250 ")), "{replies:?}");
    let copy = world
        .onprem
        .wait_copy("the group's copy", |copy| copy.content.contains("bare"));
    assert!(copy.content.contains("with ESMTPSA id"), "{}", copy.content);
    assert!(
        copy.content.contains("\r\nMessage-ID: <") && copy.content.contains("\r\nDate: "),
        "{}",
        copy.content
    );
    world
        .internet
        .wait_copy("the relayed copy", |copy| copy.content.contains("bare"));
    world.until("the proof in the trace", || {
        let traced = world.json(&["trace", "--subject", "bare"]).to_string();
        traced.contains("login lena@contoso.example")
    });
    let whole = message("lena@contoso.example", "inside@contoso.example", "whole");
    let replies = client.send("lena@contoso.example", &["inside@contoso.example"], &whole);
    assert!(replies.iter().all(|reply| reply.starts_with("250 ")), "{replies:?}");
    let copy = world
        .onprem
        .wait_copy("the second copy", |copy| copy.content.contains("whole"));
    assert_eq!(copy.content.matches("Message-ID:").count(), 1, "{}", copy.content);
    assert_eq!(copy.content.matches("\r\nDate:").count(), 1, "{}", copy.content);
}

#[test]
fn within_tls_from_the_first_octet_it_is_the_same() {
    let authority = Authority::new();
    let world = world(&authority);
    let config = authority.client(None);
    let mut client = implicit(world.address("submissions"), &config, "mail.contoso.example");
    let hello = client.command("EHLO client.example");
    assert!(hello.contains("AUTH SCRAM") && !hello.contains("STARTTLS"), "{hello}");
    assert_eq!(
        client.command(&plain("newsletter", "tea pot")),
        "235 2.7.0 authenticated"
    );
    assert!(client.command("MAIL FROM:<news@contoso.example>").starts_with("250 "));
}

#[test]
fn without_tls_and_a_password_there_is_no_mail() {
    let authority = Authority::new();
    let world = world(&authority);
    let mut client = world.client_of("submission");
    let reply = client.command(&plain("lena@contoso.example", "tea pot"));
    assert!(reply.starts_with("538 5.7.11"), "{reply}");
    let reply = client.command("MAIL FROM:<lena@contoso.example>");
    assert!(reply.starts_with("530 5.7.0"), "{reply}");
    let config = authority.client(None);
    let (mut client, _) = starttls(world.address("submission"), &config, "mail.contoso.example");
    let reply = client.command("MAIL FROM:<lena@contoso.example>");
    assert!(reply.starts_with("530 5.7.0"), "{reply}");
    for _ in 0..3 {
        let reply = client.command(&plain("lena@contoso.example", "coffee"));
        assert!(reply.starts_with("535 5.7.8"), "{reply}");
    }
    let reply = client.command(&plain("lena@contoso.example", "tea pot"));
    assert!(reply.starts_with("421 4.7.0 too many failed"), "{reply}");
}
