//! §3.7: return path, reports and automatic replies.

use crate::support::{Organisation, World, message};
use crate::table::{Door, Source, ask, begins, differs, drained, same, verify};

const OUTSIDE: &str = "x@outside.example";
const OWNER: &str = "owner@contoso.example";
const TO_OWNER: &str = "report_to_originator_enabled = false\nreport_to_manager_enabled = true\nmanaged_by = [\"owner@contoso.example\", \"second@contoso.example\"]";
const TO_NOBODY: &str = "report_to_originator_enabled = false";

fn organisation() -> Organisation {
    let mut organisation = Organisation::new();
    for name in ["lena", "jonas", "owner", "second", "last"] {
        organisation.on_premises(name);
    }
    organisation
        .group("originator", &["lena"], "")
        .group("owner-group", &["lena"], TO_OWNER)
        .group("nobody-group", &["lena"], TO_NOBODY)
        .group(
            "both",
            &["lena"],
            "report_to_manager_enabled = true\nmanaged_by = [\"owner@contoso.example\"]",
        )
        .group(
            "ownerless",
            &["lena"],
            "report_to_originator_enabled = false\nreport_to_manager_enabled = true",
        )
        .group("outer", &["jonas", "owner-group", "nobody-inner"], "")
        .group("nobody-inner", &["last"], TO_NOBODY)
        .group("quiet", &["lena"], "")
        .group("chatty", &["lena"], "send_oof_message_to_originator_enabled = true")
        .group(
            "chatty-outer",
            &["jonas", "quiet"],
            "send_oof_message_to_originator_enabled = true",
        )
        .dynamic("everybody", "Alias -eq 'lena'", "");
    organisation
}

/// Copies that bear a subject: at least so many are waited for, and then the end of all deliveries.
fn copies(world: &World, subject: &str, at_least: usize) -> Vec<crate::support::hop::Copy> {
    let wanted = format!("Subject: {subject}\r\n");
    let found = || {
        let copies = world.onprem.copies();
        let found = copies.into_iter().filter(|copy| copy.content.contains(&wanted));
        found.collect::<Vec<_>>()
    };
    let count = || found().iter().map(|copy| copy.recipients.len()).sum::<usize>();
    world.until(subject, || count() >= at_least);
    drained(world);
    found()
}

#[test]
fn reports_sent_to_a_group() {
    let world = World::start_with(&organisation());
    let ndr = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\nMIME-Version: 1.0\r\n";
    let receipt =
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\nMIME-Version: 1.0\r\n";
    let away = "Auto-Submitted: auto-replied (vacation)\r\n";
    let alert = "Auto-Submitted: auto-generated\r\n";
    let suppress = "X-Auto-Response-Suppress: All\r\nPrecedence: bulk\r\n";
    let owner: &[&str] = &["owner@contoso.example"];
    let lena: &[&str] = &["lena@contoso.example"];
    let row =
        |source: Source, to: &'static str, from: &'static str, head: &'static str, reached: &'static [&'static str]| {
            (source, to, from, head, reached)
        };
    let rows = [
        row(
            same("§3.7 report to originator: NDR arrives: delete"),
            "originator",
            "",
            ndr,
            &[],
        ),
        row(
            same("§3.7 report to originator: other report arrives: delete"),
            "originator",
            OUTSIDE,
            receipt,
            &[],
        ),
        row(same("§3.7 neither: NDR arrives: delete"), "nobody-group", "", ndr, &[]),
        row(
            same("§3.7 neither: other report arrives: delete"),
            "nobody-group",
            OUTSIDE,
            receipt,
            &[],
        ),
        row(
            same("§3.7 report to manager: NDR arrives: deliver to manager"),
            "owner-group",
            "",
            ndr,
            owner,
        ),
        row(
            same("§3.7 report to manager: other report arrives: delete"),
            "owner-group",
            OUTSIDE,
            receipt,
            &[],
        ),
        row(
            same("§3.7 report to manager: out of office arrives: delete"),
            "owner-group",
            OUTSIDE,
            away,
            &[],
        ),
        row(same("§3.7 recognised by null P1"), "originator", "", "", &[]),
        row(
            same("§3.7 recognised by multipart/report"),
            "originator",
            OUTSIDE,
            ndr,
            &[],
        ),
        row(
            same("§3.7 recognised by Auto-Submitted: auto-replied"),
            "originator",
            OUTSIDE,
            away,
            &[],
        ),
        row(
            same("§3.7 X-Auto-Response-Suppress alone is a request on ordinary mail"),
            "originator",
            OUTSIDE,
            suppress,
            lena,
        ),
        row(
            same("§3.7 auto-generated is an alert, not a reply (RFC 3834)"),
            "originator",
            OUTSIDE,
            alert,
            lena,
        ),
        row(
            differs(
                "§3.7 MAPI classes such as IPM.Note.Rules.OofTemplate, only in TNEF",
                "TNEF is not opened; Exchange adds Auto-Submitted on its way out",
            ),
            "originator",
            OUTSIDE,
            "X-MS-TNEF-Correlator: <1@x>\r\n",
            lena,
        ),
        row(same("§3.7 the same to a dynamic group"), "everybody", "", ndr, &[]),
        row(
            same("§0.7 a null P1 to a single person always passes"),
            "lena",
            "",
            ndr,
            lena,
        ),
    ];
    verify(
        rows.into_iter()
            .enumerate()
            .map(|(index, (source, to, from, head, reached))| {
                let subject = format!("report-{index}");
                let content = format!("{head}{}", message(from, to, &subject));
                let address = format!("{to}@contoso.example");
                let reply = ask(&world, Door::Outside, from, &address, &content);
                let held = begins(&reply, "250").and_then(|()| {
                    let copies = copies(&world, &subject, reached.len());
                    let found: Vec<&str> = copies
                        .iter()
                        .flat_map(|copy| &copy.recipients)
                        .map(String::as_str)
                        .collect();
                    if found == reached {
                        Ok(())
                    } else {
                        Err(format!("reached {found:?}, expected {reached:?}"))
                    }
                });
                (source, format!("to {to} from <{from}> {head:?}"), held)
            }),
    );
}

/// (recipient, reverse-path, a parameter of RCPT; a `-` before it means it must not stand there).
type Expected = &'static [(&'static str, &'static str, &'static str)];

fn check(world: &World, subject: &str, expected: Expected) -> Result<(), String> {
    let copies = copies(world, subject, expected.len());
    for (recipient, reverse_path, parameter) in expected {
        let recipient = format!("{recipient}@contoso.example");
        let copy = copies.iter().find(|copy| copy.recipients.contains(&recipient));
        let Some(copy) = copy else {
            return Err(format!("{recipient} has no copy"));
        };
        let place = copy.recipients.iter().position(|to| *to == recipient).unwrap_or(0);
        let parameters = &copy.recipient_parameters[place];
        let fits = match parameter.strip_prefix('-') {
            Some(unwanted) => !parameters.contains(unwanted),
            None => parameters.contains(parameter),
        };
        if copy.reverse_path != *reverse_path || !fits {
            return Err(format!("{recipient}: from <{}> {parameters}", copy.reverse_path));
        }
    }
    let count: usize = copies.iter().map(|copy| copy.recipients.len()).sum();
    if count == expected.len() {
        Ok(())
    } else {
        Err(format!("{count} copies"))
    }
}

fn rows() -> Vec<(Source, &'static str, &'static str, Expected)> {
    vec![
        (
            same("§3.7 originator: P1 unchanged, DSN request unchanged"),
            "originator",
            "",
            &[("lena", OUTSIDE, "-NOTIFY")],
        ),
        (
            same("§3.7 originator: NOTIFY=NEVER unchanged"),
            "originator",
            "NOTIFY=NEVER",
            &[("lena", OUTSIDE, "NOTIFY=NEVER")],
        ),
        (
            same("§3.7 originator: NOTIFY=DELAY,FAILURE unchanged"),
            "originator",
            "NOTIFY=DELAY,FAILURE",
            &[("lena", OUTSIDE, "DELAY")],
        ),
        (
            differs(
                "§3.7 originator: NOTIFY=SUCCESS unchanged",
                "RFC 3461 §5.2.7.3: the group is reported as expanded once, the copies no longer ask for success",
            ),
            "originator",
            "NOTIFY=SUCCESS,FAILURE",
            &[("lena", OUTSIDE, "-SUCCESS")],
        ),
        (
            same("§3.7 manager: P1 is the first owner, NOTIFY=FAILURE"),
            "owner-group",
            "",
            &[("lena", OWNER, "NOTIFY=FAILURE")],
        ),
        (
            same("§3.7 manager: success, delay and read are suppressed"),
            "owner-group",
            "NOTIFY=SUCCESS,DELAY",
            &[("lena", OWNER, "NOTIFY=FAILURE")],
        ),
        (
            same("§3.7 neither: null P1, NOTIFY=NEVER"),
            "nobody-group",
            "NOTIFY=SUCCESS,FAILURE",
            &[("lena", "", "NOTIFY=NEVER")],
        ),
        (
            differs(
                "§2.3 both true: not allowed",
                "a source may say both all the same: the manager wins, because the originator is on unless somebody turned it off",
            ),
            "both",
            "",
            &[("lena", OWNER, "NOTIFY=FAILURE")],
        ),
        (
            differs(
                "§3.7 manager, and the group has none",
                "the originator hears of failures, so that none is lost",
            ),
            "ownerless",
            "",
            &[("lena", OUTSIDE, "-NEVER")],
        ),
        (
            same("§3.7 nested groups: each group's own setting applies to its branch (bifurcation)"),
            "outer",
            "",
            &[
                ("jonas", OUTSIDE, "-NOTIFY"),
                ("lena", OWNER, "NOTIFY=FAILURE"),
                ("last", "", "NOTIFY=NEVER"),
            ],
        ),
    ]
}

fn send(world: &World, to: &str, notify: &str, subject: &str) -> String {
    let mut client = world.stranger();
    client.command("MAIL FROM:<x@outside.example>");
    let rcpt = client.command(format!("RCPT TO:<{to}@contoso.example> {notify}").trim_end());
    if !rcpt.starts_with("250") {
        return rcpt;
    }
    client.content(&message(OUTSIDE, to, subject))
}

#[test]
fn return_path_and_dsn_request_of_copies() {
    let world = World::start_with(&organisation());
    verify(
        rows()
            .into_iter()
            .enumerate()
            .map(|(index, (source, to, notify, expected))| {
                let subject = format!("through-{index}");
                let reply = send(&world, to, notify, &subject);
                let held = begins(&reply, "250").and_then(|()| check(&world, &subject, expected));
                (source, format!("to {to} {notify}"), held)
            }),
    );
}

#[test]
fn suppressed_reports_by_setting() {
    for (setting, reverse_path) in [("null", ""), ("unchanged", OUTSIDE)] {
        let mut world = World::of(&organisation()).policy(&format!("suppressed_reports = \"{setting}\""));
        world.start();
        let reply = send(&world, "nobody-group", "", setting);
        let expected: Expected = match setting {
            "null" => &[("lena", "", "NOTIFY=NEVER")],
            _ => &[("lena", OUTSIDE, "NOTIFY=NEVER")],
        };
        let held = begins(&reply, "250").and_then(|()| check(&world, setting, expected));
        verify([(
            same("§2.3 both false: the return path may be empty, which some servers reject"),
            format!("{setting}: <{reverse_path}>"),
            held,
        )]);
    }
}

#[test]
fn automatic_replies_of_members() {
    const FIELD: &str = "X-Auto-Response-Suppress: OOF, AutoReply\r\n";
    let rows = [
        (
            same("§2.3 SendOof off: auto replies of members must not go back"),
            "as_group_says",
            "quiet",
            &[("lena", true)][..],
        ),
        (same("§2.3 SendOof on"), "as_group_says", "chatty", &[("lena", false)]),
        (
            same("§3.1 copies are split when auto-responses are suppressed"),
            "as_group_says",
            "chatty-outer",
            &[("jonas", false), ("lena", true)],
        ),
        (
            same("a person addressed directly"),
            "as_group_says",
            "lena",
            &[("lena", false)],
        ),
        (
            differs("§2.3 SendOof off", "auto_replies = allow: nothing is added to any copy"),
            "allow",
            "quiet",
            &[("lena", false)],
        ),
    ];
    verify(["as_group_says", "allow"].into_iter().flat_map(|setting| {
        let mut world = World::of(&organisation()).policy(&format!("auto_replies = \"{setting}\""));
        world.start();
        let here = rows.iter().enumerate().filter(move |(_, row)| row.1 == setting);
        here.map(move |(index, (source, _, to, expected))| {
            let subject = format!("oof-{index}");
            let reply = send(&world, to, "", &subject);
            let held = begins(&reply, "250").and_then(|()| {
                let copies = copies(&world, &subject, expected.len());
                let has = |name: &str| {
                    let recipient = format!("{name}@contoso.example");
                    let copy = copies.iter().find(|copy| copy.recipients.contains(&recipient));
                    copy.map(|copy| copy.content.contains(FIELD))
                };
                let wrong = expected
                    .iter()
                    .find(|(name, suppressed)| has(name) != Some(*suppressed));
                wrong.map_or(Ok(()), |(name, _)| Err(format!("{name}: {:?}", has(name))))
            });
            let source = Source { ..*source };
            (source, format!("{setting}: to {to}"), held)
        })
    }));
}
