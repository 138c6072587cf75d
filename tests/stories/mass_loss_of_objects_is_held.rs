//! A file set that loses more than 20 % and 10 objects is held until an operator accepts it.

use crate::support::{Organisation, World, message};

#[test]
fn a_mass_loss_of_objects_is_held_until_accepted() {
    let mut organisation = Organisation::new();
    let names: Vec<String> = (0..40).map(|number| format!("p{number:02}")).collect();
    let mut after = organisation.clone();
    for (index, name) in names.iter().enumerate() {
        organisation.on_premises(name);
        if index < 20 {
            after.on_premises(name);
        }
    }
    let members: Vec<&str> = names.iter().map(String::as_str).collect();
    organisation.group("all", &members, "");
    after.group("all", &members, "");
    let world = World::start_with(&organisation);

    after.write(&world.organisation_path());
    let reload = world.command(&["reload"]);
    assert_eq!(reload.status.code(), Some(4), "{reload:?}");
    world.stranger().send(
        "x@outside.example",
        &["all@contoso.example"],
        &message("x@outside.example", "all", "before"),
    );
    assert_eq!(world.onprem.wait_recipients(40).len(), 1);

    let accepted = world.command(&["reload", "--accept"]);
    assert!(accepted.status.success(), "{accepted:?}");
    world.stranger().send(
        "x@outside.example",
        &["all@contoso.example"],
        &message("x@outside.example", "all", "after"),
    );
    world.onprem.wait_recipients(60);
    let copy = world
        .onprem
        .wait_copy("the second copy", |copy| copy.content.contains("Subject: after"));
    assert_eq!(copy.recipients.len(), 20);
}
