//! A group that comes back to us is a loop, refused at the end of data; so is a message with too many hops.

use crate::support::{Organisation, World, message};

#[test]
fn a_group_that_comes_back_is_refused() {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .contact("outside-copy", "all@partner.example")
        .group("all", &["lena", "outside-copy"], "");
    let world = World::start_with(&organisation);
    world.stranger().send(
        "x@outside.example",
        &["all@contoso.example"],
        &message("x@outside.example", "all", "round"),
    );
    let copy = world.internet.wait_recipients(1).remove(0);
    assert_eq!(copy.recipients, ["all@partner.example"]);

    // The partner's own list sends it back to our group.
    let replies = world
        .stranger()
        .send("x@outside.example", &["all@contoso.example"], &copy.content);
    assert!(
        replies[1].starts_with("554 5.4.6 ") || replies[1].starts_with("550 5.4.6 "),
        "{replies:?}"
    );
    let replies = world
        .stranger()
        .send("x@outside.example", &["lena@contoso.example"], &copy.content);
    assert!(
        replies[1].starts_with("250 "),
        "to a single person it is no loop: {replies:?}"
    );
}

#[test]
fn a_message_with_too_many_hops_is_refused() {
    let mut organisation = Organisation::new();
    organisation.on_premises("lena");
    let world = World::start_with(&organisation);
    let hop = "Received: from a.example by b.example; Fri, 20 Nov 2026 10:00:00 +0100\r\n";
    let mail = format!("{}{}", hop.repeat(101), message("x@outside.example", "lena", "hops"));
    let replies = world
        .stranger()
        .send("x@outside.example", &["lena@contoso.example"], &mail);
    assert!(replies[1].contains(" 5.4.6 "), "{replies:?}");
}
