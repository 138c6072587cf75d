//! A moderator's refusal reaches the sender with its reason, and nobody else; moderators skip moderation.

use crate::support::{Organisation, World, message};

fn organisation() -> Organisation {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("eva")
        .on_premises("canteen")
        .group(
            "announce",
            &["lena"],
            "moderation_enabled = true\nmoderated_by = [\"eva@contoso.example\"]",
        );
    organisation
}

#[test]
fn a_moderators_refusal_reaches_the_sender() {
    let world = World::start_with(&organisation());
    let mail = message("canteen@contoso.example", "announce@contoso.example", "closed");
    world
        .colleague()
        .send("canteen@contoso.example", &["announce@contoso.example"], &mail);
    let id = world.json(&["moderate", "list"])[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let stranger = world.command(&["moderate", "approve", &id, "--as", "lena@contoso.example"]);
    assert!(!stranger.status.success(), "lena is no moderator");
    let arguments = [
        "moderate",
        "reject",
        &id,
        "--as",
        "eva@contoso.example",
        "--reason",
        "off topic",
    ];
    assert!(world.command(&arguments).status.success());
    let notice = world
        .onprem
        .wait_copy("the notice", |copy| copy.recipients == ["canteen@contoso.example"]);
    assert!(notice.content.contains("off topic"), "{}", notice.content);
    world.until("an empty queue", || {
        world.json(&["queue", "list"]).as_array().is_some_and(Vec::is_empty)
    });
    assert!(!world.onprem.recipients().contains(&"lena@contoso.example".to_owned()));
}

#[test]
fn a_moderator_is_not_moderated() {
    let world = World::start_with(&organisation());
    let mail = message("eva@contoso.example", "announce@contoso.example", "mine");
    world
        .colleague()
        .send("eva@contoso.example", &["announce@contoso.example"], &mail);
    world.onprem.wait_recipients(1);
    assert_eq!(world.onprem.recipients(), ["lena@contoso.example"]);
}
