//! `group convert` refuses a rule that yields other people, and takes it with the difference accepted.

use crate::support::{Organisation, World};

const GROUP: &str = "hr@contoso.example";

fn members(world: &World) -> Vec<String> {
    let answer = world.json(&["group", "members", GROUP]);
    let members = answer["members"].as_array().cloned().unwrap_or_default();
    members
        .iter()
        .filter_map(|member| member["address"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn a_conversion_changes_nobody_unless_accepted() {
    let mut organisation = Organisation::new();
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        organisation.recipient(name, "UserMailbox", "department = \"Human Resources\"");
    }
    organisation
        .recipient("roth", "UserMailbox", "department = \"Human Resources\"")
        .recipient("consultant", "UserMailbox", "department = \"Consulting\"")
        .recipient("other", "UserMailbox", "department = \"Sales\"")
        .group("hr", &["a", "b", "c", "d", "e", "f", "g", "consultant"], "");
    let mut world = World::start_with(&organisation);
    let before = members(&world);

    // The plain rule loses the consultant and brings m.roth.
    let filter = "Department -eq 'Human Resources'";
    let convert = ["group", "convert", GROUP, "--to", "dynamic", "--filter", filter];
    let refused = world.command(&convert);
    let text = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    assert!(
        text.contains("+ roth@contoso.example") && text.contains("- consultant@contoso.example"),
        "{text}"
    );
    assert_eq!(members(&world), before);

    // The proposal with the exception kept out is the same list.
    let accepted = world.command(&[
        "group",
        "convert",
        GROUP,
        "--to",
        "dynamic",
        "--accept-proposal",
        "--exclude",
        "roth@contoso.example",
    ]);
    let text = String::from_utf8_lossy(&accepted.stdout).into_owned();
    assert_eq!(accepted.status.code(), Some(0), "{accepted:?}");
    assert!(text.contains("membership before and after: identical (8)"), "{text}");
    assert_eq!(members(&world), before);
    world.stop();
    world.start();
    assert_eq!(members(&world), before);
    assert_eq!(world.json(&["group", "show", GROUP])["filter"], filter);

    let undone = world.command(&["group", "convert", GROUP, "--undo"]);
    assert_eq!(undone.status.code(), Some(0), "{undone:?}");
    let taken = world.command(&[&convert[..], &["--accept-difference", "--reason", "as it should be"]].concat());
    assert_eq!(taken.status.code(), Some(0), "{taken:?}");
    assert!(members(&world).contains(&"roth@contoso.example".to_owned()));

    let frozen = world.command(&["group", "freeze", GROUP]);
    assert_eq!(frozen.status.code(), Some(0), "{frozen:?}");
    assert!(world.json(&["group", "show", GROUP])["filter"].is_null());
}
