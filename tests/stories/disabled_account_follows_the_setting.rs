//! A disabled account gets its copy, as with Exchange, unless the setting says drop; a shared mailbox, whose
//! account is disabled by design, always does.

use crate::support::{Organisation, World, message};

fn organisation() -> Organisation {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .recipient("jonas", "UserMailbox", "account_disabled = true")
        .recipient("front-desk", "SharedMailbox", "account_disabled = true")
        .group("team", &["lena", "jonas", "front-desk"], "");
    organisation
}

#[test]
fn a_disabled_account_is_delivered_as_exchange_does() {
    let world = World::start_with(&organisation());
    let mail = message("x@outside.example", "team", "deliver");
    world
        .stranger()
        .send("x@outside.example", &["team@contoso.example"], &mail);
    world.onprem.wait_recipients(3);
    let expected = [
        "front-desk@contoso.example",
        "jonas@contoso.example",
        "lena@contoso.example",
    ];
    assert_eq!(world.onprem.recipients(), expected);
}

#[test]
fn with_drop_a_disabled_account_is_left_out_but_never_a_shared_mailbox() {
    let mut world = World::of(&organisation()).policy("disabled_accounts = \"drop\"");
    world.start();
    let mail = message("x@outside.example", "team", "drop");
    world
        .stranger()
        .send("x@outside.example", &["team@contoso.example"], &mail);
    world.onprem.wait_recipients(2);
    world.until("an empty queue", || {
        world.json(&["queue", "list"]).as_array().is_some_and(Vec::is_empty)
    });
    assert_eq!(
        world.onprem.recipients(),
        ["front-desk@contoso.example", "lena@contoso.example"]
    );
}
