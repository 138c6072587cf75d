//! `group preview` says whom a rule would reach, in any language; `--save` makes it the rule.

use crate::support::{Organisation, World, message};

#[test]
fn a_rule_is_seen_before_it_is_saved() {
    let mut organisation = Organisation::new();
    for (name, office) in [("lena", "Berlin"), ("jonas", "Berlin Mitte"), ("bonn", "Bonn")] {
        organisation.recipient(name, "UserMailbox", &format!("office = \"{office}\""));
    }
    organisation.dynamic("berlin", "Office -eq 'Berlin'", "");
    let mut world = World::start_with(&organisation);
    let group = "berlin@contoso.example";
    for filter in [
        "Office -like 'Berlin*'",
        "(physicalDeliveryOfficeName=Berlin*)",
        "user.physicalDeliveryOfficeName -startsWith \"Berlin\"",
    ] {
        let preview = world.json(&["group", "preview", group, "--filter", filter]);
        assert_eq!(
            (
                &preview["count"],
                &preview["before"],
                &preview["joins"],
                &preview["leaves"]
            ),
            (&2.into(), &1.into(), &1.into(), &0.into()),
            "{filter}: {preview}"
        );
        assert_eq!(
            preview["joining"],
            serde_json::json!(["jonas@contoso.example"]),
            "{preview}"
        );
    }
    let wrong = world.command(&["group", "preview", "--filter", "Office -eq Berlin"]);
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert_eq!(wrong.status.code(), Some(2), "{said}");
    assert!(said.contains("line 1, column 12") && said.contains("^^^^^^"), "{said}");
    assert_eq!(
        world.json(&["group", "members", group])["members"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );

    let save = [
        "group",
        "preview",
        group,
        "--filter",
        "Office -like 'Berlin*'",
        "--save",
        "--reason",
        "new codes",
    ];
    let saved = world.command(&save);
    assert_eq!(saved.status.code(), Some(0), "{saved:?}");
    let shown = world.json(&["group", "show", group]);
    assert_eq!(shown["filter"], "Office -like 'Berlin*'", "{shown}");
    // It outlives a restart and the next load of the source.
    world.stop();
    world.start();
    let mail = message("x@outside.example", "berlin", "both");
    world.stranger().send("x@outside.example", &[group], &mail);
    world.onprem.wait_recipients(2);
    assert_eq!(
        world.onprem.recipients(),
        ["jonas@contoso.example", "lena@contoso.example"]
    );
    let history = world.json(&["group", "history", group]).to_string();
    assert!(history.contains("new codes"), "{history}");
}
