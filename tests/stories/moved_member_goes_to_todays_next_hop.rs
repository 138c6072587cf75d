//! A member who moved to the cloud gets his copy there.

use crate::support::{Organisation, World, message};

#[test]
fn a_moved_member_goes_to_todays_next_hop() {
    let mut before = Organisation::new();
    before.on_premises("lena").group("team", &["lena"], "");
    let mut after = Organisation::new();
    after.cloud("lena").group("team", &["lena"], "");
    let world = World::start_with(&before);
    let mut client = world.stranger();
    client.send(
        "x@outside.example",
        &["team@contoso.example"],
        &message("x@outside.example", "team", "first"),
    );
    world.onprem.wait_recipients(1);

    after.write(&world.organisation_path());
    world.until("the move to be known", || {
        let explained = world.json(&["explain", "--from", "x@outside.example", "--to", "team@contoso.example"]);
        explained.to_string().contains("cloud")
    });
    client.send(
        "x@outside.example",
        &["team@contoso.example"],
        &message("x@outside.example", "team", "second"),
    );
    world.cloud.wait_recipients(1);
    assert_eq!(world.cloud.recipients(), ["lena@contoso.mail.onmicrosoft.example"]);
    assert_eq!(world.onprem.recipients(), ["lena@contoso.example"]);
}
