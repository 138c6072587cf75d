//! §3.6: the row that needs a directory with a mistake in it.

use std::fs;

use crate::support::{Organisation, World};
use crate::table::{Door, begins, differs, verify, write};

#[test]
fn a_broken_primary_address() {
    let mut organisation = Organisation::new();
    organisation.on_premises("lena");
    let world = World::start_with(&organisation);
    let file = world.organisation_path().join("broken.toml");
    let broken = "[[recipients]]\nid = \"broken\"\nrecipient_type_details = \"UserMailbox\"\n\
                  primary_smtp_address = \"broken@@contoso.example\"\n";
    fs::write(&file, broken).expect("writes");
    let reloaded = world.command(&["reload"]);
    let said = String::from_utf8_lossy(&reloaded.stdout).into_owned() + &String::from_utf8_lossy(&reloaded.stderr);
    let named = (!reloaded.status.success() && said.contains("broken.toml:4:")).then_some(());
    let why =
        "a directory with a broken primary address is not taken; the one before serves, and nobody has the address";
    verify([
        (
            differs("§3.6 broken primary address: 5.2.0 RESOLVER.ADR.BadPrimary", why),
            "the directory is refused with file and line".to_owned(),
            named.ok_or(said),
        ),
        (
            differs("§3.6 broken primary address: 5.2.0 RESOLVER.ADR.BadPrimary", why),
            "mail to the object".to_owned(),
            begins(
                &write(
                    &world,
                    Door::Outside,
                    "x@outside.example",
                    "broken@contoso.example",
                    "row",
                ),
                "550 5.1.10 RESOLVER.ADR.RecipientNotFound; ",
            ),
        ),
        (
            differs("§3.6 broken primary address: 5.2.0 RESOLVER.ADR.BadPrimary", why),
            "mail to others".to_owned(),
            begins(
                &write(
                    &world,
                    Door::Outside,
                    "x@outside.example",
                    "lena@contoso.example",
                    "row",
                ),
                "250 ",
            ),
        ),
    ]);
}
