//! RFC 8689 §5: a message with REQUIRETLS that cannot go on is returned without its body, whatever was asked for, and its
//! report reaches the sender also where the next hop makes no promise.

use crate::support::tls::{Authority, starttls};
use crate::support::{Organisation, World};

const CERTIFICATE: &str = r#"
[[certificates]]
certificate_file = "mail.pem"
key_file = "mail.key"
"#;

#[test]
fn what_requires_tls_is_reported_so() {
    let authority = Authority::new();
    let mut organisation = Organisation::new();
    organisation.on_premises("hr");
    let mut world = World::of(&organisation).more(CERTIFICATE);
    authority.write("mail.contoso.example", "mail", world.path());
    world.start();
    let (mut client, hello) = starttls(world.address("relay"), &authority.client(None), "mail.contoso.example");
    assert!(hello.contains("REQUIRETLS"), "{hello}");
    for command in [
        "MAIL FROM:<hr@contoso.example> RET=FULL REQUIRETLS",
        "RCPT TO:<someone@elsewhere.example>",
    ] {
        let reply = client.command(command);
        assert!(reply.starts_with("250 "), "{command}: {reply}");
    }
    let mail = "From: <hr@contoso.example>\r\nTo: <someone@elsewhere.example>\r\nSubject: private\r\n\r\nWhat nobody may read.\r\n";
    let reply = client.content(mail);
    assert!(reply.starts_with("250 "), "{reply}");
    let report = world
        .onprem
        .wait_copy("the report", |copy| copy.reverse_path.is_empty());
    for there in ["Action: failed", "5.7.30", "Subject: private", "text/rfc822-headers"] {
        assert!(report.content.contains(there), "{there} in\n{}", report.content);
    }
    assert!(!report.content.contains("What nobody may read"), "{}", report.content);
    assert!(world.internet.copies().is_empty(), "nothing left in clear text");
}
