//! The delivery-status part (RFC 3464 §2; RFC 6533 §3 where an address is not ASCII).

use super::text::{ascii_line, field, one_line, xtext_decoded};
use super::{DeliveryReport, Disclosure, ReportRecipient};
use crate::mail::OriginalRecipient;
use crate::mail::trace::{date_text, safe_domain};

/// Writes the fields about the message, then a block of fields for each recipient.
pub(super) fn delivery_status(report: &DeliveryReport<'_>, named: &[&ReportRecipient], global: bool) -> Vec<u8> {
    let mut out = String::with_capacity(200 + 300 * named.len());
    field(
        &mut out,
        "Reporting-MTA",
        &format!("dns; {}", safe_domain(&report.letterhead.host)),
    );
    if let Some(envid) = report.envid {
        field(&mut out, "Original-Envelope-Id", &ascii_line(&xtext_decoded(envid)));
    }
    field(&mut out, "Arrival-Date", &date_text(report.about.arrived_at));
    for recipient in named {
        out.push_str("\r\n");
        per_recipient(&mut out, recipient, global);
    }
    out.into_bytes()
}

/// RFC 3464 §2.3, in the order of its grammar.
fn per_recipient(out: &mut String, recipient: &ReportRecipient, global: bool) {
    if let Some(original) = &recipient.original {
        field(out, "Original-Recipient", &original_recipient(original, global));
    }
    field(out, "Final-Recipient", &final_recipient(&recipient.address));
    field(out, "Action", recipient.action.word());
    field(out, "Status", &recipient.status.to_string());
    match recipient.disclosure {
        Disclosure::Recipient => {
            if let Some(remote) = &recipient.remote {
                field(out, "Remote-MTA", &format!("dns; {}", safe_domain(remote)));
            }
            if let Some(reply) = &recipient.reply {
                field(
                    out,
                    "Diagnostic-Code",
                    &format!("smtp; {}", ascii_line(&reply.to_string())),
                );
            }
        }
        // A member's host and what it said would name the member.
        Disclosure::MembersOfGroup => {}
    }
    if let Some(at) = recipient.last_attempt_at {
        field(out, "Last-Attempt-Date", &date_text(at));
    }
    if let Some(until) = recipient.will_retry_until {
        field(out, "Will-Retry-Until", &date_text(until));
    }
}

fn final_recipient(address: &str) -> String {
    let kind = if address.is_ascii() { "rfc822" } else { "utf-8" };
    format!("{kind}; {}", one_line(address))
}

/// RFC 3464 §2.3.1 asks for the address decoded; what would not be ASCII stays xtext unless RFC 6533 applies.
fn original_recipient(original: &OriginalRecipient, global: bool) -> String {
    let kind: String = original
        .address_type
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .take(40)
        .collect();
    let kind = if kind.is_empty() { "unknown".to_owned() } else { kind };
    let decoded = one_line(&xtext_decoded(&original.xtext));
    let address = if decoded.is_ascii() || global {
        decoded
    } else {
        ascii_line(&original.xtext)
    };
    format!("{kind}; {address}")
}
