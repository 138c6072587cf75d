//! A naive expansion, written from `exchange-semantics.md` §3.3, §3.7 and §3.8 alone, to compare with.
//!
//! No bitmaps, no rolls, no references but addresses: every question is a scan over all objects.

use std::collections::HashSet;

use crate::directory::{ObjectState, RecipientObject, Reference};
use crate::mail::{Mailbox, Notify, ReversePath};
use crate::policy::Rules;
use crate::policy::rules::{DisabledAccounts, Forwarding, NestedRestrictions};
use crate::track::Reason;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Told {
    Pass,
    Refused(Reason),
    Held,
    Discarded,
}

pub(super) struct Model<'a> {
    pub(super) objects: &'a [RecipientObject],
    pub(super) rules: &'a Rules,
    pub(super) sender: ReversePath,
    pub(super) internal: bool,
    pub(super) spoofed: bool,
    pub(super) size: u64,
    pub(super) visited: HashSet<String>,
    pub(super) finals: HashSet<String>,
    pub(super) copies: Vec<(String, ReversePath, Option<Notify>)>,
    pub(super) refused: HashSet<(String, Reason)>,
    pub(super) held: HashSet<String>,
}

type State = (ReversePath, Option<Notify>);

fn key(mailbox: &Mailbox) -> String {
    mailbox.as_str().to_lowercase()
}

impl<'a> Model<'a> {
    fn find(&self, address: &str) -> Option<&'a RecipientObject> {
        let wanted = address.to_lowercase();
        self.objects
            .iter()
            .find(|object| object.mailboxes().any(|each| key(each) == wanted))
    }

    fn is_sender(&self, address: &str) -> bool {
        let Some(from) = self.sender.mailbox() else {
            return false;
        };
        let me = self.find(from.as_str()).map(|object| &object.id);
        match self.find(address) {
            Some(named) => !named.kind.is_group() && Some(&named.id) == me,
            None => key(from) == address.to_lowercase(),
        }
    }

    fn listed(&self, list: &[Reference], walked: &mut HashSet<String>) -> bool {
        list.iter().any(|each| {
            self.is_sender(each.as_str())
                || self.find(each.as_str()).is_some_and(|group| {
                    let settings = group.group.as_ref();
                    let first = walked.insert(group.id.to_string());
                    first && settings.is_some_and(|settings| self.listed(&settings.members, walked))
                })
        })
    }

    fn gate(&self, object: &RecipientObject, nested: bool) -> Told {
        if self.sender.is_null() {
            return Told::Pass;
        }
        let settings = object.delivery.clone().unwrap_or_default();
        let asked = !(nested && self.rules.nested_restrictions == NestedRestrictions::TopOnly);
        let default = object.kind.is_group() && self.rules.groups_internal_only;
        if settings.max_receive_size.is_some_and(|limit| self.size > limit) {
            return Told::Refused(Reason::TooLargeForRecipient);
        }
        if asked && settings.require_sender_authentication.unwrap_or(default) && !self.internal {
            return Told::Refused(Reason::SenderNotAuthenticated);
        }
        if asked && self.listed(&settings.reject_from, &mut HashSet::new()) {
            return Told::Refused(Reason::SenderRejected);
        }
        let accepted = !self.spoofed && self.listed(&settings.accept_from, &mut HashSet::new());
        if asked && !settings.accept_from.is_empty() && !accepted {
            return Told::Refused(Reason::SenderNotAccepted);
        }
        let Some(moderation) = settings.moderation.filter(|moderation| moderation.enabled) else {
            return Told::Pass;
        };
        let owners = object.group.as_ref().map_or(&[][..], |group| &group.managed_by);
        let persons = |list: &[Reference]| list.iter().any(|each| self.is_sender(each.as_str()));
        let skips =
            persons(&moderation.moderators) || persons(owners) || self.listed(&moderation.bypass, &mut HashSet::new());
        if self.internal && skips { Told::Pass } else { Told::Held }
    }

    pub(super) fn addressed(&mut self, address: &Mailbox, notify: Option<Notify>) -> Told {
        let state = (self.sender.clone(), notify);
        match self.find(address.as_str()) {
            Some(object) if object.kind.is_group() && self.sender.is_null() => Told::Discarded,
            Some(object) => {
                let told = self.gate(object, false);
                match &told {
                    Told::Pass => self.passed(object, &state, &mut Vec::new()),
                    Told::Held => drop(self.held.insert(object.id.to_string())),
                    Told::Refused(_) | Told::Discarded => {}
                }
                told
            }
            None => {
                self.emit(address, &state);
                Told::Pass
            }
        }
    }

    fn nested(&mut self, address: &str, state: &State, onward: &mut Vec<String>, member: bool) {
        let Some(object) = self.find(address) else {
            let Ok(mailbox) = Mailbox::parse(address) else { return };
            if mailbox.domain() != "contoso.example" {
                self.emit(&mailbox, state);
            }
            return;
        };
        let drops = self.rules.disabled_accounts == DisabledAccounts::Drop && member;
        let id = object.id.to_string();
        if onward.contains(&id) || self.visited.contains(&id) || (drops && object.is_disabled_account()) {
            return;
        }
        if object.kind.is_group() && self.sender.is_null() {
            return;
        }
        match self.gate(object, true) {
            Told::Pass => self.passed(object, state, onward),
            Told::Held => drop((self.visited.insert(id.clone()), self.held.insert(id))),
            Told::Refused(reason) => drop((
                self.visited.insert(id),
                self.refused.insert((key(&object.primary), reason)),
            )),
            Told::Discarded => {}
        }
    }

    fn passed(&mut self, object: &'a RecipientObject, state: &State, onward: &mut Vec<String>) {
        if !self.visited.insert(object.id.to_string()) {
            return;
        }
        if object.kind.is_group() {
            return self.members(object, state, onward);
        }
        let settings = object.delivery.clone().unwrap_or_default();
        let smtp = settings.forwarding_smtp_address.map(|mailbox| mailbox.to_string());
        let to = settings
            .forwarding_address
            .map(|each| each.as_str().to_owned())
            .or(smtp);
        match to.filter(|_| self.rules.forwarding == Forwarding::Here) {
            None => self.deliver(object, state, onward),
            Some(to) => {
                let keeps = settings.deliver_and_forward == Some(true);
                let mut further = state.clone();
                if keeps {
                    self.deliver(object, state, onward);
                    further.1 = state.1.map(Notify::without_success);
                }
                onward.push(object.id.to_string());
                self.nested(&to, &further, onward, false);
                onward.pop();
            }
        }
    }

    fn deliver(&mut self, object: &'a RecipientObject, state: &State, onward: &mut Vec<String>) {
        let target = object.final_address();
        match self.find(target.as_str()) {
            Some(other) if other.id != object.id => {
                onward.push(object.id.to_string());
                self.nested(target.as_str(), state, onward, false);
                onward.pop();
            }
            Some(_) | None => self.emit(target, state),
        }
    }

    fn members(&mut self, group: &RecipientObject, state: &State, onward: &mut Vec<String>) {
        let settings = group.group.as_ref().expect("groups have settings");
        let owner = settings
            .managed_by
            .iter()
            .find_map(|each| match self.find(each.as_str()) {
                Some(object) => (!object.kind.is_group()).then(|| object.primary.clone()),
                None => Mailbox::parse(each.as_str()).ok(),
            });
        let state = match (settings.report_to_owner, settings.report_to_originator, owner) {
            (true, _, Some(owner)) => (ReversePath::Mailbox(owner), Some(Notify::FAILURE)),
            (false, false, _) => (ReversePath::Null, Some(Notify::NEVER)),
            (true, _, None) | (false, true, _) => (state.0.clone(), state.1.map(Notify::without_success)),
        };
        // Plain members, other persons, outside addresses, groups; each by its place in the directory.
        let place = |member: &Reference| match self.objects.iter().position(|object| {
            object
                .mailboxes()
                .any(|each| key(each) == member.as_str().to_lowercase())
        }) {
            Some(at) if self.objects[at].kind.is_group() => (3, at, String::new()),
            Some(at) if self.is_plain(&self.objects[at]) => (0, at, String::new()),
            Some(at) => (1, at, String::new()),
            None => (2, 0, member.as_str().to_lowercase()),
        };
        let mut ordered: Vec<_> = settings.members.iter().map(|member| (place(member), member)).collect();
        ordered.sort();
        for (_, member) in ordered {
            self.nested(member.as_str(), &state, onward, true);
        }
    }

    fn is_plain(&self, object: &RecipientObject) -> bool {
        let target = key(object.final_address());
        let shared = self.objects.iter().any(|other| {
            other.id != object.id
                && (key(other.final_address()) == target || other.mailboxes().any(|each| key(each) == target))
        });
        let works = object.state == ObjectState::Enabled || !object.is_disabled_account();
        works
            && !shared
            && object
                .delivery
                .as_ref()
                .is_none_or(|each| !each.has_own_rule() && !each.forwards())
    }

    fn emit(&mut self, address: &Mailbox, state: &State) {
        if self.finals.insert(key(address)) {
            self.copies.push((key(address), state.0.clone(), state.1));
        }
    }
}
