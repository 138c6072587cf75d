//! §2: settings of groups and recipients that decide over mail, and that no other table asks.

use crate::support::{Organisation, World, message};
use crate::table::{Door, ask, begins, differs, drained, same, verify, write};

const LENA: &str = "lena@contoso.example";
const OUTSIDE: &str = "x@outside.example";

#[test]
fn bcc_blocked() {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("jonas")
        .group(
            "blocked",
            &["jonas"],
            "bcc_blocked = true\nemail_addresses = [\"smtp:old-name@contoso.example\"]",
        )
        .group("around", &["lena", "blocked"], "")
        .group("only-around", &["blocked"], "");
    let world = World::start_with(&organisation);
    let refused = "550 5.7.1 Name the group in To or Cc";
    let rows = [
        (
            same("§2.1 BccBlocked: named in To"),
            LENA,
            "blocked",
            "To: <blocked@contoso.example>",
            "250",
        ),
        (
            same("§2.1 BccBlocked: named in Cc"),
            LENA,
            "blocked",
            "Cc: B <BLOCKED@contoso.example>",
            "250",
        ),
        (
            same("§2.1 BccBlocked: named by another address of it"),
            LENA,
            "blocked",
            "To: <old-name@contoso.example>",
            "250",
        ),
        (
            same("§2.1 BccBlocked: addressed in Bcc, an internal sender gets an NDR (here: the reply)"),
            LENA,
            "blocked",
            "To: <lena@contoso.example>",
            refused,
        ),
        (
            same("§2.1 BccBlocked: no To at all"),
            LENA,
            "blocked",
            "X-Note: none",
            refused,
        ),
        (
            same("§2.1 BccBlocked: a Bcc field that was left in"),
            LENA,
            "blocked",
            "Bcc: <blocked@contoso.example>",
            refused,
        ),
        (
            differs(
                "§2.1 external senders are not blocked",
                "they are: what a slip of a colleague must not do, a stranger must not either",
            ),
            OUTSIDE,
            "blocked",
            "To: <x@outside.example>",
            refused,
        ),
        (
            differs(
                "§2.1 applies only to the group addressed, not to nested ones",
                "at every level: else a group around it is the way in",
            ),
            LENA,
            "only-around",
            "To: <lena@contoso.example>",
            refused,
        ),
        (
            same("§2.1 the group around it is named"),
            LENA,
            "only-around",
            "To: <only-around@contoso.example>",
            "250",
        ),
    ];
    verify(
        rows.into_iter()
            .enumerate()
            .map(|(index, (source, from, to, head, expected))| {
                let door = if from == OUTSIDE { Door::Outside } else { Door::Inside };
                let content = format!("From: <{from}>\r\n{head}\r\nSubject: bcc-{index}\r\n\r\nHello.\r\n");
                let reply = ask(&world, door, from, &format!("{to}@contoso.example"), &content);
                (source, format!("{head} for {to}"), begins(&reply, expected))
            }),
    );
    let content = format!("From: <{LENA}>\r\nTo: <lena@contoso.example>\r\nSubject: branch\r\n\r\nHello.\r\n");
    let reply = ask(&world, Door::Inside, LENA, "around@contoso.example", &content);
    assert!(reply.starts_with("250"), "the others get their copy: {reply}");
    let report = world
        .onprem
        .wait_copy("a report", |copy| copy.content.contains("Undeliverable: branch"));
    assert!(
        report
            .content
            .contains("Final-Recipient: rfc822; blocked@contoso.example"),
        "{}",
        report.content
    );
}

#[test]
fn large_groups_that_are_open() {
    let people: Vec<String> = (0..12).map(|number| format!("p{number}")).collect();
    let members: Vec<&str> = people.iter().map(String::as_str).collect();
    let mut organisation = Organisation::new();
    organisation.on_premises("lena").on_premises("boss");
    people.iter().for_each(|name| {
        organisation.on_premises(name);
    });
    organisation
        .group("large", &members, "managed_by = [\"boss@contoso.example\"]")
        .group("orphan", &members, "")
        .group("half-1", &members[..7], "")
        .group("half-2", &members[5..], "")
        .group(
            "halves",
            &["half-1", "half-2"],
            "managed_by = [\"boss@contoso.example\"]",
        )
        .group("small", &members[..9], "")
        .group("twice", &["small", "p0"], "")
        .group(
            "listed",
            &members,
            "accept_messages_only_from_senders_or_members = [\"lena@contoso.example\"]",
        )
        .group(
            "moderated",
            &members,
            "moderation_enabled = true\nmoderated_by = [\"lena@contoso.example\"]",
        );
    let rows = [
        (
            same("§2.1 5,000 members need delivery management or approval: neither"),
            "large",
            "550 5.7.1 The group is too large",
            "held",
        ),
        (
            same("§2.1 …and it has no owner"),
            "orphan",
            "550 5.7.1 The group is too large",
            "550 5.7.1 The group is too large",
        ),
        (
            same("§2.1 …members of nested groups count, each once"),
            "halves",
            "550 5.7.1 The group is too large",
            "held",
        ),
        (same("§2.1 …fewer members"), "small", "250", "250"),
        (same("§2.1 …somebody listed twice counts once"), "twice", "250", "250"),
        (same("§2.1 …an accept list"), "listed", "250", "250"),
        (
            same("§2.1 …moderated, and the sender is its moderator"),
            "moderated",
            "250",
            "250",
        ),
    ];
    for (column, setting) in ["refuse", "hold", "allow"].into_iter().enumerate() {
        let mut world = World::of(&organisation)
            .policy(&format!("large_group = \"{setting}\""))
            .policy("large_group_members = 10");
        world.start();
        let mut held = 0;
        let results: Vec<_> = rows
            .iter()
            .map(|(source, to, refuse, hold)| {
                let expected = [*refuse, *hold, "250"][column];
                let reply = write(&world, Door::Inside, LENA, &format!("{to}@contoso.example"), to);
                held += usize::from(expected == "held");
                let expected = if expected == "held" { "250" } else { expected };
                (same(source.says), format!("{setting}: {to}"), begins(&reply, expected))
            })
            .collect();
        verify(results);
        let waiting = world.json(&["moderate", "list"]);
        assert_eq!(waiting.as_array().map(Vec::len), Some(held), "{setting}: {waiting}");
        if held > 0 {
            // The owner decides, so he need not ask himself.
            let reply = write(
                &world,
                Door::Inside,
                "boss@contoso.example",
                "large@contoso.example",
                "own",
            );
            assert!(reply.starts_with("250"), "{reply}");
            let waiting = world.json(&["moderate", "list"]);
            assert_eq!(waiting.as_array().map(Vec::len), Some(held), "{waiting}");
        }
    }
}

#[test]
fn subscribers_and_their_echo() {
    let group = |list: &str| {
        format!(
            "members = [\"lena@contoso.example\", \"jonas@contoso.example\", \"mia@contoso.example\"]\n\
             require_sender_authentication_enabled = false\n{list}"
        )
    };
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .recipient("jonas", "UserMailbox", "echo_group_message_back_to_subscribed_sender = true")
        .on_premises("mia")
        .other_group(
            "club",
            "GroupMailbox",
            &group("subscribers = [\"lena@contoso.example\", \"jonas@contoso.example\", \"guest@elsewhere.example\"]\nexpand_subscribers = true"),
        )
        .other_group("solo", "GroupMailbox", &group("subscribers = [\"lena@contoso.example\"]\nexpand_subscribers = true"))
        .other_group(
            "whole",
            "GroupMailbox",
            &group("external_email_address = \"whole@contoso.mail.onmicrosoft.example\""),
        );
    let world = World::start_with(&organisation);
    let rows = [
        (
            same("§2.6 copies go to subscribers only"),
            "mia",
            "club",
            &[
                "guest@elsewhere.example",
                "jonas@contoso.example",
                "lena@contoso.example",
            ][..],
        ),
        (
            same("§2.6 a subscriber who posts gets no copy of the own message"),
            "lena",
            "club",
            &["guest@elsewhere.example", "jonas@contoso.example"],
        ),
        (
            same("§2.6 …unless his mailbox says so"),
            "jonas",
            "club",
            &[
                "guest@elsewhere.example",
                "jonas@contoso.example",
                "lena@contoso.example",
            ],
        ),
        (
            same("§2.6 the only subscriber posts: taken, and nobody gets it"),
            "lena",
            "solo",
            &[],
        ),
        (
            same("§2.6 a group with a cloud mailbox goes whole to the cloud"),
            "lena",
            "whole",
            &["whole@contoso.mail.onmicrosoft.example"],
        ),
    ];
    verify(
        rows.into_iter()
            .enumerate()
            .map(|(index, (source, from, to, reached))| {
                let subject = format!("club-{index}");
                let from = format!("{from}@contoso.example");
                let reply = write(&world, Door::Inside, &from, &format!("{to}@contoso.example"), &subject);
                let held = begins(&reply, "250").and_then(|()| {
                    let mark = format!("Subject: {subject}\r\n");
                    let found = || {
                        let copies = [&world.onprem, &world.internet, &world.cloud]
                            .map(|hop| hop.copies())
                            .concat();
                        let here = copies.into_iter().filter(|copy| copy.content.contains(&mark));
                        let mut found: Vec<String> = here.flat_map(|copy| copy.recipients).collect();
                        found.sort();
                        found
                    };
                    world.until(&subject, || found().len() >= reached.len());
                    drained(&world);
                    let found = found();
                    if found == reached {
                        Ok(())
                    } else {
                        Err(format!("reached {found:?}"))
                    }
                });
                (source, format!("{from} to {to}"), held)
            }),
    );
}

/// What a sender may learn of a group with hidden membership: nothing but its address.
#[test]
fn hidden_membership_is_in_no_reply_and_no_report() {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .cloud("agent-1")
        .cloud("agent-2")
        .recipient("agent-3", "UserMailbox", "require_sender_authentication_enabled = true")
        .group(
            "secret",
            &["agent-1", "agent-2", "agent-3"],
            "hidden_group_membership_enabled = true",
        )
        .group("around", &["secret", "lena"], "");
    let mut world = World::of(&organisation).policy("notify_partial = \"always\"");
    world.start();
    world
        .cloud
        .answer_rcpt("agent-1@contoso.mail.onmicrosoft.example", "550 5.1.10 no agent-1 here");
    let secrets = ["agent-1", "agent-2", "agent-3"];
    for (door, from, to) in [
        (Door::Inside, LENA, "secret"),
        (Door::Inside, LENA, "around"),
        (Door::Outside, OUTSIDE, "secret"),
        (Door::Outside, OUTSIDE, "around"),
    ] {
        let subject = format!("hidden-{to}-{}", from.len());
        let content = message(from, to, &subject);
        let reply = ask(&world, door, from, &format!("{to}@contoso.example"), &content);
        assert!(secrets.iter().all(|secret| !reply.contains(secret)), "{reply}");
        let hop = if from == LENA { &world.onprem } else { &world.internet };
        let wanted = format!("Undeliverable: {subject}\r\n");
        let report = hop.wait_copy(&subject, |copy| {
            copy.content.contains(&wanted) && copy.recipients == [from]
        });
        let leaked = secrets.iter().find(|secret| report.content.contains(**secret));
        assert_eq!(leaked, None, "{}", report.content);
        assert!(
            report
                .content
                .contains(&format!("Final-Recipient: rfc822; {to}@contoso.example")),
            "{}",
            report.content
        );
    }
}
