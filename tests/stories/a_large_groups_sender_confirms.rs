//! With `large_group = "confirm"` the sender of a message to a large group is asked whether he means it.

use crate::support::{Organisation, Request, World, message};

const CFO: &str = "cfo@contoso.example";
const ALL: &str = "all-staff@contoso.example";

fn world(more: &str) -> World {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("cfo")
        .on_premises("lena")
        .on_premises("max")
        .on_premises("owner")
        .group("all-staff", &["lena", "max", "owner"], more)
        .group("small", &["lena", "max"], "");
    let mut world = World::of(&organisation)
        .policy("large_group = \"confirm\"")
        .policy("large_group_members = 3");
    world.start();
    world
}

fn send(world: &World, to: &str, subject: &str) {
    let replies = world.colleague().send(CFO, &[to], &message(CFO, to, subject));
    assert!(replies[1].starts_with("250 "), "{replies:?}");
}

fn answer(world: &World, from: &str, to: &str, word: &str) -> String {
    let mail = format!("From: {from}\r\nTo: {to}\r\nSubject: Re: x\r\n\r\n{word}\r\n");
    let replies = world.colleague().send(from, &[to], &mail);
    replies.last().cloned().expect("a reply")
}

fn reached(world: &World) -> usize {
    let lena = |to: &&String| to.as_str() == "lena@contoso.example";
    world.onprem.recipients().iter().filter(lena).count()
}

#[test]
fn his_yes_sends_it_and_nobody_elses() {
    // That he may write there, and need not wait for a moderator, does not keep him from a slip.
    let world = world(
        "accept_messages_only_from = [\"cfo@contoso.example\"]\nmoderation_enabled = true\n\
         moderated_by = [\"owner@contoso.example\"]\nbypass_moderation_from = [\"cfo@contoso.example\"]",
    );
    send(&world, ALL, "results");
    let request = Request::to(&world.onprem, CFO, "results");
    for said in [
        "Send to everybody in all-staff?",
        "has not been sent yet",
        "3 would receive it now",
    ] {
        assert!(request.text.contains(said), "{said}\n{}", request.text);
    }
    let id = world.json(&["moderate", "list"])[0]["id"]
        .as_str()
        .map(str::to_owned)
        .expect("an id");
    assert_eq!(world.json(&["moderate", "show", &id])["cause"], "confirmation");
    let reply = answer(&world, "max@contoso.example", &request.answers(), "yes");
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    assert_eq!(reached(&world), 0);
    let reply = answer(&world, CFO, &request.answers(), "yes");
    assert!(reply.contains("decided"), "{reply}");
    world.onprem.wait_copy("the message", |copy| {
        copy.recipients.contains(&"lena@contoso.example".to_owned()) && copy.content.contains("results")
    });
    assert_eq!(reached(&world), 1);
}

#[test]
fn his_no_ends_it_and_he_is_not_told_what_he_did() {
    let world = world("hidden_group_membership_enabled = true");
    send(&world, ALL, "oops");
    let request = Request::to(&world.onprem, CFO, "oops");
    assert!(
        !request.text.contains("would receive"),
        "membership is hidden\n{}",
        request.text
    );
    let before = world.onprem.copies().len();
    let reply = answer(&world, CFO, &request.answers(), "no");
    assert!(reply.contains("decided"), "{reply}");
    // Another message goes to the end, so that a notice would have come before it.
    send(&world, "small@contoso.example", "lunch");
    world
        .onprem
        .wait_copy("a small group's mail", |copy| copy.content.contains("lunch"));
    let later: Vec<_> = world.onprem.copies().split_off(before);
    assert!(
        later.iter().all(|copy| !copy.recipients.contains(&CFO.to_owned())),
        "{later:?}"
    );
    assert_eq!(reached(&world), 1, "of the small group only");
}

#[test]
fn a_strangers_mail_to_an_open_group_waits_for_its_owners() {
    let world = world("managed_by = [\"owner@contoso.example\"]\nrequire_sender_authentication_enabled = false");
    let from = "shop@outside.example";
    let replies = world.stranger().send(from, &[ALL], &message(from, ALL, "sale"));
    assert!(replies[1].starts_with("250 "), "{replies:?}");
    let request = Request::to(&world.onprem, "owner@contoso.example", "sale");
    assert!(
        request.text.contains("large and neither restricted nor moderated"),
        "{}",
        request.text
    );
    assert_eq!(reached(&world), 0);
    let explained = world.json(&["explain", "--from", CFO, "--to", ALL]).to_string();
    assert!(explained.contains("\"cause\":\"confirmation\""), "{explained}");
}
