//! A nested group's own rule stops one branch, and the sender is told.

use crate::support::{Organisation, World, message};

#[test]
fn a_nested_groups_own_rule_stops_one_branch_and_the_sender_is_told() {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("jonas")
        .on_premises("mia")
        .group(
            "board",
            &["jonas"],
            "accept_messages_only_from_senders_or_members = [\"mia@contoso.example\"]",
        )
        .group("all", &["lena", "board"], "");
    let world = World::start_with(&organisation);

    let mail = message("lena@contoso.example", "all@contoso.example", "branch");
    let replies = world
        .colleague()
        .send("lena@contoso.example", &["all@contoso.example"], &mail);
    assert!(replies[1].starts_with("250 "), "{replies:?}");

    world
        .onprem
        .wait_copy("the copy for lena", |copy| copy.reverse_path == "lena@contoso.example");
    let report = world
        .onprem
        .wait_copy("the report", |copy| copy.reverse_path.is_empty());
    assert_eq!(report.recipients, ["lena@contoso.example"]);
    assert!(report.content.contains("5.7.124"), "{}", report.content);
    assert!(report.content.contains("board@contoso.example"), "{}", report.content);
    assert!(!world.onprem.recipients().contains(&"jonas@contoso.example".to_owned()));
}
