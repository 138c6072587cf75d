//! An alert with `Auto-Submitted: auto-generated` reaches the group; an out-of-office reply and a bounce do not.

use crate::support::{Organisation, World, message};

#[test]
fn an_alert_reaches_the_group_and_an_out_of_office_reply_does_not() {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("jonas")
        .group("ops", &["lena"], "");
    let world = World::start_with(&organisation);
    let mut client = world.stranger();
    let alert = format!(
        "Auto-Submitted: auto-generated\r\n{}",
        message("alert@outside.example", "ops", "alert")
    );
    let away = format!(
        "Auto-Submitted: auto-replied (vacation)\r\n{}",
        message("x@outside.example", "ops", "away")
    );
    let last = message("x@outside.example", "jonas", "last");
    for (from, to, mail) in [
        ("x@outside.example", "ops@contoso.example", &away),
        ("", "ops@contoso.example", &message("", "ops", "bounce")),
        ("alert@outside.example", "ops@contoso.example", &alert),
        ("", "jonas@contoso.example", &last),
    ] {
        let replies = client.send(from, &[to], mail);
        assert!(replies.iter().all(|reply| reply.starts_with("250 ")), "{replies:?}");
    }
    world.onprem.wait_recipients(2);
    world.until("an empty queue", || {
        world.json(&["queue", "list"]).as_array().is_some_and(Vec::is_empty)
    });
    let subjects: Vec<bool> = world
        .onprem
        .copies()
        .iter()
        .map(|copy| copy.content.contains("Subject: alert"))
        .collect();
    assert_eq!(
        subjects.len(),
        2,
        "the alert to the group, the bounce to the single person"
    );
    assert_eq!(subjects.iter().filter(|alert| **alert).count(), 1);
    world.until("the drop to be tracked", || {
        world
            .json(&["trace", "--to", "ops@contoso.example"])
            .to_string()
            .contains("report-to-group")
    });
}
