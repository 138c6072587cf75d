//! A change that would empty most of a list is held: mail reaches the old list until an operator decides.

use crate::support::{Organisation, World, message};

const GROUP: &str = "berlin@contoso.example";

fn organisation(office: &str) -> Organisation {
    let mut organisation = Organisation::new();
    for number in 0..40 {
        let office = if number < 30 { office } else { "Berlin" };
        organisation.recipient(
            &format!("p{number:02}"),
            "UserMailbox",
            &format!("office = \"{office}\""),
        );
    }
    organisation.dynamic("berlin", "Office -eq 'Berlin'", "");
    organisation
}

fn send(world: &World, subject: &str) -> usize {
    let mail = message("x@outside.example", "berlin", subject);
    world.stranger().send("x@outside.example", &[GROUP], &mail);
    let wanted = format!("Subject: {subject}");
    world
        .onprem
        .wait_copy(subject, |copy| copy.content.contains(&wanted))
        .recipients
        .len()
}

#[test]
fn the_guard_holds_a_mass_removal() {
    let world = World::start_with(&organisation("Berlin"));
    organisation("BER").write(&world.organisation_path());
    world.until("the guard to hold the list", || {
        world
            .json(&["guard", "list"])
            .as_array()
            .is_some_and(|holds| holds.len() == 1)
    });
    let shown = world.command(&["guard", "show", GROUP]);
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        text.contains("would remove 30 of 40 (75%") && text.contains("Office changed from \"Berlin\" to \"BER\""),
        "{text}"
    );
    let alerts = world.command(&["alerts"]);
    let text = String::from_utf8_lossy(&alerts.stdout).into_owned();
    assert_eq!(alerts.status.code(), Some(1), "{text}");
    assert!(text.contains("GUARD") && text.contains(GROUP), "{text}");
    assert_eq!(send(&world, "while-held"), 40);

    let nobody = world.command(&["guard", "accept", "nobody@contoso.example", "--reason", "x"]);
    assert_eq!(nobody.status.code(), Some(1), "{nobody:?}");
    let accepted = world.command(&["guard", "accept", GROUP, "--reason", "office codes", "--by", "eva"]);
    assert_eq!(accepted.status.code(), Some(0), "{accepted:?}");
    assert_eq!(send(&world, "accepted"), 10);
    assert_eq!(world.command(&["alerts"]).status.code(), Some(0));
    let history = world.json(&["group", "history", GROUP]).to_string();
    assert!(history.contains("office codes") && history.contains("eva"), "{history}");
}
