//! Answers about groups, from one pinned view. Pure.

use std::collections::{HashMap, HashSet, VecDeque};

use jiff::Timestamp;

use crate::admin::answer::{ClauseVerdict, GroupMembers, GroupShown, GroupSummary, GroupWhy, Member, RollState};
use crate::admin::command::MemberDepth;
use crate::admin::service::{Refusal, RefusalKind};
use crate::categorizer::NextHops;
use crate::directory::filter::EvaluationOptions;
use crate::directory::filter::evaluate::ClauseKind;
use crate::directory::filter::membership::DirectMembers;
use crate::directory::filter::rule::CompiledRule;
use crate::directory::group::RuleCondition;
use crate::directory::{Found, Lookup, Ordinal, RecipientObject, Reference};
use crate::mail::Mailbox;
use crate::policy::{Rules, authentication};
use crate::rolls::table::Attempt;
use crate::rolls::{Freshness, Roll, RollPolicy, View};

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

    /// Who is in a group.
    pub fn members(&self, name: &str, depth: MemberDepth) -> Result<GroupMembers, Refusal> {
        let (ordinal, group) = self.group(name)?;
        let mut members = Vec::new();
        match depth {
            MemberDepth::Direct => self.direct(ordinal, &[], &mut members),
            MemberDepth::Everybody => {
                for (group, path) in self.walk(ordinal) {
                    let mut entries = Vec::new();
                    self.direct(group, &path, &mut entries);
                    let nested = |member: &Member| member.next_hop.is_none() && member.left_out.is_none();
                    members.extend(entries.into_iter().filter(|member| !nested(member)));
                }
                let mut seen = HashSet::new();
                members.retain(|member| seen.insert(member.address.to_ascii_lowercase()));
            }
        }
        members.sort_by(|a, b| a.address.cmp(&b.address));
        Ok(GroupMembers {
            group: group.primary.to_string(),
            roll: self.roll_state(ordinal, group),
            members,
        })
    }

    /// Why somebody is in a group, or is not.
    pub fn why(&self, name: &str, who: &str) -> Result<GroupWhy, Refusal> {
        let (ordinal, group) = self.group(name)?;
        let (member, recipient) = self.find(who)?;
        let mut paths = Vec::new();
        for (nested, path) in self.walk(ordinal) {
            if self
                .view
                .roll(nested)
                .is_some_and(|roll| roll.receivers().objects.contains(member.0))
            {
                let mut names: Vec<String> = vec![group.primary.to_string()];
                names.extend(path);
                paths.push(names);
            }
        }
        let mut notes = Vec::new();
        let clauses = self.clauses(group, &recipient, &mut notes);
        Ok(GroupWhy {
            group: group.primary.to_string(),
            recipient: recipient.primary.to_string(),
            member: !paths.is_empty(),
            paths,
            clauses,
            roll: self.roll_state(ordinal, group),
            notes,
        })
    }

    fn clauses(
        &self,
        group: &RecipientObject,
        recipient: &RecipientObject,
        notes: &mut Vec<String>,
    ) -> Vec<ClauseVerdict> {
        let Some(rule) = group.group.as_deref().and_then(|settings| settings.rule.as_deref()) else {
            return Vec::new();
        };
        let compiled = match CompiledRule::compile(rule, self.options) {
            Ok(compiled) => compiled,
            Err(fault) => {
                notes.push(format!("the filter cannot be evaluated: {fault}"));
                return Vec::new();
            }
        };
        let context = DirectMembers::for_rule(&self.view.directory, &compiled, self.now);
        let explained = compiled.explain(recipient, &context);
        for (gate, holds) in &explained.gates {
            if !holds {
                notes.push(format!("not a candidate: {gate}"));
            }
        }
        let tests = explained.clauses.into_iter().filter_map(|clause| match clause.kind {
            ClauseKind::Test { text, stored } => Some((text, stored, clause.holds)),
            ClauseKind::All | ClauseKind::Any | ClauseKind::Not | ClauseKind::Constant => None,
        });
        tests
            .map(|(clause, stored, holds)| ClauseVerdict {
                note: oddity(&stored).map(str::to_owned),
                clause,
                holds,
                stored: vec![stored],
                source: Some(recipient.source.to_string()),
                changed_at: None,
            })
            .collect()
    }

    fn summary(&self, ordinal: Ordinal, group: &RecipientObject) -> GroupSummary {
        let moderation = group
            .delivery
            .as_deref()
            .and_then(|delivery| delivery.moderation.as_deref());
        GroupSummary {
            address: group.primary.to_string(),
            kind: group.kind.recipient_type_details().to_owned(),
            display_name: group.display_name.as_deref().map(str::to_owned),
            internal_only: authentication::required(group, self.rules).0,
            moderated: moderation.is_some_and(|moderation| moderation.enabled),
            roll: self.roll_state(ordinal, group),
        }
    }

    fn roll_state(&self, ordinal: Ordinal, group: &RecipientObject) -> RollState {
        let entry = self.view.rolls.entry(ordinal);
        let roll = entry.and_then(|entry| entry.roll.as_ref());
        let policy = RollPolicy::of(group.group.as_deref(), &self.rules.rolls);
        let fault = match entry.and_then(|entry| entry.attempt.as_ref()) {
            Some(Attempt::Failed { fault, .. }) => Some(fault.to_string()),
            Some(Attempt::Pending) | None => None,
        };
        let Some(roll) = roll else {
            return RollState {
                freshness: "missing".to_owned(),
                fault,
                ..RollState::default()
            };
        };
        RollState {
            version: Some(roll.version),
            entries: roll.entries.len(),
            confirmed_at: Some(roll.provenance.confirmed_at),
            age_seconds: Some(roll.age_seconds(self.now)),
            freshness: match policy.freshness(roll, self.now) {
                Freshness::Fresh => "fresh",
                Freshness::Due => "due",
                Freshness::Stale => "stale",
            }
            .to_owned(),
            cause: Some(cause(roll)),
            generation: Some(roll.provenance.generation),
            fault,
        }
    }

    /// Entries of one group as members, with the groups that led there.
    fn direct(&self, group: Ordinal, path: &[String], members: &mut Vec<Member>) {
        let Some(roll) = self.view.roll(group) else { return };
        for number in roll.receivers().objects.iter() {
            let ordinal = Ordinal(number);
            members.push(match self.view.object(ordinal) {
                Some(object) => self.member(&object, path),
                None => self.gone(ordinal, path),
            });
        }
        for outside in roll.receivers().outside.iter() {
            let hop = self.hops.next_hop(None, outside).ok().map(|hop| self.hops.name(hop));
            members.push(Member {
                address: outside.to_string(),
                kind: "outside address".to_owned(),
                next_hop: hop,
                path: path.to_vec(),
                ..Member::default()
            });
        }
        for text in roll.receivers().unresolved.iter() {
            members.push(Member {
                address: text.to_string(),
                kind: "unresolved".to_owned(),
                path: path.to_vec(),
                left_out: Some("member-unresolved".to_owned()),
                ..Member::default()
            });
        }
    }

    fn member(&self, object: &RecipientObject, path: &[String]) -> Member {
        let hop = self.hops.next_hop(Some(object.into()), object.final_address());
        let individual = !object.kind.is_group() || object.kind.is_microsoft365_group();
        Member {
            address: object.primary.to_string(),
            display_name: object.display_name.as_deref().map(str::to_owned),
            kind: object.kind.recipient_type_details().to_owned(),
            next_hop: hop.ok().filter(|_| individual).map(|hop| self.hops.name(hop)),
            path: path.to_vec(),
            left_out: None,
        }
    }

    fn gone(&self, ordinal: Ordinal, path: &[String]) -> Member {
        let tombstone = self.view.directory.tombstone(ordinal);
        Member {
            address: tombstone.map_or_else(|| "unknown".to_owned(), |gone| gone.address.to_string()),
            display_name: tombstone.map(|gone| gone.name.to_string()),
            kind: "deleted".to_owned(),
            path: path.to_vec(),
            left_out: Some("member-deleted".to_owned()),
            next_hop: None,
        }
    }

    /// The group and every group nested below it, each once, with the groups between.
    fn walk(&self, top: Ordinal) -> Vec<(Ordinal, Vec<String>)> {
        let mut seen = HashSet::from([top]);
        let mut queue = VecDeque::from([(top, Vec::new())]);
        let mut order = Vec::new();
        while let Some((group, path)) = queue.pop_front() {
            if let Some(roll) = self.view.roll(group) {
                let nested = &*roll.receivers().objects & self.view.directory.group_set();
                for number in nested {
                    let child = Ordinal(number);
                    let object = self
                        .view
                        .object(child)
                        .filter(|object| !object.kind.is_microsoft365_group());
                    if let Some(object) = object.filter(|_| seen.insert(child)) {
                        let mut below: Vec<String> = Vec::clone(&path);
                        below.push(object.primary.to_string());
                        queue.push_back((child, below));
                    }
                }
            }
            order.push((group, path));
        }
        order
    }

    /// Groups nested directly, deepest nesting, people reached.
    fn reach(&self, top: Ordinal) -> (u64, u64, u64) {
        let walked = self.walk(top);
        let depth = walked.iter().map(|(_, path)| path.len()).max().unwrap_or(0) as u64;
        let direct = self.view.roll(top).map_or(0, |roll| {
            roll.receivers()
                .objects
                .intersection_len(self.view.directory.group_set())
        });
        let mut people = roaring::RoaringBitmap::new();
        let mut outside = HashSet::new();
        for (group, _) in &walked {
            if let Some(roll) = self.view.roll(*group) {
                people |= &*roll.receivers().objects - self.view.directory.group_set();
                outside.extend(roll.receivers().outside.iter().map(Mailbox::key));
            }
        }
        people &= self.view.directory.live();
        (direct, depth, people.len() + outside.len() as u64)
    }

    fn parents(&self, ordinal: Ordinal) -> Vec<String> {
        let holds = |roll: &&std::sync::Arc<Roll>| roll.entries.objects.contains(ordinal.0);
        let mut parents: Vec<String> = self
            .view
            .rolls
            .rolls()
            .filter(holds)
            .filter_map(|roll| self.view.object(roll.group))
            .map(|group| group.primary.to_string())
            .collect();
        parents.sort();
        parents
    }

    fn notes(&self, ordinal: Ordinal, group: &RecipientObject) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(roll) = self.view.roll(ordinal) {
            let unresolved: Vec<&str> = roll.entries.unresolved.iter().map(AsRef::as_ref).collect();
            if !unresolved.is_empty() {
                notes.push(format!("entries that name nobody: {}", unresolved.join(", ")));
            }
            let gone = (&*roll.entries.objects - self.view.directory.live()).len();
            if gone > 0 {
                notes.push(format!("{gone} entries no longer exist"));
            }
        }
        if group
            .group
            .as_deref()
            .is_some_and(|settings| settings.managed_by.is_empty())
        {
            notes.push("no owner".to_owned());
        }
        notes
    }

    fn group(&self, name: &str) -> Result<(Ordinal, &RecipientObject), Refusal> {
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
    pub(super) fn find(&self, name: &str) -> Result<(Ordinal, Found<'_>), Refusal> {
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

    fn readable(&self, reference: &Reference) -> String {
        let found = self.view.directory.lookup_reference(reference.as_str()).one();
        let object = found.and_then(|ordinal| self.view.object(ordinal));
        object.map_or_else(|| reference.as_str().to_owned(), |object| object.primary.to_string())
    }
}

fn cause(roll: &Roll) -> String {
    serde_json::to_value(roll.provenance.cause)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// What is odd about a stored value; the usual reason why a filter misses somebody.
fn oddity(stored: &str) -> Option<&'static str> {
    let inner = stored.trim_matches('"');
    if inner.ends_with(char::is_whitespace) {
        Some("blank at the end")
    } else if inner.starts_with(char::is_whitespace) {
        Some("blank at the beginning")
    } else {
        None
    }
}

/// Groups by next hop, as `explain` counts.
#[must_use]
pub fn count_by_hop(hops: &dyn NextHops, ids: impl Iterator<Item = crate::expansion::HopId>) -> HashMap<String, u64> {
    let mut counts: HashMap<crate::expansion::HopId, u64> = HashMap::new();
    ids.for_each(|hop| *counts.entry(hop).or_default() += 1);
    counts.into_iter().map(|(hop, count)| (hops.name(hop), count)).collect()
}
