//! `exchange-semantics.md` §4.1 to §4.3, over real sockets.
//!
//! Sources as there: MOD is Microsoft's page on moderated recipients, PS the cmdlet pages, RR recipient resolution,
//! ISS an issue thread.

use crate::support::{Organisation, Request, World, decoded, message};

/// What becomes of a message to a moderated group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Becomes {
    /// It goes at once.
    AtOnce,
    /// It is held.
    Held,
    /// It is refused in the dialogue.
    Refused,
    /// It is taken and expanded by nobody.
    Discarded,
}

use Becomes::{AtOnce, Discarded, Held, Refused};

/// Who comes by which way.
#[derive(Clone, Copy)]
enum Way {
    /// Proved internal.
    Inside,
    /// From outside.
    Outside,
}

use Way::{Inside, Outside};

/// §4.2: who skips approval, as (sender, way, what becomes of it, source).
const WHO_SKIPS: &[(&str, Way, Becomes, &str)] = &[
    (
        "moderator@contoso.example",
        Inside,
        AtOnce,
        "MOD: a moderator of the group",
    ),
    (
        "moderator.too@contoso.example",
        Inside,
        AtOnce,
        "MOD: the same person by another proxy address",
    ),
    (
        "owner@contoso.example",
        Inside,
        AtOnce,
        "MOD, ISS-343: the owner of the group",
    ),
    ("listed@contoso.example", Inside, AtOnce, "PS: in the bypass list"),
    (
        "member@contoso.example",
        Inside,
        AtOnce,
        "PS: member of a group in the bypass list",
    ),
    ("nested@contoso.example", Inside, AtOnce, "PS: nested membership counts"),
    ("anybody@contoso.example", Inside, Held, "MOD: everybody else"),
    (
        "bypass@contoso.example",
        Inside,
        Held,
        "PS: members of the list skip it, not the group itself",
    ),
    ("stranger@outside.example", Outside, Held, "MOD: everybody else"),
    (
        "partner@fabrikam.example",
        Outside,
        Held,
        "Differs: PS lets a listed contact skip approval; anybody can write his address on an envelope, so only \
         senders proved internal skip it",
    ),
    (
        "moderator@contoso.example",
        Outside,
        Refused,
        "Differs: MOD knows a moderator by his address; ours without proof is a forgery",
    ),
    (
        "",
        Outside,
        Discarded,
        "RR: a system message is exempt from moderation; a group does not expand it (§3.7)",
    ),
];

fn organisation() -> Organisation {
    let mut organisation = Organisation::new();
    for name in ["owner", "listed", "member", "nested", "anybody", "second", "reader"] {
        organisation.on_premises(name);
    }
    let other = "email_addresses = [\"smtp:moderator.too@contoso.example\"]";
    organisation
        .recipient("moderator", "UserMailbox", other)
        .contact("partner", "partner@fabrikam.example")
        .group("inner", &["nested"], "")
        .group("bypass", &["member", "inner"], "")
        .group(
            "announce",
            &["reader"],
            "moderation_enabled = true\nmoderated_by = [\"moderator@contoso.example\"]\n\
             managed_by = [\"owner@contoso.example\"]\n\
             bypass_moderation_from_senders_or_members = [\"listed@contoso.example\", \"bypass@contoso.example\", \
             \"partner@contoso.example\"]",
        );
    organisation
}

fn moderated(name: &str, more: &str) -> String {
    format!("moderation_enabled = true\nmoderated_by = [\"{name}@contoso.example\"]\n{more}")
}

fn holds(world: &World) -> Vec<String> {
    let holds = world.json(&["moderate", "list"]);
    let list = holds.as_array().expect("a list");
    list.iter()
        .map(|hold| hold["group"].as_str().expect("a group").to_owned())
        .collect()
}

fn approve(world: &World, hold: &str, moderator: &str) {
    let approved = world.command(&["moderate", "approve", hold, "--as", moderator]);
    assert!(approved.status.success(), "{approved:?}");
}

#[test]
fn who_skips_approval() {
    let world = World::start_with(&organisation());
    let mut reached = 0;
    for (row, (sender, way, becomes, source)) in WHO_SKIPS.iter().enumerate() {
        let mut client = match way {
            Inside => world.colleague(),
            Outside => world.stranger(),
        };
        let before = holds(&world).len();
        let mail = message("x@contoso.example", "announce@contoso.example", &format!("row{row}."));
        let replies = client.send(sender, &["announce@contoso.example"], &mail);
        let reply = replies.last().expect("a reply");
        let row_is = format!("{sender}: {source}: {replies:?}");
        match becomes {
            AtOnce => {
                assert!(reply.starts_with("250 "), "{row_is}");
                world.onprem.wait_copy(&row_is, |copy| {
                    copy.recipients == ["reader@contoso.example"] && copy.content.contains(&format!("row{row}."))
                });
                reached += 1;
                assert_eq!(holds(&world).len(), before, "{row_is}");
            }
            Held => {
                assert!(reply.starts_with("250 "), "{row_is}");
                assert_eq!(holds(&world).len(), before + 1, "{row_is}");
            }
            Refused => assert!(replies[0].starts_with("550 5.7.1 "), "{row_is}"),
            Discarded => {
                assert!(reply.starts_with("250 "), "{row_is}");
                assert_eq!(holds(&world).len(), before, "{row_is}");
            }
        }
    }
    let to_reader = world
        .onprem
        .recipients()
        .iter()
        .filter(|to| *to == "reader@contoso.example")
        .count();
    assert_eq!(to_reader, reached, "nobody else's message has gone");
}

/// §4.1.1, §4.1.2: "12 recipients, one moderated: 11 delivered, one held"; "two moderated groups: two requests".
#[test]
fn each_moderated_recipient_is_held_by_itself_and_the_others_go_at_once() {
    let mut organisation = organisation();
    organisation
        .group("second-group", &["second", "reader"], &moderated("owner", ""))
        .cloud("free");
    let world = World::start_with(&organisation);
    let to = [
        "announce@contoso.example",
        "second-group@contoso.example",
        "free@contoso.example",
    ];
    let mail = message("anybody@contoso.example", to[0], "two groups");
    world.colleague().send("anybody@contoso.example", &to, &mail);
    world.cloud.wait_recipients(1);
    assert_eq!(holds(&world), [to[0], to[1]]);
    Request::to(
        &world.onprem,
        "moderator@contoso.example",
        "announce@contoso.example waits",
    );
    Request::to(
        &world.onprem,
        "owner@contoso.example",
        "second-group@contoso.example waits",
    );
    approve(&world, "m-1", "moderator@contoso.example");
    world.onprem.wait_copy("the first release", |copy| {
        copy.recipients == ["reader@contoso.example"]
    });
    // DESIGN §6: who has the message gets it once. Differs: Exchange leaves that to the mailbox store (§3.5).
    approve(&world, "m-2", "owner@contoso.example");
    world.onprem.wait_copy("the second release", |copy| {
        copy.recipients == ["second@contoso.example"]
    });
}

/// §4.3, MOD: "any one moderator decides; requests are sent to all". Differs: what the others see is not documented;
/// ours are told who was first, and when.
#[test]
fn any_one_moderator_decides() {
    let mut organisation = organisation();
    let both = "moderation_enabled = true\nmoderated_by = [\"moderator@contoso.example\", \"second@contoso.example\"]";
    organisation.group("two", &["reader"], both);
    let world = World::start_with(&organisation);
    let mail = message("anybody@contoso.example", "two@contoso.example", "any one");
    world
        .colleague()
        .send("anybody@contoso.example", &["two@contoso.example"], &mail);
    Request::to(&world.onprem, "moderator@contoso.example", "any one");
    let late = Request::to(&world.onprem, "second@contoso.example", "any one").answers();
    approve(&world, "m-1", "moderator@contoso.example");
    let mail = format!("From: second@contoso.example\r\nTo: {late}\r\nSubject: Re: x\r\n\r\nreject\r\n");
    world.colleague().send("second@contoso.example", &[&late], &mail);
    let told = world
        .onprem
        .wait_copy("the answer", |copy| copy.content.contains("Subject: Already approved"));
    assert!(decoded(&told.content).contains("already approved by moderator@contoso.example at "));
}

/// §4.3, MOD: "after the parent is approved each moderated member group starts its own approval, unless the parent has
/// BypassNestedModerationEnabled".
#[test]
fn nested_moderated_groups_ask_again_unless_the_parent_says_otherwise() {
    for (more, then) in [
        ("", Some("child@contoso.example".to_owned())),
        ("bypass_nested_moderation_enabled = true", None),
    ] {
        let mut organisation = organisation();
        organisation.group("child", &["second"], &moderated("owner", "")).group(
            "parent",
            &["child", "reader"],
            &moderated("moderator", more),
        );
        let world = World::start_with(&organisation);
        let mail = message("anybody@contoso.example", "parent@contoso.example", "nested");
        world
            .colleague()
            .send("anybody@contoso.example", &["parent@contoso.example"], &mail);
        assert_eq!(
            holds(&world),
            ["parent@contoso.example"],
            "the child is not asked before the parent"
        );
        approve(&world, "m-1", "moderator@contoso.example");
        assert_eq!(holds(&world), Vec::from_iter(then.clone()), "{more}");
        if then.is_some() {
            let request = Request::to(&world.onprem, "owner@contoso.example", "child@contoso.example waits");
            assert!(
                request.text.contains("parent@contoso.example"),
                "it says how it came there"
            );
            approve(&world, "m-2", "owner@contoso.example");
        }
        for reader in ["reader@contoso.example", "second@contoso.example"] {
            world.onprem.wait_copy(reader, |copy| {
                copy.recipients.contains(&reader.to_owned()) && copy.content.contains("Subject: nested")
            });
        }
    }
}

/// §4.3, LIM: "a moderator cannot be a group"; §2.2, PS: "no moderators: the owners approve".
#[test]
fn a_group_is_no_moderator_and_then_the_owners_approve() {
    let mut organisation = organisation();
    organisation.group(
        "by-group",
        &["reader"],
        &moderated("bypass", "managed_by = [\"owner@contoso.example\"]"),
    );
    organisation.group("by-nobody", &["reader"], "moderation_enabled = true");
    let world = World::start_with(&organisation);
    let mail = message("anybody@contoso.example", "by-group@contoso.example", "a group");
    let mut client = world.colleague();
    client.send("anybody@contoso.example", &["by-group@contoso.example"], &mail);
    Request::to(&world.onprem, "owner@contoso.example", "a group");
    let replies = client.send("anybody@contoso.example", &["by-nobody@contoso.example"], &mail);
    // Differs: Exchange does not say what it does with a group that nobody can approve for; ours is never an open door.
    assert!(replies[0].starts_with("550 5.7.1 "), "{replies:?}");
}

/// §4.1.5, §2.2: the sender hears of a refusal as SendModerationNotifications says.
#[test]
fn the_sender_hears_of_a_refusal_as_the_group_says() {
    let mut organisation = organisation();
    for (name, notices) in [("always", "Always"), ("internal", "Internal"), ("never", "Never")] {
        let more = format!("send_moderation_notifications = \"{notices}\"");
        organisation.group(name, &["reader"], &moderated("moderator", &more));
    }
    let world = World::start_with(&organisation);
    let mut number = 0;
    for (group, inside, outside) in [
        ("always", true, true),
        ("internal", true, false),
        ("never", false, false),
    ] {
        for (sender, told) in [("anybody@contoso.example", inside), ("x@outside.example", outside)] {
            number += 1;
            let to = format!("{group}@contoso.example");
            let subject = format!("notice{number}.");
            let mail = message(sender, &to, &subject);
            let mut client = if sender.ends_with("contoso.example") {
                world.colleague()
            } else {
                world.stranger()
            };
            client.send(sender, &[&to], &mail);
            let hold = format!("m-{number}");
            let rejected = world.command(&["moderate", "reject", &hold, "--as", "moderator@contoso.example"]);
            assert!(rejected.status.success(), "{rejected:?}");
            let hop = if sender.ends_with("contoso.example") {
                &world.onprem
            } else {
                &world.internet
            };
            let is_notice = |copy: &crate::support::hop::Copy| {
                copy.recipients == [sender] && copy.content.contains(&format!("Rejected: {subject}"))
            };
            if told {
                hop.wait_copy(&format!("{group} tells {sender}"), is_notice);
            } else {
                world.until("an empty queue", || {
                    world.json(&["queue", "list"]).as_array().is_some_and(Vec::is_empty)
                });
                assert!(!hop.copies().iter().any(is_notice), "{group} does not tell {sender}");
            }
        }
    }
}
