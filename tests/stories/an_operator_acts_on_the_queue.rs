//! An operator holds, releases, sends elsewhere and gives up what waits, recipient by recipient, and leaves a next hop
//! alone; each bulk order says first what it would do, and restarts change nothing.

use crate::support::{Hop, Organisation, World, message};

const LENA: &str = "lena@contoso.mail.onmicrosoft.example";
const JONAS: &str = "jonas@contoso.mail.onmicrosoft.example";

fn world() -> World {
    let mut organisation = Organisation::new();
    organisation
        .cloud("lena")
        .cloud("jonas")
        .on_premises("mia")
        .group("all", &["lena", "jonas", "mia"], "");
    World::of(&organisation)
}

fn send(world: &World, to: &str, subject: &str) {
    let mail = message("x@outside.example", to, subject);
    let replies = world.stranger().send("x@outside.example", &[to], &mail);
    assert!(
        replies.last().is_some_and(|reply| reply.starts_with("250")),
        "{replies:?}"
    );
}

/// Runs a command; its exit code and text.
fn asked(world: &World, arguments: &[&str]) -> (Option<i32>, String) {
    let mut all = vec!["queue"];
    all.extend(arguments);
    let output = world.command(&all);
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

#[test]
fn an_operator_acts_on_the_queue() {
    let address = Hop::closed_address();
    let mut world = world().hop("cloud", address);
    world.start();
    send(&world, "all@contoso.example", "first");
    world.onprem.wait_recipients(1);
    world.until("both wait", || world.json(&["queue", "list"])[0]["open"] == 2);

    // First it is said, then it is done, to one of the two.
    let (code, text) = asked(&world, &["hold", "--rcpt", LENA]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("would hold 1 recipient of 1 message") && text.contains("--yes"),
        "{text}"
    );
    let (_, text) = asked(&world, &["release", "--yes"]);
    assert!(text.contains("nobody in the queue matches"), "{text}");
    let held = world.json(&[
        "queue",
        "hold",
        "--group",
        "all@contoso.example",
        "--rcpt",
        LENA,
        "--yes",
    ]);
    assert_eq!(
        (&held["done"], &held["recipients"]),
        (&true.into(), &1.into()),
        "{held}"
    );

    // It is held over a restart, while the other goes.
    world.kill();
    let cloud = Hop::start_at(address);
    world.start();
    world.until("the other goes", || {
        asked(&world, &["retry", "--yes"]);
        cloud.recipients() == [JONAS]
    });
    let shown = world.json(&["queue", "list", "--rcpt", LENA]);
    assert_eq!(shown[0]["reason"], "stopped-by-operator", "{shown}");
    let (code, text) = asked(&world, &["release", "--from", "x@outside.example", "--yes"]);
    assert_eq!(
        (code, text.as_str()),
        (Some(0), "released: 1 recipient of 1 message in 1 delivery set\n")
    );
    cloud.wait_recipients(2);
    assert_eq!(cloud.recipients(), [JONAS, LENA]);
    let (code, text) = asked(
        &world,
        &["hold", "--message", "00000000-0000-7000-8000-000000000000", "--yes"],
    );
    assert_eq!(code, Some(1), "{text}");
    let (code, text) = asked(&world, &["hold", "--yes"]);
    assert_eq!(code, Some(2), "{text}");
}

#[test]
fn a_suspended_next_hop_is_left_alone_and_its_mail_goes_elsewhere_or_back() {
    let mut world = world();
    world.start();
    let (code, text) = asked(&world, &["suspend", "cloud", "--reason", "migration"]);
    assert!(code == Some(0) && text.contains("cloud is suspended"), "{text}");
    let (code, _) = asked(&world, &["suspend", "claud"]);
    assert_eq!(code, Some(2));
    send(&world, "all@contoso.example", "elsewhere");
    world.onprem.wait_recipients(1);
    world.kill();
    world.start();
    assert_eq!(world.json(&["queue", "summary"])[0]["suspended"], true);
    send(&world, "lena@contoso.example", "back");
    world.until("three wait", || {
        world.json(&["queue", "list"]).as_array().map(Vec::len) == Some(2)
    });

    // One goes elsewhere and stays there, also over a restart.
    world.internet.answer_rcpt_once(JONAS, "450 4.2.1 later");
    let (code, text) = asked(&world, &["reroute", "--rcpt", JONAS, "--to", "internet", "--yes"]);
    assert_eq!(
        (code, text.as_str()),
        (
            Some(0),
            "sent to internet: 1 recipient of 1 message in 1 delivery set\n"
        )
    );
    world
        .internet
        .wait_copy("the rerouted copy", |copy| copy.recipients == [JONAS]);

    // One is given up, and its sender hears of it; the other gets through once the hop goes on.
    let messages = world.json(&["queue", "list", "--rcpt", LENA]);
    let back = messages
        .as_array()
        .expect("a list")
        .iter()
        .max_by_key(|item| item["queued_at"].to_string());
    let set = back.expect("one of two")["set"].as_str().expect("a set").to_owned();
    let (code, text) = asked(&world, &["bounce", &set]);
    assert!(code == Some(0) && text.starts_with("would give up"), "{text}");
    let (code, text) = asked(&world, &["bounce", &set, "--yes"]);
    assert_eq!(code, Some(0), "{text}");
    let report = world
        .internet
        .wait_copy("the report", |copy| copy.recipients == ["x@outside.example"]);
    assert!(
        report.content.contains("multipart/report") && report.reverse_path.is_empty(),
        "{report:?}"
    );
    assert!(world.cloud.copies().is_empty(), "left alone");
    let (code, text) = asked(&world, &["resume", "cloud"]);
    assert!(code == Some(0) && text.starts_with("cloud goes on"), "{text}");
    assert_eq!(world.cloud.wait_recipients(1)[0].recipients, [LENA]);
    let (code, _) = asked(&world, &["resume", "cloud"]);
    assert_eq!(code, Some(1), "it was not suspended");
}
