//! An independent client library gets the same answers as our own: lettre, by its low-level commands.

use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, CertificateStore, SmtpConnection, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{SmtpTransport, Transport as _};

use crate::support::tls::Authority;
use crate::support::{Organisation, World, message};

fn address(text: &str) -> lettre::Address {
    text.parse().expect("a test address")
}

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

const LISTENERS: &str = r#"
[[listeners]]
name = "submission"
address = "127.0.0.1:0"
role = "submission"

[[listeners]]
name = "submissions"
address = "127.0.0.1:0"
role = "submission"
tls = "implicit"

[[certificates]]
certificate_file = "mail.pem"
key_file = "mail.key"

[accounts]
password_file = "accounts"
failures_max = 100
"#;

/// A world with two submission listeners and one account.
fn submission(authority: &Authority) -> World {
    let mut organisation = Organisation::new();
    organisation.on_premises("omar").on_premises("lena").group(
        "inside",
        &["omar"],
        "require_sender_authentication_enabled = true",
    );
    let mut world = World::of(&organisation).more(LISTENERS);
    authority.write("mail.contoso.example", "mail", world.path());
    authority.write_own(world.path());
    world.write_settings();
    let line = world.typed(&["password", "lena@contoso.example"], "tea pot\n");
    let path = world.path().join("accounts");
    std::fs::write(&path, line).expect("writable");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("ours");
    world.start();
    world
}

/// TLS that expects a name and believes one authority, or nobody.
fn parameters(world: &World, name: &str, believed: bool) -> TlsParameters {
    let mut builder = TlsParameters::builder(name.to_owned()).certificate_store(CertificateStore::None);
    if believed {
        let pem = std::fs::read(world.path().join("authority.pem")).expect("readable");
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).expect("a certificate"));
    }
    builder.build_rustls().expect("parameters")
}

#[test]
fn lettre_submits_over_tls_with_a_password() {
    let authority = Authority::new();
    let world = submission(&authority);
    let envelope = Envelope::new(
        Some(address("lena@contoso.example")),
        vec![address("inside@contoso.example")],
    )
    .expect("an envelope");
    let send = |listener: &str, tls: Tls, password: Option<&str>, mechanism: Mechanism| {
        let mut builder = SmtpTransport::builder_dangerous("127.0.0.1")
            .port(world.address(listener).port())
            .tls(tls)
            .authentication(vec![mechanism]);
        if let Some(password) = password {
            let credentials = Credentials::new("lena@contoso.example".to_owned(), password.to_owned());
            builder = builder.credentials(credentials);
        }
        let subject = format!("{listener} {mechanism}");
        let mail = message("lena@contoso.example", "inside", &subject);
        builder.build().send_raw(&envelope, mail.trim_end().as_bytes())
    };
    let good = || parameters(&world, "mail.contoso.example", true);
    for mechanism in [Mechanism::Plain, Mechanism::Login] {
        for (listener, tls) in [
            ("submission", Tls::Required(good())),
            ("submissions", Tls::Wrapper(good())),
        ] {
            let response = send(listener, tls, Some("tea pot"), mechanism).expect("accepted");
            assert!(response.is_positive(), "{listener} {mechanism}");
        }
        let fault = send("submission", Tls::Required(good()), Some("coffee"), mechanism).expect_err("refused");
        assert_eq!(fault.status().map(|code| code.to_string()).as_deref(), Some("535"));
    }
    let plain = Mechanism::Plain;
    // Nobody without a password, no password without TLS, no TLS with somebody else.
    let fault = send("submission", Tls::Required(good()), None, plain).expect_err("refused");
    assert_eq!(fault.status().map(|code| code.to_string()).as_deref(), Some("530"));
    let fault = send("submission", Tls::None, Some("tea pot"), plain).expect_err("AUTH is not offered in clear text");
    assert!(fault.status().is_none(), "{fault}");
    for other in [
        parameters(&world, "other.contoso.example", true),
        parameters(&world, "mail.contoso.example", false),
    ] {
        let fault = send("submission", Tls::Required(other), Some("tea pot"), plain).expect_err("not believed");
        assert!(fault.status().is_none(), "{fault}");
    }
    assert_eq!(world.onprem.wait_recipients(4).len(), 4);
}
