//! Reject beats accept, through a nested group.

use crate::support::{Organisation, World, message};

#[test]
fn reject_beats_accept_through_a_nested_group() {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("jonas")
        .on_premises("mia")
        .group("interns", &["jonas"], "")
        .group("staff", &["lena", "interns"], "")
        .group("blocked", &["interns"], "")
        .group(
            "news",
            &["mia"],
            "accept_messages_only_from_senders_or_members = [\"staff@contoso.example\"]\n\
             reject_messages_from_senders_or_members = [\"blocked@contoso.example\"]",
        );
    let world = World::start_with(&organisation);
    let mut client = world.colleague();

    let replies = client.send(
        "lena@contoso.example",
        &["news@contoso.example"],
        &message("lena@contoso.example", "news", "a"),
    );
    assert!(
        replies[1].starts_with("250 "),
        "accepted as a member of staff: {replies:?}"
    );
    let replies = client.send("jonas@contoso.example", &["news@contoso.example"], "");
    assert!(
        replies[0].starts_with("550 5.7.124 "),
        "rejected as an intern although staff is accepted: {replies:?}"
    );
    let replies = client.send("mia@contoso.example", &["news@contoso.example"], "");
    assert!(
        replies[0].starts_with("550 5.7.124 "),
        "a member of the group is not in its accept list: {replies:?}"
    );
}
