//! With `spoofed = "quarantine"` mail that claims one of our addresses waits for somebody who decides about it.

use crate::support::{Organisation, Request, World, message};

const SECURITY: &str = "security@contoso.example";
const LENA: &str = "lena@contoso.example";
const TEAM: &str = "team@contoso.example";

fn organisation() -> Organisation {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("security")
        .on_premises("eva")
        .group("team", &["lena"], "")
        .group("inside", &["lena"], "require_sender_authentication_enabled = true")
        .group(
            "announce",
            &["lena"],
            "moderation_enabled = true\nmoderated_by = [\"eva@contoso.example\"]",
        );
    organisation
}

fn world() -> World {
    let mut world = World::of(&organisation())
        .policy("spoofed = \"quarantine\"")
        .policy(&format!("quarantine_moderators = [\"{SECURITY}\"]"));
    world.start();
    world
}

fn copies_to_lena(world: &World) -> usize {
    let to_lena = |to: &&String| to.as_str() == LENA;
    world.onprem.recipients().iter().filter(to_lena).count()
}

#[test]
fn it_waits_and_goes_on_when_released() {
    let world = world();
    let from = "boss@contoso.example";
    let replies = world
        .stranger()
        .send(from, &[TEAM, LENA], &message(from, TEAM, "salaries"));
    assert!(replies.iter().all(|reply| reply.starts_with("250 ")), "{replies:?}");
    let holds = world.json(&["moderate", "list"]);
    assert_eq!(
        holds.as_array().map(Vec::len),
        Some(2),
        "persons are no way around: {holds}"
    );
    let id = holds[0]["id"].as_str().expect("an id");
    assert_eq!(world.json(&["moderate", "show", id])["cause"], "quarantine");
    let request = Request::to(&world.onprem, SECURITY, "salaries");
    for said in ["NOT PROVED", "the address is one of ours, and nothing proves"] {
        assert!(request.text.contains(said), "{said}\n{}", request.text);
    }
    assert_eq!(copies_to_lena(&world), 0);
    // Whoever owns the address hears nothing of a refusal: it is not his mail.
    let answer = world.command(&["moderate", "reject", "--as", SECURITY, id]);
    assert!(answer.status.success(), "{answer:?}");
    let other = holds[1]["id"].as_str().expect("an id");
    let answer = world.command(&["moderate", "approve", "--as", SECURITY, other]);
    assert!(answer.status.success(), "{answer:?}");
    world.onprem.wait_copy("the message", |copy| copy.recipients == [LENA]);
    assert_eq!(copies_to_lena(&world), 1);
    let to_boss = |to: &String| to == from;
    assert!(!world.onprem.recipients().iter().any(to_boss));
    let trace = world.json(&["trace", "--to", TEAM]).to_string();
    assert!(trace.contains("\"cause\":\"quarantine\""), "{trace}");
}

#[test]
fn rules_for_strangers_hold_and_moderators_of_a_group_decide() {
    let world = world();
    let mut client = world.stranger();
    client.command("MAIL FROM:<boss@contoso.example>");
    let reply = client.command("RCPT TO:<inside@contoso.example>");
    assert!(reply.starts_with("550 5.7.133 "), "quarantine is no proof: {reply}");
    let mail = message("boss@contoso.example", "announce@contoso.example", "bonus");
    let replies = world
        .stranger()
        .send("boss@contoso.example", &["announce@contoso.example"], &mail);
    assert!(replies[1].starts_with("250 "), "{replies:?}");
    let request = Request::to(&world.onprem, "eva@contoso.example", "bonus");
    assert!(request.text.contains("NOT PROVED"), "{}", request.text);
    let explained = world.json(&[
        "explain",
        "--from",
        "boss@contoso.example",
        "--to",
        TEAM,
        "--via",
        "inbound",
        "--client",
        "192.0.2.7",
    ]);
    assert!(explained.to_string().contains("quarantine"), "{explained}");
}
