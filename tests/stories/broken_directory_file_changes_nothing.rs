//! A directory file breaks while mail flows: the last good generation serves, and the fault is shown by line.

use crate::support::{Organisation, World, message};

#[test]
fn a_broken_directory_file_changes_nothing_while_mail_flows() {
    let mut organisation = Organisation::new();
    organisation.on_premises("lena").group("team", &["lena"], "");
    let world = World::start_with(&organisation);
    let path = world.organisation_path().join("people.toml");
    std::fs::write(
        &path,
        "[[recipients]]\nid = \"lena\"\nprimary_smtp_adress = \"lena@contoso.example\"\n",
    )
    .expect("a file");
    let reload = world.command(&["reload"]);
    assert_eq!(reload.status.code(), Some(2), "{reload:?}");
    let text = String::from_utf8_lossy(&reload.stderr).into_owned() + &String::from_utf8_lossy(&reload.stdout);
    assert!(
        text.contains("people.toml") && text.contains('3') && text.contains("primary_smtp_address"),
        "{text}"
    );

    let replies = world.stranger().send(
        "x@outside.example",
        &["team@contoso.example"],
        &message("x@outside.example", "team", "on"),
    );
    assert!(replies[1].starts_with("250 "), "{replies:?}");
    world.onprem.wait_recipients(1);

    organisation.on_premises("mia").write(&world.organisation_path());
    world.until("the mended file to count", || {
        let mut client = world.stranger();
        client.command("MAIL FROM:<x@outside.example>");
        client.command("RCPT TO:<mia@contoso.example>").starts_with("250 ")
    });
}
