//! A stranger is refused by an internal group, in the dialogue; a colleague is not.

use crate::support::{Organisation, World, message};

#[test]
fn a_stranger_is_refused_by_an_internal_group() {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .group("leadership", &["lena"], "require_sender_authentication_enabled = true");
    let world = World::start_with(&organisation);

    let replies = world
        .stranger()
        .send("boss@outside.example", &["leadership@contoso.example"], "");
    assert!(replies[0].starts_with("550 5.7.133 "), "{replies:?}");
    assert!(!replies[0].contains("lena"), "no member names: {replies:?}");

    let mail = message("jonas@contoso.example", "leadership@contoso.example", "numbers");
    let replies = world
        .colleague()
        .send("jonas@contoso.example", &["leadership@contoso.example"], &mail);
    assert!(replies[1].starts_with("250 2."), "{replies:?}");
    world.onprem.wait_recipients(1);
    assert_eq!(world.onprem.recipients(), ["lena@contoso.example"]);
}
