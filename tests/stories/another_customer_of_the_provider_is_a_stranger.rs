//! A network that all customers of a provider share proves nobody: only the tenant that the provider stamps does.

use crate::support::{Organisation, World, message};

const SHARED: &str = r#"
[[listeners]]
name = "cloud"
address = "127.0.0.1:0"
role = "relay"

[[trusted_networks]]
name = "provider"
networks = ["127.0.0.0/8"]
listeners = ["cloud"]
tenant = "3b8e1f0a-ours"
"#;

const OURS: &str = "X-MS-Exchange-CrossTenant-Id: 3b8e1f0a-ours\r\n";
const THEIRS: &str = "X-MS-Exchange-CrossTenant-Id: 9f9f9f9f-theirs\r\n";
const MARK: &str = "X-MS-Exchange-Organization-AuthAs: Internal\r\n";

fn world(policy: &str) -> World {
    let mut organisation = Organisation::new();
    organisation.on_premises("lena").on_premises("boss").group(
        "inside",
        &["lena"],
        "require_sender_authentication_enabled = true",
    );
    let mut world = World::of(&organisation).policy(policy).more(SHARED);
    world.start();
    world
}

/// A message through the provider's network; the last reply.
fn sent(world: &World, from: &str, to: &str, stamps: &str, subject: &str) -> String {
    let mail = format!("{stamps}{MARK}{}", message(from, to, subject));
    let replies = world.client_of("cloud").send(from, &[to], &mail);
    replies.last().expect("a reply").clone()
}

#[test]
fn the_stamp_of_our_tenant_proves_and_another_does_not() {
    let world = world("");
    let (boss, inside) = ("boss@contoso.example", "inside@contoso.example");
    let taken = sent(&world, boss, inside, OURS, "ours");
    assert!(taken.starts_with("250 "), "{taken}");
    let copy = world
        .onprem
        .wait_copy("our tenant's message", |copy| copy.content.contains("ours"));
    assert!(
        copy.content.contains(MARK),
        "a trusted session keeps its marks: {}",
        copy.content
    );
    for (stamps, why) in [
        (String::new(), "no stamp"),
        (THEIRS.to_owned(), "another customer"),
        (format!("{OURS}{THEIRS}"), "his stamp above the provider's"),
        (format!("{THEIRS}{OURS}"), "and below it"),
    ] {
        let refused = sent(&world, boss, inside, &stamps, "theirs");
        assert!(refused.starts_with("550 5.7.1 "), "{why}: {refused}");
    }
    // Nobody else may write the stamp.
    let forged = format!("{OURS}{}", message(boss, inside, "forged"));
    let replies = world.stranger().send(boss, &[inside], &forged);
    assert!(replies[0].starts_with("550 5.7.1 "), "{replies:?}");

    let proof = "internal, proven by network provider tenant 3b8e1f0a-ours";
    world.until("the trace names the proof", || {
        world
            .json(&["trace", "--from", boss, "--since", "1h"])
            .to_string()
            .contains(proof)
    });
    let explained = world.command(&[
        "explain",
        "--from",
        boss,
        "--to",
        inside,
        "--via",
        "cloud",
        "--client",
        "127.0.0.1",
    ]);
    let text = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(
        text.contains("5.7.1") && text.contains("if proven"),
        "both answers: {text}"
    );
}

#[test]
fn another_customer_reaches_what_strangers_reach_and_relays_nothing() {
    let world = world("spoofed = \"external\"");
    let boss = "boss@contoso.example";
    // Whoever takes strangers' mail is taken with others; the group is taken alone.
    let mut client = world.client_of("cloud");
    assert!(client.command(&format!("MAIL FROM:<{boss}>")).starts_with("250 "));
    assert!(client.command("RCPT TO:<lena@contoso.example>").starts_with("250 "));
    let alone = client.command("RCPT TO:<inside@contoso.example>");
    assert!(alone.starts_with("452 4.5.3 "), "{alone}");
    client.command("RSET");
    client.command(&format!("MAIL FROM:<{boss}>"));
    assert!(client.command("RCPT TO:<inside@contoso.example>").starts_with("250 "));
    let others = client.command("RCPT TO:<lena@contoso.example>");
    assert!(others.starts_with("452 4.5.3 "), "{others}");

    let refused = sent(&world, boss, "inside@contoso.example", THEIRS, "echo");
    assert!(refused.starts_with("550 5.7.133 "), "{refused}");
    let relayed = sent(&world, boss, "victim@outside.example", THEIRS, "echo");
    assert!(relayed.starts_with("550 5.7.64 "), "{relayed}");
    let person = sent(&world, boss, "lena@contoso.example", THEIRS, "stranger");
    assert!(person.starts_with("250 "), "{person}");
    let copy = world
        .onprem
        .wait_copy("the stranger's message", |copy| copy.content.contains("stranger"));
    assert!(
        !copy.content.contains("X-MS-Exchange-"),
        "no marks of a stranger's: {}",
        copy.content
    );
    let ours = sent(&world, boss, "victim@outside.example", OURS, "colleague");
    assert!(ours.starts_with("250 "), "{ours}");
    world
        .internet
        .wait_copy("our own message outside", |copy| copy.content.contains("colleague"));
    assert!(
        world
            .internet
            .copies()
            .iter()
            .all(|copy| !copy.content.contains("echo"))
    );
}
