//! A storm of replies to all on one thread is braked; other mail to the group flows, and counts are exact.

use std::io::{BufRead as _, BufReader};

use serde_json::Value;

use crate::support::{Organisation, World};

const GROUP: &str = "all-staff@contoso.example";
const ROOT: &str = "<a1@contoso.example>";
const MEMBERS: usize = 12;

fn world(group: &str, storm: &str) -> World {
    let mut organisation = Organisation::new();
    let names: Vec<String> = (0..MEMBERS).map(|number| format!("p{number}")).collect();
    for name in &names {
        organisation.on_premises(name);
    }
    organisation.on_premises("eva").on_premises("lena");
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let owned = format!("managed_by = [\"eva@contoso.example\"]\n{group}");
    organisation
        .group("all-staff", &names, &owned)
        .group("team", &names[..3], "");
    let mut world = World::of(&organisation).more(&format!("[storm]\nmembers = 10\nreplies = 3\n{storm}"));
    world.start();
    world
}

/// A message of a conversation: its own id, and the fields that say what it answers.
fn mail(id: &str, subject: &str, answers: &str) -> String {
    format!(
        "From: <lena@contoso.example>\r\nTo: <{GROUP}>\r\nSubject: {subject}\r\nMessage-ID: {id}\r\n{answers}\r\nHello.\r\n"
    )
}

fn reply(number: usize) -> String {
    let answers = format!("References: {ROOT}\r\nIn-Reply-To: {ROOT}\r\n");
    mail(&format!("<r{number}@contoso.example>"), "RE: party", &answers)
}

fn send(world: &World, to: &[&str], content: &str) -> String {
    let replies = world.colleague().send("lena@contoso.example", to, content);
    replies.last().cloned().unwrap_or_default()
}

/// Copies of a message that members have.
fn copies(world: &World, id: &str) -> usize {
    let field = format!("Message-ID: {id}\r\n");
    let copies = world.onprem.copies();
    let of_it = copies.iter().filter(|copy| copy.content.contains(&field));
    of_it.map(|copy| copy.recipients.len()).sum()
}

fn wait_copies(world: &World, id: &str, count: usize) {
    world.until(&format!("{count} copies of {id}"), || copies(world, id) == count);
}

fn watched(world: &World) -> Value {
    let shown = world.json(&["watch", "--group", GROUP]);
    shown["threads"][0].clone()
}

fn letters(world: &World) -> Vec<String> {
    let eva = ["eva@contoso.example".to_owned()];
    let copies = world.onprem.copies().into_iter();
    copies
        .filter(|copy| copy.recipients == eva)
        .map(|copy| copy.content)
        .collect()
}

#[test]
fn further_replies_are_held_and_everything_else_flows() {
    let mut world = world("", "");
    assert!(send(&world, &[GROUP], &mail(ROOT, "party", "")).starts_with("250"));
    for number in 1..=3 {
        assert!(send(&world, &[GROUP], &reply(number)).starts_with("250"));
    }
    wait_copies(&world, "<r3@contoso.example>", MEMBERS);
    let thread = watched(&world);
    assert_eq!(
        (&thread["thread"], &thread["replies"], &thread["held"]),
        (&ROOT.into(), &3.into(), &0.into()),
        "{thread}"
    );
    assert_eq!(
        thread["brake"]["told"],
        serde_json::json!(["eva@contoso.example"]),
        "{thread}"
    );

    // Held: by References, and by In-Reply-To alone, to a reply that was seen; whatever the subject says.
    assert!(send(&world, &[GROUP], &reply(4)).starts_with("250"));
    let deep = mail(
        "<r5@contoso.example>",
        "something else",
        "In-Reply-To: <r2@contoso.example>\r\n",
    );
    assert!(send(&world, &[GROUP], &deep).starts_with("250"));
    // Not held: the same subject on no thread, another thread, another group, the owner's call for an end.
    for (id, to, content) in [
        (
            "<o1@contoso.example>",
            GROUP,
            mail("<o1@contoso.example>", "RE: party", ""),
        ),
        (
            "<o2@contoso.example>",
            GROUP,
            mail(
                "<o2@contoso.example>",
                "RE: lunch",
                "References: <b1@contoso.example>\r\n",
            ),
        ),
        (
            "<o3@contoso.example>",
            "team@contoso.example",
            mail("<o3@contoso.example>", "RE: party", &format!("References: {ROOT}\r\n")),
        ),
    ] {
        assert!(send(&world, &[to], &content).starts_with("250"));
        wait_copies(&world, id, if to == GROUP { MEMBERS } else { 3 });
    }
    let owner = mail("<o4@contoso.example>", "stop it", &format!("References: {ROOT}\r\n"));
    let replies = world.colleague().send("eva@contoso.example", &[GROUP], &owner);
    assert!(replies[1].starts_with("250"), "{replies:?}");
    wait_copies(&world, "<o4@contoso.example>", MEMBERS);
    assert_eq!(
        (
            copies(&world, "<r4@contoso.example>"),
            copies(&world, "<r5@contoso.example>")
        ),
        (0, 0)
    );
    let braked = letters(&world);
    assert_eq!(
        braked.len(),
        1,
        "one letter for the brake, none for a message: {braked:#?}"
    );
    assert!(
        braked[0].contains("3 replies to all came to all-staff@contoso.example"),
        "{}",
        braked[0]
    );

    // A restart forgets counts and keeps the brake.
    world.kill();
    world.start();
    let again = mail(
        "<r6@contoso.example>",
        "RE: party",
        "In-Reply-To: <r3@contoso.example>\r\n",
    );
    assert!(send(&world, &[GROUP], &again).starts_with("250"));
    let thread = watched(&world);
    assert_eq!(
        (&thread["held"], &thread["brake"]["replies"]),
        (&3.into(), &3.into()),
        "{thread}"
    );

    // Released by the existing machinery.
    let holds = world.json(&["moderate", "list", "--group", GROUP]);
    let first = holds[0]["id"].as_str().expect("an id");
    let approved = world.command(&["moderate", "approve", first, "--as", "eva@contoso.example"]);
    assert!(approved.status.success(), "{approved:?}");
    wait_copies(&world, "<r4@contoso.example>", MEMBERS);

    // Lifted: replies flow again.
    let lifted = world.json(&["stop", "--thread", ROOT, "--lift"]);
    assert_eq!(lifted["ended"].as_array().map(Vec::len), Some(1), "{lifted}");
    assert!(send(&world, &[GROUP], &reply(7)).starts_with("250"));
    wait_copies(&world, "<r7@contoso.example>", MEMBERS);
    assert_eq!(letters(&world).len(), 1);
}

#[test]
fn the_thread_is_stopped_and_dropped_with_exact_counts() {
    let world = world("", "");
    for number in 1..=3 {
        assert!(send(&world, &[GROUP], &reply(number)).starts_with("250"));
    }
    wait_copies(&world, "<r3@contoso.example>", MEMBERS);
    for number in 4..=5 {
        assert!(send(&world, &[GROUP], &reply(number)).starts_with("250"));
    }
    let stopped = world.json(&["stop", "--thread", ROOT, "--reason", "enough"]);
    let counts = |value: &Value| {
        [
            "messages",
            "recipients",
            "moderated",
            "in_flight",
            "delivered_messages",
            "delivered",
            "failed",
        ]
        .map(|key| value[key].as_u64().unwrap_or(u64::MAX))
    };
    assert_eq!(counts(&stopped), [2, 24, 2, 0, 3, 36, 0], "{stopped}");
    // By any id of the thread; said before it is done.
    let said = world.json(&["stop", "--thread", "r2@contoso.example", "--drop"]);
    assert_eq!(
        (said["done"].as_bool(), counts(&said)),
        (Some(false), counts(&stopped)),
        "{said}"
    );
    assert_eq!(watched(&world)["held"], 2);
    let done = world.json(&["stop", "--thread", ROOT, "--drop", "--yes"]);
    assert_eq!(
        (done["done"].as_bool(), counts(&done)),
        (Some(true), counts(&stopped)),
        "{done}"
    );
    assert_eq!(world.json(&["moderate", "list"]).as_array().map(Vec::len), Some(0));
    let nobody = world.command(&["stop", "--thread", ROOT, "--drop", "--yes"]);
    assert_eq!(nobody.status.code(), Some(1), "nothing is left to drop: {nobody:?}");
    let told = world
        .onprem
        .copies()
        .iter()
        .any(|copy| copy.recipients == ["lena@contoso.example"]);
    assert!(!told, "senders are told with --tell only");
}

#[test]
fn a_deferring_brake_answers_450_and_a_mixed_message_is_held_at_the_group_only() {
    let world = world("storm_action = \"defer\"\nstorm_replies = 2", "");
    for number in 1..=2 {
        assert!(send(&world, &[GROUP], &reply(number)).starts_with("250"));
    }
    wait_copies(&world, "<r2@contoso.example>", MEMBERS);
    let deferred = send(&world, &[GROUP], &reply(3));
    assert!(deferred.starts_with("450 4.7.28 Too many replies to all"), "{deferred}");
    // The client comes again; it is counted once.
    assert!(send(&world, &[GROUP], &reply(3)).starts_with("450"));
    let mixed = send(
        &world,
        &[GROUP, "lena@contoso.example", "p1@contoso.example"],
        &reply(4),
    );
    assert!(mixed.starts_with("250"), "{mixed}");
    wait_copies(&world, "<r4@contoso.example>", 2);
    let thread = watched(&world);
    assert_eq!(
        (&thread["deferred"], &thread["held"], &thread["replies"]),
        (&1.into(), &1.into(), &4.into()),
        "{thread}"
    );
    // Released: everybody has it once.
    let holds = world.json(&["moderate", "list"]);
    let approved = world.command(&[
        "moderate",
        "approve",
        holds[0]["id"].as_str().expect("an id"),
        "--operator",
    ]);
    assert!(approved.status.success(), "{approved:?}");
    wait_copies(&world, "<r4@contoso.example>", MEMBERS + 1);
    world.until("the refusal in the trace, with its reason", || {
        let events = world.json(&["trace", "--from", "lena@contoso.example"]).to_string();
        events.contains("450") && events.contains("thread-braked")
    });
}

#[test]
fn nobody_confirms_his_way_past_the_brake() {
    let mut organisation = Organisation::new();
    let names: Vec<String> = (0..MEMBERS).map(|number| format!("p{number}")).collect();
    for name in &names {
        organisation.on_premises(name);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    organisation.on_premises("eva").on_premises("lena").group(
        "all-staff",
        &names,
        "managed_by = [\"eva@contoso.example\"]",
    );
    let mut world = World::of(&organisation)
        .policy("large_group = \"confirm\"\nlarge_group_members = 10")
        .more("[storm]\nmembers = 10\nreplies = 2");
    world.start();
    for number in 1..=3 {
        assert!(send(&world, &[GROUP], &reply(number)).starts_with("250"));
    }
    let holds = world.json(&["moderate", "list"]);
    let causes: Vec<Value> = (0..3)
        .map(|index| {
            let id = holds[index]["id"].as_str().expect("an id");
            world.json(&["moderate", "show", id])["cause"].clone()
        })
        .collect();
    assert_eq!(causes, ["confirmation", "confirmation", "storm"], "{holds}");
    let status = world.json(&["status"])["notes"].to_string();
    assert!(status.contains("1 thread is braked"), "{status}");
}

#[test]
fn whoever_follows_sees_each_change() {
    let world = world("", "");
    let settings = world.organisation_path().with_file_name("muster.toml");
    let mut following = std::process::Command::new(env!("CARGO_BIN_EXE_muster"))
        .arg("--config")
        .arg(settings)
        .args(["watch", "--follow"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("muster starts");
    let mut lines = BufReader::new(following.stdout.take().expect("a pipe was asked for")).lines();
    let mut line = || lines.next().expect("it goes on").expect("readable output");
    assert_eq!(line(), "no replies to all are counted now");
    for (number, told) in [(1, "1 reply"), (2, "2 replies"), (3, "3 replies")] {
        assert!(send(&world, &[GROUP], &reply(number)).starts_with("250"));
        let line = line();
        assert!(line.contains(told) && line.contains(ROOT), "{line}");
        assert_eq!(line.contains("brake on"), number == 3, "{line}");
    }
    following.kill().expect("it runs");
    following.wait().expect("it ends");
}

#[test]
fn the_brake_ends_by_itself_and_a_group_may_have_none() {
    let world = world("storm_brake = \"1s\"\nstorm_window = \"1s\"", "");
    for number in 1..=3 {
        assert!(send(&world, &[GROUP], &reply(number)).starts_with("250"));
    }
    wait_copies(&world, "<r3@contoso.example>", MEMBERS);
    world.until("the end of the brake", || {
        world.json(&["watch"])["threads"].as_array().is_some_and(Vec::is_empty)
    });
    assert!(send(&world, &[GROUP], &reply(9)).starts_with("250"));
    wait_copies(&world, "<r9@contoso.example>", MEMBERS);
    drop(world);
    let world = self::world("storm_action = \"off\"", "");
    for number in 1..=5 {
        assert!(send(&world, &[GROUP], &reply(number)).starts_with("250"));
        wait_copies(&world, &format!("<r{number}@contoso.example>"), MEMBERS);
    }
}
