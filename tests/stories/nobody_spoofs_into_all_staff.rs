//! The attack set is refused as a whole by good settings, and each weak setting is found and named.

use crate::support::dns::NameServer;
use crate::support::{Organisation, World};

const STAFF: &str = "all-staff@contoso.example";

fn organisation(more: &str) -> Organisation {
    let mut organisation = Organisation::new();
    organisation
        .cloud("lena")
        .on_premises("jonas")
        .group("all-staff", &["lena", "jonas"], more);
    organisation
}

const CLOSED: &str = "require_sender_authentication_enabled = true\nbcc_blocked = true";

/// A world with good settings, but for what a story adds.
fn world(dns: &NameServer, group: &str) -> World {
    World::of(&organisation(group)).more(&dns.settings())
}

fn good(world: World) -> World {
    world.policy("author = \"permitted\"").more(
        "\n[return_paths]\nbounce_address = \"bounce@contoso.example\"\n\n[web]\naddress = \"127.0.0.1:0\"\n\
         public_url = \"http://127.0.0.1\"\n",
    )
}

fn attacked(world: &World) -> (i32, serde_json::Value) {
    let output = world.command(&["test", "spoof", "--group", STAFF, "--json"]);
    let said = serde_json::from_slice(&output.stdout).unwrap_or_else(|fault| {
        let stderr = String::from_utf8_lossy(&output.stderr);
        panic!("{fault}: {} {stderr}", String::from_utf8_lossy(&output.stdout))
    });
    (output.status.code().unwrap_or(-1), said)
}

/// Names of the attacks that got through, with the settings that let them.
fn through(said: &serde_json::Value) -> Vec<(String, Vec<String>)> {
    let attacks = said["attacks"].as_array().expect("a list");
    let got = attacks.iter().filter(|attack| attack["outcome"] == "through");
    got.map(|attack| {
        let settings = attack["weaknesses"].as_array().expect("a list").iter();
        (
            attack["attack"].as_str().expect("a word").to_owned(),
            settings
                .map(|weak| weak["setting"].as_str().expect("a name").to_owned())
                .collect(),
        )
    })
    .collect()
}

fn names(through: &[(String, Vec<String>)]) -> Vec<&str> {
    through.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn good_settings_refuse_all_of_it_and_nothing_is_left_behind() {
    let dns = NameServer::start();
    let mut world = good(world(&dns, CLOSED));
    world.start();
    let (code, said) = attacked(&world);
    assert_eq!(through(&said), [], "{said:#}");
    assert_eq!(code, 0, "{said:#}");
    let total = said["attacks_total"].as_u64().expect("a number");
    assert!(total >= 40, "{total}");
    assert_eq!(said["refused_total"], total);
    // Each attack was met by what it is meant for, and not by a service that takes nothing.
    for attack in said["attacks"].as_array().expect("a list") {
        let (name, answer) = (
            attack["attack"].as_str().expect("a word"),
            attack["answer"].as_str().expect("text"),
        );
        let refused = answer.starts_with('5') || answer.starts_with("closed");
        let otherwise = matches!(
            name,
            "forged-results" | "organisation-header" | "tenant-header" | "nested" | "nested-bcc" | "automatic-answer"
        ) || answer.starts_with("HTTP/1.1 ");
        assert!(refused || otherwise, "{name}: {answer}");
    }
    let outcome = |name: &str| {
        let attacks = said["attacks"].as_array().expect("a list");
        let found = attacks.iter().find(|attack| attack["attack"] == name).expect("there");
        (
            found["outcome"].as_str().expect("a word").to_owned(),
            found["answer"].as_str().expect("text").to_owned(),
        )
    };
    for mark in ["forged-results", "organisation-header", "tenant-header"] {
        assert_eq!(outcome(mark).0, "removed", "{said:#}");
    }
    assert!(outcome("reverse-path").1.starts_with("550 5.7."), "{said:#}");
    assert!(outcome("bare-lf").1.starts_with("5"), "{said:#}");
    assert_eq!(outcome("link-prefetch").0, "unchanged");
    // Nothing of it was stored, delivered or told.
    assert!(world.cloud.copies().is_empty() && world.onprem.copies().is_empty() && world.internet.copies().is_empty());
    assert_eq!(world.json(&["status"])["messages"], 0);
    assert_eq!(world.json(&["status"])["holds"], 0);
    let traced = world.command(&["trace", "--to", STAFF]);
    assert_eq!(traced.status.code(), Some(1), "no trace of it");

    let output = world.command(&["test", "spoof", "--group", STAFF]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains(&format!("{total} of {total} refused: {STAFF}\n")),
        "{text}"
    );
    assert_eq!(
        world
            .command(&["test", "spoof", "--group", "nobody@contoso.example"])
            .status
            .code(),
        Some(1)
    );
}

#[test]
fn a_spoofed_sender_taken_for_a_stranger_and_an_open_group_are_named() {
    let dns = NameServer::start();
    let open = "require_sender_authentication_enabled = false";
    let mut world = good(world(&dns, open)).policy("spoofed = \"external\"");
    world.start();
    let (code, said) = attacked(&world);
    assert_eq!(code, 1);
    let through = through(&said);
    let (_, settings) = through
        .iter()
        .find(|(name, _)| name == "display-name")
        .expect("open to strangers");
    assert_eq!(settings, &[format!("require_sender_authentication_enabled of {STAFF}")]);
    assert!(names(&through).contains(&"bcc"), "{through:?}");
    // The rule about authors still stands in the way of the others.
    assert!(
        !names(&through).contains(&"from") && !names(&through).contains(&"reverse-path"),
        "{through:?}"
    );
}

#[test]
fn authors_that_nobody_asks_about_are_named() {
    let dns = NameServer::start();
    let open = "require_sender_authentication_enabled = false";
    let mut world = world(&dns, open).policy("spoofed = \"external\"");
    world.start();
    let (code, said) = attacked(&world);
    assert_eq!(code, 1);
    let through = through(&said);
    let of = |name: &str| {
        &through
            .iter()
            .find(|(found, _)| found == name)
            .unwrap_or_else(|| panic!("{name}: {said:#}"))
            .1
    };
    assert_eq!(of("reverse-path")[0], "policy.spoofed");
    assert_eq!(of("from")[0], "policy.author");
    assert_eq!(of("other-tenant")[0], "policy.spoofed");
    let text = world.command(&["test", "spoof", "--group", STAFF]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(
        text.contains("from got through: policy.author is \"ignore\"; set it to \"permitted\" or \"same\""),
        "{text}"
    );
}

#[test]
fn a_nested_group_that_is_not_asked_is_named() {
    let dns = NameServer::start();
    let mut world = good(world(&dns, CLOSED)).policy("nested_restrictions = \"top_only\"");
    world.start();
    let (code, said) = attacked(&world);
    let through = through(&said);
    assert_eq!((code, names(&through)), (1, vec!["nested"]), "{said:#}");
    assert_eq!(through[0].1, ["policy.nested_restrictions"]);
}

#[test]
fn a_network_that_is_trusted_too_widely_is_named() {
    let dns = NameServer::start();
    let wide = "\n[[trusted_networks]]\nname = \"wide\"\nnetworks = [\"192.0.0.0/2\"]\nlisteners = [\"inbound\"]\n";
    let mut world = good(world(&dns, CLOSED)).more(wide);
    world.start();
    let (code, said) = attacked(&world);
    assert_eq!(code, 1);
    let through = through(&said);
    for name in [
        "reverse-path",
        "organisation-header",
        "tenant-header",
        "forged-moderator",
    ] {
        let found = through.iter().find(|(found, _)| found == name);
        let (_, settings) = found.unwrap_or_else(|| panic!("{name}: {said:#}"));
        assert_eq!(settings, &["trusted_networks \"wide\""], "{name}");
    }
}
