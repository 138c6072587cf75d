//! Answers about groups, from one pinned view. Pure.

mod members;
mod state;
mod why;

use std::collections::HashMap;

use jiff::Timestamp;

use super::kept::Kept;
use crate::admin::answer::{GroupShown, GroupSummary, RouteTaken};
use crate::admin::service::{Refusal, RefusalKind};
use crate::categorizer::NextHops;
use crate::directory::filter::EvaluationOptions;
use crate::directory::group::RuleCondition;
use crate::directory::{Found, Lookup, Ordinal, RecipientObject, Reference};
use crate::mail::Mailbox;
use crate::policy::{Rules, author};
use crate::rolls::View;

/// What answers about groups are made from.
pub struct Groups<'a> {
    /// The pinned view.
    pub view: &'a View,
    /// The organisation's rules.
    pub rules: &'a Rules,
    /// Next hops.
    pub hops: &'a dyn NextHops,
    /// How filters compare.
    pub options: &'a EvaluationOptions,
    /// What is kept beside the view.
    pub kept: &'a dyn Kept,
    /// Now.
    pub now: Timestamp,
}

impl Groups<'_> {
    /// Every group, by address.
    #[must_use]
    pub fn list(&self) -> Vec<GroupSummary> {
        let mut all: Vec<GroupSummary> = self
            .view
            .directory
            .groups()
            .map(|(ordinal, group)| self.summary(ordinal, group))
            .collect();
        all.sort_by(|a, b| a.address.cmp(&b.address));
        all
    }

    /// One group.
    pub fn show(&self, name: &str) -> Result<GroupShown, Refusal> {
        let (ordinal, group) = self.group(name)?;
        let settings = group.group.as_deref();
        let delivery = group.delivery.as_deref();
        let texts = |list: Option<&Vec<Reference>>| -> Vec<String> {
            list.into_iter()
                .flatten()
                .map(|reference| self.readable(reference))
                .collect()
        };
        let (nested, depth, recipients) = self.reach(ordinal);
        let rule = settings.and_then(|settings| settings.rule.as_deref());
        Ok(GroupShown {
            summary: self.summary(ordinal, group),
            id: group.id.to_string(),
            source: group.source.to_string(),
            aliases: group.mailboxes().skip(1).map(ToString::to_string).collect(),
            owners: texts(settings.map(|settings| &settings.managed_by)),
            moderators: texts(delivery.and_then(|d| d.moderation.as_deref()).map(|m| &m.moderators)),
            accept_from: texts(delivery.map(|delivery| &delivery.accept_from)),
            reject_from: texts(delivery.map(|delivery| &delivery.reject_from)),
            send_as: texts(delivery.map(|delivery| &delivery.send_as)),
            send_on_behalf: texts(Some(&author::on_behalf(group))),
            size_bytes_max: delivery.and_then(|delivery| delivery.max_receive_size),
            reports_to: match settings {
                Some(settings) if settings.report_to_owner => "owner",
                Some(settings) if !settings.report_to_originator => "nobody",
                Some(_) | None => "originator",
            }
            .to_owned(),
            hidden_membership: settings.is_some_and(|settings| settings.hidden_membership),
            filter: rule.map(|rule| match &rule.condition {
                RuleCondition::Custom { text, .. } => text.to_string(),
                RuleCondition::Precanned(precanned) => precanned.text(),
            }),
            container: rule
                .and_then(|rule| rule.recipient_container.as_deref())
                .map(str::to_owned),
            nested_groups: nested,
            depth,
            recipients,
            parents: self.parents(ordinal),
            notes: self.notes(ordinal, group),
        })
    }

    pub(crate) fn group(&self, name: &str) -> Result<(Ordinal, &RecipientObject), Refusal> {
        let (ordinal, object) = self.find(name)?;
        if let Some(group) = self.view.group(ordinal) {
            return Ok((ordinal, group));
        }
        let text = format!(
            "{} is not a group but a {}",
            object.primary,
            object.kind.recipient_type_details()
        );
        Err(Refusal::new(RefusalKind::NotFound, text))
    }

    /// A recipient by any address or name.
    pub(crate) fn find(&self, name: &str) -> Result<(Ordinal, Found<'_>), Refusal> {
        let missing = || Refusal::new(RefusalKind::NotFound, format!("nobody has the address or name {name}"));
        let ordinal = match self.view.directory.lookup_reference(name) {
            Lookup::One(ordinal) => ordinal,
            Lookup::None => return Err(missing()),
            Lookup::Ambiguous(all) => {
                let names: Vec<String> = all
                    .iter()
                    .filter_map(|ordinal| self.view.object(*ordinal))
                    .map(|object| object.primary.to_string())
                    .collect();
                let text = format!("{name} is ambiguous: {}", names.join(", "));
                return Err(Refusal::new(RefusalKind::NotFound, text));
            }
        };
        let object = self.view.object(ordinal).ok_or_else(missing)?;
        Ok((ordinal, object))
    }

    /// A group by any of its names.
    pub fn object_of(&self, name: &str) -> Result<RecipientObject, Refusal> {
        self.find(name).map(|(_, object)| (*object).clone())
    }

    /// Primary address of a recipient by any address or name.
    pub fn primary_of(&self, name: &str) -> Result<Mailbox, Refusal> {
        self.find(name).map(|(_, object)| object.primary.clone())
    }

    fn readable(&self, reference: &Reference) -> String {
        let found = self.view.directory.lookup_reference(reference.as_str()).one();
        let object = found.and_then(|ordinal| self.view.object(ordinal));
        object.map_or_else(|| reference.as_str().to_owned(), |object| object.primary.to_string())
    }
}

/// Groups by next hop, as `explain` counts.
#[must_use]
pub fn count_by_hop(hops: &dyn NextHops, ids: impl Iterator<Item = crate::expansion::HopId>) -> HashMap<String, u64> {
    let mut named = HashMap::new();
    for (hop, count) in counted(ids) {
        *named.entry(hops.name(hop)).or_default() += count;
    }
    named
}

/// How many recipients take which way, and by which rule.
pub fn routes_taken(hops: &dyn NextHops, ids: impl Iterator<Item = crate::expansion::HopId>) -> Vec<RouteTaken> {
    let taken = counted(ids).into_iter().map(|(hop, recipients)| RouteTaken {
        next_hop: hops.name(hop),
        rule: hops.rule(hop).as_deref().map(str::to_owned),
        priority: hops.priority(hop).word().to_owned(),
        recipients,
    });
    let mut taken: Vec<RouteTaken> = taken.collect();
    taken.sort_unstable();
    taken
}

fn counted(ids: impl Iterator<Item = crate::expansion::HopId>) -> HashMap<crate::expansion::HopId, u64> {
    let mut counts = HashMap::new();
    ids.for_each(|hop| *counts.entry(hop).or_default() += 1);
    counts
}
