//! From a group's settings to its entries.
//!
//! In: a generation and a group. Out: its direct entries; for a dynamic group those its rule finds. Never: a
//! guess at a rule that cannot be evaluated (the last good version serves on), a nested group taken apart.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::roll::{Cause, Entries, Provenance, Roll};
use super::watch::Watch;
use crate::directory::filter::plan::{self, PlanOptions, threads};
use crate::directory::filter::{CompiledRule, EvaluationOptions, RuleFault};
use crate::directory::group::Subscribers;
use crate::directory::{Directory, Ordinal, RecipientObject, Reference};

/// Why a roll cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildFault {
    /// No live group has this ordinal.
    #[error("there is no such group")]
    NoGroup,
    /// A dynamic group whose source gave no rule.
    #[error("the dynamic group has no rule")]
    NoRule,
    /// Its rule cannot be evaluated.
    #[error(transparent)]
    Rule(#[from] RuleFault),
}

/// What was computed for a group.
#[derive(Clone, PartialEq, Debug)]
pub struct Built {
    /// Its members.
    pub entries: Entries,
    /// Its subscribers, if it is a Microsoft 365 group that is expanded here.
    pub subscribers: Option<Entries>,
    /// Hash of the rule or lists; another hash means another rule.
    pub filter_hash: u64,
}

/// Where rules come from that are ready to judge.
#[derive(Clone, Copy, Debug)]
pub enum Rules<'a> {
    /// They are compiled now, with these options.
    Compile(&'a EvaluationOptions),
    /// Those that are watched already; a group that is not watched has none.
    Watched(&'a Watch),
}

impl Rules<'_> {
    fn of(self, group: Ordinal, object: &RecipientObject) -> Result<Arc<CompiledRule>, BuildFault> {
        match self {
            Self::Compile(options) => {
                let settings = object.group.as_deref();
                let rule = settings.and_then(|settings| settings.rule.as_deref());
                let compiled = CompiledRule::compile(rule.ok_or(BuildFault::NoRule)?, options)?;
                Ok(Arc::new(compiled))
            }
            Self::Watched(watch) => match watch.rule(group) {
                Some(Ok(rule)) => Ok(Arc::clone(rule)),
                Some(Err(fault)) => Err(fault.clone()),
                None => Err(BuildFault::NoRule),
            },
        }
    }
}

/// Computes the entries of a group as they are at `now`.
pub fn build(
    directory: &Directory,
    group: Ordinal,
    options: &EvaluationOptions,
    now: Timestamp,
) -> Result<Built, BuildFault> {
    let work = PlanOptions::alone(now);
    let mut built = build_all(directory, &[group], Rules::Compile(options), &work);
    built.pop().unwrap_or(Err(BuildFault::NoGroup))
}

/// Computes the entries of many groups together, each test and each row looked at once; in the order of the groups.
#[must_use]
pub fn build_all(
    directory: &Directory,
    groups: &[Ordinal],
    rules: Rules<'_>,
    work: &PlanOptions,
) -> Vec<Result<Built, BuildFault>> {
    let mut distinct: Vec<Arc<CompiledRule>> = Vec::new();
    let mut places: HashMap<*const CompiledRule, usize> = HashMap::new();
    let planned: Vec<Result<Option<usize>, BuildFault>> = groups
        .iter()
        .map(|group| {
            let object = directory.group(*group).ok_or(BuildFault::NoGroup)?;
            if !object.kind.is_dynamic() {
                return Ok(None);
            }
            let rule = rules.of(*group, object)?;
            // Groups that share a rule share its rows.
            let place = *places.entry(Arc::as_ptr(&rule)).or_insert_with(|| {
                distinct.push(rule);
                distinct.len() - 1
            });
            Ok(Some(place))
        })
        .collect();
    let borrowed: Vec<&CompiledRule> = distinct.iter().map(|rule| &**rule).collect();
    let found: Vec<Entries> = plan::evaluate_all(directory, &borrowed, work)
        .into_iter()
        .map(|rows| Entries::new(rows, Vec::new(), Vec::new()))
        .collect();
    let plans: Vec<(Ordinal, Result<Option<usize>, BuildFault>)> = groups.iter().copied().zip(planned).collect();
    threads::each(
        work.threads,
        plans.len(),
        || (),
        |(), number| {
            let (group, plan) = plans.get(number).ok_or(BuildFault::NoGroup)?;
            let object = directory.group(*group).ok_or(BuildFault::NoGroup)?;
            Ok(match plan.clone()? {
                Some(place) => Built {
                    entries: found.get(place).cloned().unwrap_or_default(),
                    subscribers: None,
                    filter_hash: filter_hash(object),
                },
                None => bound(directory, object, filter_hash(object)),
            })
        },
    )
}

/// The entries of a static group, whose lists have this hash.
pub(super) fn bound(directory: &Directory, object: &RecipientObject, filter_hash: u64) -> Built {
    let members = object.group.as_deref().map_or(&[][..], |settings| &settings.members);
    Built {
        entries: listed(directory, members),
        subscribers: expanded_subscribers(object).map(|list| listed(directory, list)),
        filter_hash,
    }
}

/// A reference that fits several objects names none of them: the entry stays as text until somebody decides.
fn listed(directory: &Directory, references: &[Reference]) -> Entries {
    let bound = directory.bind(references);
    let doubtful = bound.unresolved.iter().chain(&bound.ambiguous);
    let unresolved = doubtful.map(|reference| reference.as_str().into()).collect();
    Entries::new(bound.ordinals, bound.outside, unresolved)
}

pub(super) fn expanded_subscribers(object: &RecipientObject) -> Option<&[Reference]> {
    let subscribers: &Subscribers = object.group.as_deref()?.subscribers.as_deref()?;
    (object.kind.is_microsoft365_group() && subscribers.expand).then_some(&subscribers.list)
}

/// Hash of what decides the entries, the same in every build of the program.
#[must_use]
pub fn filter_hash(object: &RecipientObject) -> u64 {
    let settings = object.group.as_deref();
    let parts = (
        settings.map(|settings| &settings.members),
        settings.and_then(|settings| settings.rule.as_ref()),
        expanded_subscribers(object),
    );
    let text = serde_json::to_vec(&parts).expect("texts and flags serialise");
    let digest: [u8; 32] = Sha256::digest(text).into();
    digest
        .first_chunk()
        .map_or(0, |octets: &[u8; 8]| u64::from_le_bytes(*octets))
}

/// The roll that follows from what was computed: the same version, confirmed, if the entries are the same; the
/// next version otherwise.
#[must_use]
pub fn succeed(
    group: Ordinal,
    previous: Option<&Roll>,
    built: Built,
    generation: u64,
    now: Timestamp,
    cause: Cause,
) -> Roll {
    if let Some(previous) = previous.filter(|roll| roll.same_entries(&built.entries, built.subscribers.as_ref())) {
        let mut confirmed = previous.clone();
        confirmed.provenance.generation = generation;
        confirmed.provenance.filter_hash = built.filter_hash;
        confirmed.provenance.confirmed_at = now;
        return confirmed;
    }
    Roll {
        group,
        version: previous.map_or(1, |roll| roll.version + 1),
        entries: built.entries,
        subscribers: built.subscribers,
        provenance: Provenance {
            generation,
            filter_hash: built.filter_hash,
            computed_at: now,
            confirmed_at: now,
            cause,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::testing::{directory, dynamic_group, group, person};

    fn built(directory: &Directory, group: u32) -> Result<Built, BuildFault> {
        build(
            directory,
            Ordinal(group),
            &EvaluationOptions::default(),
            Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn a_static_group_binds_objects_addresses_and_keeps_the_rest_as_text() {
        let directory = directory([
            group("all@contoso.example").members(&[
                "lena@contoso.example",
                "L.BERG@contoso.example",
                "team@contoso.example",
                "Guest@Outside.Example",
                "guest@outside.example",
                "both@contoso.example",
                "CN=Gone,OU=x,DC=contoso,DC=example",
            ]),
            person("lena@contoso.example").proxy("smtp:l.berg@contoso.example"),
            group("team@contoso.example"),
            person("one@contoso.example").proxy("smtp:both@contoso.example"),
            person("two@contoso.example").proxy("smtp:both@contoso.example"),
        ]);
        let entries = built(&directory, 0).expect("a group").entries;
        assert_eq!(entries.objects.iter().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(entries.outside.len(), 1);
        assert_eq!(entries.unresolved.len(), 2, "{:?}", entries.unresolved);
        assert_eq!(built(&directory, 1).err(), Some(BuildFault::NoGroup));
    }

    #[test]
    fn a_dynamic_group_holds_what_its_rule_finds_and_no_system_mailbox() {
        let directory = directory([
            dynamic_group("berlin@contoso.example", "Office -eq 'Berlin'"),
            person("lena@contoso.example").office("Berlin"),
            person("jonas@contoso.example").office("Bonn"),
            person("SystemMailbox@contoso.example")
                .office("Berlin")
                .name("SystemMailbox{1f05a927}"),
            person("noalias@contoso.example").office("Berlin").alias(None),
            group("berlin-team@contoso.example").office("BERLIN"),
        ]);
        let entries = built(&directory, 0).expect("a rule").entries;
        assert_eq!(entries.objects.iter().collect::<Vec<_>>(), [1, 5]);
    }

    #[test]
    fn a_rule_that_cannot_be_evaluated_is_a_fault_and_no_empty_list() {
        let directory = directory([
            dynamic_group("x@contoso.example", "CompanyName -eq 'x'"),
            dynamic_group("y@contoso.example", "Office -eq 'x'").with_group(|group| group.rule = None),
        ]);
        assert!(matches!(built(&directory, 0), Err(BuildFault::Rule(_))));
        assert_eq!(built(&directory, 1).err(), Some(BuildFault::NoRule));
    }

    #[test]
    fn the_same_entries_keep_their_version() {
        let at = |second| Timestamp::from_second(second).expect("a test time");
        let make = |numbers: &[u32]| Built {
            entries: Entries::new(numbers.iter().copied().collect(), Vec::new(), Vec::new()),
            subscribers: None,
            filter_hash: 7,
        };
        let first = succeed(Ordinal(9), None, make(&[1, 2]), 4, at(10), Cause::Created);
        assert_eq!((first.version, first.provenance.confirmed_at), (1, at(10)));
        let same = succeed(Ordinal(9), Some(&first), make(&[1, 2]), 5, at(20), Cause::Scheduled);
        assert_eq!((same.version, same.provenance.computed_at), (1, at(10)));
        assert_eq!((same.provenance.generation, same.provenance.confirmed_at), (5, at(20)));
        let next = succeed(Ordinal(9), Some(&same), make(&[2]), 6, at(30), Cause::DirectoryChanged);
        assert_eq!((next.version, next.provenance.computed_at), (2, at(30)));
    }
}
