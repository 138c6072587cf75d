//! What a report says, and that no text of others can make it say more.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::mail::header::MediaType;

const MESSAGE: &[u8] = b"Received: from a by b; x\r\nSubject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello.\r\n";

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).expect("a valid test address")
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a test time")
}

fn letterhead() -> Letterhead {
    Letterhead {
        id: MessageId(Uuid::from_u128(2)),
        made_at: time("2026-11-21T07:30:00Z"),
        host: "mx.contoso.example".to_owned(),
        postmaster: mailbox("postmaster@contoso.example"),
        to: mailbox("hr@contoso.example"),
    }
}

fn about() -> AboutMessage {
    AboutMessage {
        id: MessageId(Uuid::from_u128(1)),
        arrived_at: time("2026-11-21T07:21:30Z"),
        subject: Some("=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=".to_owned()),
        header_message_id: Some("<1@contoso.example>".to_owned()),
    }
}

fn failed(address: &str) -> ReportRecipient {
    ReportRecipient {
        address: address.to_owned(),
        disclosure: Disclosure::Recipient,
        original: None,
        action: Action::Failed,
        status: EnhancedStatus::new(5, 1, 10),
        reply: Some(Reply::new(550, (5, 1, 10), "Recipient not found")),
        remote: Some("cloud.example".to_owned()),
        last_attempt_at: Some(time("2026-11-21T07:22:00Z")),
        will_retry_until: None,
    }
}

fn report(recipients: Vec<ReportRecipient>) -> DeliveryReport<'static> {
    DeliveryReport {
        letterhead: letterhead(),
        about: about(),
        envid: Some("QQ+2B314159"),
        recipients,
        unnamed: 0,
        original: Original {
            head: MESSAGE,
            whole: Some(MESSAGE),
        },
    }
}

/// A report taken apart by our own strict reader: top fields, then (media type, content) of each part.
fn parts(octets: &[u8]) -> (HeaderSection<'_>, Vec<(String, &[u8])>) {
    let top = HeaderSection::parse(octets).expect("small");
    assert_eq!(top.malformed_lines, 0);
    let value = top.first("Content-Type").expect("a type").unfolded();
    let boundary = MediaType::parse(&value)
        .and_then(|media| media.parameter("boundary").map(str::to_owned))
        .expect("a boundary");
    let line = format!("--{boundary}");
    let body = &octets[top.octets + 2..];
    let starts: Vec<usize> = memchr::memmem::find_iter(body, line.as_bytes()).collect();
    assert!(body[*starts.last().expect("an end")..].ends_with(format!("{line}--\r\n").as_bytes()));
    let parts = starts
        .windows(2)
        .map(|pair| {
            let part = &body[pair[0] + line.len() + 2..pair[1] - 2];
            let section = HeaderSection::parse(part).expect("small");
            assert_eq!(section.malformed_lines, 0);
            let media = section.first("Content-Type").expect("a type").unfolded().into_owned();
            (media, &part[section.octets + 2..])
        })
        .collect();
    (top, parts)
}

/// Names and values of the delivery-status part, one list per block.
fn blocks(status: &[u8]) -> Vec<Vec<(String, String)>> {
    let mut rest = status;
    let mut blocks = Vec::new();
    loop {
        let section = HeaderSection::parse(rest).expect("small");
        assert_eq!(section.malformed_lines, 0);
        let block = section.fields().iter();
        blocks.push(
            block
                .map(|field| (field.name.to_owned(), field.unfolded().into_owned()))
                .collect(),
        );
        match rest.get(section.octets + 2..) {
            Some(more) if !more.is_empty() => rest = more,
            _ => return blocks,
        }
    }
}

#[test]
fn a_failure_report_as_a_whole() {
    let composed = compose(&report(vec![failed("lena@contoso.example")]));
    let text = String::from_utf8(composed.octets.clone()).expect("ASCII");
    let expected = include_str!("failed.eml").replace('\n', "\r\n");
    assert_eq!(text, expected, "\n{text}");
    assert_eq!((composed.body, composed.smtputf8), (BodyType::SevenBit, false));
}

#[test]
fn every_action_has_its_fields_and_words() {
    for (action, word, subject, sentence) in [
        (
            Action::Failed,
            "failed",
            "Undeliverable: Grüße",
            "could not be delivered",
        ),
        (Action::Delayed, "delayed", "Delayed: Grüße", "still trying"),
        (
            Action::Relayed,
            "relayed",
            "Relayed: Grüße",
            "handed to the next mail system",
        ),
        (Action::Expanded, "expanded", "Expanded: Grüße", "members of the group"),
    ] {
        let line = ReportRecipient {
            action,
            ..failed("all@contoso.example")
        };
        let report = report(vec![line]);
        assert_eq!(human::subject(&report), subject);
        let (named, more) = named(&report);
        assert!(human::explanation(&report, &named, more).contains(sentence), "{word}");
        let composed = compose(&report);
        let (_, parts) = parts(&composed.octets);
        assert!(blocks(parts[1].1)[1].contains(&("Action".to_owned(), word.to_owned())));
    }
}

#[test]
fn members_of_a_group_stay_unnamed() {
    let hidden = |reply: &'static str| ReportRecipient {
        disclosure: Disclosure::MembersOfGroup,
        reply: Some(Reply::new(550, (5, 1, 10), reply)),
        ..failed("board@contoso.example")
    };
    let composed = compose(&report(vec![
        hidden("<secret1@contoso.example> unknown"),
        hidden("<secret2@contoso.example> unknown"),
    ]));
    let text = String::from_utf8_lossy(&composed.octets);
    assert!(!text.contains("secret") && !text.contains("cloud.example"), "{text}");
    let (_, parts) = parts(&composed.octets);
    assert_eq!(
        blocks(parts[1].1).len(),
        2,
        "one line for both, or their number would show"
    );
    assert!(!text.contains("more recipient"));
}

#[test]
fn a_hundred_are_named_the_rest_counted() {
    let many = (0..250)
        .map(|number| failed(&format!("p{number}@contoso.example")))
        .collect();
    let report = DeliveryReport {
        unnamed: 1_000,
        ..report(many)
    };
    let composed = compose(&report);
    let text = String::from_utf8_lossy(&composed.octets);
    assert!(text.contains("1150 more recipients are not named here."));
    let (_, parts) = parts(&composed.octets);
    assert_eq!(blocks(parts[1].1).len(), 101);
    assert_eq!(text.matches("said: 550 5.1.10").count(), 1, "one fate is told once");
}

#[test]
fn what_is_returned() {
    let big = u64::from(u32::MAX);
    for (action, ret, size, whole) in [
        (Action::Failed, None, 100, true),
        (Action::Failed, Some(ReturnContent::Full), 100, true),
        (Action::Failed, Some(ReturnContent::Headers), 100, false),
        (Action::Failed, Some(ReturnContent::Full), big, false),
        (Action::Delayed, Some(ReturnContent::Full), 100, false),
        (Action::Relayed, Some(ReturnContent::Full), 100, false),
    ] {
        assert_eq!(returns_whole(action, ret, size), whole, "{action:?} {ret:?} {size}");
    }
    let long = format!(
        "Subject: x\r\n{}Y: z\r\n\r\nbody\r\n",
        "X: yyyyyyyyyy\r\n".repeat(1_900).replace('y', "yyyyyy")
    );
    for (head, media, content) in [
        (MESSAGE, "text/rfc822-headers", &MESSAGE[..MESSAGE.len() - 10]),
        (
            "Subject: grüße\r\n\r\n".as_bytes(),
            "message/global-headers",
            "Subject: grüße\r\n".as_bytes(),
        ),
        (b"", "text/rfc822-headers", b""),
    ] {
        let (kind, octets) = returned(Original { head, whole: None });
        assert_eq!((kind, octets), (media, content));
    }
    let (_, octets) = returned(Original {
        head: long.as_bytes(),
        whole: None,
    });
    assert!(octets.len() as u64 <= limits::REPORT_ORIGINAL_OCTETS_MAX && octets.ends_with(b"\r\n"));
}

#[test]
fn addresses_beyond_ascii_use_rfc_6533() {
    let composed = compose(&report(vec![failed("grüße@contoso.example")]));
    let (top, parts) = parts(&composed.octets);
    assert!(
        top.first("Content-Type")
            .expect("a type")
            .unfolded()
            .contains("global-delivery-status")
    );
    assert_eq!(parts[1].0, "message/global-delivery-status");
    assert!(blocks(parts[1].1)[1].contains(&("Final-Recipient".to_owned(), "utf-8; grüße@contoso.example".to_owned())));
    assert_eq!((composed.body, composed.smtputf8), (BodyType::EightBitMime, false));
    let mut to_utf8 = report(vec![failed("lena@contoso.example")]);
    to_utf8.letterhead.to = mailbox("grüße@contoso.example");
    assert!(compose(&to_utf8).smtputf8);
}

#[test]
fn letters_say_what_happened() {
    let group = mailbox("announce@contoso.example");
    let vanished: Vec<String> = (0..101).map(|number| format!("old-{number}")).collect();
    for (notice, subject, sentences) in [(
        Notice::NestedGroupsVanished {
            group: &group,
            vanished: &vanished,
        },
        "Your group announce@contoso.example names groups that no longer exist",
        vec!["  old-0", "  and 1 more"],
    )] {
        let composed = compose_notice(&letterhead(), &about(), &notice);
        assert_eq!(composed.subject, subject);
        let text = String::from_utf8(composed.octets)
            .expect("ASCII")
            .replace("=\r\n", "")
            .replace("=3D", "=");
        for sentence in sentences {
            assert!(text.contains(sentence), "{sentence}: {text}");
        }
        let section = HeaderSection::parse(text.as_bytes()).expect("small");
        assert_eq!(section.all("From").count(), 1);
    }
}

/// Texts as a hostile peer or directory would send them.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~\r\n\t:]{0,60}",
        Just("x\r\nBcc: all@contoso.example\r\n\r\n--muster-".to_owned()),
        Just("\r\n--muster-00000000000000000000000000000002--\r\n".to_owned()),
        "[a-z ]{0,3000}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the texts, the report has exactly the fields and parts we meant, and no more.
    #[test]
    fn no_text_opens_a_field_or_a_part(
        address in hostile(), reply in hostile(), remote in hostile(), subject in hostile(), envid in hostile(),
        id in hostile(), kind in hostile(), xtext in hostile(), host in hostile(), body in hostile(),
    ) {
        let body = format!("Subject: x\r\n\r\n{body}");
        let mut input = report(vec![ReportRecipient {
            reply: Some(Reply::new(550, (5, 0, 0), reply.clone())),
            remote: Some(remote),
            original: Some(OriginalRecipient { address_type: kind.into(), xtext: xtext.into() }),
            ..failed(&address)
        }]);
        input.about.subject = Some(subject.clone());
        input.about.header_message_id = Some(id);
        input.letterhead.host = host;
        input.envid = Some(&envid);
        input.original = Original { head: body.as_bytes(), whole: Some(body.as_bytes()) };
        let composed = compose(&input);
        let (top, parts) = parts(&composed.octets);
        let names: Vec<&str> = top.fields().iter().map(|field| field.name)
            .filter(|name| !matches!(*name, "In-Reply-To" | "References")).collect();
        prop_assert_eq!(names, ["Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted", "MIME-Version",
            "Content-Type"]);
        let shown = header_text(&top);
        prop_assert_eq!(&shown, &composed.subject);
        prop_assert_eq!(parts.len(), 3);
        prop_assert_eq!(parts[2].1, body.as_bytes());
        let blocks = blocks(parts[1].1);
        prop_assert_eq!(blocks.len(), 2);
        let names = |block: &[(String, String)]| block.iter().map(|row| row.0.clone()).collect::<Vec<_>>();
        prop_assert_eq!(names(&blocks[0]), ["Reporting-MTA", "Original-Envelope-Id", "Arrival-Date"]);
        prop_assert_eq!(names(&blocks[1]), ["Original-Recipient", "Final-Recipient", "Action", "Status", "Remote-MTA",
            "Diagnostic-Code", "Last-Attempt-Date"]);
        let address = text::one_line(&address);
        prop_assert!(blocks[1][1].1.ends_with(address.as_str()));
        let diagnostic = text::ascii_line(&Reply::new(550, (5, 0, 0), reply).to_string());
        prop_assert_eq!(&blocks[1][5].1, &format!("smtp; {diagnostic}"));
        prop_assert!(parts[1].1.split(|octet| *octet == b'\n').all(|line| line.len() <= 998));
    }
}

proptest! {
    /// Whatever stands in a letter and in what is attached to it, it has the fields and parts that we gave it.
    #[test]
    fn no_text_opens_a_field_or_part_of_a_letter(
        subject in hostile(), text in hostile(), html in hostile(), body in hostile(),
    ) {
        let body = format!("Subject: x\r\n\r\n{body}");
        let answers = mailbox("moderation+m1.00@contoso.example");
        let letter = Letter {
            subject: subject.clone(),
            text,
            html: Some(html),
            attached: Some(Original { head: body.as_bytes(), whole: Some(body.as_bytes()) }),
            answers: Some(&answers),
            auto_submitted: "auto-generated",
        };
        let composed = compose_letter(&letterhead(), &about(), &letter);
        let (top, parts) = parts(&composed.octets);
        let names: Vec<&str> = top.fields().iter().map(|field| field.name).collect();
        prop_assert_eq!(names, ["Date", "From", "To", "Subject", "Message-ID", "In-Reply-To", "References",
            "Auto-Submitted", "MIME-Version", "Reply-To", "X-Auto-Response-Suppress", "Content-Type"]);
        prop_assert_eq!(header_text(&top), text::one_line(&subject));
        prop_assert_eq!(parts.len(), 2);
        prop_assert!(parts[0].0.starts_with("multipart/alternative"));
        prop_assert_eq!(parts[1].1, body.as_bytes());
    }
}

/// The subject as a reader shows it.
fn header_text(section: &HeaderSection<'_>) -> String {
    crate::mail::header::decoded_for_display(&section.first("Subject").expect("a subject").unfolded())
}
