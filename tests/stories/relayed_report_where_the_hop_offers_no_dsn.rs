//! NOTIFY=SUCCESS and a next hop without DSN: the sender is told that the message was relayed (RFC 3461 §5.2.2).

use crate::support::{Organisation, World, message};

#[test]
fn a_relayed_report_is_given_where_the_hop_offers_no_dsn() {
    let mut organisation = Organisation::new();
    organisation.cloud("lena").on_premises("hr");
    let world = World::start_with(&organisation);
    world.cloud.without_dsn();
    let mut client = world.colleague();
    assert!(client.command("MAIL FROM:<hr@contoso.example>").starts_with("250 "));
    assert!(
        client
            .command("RCPT TO:<lena@contoso.example> NOTIFY=SUCCESS")
            .starts_with("250 ")
    );
    assert!(
        client
            .content(&message("hr@contoso.example", "lena", "relayed"))
            .starts_with("250 ")
    );
    let copy = world.cloud.wait_recipients(1).remove(0);
    assert!(!copy.recipient_parameters[0].contains("NOTIFY"), "{copy:?}");
    let report = world
        .onprem
        .wait_copy("the report", |copy| copy.reverse_path.is_empty());
    assert!(report.content.contains("Action: relayed"), "{}", report.content);
}
