//! The next hop is down, then up: the message waits, is shown with its reason, and arrives once.

use crate::support::{Hop, Organisation, World, message};

#[test]
fn the_next_hop_is_down_then_up() {
    let mut organisation = Organisation::new();
    organisation
        .cloud("lena")
        .on_premises("jonas")
        .group("team", &["lena", "jonas"], "");
    let address = Hop::closed_address();
    let mut world = World::of(&organisation).hop("cloud", address);
    world.start();
    let mail = message("x@outside.example", "team", "later");
    let replies = world
        .stranger()
        .send("x@outside.example", &["team@contoso.example"], &mail);
    assert!(replies[1].starts_with("250 "), "{replies:?}");
    world.onprem.wait_recipients(1);
    world.until("the queue to say why", || {
        world
            .json(&["queue", "list"])
            .to_string()
            .contains("next-hop-unreachable")
    });

    let hop = Hop::start_at(address);
    let retry = world.command(&["queue", "retry", "--next-hop", "cloud", "--yes"]);
    assert!(retry.status.success(), "{retry:?}");
    hop.wait_recipients(1);
    world.until("an empty queue", || {
        world.json(&["queue", "list"]).as_array().is_some_and(Vec::is_empty)
    });
    assert_eq!(hop.recipients(), ["lena@contoso.mail.onmicrosoft.example"]);
    assert_eq!(world.onprem.recipients(), ["jonas@contoso.example"]);
}
