//! An operator stops a message, a group or a thread: who has it is said, who has not gets it when the stop ends, or
//! never.

use serde_json::Value;

use crate::support::{Client, Organisation, World, message};

const GROUP: &str = "team@contoso.example";
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn world() -> World {
    let mut organisation = Organisation::new();
    for name in NAMES {
        organisation.on_premises(name);
    }
    organisation
        .on_premises("lena")
        .group("team", &NAMES, "")
        .group("others", &["lena"], "");
    World::start_with(&organisation)
}

/// The message's number, from the 250 reply.
fn send(client: &mut Client, to: &[&str], subject: &str) -> String {
    let replies = client.send(
        "lena@contoso.example",
        to,
        &message("lena@contoso.example", to[0], subject),
    );
    let last = replies.last().cloned().unwrap_or_default();
    let id = last.strip_prefix("250 2.6.0 ").and_then(|rest| rest.split(' ').next());
    id.unwrap_or_else(|| panic!("{replies:?}")).to_owned()
}

fn counts(value: &Value) -> [u64; 5] {
    ["messages", "recipients", "in_flight", "delivered", "failed"].map(|key| value[key].as_u64().unwrap_or(u64::MAX))
}

/// Who has the message; reports about it name it too.
fn got(world: &World, subject: &str) -> Vec<String> {
    let field = format!("Subject: {subject}\r\n");
    let copies = world.onprem.copies().into_iter();
    let of_it = copies.filter(|copy| copy.content.contains(&field) && !copy.reverse_path.is_empty());
    let mut all: Vec<String> = of_it.flat_map(|copy| copy.recipients).collect();
    all.sort();
    all
}

fn drained(world: &World) {
    world.until("an empty queue", || {
        world.json(&["queue", "list"]).as_array().is_some_and(Vec::is_empty)
    });
}

#[test]
fn a_message_is_held_over_a_restart_and_goes_on_to_those_who_had_it_not() {
    let mut world = world();
    world.onprem.answer_rcpt("c@contoso.example", "450 4.2.1 busy");
    world.onprem.answer_rcpt("d@contoso.example", "450 4.2.1 busy");
    world.onprem.answer_rcpt("e@contoso.example", "550 5.1.1 unknown");
    let id = send(&mut world.colleague(), &[GROUP], "first");
    world.until("the first attempt", || {
        let sets = world.json(&["queue", "list"]);
        sets[0]["open"] == 2
    });
    let stopped = world.json(&["stop", "--message", &id, "--reason", "wrong attachment", "--by", "eva"]);
    assert_eq!(counts(&stopped), [1, 2, 0, 2, 1], "{stopped}");
    world.onprem.answer_rcpt("c@contoso.example", "");
    world.onprem.answer_rcpt("d@contoso.example", "");

    world.kill();
    world.start();
    let stops = world.json(&["stop", "list"]);
    assert_eq!(
        (&stops[0]["by"], &stops[0]["reason"]),
        (&"eva".into(), &"wrong attachment".into()),
        "{stops}"
    );
    assert_eq!(
        (&stops[0]["messages"], &stops[0]["recipients"]),
        (&1.into(), &2.into()),
        "{stops}"
    );
    // Not even an operator's retry gets past the stop.
    world.command(&["queue", "retry", "--message", &id, "--yes"]);
    let other = send(&mut world.colleague(), &[GROUP], "second");
    world.until("other mail to flow", || got(&world, "second").len() == 4);
    assert_eq!(got(&world, "first"), ["a@contoso.example", "b@contoso.example"]);
    let waits = world.json(&["queue", "list", "--message", &id]);
    assert_eq!(waits[0]["reason"], "stopped-by-operator", "{waits}");

    let lifted = world.command(&["stop", "lift", stops[0]["id"].as_str().expect("an id")]);
    assert!(lifted.status.success(), "{lifted:?}");
    drained(&world);
    assert_eq!(got(&world, "first").len(), 4, "each of them once");
    let over = world.json(&["stop", "--message", &other]);
    assert_eq!(
        (counts(&over), &over["stop"]),
        ([0, 0, 0, 4, 1], &Value::Null),
        "nothing is left to stop: {over}"
    );
    assert_eq!(world.json(&["stop", "list"]).as_array().map(Vec::len), Some(0));
    assert_eq!(world.json(&["stop", "list", "--all"])[0]["on"], false);
}

#[test]
fn a_copy_in_flight_is_told_apart_and_the_rest_is_dropped() {
    let world = world();
    world.onprem.limit_recipients(2);
    world.onprem.close_door();
    let id = send(&mut world.colleague(), &[GROUP], "flying");
    world.onprem.wait_at_door();
    let said = world.json(&["stop", "--message", &id, "--drop"]);
    assert_eq!(said["done"], false, "{said}");
    assert_eq!(
        world.json(&["stop", "list"]).as_array().map(Vec::len),
        Some(0),
        "a dry run stops nothing"
    );
    let stopped = world.json(&["stop", "--message", &id]);
    let [messages, held, in_flight, delivered, failed] = counts(&stopped);
    assert_eq!(held + in_flight, 5, "{stopped}");
    assert!(
        messages == u64::from(held > 0) && in_flight >= 2 && delivered + failed == 0,
        "{stopped}"
    );
    world.onprem.open_door();
    world.until("what was in flight", || {
        let now = world.json(&["stop", "--message", &id]);
        counts(&now)[2] == 0
    });
    let now = world.json(&["stop", "--message", &id]);
    let has = got(&world, "flying").len() as u64;
    assert_eq!(counts(&now), [u64::from(has < 5), 5 - has, 0, has, 0], "{now}");
    let dropped = world.json(&["stop", "--message", &id, "--drop", "--yes", "--tell"]);
    assert_eq!(counts(&dropped)[1], 5 - has, "{dropped}");
    drained(&world);
    assert_eq!(got(&world, "flying").len() as u64, has, "nobody got it afterwards");
    assert_eq!(
        world.json(&["stop", "list"]).as_array().map(Vec::len),
        Some(0),
        "nothing is left of it"
    );
    if has < 5 {
        let report = world
            .onprem
            .wait_copy("a report", |copy| copy.content.contains("Undeliverable: flying"));
        assert!(
            report.content.contains("An administrator has stopped"),
            "{}",
            report.content
        );
    }
}

#[test]
fn a_group_is_stopped_for_a_while_and_other_recipients_of_its_mail_are_not() {
    let world = world();
    let stopped = world.json(&["stop", "--group", GROUP, "--for", "1h"]);
    assert_eq!(counts(&stopped), [0; 5], "{stopped}");
    let id = send(&mut world.colleague(), &[GROUP, "others@contoso.example"], "both");
    world.until("the other group", || got(&world, "both") == ["lena@contoso.example"]);
    let held = world.json(&["stop", "list"]);
    assert_eq!(
        (&held[0]["messages"], &held[0]["recipients"]),
        (&1.into(), &5.into()),
        "{held}"
    );
    world.until("why it waits in the trace", || {
        let trace = world.json(&["trace", "--message", &id]).to_string();
        trace.contains("stopped-by-operator")
    });
    // Another end for the same stop: it ends by itself, and what it held goes on.
    let shorter = world.json(&["stop", "--group", GROUP, "--for", "1s"]);
    assert_eq!(shorter["stop"], stopped["stop"], "{shorter}");
    drained(&world);
    assert_eq!(got(&world, "both").len(), 6);
    let over = world.json(&["stop", "list", "--all"]);
    assert_eq!(over[0]["ended_by"], "muster", "{over}");
}

#[test]
fn only_the_stopped_group_of_a_message_is_dropped() {
    let world = world();
    world.onprem.answer_rcpt_once("lena@contoso.example", "450 4.2.1 busy");
    world.json(&["stop", "--group", GROUP]);
    send(&mut world.colleague(), &[GROUP, "others@contoso.example"], "half");
    let dropped = world.json(&["stop", "--group", GROUP, "--drop", "--yes"]);
    assert_eq!(counts(&dropped)[..2], [1, 5], "{dropped}");
    drained(&world);
    assert_eq!(got(&world, "half"), ["lena@contoso.example"]);
    assert_eq!(
        world.json(&["stop", "list"]).as_array().map(Vec::len),
        Some(1),
        "the group stays stopped"
    );
    let missing = world.command(&["stop", "--group", "nobody@contoso.example"]);
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");
}
