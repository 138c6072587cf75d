//! An empty dynamic group says so instead of swallowing mail.

use crate::support::{Organisation, World};

#[test]
fn an_empty_dynamic_group_is_refused_with_its_own_code() {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .dynamic("paris", "Office -eq 'Paris'", "");
    let world = World::start_with(&organisation);
    let replies = world
        .stranger()
        .send("x@outside.example", &["paris@contoso.example"], "");
    assert!(replies[0].starts_with("550 5.2.4 "), "{replies:?}");
}
