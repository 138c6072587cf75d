use std::os::unix::fs::OpenOptionsExt as _;

use super::*;
use crate::resolver::AddressPattern;

fn chance() -> Env {
    crate::env::Env::system()
}

fn settings(folder: &tempfile::TempDir, lines: &[String]) -> AccountsSettings {
    use std::io::Write as _;
    let path = folder.path().join("accounts");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .expect("writable");
    file.write_all(lines.join("\n").as_bytes()).expect("room");
    AccountsSettings {
        password_file: Some(path),
        ldap: None,
        issuer: None,
        failures_max: 3,
        failures_window: Duration::from_secs(60),
        time_limit: Duration::from_secs(30),
    }
}

fn made(name: &str, password: &str, addresses: &[&str]) -> String {
    let patterns: Vec<AddressPattern> = addresses.iter().map(|text| text.parse().expect("a pattern")).collect();
    file::line(name, &Secret::new(password), &patterns, [7; 16]).expect("a line")
}

fn asks(name: &str, password: &str) -> Question {
    Question::Password {
        name: name.to_owned(),
        password: Secret::new(password),
    }
}

#[tokio::test]
async fn a_line_of_the_command_lets_its_account_in_and_nobody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = [
        "# accounts".to_owned(),
        String::new(),
        made("Lena@contoso.example", "tea pot", &[]),
        made(
            "newsletter",
            "s3cret",
            &["news@contoso.example", "*@lists.contoso.example"],
        ),
    ];
    let known = KnownAccounts::new(&settings(&folder, &lines), chance()).expect("a good file");
    for (name, password, answer) in [
        ("lena@contoso.example", "tea pot", Answer::Vouched),
        ("LENA@contoso.example", "tea pot", Answer::Vouched),
        ("lena@contoso.example", "tea", Answer::Refused),
        ("newsletter", "tea pot", Answer::Refused),
        ("nobody@contoso.example", "nobody's", Answer::Refused),
    ] {
        let told = known.answer(asks(name, password)).await;
        assert_eq!(told.answer, answer, "{name}");
    }
    let login = known
        .answer(asks("newsletter", "s3cret"))
        .await
        .login
        .expect("an account");
    assert_eq!(login.addresses.len(), 2);
    let strongest = known.mechanisms().iter().next();
    assert_eq!(strongest, Some(Mechanism::ScramSha256Plus));
}

#[tokio::test]
async fn scram_asks_of_accounts_and_decoys_look_alike() {
    let folder = tempfile::tempdir().expect("a folder");
    let known = KnownAccounts::new(&settings(&folder, &[made("lena", "tea", &[])]), chance()).expect("a good file");
    let ask = async |name: &str| match known.answer(Question::Keys { name: name.to_owned() }).await.answer {
        Answer::Keys { keys, exists, nonce } => (keys, exists, nonce),
        other => panic!("{other:?}"),
    };
    let (real, exists, nonce) = ask("lena").await;
    let (decoy, other_exists, other_nonce) = ask("jana").await;
    assert!(exists && !other_exists && nonce != other_nonce);
    assert_eq!((real.salt.len(), real.iterations), (decoy.salt.len(), decoy.iterations));
    assert_eq!(ask("jana").await.0, decoy);
}

#[test]
fn files_that_cannot_be_used_are_named_and_give_nothing_away() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let good = made("lena", "tea", &[]);
    for (line, fault) in [
        ("lena tea", "line 1: a word is neither $argon2id$"),
        ("lena", "line 1: the account has no password"),
        ("lena $argon2id$v=19$m=1", "line 1: the argon2id hash is malformed"),
        (
            "lena SCRAM-SHA-256$1:AA==$AA==:AA==",
            "line 1: the SCRAM keys are malformed",
        ),
        ("lena send-as=a", "line 1: `a` is not an address"),
        (&format!("{good}\n{good}"), "line 2: the account is there twice"),
    ] {
        let settings = settings(&folder, &[line.to_owned()]);
        let said = KnownAccounts::new(&settings, chance()).err().expect(line);
        assert!(said.contains(fault), "{said}");
        assert!(!said.contains("tea"), "{said}");
    }
    let settings = settings(&folder, &[good]);
    let path = settings.password_file.as_ref().expect("stated");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).expect("ours");
    let said = KnownAccounts::new(&settings, chance())
        .err()
        .expect("others may read it");
    assert!(said.contains("0644"), "{said}");
}

#[tokio::test]
async fn a_changed_file_counts_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let known = KnownAccounts::new(&settings(&folder, &[made("lena", "tea", &[])]), chance()).expect("a good file");
    settings(&folder, &["lena".to_owned()]);
    assert!(known.reread().is_err());
    assert_eq!(known.answer(asks("lena", "tea")).await.answer, Answer::Vouched);
    settings(&folder, &[made("lena", "coffee", &[])]);
    known.reread().expect("a good file");
    assert_eq!(known.answer(asks("lena", "tea")).await.answer, Answer::Refused);
    assert_eq!(known.answer(asks("lena", "coffee")).await.answer, Answer::Vouched);
}

#[test]
fn a_client_waits_after_too_many_failures_and_its_neighbour_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let known = KnownAccounts::new(&settings(&folder, &[made("lena", "tea", &[])]), chance()).expect("a good file");
    let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
    for _ in 0..3 {
        assert!(known.may_try(ip("2001:db8::1")));
        known.failed(ip("2001:db8::2"));
    }
    assert!(!known.may_try(ip("2001:db8::3")), "the same /64");
    assert!(known.may_try(ip("2001:db8:0:1::1")));
}
