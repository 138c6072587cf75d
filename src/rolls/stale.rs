//! Stale members: entries of a list that reach nobody, or may not for long (DESIGN §5).
//!
//! In: a view, a group, what is known against addresses. Out: each such entry with its reason, for the owner. Never:
//! a change of the list; that is the owner's.

use serde::{Deserialize, Serialize};

use super::roll::Roll;
use super::suspect::{SuspectSettings, Suspects};
use super::view::View;
use crate::directory::{Directory, Lookup, Ordinal};
use crate::track::Reason;

/// Why an entry is listed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum Staleness {
    /// The person is gone.
    Deleted,
    /// The nested group is gone.
    GroupVanished,
    /// Its account is switched off. Whether it gets mail is a setting.
    Disabled,
    /// The entry names nobody, or several.
    Unresolved,
    /// The next hop refuses its address again and again.
    Suspect {
        /// Refused messages since the last that was taken.
        refused: u32,
        /// What the next hop said last.
        reply: String,
        /// It gets no copies of groups.
        suppressed: bool,
    },
}

impl Staleness {
    /// The reason that tracking shows where such an entry is left out.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Deleted => Reason::MemberDeleted,
            Self::GroupVanished => Reason::GroupVanished,
            Self::Disabled => Reason::MemberDisabled,
            Self::Unresolved => Reason::MemberUnresolved,
            Self::Suspect { .. } => Reason::MemberSuspect,
        }
    }
}

/// One entry that is stale.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaleMember {
    /// The object; none: the entry is a text or an outside address.
    pub object: Option<Ordinal>,
    /// Its primary address, or the text of the entry.
    pub entry: String,
    /// Why.
    pub staleness: Staleness,
}

/// Everything stale in a group's list: objects first, by ordinal, then outside addresses, then texts.
///
/// Cost: the entries that are no longer live or whose accounts are disabled one by one, and one look-up per suspect.
#[must_use]
pub fn stale_members(view: &View, group: Ordinal, suspects: &Suspects, settings: &SuspectSettings) -> Vec<StaleMember> {
    let Some(roll) = view.roll(group) else {
        return Vec::new();
    };
    let receivers = roll.receivers();
    let directory = &*view.directory;
    let mut found = Vec::new();
    // Plain objects are live and enabled: only the rest needs a look.
    let doubtful = &receivers.objects - directory.plain();
    for ordinal in doubtful.iter().map(Ordinal) {
        if let Some((entry, staleness)) = stale_object(directory, ordinal) {
            found.push(StaleMember {
                object: Some(ordinal),
                entry,
                staleness,
            });
        }
    }
    found.extend(suspected(view, roll, suspects, settings));
    found.sort_by_key(|stale| (stale.object.is_none(), stale.object));
    for text in receivers.unresolved.iter() {
        let staleness = match directory.lookup_gone(text) {
            Some(tombstone) if tombstone.kind.is_group() => Staleness::GroupVanished,
            Some(_) => Staleness::Deleted,
            None => Staleness::Unresolved,
        };
        found.push(StaleMember {
            object: None,
            entry: text.to_string(),
            staleness,
        });
    }
    found
}

fn stale_object(directory: &Directory, ordinal: Ordinal) -> Option<(String, Staleness)> {
    if let Some(object) = directory.recipient(ordinal) {
        return object
            .is_disabled_account()
            .then(|| (object.primary.to_string(), Staleness::Disabled));
    }
    Some(match directory.tombstone(ordinal) {
        Some(tombstone) if tombstone.kind.is_group() => (tombstone.address.to_string(), Staleness::GroupVanished),
        Some(tombstone) => (tombstone.address.to_string(), Staleness::Deleted),
        None => (format!("object {}", ordinal.0), Staleness::Deleted),
    })
}

fn suspected(view: &View, roll: &Roll, suspects: &Suspects, settings: &SuspectSettings) -> Vec<StaleMember> {
    let mut found = Vec::new();
    let receivers = roll.receivers();
    for suspicion in suspects.iter().filter(|each| each.is_suspect(settings)) {
        let key = suspicion.address.key();
        let staleness = || Staleness::Suspect {
            refused: suspicion.count,
            reply: suspicion
                .refusals
                .last()
                .map_or_else(String::new, |refused| refused.reply.to_string()),
            suppressed: suspicion.is_suppressed(settings),
        };
        let ordinals = match view.directory.lookup_final(&key) {
            Lookup::One(ordinal) => vec![ordinal],
            Lookup::Ambiguous(ordinals) => ordinals.to_vec(),
            Lookup::None => Vec::new(),
        };
        for ordinal in ordinals.into_iter().filter(|each| receivers.objects.contains(each.0)) {
            let address = view.object(ordinal).map(|object| object.primary.to_string());
            found.push(StaleMember {
                object: Some(ordinal),
                entry: address.unwrap_or_else(|| suspicion.address.to_string()),
                staleness: staleness(),
            });
        }
        if receivers.has_outside(&key) {
            found.push(StaleMember {
                object: None,
                entry: suspicion.address.to_string(),
                staleness: staleness(),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::directory::filter::EvaluationOptions;
    use crate::directory::testing::{CountingOrdinals, directory, group, person};
    use crate::directory::{ChangeSet, ObjectId, ObjectState};
    use crate::rolls::hold::Decision;
    use crate::rolls::{Cause, RollTable, update};

    #[test]
    fn each_stale_entry_is_listed_with_its_reason() {
        let mut off = person("off@contoso.example").build();
        off.state = ObjectState::Disabled;
        let made = directory([
            group("g@contoso.example").members(&[
                "lena@contoso.example",
                "jonas@contoso.example",
                "off@contoso.example",
                "team@contoso.example",
                "CN=Nobody,DC=x",
                "out@outside.example",
            ]),
            person("lena@contoso.example"),
            person("jonas@contoso.example"),
            person("off@contoso.example"),
            group("team@contoso.example").members(&[]),
        ]);
        let options = EvaluationOptions::default();
        let empty = View::new(made, RollTable::default());
        let now = Timestamp::UNIX_EPOCH;
        let rolls = update::again(&empty, [Ordinal(0)], &options, Cause::Created, now).rolls;
        let changes = ChangeSet {
            upserts: vec![off],
            removals: ["jonas", "team"]
                .map(|name| ObjectId::new(format!("id:{name}@contoso.example")))
                .to_vec(),
        };
        let mut ordinals = CountingOrdinals::default();
        for name in ["g", "lena", "jonas", "off", "team"] {
            use crate::directory::OrdinalSource;
            ordinals.ordinal(&ObjectId::new(format!("id:{name}@contoso.example")));
        }
        let next = empty.directory.apply(changes, &mut ordinals, 2, now).0;
        let view = View::new(next, rolls);
        let mut suspects = Suspects::default();
        for address in ["lena@contoso.example", "out@outside.example", "other@contoso.example"] {
            let decision = Decision {
                by: "eva".into(),
                reason: "bounces".into(),
                at: now,
            };
            let change = suspects.suppress(&address.parse().expect("valid"), decision);
            suspects.take(&change);
        }
        let found = stale_members(&view, Ordinal(0), &suspects, &SuspectSettings::default());
        let listed: Vec<(Option<u32>, &str, Reason)> = found
            .iter()
            .map(|stale| {
                let object = stale.object.map(|object| object.0);
                (object, stale.entry.as_str(), stale.staleness.reason())
            })
            .collect();
        assert_eq!(
            listed,
            [
                (Some(1), "lena@contoso.example", Reason::MemberSuspect),
                (Some(2), "jonas@contoso.example", Reason::MemberDeleted),
                (Some(3), "off@contoso.example", Reason::MemberDisabled),
                (Some(4), "team@contoso.example", Reason::GroupVanished),
                (None, "out@outside.example", Reason::MemberSuspect),
                (None, "CN=Nobody,DC=x", Reason::MemberUnresolved),
            ]
        );
    }
}
