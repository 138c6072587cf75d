//! The recipes of `config/recipes`: each is run as it stands, and mail goes where its first lines say.

use crate::support::{Hop, Organisation, Recipe, message};

const INTERNAL: &str = "internal.contoso-example.mail.protection.outlook.com";
const EXTERNAL: &str = "external.contoso-example.mail.protection.outlook.com";
const TENANT: &str = "X-MS-Exchange-CrossTenant-Id: 8f5d3a70-1c2b-4e6f-9a0b-c1d2e3f4a5b6\r\n";

/// The published networks of Exchange Online, and those that stand for them here.
const CLOUD: [(&str, &str); 3] = [
    ("40.92.0.0/15", "127.40.0.0/16"),
    ("40.107.0.0/16", "127.41.0.0/16"),
    ("52.100.0.0/14", "127.52.0.0/16"),
];
const EXCHANGE_ONLINE: &str = "127.40.0.1";
const STRANGER: &str = "127.0.0.1";

fn organisation() -> Organisation {
    let mut organisation = Organisation::new();
    organisation
        .cloud("lena")
        .on_premises("mia")
        .contact("partner", "partner@fabrikam.example")
        .group("all", &["lena", "mia"], "")
        .group("mixed", &["lena", "partner"], "");
    organisation
}

fn mail(subject: &str) -> String {
    message("x@outside.example", "all", subject)
}

#[test]
fn an_mx_in_front_of_exchange_online() {
    let (inside, outside) = (Hop::start(), Hop::start());
    let hosts = [(INTERNAL, &inside), (EXTERNAL, &outside)];
    let recipe = Recipe::start("mx-in-front-of-exchange-online", &organisation(), &hosts, &CLOUD);
    let to = ["all@contoso.example"];
    recipe
        .client("inbound", STRANGER)
        .send("x@outside.example", &to, &mail("stranger"));
    assert_eq!(outside.wait_recipients(2)[0].reverse_path, "x@outside.example");
    let stamped = format!("{TENANT}{}", mail("colleague"));
    recipe
        .client("inbound", EXCHANGE_ONLINE)
        .send("lena@contoso.example", &to, &stamped);
    assert_eq!(inside.wait_recipients(2)[0].reverse_path, "lena@contoso.example");
    // The stamp of another customer proves nothing: a colleague's address without proof is refused.
    let forged = mail("forged");
    let replies = recipe
        .client("inbound", EXCHANGE_ONLINE)
        .send("lena@contoso.example", &to, &forged);
    assert!(
        replies.last().is_some_and(|reply| reply.starts_with("550")),
        "{replies:?}"
    );
    assert_eq!((inside.copies().len(), outside.copies().len()), (1, 1));
    let mixed = recipe.explained("x@outside.example", "mixed@contoso.example", "inbound", STRANGER);
    assert_eq!(mixed, r#"{"cloud-external":1,"domain:fabrikam.example":1}"#);
}

#[test]
fn a_smart_host_behind_exchange_online() {
    let (inside, outside) = (Hop::start(), Hop::start());
    let hosts = [(INTERNAL, &inside), (EXTERNAL, &outside)];
    let mut organisation = organisation();
    organisation.group("staff@groups.contoso.example", &["lena", "mia"], "");
    let recipe = Recipe::start("smart-host-behind-exchange-online", &organisation, &hosts, &CLOUD);
    let send =
        |from: &str, to: &str, content: &str| recipe.client("smarthost", EXCHANGE_ONLINE).send(from, &[to], content);
    // Out by the connector to a group, back by the other one.
    let stamped = format!("{TENANT}{}", mail("colleague"));
    send("lena@contoso.example", "staff@groups.contoso.example", &stamped);
    assert_eq!(inside.wait_recipients(2)[0].reverse_path, "lena@contoso.example");
    send("x@outside.example", "staff@groups.contoso.example", &mail("stranger"));
    assert_eq!(outside.wait_recipients(2)[0].reverse_path, "x@outside.example");
    // Who is not in this directory is in Exchange Online; what comes back from there goes no second time.
    send("lena@contoso.example", "cloudonly@contoso.example", &stamped);
    let handed = inside.wait_copy("the unknown address", |copy| {
        copy.recipients == ["cloudonly@contoso.example"]
    });
    let back = send("lena@contoso.example", "cloudonly@contoso.example", &handed.content);
    assert!(
        back.last().is_some_and(|reply| reply.starts_with("554 5.4.6")),
        "{back:?}"
    );
    let unknown = send("lena@contoso.example", "nobody@groups.contoso.example", &stamped);
    assert!(unknown[0].starts_with("550 5.1.10"), "{unknown:?}");
}

#[test]
fn centralised_mail_flow() {
    let (onprem, onprem2, inside, outside, partner) =
        (Hop::start(), Hop::start(), Hop::start(), Hop::start(), Hop::start());
    let hosts = [
        ("exchange1.contoso.example", &onprem),
        ("exchange2.contoso.example", &onprem2),
        (INTERNAL, &inside),
        (EXTERNAL, &outside),
        ("mail.partner.example", &partner),
    ];
    let networks = [("10.1.0.0/24", "127.10.0.0/24")];
    let recipe = Recipe::start("centralised-mail-flow", &organisation(), &hosts, &networks);
    let servers = "127.10.0.5";
    // In: to both sides, by the connector for strangers.
    recipe
        .client("inbound", STRANGER)
        .send("x@outside.example", &["all@contoso.example"], &mail("in"));
    outside.wait_recipients(1);
    // Between the sides, proven.
    let content = mail("between");
    recipe
        .client("relay", servers)
        .send("mia@contoso.example", &["lena@contoso.example"], &content);
    inside.wait_recipients(1);
    // Out: wherever it goes, it leaves from here.
    let out = recipe.explained("mia@contoso.example", "x@elsewhere.example", "relay", servers);
    assert_eq!(out, r#"{"domain:elsewhere.example":1}"#);
    // An address nobody knows here belongs to the servers, unless they ask.
    recipe
        .client("inbound", STRANGER)
        .send("x@outside.example", &["app@contoso.example"], &mail("app"));
    let is_app = |copy: &crate::support::hop::Copy| copy.recipients == ["app@contoso.example"];
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !(onprem.copies().iter().any(is_app) || onprem2.copies().iter().any(is_app)) {
        assert!(
            std::time::Instant::now() < deadline,
            "the unknown address goes to the servers"
        );
        std::thread::yield_now();
    }
    let asked = recipe
        .client("relay", servers)
        .send("mia@contoso.example", &["app@contoso.example"], &mail("app"));
    assert!(asked[0].starts_with("550 5.1.10"), "{asked:?}");
    // The partner's mail passes through; his senders are outside senders, not spoofed ones.
    recipe
        .client("inbound", STRANGER)
        .send("y@partner.example", &["z@partner.example"], &mail("partner"));
    assert_eq!(partner.wait_recipients(1)[0].recipients, ["z@partner.example"]);
}

#[test]
fn two_connectors_of_exchange_online() {
    let (inside, outside) = (Hop::start(), Hop::start());
    let hosts = [(INTERNAL, &inside), (EXTERNAL, &outside)];
    let networks = [("10.1.0.0/16", "127.10.0.0/16")];
    let recipe = Recipe::start("exchange-online-two-connectors", &organisation(), &hosts, &networks);
    let to = ["lena@contoso.example"];
    recipe
        .client("relay", "127.10.0.5")
        .send("mia@contoso.example", &to, &mail("proven"));
    assert_eq!(inside.wait_recipients(1)[0].reverse_path, "mia@contoso.example");
    // A null reverse-path proves nothing, from wherever it comes.
    for (listener, client, from) in [
        ("inbound", STRANGER, "x@outside.example"),
        ("relay", "127.10.0.5", "x@outside.example"),
        ("relay", "127.10.0.5", ""),
    ] {
        recipe.client(listener, client).send(from, &to, &mail("other"));
    }
    outside.wait_recipients(3);
    let forged = recipe
        .client("inbound", STRANGER)
        .send("mia@contoso.example", &to, &mail("forged"));
    assert!(forged[0].starts_with("550 5.7.1"), "{forged:?}");
    assert_eq!(inside.copies().len(), 1, "nothing unproven by the internal connector");
}

#[test]
fn outside_members_through_exchange_online() {
    let (cloud, relay) = (Hop::start(), Hop::start());
    let hosts = [
        (EXTERNAL, &cloud),
        ("relay.contoso-example.mail.protection.outlook.com", &relay),
    ];
    let networks = [("10.1.0.0/16", "127.10.0.0/16")];
    let recipe = Recipe::start(
        "external-members-through-exchange-online",
        &organisation(),
        &hosts,
        &networks,
    );
    recipe
        .client("inbound", STRANGER)
        .send("x@outside.example", &["mixed@contoso.example"], &mail("stranger"));
    assert_eq!(cloud.wait_recipients(1)[0].reverse_path, "x@outside.example");
    let copy = &relay.wait_recipients(1)[0];
    assert_eq!(copy.recipients, ["partner@fabrikam.example"]);
    assert!(copy.reverse_path.ends_with("@contoso.example"), "{}", copy.reverse_path);
    recipe
        .client("relay", "127.10.0.5")
        .send("lena@contoso.example", &["mixed@contoso.example"], &mail("colleague"));
    let own = relay.wait_copy("the colleague's copy", |copy| {
        copy.content.contains("Subject: colleague")
    });
    assert_eq!(
        own.reverse_path, "lena@contoso.example",
        "what is ours is not rewritten"
    );
}
