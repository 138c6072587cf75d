//! §3.3: one object's accept and reject lists.

use crate::support::{Organisation, World};
use crate::table::{Door, Source, begins, differs, same, verify, write};

const REFUSED: &str = "550 5.7.124 RESOLVER.RST.RestrictedToGroupPermission; ";

struct Row {
    source: Source,
    accept: &'static [&'static str],
    reject: &'static [&'static str],
    from: &'static str,
    expected: &'static str,
}

fn rows() -> Vec<Row> {
    let row = |source, accept, reject, from, expected| Row {
        source,
        accept,
        reject,
        from,
        expected,
    };
    vec![
        row(
            same("§3.3 truth table: A empty, not in R: accept"),
            &[],
            &["jonas"],
            "lena",
            "250",
        ),
        row(
            same("§3.3 truth table: A empty, in R: reject"),
            &[],
            &["lena"],
            "lena",
            REFUSED,
        ),
        row(
            same("§3.3 truth table: in A, not in R: accept"),
            &["lena"],
            &["jonas"],
            "lena",
            "250",
        ),
        row(
            same("§3.3 truth table: in A and in R: reject"),
            &["lena"],
            &["lena"],
            "lena",
            REFUSED,
        ),
        row(
            same("§3.3 truth table: A not empty, not in A: reject"),
            &["jonas"],
            &[],
            "lena",
            REFUSED,
        ),
        row(
            same("§3.3 truth table: not in A, in R: reject"),
            &["jonas"],
            &["lena"],
            "lena",
            REFUSED,
        ),
        row(
            same("§3.3 second pass: member of a listed group"),
            &["team"],
            &[],
            "lena",
            "250",
        ),
        row(
            same("§3.3 full nested expansion of listed groups"),
            &["outer"],
            &[],
            "lena",
            "250",
        ),
        row(
            same("§3.3 full nested expansion, reject list"),
            &[],
            &["outer"],
            "lena",
            REFUSED,
        ),
        row(
            same("§3.3 nested, and the sender is in none"),
            &["outer"],
            &[],
            "jonas",
            REFUSED,
        ),
        row(
            same("§3.5 groups in a cycle, in a list"),
            &["ring-a"],
            &[],
            "lena",
            "250",
        ),
        row(
            same("§3.5 groups in a cycle, and the sender is in none"),
            &["ring-a"],
            &[],
            "jonas",
            REFUSED,
        ),
        row(
            same("§3.3 group A allowed, one of its members in R"),
            &["team"],
            &["lena"],
            "lena",
            REFUSED,
        ),
        row(
            same("§3.3 accept of a person does not override reject of his group"),
            &["lena"],
            &["team"],
            "lena",
            REFUSED,
        ),
        row(
            same("§3.3 listed groups may be MESG"),
            &["security"],
            &[],
            "lena",
            "250",
        ),
        row(
            same("§3.3 a DDG in a list uses its stored list"),
            &["berlin"],
            &[],
            "lena",
            "250",
        ),
        row(
            same("§3.3 a DDG in a list, and the sender does not match"),
            &["berlin"],
            &[],
            "jonas",
            REFUSED,
        ),
        row(
            same("§3.3 the owner is not exempt from accept lists"),
            &["jonas"],
            &[],
            "owner",
            REFUSED,
        ),
        row(
            same("§3.2 the sender is matched by every proxy address"),
            &["lena"],
            &[],
            "l.berg",
            "250",
        ),
        row(
            same("§3.2 a list may name a proxy address"),
            &["l.berg"],
            &[],
            "lena",
            "250",
        ),
        row(
            same("§2.1 the listed group's own address is no member of it"),
            &["team"],
            &[],
            "team",
            REFUSED,
        ),
        row(
            differs(
                "§3.3 A empty means everybody",
                "a list whose entries name nobody any more is not an empty list: deleting a person opens no group",
            ),
            &["gone"],
            &[],
            "lena",
            REFUSED,
        ),
    ]
}

#[test]
fn accept_and_reject_lists() {
    let rows = rows();
    let mut organisation = Organisation::new();
    organisation
        .recipient(
            "lena",
            "UserMailbox",
            "email_addresses = [\"smtp:l.berg@contoso.example\"]\noffice = \"Berlin\"",
        )
        .recipient("jonas", "UserMailbox", "office = \"Vienna\"")
        .on_premises("owner")
        .group("team", &["lena"], "")
        .group("outer", &["team"], "")
        .group("ring-a", &["ring-b"], "")
        .group("ring-b", &["ring-a", "lena"], "")
        .other_group(
            "security",
            "MailUniversalSecurityGroup",
            "members = [\"lena@contoso.example\"]\nrequire_sender_authentication_enabled = false",
        )
        .dynamic("berlin", "Office -eq 'Berlin'", "");
    let address = |name: &&str| format!("{name}@contoso.example");
    for (index, row) in rows.iter().enumerate() {
        let accept: Vec<String> = row.accept.iter().map(address).collect();
        let reject: Vec<String> = row.reject.iter().map(address).collect();
        let more = format!(
            "managed_by = [\"owner@contoso.example\"]\n\
             accept_messages_only_from_senders_or_members = {accept:?}\n\
             reject_messages_from_senders_or_members = {reject:?}"
        );
        organisation.group(&format!("g{index}"), &["jonas"], &more);
    }
    let world = World::start_with(&organisation);
    verify(rows.into_iter().enumerate().map(|(index, row)| {
        let from = address(&row.from);
        let reply = write(
            &world,
            Door::Inside,
            &from,
            &format!("g{index}@contoso.example"),
            "lists",
        );
        let case = format!("accept {:?} reject {:?} from {}", row.accept, row.reject, row.from);
        (row.source, case, begins(&reply, row.expected))
    }));
}

#[test]
fn authentication_is_another_gate_than_lists() {
    let outside = "x@outside.example";
    let list = |who: &str| format!("accept_messages_only_from_senders_or_members = [\"{who}\"]\n");
    let asks = "require_sender_authentication_enabled = true";
    let mut organisation = Organisation::new();
    organisation
        .on_premises("lena")
        .recipient(
            "friend",
            "MailContact",
            &format!("external_email_address = \"{outside}\"\nemail_addresses = [\"smtp:{outside}\"]"),
        )
        .group("listed", &["lena"], &list(outside))
        .group("contact", &["lena"], &list("friend@contoso.example"))
        .group("both", &["lena"], &format!("{}{asks}", list(outside)))
        .group("inside", &["lena"], asks)
        .group("forged", &["lena"], &list("lena@contoso.example"));
    let world = World::of(&organisation).policy("spoofed = \"external\"");
    let mut world = world;
    world.start();
    let row =
        |source, door, from: &'static str, to: &'static str, expected: &'static str| (source, door, from, to, expected);
    let lena = "lena@contoso.example";
    let rows = [
        row(
            same("§3.2 an outside person can be listed"),
            Door::Outside,
            outside,
            "listed",
            "250",
        ),
        row(
            same("§3.2 …by a mail contact with that address"),
            Door::Outside,
            outside,
            "contact",
            "250",
        ),
        row(
            same("§3.2 …and nobody else"),
            Door::Outside,
            "y@outside.example",
            "listed",
            REFUSED,
        ),
        row(
            same("§3.3 authentication fails even if the address is on the accept list"),
            Door::Outside,
            outside,
            "both",
            "550 5.7.133 ",
        ),
        row(
            same("§3.3 authentication without a list"),
            Door::Outside,
            outside,
            "inside",
            "550 5.7.133 ",
        ),
        row(same("§3.3 authentication proven"), Door::Inside, lena, "inside", "250"),
        row(
            same("§3.2 mail from our domain through an anonymous connector is external"),
            Door::Outside,
            lena,
            "inside",
            "550 5.7.133 ",
        ),
        row(
            differs(
                "§3.2 the lookup key is the P1 address, whoever gave it",
                "who claims one of our addresses without proof is accepted as nobody; else an accept list is open \
                 to anybody who forges a listed address",
            ),
            Door::Outside,
            lena,
            "forged",
            REFUSED,
        ),
        row(same("§3.2 the same, proven"), Door::Inside, lena, "forged", "250"),
    ];
    verify(rows.into_iter().map(|(source, door, from, to, expected)| {
        let reply = write(&world, door, from, &format!("{to}@contoso.example"), "gate");
        (source, format!("{from} to {to}"), begins(&reply, expected))
    }));
}
