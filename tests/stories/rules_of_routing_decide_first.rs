//! Rules of the settings decide before place and domain: by recipient, group, sender, size and listener; `explain`
//! names the rule beforehand, `trace` afterwards, and a later attempt goes by the same rule.

use crate::support::{Organisation, World, message};

const RULES: &str = r#"
[[routing.rules]]
name = "large"
size_min = "20K"
next_hop = "internet"

[[routing.rules]]
name = "news"
groups = ["newsletter@contoso.example"]
sender = "external"
next_hop = "onprem"

[[routing.rules]]
name = "contractors"
recipient = "CustomAttribute1 -eq 'contractor'"
listeners = "relay"
next_hop = "internet"
"#;

fn world() -> World {
    let mut organisation = Organisation::new();
    organisation
        .recipient(
            "carla",
            "RemoteUserMailbox",
            "external_email_address = \"carla@contoso.mail.onmicrosoft.example\"\ncustom_attribute1 = \"Contractor\"",
        )
        .cloud("lena")
        .on_premises("mia")
        .group("all", &["carla", "lena", "mia"], "")
        .group(
            "news",
            &["all"],
            "email_addresses = [\"smtp:newsletter@contoso.example\"]",
        );
    let mut world = World::of(&organisation).more(RULES);
    world.start();
    world
}

#[test]
fn rules_of_routing_decide_first() {
    let world = world();
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
    let explained = world.json(&arguments);
    let routes = &explained["verdicts"][0]["routes"];
    assert_eq!(
        routes.as_array().map(|routes| {
            let line = |route: &serde_json::Value| format!("{} {}", route["next_hop"], route["rule"]);
            routes.iter().map(line).collect::<Vec<_>>()
        }),
        Some(vec![
            "\"cloud\" null".to_owned(),
            "\"internet\" \"contractors\"".to_owned(),
            "\"onprem\" null".to_owned()
        ]),
        "{explained}"
    );
    let text = String::from_utf8(world.command(&arguments).stdout).expect("text");
    assert!(text.contains("rule contractors: 1 internet"), "{text}");

    // A colleague: his contractor goes by the rule, the others by their place.
    let mail = message("mia@contoso.example", "all", "inside");
    world
        .colleague()
        .send("mia@contoso.example", &["all@contoso.example"], &mail);
    let contractor = "carla@contoso.mail.onmicrosoft.example";
    assert_eq!(world.internet.wait_recipients(1)[0].recipients, [contractor]);
    assert_eq!(
        world.cloud.wait_recipients(1)[0].recipients,
        ["lena@contoso.mail.onmicrosoft.example"]
    );
    assert_eq!(world.onprem.wait_recipients(1)[0].recipients, ["mia@contoso.example"]);

    // A stranger to the group of the rule, by another of its addresses.
    let mail = message("x@outside.example", "news", "outside");
    world
        .stranger()
        .send("x@outside.example", &["news@contoso.example"], &mail);
    let news = world
        .onprem
        .wait_copy("the newsletter", |copy| copy.content.contains("Subject: outside"));
    assert_eq!(news.recipients.len(), 3, "{news:?}");

    // A large message, whoever sends it.
    let mail = message("mia@contoso.example", "lena", "large") + &"x\r\n".repeat(10_000);
    world
        .colleague()
        .send("mia@contoso.example", &["lena@contoso.example"], &mail);
    let large = world
        .internet
        .wait_copy("the large one", |copy| copy.content.contains("Subject: large"));
    assert_eq!(large.recipients, ["lena@contoso.mail.onmicrosoft.example"]);

    world.until("the trace", || {
        let traced = world.command(&["trace", "--to", contractor]);
        String::from_utf8_lossy(&traced.stdout).contains("internet  by rule contractors")
    });
}

#[test]
fn a_later_attempt_goes_by_the_same_rule() {
    let world = world();
    let contractor = "carla@contoso.mail.onmicrosoft.example";
    world.internet.answer_rcpt_once(contractor, "450 4.2.1 later");
    let mail = message("mia@contoso.example", "all", "again");
    world
        .colleague()
        .send("mia@contoso.example", &["all@contoso.example"], &mail);
    assert_eq!(world.internet.wait_recipients(1)[0].recipients, [contractor]);
    assert_eq!(
        world.cloud.wait_recipients(1)[0].recipients,
        ["lena@contoso.mail.onmicrosoft.example"]
    );
}
