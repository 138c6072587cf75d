//! Half of the time is over: moderators are reminded and the owner is asked. The time is over: the sender is told.
//! Nobody can be reached: owner and postmaster are told, and the message goes on waiting.

use crate::support::{Organisation, Request, World, decoded, message};

const EVA: &str = "eva@contoso.example";
const OWNER: &str = "owner@contoso.example";

fn organisation(more: &str) -> Organisation {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("canteen")
        .on_premises("eva")
        .on_premises("owner")
        .group(
            "announce",
            &["lena"],
            &format!("moderation_enabled = true\nmoderated_by = [\"{EVA}\"]\nmanaged_by = [\"{OWNER}\"]\n{more}"),
        );
    organisation
}

fn held(world: &World) {
    let mail = message("canteen@contoso.example", "announce@contoso.example", "closed");
    world
        .colleague()
        .send("canteen@contoso.example", &["announce@contoso.example"], &mail);
}

#[test]
fn half_time_then_the_end() {
    let world = World::start_with(&organisation("moderation_expiry = \"4s\""));
    held(&world);
    Request::to(&world.onprem, EVA, "A message to announce@contoso.example waits");
    Request::to(&world.onprem, EVA, "Half of its time is over");
    Request::to(&world.onprem, OWNER, "You are asked in their place");
    let notice = world
        .onprem
        .wait_copy("the notice", |copy| copy.recipients == ["canteen@contoso.example"]);
    assert!(
        decoded(&notice.content).contains("Subject: Expired: closed"),
        "{}",
        notice.content
    );
    let holds = world.json(&["moderate", "list"]);
    assert_eq!(holds.as_array().map(Vec::len), Some(0), "{holds}");
    assert!(!world.onprem.recipients().contains(&"lena@contoso.example".to_owned()));
}

#[test]
fn a_substitute_decides() {
    let world = World::start_with(&organisation("moderation_expiry = \"20s\""));
    world.onprem.answer_rcpt(EVA, "550 5.1.1 no such user");
    held(&world);
    // Eva's request came back, so nobody waits for half of the time.
    let owner = Request::to(&world.onprem, OWNER, "You are asked in their place");
    let mail = format!(
        "From: {OWNER}\r\nTo: {}\r\nSubject: Re: x\r\n\r\nyes\r\n",
        owner.answers()
    );
    let reply = world.colleague().send(OWNER, &[&owner.answers()], &mail).pop();
    assert!(reply.is_some_and(|reply| reply.contains("decided")));
    world
        .onprem
        .wait_copy("the message", |copy| copy.recipients == ["lena@contoso.example"]);
}

#[test]
fn when_nobody_can_be_reached_an_operator_hears_of_it_and_decides() {
    let world = World::start_with(&organisation(""));
    for nobody in [EVA, OWNER] {
        world.onprem.answer_rcpt(nobody, "550 5.1.1 no such user");
    }
    held(&world);
    let alarm = world.onprem.wait_copy("the alarm", |copy| {
        copy.recipients == ["postmaster-desk@contoso.example"]
    });
    assert!(
        decoded(&alarm.content).contains("No moderator can be reached"),
        "{}",
        alarm.content
    );
    let holds = world.json(&["moderate", "list"]);
    assert_eq!(holds.as_array().map(Vec::len), Some(1), "it goes on waiting: {holds}");
    let approved = world.command(&["moderate", "approve", "m-1", "--operator"]);
    assert!(approved.status.success(), "{approved:?}");
    world
        .onprem
        .wait_copy("the message", |copy| copy.recipients == ["lena@contoso.example"]);
}

#[test]
fn a_group_that_is_removed_ends_the_wait_and_a_moderator_who_left_decides_no_more() {
    let mut both = organisation("");
    let mut without_eva = Organisation::new();
    let group = format!("moderation_enabled = true\nmoderated_by = [\"{EVA}\"]\nmanaged_by = [\"{OWNER}\"]");
    without_eva
        .on_premises("lena")
        .on_premises("canteen")
        .on_premises("owner")
        .group("announce", &["lena"], &group);
    let world = World::start_with(both.group("other", &["lena"], &group));
    held(&world);
    let mail = message("canteen@contoso.example", "other@contoso.example", "second");
    world
        .colleague()
        .send("canteen@contoso.example", &["other@contoso.example"], &mail);
    let eva = Request::to(&world.onprem, EVA, "closed");
    Request::to(&world.onprem, EVA, "second");

    without_eva.write(&world.organisation_path());
    assert!(world.command(&["reload", "--accept"]).status.success());
    let mail = format!(
        "From: {EVA}\r\nTo: {}\r\nSubject: Re: x\r\n\r\napprove\r\n",
        eva.answers()
    );
    let reply = world
        .colleague()
        .send(EVA, &[&eva.answers()], &mail)
        .pop()
        .expect("a reply");
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    let refused = world.command(&["moderate", "approve", "m-1", "--as", EVA]);
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    // A new hold makes the clerk look at all of them.
    held(&world);
    let notice = world
        .onprem
        .wait_copy("the notice", |copy| copy.recipients == ["canteen@contoso.example"]);
    assert!(
        decoded(&notice.content).contains("Meanwhile the group was removed"),
        "{}",
        notice.content
    );
    Request::to(&world.onprem, OWNER, "You are asked in their place");
    assert!(!world.onprem.recipients().contains(&"lena@contoso.example".to_owned()));
}
