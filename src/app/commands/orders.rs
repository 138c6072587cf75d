//! Orders about lists: each is thought through on one pinned view, carried out by the keeper, and answered from the
//! view after it. All of them block on the store; call them off the reactor threads.

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::convert::{Become, CONVERSION_EXCLUDES, CONVERSION_KEEPS, Conversion};
use super::groups::Groups;
use crate::admin::answer::{
    GroupConverted, GuardDecided, PinChanged, PinShown, RollRefreshed, RollsRefreshed, RollsVerified, SuspectChanged,
};
use crate::admin::command::{ConvertInto, ConvertOrder, Intent, PinEffect, PinOrder, RefreshChoice, Signed};
use crate::admin::service::{Caller, Refusal, RefusalKind};
use crate::app::service::Service;
use crate::connectors::sync::{Author, DecideFault};
use crate::directory::column::Container;
use crate::directory::filter::membership::DirectMembers;
use crate::directory::filter::rule::CompiledRule;
use crate::directory::filter::scope::Scope;
use crate::directory::{Ordinal, RecipientObject};
use crate::mail::Mailbox;
use crate::rolls::history::PinAction;
use crate::rolls::local::{Chosen, overlay};
use crate::rolls::table::Attempt;
use crate::rolls::{RollPolicy, View};

/// What an operator says about a list that the guard holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum GuardWord {
    /// Take it.
    Accept,
    /// Keep the old one.
    Reject,
}

/// An order in the hands of the service.
pub(super) struct Orders<'a> {
    pub service: &'a Service,
    pub groups: &'a Groups<'a>,
    pub caller: &'a Caller,
}

impl Orders<'_> {
    fn now(&self) -> Timestamp {
        self.groups.now
    }

    /// Who decides. An owner's authority is proved against the group; else it is the operator's word, or the name of
    /// the user at the other end of the socket.
    pub(super) fn author(&self, signed: &Signed, group: Option<&RecipientObject>) -> Result<Author, Refusal> {
        let by = match (&signed.owner, group) {
            (Some(owner), Some(group)) => self.groups.owner(group, owner)?,
            (Some(_), None) | (None, _) => signed.by.clone().unwrap_or_else(|| user_name(self.caller)),
        };
        Ok(Author {
            by: by.into(),
            reason: signed.reason.as_deref().unwrap_or_default().into(),
        })
    }

    /// `group pin`.
    pub(super) fn pin(&self, order: &PinOrder) -> Result<PinChanged, Refusal> {
        let (ordinal, group) = self.groups.group(&order.group)?;
        let author = self.author(&order.signed, Some(group))?;
        let (person, _) = self.groups.find(&order.recipient)?;
        if person == ordinal {
            return Err(Refusal::new(RefusalKind::Usage, "a group cannot be pinned in itself"));
        }
        let action = match order.effect {
            PinEffect::Include => PinAction::Include,
            PinEffect::Exclude => PinAction::Exclude,
        };
        let before = self.version(ordinal);
        self.service
            .keeper
            .pin(ordinal, person, action, order.until, &author, self.now())
            .map_err(|fault| refused(&fault))?;
        let pins = self.service.keeper.pins(ordinal);
        let pin = pins
            .of(person)
            .ok_or_else(|| Refusal::new(RefusalKind::Broken, "the pin was not kept"))?;
        Ok(self.pin_changed(ordinal, self.groups.pin(group, pin), true, before))
    }

    /// `group unpin`.
    pub(super) fn unpin(&self, name: &str, recipient: &str, signed: &Signed) -> Result<PinChanged, Refusal> {
        let (ordinal, group) = self.groups.group(name)?;
        let author = self.author(signed, Some(group))?;
        let (person, object) = self.groups.find(recipient)?;
        let pins = self.service.keeper.pins(ordinal);
        let pin = pins.of(person).ok_or_else(|| {
            let text = format!("{} is not pinned in {}", object.primary, group.primary);
            Refusal::new(RefusalKind::NotFound, text)
        })?;
        let shown = PinShown {
            by: author.by.to_string(),
            ..self.groups.pin(group, pin)
        };
        let before = self.version(ordinal);
        self.service
            .keeper
            .unpin(ordinal, person, &author, self.now())
            .map_err(|fault| refused(&fault))?;
        Ok(self.pin_changed(ordinal, shown, false, before))
    }

    fn pin_changed(&self, group: Ordinal, pin: PinShown, pinned: bool, before: Option<u64>) -> PinChanged {
        let view = self.service.keeper.view();
        let roll = view.roll(group);
        PinChanged {
            pin,
            pinned,
            effective: roll.map(|roll| roll.version) != before,
            entries: roll.map_or(0, |roll| roll.receivers().len()),
        }
    }

    fn version(&self, group: Ordinal) -> Option<u64> {
        self.groups.view.roll(group).map(|roll| roll.version)
    }

    /// `guard accept` and `guard reject`.
    pub(super) fn decide(&self, name: &str, word: GuardWord, signed: &Signed) -> Result<GuardDecided, Refusal> {
        let (ordinal, group) = self.groups.group(name)?;
        let author = self.author(signed, None)?;
        let keeper = &self.service.keeper;
        let (decided, decision) = match word {
            GuardWord::Accept => (keeper.accept(ordinal, &author, self.now()), "accepted"),
            GuardWord::Reject => (keeper.reject(ordinal, &author, self.now()), "rejected"),
        };
        decided.map_err(|fault| refused(&fault))?;
        let view = keeper.view();
        let roll = view.roll(ordinal);
        Ok(GuardDecided {
            group: group.primary.to_string(),
            decision: decision.to_owned(),
            by: author.by.to_string(),
            reason: signed.reason.clone(),
            version: roll.map_or(0, |roll| roll.version),
            entries: roll.map_or(0, |roll| roll.receivers().len()),
        })
    }

    /// `group convert` and `group freeze`: pins first, then the rule or list, so that nobody is out in between.
    pub(super) fn convert(&self, order: &ConvertOrder) -> Result<GroupConverted, Refusal> {
        let (ordinal, group) = self.groups.group(&order.group)?;
        let author = self.author(&order.signed, Some(group))?;
        let then = match &order.into {
            ConvertInto::Static(Some(at)) => Some(self.groups.effective_at(ordinal, *at)?),
            ConvertInto::Static(None) | ConvertInto::Proposal | ConvertInto::Rule(_) | ConvertInto::Undo => None,
        };
        let source = self.undone(ordinal, group, &order.into)?;
        let conversion = self.groups.conversion(order, then.as_ref(), source.as_ref())?;
        if !conversion.is_identical() && !order.accept_difference {
            return Ok(conversion.answer);
        }
        self.carry_out(&conversion, &author)?;
        let view = self.service.keeper.view();
        let after = view
            .roll(ordinal)
            .map_or(conversion.answer.after, |roll| roll.entries.len());
        Ok(GroupConverted {
            done: true,
            after,
            ..conversion.answer
        })
    }

    /// The group without the last decision made here about it.
    fn undone(
        &self,
        ordinal: Ordinal,
        group: &RecipientObject,
        into: &ConvertInto,
    ) -> Result<Option<RecipientObject>, Refusal> {
        if *into != ConvertInto::Undo {
            return Ok(None);
        }
        let keeper = &self.service.keeper;
        let nothing = || refused(&DecideFault::NothingToUndo);
        let (before, _) = keeper.local(&group.id).undone().ok_or_else(nothing)?;
        let mut object = keeper.as_source_says(ordinal).ok_or_else(nothing)?;
        if let Some(decision) = before.current() {
            overlay(&mut object, decision);
        }
        Ok(Some(object))
    }

    fn carry_out(&self, conversion: &Conversion, author: &Author) -> Result<(), Refusal> {
        let keeper = &self.service.keeper;
        let group = conversion.group;
        let done = |result: Result<(), DecideFault>| result.map_err(|fault| refused(&fault));
        let sides = [
            (&conversion.include, PinAction::Include, CONVERSION_KEEPS),
            (&conversion.exclude, PinAction::Exclude, CONVERSION_EXCLUDES),
        ];
        for (people, action, reason) in sides {
            for person in people.iter().map(Ordinal) {
                let author = Author {
                    reason: reason.into(),
                    ..author.clone()
                };
                done(keeper.pin(group, person, action, None, &author, self.now()).map(drop))?;
            }
        }
        match &conversion.becomes {
            Become::Rule(rule) => {
                let chosen = Chosen::Rule(Box::new(rule.clone()));
                done(keeper.choose(group, chosen, author, self.now()).map(drop))
            }
            Become::Members(members) => {
                let chosen = Chosen::Members(members.clone());
                done(keeper.choose(group, chosen, author, self.now()).map(drop))
            }
            Become::Source => {
                done(keeper.undo_choice(group, author, self.now()).map(drop))?;
                for pin in self
                    .groups
                    .pins(group)
                    .iter()
                    .filter(|pin| super::convert::is_of_conversion(pin))
                {
                    done(keeper.unpin(group, pin.object, author, self.now()).map(drop))?;
                }
                Ok(())
            }
        }
    }

    /// `group preview --save`; says whether the guard holds what comes of it.
    pub(super) fn save(
        &self,
        group: Ordinal,
        rule: crate::directory::group::DynamicRule,
        signed: &Signed,
    ) -> Result<bool, Refusal> {
        let author = self.author(signed, None)?;
        let keeper = &self.service.keeper;
        let chosen = Chosen::Rule(Box::new(rule));
        keeper
            .choose(group, chosen, &author, self.now())
            .map_err(|fault| refused(&fault))?;
        Ok(keeper.hold(group).is_some())
    }

    /// `group refresh`.
    pub(super) fn refresh(&self, what: &RefreshChoice, intent: Intent) -> Result<RollsRefreshed, Refusal> {
        let groups = self.chosen(what)?;
        let mut answer = RollsRefreshed {
            done: intent == Intent::Do,
            lists: groups.len() as u64,
            ..RollsRefreshed::default()
        };
        if intent == Intent::Say || groups.is_empty() {
            return Ok(answer);
        }
        let keeper = &self.service.keeper;
        let before = keeper.view();
        keeper.refresh(&groups, self.now()).map_err(super::trace::unavailable)?;
        let after = keeper.view();
        answer.groups = self.differing(&before, &after, &groups);
        answer.changed = answer
            .groups
            .iter()
            .filter(|group| group.fault.is_none() && !group.held)
            .count() as u64;
        tracing::info!(caller = %self.caller, lists = answer.lists, changed = answer.changed, "lists computed by command");
        Ok(answer)
    }

    /// `group verify`.
    pub(super) fn verify(&self, name: Option<&str>) -> Result<RollsVerified, Refusal> {
        let groups: Vec<Ordinal> = match name {
            Some(name) => vec![self.groups.group(name)?.0],
            None => self
                .groups
                .view
                .directory
                .groups()
                .map(|(ordinal, _)| ordinal)
                .collect(),
        };
        let keeper = &self.service.keeper;
        let before = keeper.view();
        let verified = keeper
            .verify(Some(&groups), self.now())
            .map_err(super::trace::unavailable)?;
        let after = keeper.view();
        // A list that is computed by interval may differ: it was not to follow.
        let follows: Vec<Ordinal> = groups
            .into_iter()
            .filter(|ordinal| {
                let settings = after.group(*ordinal).and_then(|group| group.group.as_deref());
                RollPolicy::of(settings, &self.groups.rules.rolls).follows_changes
            })
            .collect();
        let mut differences = self.differing(&before, &after, &follows);
        differences.retain(|group| group.fault.is_none());
        Ok(RollsVerified {
            lists: verified.computed as u64,
            differences,
        })
    }

    /// Groups whose list has another version than before, is held, or cannot be computed.
    fn differing(&self, before: &View, after: &View, groups: &[Ordinal]) -> Vec<RollRefreshed> {
        let mut all = Vec::new();
        for ordinal in groups {
            let (old, new) = (before.roll(*ordinal), after.roll(*ordinal));
            let fault = match after.rolls.entry(*ordinal).and_then(|entry| entry.attempt.as_ref()) {
                Some(Attempt::Failed { fault, .. }) => Some(fault.to_string()),
                Some(Attempt::Pending | Attempt::Held { .. }) | None => None,
            };
            let hold = self.service.keeper.hold(*ordinal);
            if old.map(|roll| roll.version) == new.map(|roll| roll.version) && fault.is_none() && hold.is_none() {
                continue;
            }
            let objects = |roll: Option<&std::sync::Arc<crate::rolls::Roll>>| {
                roll.map(|roll| roll.receivers().objects.to_set()).unwrap_or_default()
            };
            let (old, new): (RoaringBitmap, RoaringBitmap) = (objects(old), objects(new));
            all.push(RollRefreshed {
                group: self.groups.named(*ordinal).0,
                joined: (&new - &old).len(),
                left: (&old - &new).len(),
                held: hold.is_some(),
                fault,
            });
        }
        all
    }

    fn chosen(&self, what: &RefreshChoice) -> Result<Vec<Ordinal>, Refusal> {
        let directory = &self.groups.view.directory;
        Ok(match what {
            RefreshChoice::Group(name) => vec![self.groups.group(name)?.0],
            RefreshChoice::All => directory.groups().map(|(ordinal, _)| ordinal).collect(),
            RefreshChoice::Container(text) => {
                let scope = Scope::parse(text)
                    .ok_or_else(|| Refusal::new(RefusalKind::Usage, format!("`{text}` names no container")))?;
                let looks_in = |group: &RecipientObject| {
                    let rule = group.group.as_deref().and_then(|settings| settings.rule.as_deref());
                    let container = rule.and_then(|rule| rule.recipient_container.as_deref());
                    container.is_some_and(|container| scope.contains_container(Container::Stated(container)))
                };
                directory
                    .groups()
                    .filter(|(_, group)| scope.contains(group) || looks_in(group))
                    .map(|(ordinal, _)| ordinal)
                    .collect()
            }
            RefreshChoice::Recipient(name) => {
                let (person, object) = self.groups.find(name)?;
                directory
                    .groups()
                    .filter(|(ordinal, group)| {
                        let holds = |roll: &std::sync::Arc<crate::rolls::Roll>| roll.entries.objects.contains(person.0);
                        self.groups.view.roll(*ordinal).is_some_and(holds) || self.would_hold(group, &object)
                    })
                    .map(|(ordinal, _)| ordinal)
                    .collect()
            }
        })
    }

    fn would_hold(&self, group: &RecipientObject, person: &RecipientObject) -> bool {
        let rule = group.group.as_deref().and_then(|settings| settings.rule.as_deref());
        let compiled = rule.and_then(|rule| CompiledRule::compile(rule, self.groups.options).ok());
        compiled.is_some_and(|compiled| {
            let context = DirectMembers::for_rule(&self.groups.view.directory, &compiled, self.now());
            compiled.matches(person, &context)
        })
    }

    /// `suspects suppress`.
    pub(super) fn suppress(&self, recipient: &str, signed: &Signed) -> Result<SuspectChanged, Refusal> {
        let (author, address) = (self.author(signed, None)?, self.address(recipient)?);
        let keeper = &self.service.keeper;
        let known = keeper.suspects().of(&address.key()).cloned();
        keeper
            .suppress(&address, &author, self.now())
            .map_err(|fault| refused(&fault))?;
        Ok(SuspectChanged {
            recipient: address.to_string(),
            change: "suppressed".to_owned(),
            applied: known.is_none_or(|suspicion| suspicion.suppressed.is_none()),
        })
    }

    /// `suspects clear`.
    pub(super) fn clear(&self, recipient: &str, signed: &Signed) -> Result<SuspectChanged, Refusal> {
        let (author, address) = (self.author(signed, None)?, self.address(recipient)?);
        let applied = match self.service.keeper.clear_suspect(&address, &author, self.now()) {
            Ok(()) => true,
            Err(DecideFault::NoSuspect) => false,
            Err(fault) => return Err(refused(&fault)),
        };
        Ok(SuspectChanged {
            recipient: address.to_string(),
            change: "cleared".to_owned(),
            applied,
        })
    }

    /// The address that copies to somebody leave for; a bare address stands for itself.
    fn address(&self, recipient: &str) -> Result<Mailbox, Refusal> {
        match self.groups.find(recipient) {
            Ok((_, object)) => Ok(object.final_address().clone()),
            Err(refusal) => Mailbox::parse(recipient).map_err(|_| refusal),
        }
    }
}

pub(super) fn refused(fault: &DecideFault) -> Refusal {
    let kind = match fault {
        DecideFault::NoGroup | DecideFault::NoHold(_) | DecideFault::NoPin | DecideFault::NothingToUndo => {
            RefusalKind::NotFound
        }
        DecideFault::NoSuspect => RefusalKind::NotFound,
        DecideFault::InTheCloud => RefusalKind::Guard,
        DecideFault::Store(_) => RefusalKind::Busy,
    };
    Refusal::new(kind, fault.to_string())
}

/// The name of the user at the other end of the socket, as this machine knows it.
pub(super) fn user_name(caller: &Caller) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = caller.user_id.and_then(|id| name_of(&users, id));
    named.unwrap_or_else(|| caller.to_string())
}

/// `name:password:id:…`, a line per user.
fn name_of(users: &str, id: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let number: u32 = fields.nth(1)?.parse().ok()?;
        (number == id).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_known_by_name() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\n# comment\n:x:7:7::/:\neva:x:1000:1000:Eva:/eva:/bin/bash\nbad:x:y\n";
        for (id, name) in [(0, Some("root")), (1_000, Some("eva")), (7, None), (2, None)] {
            assert_eq!(name_of(users, id).as_deref(), name, "{id}");
        }
    }
}
