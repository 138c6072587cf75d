//! `trace` answers "did Lena get it?" and "what became of it?".

use crate::support::{Organisation, World, message};

#[test]
fn trace_tells_what_became_of_a_message() {
    let mut organisation = Organisation::new();
    organisation
        .cloud("lena")
        .cloud("jonas")
        .on_premises("hr")
        .group("team", &["lena", "jonas"], "");
    let world = World::start_with(&organisation);
    world
        .cloud
        .answer_rcpt("jonas@contoso.mail.onmicrosoft.example", "550 5.1.10 nobody here");
    let mail = message("hr@contoso.example", "team", "Bonus");
    world
        .colleague()
        .send("hr@contoso.example", &["team@contoso.example"], &mail);
    world.cloud.wait_recipients(1);
    world.until("lena's delivery to be traced", || {
        world
            .json(&["trace", "--to", "lena@contoso.example"])
            .to_string()
            .contains("SEND")
    });
    world.until("jonas' failure to be traced", || {
        world
            .json(&["trace", "--to", "jonas@contoso.example"])
            .to_string()
            .contains("FAIL")
    });
    let nobody = world.command(&["trace", "--to", "nobody@contoso.example"]);
    assert_eq!(nobody.status.code(), Some(1), "{nobody:?}");
}
