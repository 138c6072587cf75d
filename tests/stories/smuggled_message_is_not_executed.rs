//! False ends of data end nothing: the whole transaction is refused, no second message appears.

use crate::support::{Organisation, World, message};

#[test]
fn a_smuggled_message_is_not_executed() {
    let mut organisation = Organisation::new();
    organisation.on_premises("lena");
    let world = World::start_with(&organisation);
    for end in [
        "\n.\n",
        "\n.\r\n",
        "\r\n.\n",
        "\r.\r",
        "\r\n.\r",
        "\r.\r\n",
        "\r\r\n.\r\n\0",
    ] {
        let mut client = world.stranger();
        let inner =
            "MAIL FROM:<evil@outside.example>\r\nRCPT TO:<lena@contoso.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nx";
        let mail = format!("{}{end}{inner}", message("x@outside.example", "lena", "outer"));
        let replies = client.send("x@outside.example", &["lena@contoso.example"], &mail);
        assert!(replies[1].starts_with("550 5.6.11 "), "{end:?}: {replies:?}");
        assert!(
            client.command("NOOP").starts_with("250 "),
            "{end:?}: the session is in step"
        );
    }
    let mail = message("x@outside.example", "lena", "clean");
    world
        .stranger()
        .send("x@outside.example", &["lena@contoso.example"], &mail);
    let copies = world.onprem.wait_recipients(1);
    assert!(
        copies.len() == 1 && copies[0].content.contains("Subject: clean"),
        "{copies:#?}"
    );
}
