//! A dynamic group follows the directory within one reload, and `group why` says why.

use crate::support::{Organisation, World, message};

#[test]
fn a_dynamic_group_follows_the_directory() {
    let mut organisation = Organisation::new();
    let mut after = Organisation::new();
    for (organisation, office) in [(&mut organisation, "Berlin "), (&mut after, "Berlin")] {
        organisation
            .recipient("lena", "UserMailbox", "office = \"Berlin\"")
            .recipient("jonas", "UserMailbox", &format!("office = \"{office}\""))
            .dynamic(
                "berlin",
                "(RecipientType -eq 'UserMailbox') -and (Office -eq 'Berlin')",
                "",
            );
    }
    let world = World::start_with(&organisation);
    let why = world.command(&["group", "why", "berlin@contoso.example", "jonas@contoso.example"]);
    let text = String::from_utf8_lossy(&why.stdout);
    assert_eq!(why.status.code(), Some(1), "{text}");
    assert!(text.contains("Office") && text.contains("\"Berlin \""), "{text}");

    after.write(&world.organisation_path());
    world.until("jonas to be a member", || {
        world
            .command(&["group", "why", "berlin@contoso.example", "jonas@contoso.example"])
            .status
            .code()
            == Some(0)
    });
    let mail = message("x@outside.example", "berlin", "both");
    world
        .stranger()
        .send("x@outside.example", &["berlin@contoso.example"], &mail);
    world.onprem.wait_recipients(2);
    assert_eq!(
        world.onprem.recipients(),
        ["jonas@contoso.example", "lena@contoso.example"]
    );
}
