//! §3.6: replies and what reports repeat of them, in both dialects.

use crate::support::{Organisation, World, message};
use crate::table::{Door, Source, ask, begins, differs, same, verify, write};

const OUTSIDE: &str = "x@outside.example";
const LENA: &str = "lena@contoso.example";
const ONLY_JONAS: &str = "accept_messages_only_from_senders_or_members = [\"jonas@contoso.example\"]";
const ONLY_INSIDE: &str = "require_sender_authentication_enabled = true";

fn organisation() -> Organisation {
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .on_premises("jonas")
        .group("listed", &["jonas"], ONLY_JONAS)
        .group("rejecting", &["jonas"], "reject_messages_from_senders_or_members = [\"lena@contoso.example\"]")
        .group("inside", &["jonas"], ONLY_INSIDE)
        .recipient("boss", "UserMailbox", ONLY_JONAS)
        .recipient("partner", "MailContact", &format!("external_email_address = \"p@partner.example\"\n{ONLY_JONAS}"))
        .recipient("inside-mailbox", "UserMailbox", ONLY_INSIDE)
        .recipient("inside-folder", "PublicFolder", ONLY_INSIDE)
        .recipient(
            "inside-user",
            "MailUser",
            &format!("external_email_address = \"u@partner.example\"\n{ONLY_INSIDE}"),
        )
        .recipient("small", "UserMailbox", "max_receive_size = \"1KB\"")
        .recipient("twin-1", "UserMailbox", "email_addresses = [\"smtp:twin@contoso.example\"]")
        .recipient("twin-2", "UserMailbox", "email_addresses = [\"smtp:twin@contoso.example\"]")
        .other_group(
            "club",
            "GroupMailbox",
            "members = [\"jonas@contoso.example\"]\nallow_only_members_to_post = true\nrequire_sender_authentication_enabled = false\nexternal_email_address = \"club@contoso.mail.onmicrosoft.example\"",
        );
    organisation
}

struct Row {
    source: Source,
    door: Door,
    from: &'static str,
    to: &'static str,
    server: &'static str,
    online: &'static str,
}

const fn row(
    source: Source,
    door: Door,
    from: &'static str,
    to: &'static str,
    server: &'static str,
    online: &'static str,
) -> Row {
    Row {
        source,
        door,
        from,
        to,
        server,
        online,
    }
}

const NOT_AUTHORIZED: &str = "550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized";
const AUTH_REQUIRED: &str = "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required";

const ROWS: &[Row] = &[
    row(
        same("§3.6 not in the accept list, group"),
        Door::Inside,
        LENA,
        "listed",
        NOT_AUTHORIZED,
        "550 5.7.124 RESOLVER.RST.RestrictedToGroupPermission; ",
    ),
    row(
        same("§3.6 in the reject list, group"),
        Door::Inside,
        LENA,
        "rejecting",
        NOT_AUTHORIZED,
        "550 5.7.124 RESOLVER.RST.RestrictedToGroupPermission; ",
    ),
    row(
        same("§3.6 the same, mailbox"),
        Door::Inside,
        LENA,
        "boss",
        NOT_AUTHORIZED,
        "550 5.7.129 RESOLVER.RST.RestrictedToRecipientsPermission; ",
    ),
    row(
        same("§3.6 the same, other recipient"),
        Door::Inside,
        LENA,
        "partner",
        NOT_AUTHORIZED,
        "550 5.7.129 RESOLVER.RST.RestrictedToRecipientsPermission; ",
    ),
    row(
        same("§3.6 authentication required, group"),
        Door::Outside,
        OUTSIDE,
        "inside",
        AUTH_REQUIRED,
        "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; Authentication required; Delivery restriction check failed because the sender was not authenticated when sending to this group",
    ),
    row(
        same("§3.6 authentication required, mailbox"),
        Door::Outside,
        OUTSIDE,
        "inside-mailbox",
        AUTH_REQUIRED,
        "550 5.7.134 RESOLVER.RST.SenderNotAuthenticatedForMailbox; Authentication required; ",
    ),
    row(
        same("§3.6 authentication required, public folder"),
        Door::Outside,
        OUTSIDE,
        "inside-folder",
        AUTH_REQUIRED,
        "550 5.7.135 RESOLVER.RST.SenderNotAuthenticatedForPublicFolder; Authentication required; ",
    ),
    row(
        same("§3.6 authentication required, mail user"),
        Door::Outside,
        OUTSIDE,
        "inside-user",
        AUTH_REQUIRED,
        "550 5.7.136 RESOLVER.RST.SenderNotAuthenticatedForMailUser; Authentication required; ",
    ),
    row(
        differs(
            "§3.6 sender not authenticated by the organisation: 5.7.12",
            "who claims our domain without proof: 5.7.1 in both dialects (RejectDirectSend's words name a connector of Microsoft's)",
        ),
        Door::Outside,
        LENA,
        "jonas",
        "550 5.7.1 This server accepts mail from senders of this domain only if they are authenticated",
        "550 5.7.1 This server accepts mail from senders of this domain only if they are authenticated",
    ),
    row(
        same("§3.6 not a member (M365G members-only)"),
        Door::Inside,
        LENA,
        "club",
        NOT_AUTHORIZED,
        "550 5.7.193 UnifiedGroupAgent; ",
    ),
    row(
        same("§3.6 the same, a member"),
        Door::Inside,
        "jonas@contoso.example",
        "club",
        "250",
        "250",
    ),
    row(
        same("§3.6 unknown recipient"),
        Door::Outside,
        OUTSIDE,
        "nobody",
        "550 5.1.1 RESOLVER.ADR.RecipNotFound; ",
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
    ),
    row(
        same("§3.6 unknown recipient, EX address"),
        Door::Outside,
        OUTSIDE,
        "IMCEAEX-_o=Contoso_cn=gone",
        "550 5.1.1 RESOLVER.ADR.ExRecipNotFound; ",
        "550 5.1.10 RESOLVER.ADR.ExRecipNotFound; ",
    ),
    row(
        same("§3.6 bad address form"),
        Door::Outside,
        OUTSIDE,
        "lena%elsewhere.example",
        "550 5.1.0 RESOLVER.ADR.InvalidInSmtp; ",
        "550 5.1.0 RESOLVER.ADR.InvalidInSmtp; ",
    ),
    row(
        same("§3.6 two objects, one address"),
        Door::Outside,
        OUTSIDE,
        "twin",
        "550 5.1.4 RESOLVER.ADR.Ambiguous; ",
        "550 5.1.4 RESOLVER.ADR.Ambiguous; ",
    ),
    row(
        same("§3.6 too large for recipient"),
        Door::Outside,
        OUTSIDE,
        "small",
        "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient",
        "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient",
    ),
    row(
        same("§3.6 relay refused"),
        Door::Outside,
        OUTSIDE,
        "someone@elsewhere.example",
        "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
        "550 5.7.64 TenantAttribution; Relay Access Denied",
    ),
];

/// What a row expects in one dialect.
type Column = fn(&Row) -> &'static str;

fn dialects() -> [(&'static str, Column); 2] {
    [("exchange", |row| row.server), ("exchange_online", |row| row.online)]
}

#[test]
fn replies_in_both_dialects() {
    for (dialect, expected) in dialects() {
        let mut world = World::of(&organisation()).policy(&format!("reply_dialect = \"{dialect}\""));
        world.start();
        verify(ROWS.iter().map(|row| {
            let to = if row.to.contains('@') {
                row.to.to_owned()
            } else {
                format!("{}@contoso.example", row.to)
            };
            let content = format!("{}{}\r\n", message(row.from, &to, "row"), "fill\r\n".repeat(300));
            let reply = ask(&world, row.door, row.from, &to, &content);
            let case = format!("{dialect}: {} to {}", row.from, row.to);
            (same(row.source.says), case, begins(&reply, expected(row)))
        }));
    }
}

#[test]
fn a_size_that_mail_declares_is_judged_at_rcpt() {
    let world = World::start_with(&organisation());
    let mut client = world.stranger();
    assert!(
        client
            .command("MAIL FROM:<x@outside.example> SIZE=5000")
            .starts_with("250 ")
    );
    let reply = client.command("RCPT TO:<small@contoso.example>");
    assert!(reply.starts_with("550 5.2.3 RESOLVER.RST.RecipSizeLimit; "), "{reply}");
}

#[test]
fn what_the_whole_message_is_refused_for() {
    let mut organisation = organisation();
    let people: Vec<String> = (0..40).map(|number| format!("p{number}")).collect();
    people.iter().for_each(|name| {
        organisation.on_premises(name);
    });
    let members: Vec<&str> = people.iter().map(String::as_str).collect();
    organisation.group("many", &members, "");
    let mut world = World::of(&organisation).more(
        "[limits]\nexpansion_recipients_max = 30\n[[listeners]]\nname = \"narrow\"\naddress = \"127.0.0.1:0\"\nrole = \"inbound\"\n",
    );
    world.start();
    let to = "jonas@contoso.example";
    let plain = message(OUTSIDE, to, "whole");
    let head = |octets: usize| format!("X-Fill: {}\r\n{plain}", "fold\r\n ".repeat(octets / 7));
    let bare = plain.replace("Hello.\r\n", "Hello.\nbare\r\n");
    let many = |count: usize| {
        let mut client = world.stranger();
        client.command("MAIL FROM:<x@outside.example>");
        let replies: Vec<String> = (0..count)
            .map(|_| client.command("RCPT TO:<jonas@contoso.example>"))
            .collect();
        replies.last().cloned().unwrap_or_default()
    };
    let mut client = world.stranger();
    let oversize = client.command("MAIL FROM:<x@outside.example> SIZE=999999999");
    verify([
        (
            same("§3.6 too large for the system"),
            "SIZE beyond the listener's".to_owned(),
            begins(&oversize, "552 5.3.4 message size exceeds fixed maximum message size"),
        ),
        (
            same("§3.6 header block over 256 KB"),
            "300 KB of header".to_owned(),
            begins(
                &ask(&world, Door::Outside, OUTSIDE, to, &head(300 * 1024)),
                "552 5.3.4 ",
            ),
        ),
        (
            differs(
                "§3.6 too many recipients, whole message: 5.5.3",
                "our bound is on recipients after expansion",
            ),
            "40 members, 30 allowed".to_owned(),
            begins(
                &write(&world, Door::Outside, OUTSIDE, "many@contoso.example", "many"),
                "550 5.5.3 RESOLVER.ADR.RecipLimit; too many recipients",
            ),
        ),
        (
            same("§3.6 too many recipients, session: the rest in another transaction"),
            "1,001 RCPTs".to_owned(),
            begins(&many(1_001), "452 4.5.3 "),
        ),
        (
            same("§3.6 bare LF"),
            "a bare LF in the body".to_owned(),
            begins(&ask(&world, Door::Outside, OUTSIDE, to, &bare), "550 5.6.11 "),
        ),
    ]);
}

/// Codes of mailbox servers and of rules that a relay does not have: they pass through in reports as they came.
#[test]
fn codes_of_the_next_hop_are_repeated() {
    let passed = [
        (same("§3.6 mailbox full"), "552 5.2.2 mailbox full"),
        (
            same("§3.6 receive rate of the mailbox"),
            "550 5.2.121 RESOLVER.RST.RecipientLimit; too many",
        ),
        (
            same("§3.6 directory-based edge block"),
            "550 5.4.1 Recipient address rejected: Access denied",
        ),
        (
            same("§3.6 rule rejected"),
            "550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected",
        ),
        (same("§3.6 custom code of a rule"), "550 5.7.950 not with this word"),
        (same("§3.6 SPF at the next hop"), "550 5.7.23 SPF"),
        (same("§3.6 DMARC at the next hop"), "550 5.7.509 DMARC"),
        (same("§3.6 no valid From at the next hop"), "550 5.7.512 From"),
        (same("§3.6 unregistered domains relayed"), "550 5.7.750 unregistered"),
        (
            same("§3.6 submit while the sender is blocked"),
            "550 5.1.8 bad outbound sender",
        ),
        (same("§3.6 own-name loop"), "554 5.3.5 loops back to myself"),
    ];
    let mut organisation = organisation();
    let names: Vec<String> = (0..passed.len()).map(|number| format!("r{number}")).collect();
    names.iter().for_each(|name| {
        organisation.cloud(name);
    });
    let world = World::start_with(&organisation);
    for (name, (_, reply)) in names.iter().zip(&passed) {
        world
            .cloud
            .answer_rcpt(&format!("{name}@contoso.mail.onmicrosoft.example"), reply);
    }
    verify(names.iter().zip(passed).map(|(name, (source, reply))| {
        let sent = write(&world, Door::Inside, LENA, &format!("{name}@contoso.example"), name);
        let held = begins(&sent, "250").and_then(|()| {
            let subject = format!("Undeliverable: {name}\r\n");
            let report = world
                .onprem
                .wait_copy(name, |copy| copy.content.contains(&subject))
                .content;
            let status = reply.split(' ').nth(1).unwrap_or_default();
            let wanted = [
                format!("Status: {status}\r\n"),
                format!("Diagnostic-Code: smtp; {reply}"),
            ];
            let missing = wanted.iter().find(|text| !report.replace("\r\n ", " ").contains(*text));
            missing.map_or(Ok(()), |text| Err(format!("{text} is missing in\n{report}")))
        });
        (source, reply.to_owned(), held)
    }));
}

/// A transient answer is no report: 432 4.3.2 of a mailbox server, 420 4.2.0 of a directory in trouble.
#[test]
fn transient_answers_of_the_next_hop_are_tried_again() {
    for (source, reply) in [
        (
            same("§3.6 delivery-thread limit"),
            "432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded",
        ),
        (
            same("§3.6 two objects, one address, also seen transient"),
            "420 4.2.0 RESOLVER.ADR.Ambiguous; ambiguous address",
        ),
    ] {
        let mut organisation = Organisation::new();
        organisation.cloud("lena").on_premises("hr");
        let world = World::start_with(&organisation);
        world
            .cloud
            .answer_rcpt_once("lena@contoso.mail.onmicrosoft.example", reply);
        let sent = write(&world, Door::Inside, "hr@contoso.example", LENA, "again");
        let copies = world.cloud.wait_recipients(1);
        verify([(source, reply.to_owned(), begins(&sent, "250"))]);
        assert_eq!(copies[0].recipients, ["lena@contoso.mail.onmicrosoft.example"]);
        assert!(world.onprem.copies().is_empty(), "no report about a wait that ended");
    }
}

/// Expired in the queue: 4.4.7 in Exchange; `expired_message_is_reported` in the stories shows the dialogue.
#[test]
fn the_report_for_people_and_for_machines() {
    for (dialect, status, reply) in [
        ("exchange", "5.7.1", NOT_AUTHORIZED),
        (
            "exchange_online",
            "5.7.124",
            "550 5.7.124 RESOLVER.RST.RestrictedToGroupPermission; ",
        ),
    ] {
        let mut organisation = organisation();
        organisation.group("outer", &["lena", "listed"], "");
        let mut world = World::of(&organisation).policy(&format!("reply_dialect = \"{dialect}\""));
        world.start();
        let sent = write(&world, Door::Inside, LENA, "outer@contoso.example", "layout");
        let held = begins(&sent, "250").and_then(|()| {
            let report = world
                .onprem
                .wait_copy("a report", |copy| copy.content.contains("Undeliverable: layout"));
            let content = report.content.replace("\r\n ", " ");
            let wanted = [
                "From: Mail Delivery",
                "postmaster@contoso.example",
                "Reporting-MTA: dns; muster.contoso.example",
                "Final-Recipient: rfc822; listed@contoso.example",
                "Action: failed",
                &format!("Status: {status}\r\n"),
                &format!("Diagnostic-Code: smtp; {reply}"),
                "Subject: layout",
            ]
            .map(str::to_owned);
            let missing = wanted.iter().find(|text| !content.contains(*text));
            missing.map_or(Ok(()), |text| Err(format!("{text} is missing in\n{content}")))
        });
        verify([(
            same("§3.6 NDR layout: for the user, then generating server, recipient, code, original"),
            dialect.to_owned(),
            held,
        )]);
    }
}
