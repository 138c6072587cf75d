//! A held message goes to the members at its release or at its submission, as the settings say; the hold remembers it.

use crate::support::{Organisation, World, message};

const ANNOUNCE: &str = "announce@contoso.example";

fn organisation(outer: &[&str], inner: &[&str]) -> Organisation {
    let mut organisation = Organisation::new();
    for person in ["canteen", "eva", "early", "stays", "late"] {
        organisation.on_premises(person);
    }
    organisation.group("inner", inner, "").group(
        "announce",
        outer,
        "moderation_enabled = true\nmoderated_by = [\"eva@contoso.example\"]",
    );
    organisation
}

/// Sends, changes both groups, restarts, approves; who got it.
fn reached(settings: &str, after: &str) -> Vec<String> {
    let mut world = World::of(&organisation(&["early", "inner"], &["stays"])).more(settings);
    world.start();
    let mail = message("canteen@contoso.example", ANNOUNCE, "closed");
    let replies = world.colleague().send("canteen@contoso.example", &[ANNOUNCE], &mail);
    assert!(replies[1].starts_with("250 "), "{replies:?}");
    let holds = world.json(&["moderate", "list"]);
    let id = holds[0]["id"].as_str().expect("a hold").to_owned();
    organisation(&["late", "inner"], &["late", "stays"]).write(&world.organisation_path());
    world.command(&["reload"]);
    world.until("the new list", || {
        world
            .json(&["group", "members", ANNOUNCE])
            .to_string()
            .contains("late@")
    });
    world.stop();
    world.start();
    let shown = world.json(&["moderate", "show", &id]);
    assert_eq!(shown["membership"], after, "{shown}");
    assert_eq!(shown["recipients"], 2, "{shown}");
    let answer = world.command(&["moderate", "approve", "--as", "eva@contoso.example", &id]);
    assert!(answer.status.success(), "{answer:?}");
    world.onprem.wait_copy("the message", |copy| {
        copy.content.contains("closed") && copy.recipients.contains(&"stays@contoso.example".to_owned())
    });
    let copies = world.onprem.copies();
    let sent = copies
        .iter()
        .filter(|copy| !copy.recipients.contains(&"eva@contoso.example".to_owned()));
    let mut all: Vec<String> = sent.flat_map(|copy| copy.recipients.clone()).collect();
    all.sort();
    all
}

#[test]
fn at_its_release() {
    let got = reached("", "release");
    assert_eq!(got, ["late@contoso.example", "stays@contoso.example"]);
}

#[test]
fn at_its_submission() {
    let got = reached("[moderation]\nmembership = \"submission\"", "submission");
    assert_eq!(got, ["early@contoso.example", "stays@contoso.example"]);
}
