//! The ARC chain that a message bears, and what a further set says of it.

use crate::mail::header::{Field, HeaderSection};

/// What a sealer found (RFC 8617 §4.1.1).
pub(super) const RESULTS: &str = "ARC-Authentication-Results";
/// The message as a sealer saw it (§4.1.2).
pub(super) const SIGNATURE: &str = "ARC-Message-Signature";
/// All sets so far (§4.1.3).
pub(super) const SEAL: &str = "ARC-Seal";

/// Most sets (RFC 8617 §4.2.1).
const INSTANCE_MAX: u32 = 50;

/// True if a message bears any part of a chain.
#[must_use]
pub fn is_on(section: &HeaderSection<'_>) -> bool {
    section.fields().iter().any(is_part)
}

fn is_part(field: &Field<'_>) -> bool {
    [RESULTS, SIGNATURE, SEAL].iter().any(|name| field.is(name))
}

/// How the chain stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Validation {
    /// There is none.
    None,
    /// It was checked and holds.
    Pass,
    /// It was checked and is broken.
    Fail,
    /// Its last seal says that it is broken: nothing is added to it (RFC 8617 §5.1.2).
    Ended,
    /// It could not be checked.
    Unknown,
}

/// The chain of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chain<'a> {
    highest: u32,
    validation: Validation,
    /// Results, signature and seal of each set, first set first; empty unless the chain holds.
    sets: Vec<Field<'a>>,
}

impl<'a> Chain<'a> {
    /// Reads the chain, and what our results of the message say of it (`… arc=pass`).
    #[must_use]
    pub fn of(section: &HeaderSection<'a>, results: Option<&str>) -> Self {
        let parts: Vec<(u32, &Field<'a>)> = section
            .fields()
            .iter()
            .filter(|field| is_part(field))
            .map(|field| (instance(field), field))
            .collect();
        let highest = parts.iter().map(|(instance, _)| *instance).max().unwrap_or(0);
        let last_failed = parts.iter().any(|(instance, field)| {
            *instance == highest && field.is(SEAL) && tag(field, "cv").as_deref() == Some("fail")
        });
        let mut sets = Vec::new();
        let validation = match results.and_then(verdict) {
            _ if parts.is_empty() => Validation::None,
            _ if last_failed => Validation::Ended,
            Some("pass") => match whole(&parts, highest) {
                Some(whole) => {
                    sets = whole;
                    Validation::Pass
                }
                None => Validation::Fail,
            },
            // What the checker does not count as a chain and we do.
            Some("fail" | "neutral" | "permerror" | "none") => Validation::Fail,
            Some(_) | None => Validation::Unknown,
        };
        Self {
            highest,
            validation,
            sets,
        }
    }

    /// Instance of the next set and what its seal says of those before; none if nothing may be added.
    ///
    /// A chain that could not be checked, because name servers did not answer or the message was too large, is left as
    /// it is: `fail` would break for good what may well be whole, and `pass` would be a lie.
    #[must_use]
    pub fn next(&self) -> Option<(u32, &'static str)> {
        let word = match self.validation {
            Validation::None => "none",
            Validation::Pass => "pass",
            Validation::Fail => "fail",
            Validation::Ended | Validation::Unknown => return None,
        };
        (self.highest < INSTANCE_MAX).then_some((self.highest + 1, word))
    }

    /// Fields that the next seal covers beside its own set.
    pub(super) fn sealed(&self) -> &[Field<'a>] {
        &self.sets
    }
}

/// Every set from the first to the highest, each part once.
fn whole<'a>(parts: &[(u32, &Field<'a>)], highest: u32) -> Option<Vec<Field<'a>>> {
    let mut sets = Vec::new();
    for wanted in 1..=highest {
        for name in [RESULTS, SIGNATURE, SEAL] {
            let mut found = parts
                .iter()
                .filter(|(instance, field)| *instance == wanted && field.is(name));
            match (found.next(), found.next()) {
                (Some((_, only)), None) => sets.push(**only),
                (None | Some(_), _) => return None,
            }
        }
    }
    (sets.len() == parts.len()).then_some(sets)
}

/// Its number; 0 if it has none that can be read.
fn instance(field: &Field<'_>) -> u32 {
    let number = tag(field, "i").and_then(|number| number.parse().ok());
    number.filter(|number| *number <= INSTANCE_MAX).unwrap_or(0)
}

/// A tag of a list (RFC 6376 §3.2), without blanks and in lower case.
fn tag(field: &Field<'_>, name: &str) -> Option<String> {
    let value = field.unfolded();
    value.split(';').find_map(|part| {
        let (tag, value) = part.split_once('=')?;
        (tag.trim() == name).then(|| value.trim().to_ascii_lowercase())
    })
}

/// What our own results say of the chain. They are written by [`super::super::authentication::Findings::field`].
fn verdict(results: &str) -> Option<&str> {
    let mut words = results.split([' ', ';', '\t']);
    words.find_map(|word| word.strip_prefix("arc="))
}
