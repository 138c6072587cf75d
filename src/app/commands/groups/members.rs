//! `group members`: entries of a list, and everybody that nested groups lead to.

use std::collections::{HashSet, VecDeque};

use jiff::Timestamp;

use super::Groups;
use crate::admin::answer::{GroupMembers, Member, RollState};
use crate::admin::command::MemberDepth;
use crate::admin::service::{Refusal, RefusalKind};
use crate::app::commands::history::list_at;
use crate::app::commands::kept::Reach;
use crate::directory::{Ordinal, RecipientObject};
use crate::mail::Mailbox;
use crate::rolls::pin::{Viewer, entries_seen_by};
use crate::rolls::roll::Entries;

/// How lists are looked at.
pub(super) struct Seen {
    /// As they were then; none: as they are.
    pub at: Option<Timestamp>,
    /// By whom.
    pub viewer: Viewer,
}

/// A group on the way down.
pub(super) struct Step {
    /// The group.
    pub group: Ordinal,
    /// Its list.
    pub list: Entries,
    /// Groups between the asked one and it, itself included; empty for the asked one.
    pub path: Vec<String>,
}

impl Groups<'_> {
    /// Who is in a group, or was at a time.
    pub fn members(&self, name: &str, depth: MemberDepth, at: Option<Timestamp>) -> Result<GroupMembers, Refusal> {
        let (ordinal, group) = self.group(name)?;
        let seen = Seen {
            at,
            viewer: Viewer::Trusted,
        };
        let (version, list) = self.list_of(ordinal, &seen)?;
        let mut members = Vec::new();
        match depth {
            MemberDepth::Direct => self.direct(&list, &[], &mut members),
            MemberDepth::Everybody => {
                for (list, path) in self
                    .walk_seen(ordinal, &seen)?
                    .into_iter()
                    .map(|step| (step.list, step.path))
                {
                    let mut entries = Vec::new();
                    self.direct(&list, &path, &mut entries);
                    let nested = |member: &Member| member.next_hop.is_none() && member.left_out.is_none();
                    members.extend(entries.into_iter().filter(|member| !nested(member)));
                }
                let mut seen = HashSet::new();
                members.retain(|member| seen.insert(member.address.to_ascii_lowercase()));
            }
        }
        members.sort_by(|a, b| a.address.cmp(&b.address));
        let now = self.roll_state(ordinal, group);
        Ok(GroupMembers {
            group: group.primary.to_string(),
            roll: match at {
                None => now,
                Some(_) => RollState {
                    version,
                    entries: list.len(),
                    ..RollState::default()
                },
            },
            at,
            members,
        })
    }

    /// The list of a group, with its version, as it is or was seen. A refusal if it is not known so far back.
    pub(super) fn list_of(&self, group: Ordinal, seen: &Seen) -> Result<(Option<u64>, Entries), Refusal> {
        let Some(roll) = self.view.roll(group) else {
            return Ok((None, Entries::default()));
        };
        let Some(at) = seen.at else {
            let list = entries_seen_by(roll.receivers(), &self.pins(group), seen.viewer);
            return Ok((Some(roll.version), list));
        };
        let differences = self.kept.differences(group, Reach::Time(at))?;
        let Some(list) = list_at(Some(roll), &differences, at)? else {
            let text = format!("{} had no list at {at}", self.named(group).0);
            return Err(Refusal::new(RefusalKind::NotFound, text));
        };
        // Who is kept out by a pin of today does not learn of it by asking for yesterday.
        let entries = list.subscribers.unwrap_or(list.entries);
        let entries = entries_seen_by(&entries, &self.pins(group), seen.viewer);
        Ok((Some(list.version), entries))
    }

    /// The list that served at a time, whatever its kind was then.
    pub(crate) fn effective_at(&self, group: Ordinal, at: Timestamp) -> Result<Entries, Refusal> {
        let seen = Seen {
            at: Some(at),
            viewer: Viewer::Trusted,
        };
        self.list_of(group, &seen).map(|(_, list)| list)
    }

    /// Entries of one list as members, with the groups that led there.
    fn direct(&self, list: &Entries, path: &[String], members: &mut Vec<Member>) {
        for number in list.objects.iter() {
            let ordinal = Ordinal(number);
            members.push(match self.view.object(ordinal) {
                Some(object) => self.member(ordinal, &object, path),
                None => self.gone(ordinal, path),
            });
        }
        for outside in list.outside.iter() {
            let hop = self.hops.next_hop_of(self.hops.class(0, None), None, outside);
            let hop = hop.ok().map(|hop| self.hops.name(hop));
            members.push(Member {
                address: outside.to_string(),
                kind: "outside address".to_owned(),
                next_hop: hop,
                path: path.to_vec(),
                ..Member::default()
            });
        }
        for text in list.unresolved.iter() {
            members.push(Member {
                address: text.to_string(),
                kind: "unresolved".to_owned(),
                path: path.to_vec(),
                left_out: Some("member-unresolved".to_owned()),
                ..Member::default()
            });
        }
    }

    fn member(&self, ordinal: Ordinal, object: &RecipientObject, path: &[String]) -> Member {
        let class = self.hops.class(0, Some(ordinal));
        let hop = self
            .hops
            .next_hop_of(class, Some(object.into()), object.final_address());
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
        let (address, display_name) = self.named(ordinal);
        Member {
            address,
            display_name,
            kind: "deleted".to_owned(),
            path: path.to_vec(),
            left_out: Some("member-deleted".to_owned()),
            next_hop: None,
        }
    }

    /// The group and every group nested below it, each once, with its list and the groups between.
    pub(super) fn walk_seen(&self, top: Ordinal, seen: &Seen) -> Result<Vec<Step>, Refusal> {
        let mut met = HashSet::from([top]);
        let mut queue = VecDeque::from([(top, Vec::new())]);
        let mut order = Vec::new();
        while let Some((group, path)) = queue.pop_front() {
            // A nested group that had no list then led nowhere; of the top one the caller wants to know.
            let list = match self.list_of(group, seen) {
                Ok((_, list)) => list,
                Err(refusal) if group == top || refusal.kind != RefusalKind::NotFound => return Err(refusal),
                Err(_) => Entries::default(),
            };
            for number in &list.objects & self.view.directory.group_set() {
                let child = Ordinal(number);
                let object = self
                    .view
                    .group(child)
                    .filter(|group| !group.kind.is_microsoft365_group());
                if let Some(object) = object.filter(|_| met.insert(child)) {
                    let mut below: Vec<String> = Vec::clone(&path);
                    below.push(object.primary.to_string());
                    queue.push_back((child, below));
                }
            }
            order.push(Step { group, list, path });
        }
        Ok(order)
    }

    /// The group and every group nested below it now, each once, with the groups between.
    pub(super) fn walk(&self, top: Ordinal) -> Vec<(Ordinal, Vec<String>)> {
        let mut seen = HashSet::from([top]);
        let mut queue = VecDeque::from([(top, Vec::new())]);
        let mut order = Vec::new();
        while let Some((group, path)) = queue.pop_front() {
            if let Some(roll) = self.view.roll(group) {
                let nested = &roll.receivers().objects & self.view.directory.group_set();
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
    pub(super) fn reach(&self, top: Ordinal) -> (u64, u64, u64) {
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
                people |= &roll.receivers().objects - self.view.directory.group_set();
                outside.extend(roll.receivers().outside.iter().map(Mailbox::key));
            }
        }
        people &= self.view.directory.live();
        (direct, depth, people.len() + outside.len() as u64)
    }
}
