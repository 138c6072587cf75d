//! §3.4: restrictions met below the addressed group.

use crate::support::hop::Copy;
use crate::support::{Organisation, World};
use crate::table::{Door, Source, begins, differs, same, verify, write};

const ONLY_JONAS: &str = "accept_messages_only_from_senders_or_members = [\"jonas@contoso.example\"]";

fn organisation() -> Organisation {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("jonas")
        .on_premises("mia")
        .recipient("boss", "UserMailbox", ONLY_JONAS)
        .recipient("guarded", "UserMailbox", "require_sender_authentication_enabled = true")
        .recipient("small", "UserMailbox", "max_receive_size = \"1KB\"")
        .group("child", &["jonas"], ONLY_JONAS)
        .group("parent", &["mia", "child"], "")
        .group("grand", &["parent"], "")
        .group("chiefs", &["mia", "boss"], "")
        .group("careful", &["mia", "guarded"], "")
        .group("tight", &["mia", "small"], "")
        .group("closed", &["jonas"], "require_sender_authentication_enabled = true")
        .group("open-outside", &["mia", "closed"], "")
        .group("secret", &["mia", "boss"], "hidden_group_membership_enabled = true")
        .group("alone", &["child"], "");
    organisation
}

/// The report about a message, where its sender gets mail.
fn report(world: &World, to: &str, subject: &str) -> Copy {
    let hop = if to.ends_with("@contoso.example") {
        &world.onprem
    } else {
        &world.internet
    };
    let wanted = format!("Undeliverable: {subject}");
    hop.wait_copy(&wanted, |copy| {
        copy.reverse_path.is_empty() && copy.recipients == [to] && copy.content.contains(&wanted)
    })
}

fn has_all(content: &str, wanted: &[&str], unwanted: &[&str]) -> Result<(), String> {
    let content = &content.replace("\r\n ", " ");
    let missing = wanted.iter().find(|text| !content.contains(**text));
    let leaked = unwanted.iter().find(|text| content.contains(**text));
    match (missing, leaked) {
        (None, None) => Ok(()),
        (Some(text), _) => Err(format!("{text} is missing in\n{content}")),
        (None, Some(text)) => Err(format!("{text} stands in\n{content}")),
    }
}

struct Row {
    source: Source,
    from: &'static str,
    to: &'static str,
    /// Who gets a copy all the same.
    reached: &'static str,
    wanted: &'static [&'static str],
    unwanted: &'static [&'static str],
}

fn rows() -> Vec<Row> {
    let lena = "lena@contoso.example";
    let not_accepted = "Diagnostic-Code: smtp; 550 5.7.124 RESOLVER.RST.RestrictedToGroupPermission;";
    let row = |source, from, to, wanted, unwanted| Row {
        source,
        from,
        to,
        reached: "mia@contoso.example",
        wanted,
        unwanted,
    };
    let (group, recipient): (&'static [&'static str], &'static [&'static str]) = (
        &[
            "Final-Recipient: rfc822; child@contoso.example",
            "Diagnostic-Code: smtp; 550 5.7.124 RESOLVER.RST.RestrictedToGroupPermission;",
        ],
        &[
            "Final-Recipient: rfc822; boss@contoso.example",
            "Diagnostic-Code: smtp; 550 5.7.129 RESOLVER.RST.RestrictedToRecipientsPermission;",
        ],
    );
    assert!(group.contains(&not_accepted));
    vec![
        row(
            same(
                "§3.4 the sender must satisfy the child's list; the rest is delivered, the report names the sub-group",
            ),
            lena,
            "parent",
            group,
            &["jonas@"],
        ),
        row(same("§3.4 two levels below"), lena, "grand", group, &["jonas@"]),
        row(
            same("§3.4 the same for an individual mailbox"),
            lena,
            "chiefs",
            recipient,
            &[],
        ),
        row(
            same("§2.4 size of a member: 5.2.3 for that recipient"),
            lena,
            "tight",
            &[
                "Final-Recipient: rfc822; small@contoso.example",
                "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient",
            ],
            &[],
        ),
        row(
            same("§2.5 HiddenGroupMembershipEnabled: never a member in a report"),
            lena,
            "secret",
            &["Final-Recipient: rfc822; secret@contoso.example", "Status: 5.7.129"],
            &["boss@", "Diagnostic-Code"],
        ),
    ]
}

#[test]
fn a_branch_that_refuses_is_reported_and_the_rest_is_delivered() {
    let world = World::start_with(&organisation());
    verify(rows().into_iter().enumerate().map(|(index, row)| {
        let subject = format!("nested-{index}");
        // Over a kilobyte, for the row about sizes.
        let content = format!(
            "{}{}\r\n",
            crate::support::message(row.from, row.to, &subject),
            "x".repeat(70).as_str().to_owned() + &"\r\nfill".repeat(300)
        );
        let to = format!("{}@contoso.example", row.to);
        let reply = crate::table::ask(&world, Door::Inside, row.from, &to, &content);
        let held = begins(&reply, "250").and_then(|()| {
            world.onprem.wait_copy(row.reached, |copy| {
                copy.content.contains(&format!("Subject: {subject}"))
                    && copy.recipients.contains(&row.reached.to_owned())
            });
            has_all(&report(&world, row.from, &subject).content, row.wanted, row.unwanted)
        });
        (row.source, format!("to {}", row.to), held)
    }));
}

#[test]
fn what_a_stranger_learns_of_a_refused_branch() {
    let mut world = World::of(&organisation()).policy("notify_partial = \"always\"");
    world.start();
    let outside = "x@outside.example";
    let rows = [
        (
            same("§3.4 the message keeps the state of the original sender: expansion does not launder it"),
            "open-outside",
            "Status: 5.7.133",
        ),
        (
            same("§3.4 the same at an individual mailbox"),
            "careful",
            "Status: 5.7.134",
        ),
    ];
    verify(rows.into_iter().map(|(source, to, status)| {
        let address = format!("{to}@contoso.example");
        let reply = write(&world, Door::Outside, outside, &address, to);
        let held = begins(&reply, "250").and_then(|()| {
            let wanted = [status, &format!("Final-Recipient: rfc822; {address}")[..]].map(str::to_owned);
            let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
            // A stranger sees the group he wrote to, whatever is nested in it.
            has_all(
                &report(&world, outside, to).content,
                &wanted,
                &["closed@", "guarded@", "jonas@", "Diagnostic-Code"],
            )
        });
        (source, to.to_owned(), held)
    }));
}

#[test]
fn nobody_is_left_so_the_reply_says_it() {
    let world = World::start_with(&organisation());
    let lena = "lena@contoso.example";
    let reply = write(&world, Door::Inside, lena, "alone@contoso.example", "alone");
    verify([(
        differs(
            "§3.4 the NDR names the restricted sub-group",
            "if nobody at all is left the reply to the final dot says so, and no report is made",
        ),
        "to a group whose only entry refuses".to_owned(),
        begins(&reply, "550 5.7.124 "),
    )]);
}

#[test]
fn restrictions_of_the_top_only() {
    let mut world = World::of(&organisation()).policy("nested_restrictions = \"top_only\"");
    world.start();
    let lena = "lena@contoso.example";
    let reply = write(&world, Door::Inside, lena, "parent@contoso.example", "top");
    let reached = world.onprem.wait_recipients(2);
    let mut reached: Vec<String> = reached.into_iter().flat_map(|copy| copy.recipients).collect();
    reached.sort();
    let direct = write(&world, Door::Inside, lena, "child@contoso.example", "direct");
    verify([
        (
            same("§3.4 nested_restrictions = top_only: the inner group's list is not asked"),
            "to parent".to_owned(),
            begins(&reply, "250").and_then(|()| match &reached[..] {
                [jonas, mia] if jonas.starts_with("jonas@") && mia.starts_with("mia@") => Ok(()),
                other => Err(format!("reached {other:?}")),
            }),
        ),
        (
            same("§3.4 …and an addressed group is still asked"),
            "to child".to_owned(),
            begins(&direct, "550 5.7.124 "),
        ),
    ]);
}
