//! A pinned colleague is in the list until his time is over; who is kept out does not see it.

use crate::support::{Organisation, World, message};

const GROUP: &str = "projectx@contoso.example";

fn members(world: &World) -> Vec<String> {
    let answer = world.json(&["group", "members", GROUP]);
    let members = answer["members"].as_array().cloned().unwrap_or_default();
    members
        .iter()
        .filter_map(|member| member["address"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn a_pin_ends_by_itself() {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("paul")
        .on_premises("kb")
        .on_premises("eva")
        .group("projectx", &["lena", "paul"], "managed_by = [\"eva@contoso.example\"]");
    let mut world = World::start_with(&organisation);

    // Nobody but an owner may pin in his own name.
    let pin = [
        "group",
        "pin",
        GROUP,
        "--include",
        "kb@contoso.example",
        "--reason",
        "holiday cover",
    ];
    let refused = world.command(&[&pin[..], &["--as", "lena@contoso.example"]].concat());
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    let pinned = world.command(&[&pin[..], &["--as", "eva@contoso.example", "--until", "5s"]].concat());
    assert_eq!(pinned.status.code(), Some(0), "{pinned:?}");
    let kept_out = world.command(&[
        "group",
        "pin",
        GROUP,
        "--exclude",
        "paul@contoso.example",
        "--reason",
        "gift",
    ]);
    assert_eq!(kept_out.status.code(), Some(0), "{kept_out:?}");
    assert_eq!(members(&world), ["kb@contoso.example", "lena@contoso.example"]);

    let why = ["group", "why", GROUP, "paul@contoso.example"];
    let seen = String::from_utf8_lossy(&world.command(&why).stdout).into_owned();
    assert!(seen.contains("kept out by a pin"), "{seen}");
    let as_himself = [&why[..], &["--as", "paul@contoso.example"]].concat();
    let seen = String::from_utf8_lossy(&world.command(&as_himself).stdout).into_owned();
    assert!(!seen.contains("pin") && !seen.contains("gift"), "{seen}");

    // Pins outlive a restart, and the one with a time ends by itself.
    world.stop();
    world.start();
    world.until("the pin to end", || members(&world) == ["lena@contoso.example"]);
    let history = world.command(&["group", "history", GROUP]);
    let text = String::from_utf8_lossy(&history.stdout).into_owned();
    assert!(text.contains("pin ended") && text.contains("holiday cover"), "{text}");
    let mail = message("x@outside.example", "projectx", "after");
    world.stranger().send("x@outside.example", &[GROUP], &mail);
    world.onprem.wait_recipients(1);
    assert_eq!(world.onprem.recipients(), ["lena@contoso.example"]);

    let unpinned = world.command(&["group", "unpin", GROUP, "paul@contoso.example"]);
    assert_eq!(unpinned.status.code(), Some(0), "{unpinned:?}");
    assert_eq!(members(&world), ["lena@contoso.example", "paul@contoso.example"]);
}
