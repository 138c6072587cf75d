//! A key that cannot sign is found before a copy waits for it: at the check, at a reload, in DNS.

use crate::support::dns::NameServer;
use crate::support::keys::{KeyFile, verified};
use crate::support::{Organisation, World, message};

const TEAM: &str = "team@contoso.example";
const LENA: &str = "lena@contoso.example";

fn organisation() -> Organisation {
    let mut organisation = Organisation::new();
    organisation.cloud("lena").group("team", &["lena"], "");
    organisation
}

fn said(world: &World, arguments: &[&str]) -> (i32, String) {
    let output = world.command(arguments);
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.code().unwrap_or(-1), text)
}

#[test]
fn check_finds_keys_that_cannot_sign_with_line_and_suggestion() {
    let dns = NameServer::start();
    let world = World::of(&organisation());
    let key = KeyFile::ed25519("ed", "contoso.example", world.path());
    std::fs::write(world.path().join("text.pem"), "no key\n").expect("a file");
    let text = "\n[[signing_keys]]\nname = \"text\"\ndomain = \"contoso.example\"\nselector = \"t\"\nkey_file = \"text.pem\"\n";
    let missing = text.replace("text", "gone").replace("\"t\"", "\"g\"");
    let more = format!("{}{text}{missing}{}", key.settings(), dns.settings());
    let mut world = world.more(&more).hop_line("cloud", "dkim_sign = \"edd\"");
    key.mode(0o644);
    world.write_settings();
    let (code, found) = said(&world, &["check"]);
    assert_eq!(code, 2, "{found}");
    assert!(
        found.contains("there is no signing key \"edd\"") && found.contains("did you mean ed?"),
        "{found}"
    );

    let mut world = world
        .hop_line("onprem", "dkim_sign = [\"ed\", \"text\", \"gone\"]")
        .without_hop_lines("cloud");
    world.write_settings();
    let (code, found) = said(&world, &["check"]);
    assert_eq!(code, 2, "{found}");
    for expected in [
        "ed.pem has mode 0644: whoever has this key signs in the name of contoso.example; set 0600",
        "text.pem has mode",
        "gone.pem does not exist: `openssl genpkey",
    ] {
        assert!(found.contains(expected), "{expected}: {found}");
    }
    let place = found
        .lines()
        .find(|line| line.contains("ed.pem has mode"))
        .expect("said above");
    assert!(place.contains("muster.toml:"), "line and column: {place}");
    key.mode(0o640);
    let (_, found) = said(&world, &["check"]);
    assert!(!found.contains("ed.pem"), "our group may read it: {found}");
}

#[test]
fn check_asks_name_servers_for_the_public_half() {
    let dns = NameServer::start();
    let world = World::of(&organisation());
    let key = KeyFile::rsa("rsa", "contoso.example", world.path());
    let other = KeyFile::ed25519("ed", "contoso.example", world.path()).published(&dns);
    let more = format!("{}{}{}", key.settings(), other.settings(), dns.settings());
    let mut world = world.more(&more).hop_line("cloud", "dkim_sign = [\"rsa\", \"ed\"]");
    world.write_settings();
    let (code, found) = said(&world, &["check"]);
    assert_eq!(
        (code, dns.asked().len()),
        (0, 0),
        "nobody is asked without being told to: {found}"
    );
    let (code, found) = said(&world, &["check", "--dns"]);
    assert_eq!(code, 2, "{found}");
    assert!(
        found.contains(
            "nobody can verify with this key; publish this TXT record at rsa._domainkey.contoso.example: v=DKIM1; k=rsa; p="
        ),
        "{found}"
    );
    let key = key.published(&dns);
    let (code, found) = said(&world, &["check", "--dns"]);
    assert_eq!(code, 0, "{found}");
    // The file is replaced, the record is not.
    drop(key);
    KeyFile::rsa("rsa", "contoso.example", world.path());
    let (code, found) = said(&world, &["check", "--dns"]);
    assert_eq!(code, 2, "{found}");
    assert!(
        found.contains("rsa._domainkey.contoso.example holds another key"),
        "{found}"
    );
    dns.failing("rsa._domainkey.contoso.example");
    let (code, found) = said(&world, &["check", "--dns"]);
    assert!(code == 0 && found.contains("could not be looked up"), "{found}");
}

#[test]
fn a_reload_takes_a_new_key_and_refuses_a_broken_one() {
    let dns = NameServer::start();
    let world = World::of(&organisation());
    let key = KeyFile::ed25519("ed", "contoso.example", world.path()).published(&dns);
    let more = format!("{}{}", key.settings(), dns.settings());
    let mut world = world.more(&more).hop_line("cloud", "dkim_sign = \"ed\"");
    world.start();
    let signs = |subject: &str| {
        world.colleague().send(LENA, &[TEAM], &message(LENA, TEAM, subject));
        let copy = world.cloud.wait_copy(subject, |copy| copy.content.contains(subject));
        verified(&dns, &copy.content).dkim
    };
    let passed = vec![("contoso.example".to_owned(), true)];
    assert_eq!(signs("first"), passed);
    // The old key goes on signing where the new one cannot.
    std::fs::write(world.path().join("ed.pem"), "no key").expect("our file");
    let (code, found) = said(&world, &["reload"]);
    assert!(
        code == 2 && found.contains("no private key in PEM form"),
        "{code} {found}"
    );
    assert_eq!(signs("second"), passed);
    let key = KeyFile::rsa("ed", "contoso.example", world.path()).published(&dns);
    key.mode(0o600);
    let (code, found) = said(&world, &["reload"]);
    assert!(
        code == 0 && found.contains("[[signing_keys]] changed"),
        "{code} {found}"
    );
    assert_eq!(signs("third"), passed);
    let copy = world.cloud.wait_copy("third", |copy| copy.content.contains("third"));
    assert!(copy.content.contains("a=rsa-sha256"), "{}", copy.content);
}
