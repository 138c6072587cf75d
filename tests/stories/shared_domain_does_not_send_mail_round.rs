//! A domain shared with another system: an unknown recipient goes to the other side, and no message goes round.

use crate::support::{Client, Organisation, World, message};

const SHARED: &str = r#"["contoso.example", { name = "shared.example", kind = "internal_relay", next_hop = "onprem", other_side = "exchange" }]"#;

const NETWORK: &str = r#"
[[trusted_networks]]
name = "exchange"
networks = ["127.7.0.0/16"]
listeners = ["inbound"]
domains = ["shared.example"]
"#;

fn world() -> World {
    let mut organisation = Organisation::new();
    organisation
        .cloud("lena@shared.example")
        .group("all", &["lena@shared.example", "x@shared.example"], "");
    let mut world = World::of(&organisation).domains(SHARED).more(NETWORK);
    world.start();
    world
}

#[test]
fn shared_domain_does_not_send_mail_round() {
    let world = world();
    let mail = message("y@outside.example", "x", "first");
    let send = |client: &mut Client, to: &str, content: &str| client.send("y@outside.example", &[to], content);
    // Whom the directory knows goes by his place, an unknown one to the other side.
    send(&mut world.stranger(), "lena@shared.example", &mail);
    world.cloud.wait_recipients(1);
    send(&mut world.stranger(), "unknown@shared.example", &mail);
    let handed = world.onprem.wait_recipients(1)[0].clone();
    assert_eq!(handed.recipients, ["unknown@shared.example"]);

    // The other side's own client is told at once.
    let other_side = "127.7.0.1".parse().expect("an address");
    let mut client = Client::connect_from(other_side, world.inbound());
    let refused = send(&mut client, "nobody@shared.example", &mail);
    assert!(refused[0].starts_with("550 5.1.10"), "{refused:?}");
    send(&mut client, "lena@shared.example", &mail);
    world.cloud.wait_recipients(2);

    // It comes back some other way: the mark tells.
    let back = send(&mut world.stranger(), "unknown@shared.example", &handed.content);
    assert!(
        back.last().is_some_and(|reply| reply.starts_with("554 5.4.6")),
        "{back:?}"
    );
    // For a known recipient it is no loop.
    let known = send(&mut world.stranger(), "lena@shared.example", &handed.content);
    assert!(known.last().is_some_and(|reply| reply.starts_with("250")), "{known:?}");

    // A group's member over there is marked as well.
    send(
        &mut world.stranger(),
        "all@contoso.example",
        &message("y@outside.example", "all", "group"),
    );
    let copy = world
        .onprem
        .wait_copy("the member", |copy| copy.recipients == ["x@shared.example"]);
    let back = send(&mut world.stranger(), "x@shared.example", &copy.content);
    assert!(
        back.last().is_some_and(|reply| reply.starts_with("554 5.4.6")),
        "{back:?}"
    );

    let explained = world.json(&[
        "explain",
        "--from",
        "y@outside.example",
        "--to",
        "nobody@shared.example",
        "--via",
        "inbound",
        "--client",
        "127.7.0.1",
    ]);
    assert_eq!(
        explained["verdicts"][0]["reason"], "unknown-on-both-sides",
        "{explained}"
    );
}
