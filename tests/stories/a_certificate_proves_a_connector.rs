//! A connector is known by the verified name of its certificate; any other certificate is as good as none.

use crate::support::tls::{Authority, shown, starttls};
use crate::support::{Client, Organisation, World, message};

const SETTINGS: &str = r#"
[[certificates]]
certificate_file = "mail.pem"
key_file = "mail.key"

[[certificates]]
certificate_file = "other.pem"
key_file = "other.key"

[tls]
client_authorities_file = "authority.pem"

[[trusted_networks]]
name = "branch"
certificate_names = ["relay.branch.example"]
listeners = ["inbound"]
"#;

fn world(authority: &Authority, more: &str) -> World {
    let mut organisation = Organisation::new();
    organisation.on_premises("omar").on_premises("lena").group(
        "inside",
        &["omar"],
        "require_sender_authentication_enabled = true",
    );
    let mut world = World::of(&organisation).more(&format!("{SETTINGS}{more}"));
    authority.write("mail.contoso.example", "mail", world.path());
    authority.write("*.other.example", "other", world.path());
    authority.write_own(world.path());
    world.start();
    world
}

fn sends(client: &mut Client, subject: &str) -> String {
    let (lena, inside) = ("lena@contoso.example", "inside@contoso.example");
    client.send(lena, &[inside], &message(lena, inside, subject)).remove(0)
}

#[test]
fn the_name_proves_if_our_authority_vouches_for_it() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let world = world(&authority, "");
    let branch = authority.issue("relay.branch.example");
    for (own, taken, why) in [
        (Some(&branch), true, "the branch"),
        (Some(&authority.issue("relay.other.example")), false, "another name"),
        (Some(&stranger.issue("relay.branch.example")), false, "nobody vouches"),
        (None, false, "no certificate"),
    ] {
        let (mut client, _) = starttls(world.inbound(), &authority.client(own), "mail.contoso.example");
        let reply = sends(&mut client, "certified");
        let expected = if taken { "250 2.1.5" } else { "550 5.7.1" };
        assert!(reply.starts_with(expected), "{why}: {reply}");
    }
    world.until("the proof in the trace", || {
        let traced = world.json(&["trace", "--subject", "certified"]).to_string();
        traced.contains("network branch certificate relay.branch.example")
    });
    let verdict = world.json(&[
        "explain",
        "--from",
        "lena@contoso.example",
        "--to",
        "inside@contoso.example",
        "--via",
        "inbound",
        "--certificate",
        "relay.branch.example",
    ]);
    assert!(verdict.to_string().contains("network branch certificate"), "{verdict}");
}

#[test]
fn certificates_are_chosen_by_name_and_renewed_without_a_pause() {
    let authority = Authority::new();
    let world = world(&authority, "");
    let config = authority.client(None);
    let mail = shown_now(&world, &authority, "mail.contoso.example");
    let other = shown_now(&world, &authority, "a.other.example");
    assert_ne!(mail, other);
    let (mut client, _) = starttls(world.inbound(), &config, "mail.contoso.example");
    authority.write("mail.contoso.example", "mail", world.path());
    assert!(world.command(&["reload"]).status.success());
    let renewed = shown_now(&world, &authority, "mail.contoso.example");
    assert_ne!(mail, renewed);
    assert_eq!(
        client.command("NOOP"),
        "250 2.0.0 ok",
        "a session that stood before goes on"
    );
    std::fs::write(world.path().join("mail.key"), "no key").expect("writable");
    let reload = world.command(&["reload"]);
    assert_eq!(
        reload.status.code(),
        Some(2),
        "{}",
        String::from_utf8_lossy(&reload.stdout)
    );
    assert_eq!(
        renewed,
        shown_now(&world, &authority, "mail.contoso.example"),
        "the last good pair stays"
    );
}

/// A client that knows nothing of earlier sessions.
fn shown_now(world: &World, authority: &Authority, name: &str) -> Vec<u8> {
    shown(world.inbound(), &authority.client(None), name)
}

#[test]
fn a_certificate_that_all_customers_of_a_provider_have_needs_a_tenant() {
    let authority = Authority::new();
    let mut organisation = Organisation::new();
    organisation.on_premises("lena");
    let more = format!(
        "{SETTINGS}\n[[trusted_networks]]\nname = \"cloud\"\ncertificate_names = [\"mail.protection.outlook.com\"]\n\
         listeners = [\"inbound\"]\n"
    );
    let mut world = World::of(&organisation).more(&more);
    authority.write("mail.contoso.example", "mail", world.path());
    authority.write("*.other.example", "other", world.path());
    authority.write_own(world.path());
    world.write_settings();
    let output = world.command(&["check"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("state your `tenant`"), "{text}");
}

#[test]
fn what_cannot_be_used_is_found_with_its_place() {
    let authority = Authority::new();
    let mut world = World::of(&Organisation::new()).more(SETTINGS);
    authority.write("mail.contoso.example", "mail", world.path());
    authority.write_own(world.path());
    let key = world.path().join("mail.key");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("our own file");
    let settings = std::fs::read_to_string(world.write_settings()).expect("readable");
    let output = world.command(&["check"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    for (stated, fault) in [
        ("key_file = \"mail.key\"", "mail.key: it has mode 0644"),
        ("certificate_file = \"other.pem\"", "other.pem: it does not exist"),
    ] {
        let line = settings.lines().position(|line| line == stated).expect(stated) + 1;
        let found = text.lines().find(|line| line.contains(fault)).expect(fault);
        assert!(found.contains(&format!("muster.toml:{line}:")), "{found}");
    }
}
