//! Report settings of a group rule the return path of its copies (exchange-semantics.md §3.7).

use crate::support::{Organisation, World, message};

#[test]
fn report_settings_rule_the_return_path() {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("owner")
        .group("to-sender", &["lena"], "")
        .group(
            "to-owner",
            &["lena"],
            "report_to_originator_enabled = false\nreport_to_manager_enabled = true\nmanaged_by = [\"owner@contoso.example\"]",
        )
        .group("to-nobody", &["lena"], "report_to_originator_enabled = false");
    let world = World::start_with(&organisation);
    for (group, reverse_path, parameter) in [
        ("to-sender", "x@outside.example", ""),
        ("to-owner", "owner@contoso.example", "NOTIFY=FAILURE"),
        ("to-nobody", "", "NOTIFY=NEVER"),
    ] {
        let mail = message("x@outside.example", group, group);
        let to = format!("{group}@contoso.example");
        let replies = world.stranger().send("x@outside.example", &[&to], &mail);
        assert!(replies[1].starts_with("250 "), "{replies:?}");
        let copy = world
            .onprem
            .wait_copy(group, |copy| copy.content.contains(&format!("Subject: {group}")));
        assert_eq!(copy.reverse_path, reverse_path, "{group}");
        assert!(copy.recipient_parameters[0].contains(parameter), "{group}: {copy:?}");
    }
}
