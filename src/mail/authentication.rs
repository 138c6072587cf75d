//! What checks of a message found: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489), ARC (RFC 8617), and the field
//! that says so (RFC 8601).
//!
//! In: verdicts with the names they are about. Out: one `Authentication-Results` field, CRLF ended.
//! Never: an octet of a peer's that could end a line, a comment or a result; says that a sender is internal.

use std::fmt;

use super::header::sieve::RESULTS_FIELD;
use super::trace::{folded, safe_domain};

/// Most signatures of one message that are checked and reported.
pub const SIGNATURES_MAX: usize = 10;

/// A result of RFC 8601 §2.7.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// Proven.
    Pass,
    /// Disproven.
    Fail,
    /// SPF: probably not allowed.
    SoftFail,
    /// Nothing is said, or a signature cannot be judged.
    Neutral,
    /// There is nothing to check.
    None,
    /// Could not be checked now.
    TempError,
    /// Cannot be checked: the record or signature is broken.
    PermError,
    /// A signature that verifies and that we do not accept.
    Policy,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::Neutral => "neutral",
            Self::None => "none",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
            Self::Policy => "policy",
        })
    }
}

/// SPF of the reverse-path, or of the greeting where the reverse-path is null.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpfFinding {
    /// The result.
    pub verdict: Verdict,
    /// Domain it is about.
    pub domain: String,
    /// True for the greeting (RFC 7208 §2.3).
    pub of_greeting: bool,
}

/// One DKIM signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DkimFinding {
    /// The result.
    pub verdict: Verdict,
    /// `d=`; empty if the signature could not be read.
    pub domain: String,
    /// `s=`.
    pub selector: String,
    /// Why it is no pass.
    pub because: Option<&'static str>,
}

/// DMARC of the author's domain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DmarcFinding {
    /// The result.
    pub verdict: Verdict,
    /// Domain of the author; empty if there is no single one.
    pub domain: String,
    /// The policy published: `none`, `quarantine` or `reject`.
    pub policy: Option<&'static str>,
    /// It passed by SPF of an aligned reverse-path, not by a signature alone.
    pub by_spf: bool,
}

/// All of them. What was not asked for is not there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Findings {
    /// SPF.
    pub spf: Option<SpfFinding>,
    /// DKIM, one per signature, in the order in which they stand.
    pub dkim: Option<Vec<DkimFinding>>,
    /// DMARC.
    pub dmarc: Option<DmarcFinding>,
    /// ARC: the chain as a whole.
    pub arc: Option<Verdict>,
}

impl Findings {
    /// What is said when there was no time for an answer: asked for, and a temporary error.
    #[must_use]
    pub fn out_of_time(asked: Checks, reverse_path_domain: &str, author_domain: &str) -> Self {
        Self {
            spf: asked.spf.then(|| SpfFinding {
                verdict: Verdict::TempError,
                domain: reverse_path_domain.to_owned(),
                of_greeting: false,
            }),
            dkim: asked.dkim.then(|| {
                vec![DkimFinding {
                    verdict: Verdict::TempError,
                    domain: String::new(),
                    selector: String::new(),
                    because: Some("out of time"),
                }]
            }),
            dmarc: asked.dmarc.then(|| DmarcFinding {
                verdict: Verdict::TempError,
                domain: author_domain.to_owned(),
                policy: None,
                by_spf: false,
            }),
            arc: asked.arc.then_some(Verdict::TempError),
        }
    }

    /// True if SPF proves that the reverse-path's domain sends from there.
    #[must_use]
    pub fn return_path_proved(&self) -> bool {
        let proved = |spf: &SpfFinding| spf.verdict == Verdict::Pass && !spf.of_greeting;
        self.spf.as_ref().is_some_and(proved)
    }

    /// `spf=pass dkim=fail dmarc=none`: for the tracking log.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut words = Vec::new();
        if let Some(spf) = &self.spf {
            words.push(format!("spf={}", spf.verdict));
        }
        if let Some(dkim) = &self.dkim {
            words.push(format!("dkim={}", best(dkim)));
        }
        if let Some(dmarc) = &self.dmarc {
            words.push(format!("dmarc={}", dmarc.verdict));
        }
        if let Some(arc) = &self.arc {
            words.push(format!("arc={arc}"));
        }
        words.join(" ")
    }

    /// The `Authentication-Results` field, folded, CRLF ended.
    #[must_use]
    pub fn field(&self, authserv_id: &str) -> String {
        let mut results = Vec::new();
        if let Some(spf) = &self.spf {
            let property = if spf.of_greeting { "smtp.helo" } else { "smtp.mailfrom" };
            results.push(format!("spf={}{}", spf.verdict, about(property, &spf.domain)));
        }
        match self.dkim.as_deref() {
            Some([]) => results.push("dkim=none".to_owned()),
            signatures => results.extend(signatures.unwrap_or_default().iter().map(dkim_result)),
        }
        if let Some(dmarc) = &self.dmarc {
            let policy = dmarc.policy.map(|policy| format!(" (p={policy})")).unwrap_or_default();
            let domain = about("header.from", &dmarc.domain);
            results.push(format!("dmarc={}{policy}{domain}", dmarc.verdict));
        }
        if let Some(arc) = &self.arc {
            results.push(format!("arc={arc}"));
        }
        if results.is_empty() {
            results.push("none".to_owned());
        }
        let last = results.len() - 1;
        let mut words = vec![format!("{};", safe_domain(authserv_id))];
        words.extend(results.into_iter().enumerate().map(|(index, result)| {
            let end = if index == last { "" } else { ";" };
            format!("{result}{end}")
        }));
        let mut field = folded(RESULTS_FIELD, words.iter().flat_map(|word| word.split(' ')));
        field.push_str("\r\n");
        field
    }
}

/// The signature that says most: a pass, else trouble that may pass, else the first.
fn best(signatures: &[DkimFinding]) -> Verdict {
    let any = |verdict| signatures.iter().any(|each| each.verdict == verdict);
    if any(Verdict::Pass) {
        Verdict::Pass
    } else if any(Verdict::TempError) {
        Verdict::TempError
    } else {
        signatures.first().map_or(Verdict::None, |first| first.verdict)
    }
}

fn dkim_result(signature: &DkimFinding) -> String {
    let because = signature.because.map(|why| format!(" ({why})")).unwrap_or_default();
    let domain = about("header.d", &signature.domain);
    let selector = about("header.s", &signature.selector);
    format!("dkim={}{because}{domain}{selector}", signature.verdict)
}

fn about(property: &str, name: &str) -> String {
    if name.is_empty() {
        String::new()
    } else {
        format!(" {property}={}", safe_domain(name))
    }
}

/// Which checks are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Checks {
    /// SPF.
    pub spf: bool,
    /// DKIM.
    pub dkim: bool,
    /// DMARC; brings SPF and DKIM with it.
    pub dmarc: bool,
    /// ARC.
    pub arc: bool,
}

impl Checks {
    /// All of them.
    pub const ALL: Self = Self {
        spf: true,
        dkim: true,
        dmarc: true,
        arc: true,
    };

    /// True if there is nothing to do.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::header::HeaderSection;

    fn signature(verdict: Verdict, domain: &str, because: Option<&'static str>) -> DkimFinding {
        DkimFinding {
            verdict,
            domain: domain.to_owned(),
            selector: "s1".to_owned(),
            because,
        }
    }

    #[test]
    fn one_field_says_it_all() {
        let findings = Findings {
            spf: Some(SpfFinding {
                verdict: Verdict::SoftFail,
                domain: "mail.example".to_owned(),
                of_greeting: false,
            }),
            dkim: Some(vec![
                signature(Verdict::Fail, "a.example", Some("body hash does not match")),
                signature(Verdict::Pass, "b.example", None),
            ]),
            dmarc: Some(DmarcFinding {
                verdict: Verdict::Pass,
                domain: "b.example".to_owned(),
                policy: Some("reject"),
                by_spf: false,
            }),
            arc: Some(Verdict::None),
        };
        let field = findings.field("mx.contoso.example");
        assert!(field.lines().all(|line| line.len() <= 78), "{field}");
        assert_eq!(
            field.replace("\r\n ", " "),
            "Authentication-Results: mx.contoso.example; spf=softfail smtp.mailfrom=mail.example; dkim=fail \
             (body hash does not match) header.d=a.example header.s=s1; dkim=pass header.d=b.example header.s=s1; \
             dmarc=pass (p=reject) header.from=b.example; arc=none\r\n"
        );
        assert_eq!(findings.summary(), "spf=softfail dkim=pass dmarc=pass arc=none");
        assert!(!findings.return_path_proved());
        assert_eq!(
            Findings::default().field("mx.example"),
            "Authentication-Results: mx.example; none\r\n"
        );
        let unsigned = Findings {
            dkim: Some(Vec::new()),
            ..Findings::default()
        };
        assert_eq!(unsigned.summary(), "dkim=none");
    }

    #[test]
    fn out_of_time_is_said_of_what_was_asked() {
        let late = Findings::out_of_time(Checks::ALL, "a.example", "b.example");
        assert_eq!(
            late.summary(),
            "spf=temperror dkim=temperror dmarc=temperror arc=temperror"
        );
        let one = Checks {
            dkim: true,
            ..Checks::default()
        };
        assert_eq!(Findings::out_of_time(one, "", "").summary(), "dkim=temperror");
        assert!(!one.is_empty() && Checks::default().is_empty());
    }

    #[test]
    fn a_peers_names_open_no_field_and_end_no_result() {
        let findings = Findings {
            dkim: Some(vec![signature(
                Verdict::Fail,
                "x.example\r\nX-Forged: y; dmarc=pass (",
                None,
            )]),
            ..Findings::default()
        };
        let field = findings.field("mx.contoso.example");
        let message = format!("{field}\r\n");
        let section = HeaderSection::parse(message.as_bytes()).expect("small");
        assert_eq!((section.fields().len(), section.malformed_lines), (1, 0), "{field}");
        assert!(!field.contains("dmarc=pass"), "{field}");
    }
}
