//! Below the disk floor SMTP answers 452 at MAIL.

use crate::support::{Organisation, World};

#[test]
fn a_disk_below_its_floor_is_answered_with_452() {
    let mut organisation = Organisation::new();
    organisation.on_premises("lena");
    let mut world = World::of(&organisation).more("[limits]\ndisk_free_min = \"900000G\"\n");
    world.start();
    let reply = world.stranger().command("MAIL FROM:<x@outside.example>");
    assert!(reply.starts_with("452 4.3.1 "), "{reply}");
}
