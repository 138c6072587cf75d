//! Golden findings, and the shipped files held against the code.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::check::{Surroundings, check};
use super::file::SettingsFile;
use super::settings::{ListenerAuth, ListenerTls, NextHopTarget, Settings};
use super::{LoadError, load};
use crate::connectors::document::{Key, Node, NodeValue, Read as _, parse_toml};

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn checked(source: &str, name: &str) -> (Option<Settings>, super::Findings) {
    let surroundings = Surroundings {
        file: Path::new(name),
        hostname: Some("muster.contoso.example"),
    };
    check(source, surroundings)
}

/// `GOLDEN=write cargo test --lib config::` writes what is found now; read it before it is committed.
#[test]
fn broken_settings_are_explained() {
    let folder = repository().join("tests/golden/settings");
    let mut seen = 0;
    let mut different = Vec::new();
    let mut names: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    names.sort();
    for path in names {
        let source = fs::read_to_string(&path).expect("a text");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let (settings, findings) = checked(&source, &name);
        assert_eq!(settings.is_none(), findings.has_errors(), "{name}");
        assert!(!findings.is_empty(), "{name}: nothing was found");
        assert_eq!(findings.exit_code(), if findings.has_errors() { 2 } else { 0 });
        let golden = path.with_extension("txt");
        if std::env::var_os("GOLDEN").is_some() {
            fs::write(&golden, findings.render()).expect("writable");
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if findings.render() != expected {
            different.push(format!("--- {name}\n{}", findings.render()));
        }
        seen += 1;
    }
    assert!(seen >= 25, "{seen}");
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn findings_have_a_form_for_machines() {
    let source = fs::read_to_string(repository().join("tests/golden/settings/key-misspelt.toml")).expect("a text");
    let (_, findings) = checked(&source, "muster.toml");
    let json = findings.to_json();
    assert_eq!(json["file"], "muster.toml");
    let first = &json["findings"][0];
    assert_eq!(
        (&first["line"], &first["column"], &first["severity"]),
        (&1.into(), &1.into(), &"error".into()),
        "{json:#}"
    );
    let misspelt = json["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|each| each["key"] == "listeners[0].adress");
    assert_eq!(misspelt.expect("found")["suggestion"], "address", "{json:#}");
}

fn settings_of(path: &Path) -> Settings {
    match load(path) {
        Ok((settings, findings)) => {
            assert!(findings.is_empty(), "{findings}");
            settings
        }
        Err(fault) => panic!("{fault}"),
    }
}

/// A key of the root (RFC 4034 §2.3).
const ROOT_KEY: &str = ". 3600 IN DNSKEY 257 3 13 mSsN+/6ZyXoBNYrRfDnzSBvDjBeyhbskG77k03xItmisnNTmhAuRDik4ZyqXVZFJRQn6f+18kUxN5oABKsZv7A==\n";

/// A copy of a shipped file beside an empty folder `directory`, as an administrator would have it.
fn installed(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("directory")).expect("a folder");
    fs::create_dir(folder.path().join("templates")).expect("a folder");
    let key = folder.path().join("2026.pem");
    fs::write(&key, crate::mail::signature::testing::ed25519_pem()).expect("writable");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("our own file");
    let made = rcgen::generate_simple_self_signed(vec!["muster.contoso.example".to_owned()]).expect("a certificate");
    let account = crate::smtp::sasl::Secret::new("tea");
    let line = crate::accounts::file::line("lena", &account, &[], [1; 16]).expect("a line");
    for (name, text) in [
        ("ca.pem", made.cert.pem()),
        ("client.pem", made.cert.pem()),
        ("client.key", made.signing_key.serialize_pem()),
        ("mail.pem", made.cert.pem()),
        ("mail.key", made.signing_key.serialize_pem()),
        ("authorities.pem", made.cert.pem()),
        ("password", "s3cret\n".to_owned()),
        ("root.key", ROOT_KEY.to_owned()),
        ("accounts", line),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("our own file");
    }
    let path = folder.path().join("muster.toml");
    fs::write(&path, text).expect("writable");
    (folder, path)
}

#[test]
fn quickstart_needs_nothing_else() {
    let settings = settings_of(&repository().join("config/quickstart.toml"));
    assert_eq!(
        settings.listener("inbound").expect("there").address.to_string(),
        "127.0.0.1:2525"
    );
    assert_eq!(
        settings.listener("relay").expect("there").address.to_string(),
        "127.0.0.1:2526"
    );
    let trusted: Vec<&str> = settings.trusted_networks[0]
        .listeners
        .iter()
        .map(|name| name.as_str())
        .collect();
    assert_eq!(trusted, ["relay"], "the inbound listener trusts nobody");
    assert_eq!(settings.data_dir, repository().join("config/muster-data"));
    for name in ["cloud", "onprem"] {
        let target = &settings.next_hop(name).expect("there").target;
        assert_eq!(
            *target,
            NextHopTarget::DropDirectory(settings.data_dir.join("drop").join(name))
        );
    }
    assert_eq!(settings.default_domain().as_str(), "contoso.example");
}

#[test]
fn recipes_have_nothing_to_be_found() {
    let folder = repository().join("config/recipes");
    let mut seen = 0;
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let (settings, findings) = checked(&fs::read_to_string(&path).expect("a text"), &name);
        assert!(settings.is_some() && findings.is_empty(), "{}", findings.render());
        seen += 1;
    }
    assert!(seen >= 5, "{seen}");
}

#[test]
fn minimal_settings_are_enough() {
    let text = fs::read_to_string(repository().join("config/minimal.toml")).expect("a text");
    let (_folder, path) = installed(&text);
    let settings = settings_of(&path);
    assert_eq!((settings.listeners.len(), settings.next_hops.len()), (1, 2));
    assert_eq!(settings.data_dir, Path::new("/var/lib/muster"));
    assert_eq!(settings.routing.external.as_str(), "onprem");
}

/// Takes the comment sign from every key and table.
fn uncommented(text: &str) -> String {
    let is_key = |rest: &&str| {
        rest.starts_with(|c: char| c.is_ascii_lowercase()) && rest.contains(" = ") || rest.starts_with("[[")
    };
    text.lines()
        .map(|line| line.strip_prefix('#').filter(is_key).unwrap_or(line))
        .fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    let text = fs::read_to_string(repository().join("config/muster.toml")).expect("a text");
    let (_first, shipped) = installed(&text);
    let (_second, complete) = installed(&uncommented(&text));
    // What has no default that could be written down shows an example.
    let plain = |path: &Path| {
        let mut settings = settings_of(path);
        settings.hostname = "muster.example".to_owned().try_into().expect("a domain");
        settings.rolls.max_age = None;
        settings.rolls.suspects.suppress = crate::rolls::suspect::Suppression::Never;
        settings.sources[0].max_age = None;
        settings.authenticity.authserv_id = settings.hostname.clone();
        settings.dns.servers.clear();
        settings.dns.trust_anchors = None;
        settings.listeners[0].proxy_from.clear();
        settings.listeners[0].strangers.lists.clear();
        settings.listeners[0].rates = crate::listener::RateSettings::default();
        settings.routing.side_by_side = None;
        settings.return_paths = None;
        settings.tls_reports = None;
        settings.moderation.substitutes = None;
        settings.policy.quarantine_moderators = None;
        settings.moderation.templates = None;
        settings.web = None;
        settings.filters.clear();
        settings.signing_keys.clear();
        (settings.certificates, settings.accounts) = (Vec::new(), None);
        settings.client_authorities_file = None;
        settings.trusted_networks[0].certificates.clear();
        for listener in &mut settings.listeners {
            (listener.tls, listener.auth) = (ListenerTls::Off, ListenerAuth::Off);
            listener.xclient_from.clear();
        }
        (settings.next_hops[0].dkim_sign, settings.next_hops[0].arc_seal) = (Vec::new(), None);
        for hop in &mut settings.next_hops[1..] {
            hop.tls = Default::default();
        }
        for hop in &mut settings.next_hops {
            (hop.helo, hop.sources, hop.messages_per_minute_max) = Default::default();
            (hop.sign_in, hop.files) = Default::default();
        }
        settings.sources[0].path = PathBuf::new();
        settings
    };
    // The first is named by the system, which may have no dot in its name.
    let stated = text.replace("#hostname", "hostname");
    fs::write(&shipped, stated).expect("writable");
    assert_eq!(plain(&shipped), plain(&complete));
}

#[test]
fn every_key_is_documented_once() {
    let text = fs::read_to_string(repository().join("config/muster.toml")).expect("a text");
    let (root, syntax) = parse_toml(&uncommented(&text));
    assert_eq!(syntax, []);
    let words = |text: &str| text.replace('#', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    let prose: Vec<&str> = text.lines().filter(|line| line.starts_with("# ")).collect();
    let prose = words(&prose.join(" "));
    let mut missing = BTreeSet::new();
    each_key(SettingsFile::KEYS, &root, "", &mut |key, path, is_there| {
        if !is_there {
            missing.insert(format!("{path} is not in the file"));
        }
        if !prose.contains(&words(key.text)) {
            missing.insert(format!("{path} is not explained as on its field: {}", words(key.text)));
        }
        assert!(
            key.required || key.text.contains("Default") || !key.keys.is_empty() || is_alternative(path),
            "{path}: no default"
        );
    });
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Exactly one of these is stated.
fn is_alternative(path: &str) -> bool {
    [
        "next_hops.hosts",
        "next_hops.mx",
        "next_hops.drop_directory",
        "routing.domains",
        "routing.rules",
    ]
    .contains(&path)
}

fn each_key(keys: &[Key], node: &Node, path: &str, visit: &mut impl FnMut(&Key, &str, bool)) {
    for key in keys {
        let path = if path.is_empty() {
            key.name.to_owned()
        } else {
            format!("{path}.{}", key.name)
        };
        let found = values(node, key.name);
        visit(key, &path, !found.is_empty());
        if !key.keys.is_empty() {
            let all = Node {
                span: 0..0,
                value: NodeValue::List(found.into_iter().cloned().collect()),
            };
            each_key(key.keys, &all, &path, visit);
        }
    }
}

/// Values of a key in a table or in any table of a list.
fn values<'a>(node: &'a Node, name: &str) -> Vec<&'a Node> {
    match &node.value {
        NodeValue::List(list) => list.iter().flat_map(|each| values(each, name)).collect(),
        NodeValue::Table(entries) => entries
            .iter()
            .filter(|entry| entry.key.as_ref() == name)
            .map(|entry| &entry.node)
            .collect(),
        _ => Vec::new(),
    }
}

#[test]
fn paths_start_at_the_settings_file() {
    let text = fs::read_to_string(repository().join("config/minimal.toml")).expect("a text");
    let (folder, path) = installed(&format!("data_dir = \"data\"\n{text}"));
    let settings = settings_of(&path);
    assert_eq!(settings.data_dir, folder.path().join("data"));
    assert_eq!(settings.control_socket, folder.path().join("data/control.sock"));
    assert_eq!(settings.sources[0].path, folder.path().join("directory"));
    assert_eq!(settings.queue.expiry, Duration::from_secs(2 * 24 * 3600));
}

#[test]
fn what_is_not_there_is_said() {
    let text = fs::read_to_string(repository().join("config/minimal.toml")).expect("a text");
    let (folder, path) = installed(&text);
    fs::remove_dir(folder.path().join("directory")).expect("the folder was there");
    let Err(LoadError::Findings(findings)) = load(&path) else {
        panic!("the source's folder is gone")
    };
    let finding = &findings.findings[0];
    assert_eq!(finding.key, "sources[0].path");
    let line = text.lines().position(|line| line.starts_with("path")).expect("there") + 1;
    assert_eq!((finding.line, finding.column), (line, 8), "{findings}");
    assert!(matches!(
        load(Path::new("/nowhere/muster.toml")),
        Err(LoadError::Unreadable { .. })
    ));
}

#[test]
fn domains_are_routed_by_the_most_specific_pattern() {
    let text = fs::read_to_string(repository().join("config/minimal.toml")).expect("a text");
    let more = "\n[[routing.domains]]\ndomain = \"*.example\"\nnext_hop = \"cloud\"\n\n\
        [[routing.domains]]\ndomain = \"*.fabrikam.example\"\nnext_hop = \"cloud\"\n\n\
        [[routing.domains]]\ndomain = \"fabrikam.example\"\nnext_hop = \"onprem\"\n";
    let (settings, findings) = checked(&(text + more), "muster.toml");
    let settings = settings.unwrap_or_else(|| panic!("{findings}"));
    let patterns: Vec<String> = settings
        .routing
        .domains
        .iter()
        .map(|(pattern, _)| pattern.to_string())
        .collect();
    assert_eq!(patterns, ["fabrikam.example", "*.fabrikam.example", "*.example"]);
    let domain = |text: &str| crate::mail::address::Domain::parse(text).expect("a domain");
    let first = |name: &str| {
        let domain = domain(name);
        settings
            .routing
            .domains
            .iter()
            .position(|(pattern, _)| pattern.matches(&domain))
    };
    assert_eq!(first("fabrikam.example"), Some(0));
    assert_eq!(first("eu.fabrikam.example"), Some(1));
    assert_eq!(first("notfabrikam.example"), Some(2));
    assert_eq!(first("fabrikam.test"), None);
}

#[test]
fn remote_mailboxes_match_where_a_source_says_so() {
    let minimal = fs::read_to_string(repository().join("config/minimal.toml")).expect("shipped");
    let setting = |text: &str| {
        let settings = checked(text, "muster.toml").0.expect("good settings");
        settings
            .sources
            .iter()
            .map(|source| source.remote_mailboxes_match_user_mailbox)
            .collect::<Vec<_>>()
    };
    assert_eq!(setting(&minimal), [false]);
    let stated = minimal.replace(
        "kind = \"files\"",
        "kind = \"files\"\nremote_mailboxes_match_user_mailbox = true",
    );
    assert_eq!(setting(&stated), [true]);
}
