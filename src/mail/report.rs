//! Reports and notices of ours: delivery status notifications (RFC 3464), and plain letters about
//! moderation and vanished groups.
//!
//! In: typed facts. Out: a message, CRLF ended, and what it needs of a next hop.
//! Never: sends, decides whom to tell, or names a member whose group hides its membership; no text from
//! outside opens a field or a part (property-tested below).
//!
//! MIME parts and subjects are written by `lettre`'s builder; the header section is assembled here because
//! `lettre`'s address grammar is narrower than RFC 5321 (it refuses the long local-parts of IMCEAEX
//! addresses), and the delivery-status part is a format of its own.

mod human;
mod letter;
mod machine;
mod notice;
mod text;
mod tls;

use std::collections::HashSet;

use jiff::Timestamp;
use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Body, MultiPart, SinglePart};

use super::header::HeaderSection;
use super::{BodyType, EnhancedStatus, Mailbox, MessageId, OriginalRecipient, Reply, ReturnContent};
use crate::limits;

pub use letter::{Letter, compose_letter};
pub use notice::{BrakeWords, Notice, compose_notice};
pub use text::{one_line, readable_subject};
pub use tls::{TlsReport, compose_tls_report};

/// From whom, to whom, when: what every report begins with.
#[derive(Clone, Debug)]
pub struct Letterhead {
    /// The report's own id; also its `Message-ID`.
    pub id: MessageId,
    /// When it was made.
    pub made_at: Timestamp,
    /// Our host name.
    pub host: String,
    /// Author: the postmaster.
    pub postmaster: Mailbox,
    /// The return path that is told. The report itself leaves with a null reverse-path (RFC 5321 §4.5.5).
    pub to: Mailbox,
}

/// The message a report is about.
#[derive(Clone, Debug)]
pub struct AboutMessage {
    /// Our id.
    pub id: MessageId,
    /// When its final dot arrived.
    pub arrived_at: Timestamp,
    /// `Subject` as it stands.
    pub subject: Option<String>,
    /// `Message-ID` as it stands.
    pub header_message_id: Option<String>,
}

/// RFC 3464 §2.3.3. We do not deliver into mailboxes, so `delivered` is never ours to say.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Action {
    /// Given up.
    Failed,
    /// Still tried.
    Delayed,
    /// Handed to a host that does not report success itself.
    Relayed,
    /// A group was expanded (RFC 3461 §5.2.7.3).
    Expanded,
}

impl Action {
    /// The keyword.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
        }
    }
}

/// What a recipient line stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Disclosure {
    /// The address itself, with what the next hop said.
    Recipient,
    /// Members of the group with this address. Who they are, how many and what their hosts said stays
    /// unsaid: for outside and unproved senders and for hidden membership (DESIGN §6).
    MembersOfGroup,
}

/// One recipient in a report.
#[derive(Clone, Debug)]
pub struct ReportRecipient {
    /// Final address, or the group's as [`ReportRecipient::disclosure`] says.
    pub address: String,
    /// What the address stands for.
    pub disclosure: Disclosure,
    /// `ORCPT=` of the addressed recipient.
    pub original: Option<OriginalRecipient>,
    /// What happened.
    pub action: Action,
    /// RFC 3463 status.
    pub status: EnhancedStatus,
    /// The reply that decided, of the next hop or ours; none if nobody spoke.
    pub reply: Option<Reply>,
    /// Host that replied; none if we did.
    pub remote: Option<String>,
    /// When it was last tried.
    pub last_attempt_at: Option<Timestamp>,
    /// When we give up; only for [`Action::Delayed`].
    pub will_retry_until: Option<Timestamp>,
}

/// What can be returned of the original.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    /// At least its header section.
    pub head: &'a [u8],
    /// All of it, if [`returns_whole`] says so.
    pub whole: Option<&'a [u8]>,
}

/// A delivery status notification to be written.
#[derive(Clone, Debug)]
pub struct DeliveryReport<'a> {
    /// From, to, when.
    pub letterhead: Letterhead,
    /// The message.
    pub about: AboutMessage,
    /// `ENVID=`, xtext.
    pub envid: Option<&'a str>,
    /// Recipients, at least one. At most [`limits::REPORT_RECIPIENTS_MAX`] are named, the rest are counted.
    pub recipients: Vec<ReportRecipient>,
    /// Recipients that are not even in the list.
    pub unnamed: u64,
    /// The message's octets.
    pub original: Original<'a>,
}

/// A message of ours, ready to be kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Composed {
    /// Header section and body, CRLF ended.
    pub octets: Vec<u8>,
    /// 8BITMIME is needed.
    pub body: BodyType,
    /// SMTPUTF8 is needed: an address in the header section is not ASCII.
    pub smtputf8: bool,
    /// `Subject` as composed, readable.
    pub subject: String,
}

/// True if the report should carry the whole message: RFC 3461 §4.3 lets RET choose for failures only.
#[must_use]
pub fn returns_whole(action: Action, ret: Option<ReturnContent>, size_bytes: u64) -> bool {
    let asked = match ret {
        Some(ReturnContent::Full) | None => true,
        Some(ReturnContent::Headers) => false,
    };
    action == Action::Failed && asked && size_bytes <= limits::REPORT_ORIGINAL_OCTETS_MAX
}

/// Writes a delivery status notification (RFC 3464; RFC 6533 where an address is not ASCII).
#[must_use]
pub fn compose(report: &DeliveryReport<'_>) -> Composed {
    let (named, more) = named(report);
    let global = named.iter().any(|recipient| !recipient.address.is_ascii());
    let subject = human::subject(report);
    let status = machine::delivery_status(report, &named, global);
    let (original_type, original) = returned(report.original);
    let explanation = SinglePart::plain(human::explanation(report, &named, more));
    let boundary = text::boundary(report.letterhead.id, &[&explanation.formatted(), &status, original]);
    let kind = if global {
        "global-delivery-status"
    } else {
        "delivery-status"
    };
    let outer = format!("multipart/report; report-type={kind}; boundary=\"{boundary}\"");
    let parts = MultiPart::builder()
        .header(content_type(&outer))
        .singlepart(explanation)
        .singlepart(verbatim(&format!("message/{kind}"), &status))
        .singlepart(verbatim(original_type, original));
    let mut octets = text::header_section(&report.letterhead, &report.about, &subject, "auto-replied").into_bytes();
    octets.extend_from_slice(&parts.formatted());
    Composed::new(octets, &report.letterhead, subject)
}

impl Composed {
    fn new(octets: Vec<u8>, letterhead: &Letterhead, subject: String) -> Self {
        let body = if octets.is_ascii() {
            BodyType::SevenBit
        } else {
            BodyType::EightBitMime
        };
        let smtputf8 = letterhead.to.needs_smtputf8() || letterhead.postmaster.needs_smtputf8();
        Self {
            octets,
            body,
            smtputf8,
            subject,
        }
    }
}

/// The recipients to name, and how many more there are. Members of one hidden group with the same fate are
/// one line and are not counted: their number would say how many there are.
fn named<'r>(report: &'r DeliveryReport<'_>) -> (Vec<&'r ReportRecipient>, u64) {
    let mut seen = HashSet::new();
    let mut lines: Vec<&ReportRecipient> = report
        .recipients
        .iter()
        .filter(|recipient| match recipient.disclosure {
            Disclosure::Recipient => true,
            Disclosure::MembersOfGroup => seen.insert((recipient.address.as_str(), recipient.action, recipient.status)),
        })
        .collect();
    let more = lines.len().saturating_sub(limits::REPORT_RECIPIENTS_MAX) as u64 + report.unnamed;
    lines.truncate(limits::REPORT_RECIPIENTS_MAX);
    (lines, more)
}

/// Type and octets of the third part (RFC 3462 §2 of old, RFC 6522 §3 now; RFC 6533 §5 beyond ASCII).
fn returned(original: Original<'_>) -> (&'static str, &[u8]) {
    let headers = original_header_section(original.head);
    let whole = original
        .whole
        .filter(|whole| whole.len() as u64 <= limits::REPORT_ORIGINAL_OCTETS_MAX);
    match (whole, headers.is_ascii()) {
        (Some(whole), true) => ("message/rfc822", whole),
        (Some(whole), false) => ("message/global", whole),
        (None, true) => ("text/rfc822-headers", headers),
        (None, false) => ("message/global-headers", headers),
    }
}

/// The header section, cut after a whole field if it is longer than a report may carry.
fn original_header_section(head: &[u8]) -> &[u8] {
    let Ok(section) = HeaderSection::parse(head) else {
        return b"";
    };
    let octets_max = limits::REPORT_ORIGINAL_OCTETS_MAX as usize;
    if section.octets <= octets_max {
        return &head[..section.octets];
    }
    let mut end = 0;
    for field in section.fields() {
        let field_end = field.raw.as_ptr() as usize - head.as_ptr() as usize + field.raw.len() + 2;
        if field_end > octets_max {
            break;
        }
        end = field_end;
    }
    &head[..end]
}

fn verbatim(media_type: &str, octets: &[u8]) -> SinglePart {
    let encoding = if octets.is_ascii() {
        ContentTransferEncoding::SevenBit
    } else {
        ContentTransferEncoding::EightBit
    };
    SinglePart::builder()
        .content_type(content_type(media_type))
        .body(Body::dangerous_pre_encoded(octets.to_vec(), encoding))
}

fn content_type(text: &str) -> ContentType {
    ContentType::parse(text).expect("our own media types are well formed")
}

#[cfg(test)]
mod tests;
