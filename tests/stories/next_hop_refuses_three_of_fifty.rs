//! The next hop refuses 3 of 50 recipients: the sender gets one report that names exactly those.

use crate::support::{Organisation, World, message};

#[test]
fn the_next_hop_refuses_three_of_fifty_and_the_sender_gets_one_report_naming_exactly_those() {
    let mut organisation = Organisation::new();
    let names: Vec<String> = (0..50).map(|number| format!("p{number:02}")).collect();
    for name in &names {
        organisation.cloud(name);
    }
    organisation.on_premises("hr");
    let members: Vec<&str> = names.iter().map(String::as_str).collect();
    organisation.group("all", &members, "");
    let world = World::start_with(&organisation);
    let refused = ["p07", "p23", "p41"];
    for name in refused {
        world.cloud.answer_rcpt(
            &format!("{name}@contoso.mail.onmicrosoft.example"),
            "550 5.1.10 nobody here",
        );
    }
    let mail = message("hr@contoso.example", "all@contoso.example", "bonus");
    world
        .colleague()
        .send("hr@contoso.example", &["all@contoso.example"], &mail);
    world.cloud.wait_recipients(47);
    let report = world
        .onprem
        .wait_copy("the report", |copy| copy.reverse_path.is_empty());
    assert_eq!(report.recipients, ["hr@contoso.example"]);
    for name in &names {
        assert_eq!(
            report.content.contains(&format!("{name}@contoso")),
            refused.contains(&name.as_str()),
            "{name} in\n{}",
            report.content
        );
    }
    assert!(report.content.contains("multipart/report"), "{}", report.content);
    world.until("an empty queue", || {
        world.json(&["queue", "list"]).as_array().is_some_and(Vec::is_empty)
    });
    assert_eq!(world.onprem.copies().len(), 1, "one report");
}
