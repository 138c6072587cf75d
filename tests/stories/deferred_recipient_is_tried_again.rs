//! A recipient or message refused for now is kept and tried again; the others have theirs already, nobody twice.

use crate::support::{Organisation, World, message};

#[test]
fn a_deferred_recipient_is_tried_again_alone() {
    let mut organisation = Organisation::new();
    let names = ["a", "b", "c", "d", "e"];
    for name in names {
        organisation.on_premises(name);
    }
    organisation.group("team", &names, "");
    let world = World::start_with(&organisation);
    world.onprem.answer_rcpt_once("c@contoso.example", "450 4.2.1 busy");
    world.stranger().send(
        "x@outside.example",
        &["team@contoso.example"],
        &message("x@outside.example", "team", "one"),
    );
    let copies = world.onprem.wait_recipients(5);
    assert_eq!(
        (copies[0].recipients.len(), copies[1].recipients.len()),
        (4, 1),
        "{copies:#?}"
    );
    assert_eq!(copies[1].recipients, ["c@contoso.example"]);
}

#[test]
fn a_message_deferred_at_the_dot_is_tried_again() {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("jonas")
        .group("team", &["lena", "jonas"], "");
    let world = World::start_with(&organisation);
    world.onprem.answer_dot_once("451 4.3.0 later");
    world.stranger().send(
        "x@outside.example",
        &["team@contoso.example"],
        &message("x@outside.example", "team", "dot"),
    );
    world.onprem.wait_recipients(2);
    world.until("an empty queue", || {
        world.json(&["queue", "list"]).as_array().is_some_and(Vec::is_empty)
    });
    assert_eq!(
        world.onprem.recipients(),
        ["jonas@contoso.example", "lena@contoso.example"]
    );
}
