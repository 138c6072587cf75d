//! The document of a report (RFC 8460 §4.4), its file name (§5.1) and its compressed form (§5.2).

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::book::{Detail, PolicyCounts};
use crate::mail::Mailbox;

/// Who reports, about whom, of which day.
#[derive(Clone, Copy, Debug)]
pub struct Heading<'a> {
    /// Our organisation.
    pub organization: &'a str,
    /// Who answers for it.
    pub contact: &'a Mailbox,
    /// The domain.
    pub domain: &'a str,
    /// The UTC day.
    pub day: Date,
    /// The report's id.
    pub report_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document<'a> {
    organization_name: &'a str,
    date_range: Range,
    contact_info: String,
    report_id: &'a str,
    policies: Vec<Policy<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Range {
    start_datetime: String,
    end_datetime: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Policy<'a> {
    policy: Applied<'a>,
    summary: Summary,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failure_details: Vec<Failure<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Applied<'a> {
    policy_type: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    policy_string: &'a [String],
    policy_domain: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    mx_host: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Summary {
    total_successful_session_count: u64,
    total_failure_session_count: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Failure<'a> {
    result_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sending_mta_ip: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    receiving_mx_hostname: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    receiving_ip: Option<String>,
    failed_session_count: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    failure_reason_code: &'a str,
}

/// The document.
#[must_use]
pub fn json(heading: &Heading<'_>, policies: &[PolicyCounts]) -> String {
    let (start, end) = range(heading.day);
    let document = Document {
        organization_name: heading.organization,
        date_range: Range {
            start_datetime: start.to_string(),
            end_datetime: end.to_string(),
        },
        contact_info: heading.contact.to_string(),
        report_id: heading.report_id,
        policies: policies.iter().map(|counts| policy(heading.domain, counts)).collect(),
    };
    // Text, numbers and lists of them: nothing that JSON could not hold.
    serde_json::to_string(&document).unwrap_or_default()
}

fn policy<'a>(domain: &'a str, counts: &'a PolicyCounts) -> Policy<'a> {
    Policy {
        policy: Applied {
            policy_type: counts.policy.kind.word(),
            policy_string: &counts.policy.lines,
            policy_domain: domain,
            mx_host: &counts.policy.mx,
        },
        summary: Summary {
            total_successful_session_count: counts.succeeded,
            total_failure_session_count: counts.failed,
        },
        failure_details: counts.details.iter().map(failure).collect(),
    }
}

fn failure(detail: &Detail) -> Failure<'_> {
    Failure {
        result_type: detail.result.word(),
        sending_mta_ip: detail.from.map(|ip| ip.to_string()),
        receiving_mx_hostname: &detail.host,
        receiving_ip: detail.to.map(|ip| ip.to_string()),
        failed_session_count: detail.sessions,
        failure_reason_code: &detail.why,
    }
}

/// First and last second of a UTC day (RFC 8460 §4.1).
fn range(day: Date) -> (Timestamp, Timestamp) {
    let start = start(day);
    let end = start.saturating_add(jiff::SignedDuration::from_secs(24 * 60 * 60 - 1));
    (start, end.unwrap_or(start))
}

/// The first moment of a UTC day.
#[must_use]
pub fn start(day: Date) -> Timestamp {
    day.to_zoned(TimeZone::UTC)
        .map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp())
}

/// The UTC day of a moment.
#[must_use]
pub fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// `contoso.example!fabrikam.example!1779062400!1779148799.json.gz`.
#[must_use]
pub fn file_name(heading: &Heading<'_>) -> String {
    let (start, end) = range(heading.day);
    let submitter = heading.contact.domain_key();
    let (start, end) = (start.as_second(), end.as_second());
    format!("{submitter}!{}!{start}!{end}.json.gz", heading.domain)
}

/// What people read beside it.
#[must_use]
pub fn summary(heading: &Heading<'_>, policies: &[PolicyCounts]) -> String {
    let sum = |count: fn(&PolicyCounts) -> u64| policies.iter().map(count).sum::<u64>();
    format!(
        "This is an aggregate TLS report of {} (RFC 8460).\n\nDomain: {}\nDay: {} UTC\nSessions that went well: {}\n\
         Sessions that failed: {}\n\nThe attached document has the details. Contact: {}\n",
        heading.contact.domain_key(),
        heading.domain,
        heading.day,
        sum(|counts| counts.succeeded),
        sum(|counts| counts.failed),
        heading.contact,
    )
}

/// Compressed.
pub fn gzip(text: &str) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::super::result::{AppliedPolicy, PolicyKind, ResultType};
    use super::*;

    fn detail(result: ResultType, from: &str, host: &str, to: Option<&str>, why: &str, sessions: u64) -> Detail {
        Detail {
            result,
            from: Some(from.parse().expect("an address")),
            host: host.to_owned(),
            to: to.map(|to| to.parse().expect("an address")),
            why: why.to_owned(),
            sessions,
        }
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn the_example_of_the_rfc() {
        let contact = Mailbox::parse("sts-reporting@company-x.example").expect("a mailbox");
        let heading = Heading {
            organization: "Company-X",
            contact: &contact,
            domain: "company-y.example",
            day: "2016-04-01".parse().expect("a date"),
            report_id: "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
        };
        let counts = PolicyCounts {
            policy: AppliedPolicy {
                kind: PolicyKind::Sts,
                lines: texts(&[
                    "version: STSv1",
                    "mode: testing",
                    "mx: *.mail.company-y.example",
                    "max_age: 86400",
                ]),
                mx: texts(&["*.mail.company-y.example"]),
            },
            succeeded: 5326,
            failed: 303,
            details: vec![
                detail(
                    ResultType::CertificateExpired,
                    "2001:db8:abcd:0012::1",
                    "mx1.mail.company-y.example",
                    None,
                    "",
                    100,
                ),
                detail(
                    ResultType::StarttlsNotSupported,
                    "2001:db8:abcd:0013::1",
                    "mx2.mail.company-y.example",
                    Some("203.0.113.56"),
                    "",
                    200,
                ),
                detail(
                    ResultType::ValidationFailure,
                    "198.51.100.62",
                    "mx-backup.mail.company-y.example",
                    Some("203.0.113.58"),
                    "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED",
                    3,
                ),
            ],
        };
        let none = PolicyCounts {
            succeeded: 1,
            ..PolicyCounts::default()
        };
        let said: serde_json::Value = serde_json::from_str(&json(&heading, &[counts, none])).expect("JSON");
        // RFC 8460 Appendix B, with a second policy, and without `additional-information`: we have no page to point at.
        let wanted: serde_json::Value = serde_json::from_str(include_str!("example.json")).expect("JSON");
        assert_eq!(said, wanted);
        assert_eq!(
            file_name(&heading),
            "company-x.example!company-y.example!1459468800!1459555199.json.gz"
        );
    }
}
