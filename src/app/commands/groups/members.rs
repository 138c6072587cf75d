//! `group members`: entries of a list, and everybody that nested groups lead to.

use std::collections::{HashSet, VecDeque};

use super::Groups;
use crate::admin::answer::{GroupMembers, Member};
use crate::admin::command::MemberDepth;
use crate::admin::service::Refusal;
use crate::directory::{Ordinal, RecipientObject};
use crate::mail::Mailbox;

impl Groups<'_> {
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
    pub(super) fn walk(&self, top: Ordinal) -> Vec<(Ordinal, Vec<String>)> {
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
                people |= &*roll.receivers().objects - self.view.directory.group_set();
                outside.extend(roll.receivers().outside.iter().map(Mailbox::key));
            }
        }
        people &= self.view.directory.live();
        (direct, depth, people.len() + outside.len() as u64)
    }
}
