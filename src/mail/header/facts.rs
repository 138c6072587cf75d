//! What a categorisation pass needs to know of a header section.

use super::media::MediaType;
use super::thread::ThreadFacts;
use super::{Authors, HeaderFault, HeaderSection, authors_of};
use crate::mail::trace::{LOOP_FIELD, LoopMarks};

/// Most characters of `Subject` and `Message-ID` that are tracked.
pub const TRACKED_CHARACTERS_MAX: usize = 200;

/// Says that a message rather arrives in clear text than not at all (RFC 8689 §3).
pub const TLS_REQUIRED_FIELD: &str = "TLS-Required";

/// `Auto-Submitted` (RFC 3834 §5): its keyword.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AutoSubmitted {
    /// No such field, or `no`: a person sent it.
    #[default]
    No,
    /// `auto-generated`: an alert; ordinary mail to us.
    Generated,
    /// `auto-replied`: an automatic answer; a report to us.
    Replied,
    /// A keyword that RFC 3834 does not know; ordinary mail.
    Other,
}

/// What makes a message a report, apart from its null reverse-path (DESIGN §6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReportFacts {
    /// `Content-Type: multipart/report` (RFC 6522).
    pub multipart_report: bool,
    /// …with `report-type=delivery-status` (RFC 3464): what Exchange calls an NDR.
    pub delivery_report: bool,
    /// `Auto-Submitted: auto-replied`.
    pub auto_replied: bool,
}

impl ReportFacts {
    /// True if the header section alone makes it a report. `auto-generated`, `Precedence` and
    /// `X-Auto-Response-Suppress` do not: alerts carry them and people want alerts.
    #[must_use]
    pub fn is_report(&self) -> bool {
        self.multipart_report || self.auto_replied
    }
}

/// Facts of one header section.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HeaderFacts {
    /// Received fields: hops so far (RFC 5321 §6.3).
    pub received: usize,
    /// `Message-ID` as it stands, at most `TRACKED_CHARACTERS_MAX` characters.
    pub message_id: Option<String>,
    /// True with a `Date` field.
    pub dated: bool,
    /// `Subject` as it stands, unfolded, at most `TRACKED_CHARACTERS_MAX` characters;
    /// [`super::decoded_for_display`] makes it readable.
    pub subject: Option<String>,
    /// Where it stands in its conversation.
    pub thread: ThreadFacts,
    /// Who says to have written it.
    pub authors: Authors,
    /// `Auto-Submitted`.
    pub auto_submitted: AutoSubmitted,
    /// What makes it a report.
    pub report: ReportFacts,
    /// `TLS-Required: No` (RFC 8689 §3).
    pub tls_optional: bool,
    /// Groups whose marks it bears; ours are told apart by [`crate::mail::trace::LoopKey`].
    pub loop_marks: LoopMarks,
}

impl HeaderFacts {
    /// Reads the facts from the first octets of a message.
    pub fn read(message: &[u8]) -> Result<Self, HeaderFault> {
        Ok(Self::of(&HeaderSection::parse(message)?))
    }

    /// Reads the facts from a section.
    #[must_use]
    pub fn of(section: &HeaderSection<'_>) -> Self {
        let text = |name: &str| {
            let value = section.first(name)?.unfolded();
            Some(value.chars().take(TRACKED_CHARACTERS_MAX).collect())
        };
        let auto_submitted = auto_submitted(section);
        let mut loop_marks = LoopMarks::default();
        for field in section.all(LOOP_FIELD) {
            loop_marks.read(&field.unfolded());
        }
        Self {
            received: section.all("Received").count(),
            message_id: text("Message-ID"),
            dated: text("Date").is_some(),
            subject: text("Subject"),
            thread: ThreadFacts::of(section),
            authors: authors_of(section),
            auto_submitted,
            report: report_facts(section, auto_submitted),
            tls_optional: tls_optional(section),
            loop_marks,
        }
    }
}

/// The most telling keyword if the field stands more than once: each copy may have been added by a hop.
fn auto_submitted(section: &HeaderSection<'_>) -> AutoSubmitted {
    let mut found = AutoSubmitted::No;
    for field in section.all("Auto-Submitted") {
        let value = field.unfolded();
        let keyword = value.split([';', ' ', '\t', '(']).next().unwrap_or_default();
        let one = match keyword.to_ascii_lowercase().as_str() {
            "auto-replied" => return AutoSubmitted::Replied,
            "auto-generated" => AutoSubmitted::Generated,
            "no" | "" => continue,
            _ => AutoSubmitted::Other,
        };
        if found == AutoSubmitted::No {
            found = one;
        }
    }
    found
}

/// RFC 8689 §3: one field, whose value is `No`. Two, or another value, are nobody's clear word.
fn tls_optional(section: &HeaderSection<'_>) -> bool {
    let mut fields = section.all(TLS_REQUIRED_FIELD);
    match (fields.next(), fields.next()) {
        (Some(field), None) => field.unfolded().trim().eq_ignore_ascii_case("no"),
        (Some(_), Some(_)) | (None, _) => false,
    }
}

fn report_facts(section: &HeaderSection<'_>, auto_submitted: AutoSubmitted) -> ReportFacts {
    let media = section
        .first("Content-Type")
        .and_then(|field| MediaType::parse(&field.unfolded()));
    let multipart_report = media.as_ref().is_some_and(|media| media.is("multipart", "report"));
    let delivery_report = multipart_report
        && media
            .as_ref()
            .and_then(|media| media.parameter("report-type"))
            .is_some_and(|kind| {
                kind.eq_ignore_ascii_case("delivery-status") || kind.eq_ignore_ascii_case("global-delivery-status")
            });
    ReportFacts {
        multipart_report,
        delivery_report,
        auto_replied: auto_submitted == AutoSubmitted::Replied,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_optional_by_one_clear_word_only() {
        for (section, optional) in [
            ("TLS-Required: No\r\n", true),
            ("tls-required:no\r\n", true),
            ("TLS-Required: Yes\r\n", false),
            ("TLS-Required: No, thanks\r\n", false),
            ("TLS-Required: No\r\nTLS-Required: No\r\n", false),
            ("TLS-Required:\r\n", false),
            ("Subject: TLS-Required: No\r\n", false),
        ] {
            let facts = HeaderFacts::read(format!("{section}\r\nTLS-Required: No\r\n").as_bytes()).expect("a section");
            assert_eq!(facts.tls_optional, optional, "{section}");
        }
    }

    #[test]
    fn what_is_a_report_and_what_is_not() {
        for (fields, report, delivery, why) in [
            ("Subject: x", false, false, "plain mail"),
            ("Auto-Submitted: auto-replied", true, false, "out of office"),
            (
                "auto-submitted: Auto-Replied; owner-email=\"x\"",
                true,
                false,
                "case and parameter",
            ),
            (
                "Auto-Submitted: auto-replied(vacation)",
                true,
                false,
                "a comment right after",
            ),
            (
                "Auto-Submitted: no\r\nAuto-Submitted: auto-replied",
                true,
                false,
                "twice: the telling one counts",
            ),
            (
                "Auto-Submitted: auto-generated",
                false,
                false,
                "an alert is ordinary mail",
            ),
            ("Auto-Submitted: no", false, false, "says so itself"),
            ("Auto-Submitted: auto-notified", false, false, "RFC 5436: ordinary"),
            (
                "Precedence: bulk\r\nX-Auto-Response-Suppress: All",
                false,
                false,
                "requests, not reports",
            ),
            (
                "Content-Type: multipart/report; report-type=delivery-status; boundary=x",
                true,
                true,
                "an NDR",
            ),
            (
                "Content-Type: multipart/report;\r\n\treport-type=\"Delivery-Status\"",
                true,
                true,
                "folded, quoted",
            ),
            (
                "Content-Type: Multipart/Report; report-type=disposition-notification",
                true,
                false,
                "a receipt",
            ),
            (
                "Content-Type: multipart/report (really); boundary=\"report-type=delivery-status\"",
                true,
                false,
                "a trap",
            ),
            (
                "Content-Type: multipart/mixed; report-type=delivery-status",
                false,
                false,
                "not a report",
            ),
            ("Content-Type: multipart/reporting", false, false, "a longer word"),
        ] {
            let facts = HeaderFacts::read(format!("{fields}\r\n\r\n").as_bytes()).expect("small");
            assert_eq!(
                (facts.report.is_report(), facts.report.delivery_report),
                (report, delivery),
                "{why}"
            );
        }
    }

    /// RFC 5321 §3.3, §3.7.2: how trace and Resent fields look is no reason to refuse a message.
    #[test]
    fn any_form_of_trace_and_resent_fields_is_read() {
        for fields in [
            "Received: nonsense",
            "Received:",
            "Received: from a by b via UUCP; 21 Nov 97 9:55",
            "Resent-To: a@x.example",
            "Resent-From: a@x.example\r\nResent-From: b@x.example\r\nResent-Date: never",
            "Return-Path: <a@x.example>\r\nReturn-Path: <>",
            "Delivered-To: \u{e4}\r\nReceived: (qmail 1 invoked by uid 0)",
        ] {
            let facts = HeaderFacts::read(format!("{fields}\r\n\r\n").as_bytes());
            assert!(facts.is_ok(), "{fields}");
        }
    }

    #[test]
    fn counts_and_tracks() {
        let message = format!(
            "{}Subject: {}\r\nMessage-Id: <1@x.example>\r\nFrom: Lena <lena@contoso.example>\r\n\r\n",
            "Received: from a by b; x\r\n".repeat(7),
            "ä".repeat(300),
        );
        let facts = HeaderFacts::read(message.as_bytes()).expect("small");
        assert_eq!(facts.received, 7);
        assert_eq!(facts.subject.map(|subject| subject.chars().count()), Some(200));
        assert_eq!(facts.message_id.as_deref(), Some("<1@x.example>"));
    }
}
