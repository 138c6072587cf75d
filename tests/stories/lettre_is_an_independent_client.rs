//! An independent client library gets the same answers as our own: lettre, by its low-level commands.

use lettre::address::Envelope;
use lettre::transport::smtp::client::SmtpConnection;
use lettre::transport::smtp::extension::ClientId;

use crate::support::{Organisation, World, message};

#[test]
fn lettre_is_an_independent_client() {
    let mut organisation = Organisation::new();
    organisation
        .cloud("lena")
        .on_premises("jonas")
        .group("team", &["lena", "jonas"], "");
    let world = World::start_with(&organisation);
    let hello = ClientId::Domain("client.example".to_owned());
    let mut connection = SmtpConnection::connect(world.inbound(), None, &hello, None, None).expect("lettre connects");
    let address = |text: &str| text.parse().expect("a test address");
    let good = Envelope::new(
        Some(address("x@outside.example")),
        vec![address("team@contoso.example")],
    )
    .expect("an envelope");
    let mail = message("x@outside.example", "team", "lettre");
    // lettre ends content with CRLF itself.
    let response = connection.send(&good, mail.trim_end().as_bytes()).expect("accepted");
    assert!(response.is_positive());
    let bad = Envelope::new(
        Some(address("x@outside.example")),
        vec![address("nobody@contoso.example")],
    )
    .expect("an envelope");
    let fault = connection.send(&bad, mail.trim_end().as_bytes()).expect_err("refused");
    assert_eq!(fault.status().map(|code| code.to_string()), Some("550".to_owned()));
    assert!(world.cloud.wait_recipients(1)[0].content.ends_with(&mail));
    world.onprem.wait_recipients(1);
}
