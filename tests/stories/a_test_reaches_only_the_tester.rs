//! `send --dry-run` says of a whole message what delivery would do; `send --only me` sends it to the tester alone.

use crate::support::{Organisation, World, message};

const FROM: &str = "lena@contoso.example";
const GROUP: &str = "all@contoso.example";

fn world() -> World {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("jonas")
        .on_premises("eva")
        .cloud("mia")
        .group("all", &["lena", "jonas", "mia"], "bcc_blocked = true")
        .group(
            "announce",
            &["jonas"],
            "moderation_enabled = true\nmoderated_by = [\"eva@contoso.example\"]",
        );
    World::start_with(&organisation)
}

#[test]
fn a_dry_run_judges_the_message_itself_and_queues_nothing() {
    let world = world();
    let file = world.organisation_path().with_file_name("mail.eml");
    let path = file.to_str().expect("a path");
    let dry = |content: &str, more: &[&str]| {
        std::fs::write(&file, content).expect("a file");
        let mut arguments = vec!["send", "--dry-run", "--from", FROM, "--to", GROUP];
        arguments.extend(more);
        world.json(&arguments)
    };
    let named = message(FROM, GROUP, "hello");
    let said = dry(&named, &[path]);
    let inside = &said["explained"]["verdicts"][1];
    assert_eq!(
        (&inside["kind"], &inside["recipients"]),
        (&"accepted".into(), &3.into()),
        "{said}"
    );
    assert_eq!(said["message"], serde_json::Value::Null);
    // What only the message says: it is in Bcc, it loops, it is a report.
    for (content, verdict) in [
        (
            named.replace(&format!("To: <{GROUP}>"), "To: <x@outside.example>"),
            "refused",
        ),
        (
            format!("{}{named}", "Received: from a by b; x\r\n".repeat(200)),
            "refused",
        ),
        (format!("Auto-Submitted: auto-replied\r\n{named}"), "report-to-group"),
    ] {
        let said = dry(&content, &[path]);
        let inside = said["explained"]["verdicts"][1].to_string();
        assert!(inside.contains(verdict), "{verdict}: {said}");
        // Delivery says the same.
        let replies = world.colleague().send(FROM, &[GROUP], &content);
        assert_eq!(
            replies[1].starts_with("550") || replies[1].starts_with("554"),
            verdict == "refused",
            "{replies:?}"
        );
    }
    assert_eq!(
        dry(&named, &["--size", "500M"])["explained"]["verdicts"][1]["kind"],
        "refused"
    );
    assert_eq!(world.json(&["queue", "list"]).as_array().map(Vec::len), Some(0));
    assert_eq!(
        (world.onprem.copies().len(), world.cloud.copies().len()),
        (0, 0),
        "nobody got anything"
    );
}

#[test]
fn a_test_is_marked_and_goes_to_the_tester_only() {
    let world = world();
    let file = world.organisation_path().with_file_name("mail.eml");
    let path = file.to_str().expect("a path");
    std::fs::write(&file, message(FROM, GROUP, "Bonus").replace("\r\n", "\n")).expect("a file");
    let sent = world.json(&["send", "--only", "me", "--from", FROM, "--to", GROUP, path]);
    let id = sent["message"].as_str().unwrap_or_else(|| panic!("{sent}")).to_owned();
    let copy = world
        .onprem
        .wait_copy("the test", |copy| copy.content.contains("X-Muster-Test"));
    assert_eq!(
        (copy.recipients, copy.reverse_path.as_str()),
        (vec![FROM.to_owned()], FROM)
    );
    assert!(
        copy.content.contains("\r\nSubject: [TEST, sent to you only] Bonus\r\n"),
        "{}",
        copy.content
    );
    assert!(
        copy.content
            .contains("to all@contoso.example it would reach 3 recipients"),
        "{}",
        copy.content
    );
    world.until("the test in the trace", || {
        let trace = world.json(&["trace", "--message", &id]).to_string();
        trace.contains("\"listener\":\"test\"") && trace.contains("DONE") && trace.contains("EXPAND")
    });
    // To a moderated group: nobody is asked, the tester sees it all the same.
    let arguments = [
        "send",
        "--only",
        "jonas@contoso.example",
        "--from",
        "mia@contoso.example",
        "--to",
        "announce@contoso.example",
        path,
    ];
    let held = world.json(&arguments);
    assert_eq!(held["explained"]["verdicts"][1]["kind"], "held", "{held}");
    world
        .onprem
        .wait_copy("the second test", |copy| copy.recipients == ["jonas@contoso.example"]);
    assert_eq!(world.json(&["moderate", "list"]).as_array().map(Vec::len), Some(0));
    // A tester is one person.
    let group = world.command(&[
        "send",
        "--only",
        "all@contoso.example",
        "--from",
        FROM,
        "--to",
        GROUP,
        path,
    ]);
    assert_eq!(group.status.code(), Some(4), "{group:?}");
    world.until("an empty queue", || {
        world.json(&["queue", "list"]).as_array().is_some_and(Vec::is_empty)
    });
    assert_eq!(
        (world.onprem.copies().len(), world.cloud.copies().len()),
        (2, 0),
        "nobody else got anything"
    );
}
