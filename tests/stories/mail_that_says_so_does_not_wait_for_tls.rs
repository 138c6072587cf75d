//! A sender who says `TLS-Required: No` is not held up by what the recipients' domain wants of TLS (RFC 8689 §4.2.2); others
//! are, and the domain will hear of it.

use serde_json::json;

use crate::support::dns::NameServer;
use crate::support::{Hop, Organisation, World, message};

const FROM: &str = "lena@contoso.example";
const TO: &str = "a@fabrikam.example";

#[test]
fn mail_that_says_so_does_not_wait_for_tls() {
    let dns = NameServer::start();
    // Without MX records the domain is its own exchanger; it has no TLS, and its policy names another host.
    dns.host("fabrikam.example", [127, 0, 0, 1].into());
    let exchanger = Hop::start();
    let mut organisation = Organisation::new();
    organisation.on_premises("lena");
    let more = format!(
        "{}\n[[next_hops]]\nname = \"mx\"\nmx = true\nport = {}\n\n[[routing.domains]]\ndomain = \"fabrikam.example\"\n\
         next_hop = \"mx\"\n\n[tls_reports]\norganization = \"Contoso\"\n",
        dns.settings(),
        exchanger.address().port()
    );
    let mut world = World::of(&organisation).more(&more);
    let policy = json!({"mode": "enforce", "mx": ["mx.fabrikam.example"], "max_age": 86400});
    let known = json!({"fabrikam.example": {"id": "1", "policy": policy, "expires_at": "2999-01-01T00:00:00Z"}});
    let data = world.path().join("data");
    std::fs::create_dir_all(&data).expect("a folder");
    std::fs::write(data.join("mta-sts.json"), known.to_string()).expect("writable");
    world.start();

    let urgent = format!("TLS-Required: No\r\n{}", message(FROM, TO, "urgent"));
    for mail in [message(FROM, TO, "secret"), urgent] {
        let replies = world.colleague().send(FROM, &[TO], &mail);
        assert!(replies.iter().all(|reply| reply.starts_with("250 ")), "{replies:?}");
    }
    let copy = &exchanger.wait_recipients(1)[0];
    assert!(copy.content.contains("Subject: urgent\r\n"), "{}", copy.content);

    world.until("the other to wait for the policy", || {
        world.json(&["queue", "list"])[0]["reason"] == "mta-sts-failed"
    });
    let waiting = world.json(&["queue", "list"]);
    assert_eq!(waiting.as_array().map(Vec::len), Some(1), "{waiting}");
    assert_eq!(waiting[0]["next_hop"], "domain:fabrikam.example", "{waiting}");
    assert_eq!(exchanger.copies().len(), 1);

    let shown = world.json(&["tls-reports"]);
    assert_eq!(shown["on"], true);
    let counted = &shown["counted"][0];
    assert_eq!(
        (&counted["policy"], &counted["succeeded"]),
        (&json!("sts"), &json!(0)),
        "{shown}"
    );
    assert_eq!(counted["failures"][0]["result"], "validation-failure", "{shown}");
    assert_eq!(shown["counted"].as_array().map(Vec::len), Some(1), "{shown}");
}
