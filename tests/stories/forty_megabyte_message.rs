//! A message of 40 MB goes through unchanged.

use crate::support::{Organisation, World, message};

#[test]
fn a_message_of_40_megabytes_goes_through_unchanged() {
    let mut organisation = Organisation::new();
    organisation
        .cloud("lena")
        .on_premises("jonas")
        .group("team", &["lena", "jonas"], "");
    let world = World::start_with(&organisation);
    let mut mail = message("x@outside.example", "team", "large");
    let line = "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz\r\n";
    mail.push_str(&line.repeat(40 * 1024 * 1024 / line.len()));
    mail.push_str(".a line that begins with a dot\r\n");
    let replies = world
        .stranger()
        .send("x@outside.example", &["team@contoso.example"], &mail);
    assert!(replies[1].starts_with("250 "), "{replies:?}");
    for hop in [&world.cloud, &world.onprem] {
        let copies = hop.wait_recipients(1);
        assert!(copies[0].content.ends_with(&mail), "the copy differs");
    }
}
