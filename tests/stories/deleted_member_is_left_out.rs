//! A deleted member is left out, with a tracked reason, and mail flows to the rest.

use crate::support::{Organisation, World, message};

#[test]
fn a_deleted_member_is_left_out_with_a_tracked_reason() {
    let mut organisation = Organisation::new();
    organisation.on_premises("lena");
    let mut later = organisation.clone();
    organisation.on_premises("jonas").group("team", &["lena", "jonas"], "");
    later.group("team", &["lena", "jonas"], "");
    let world = World::start_with(&organisation);

    later.write(&world.organisation_path());
    world.until("jonas to be gone", || {
        let mut client = world.stranger();
        client.command("MAIL FROM:<x@outside.example>");
        client
            .command("RCPT TO:<jonas@contoso.example>")
            .starts_with("550 5.1.10")
    });
    let replies = world.stranger().send(
        "x@outside.example",
        &["team@contoso.example"],
        &message("x@outside.example", "team", "left"),
    );
    assert!(replies[1].starts_with("250 "), "{replies:?}");
    world.onprem.wait_recipients(1);
    assert_eq!(world.onprem.recipients(), ["lena@contoso.example"]);
    world.until("the drop to be tracked", || {
        let trace = world.json(&["trace", "--to", "team@contoso.example"]).to_string();
        trace.contains("member-deleted") || trace.contains("member-unresolved")
    });
}
