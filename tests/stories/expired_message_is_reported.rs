//! What cannot be delivered in time is given up with a report to the sender, and never to `<>`.

use crate::support::{Hop, Organisation, World, message};

#[test]
fn an_expired_message_is_reported_to_the_sender() {
    let mut organisation = Organisation::new();
    organisation.cloud("lena").on_premises("hr");
    let mut world = World::of(&organisation)
        .hop("cloud", Hop::closed_address())
        .queue("expiry = \"2s\"");
    world.start();
    let mut client = world.colleague();
    client.send("", &["lena@contoso.example"], &message("", "lena", "null"));
    client.send(
        "hr@contoso.example",
        &["lena@contoso.example"],
        &message("hr@contoso.example", "lena", "late"),
    );
    let report = world
        .onprem
        .wait_copy("the report", |copy| copy.reverse_path.is_empty());
    assert_eq!(report.recipients, ["hr@contoso.example"]);
    for text in ["Action: failed", "Status: 5.4.7", "lena@contoso"] {
        assert!(report.content.contains(text), "{text} in\n{}", report.content);
    }
    world.until("an empty queue", || {
        world.json(&["queue", "list"]).as_array().is_some_and(Vec::is_empty)
    });
    assert_eq!(
        world.onprem.copies().len(),
        1,
        "one report, and none to the null reverse-path"
    );
}
