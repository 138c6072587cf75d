//! The system exclusions Exchange appends to every stored filter.
//!
//! In: a predicate as exported. Out: the administrator's own part, and how many tails were around it.
//! Evaluation needs no stripping: a tail excludes what is excluded anyway. It is for people who read filters,
//! and for filters that grew a tail with every change.

use std::fmt;

use super::operator::Operator;
use super::predicate::{Comparison, Literal, Predicate};
use crate::directory::attribute::{Attribute, Property};
use crate::directory::names;

/// Which tail of which version it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailVersion {
    /// MailboxPlan, DiscoveryMailbox, ArbitrationMailbox.
    Exchange2010,
    /// The same and PublicFolderMailbox, later AuditLogMailbox.
    Exchange2013,
    /// The same, AuxAuditLogMailbox and SupervisoryReviewPolicyMailbox.
    Online,
    /// The same and GuestMailUser: guests are not members.
    OnlineWithoutGuests,
    /// A combination no version is known for.
    Other,
}

impl TailVersion {
    /// The version by name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exchange2010 => "Exchange 2010",
            Self::Exchange2013 => "Exchange 2013 or later",
            Self::Online => "Exchange Online or Exchange 2019",
            Self::OnlineWithoutGuests => "Exchange Online, which leaves guests out",
            Self::Other => "an unknown version of Exchange",
        }
    }
}

impl fmt::Display for TailVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A predicate taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// What the administrator wrote.
    pub core: Predicate,
    /// The outermost tail comes first.
    pub tails: Vec<TailVersion>,
}

/// Removes every appended tail.
pub fn split(predicate: &Predicate) -> Split {
    let mut core = predicate.clone();
    let mut tails = Vec::new();
    while let Some((inner, version)) = strip_one(&core) {
        core = inner;
        tails.push(version);
    }
    Split { core, tails }
}

/// A tail is the end of an AND that begins with the two names.
fn strip_one(predicate: &Predicate) -> Option<(Predicate, TailVersion)> {
    let parts = match predicate {
        Predicate::And(parts) => parts,
        Predicate::Or(_)
        | Predicate::Not(_)
        | Predicate::Compare(_)
        | Predicate::Quantified(_)
        | Predicate::All
        | Predicate::None => return None,
    };
    // The last start counts: an unparenthesised filter may carry several tails on one level.
    let start = (1..parts.len().saturating_sub(1)).rev().find(|at| {
        let mut names = parts.iter().skip(*at);
        is_name_exclusion(names.next(), "SystemMailbox{*") && is_name_exclusion(names.next(), "CAS_{*")
    })?;
    let types: Option<Vec<&str>> = parts.iter().skip(start + 2).map(excluded_type).collect();
    let version = version_of(&types?);
    let kept = parts.get(..start)?;
    let core = match kept {
        [only] => only.clone(),
        several => Predicate::And(several.to_vec()),
    };
    Some((core, version))
}

fn is_name_exclusion(part: Option<&Predicate>, pattern: &str) -> bool {
    // In LDAP, name and cn are the same value.
    let names = [Attribute::Name, Attribute::CommonName, Attribute::RawName];
    names
        .into_iter()
        .find_map(|name| excluded(part, name, Operator::Like))
        .is_some_and(|text| text.eq_ignore_ascii_case(pattern))
}

/// The type a part excludes, by its name; LDAP states the number.
fn excluded_type(part: &Predicate) -> Option<&'static str> {
    let text = excluded(Some(part), Attribute::RecipientTypeDetails, Operator::Eq)?;
    let number = names::number_of(names::RECIPIENT_TYPE_DETAILS, text)?;
    names::name_of(names::RECIPIENT_TYPE_DETAILS, number)
}

/// The value of `-not(attribute operator value)`, or of its negative operator.
fn excluded(part: Option<&Predicate>, attribute: Attribute, operator: Operator) -> Option<&str> {
    let (inner, wanted) = match part? {
        Predicate::Not(inner) => (&**inner, operator),
        bare => (bare, negative(operator)?),
    };
    match inner {
        Predicate::Compare(Comparison {
            property,
            operator: found,
            literal: Literal::Text(text) | Literal::Number(text),
        }) if *property == Property::Held(attribute) && *found == wanted => Some(text),
        Predicate::Compare(_)
        | Predicate::Quantified(_)
        | Predicate::And(_)
        | Predicate::Or(_)
        | Predicate::Not(_)
        | Predicate::All
        | Predicate::None => None,
    }
}

fn negative(operator: Operator) -> Option<Operator> {
    match operator {
        Operator::Eq => Some(Operator::Ne),
        Operator::Like => Some(Operator::NotLike),
        _ => None,
    }
}

fn version_of(types: &[&str]) -> TailVersion {
    const T2010: [&str; 3] = ["MailboxPlan", "DiscoveryMailbox", "ArbitrationMailbox"];
    const T2013: [&str; 4] = [
        "MailboxPlan",
        "DiscoveryMailbox",
        "PublicFolderMailbox",
        "ArbitrationMailbox",
    ];
    const AUDIT: &str = "AuditLogMailbox";
    const ONLINE: [&str; 2] = ["AuxAuditLogMailbox", "SupervisoryReviewPolicyMailbox"];
    const GUEST: &str = "GuestMailUser";
    let is = |wanted: &[&str]| {
        types.len() == wanted.len()
            && wanted
                .iter()
                .all(|name| types.iter().any(|found| found.eq_ignore_ascii_case(name)))
    };
    let with_audit = [T2013.as_slice(), &[AUDIT]].concat();
    let online = [with_audit.as_slice(), &ONLINE].concat();
    let without_guests = [online.as_slice(), &[GUEST]].concat();
    if is(&T2010) {
        TailVersion::Exchange2010
    } else if is(&T2013) || is(&with_audit) {
        TailVersion::Exchange2013
    } else if is(&online) {
        TailVersion::Online
    } else if is(&without_guests) {
        TailVersion::OnlineWithoutGuests
    } else {
        TailVersion::Other
    }
}

/// Names of the mailboxes Exchange keeps for itself, as they begin. Compared without case.
///
/// Sources: the appended tails, the published list of arbitration mailboxes, the monitoring mailboxes.
const SYSTEM_NAMES: [&str; 6] = [
    "SystemMailbox{",
    "CAS_{",
    "DiscoverySearchMailbox{",
    "FederatedEmail.4c1f4d8b-",
    "Migration.8f3e7716-",
    "HealthMailbox",
];

/// True if a name belongs to a system mailbox, which is a member of no dynamic group.
pub fn is_system_name(name: &str) -> bool {
    SYSTEM_NAMES.iter().any(|prefix| {
        name.get(..prefix.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(prefix))
    })
}
