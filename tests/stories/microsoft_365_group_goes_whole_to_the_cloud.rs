//! A Microsoft 365 group with a cloud mailbox is relayed whole to its cloud address.

use crate::support::{Organisation, World, message};

#[test]
fn a_microsoft_365_group_goes_whole_to_the_cloud() {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .other_group(
            "project-x",
            "GroupMailbox",
            "external_email_address = \"project-x@contoso.mail.onmicrosoft.example\"\nmembers = [\"lena@contoso.example\"]\nrequire_sender_authentication_enabled = false",
        )
        .group("all", &["project-x", "lena"], "");
    let world = World::start_with(&organisation);
    world.stranger().send(
        "x@outside.example",
        &["all@contoso.example"],
        &message("x@outside.example", "all", "whole"),
    );
    world.cloud.wait_recipients(1);
    world.onprem.wait_recipients(1);
    assert_eq!(world.cloud.recipients(), ["project-x@contoso.mail.onmicrosoft.example"]);
    assert_eq!(world.onprem.recipients(), ["lena@contoso.example"]);
}
