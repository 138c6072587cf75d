//! 452 4.5.3 after accepted recipients is the hop's limit: the rest goes at once, nobody twice.

use crate::support::{Organisation, World, message};

#[test]
fn the_next_hops_recipient_limit_is_learned() {
    let mut organisation = Organisation::new();
    let names: Vec<String> = (0..95).map(|number| format!("p{number:02}")).collect();
    for name in &names {
        organisation.cloud(name);
    }
    let members: Vec<&str> = names.iter().map(String::as_str).collect();
    organisation.group("all", &members, "");
    let world = World::start_with(&organisation);
    world.cloud.limit_recipients(10);
    let mail = message("x@outside.example", "all", "tens");
    world
        .stranger()
        .send("x@outside.example", &["all@contoso.example"], &mail);
    world.cloud.wait_recipients(95);
    world.until("an empty queue", || {
        world.json(&["queue", "list"]).as_array().is_some_and(Vec::is_empty)
    });
    let mut arrived = world.cloud.recipients();
    arrived.dedup();
    assert_eq!((arrived.len(), world.cloud.recipients().len()), (95, 95));
}
