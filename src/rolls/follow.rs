//! Following a directory change: exactly the rolls it affects, entry by entry.
//!
//! In: a view, the next generation, what was touched, and what every roll depends on. Out: the next table, every new
//! version with its difference and a cause per entry. Never: a walk over all groups or all objects; only what
//! [`super::watch`] finds is looked at, unless so much changed at once that computing everything again costs less.
//!
//! In order: groups that changed themselves; lists that use a name which came or went; then, membership being known,
//! rules: single objects are judged and patched, and what cannot be patched is computed again together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::affected::{Own, own};
use super::build::{Built, bound, filter_hash, succeed};
use super::causes::Causes;
use super::freshness::RollPolicy;
use super::history::{Detail, Details, Difference, EntriesChange, EntryCause};
use super::members::RollMembers;
use super::objects::Objects;
use super::roll::{Cause, Entries};
use super::table::RollTable;
use super::update::{Following, Next, Update, objects_of, patched};
use super::view::View;
use super::watch::{Effects, RuleId, Watch};
use crate::directory::filter::CompiledRule;
use crate::directory::filter::plan::{self, threads};
use crate::directory::{Directory, Ordinal};

/// Touched objects judged by one thread at a time.
const PART_OBJECTS: usize = 256;

/// Below so many touched objects they are judged one by one, however small the directory.
const JUDGED_ALWAYS: u64 = 4_096;

/// Beyond this share of the directory (one in so many) everything is computed again: reading each row once for all
/// rules costs less than judging each touched object by the rules it concerns.
const JUDGED_SHARE: u64 = 8;

/// The rolls that belong to the next generation.
///
/// A dynamic group with an interval waits for it, unless its rule changed or it never had a roll. A group whose
/// last attempt failed is tried again when its rule changes, and by the clock.
#[must_use]
pub fn follow(
    before: &View,
    after: &Directory,
    touched: &RoaringBitmap,
    watch: &Watch,
    following: &Following<'_>,
) -> Update {
    let mut update = Update::of(&before.rolls);
    if touched.is_empty() {
        return update;
    }
    let own = own(touched, &before.directory, after);
    let effects = watch.effects(&before.directory, after, touched, &own.rebuild);
    let mut step = Step {
        before,
        after,
        touched,
        watch,
        following,
        own: &own,
        effects: &effects,
        rules: HashMap::new(),
        next: Next::default(),
    };
    step.groups(&mut update);
    let joined = step.lists();
    let rolls = step.next.over(&before.rolls);
    let verdicts = step.judge(&rolls, &joined);
    update.judged = verdicts.judged;
    step.patch(&rolls, &joined, verdicts, &mut update);
    let next = step.next;
    next.finish(&mut update, following.work.now);
    update
}

struct Step<'a> {
    before: &'a View,
    after: &'a Directory,
    touched: &'a RoaringBitmap,
    watch: &'a Watch,
    following: &'a Following<'a>,
    own: &'a Own,
    effects: &'a Effects,
    /// Rules of groups that changed themselves.
    rules: HashMap<u32, Arc<CompiledRule>>,
    next: Next,
}

/// What rules say about single objects, and which rules must be computed again as a whole.
#[derive(Default)]
struct Verdicts {
    /// Rule, object, and whether it is a member now.
    each: Vec<(RuleId, u32, bool)>,
    whole: BTreeSet<RuleId>,
    judged: usize,
}

/// Static groups with the objects that joined or left them.
type Joined = Vec<(Ordinal, RoaringBitmap)>;

impl Step<'_> {
    /// Groups that are gone, new or decided otherwise: the watch will take them, rules are made ready.
    fn groups(&mut self, update: &mut Update) {
        for group in self.own.forget.iter().map(Ordinal) {
            let old = self.before.directory.group(group);
            self.watch.note(&mut update.watch, group, old, None);
            self.next.forget(group);
            update.forgotten.push(group);
        }
        for group in self.own.rebuild.iter().map(Ordinal) {
            let (old, new) = (self.before.directory.group(group), self.after.group(group));
            match self.watch.note(&mut update.watch, group, old, new) {
                Some(Ok(rule)) => {
                    if rule.depends_on_now() {
                        update.timed.push(group);
                    }
                    self.rules.insert(group.0, rule);
                }
                Some(Err(fault)) => update.failed.push((group, fault)),
                None => {}
            }
        }
    }

    /// Binds lists that changed or use a name that came or went.
    fn lists(&mut self) -> Joined {
        let mut joined = Joined::new();
        let mut lists = &self.own.rebuild | &self.effects.lists;
        lists &= self.after.group_set();
        for group in lists.iter().map(Ordinal) {
            let Some(object) = self.after.group(group).filter(|object| !object.kind.is_dynamic()) else {
                continue;
            };
            let is_own = self.own.rebuild.contains(group.0);
            let previous = self.before.rolls.roll(group);
            let hash = match previous {
                Some(roll) if !is_own => roll.provenance.filter_hash,
                Some(_) | None => filter_hash(object),
            };
            let built = bound(self.after, object, hash);
            let cause = self.cause(group, is_own);
            let now = self.following.work.now;
            let roll = succeed(
                group,
                previous.map(|roll| &**roll),
                built,
                self.after.number(),
                now,
                cause,
            );
            let members = (self.listed_before(group), roll.entries.objects.clone());
            note_joined(&mut joined, group, &members.0, &members.1);
            if !is_own && previous.is_some_and(|previous| previous.version == roll.version) {
                // The name that came or went makes no difference to this list.
                continue;
            }
            let before = RollMembers::new(&self.before.directory, &self.before.rolls, now);
            let after = RollMembers::new(self.after, &self.before.rolls, now);
            let causes = Causes {
                before: before.side(),
                after: after.side(),
                effects: self.effects,
                joined: &[],
            };
            self.next.take(previous, roll, |change| match cause {
                Cause::GroupChanged => all(EntryCause::Listed, change),
                Cause::DirectoryChanged => causes.of_list(object, change),
                _ => Vec::new(),
            });
        }
        for group in (&self.own.forget | &self.own.rebuild).iter().map(Ordinal) {
            let stays = self.after.group(group).is_some_and(|object| !object.kind.is_dynamic());
            if !stays {
                let listed = self.listed_before(group);
                note_joined(&mut joined, group, &listed, &Objects::default());
            }
        }
        joined
    }

    /// Whom a group listed before; nobody, if it was dynamic or not there.
    fn listed_before(&self, group: Ordinal) -> Objects {
        let object = self.before.directory.group(group);
        let listed = object.filter(|object| !object.kind.is_dynamic());
        objects_of(listed.and_then(|_| self.before.rolls.roll(group)))
    }

    fn cause(&self, group: Ordinal, is_own: bool) -> Cause {
        match (self.before.rolls.roll(group), is_own) {
            (None, _) => Cause::Created,
            (Some(_), true) => Cause::GroupChanged,
            (Some(_), false) => Cause::DirectoryChanged,
        }
    }

    /// Asks the rules that a changed object or a changed membership concerns.
    fn judge(&self, rolls: &RollTable, joined: &Joined) -> Verdicts {
        let mut verdicts = Verdicts {
            whole: self.effects.whole.clone(),
            ..Verdicts::default()
        };
        let most = JUDGED_ALWAYS.max(self.after.len() / JUDGED_SHARE);
        if self.touched.len() > most {
            verdicts.whole.extend(self.watch.rule_ids());
            return verdicts;
        }
        let objects: Vec<Ordinal> = self.touched.iter().map(Ordinal).collect();
        let parts: Vec<&[Ordinal]> = objects.chunks(PART_OBJECTS).collect();
        let found = threads::each(
            self.following.work.threads,
            parts.len(),
            || (),
            |(), number| self.judge_part(rolls, parts.get(number).copied().unwrap_or_default()),
        );
        for part in found {
            verdicts.each.extend(part.each);
            verdicts.whole.extend(part.whole);
            verdicts.judged += part.judged;
        }
        self.judge_joined(rolls, joined, &mut verdicts);
        verdicts
    }

    fn judge_part(&self, rolls: &RollTable, objects: &[Ordinal]) -> Verdicts {
        let now = self.following.work.now;
        let before = RollMembers::new(&self.before.directory, &self.before.rolls, now);
        let after = RollMembers::new(self.after, rolls, now);
        let mut verdicts = Verdicts::default();
        for object in objects {
            let concerned = self.watch.concerned(*object, before.side(), after.side());
            verdicts.whole.extend(concerned.whole);
            self.ask(&after, *object, concerned.rules, &mut verdicts);
        }
        verdicts
    }

    fn judge_joined(&self, rolls: &RollTable, joined: &Joined, verdicts: &mut Verdicts) {
        if joined.is_empty() {
            return;
        }
        let after = RollMembers::new(self.after, rolls, self.following.work.now);
        let mut found: Vec<(RuleId, u32)> = Vec::new();
        for (group, change) in joined {
            for object in [self.before.directory.group(*group), self.after.group(*group)]
                .into_iter()
                .flatten()
            {
                self.watch
                    .concerned_by_membership(object, change, after.side(), &mut found);
            }
        }
        self.watch.nested_memberships(&mut verdicts.whole);
        found.sort_unstable_by_key(|(rule, object)| (*object, *rule));
        found.dedup();
        for of_object in found.chunk_by(|one, two| one.1 == two.1) {
            let Some((_, object)) = of_object.first() else { continue };
            let rules = of_object.iter().map(|(rule, _)| *rule).collect();
            self.ask(&after, Ordinal(*object), rules, verdicts);
        }
    }

    fn ask(&self, members: &RollMembers<'_>, object: Ordinal, rules: Vec<RuleId>, verdicts: &mut Verdicts) {
        if rules.is_empty() {
            return;
        }
        members.judge(object);
        let found = self.after.recipient(object);
        for rule in rules {
            let Some(compiled) = self.watch.compiled(rule) else {
                continue;
            };
            verdicts.judged += 1;
            let is_member = found.as_ref().is_some_and(|found| compiled.matches(found, members));
            verdicts.each.push((rule, object.0, is_member));
        }
    }

    /// Patches what was judged and computes again what was not.
    fn patch(&mut self, rolls: &RollTable, joined: &Joined, mut verdicts: Verdicts, update: &mut Update) {
        let now = self.following.work.now;
        let before = RollMembers::new(&self.before.directory, &self.before.rolls, now);
        let after = RollMembers::new(self.after, rolls, now);
        let causes = Causes {
            before: before.side(),
            after: after.side(),
            effects: self.effects,
            joined,
        };
        verdicts.each.sort_unstable();
        verdicts.each.dedup();
        let whole = std::mem::take(&mut verdicts.whole);
        for of_rule in verdicts.each.chunk_by(|one, two| one.0 == two.0) {
            let Some((rule, ..)) = of_rule.first().filter(|(rule, ..)| !whole.contains(rule)) else {
                continue;
            };
            self.patch_rule(*rule, of_rule, &causes, update);
        }
        self.compute(whole, &causes, update);
    }

    fn patch_rule(&mut self, rule: RuleId, verdicts: &[(RuleId, u32, bool)], causes: &Causes<'_>, update: &mut Update) {
        let Some(compiled) = self.watch.compiled(rule) else {
            return;
        };
        let timed = compiled.depends_on_now();
        for group in self.watch.groups_of(rule) {
            if !self.follows(group) {
                continue;
            }
            if timed {
                update.timed.push(group);
            }
            let Some(previous) = self.before.rolls.roll(group) else {
                continue;
            };
            let objects = &previous.entries.objects;
            let (mut added, mut removed) = (RoaringBitmap::new(), RoaringBitmap::new());
            for (_, object, is_member) in verdicts {
                match (*is_member, objects.contains(*object)) {
                    (true, false) => added.insert(*object),
                    (false, true) => removed.insert(*object),
                    (true, true) | (false, false) => false,
                };
            }
            if added.is_empty() && removed.is_empty() {
                continue;
            }
            let (roll, change) = patched(previous, added, removed, self.after, self.following.work.now);
            let details = causes.of_rule(compiled, &change);
            let difference = of_patch(previous.version, &roll, change, details);
            self.next.patched(roll, difference);
        }
    }

    /// Rules as a whole, together with groups whose own rule changed.
    fn compute(&mut self, whole: BTreeSet<RuleId>, causes: &Causes<'_>, update: &mut Update) {
        let mut jobs: BTreeMap<Ordinal, Arc<CompiledRule>> = BTreeMap::new();
        for rule in whole {
            let Some(compiled) = self.watch.compiled(rule) else {
                continue;
            };
            let groups = self.watch.groups_of(rule).filter(|group| self.follows(*group));
            jobs.extend(groups.map(|group| (group, Arc::clone(compiled))));
        }
        let own = self.rules.iter();
        jobs.extend(own.map(|(group, rule)| (Ordinal(*group), Arc::clone(rule))));
        let mut places: HashMap<*const CompiledRule, usize> = HashMap::new();
        let mut distinct: Vec<&CompiledRule> = Vec::new();
        for rule in jobs.values() {
            places.entry(Arc::as_ptr(rule)).or_insert_with(|| {
                distinct.push(rule);
                distinct.len() - 1
            });
        }
        let found: Vec<Entries> = plan::evaluate_all(self.after, &distinct, &self.following.work)
            .into_iter()
            .map(|rows| Entries::new(rows, Vec::new(), Vec::new()))
            .collect();
        for (group, rule) in &jobs {
            let entries = places.get(&Arc::as_ptr(rule)).and_then(|place| found.get(*place));
            let (Some(entries), Some(object)) = (entries, self.after.group(*group)) else {
                continue;
            };
            let is_own = self.rules.contains_key(&group.0);
            let previous = self.before.rolls.roll(*group);
            let built = Built {
                entries: entries.clone(),
                subscribers: None,
                filter_hash: match previous {
                    Some(roll) if !is_own => roll.provenance.filter_hash,
                    Some(_) | None => filter_hash(object),
                },
            };
            let cause = self.cause(*group, is_own);
            let now = self.following.work.now;
            let roll = succeed(
                *group,
                previous.map(|roll| &**roll),
                built,
                self.after.number(),
                now,
                cause,
            );
            if rule.depends_on_now() && !is_own {
                update.timed.push(*group);
            }
            self.next.take(previous, roll, |change| match cause {
                Cause::GroupChanged => all(EntryCause::Rule, change),
                Cause::DirectoryChanged => causes.of_rule(rule, change),
                _ => Vec::new(),
            });
        }
    }

    /// True if the roll follows the directory; groups that changed themselves are seen to elsewhere.
    fn follows(&self, group: Ordinal) -> bool {
        if self.own.rebuild.contains(group.0) {
            return false;
        }
        self.after.group(group).is_some_and(|object| {
            let policy = RollPolicy::of(object.group.as_deref(), self.following.defaults);
            policy.follows_changes || self.before.rolls.roll(group).is_none()
        })
    }
}

fn note_joined(joined: &mut Joined, group: Ordinal, before: &Objects, after: &Objects) {
    let (came, went) = before.change_to(after);
    let change = came | went;
    if !change.is_empty() {
        joined.push((group, change));
    }
}

fn all(cause: EntryCause, change: &EntriesChange) -> Vec<Detail> {
    let mut details = Details::default();
    details.note_all(cause, &change.added, &change.removed);
    details.finish()
}

fn of_patch(version: u64, roll: &super::roll::Roll, change: EntriesChange, details: Vec<Detail>) -> Difference {
    Difference {
        group: roll.group,
        version: roll.version,
        before: Some(version),
        at: roll.provenance.computed_at,
        generation: roll.provenance.generation,
        filter_hash: roll.provenance.filter_hash,
        cause: roll.provenance.cause,
        entries: change,
        subscribers: None,
        details,
    }
}

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;
