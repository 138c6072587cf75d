//! TLS reports by mail (RFC 8460 §5.3).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lettre::message::header::{ContentDisposition, ContentTransferEncoding, ContentType};
use lettre::message::{Body, MultiPart, SinglePart};

use super::text::{boundary, field, header_section, one_line};
use super::{AboutMessage, Composed, Letterhead, content_type};
use crate::mail::trace::safe_domain;
use crate::mail::{Domain, Mailbox};

/// Octets of base64 in one line (RFC 2045 §6.8: at most 76).
const BASE64_LINE_OCTETS: usize = 76;

/// A report on TLS with the mail exchangers of a domain, made and not yet written as a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsReport {
    /// Where the domain wants it.
    pub to: Mailbox,
    /// Who answers for it: its author, and by the domain its submitter.
    pub contact: Mailbox,
    /// The domain that it is about.
    pub domain: Domain,
    /// Its id, the same in every copy.
    pub report_id: String,
    /// What people read.
    pub summary: String,
    /// `contoso.example!fabrikam.example!1779062400!1779148799.json.gz` (§5.1).
    pub file_name: String,
    /// The document, compressed (§5.2).
    pub gzip: Vec<u8>,
}

/// Writes it as a message. The letterhead's author is the contact.
#[must_use]
pub fn compose_tls_report(letterhead: &Letterhead, report: &TlsReport) -> Composed {
    let submitter = report.contact.domain_key();
    let id = one_line(&report.report_id);
    let host = safe_domain(&letterhead.host);
    // RFC 8460 §5.3: the form is given, so that reports can be sorted.
    let subject = format!(
        "Report Domain: {} Submitter: {submitter} Report-ID: <{id}@{host}>",
        report.domain
    );
    let about = AboutMessage {
        id: letterhead.id,
        arrived_at: letterhead.made_at,
        subject: None,
        header_message_id: None,
    };
    let mut head = header_section(letterhead, &about, &subject, "auto-generated");
    field(&mut head, "TLS-Report-Domain", report.domain.as_str());
    field(&mut head, "TLS-Report-Submitter", submitter.as_str());
    let explanation = SinglePart::plain(report.summary.clone());
    let encoded = base64_lines(&report.gzip);
    let line = boundary(letterhead.id, &[&explanation.formatted(), &encoded]);
    let kind = ContentType::parse("application/tlsrpt+gzip").expect("our own media types are well formed");
    let document = SinglePart::builder()
        .content_type(kind)
        .header(ContentDisposition::attachment(&report.file_name))
        .body(Body::dangerous_pre_encoded(encoded, ContentTransferEncoding::Base64));
    let outer = format!("multipart/report; report-type=\"tlsrpt\"; boundary=\"{line}\"");
    let parts = MultiPart::builder()
        .header(content_type(&outer))
        .singlepart(explanation)
        .singlepart(document);
    let mut octets = head.into_bytes();
    octets.extend_from_slice(&parts.formatted());
    Composed::new(octets, letterhead, subject)
}

fn base64_lines(octets: &[u8]) -> Vec<u8> {
    let whole = BASE64.encode(octets);
    let mut lines = String::with_capacity(whole.len() + whole.len() / 32);
    for line in whole.as_bytes().chunks(BASE64_LINE_OCTETS) {
        // Base64 is ASCII.
        let _ = write!(lines, "{}\r\n", String::from_utf8_lossy(line));
    }
    lines.truncate(lines.trim_end().len());
    lines.into_bytes()
}
