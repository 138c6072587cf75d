//! A held message survives `kill -9` and is released to today's members.

use crate::support::{Organisation, World, message};

#[test]
fn a_held_message_survives_a_restart_and_a_moderator_releases_it() {
    let mut organisation = Organisation::new();
    organisation.on_premises("lena").on_premises("eva").group(
        "announce",
        &["lena"],
        "moderation_enabled = true\nmoderated_by = [\"eva@contoso.example\"]",
    );
    let mut world = World::start_with(&organisation);
    let mail = message("canteen@contoso.example", "announce@contoso.example", "closed");
    let replies = world
        .colleague()
        .send("canteen@contoso.example", &["announce@contoso.example"], &mail);
    assert!(replies[1].starts_with("250 "), "{replies:?}");
    let holds = world.json(&["moderate", "list"]);
    assert_eq!(holds.as_array().map(Vec::len), Some(1), "{holds}");

    world.kill();
    world.start();
    let holds = world.json(&["moderate", "list"]);
    let id = holds[0]["id"].as_str().expect("an id").to_owned();
    let lena = ["lena@contoso.example".to_owned()];
    let to_lena = || {
        world
            .onprem
            .copies()
            .iter()
            .filter(|copy| copy.recipients == lena)
            .count()
    };
    assert_eq!(to_lena(), 0, "nothing is delivered before the decision");
    let approved = world.command(&["moderate", "approve", &id, "--as", "eva@contoso.example"]);
    assert!(approved.status.success(), "{approved:?}");
    world.onprem.wait_copy("the message", |copy| copy.recipients == lena);
    assert_eq!(to_lena(), 1);

    let again = world.command(&["moderate", "reject", &id, "--as", "eva@contoso.example"]);
    assert_eq!(again.status.code(), Some(1), "the first decision counts: {again:?}");
}
