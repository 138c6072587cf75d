//! A cycle of groups delivers once.

use crate::support::{Organisation, World, message};

#[test]
fn a_cycle_delivers_once() {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("jonas")
        .group("a", &["lena", "b"], "")
        .group("b", &["jonas", "c"], "")
        .group("c", &["a"], "");
    let world = World::start_with(&organisation);
    let replies = world.stranger().send(
        "x@outside.example",
        &["b@contoso.example"],
        &message("x@outside.example", "b", "round"),
    );
    assert!(replies[1].starts_with("250 "), "{replies:?}");
    world.onprem.wait_recipients(2);
    world.until("an empty queue", || {
        world.json(&["queue", "list"]).as_array().is_some_and(Vec::is_empty)
    });
    assert_eq!(
        world.onprem.recipients(),
        ["jonas@contoso.example", "lena@contoso.example"]
    );
}
