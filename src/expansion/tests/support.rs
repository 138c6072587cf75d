//! A small world to expand in.

use jiff::Timestamp;

use crate::directory::filter::EvaluationOptions;
use crate::directory::testing::{ObjectBuilder, directory};
use crate::directory::{Directory, Location, Ordinal};
use crate::expansion::{Detail, Expansion, HopId, Limits, Place, Request, Router, Start, expand};
use crate::mail::{EnvelopeRecipient, Mailbox, Notify, ReversePath};
use crate::policy::Rules;
use crate::resolver::{Sender, Standing};
use crate::rolls::roll::Cause;
use crate::rolls::{RollTable, View, build, update};
use crate::track::Reason;

/// Cloud 0, on premises 1, outside 2; `nowhere.example` has no route.
pub(crate) struct Hops;

impl Router for Hops {
    fn next_hop(&self, place: Option<Place>, final_address: &Mailbox) -> Result<HopId, Reason> {
        if final_address.domain() == "nowhere.example" {
            return Err(Reason::NoRoute);
        }
        Ok(match place.map(|place| place.location) {
            Some(Location::Cloud) => HopId(0),
            Some(Location::OnPremises) => HopId(1),
            Some(Location::External) | None => HopId(2),
        })
    }
}

pub(crate) fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).expect("a test address")
}

/// Objects with fresh rolls of all groups.
pub(crate) fn view(objects: impl IntoIterator<Item = ObjectBuilder>) -> View {
    with_rolls(directory(objects))
}

pub(super) fn with_rolls(directory: Directory) -> View {
    let options = EvaluationOptions::default();
    let groups: Vec<Ordinal> = directory.groups().map(|(group, _)| group).collect();
    let empty = View::new(directory, RollTable::default());
    let update = update::again(&empty, groups, &options, Cause::Created, Timestamp::UNIX_EPOCH);
    View {
        directory: empty.directory,
        rolls: update.rolls.into(),
        switched: empty.switched,
        suppressed: empty.suppressed,
    }
}

/// The same rolls over another generation.
pub(super) fn later(view: &View, change: crate::directory::ChangeSet) -> View {
    struct Known<'a>(&'a Directory);
    impl crate::directory::OrdinalSource for Known<'_> {
        fn ordinal(&mut self, id: &crate::directory::ObjectId) -> Ordinal {
            self.0.ordinal_of(id).expect("an object that was there")
        }
    }
    let (next, _) = view
        .directory
        .apply(change, &mut Known(&view.directory), 2, Timestamp::UNIX_EPOCH);
    View {
        directory: next.into(),
        rolls: view.rolls.clone(),
        switched: view.switched.clone(),
        suppressed: view.suppressed.clone(),
    }
}

#[allow(dead_code)]
pub(super) fn built(view: &View, group: u32) -> u64 {
    build(
        &view.directory,
        Ordinal(group),
        &EvaluationOptions::default(),
        Timestamp::UNIX_EPOCH,
    )
    .map_or(0, |built| built.entries.len())
}

pub(super) fn external(address: &str) -> Sender {
    Sender {
        reverse_path: ReversePath::Mailbox(mailbox(address)),
        standing: Standing::External,
    }
}

pub(super) fn internal(address: &str) -> Sender {
    Sender {
        reverse_path: ReversePath::Mailbox(mailbox(address)),
        standing: Standing::Internal {
            proof: crate::resolver::Proof::Network("test".into()),
        },
    }
}

pub(super) fn to(addresses: &[&str]) -> Vec<EnvelopeRecipient> {
    addresses
        .iter()
        .map(|address| EnvelopeRecipient::plain(mailbox(address)))
        .collect()
}

pub(super) fn asking(address: &str, notify: Notify) -> Vec<EnvelopeRecipient> {
    vec![EnvelopeRecipient {
        notify: Some(notify),
        ..EnvelopeRecipient::plain(mailbox(address))
    }]
}

pub(super) fn ask<'a>(sender: &'a Sender, recipients: &'a [EnvelopeRecipient]) -> Request<'a> {
    Request {
        size_bytes: Some(1_000),
        start: Start::Addressed(recipients),
        detail: Detail::Explain,
        ..Request::new(sender, recipients, Timestamp::UNIX_EPOCH)
    }
}

pub(super) fn run(request: &Request<'_>, view: &View, rules: &Rules) -> Expansion {
    expand(request, view, rules, &Hops, &Limits::default())
}

/// Final addresses in walk order.
pub(super) fn finals(expansion: &Expansion) -> Vec<String> {
    let recipients = expansion.branches.iter().flat_map(|branch| &branch.recipients);
    recipients
        .map(|recipient| recipient.final_address.to_string())
        .collect()
}

/// Final addresses, sorted.
pub(super) fn reached(expansion: &Expansion) -> Vec<String> {
    let mut finals = finals(expansion);
    finals.sort();
    finals
}

/// Refused branches as (address, reason).
pub(super) fn refused(expansion: &Expansion) -> Vec<(String, Reason)> {
    let branches = expansion.refused.iter();
    branches
        .map(|branch| (branch.recipient.to_string(), branch.refusal.reason))
        .collect()
}
