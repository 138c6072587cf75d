//! The part for people: what happened, to whom, what to do. Plain words, no jargon before the end.

use std::fmt::Write as _;

use super::text::{one_line, readable_subject};
use super::{Action, DeliveryReport, Disclosure, ReportRecipient};
use crate::mail::EnhancedStatus;
use crate::mail::trace::date_text;

/// The order in which actions are told: worst first; it also names the report.
const ACTIONS: [Action; 4] = [Action::Failed, Action::Delayed, Action::Expanded, Action::Relayed];

/// Exchange's word before the subject of the message.
pub(super) fn subject(report: &DeliveryReport<'_>) -> String {
    let worst = ACTIONS
        .into_iter()
        .find(|action| report.recipients.iter().any(|recipient| recipient.action == *action));
    let word = match worst {
        Some(Action::Failed) | None => "Undeliverable",
        Some(Action::Delayed) => "Delayed",
        Some(Action::Expanded) => "Expanded",
        Some(Action::Relayed) => "Relayed",
    };
    format!("{word}: {}", readable_subject(report.about.subject.as_deref()))
}

/// The whole text. Lines end in `\n`; the MIME writer makes them CRLF.
pub(super) fn explanation(report: &DeliveryReport<'_>, named: &[&ReportRecipient], more: u64) -> String {
    let mut out = format!(
        "This is about your message \"{}\" of {}.\n",
        readable_subject(report.about.subject.as_deref()),
        date_text(report.about.arrived_at),
    );
    for action in ACTIONS {
        let lines: Vec<&ReportRecipient> = named.iter().copied().filter(|line| line.action == action).collect();
        if !lines.is_empty() {
            section(&mut out, action, &lines);
        }
    }
    if more > 0 {
        let (noun, verb) = if more == 1 {
            ("recipient", "is")
        } else {
            ("recipients", "are")
        };
        writeln!(out, "\n{more} more {noun} {verb} not named here.").expect("writing to a string");
    }
    write!(
        out,
        "\nThis report was made by the mail system {}. You need not answer it.\n\
         If you need help, send all of it to your administrator or to {}.\n\
         Message number: {}\n",
        one_line(&report.letterhead.host),
        report.letterhead.postmaster,
        report.about.id,
    )
    .expect("writing to a string");
    out
}

fn section(out: &mut String, action: Action, lines: &[&ReportRecipient]) {
    out.push_str(match action {
        Action::Failed => "\nIt could not be delivered to:\n",
        Action::Delayed => "\nIt has not been delivered yet, and we are still trying. You need not send it again:\n",
        Action::Expanded => {
            "\nIt has been passed on to the members of the group. Whether each of them received it is not reported:\n"
        }
        Action::Relayed => "\nIt has been handed to the next mail system, which does not say whether it arrived:\n",
    });
    let mut told = vec![false; lines.len()];
    for first in 0..lines.len() {
        if told[first] {
            continue;
        }
        // Recipients with the same fate are listed together and explained once. At most 100 lines: the
        // square is small (`limits::REPORT_RECIPIENTS_MAX`).
        out.push('\n');
        for other in first..lines.len() {
            if !told[other] && same_fate(lines[first], lines[other]) {
                told[other] = true;
                address(out, lines[other]);
            }
        }
        fate(out, lines[first]);
    }
}

fn address(out: &mut String, line: &ReportRecipient) {
    let note = match line.disclosure {
        Disclosure::Recipient => "",
        Disclosure::MembersOfGroup => " (some of its members)",
    };
    writeln!(out, "  {}{note}", one_line(&line.address)).expect("writing to a string");
}

fn same_fate(one: &ReportRecipient, other: &ReportRecipient) -> bool {
    one.disclosure == other.disclosure
        && one.status == other.status
        && one.reply == other.reply
        && one.remote == other.remote
        && one.will_retry_until == other.will_retry_until
}

fn fate(out: &mut String, line: &ReportRecipient) {
    if line.disclosure == Disclosure::Recipient {
        match (&line.reply, &line.remote) {
            (Some(reply), Some(remote)) => {
                let (remote, reply) = (one_line(remote), one_line(&reply.to_string()));
                writeln!(out, "    The mail system {remote} said: {reply}")
            }
            (Some(reply), None) => writeln!(out, "    The reason: {}", one_line(&reply.to_string())),
            (None, _) if line.action == Action::Delayed => {
                writeln!(out, "    The next mail system could not be reached.")
            }
            (None, _) => Ok(()),
        }
        .expect("writing to a string");
    }
    match line.action {
        Action::Failed => writeln!(out, "    {}", advice(line.status)),
        Action::Delayed => match line.will_retry_until {
            Some(until) => writeln!(out, "    We try until {}.", date_text(until)),
            None => Ok(()),
        },
        Action::Expanded | Action::Relayed => Ok(()),
    }
    .expect("writing to a string");
}

/// What a sender can do, by RFC 3463 subject and detail.
fn advice(status: EnhancedStatus) -> &'static str {
    match (status.subject, status.detail) {
        (1, _) => "Check the address. It may be misspelt, or the person may have left.",
        (2, 2) => "The mailbox is full. Try again later, or reach the person another way.",
        (2, 3) | (3, 4) => "The message is too large. Send a smaller one, or a link to the file.",
        (2, 4) => "The group cannot be written to at the moment. Ask its owner.",
        (4, 6 | 14) => "The message went round in circles. Tell your administrator.",
        (4, _) => "It was tried for a long time. Send it again later; if that fails too, tell your administrator.",
        (5, 3) => "There are too many recipients. Send it to fewer.",
        (6, _) => "The form of the message was not accepted. Try to send it from another program.",
        (7, _) => "You are not allowed to write to this address. Ask its owner for permission.",
        _ => "If you do not know why, send this report to your administrator.",
    }
}
