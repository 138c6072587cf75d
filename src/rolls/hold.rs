//! What the guard holds: the list that serves, the list that is proposed, and who is to blame.
//!
//! In: a broken limit and the changes that broke it. Out: a proposal to show, store, accept or reject. Never: a
//! proposal whose causes are a guess; an entry without a named cause came by the cause of its version.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::guard::Limit;
use super::history::{self, Detail, Difference, EntryCause, HistoryFault};
use crate::directory::Ordinal;

/// One cause, when it was first and last seen, and whom it concerns.
#[derive(Clone, PartialEq, Debug)]
pub struct Blame {
    /// When it was first seen.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// What happened to whom.
    pub detail: Detail,
}

/// Causes, each once.
#[derive(Clone, Debug, Default)]
pub struct Blames {
    list: Vec<Blame>,
    places: HashMap<EntryCause, usize>,
}

impl PartialEq for Blames {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl FromIterator<Blame> for Blames {
    fn from_iter<I: IntoIterator<Item = Blame>>(blames: I) -> Self {
        let mut all = Self::default();
        for blame in blames {
            all.add(blame.first, blame.last, &blame.detail);
        }
        all
    }
}

impl Blames {
    /// The causes in the order in which they were met.
    #[must_use]
    pub fn list(&self) -> &[Blame] {
        &self.list
    }

    /// Adds a cause that was seen in this time.
    pub fn add(&mut self, first: Timestamp, last: Timestamp, detail: &Detail) {
        let Some(place) = self.places.get(&detail.cause) else {
            self.places.insert(detail.cause.clone(), self.list.len());
            self.list.push(Blame {
                first,
                last,
                detail: detail.clone(),
            });
            return;
        };
        let blame = &mut self.list[*place];
        blame.first = blame.first.min(first);
        blame.last = blame.last.max(last);
        blame.detail.added |= &detail.added;
        blame.detail.removed |= &detail.removed;
    }

    /// Those that explain entries of this change, and only these entries.
    #[must_use]
    pub fn of_change(&self, change: &Difference) -> Self {
        let blames = self.list.iter().filter_map(|blame| {
            let detail = restricted(&blame.detail, change)?;
            Some(Blame {
                detail,
                ..blame.clone()
            })
        });
        blames.collect()
    }

    /// The details alone.
    #[must_use]
    pub fn details(&self) -> Vec<Detail> {
        self.list.iter().map(|blame| blame.detail.clone()).collect()
    }
}

/// A detail without the entries that the change leaves alone; none if nothing remains.
#[must_use]
pub fn restricted(detail: &Detail, change: &Difference) -> Option<Detail> {
    let (mut added, mut removed) = (change.entries.added.clone(), change.entries.removed.clone());
    if let Some(list) = change.subscribers.as_ref().map(|list| list.change()) {
        added |= &list.added;
        removed |= &list.removed;
    }
    let detail = Detail {
        cause: detail.cause.clone(),
        added: &detail.added & added,
        removed: &detail.removed & removed,
    };
    (!detail.added.is_empty() || !detail.removed.is_empty()).then_some(detail)
}

/// Who decided something, when and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// Who.
    pub by: Arc<str>,
    /// Why, in words.
    pub reason: Arc<str>,
    /// When.
    pub at: Timestamp,
}

/// A list that waits.
#[derive(Clone, PartialEq, Debug)]
pub struct Hold {
    /// The group.
    pub group: Ordinal,
    /// Since when.
    pub since: Timestamp,
    /// The limit that the proposal breaks; the numbers are those of today's proposal.
    pub limit: Limit,
    /// The version whose list serves again. It may serve under a newer number.
    pub list_of_version: u64,
    /// What carries the list that serves (pins aside) to the computed one, which goes on being patched.
    pub proposed: Difference,
    /// Why, for the entries of the proposal.
    pub blames: Blames,
    /// An operator said no: the list serves on, and the hold is no news any more.
    pub rejected: Option<Decision>,
}

/// The part of a hold that is a text in the store.
#[derive(Serialize, Deserialize)]
struct Written {
    since: Timestamp,
    limit: Limit,
    list_of_version: u64,
    rejected: Option<Decision>,
    times: Vec<(Timestamp, Timestamp)>,
}

impl Hold {
    /// The stored form: a text, and the proposal as the history writes it.
    #[must_use]
    pub fn encode(&self) -> (String, Vec<u8>) {
        let written = Written {
            since: self.since,
            limit: self.limit,
            list_of_version: self.list_of_version,
            rejected: self.rejected.clone(),
            times: self
                .blames
                .list()
                .iter()
                .map(|blame| (blame.first, blame.last))
                .collect(),
        };
        let mut proposed = self.proposed.clone();
        proposed.details = self.blames.details();
        let text = serde_json::to_string(&written).expect("numbers, texts and times serialise");
        (text, history::encode(&proposed))
    }

    /// Reads [`Hold::encode`]'s form back.
    pub fn decode(text: &str, proposed: &[u8]) -> Result<Self, HistoryFault> {
        let written: Written = serde_json::from_str(text).map_err(|_| HistoryFault::Damaged("a hold"))?;
        let mut proposed = history::decode(proposed)?;
        let details = std::mem::take(&mut proposed.details);
        if details.len() != written.times.len() {
            return Err(HistoryFault::Damaged("the causes of a hold"));
        }
        let blames = written.times.into_iter().zip(details);
        Ok(Self {
            group: proposed.group,
            since: written.since,
            limit: written.limit,
            list_of_version: written.list_of_version,
            blames: blames
                .map(|((first, last), detail)| Blame { first, last, detail })
                .collect(),
            proposed,
            rejected: written.rejected,
        })
    }
}
