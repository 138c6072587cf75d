//! Whether those who should decide can: found before the first message waits for them.
//!
//! In: a moderated recipient, the directory, the settings. Out: what keeps its moderators and substitutes from being
//! asked. Never: mail; a finding about a recipient that is not moderated.

use std::fmt;

use super::{Moderation, Substitutes};
use crate::directory::{Lookup, RecipientObject, Reference};
use crate::mail::Mailbox;
use crate::policy::Rules;
use crate::policy::moderation::persons;
use crate::resolver::DomainKind;
use crate::rolls::View;

/// What a person is asked as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Office {
    /// First.
    Moderator,
    /// At half time.
    Substitute,
}

/// Why somebody, or everybody, cannot decide.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unreachable {
    /// The name leads to nobody and is no address.
    Nobody(Office, String),
    /// The name leads to several recipients.
    Ambiguous(Office, String),
    /// Groups decide nothing (Set-DistributionGroup -ModeratedBy).
    Group(Office, String),
    /// His account is disabled.
    Disabled(Office, String),
    /// An address in a domain of ours that nobody has.
    Unknown(Office, String),
    /// No moderator and no owner who can: mail is refused, or waits in vain.
    NoDecider,
    /// Nobody is asked when the moderators do not decide.
    NoSubstitute,
    /// More approvals are wanted than there are moderators: all of them have to agree.
    Quorum {
        /// Approvals wanted.
        wanted: u32,
        /// Moderators there are.
        moderators: usize,
    },
}

impl Unreachable {
    /// True if it keeps mail from its recipients; otherwise it is worth knowing.
    #[must_use]
    pub fn is_grave(&self) -> bool {
        !matches!(self, Self::NoSubstitute | Self::Quorum { .. })
    }
}

impl fmt::Display for Office {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Moderator => "moderator",
            Self::Substitute => "substitute moderator",
        })
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody(office, name) => write!(f, "{office} `{name}` is nobody in the directory and no address"),
            Self::Ambiguous(office, name) => write!(f, "{office} `{name}` is several recipients; name one by address"),
            Self::Group(office, name) => write!(f, "{office} `{name}` is a group: only persons decide"),
            Self::Disabled(office, name) => write!(f, "{office} `{name}` has a disabled account"),
            Self::Unknown(office, name) => write!(f, "{office} `{name}`: nobody has this address"),
            Self::NoDecider => f.write_str("moderated, and nobody can decide: mail to it is refused or waits in vain"),
            Self::NoSubstitute => {
                f.write_str("nobody is asked when its moderators do not decide (owners or moderation.substitutes)")
            }
            Self::Quorum { wanted, moderators } => write!(
                f,
                "{wanted} approvals are wanted of {moderators} moderators: all of them have to agree"
            ),
        }
    }
}

/// What keeps those who should decide about mail to `object` from it. Empty for a recipient that is not moderated.
#[must_use]
pub fn faults(object: &RecipientObject, view: &View, rules: &Rules, moderation: &Moderation) -> Vec<Unreachable> {
    let settings = object
        .delivery
        .as_deref()
        .and_then(|delivery| delivery.moderation.as_deref())
        .filter(|settings| settings.enabled);
    let Some(settings) = settings else {
        return Vec::new();
    };
    let owners = object.group.as_deref().map_or(&[][..], |group| &group.managed_by);
    let seen = |list: &[Reference], office: Office| -> Vec<Unreachable> {
        list.iter()
            .filter_map(|reference| unreachable(reference, office, view, rules))
            .collect()
    };
    let mut found = seen(&settings.moderators, Office::Moderator);
    found.extend(seen(&settings.substitutes, Office::Substitute));
    let mut deciders = deciding(&settings.moderators, view, rules);
    if deciders.is_empty() {
        deciders = deciding(owners, view, rules);
    }
    if deciders.is_empty() {
        found.push(Unreachable::NoDecider);
        return found;
    }
    let wanted = settings.quorum.unwrap_or(moderation.quorum);
    if wanted as usize > deciders.len() {
        found.push(Unreachable::Quorum {
            wanted,
            moderators: deciders.len(),
        });
    }
    let has_others = match &moderation.substitutes {
        _ if !settings.substitutes.is_empty() => !deciding(&settings.substitutes, view, rules).is_empty(),
        Substitutes::Owners => deciding(owners, view, rules)
            .iter()
            .any(|owner| !deciders.contains(owner)),
        Substitutes::Persons(list) => !list.is_empty(),
    };
    if !has_others {
        found.push(Unreachable::NoSubstitute);
    }
    found
}

/// Those of a list who can be asked.
fn deciding(list: &[Reference], view: &View, rules: &Rules) -> Vec<Mailbox> {
    let there: Vec<Reference> = list
        .iter()
        .filter(|reference| unreachable(reference, Office::Moderator, view, rules).is_none())
        .cloned()
        .collect();
    persons(&there, view)
}

fn unreachable(reference: &Reference, office: Office, view: &View, rules: &Rules) -> Option<Unreachable> {
    let name = reference.as_str().trim().to_owned();
    match view.directory.lookup_reference(reference.as_str()) {
        Lookup::One(ordinal) => {
            let object = view.object(ordinal)?;
            if object.kind.is_group() {
                Some(Unreachable::Group(office, name))
            } else {
                object
                    .is_disabled_account()
                    .then_some(Unreachable::Disabled(office, name))
            }
        }
        Lookup::Ambiguous(_) => Some(Unreachable::Ambiguous(office, name)),
        Lookup::None => match Mailbox::parse(&name) {
            Err(_) => Some(Unreachable::Nobody(office, name)),
            Ok(mailbox) => (rules.accepted.kind_of(&mailbox) == Some(DomainKind::Authoritative))
                .then_some(Unreachable::Unknown(office, name)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::testing::{ObjectBuilder, directory, group, person};
    use crate::moderation::moderation;
    use crate::policy::testing::rules;
    use crate::rolls::RollTable;

    fn found(moderated: ObjectBuilder, change: impl FnOnce(&mut Moderation)) -> Vec<String> {
        let object = moderated.build();
        let view = View::new(
            directory([
                person("lena@contoso.example"),
                person("eva@contoso.example"),
                person("left@contoso.example").disabled(),
                group("helpdesk@contoso.example").members(&["lena@contoso.example"]),
                ObjectBuilder::of(object.clone()),
            ]),
            RollTable::default(),
        );
        let mut moderation = moderation();
        change(&mut moderation);
        let faults = faults(&object, &view, &rules(), &moderation);
        faults.iter().map(ToString::to_string).collect()
    }

    fn moderated(by: &[&str]) -> ObjectBuilder {
        group("announce@contoso.example").moderated_by(by)
    }

    #[test]
    fn whoever_cannot_decide_is_named_with_the_reason() {
        let said = found(
            moderated(&[
                "eva@contoso.example",
                "helpdesk@contoso.example",
                "left@contoso.example",
                "nobody@contoso.example",
                "The Boss",
                "partner@outside.example",
            ])
            .owners(&["lena@contoso.example"]),
            |_| {},
        );
        assert_eq!(
            said,
            [
                "moderator `helpdesk@contoso.example` is a group: only persons decide",
                "moderator `left@contoso.example` has a disabled account",
                "moderator `nobody@contoso.example`: nobody has this address",
                "moderator `The Boss` is nobody in the directory and no address",
            ]
        );
    }

    #[test]
    fn nobody_at_all_means_that_mail_is_refused() {
        let nobody = moderated(&["left@contoso.example"]);
        let said = found(nobody, |_| {});
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[1].contains("refused or waits in vain"), "{said:?}");
        // The owners stand in.
        let owned = moderated(&[]).owners(&["lena@contoso.example", "eva@contoso.example"]);
        let said = found(owned, |_| {});
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].contains("nobody is asked when"),
            "they are all asked first: {said:?}"
        );
        assert!(found(group("open@contoso.example"), |_| {}).is_empty());
    }

    #[test]
    fn a_quorum_of_more_than_there_are_is_said() {
        let said = found(
            moderated(&["eva@contoso.example"]).owners(&["lena@contoso.example"]),
            |moderation| moderation.quorum = 2,
        );
        assert_eq!(
            said,
            ["2 approvals are wanted of 1 moderators: all of them have to agree"]
        );
    }
}
