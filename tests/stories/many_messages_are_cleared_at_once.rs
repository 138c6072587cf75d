//! A coordinator clears what has piled up: first it is said with exact counts, then exactly that is done.

use crate::support::{Organisation, Request, World, decoded, message};

const EVA: &str = "eva@contoso.example";

#[test]
fn many_held_messages_are_refused_with_exact_counts_and_one_notice_to_each_sender() {
    let mut organisation = Organisation::new();
    let moderated = format!("moderation_enabled = true\nmoderated_by = [\"{EVA}\"]");
    for name in ["lena", "eva", "canteen", "sports"] {
        organisation.on_premises(name);
    }
    organisation
        .group("announce", &["lena"], &moderated)
        .group("other", &["lena"], &moderated);
    let world = World::start_with(&organisation);
    let mut client = world.colleague();
    let mut held = |from: &str, to: &str, subject: &str| {
        let (from, to) = (format!("{from}@contoso.example"), format!("{to}@contoso.example"));
        client.send(&from, &[&to], &message(&from, &to, subject));
    };
    for (from, to, subject) in [
        ("canteen", "announce", "monday"),
        ("canteen", "announce", "tuesday"),
        ("sports", "announce", "run"),
        ("sports", "other", "swim"),
        ("canteen", "announce", "wednesday"),
    ] {
        held(from, to, subject);
    }
    let arguments = ["--group", "announce@contoso.example", "--as", EVA, "--reason", "old"];
    let ordered = |more: &[&str]| {
        let all = [&["moderate", "reject"], &arguments[..], more].concat();
        world.command(&all)
    };
    let nobody = world.command(&[
        "moderate",
        "reject",
        "--group",
        "announce@contoso.example",
        "--as",
        "lena@contoso.example",
        "--yes",
    ]);
    assert_eq!(nobody.status.code(), Some(1), "lena may not: {nobody:?}");
    let too_young = ordered(&["--older", "3d"]);
    assert_eq!(too_young.status.code(), Some(1), "{too_young:?}");
    let said = ordered(&["--dry-run"]);
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(text.contains("would refuse 4 messages from 2 senders\n"), "{text}");
    let waiting = world.json(&["moderate", "list"]);
    assert_eq!(waiting.as_array().map(Vec::len), Some(5), "nothing was changed");

    let done = ordered(&["--yes"]);
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(text.contains("refused: 4 messages from 2 senders\n"), "{text}");
    let operation = text
        .lines()
        .find_map(|line| line.strip_prefix("operation "))
        .expect("a number")
        .to_owned();
    let notice = world
        .onprem
        .wait_copy("the notice", |copy| copy.recipients == ["canteen@contoso.example"]);
    let read = decoded(&notice.content);
    assert!(
        read.contains("\"wednesday\"")
            && read.contains("  old")
            && read.contains("  monday")
            && read.contains("  tuesday"),
        "{read}"
    );
    world
        .onprem
        .wait_copy("the other notice", |copy| copy.recipients == ["sports@contoso.example"]);
    world.until("an empty queue", || {
        world.json(&["queue", "list"]).as_array().is_some_and(Vec::is_empty)
    });
    let to = |name: &str| world.onprem.recipients().iter().filter(|each| *each == name).count();
    assert_eq!(
        (
            to("canteen@contoso.example"),
            to("sports@contoso.example"),
            to("lena@contoso.example")
        ),
        (1, 1, 0)
    );
    world.until("the trace", || {
        let trace = world.json(&["trace", "--to", "announce@contoso.example"]).to_string();
        trace.matches(&operation).count() == 4
    });

    Request::to(&world.onprem, EVA, "swim");
    let said = world.command(&[
        "moderate",
        "approve",
        "--from",
        "sports@contoso.example",
        "--operator",
        "--yes",
    ]);
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(
        text.contains("approved: 1 message from 1 sender to 1 recipient\n"),
        "{text}"
    );
    world
        .onprem
        .wait_copy("the message", |copy| copy.recipients == ["lena@contoso.example"]);
}
