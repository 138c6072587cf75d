//! What TLS with a domain's mail exchangers came to is told to the domain the day after, signed, and to nobody else.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::read::GzDecoder;
use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::support::dns::NameServer;
use crate::support::keys::{KeyFile, verified};
use crate::support::{Organisation, World};

#[test]
fn a_tls_report_reaches_the_domain() {
    let dns = NameServer::start();
    // A record of somebody else's zone names a group of ours that is closed to strangers.
    let wanted = "v=TLSRPTv1; rua=mailto:tls@fabrikam.example,mailto:team@contoso.example";
    dns.text("_smtp._tls.fabrikam.example", wanted);
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .group("team", &["lena"], "require_sender_authentication_enabled = true");
    let world = World::of(&organisation);
    let key = KeyFile::ed25519("ed", "contoso.example", world.path()).published(&dns);
    let more = format!(
        "\n[tls_reports]\norganization = \"Contoso\"\ncontact = \"tls-reports@contoso.example\"\ndkim_sign = \"ed\"\n{}{}",
        key.settings(),
        dns.settings()
    );
    let mut world = world.more(&more);
    // Yesterday's counts, as a run before has left them.
    let today = jiff::Timestamp::now().to_zoned(TimeZone::UTC).date();
    let yesterday = today.checked_sub(1.day()).expect("a date");
    let counts = |due: &str| {
        json!({"due_at": due, "policies": [{
            "policy": {"kind": "no-policy-found", "lines": [], "mx": []},
            "succeeded": 7,
            "failed": 2,
            "details": [{"result": "starttls-not-supported", "from": "192.0.2.1", "host": "mx.fabrikam.example",
                "to": "192.0.2.2", "why": "the host does not offer STARTTLS", "sessions": 2}],
        }]})
    };
    let kept = json!({"days": {yesterday.to_string(): {"domains": {
        "fabrikam.example": counts("2026-01-01T00:00:00Z"),
        "silent.example": counts("2026-01-01T00:00:00Z"),
        "later.example": counts("2999-01-01T00:00:00Z"),
    }}}});
    let data = world.path().join("data");
    std::fs::create_dir_all(&data).expect("a folder");
    std::fs::write(data.join("tls-reports.json"), kept.to_string()).expect("writable");
    world.start();

    let copy = &world.internet.wait_recipients(1)[0];
    assert_eq!(copy.reverse_path, "");
    let content = &copy.content;
    let flat = content.replace("\r\n ", " ");
    for field in [
        "TLS-Required: No\r\n",
        "From: Mail Delivery System <tls-reports@contoso.example>\r\n",
        "To: <tls@fabrikam.example>\r\n",
        "Subject: Report Domain: fabrikam.example Submitter: contoso.example Report-ID: <",
        "TLS-Report-Domain: fabrikam.example\r\n",
        "TLS-Report-Submitter: contoso.example\r\n",
        "Content-Type: multipart/report; report-type=\"tlsrpt\"; boundary=",
        "Content-Type: application/tlsrpt+gzip\r\n",
        "Content-Transfer-Encoding: base64\r\n",
        "!fabrikam.example!",
        "Sessions that failed: 2\r\n",
    ] {
        assert!(flat.contains(field), "{field:?}: {content}");
    }
    assert_eq!(
        verified(&dns, content).dkim,
        [("contoso.example".to_owned(), true)],
        "{content}"
    );
    let document = document(content);
    assert_eq!(document["organization-name"], "Contoso");
    assert_eq!(document["contact-info"], "tls-reports@contoso.example");
    assert_eq!(
        document["date-range"]["start-datetime"],
        format!("{yesterday}T00:00:00Z")
    );
    assert_eq!(document["policies"][0]["policy"]["policy-domain"], "fabrikam.example");
    assert_eq!(document["policies"][0]["failure-details"][0]["failed-session-count"], 2);

    let shown = world.json(&["tls-reports"]);
    assert_eq!(
        shown["ended"][0]["arrived"],
        json!(["mailto:tls@fabrikam.example"]),
        "{shown}"
    );
    let missed = shown["ended"][0]["missed"][0].as_str().expect("a text");
    assert!(missed.starts_with("mailto:team@contoso.example: "), "{missed}");
    assert_eq!(shown["counted"][0]["domain"], "later.example", "{shown}");
    assert!(world.onprem.copies().is_empty());
}

/// The document in the second part.
fn document(content: &str) -> Value {
    let (_, part) = content.split_once("application/tlsrpt+gzip").expect("the second part");
    let (_, body) = part.split_once("\r\n\r\n").expect("its body");
    let encoded: String = body.lines().take_while(|line| !line.starts_with("--")).collect();
    let gzip = BASE64.decode(encoded).expect("base64");
    let mut text = String::new();
    GzDecoder::new(&*gzip).read_to_string(&mut text).expect("gzip");
    serde_json::from_str(&text).expect("JSON")
}
