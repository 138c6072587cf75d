//! `group diff` and `group members --at`: who was in the list then, who came and went since, and why.

use crate::support::{Organisation, World};

const GROUP: &str = "directors@contoso.example";

fn organisation(vogt: &str, lenz: &str) -> Organisation {
    let mut organisation = Organisation::new();
    for (name, title) in [("vogt", vogt), ("lenz", lenz), ("always", "Director")] {
        organisation.recipient(name, "UserMailbox", &format!("title = \"{title}\""));
    }
    organisation.dynamic("directors", "Title -eq 'Director'", "");
    organisation
}

fn addresses(answer: &serde_json::Value) -> Vec<&str> {
    let members = answer["members"].as_array().map_or(&[][..], Vec::as_slice);
    members.iter().filter_map(|member| member["address"].as_str()).collect()
}

#[test]
fn a_difference_between_two_times_has_its_causes() {
    let world = World::start_with(&organisation("Clerk", "Director"));
    let first = world.json(&["group", "history", GROUP])["versions"][0]["at"]
        .as_str()
        .expect("a first version")
        .to_owned();
    organisation("Director", "Clerk").write(&world.organisation_path());
    world.until("the list to follow", || {
        addresses(&world.json(&["group", "members", GROUP])) == ["always@contoso.example", "vogt@contoso.example"]
    });
    let then = world.json(&["group", "members", GROUP, "--at", &first]);
    assert_eq!(
        addresses(&then),
        ["always@contoso.example", "lenz@contoso.example"],
        "{then}"
    );

    let diff = world.json(&["group", "diff", GROUP, "--from", &first]);
    let changes = diff["changes"].as_array().expect("changes").clone();
    let told: Vec<(&str, &str, &str, &str)> = changes
        .iter()
        .map(|change| {
            let text = |key: &str| change[key].as_str().unwrap_or_default();
            (text("change"), text("address"), text("cause"), text("source"))
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "left",
                "lenz@contoso.example",
                "Title changed from \"Director\" to \"Clerk\"",
                "files"
            ),
            (
                "joined",
                "vogt@contoso.example",
                "Title changed from \"Clerk\" to \"Director\"",
                "files"
            ),
        ]
    );
    let text = world.command(&["group", "diff", GROUP, "--from", &first]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(
        text.contains("+ vogt@contoso.example") && text.contains("- lenz@contoso.example"),
        "{text}"
    );
    let early = world.command(&["group", "members", GROUP, "--at", "2020-01-01"]);
    assert_eq!(early.status.code(), Some(1), "{early:?}");
}
