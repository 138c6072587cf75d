//! `explain` says before sending what delivery does: the same verdict, recipients and next hops.

use crate::support::{Organisation, World, message};

#[test]
fn explain_and_delivery_agree() {
    let mut organisation = Organisation::new();
    organisation
        .cloud("lena")
        .cloud("jonas")
        .on_premises("mia")
        .group(
            "inside",
            &["lena", "mia"],
            "require_sender_authentication_enabled = true",
        )
        .group("all", &["jonas", "mia", "inside"], "");
    let world = World::start_with(&organisation);

    let inside = world.command(&[
        "explain",
        "--from",
        "x@outside.example",
        "--to",
        "inside@contoso.example",
        "--via",
        "inbound",
        "--client",
        "192.0.2.1",
    ]);
    assert_eq!(inside.status.code(), Some(1), "{inside:?}");
    assert!(
        String::from_utf8_lossy(&inside.stdout).contains("5.7.133"),
        "{inside:?}"
    );

    let arguments = [
        "explain",
        "--from",
        "mia@contoso.example",
        "--to",
        "all@contoso.example",
        "--via",
        "relay",
        "--client",
        "127.0.0.1",
    ];
    let all = world.command(&arguments);
    assert!(all.status.success(), "{all:?}");
    let explained = world.json(&arguments).to_string();
    assert!(
        explained.contains("\"cloud\"") && explained.contains("\"onprem\""),
        "{explained}"
    );
    let mail = message("mia@contoso.example", "all", "same");
    world
        .colleague()
        .send("mia@contoso.example", &["all@contoso.example"], &mail);
    assert_eq!(world.cloud.wait_recipients(2)[0].recipients.len(), 2);
    assert_eq!(world.onprem.wait_recipients(1)[0].recipients, ["mia@contoso.example"]);
}
