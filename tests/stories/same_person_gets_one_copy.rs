//! The same person reached through three groups and an alias gets one copy.

use crate::support::{Organisation, World, message};

#[test]
fn the_same_person_through_three_groups_and_an_alias_gets_one_copy() {
    let mut organisation = Organisation::new();
    organisation
        .recipient(
            "lena",
            "UserMailbox",
            "email_addresses = [\"smtp:l.vogt@contoso.example\"]",
        )
        .contact("lena-as-contact", "LENA@contoso.example")
        .group("a", &["lena"], "")
        .group("b", &["a", "lena"], "")
        .group("c", &["lena-as-contact", "l.vogt"], "");
    let world = World::start_with(&organisation);
    let to = [
        "c@contoso.example",
        "b@contoso.example",
        "l.vogt@contoso.example",
        "a@contoso.example",
    ];
    let replies = world
        .stranger()
        .send("x@outside.example", &to, &message("x@outside.example", "a", "once"));
    assert!(replies.iter().all(|reply| reply.starts_with("250 ")), "{replies:?}");
    world.onprem.wait_recipients(1);
    world.until("an empty queue", || {
        world.json(&["queue", "list"]).as_array().is_some_and(Vec::is_empty)
    });
    let mut all = world.onprem.recipients();
    all.extend(world.internet.recipients());
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].eq_ignore_ascii_case("lena@contoso.example"), "{all:?}");
}
