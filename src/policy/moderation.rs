//! Moderation: hold, unless the sender decides himself (`exchange-semantics.md` §2.2, §4.2).
//!
//! Skips approval: a moderator, an owner, anyone in the bypass list with its nested groups. Only a sender
//! proven internal skips it; everybody else waits, which loses nothing.

use super::Refusal;
use super::explanation::{Bypass, Fact};
use super::membership::{Answer, Doubt, Identity, ask, is_address_of};
use super::restriction::not_ready;
use crate::directory::{Lookup, ModerationSettings, RecipientObject, Reference};
use crate::mail::Mailbox;
use crate::rolls::View;
use crate::track::Reason;

/// What moderation says.
pub(super) enum Ruling {
    /// Not moderated, or bypassed.
    Pass,
    /// Held for these.
    Hold(Vec<Mailbox>),
}

pub(super) fn judge(
    object: &RecipientObject,
    identity: &Identity,
    approved_above: bool,
    view: &View,
    facts: &mut Vec<Fact>,
) -> Result<Ruling, Refusal> {
    let settings = object
        .delivery
        .as_deref()
        .and_then(|delivery| delivery.moderation.as_deref())
        .filter(|settings| settings.enabled);
    let Some(settings) = settings else {
        return Ok(Ruling::Pass);
    };
    if approved_above && object.kind.is_group() {
        facts.push(Fact::ModerationBypassed {
            by: Bypass::ApprovedAbove,
        });
        return Ok(Ruling::Pass);
    }
    let owners = owners(object);
    if identity.proven {
        match bypass(settings, owners, identity, view) {
            Ok(Some(by)) => {
                facts.push(Fact::ModerationBypassed { by });
                return Ok(Ruling::Pass);
            }
            Ok(None) => {}
            Err(group) => return Err(not_ready(group, view, facts)),
        }
    }
    let mut moderators = persons(&settings.moderators, view);
    if moderators.is_empty() {
        // Set-DistributionGroup: without moderators the owners approve.
        moderators = persons(owners, view);
    }
    if moderators.is_empty() {
        return Err(Refusal::of(Reason::NoModerator, Some(object.kind)));
    }
    facts.push(Fact::Held {
        moderators: moderators.iter().map(|each| each.as_str().to_owned()).collect(),
    });
    Ok(Ruling::Hold(moderators))
}

/// The owners decide about a group that is not moderated (`policy.large_group = "hold"`).
pub(super) fn by_owners(
    object: &RecipientObject,
    identity: &Identity,
    view: &View,
    facts: &mut Vec<Fact>,
) -> Result<Ruling, Refusal> {
    let owners = owners(object);
    if identity.proven && is_named(owners, identity, view) {
        facts.push(Fact::ModerationBypassed { by: Bypass::Owner });
        return Ok(Ruling::Pass);
    }
    let owners = persons(owners, view);
    if owners.is_empty() {
        return Err(Refusal::of(Reason::LargeGroupOpen, Some(object.kind)));
    }
    facts.push(Fact::Held {
        moderators: owners.iter().map(|each| each.as_str().to_owned()).collect(),
    });
    Ok(Ruling::Hold(owners))
}

pub(super) fn owners(object: &RecipientObject) -> &[Reference] {
    object.group.as_deref().map_or(&[], |group| &group.managed_by)
}

fn bypass(
    settings: &ModerationSettings,
    owners: &[Reference],
    identity: &Identity,
    view: &View,
) -> Result<Option<Bypass>, crate::directory::Ordinal> {
    // A moderator is a person, never a group, so only direct listing counts for him.
    if is_named(&settings.moderators, identity, view) {
        return Ok(Some(Bypass::Moderator));
    }
    if is_named(owners, identity, view) {
        return Ok(Some(Bypass::Owner));
    }
    match ask(&settings.bypass, identity, Doubt::Ignored, view) {
        Answer::Listed(listed) => Ok(Some(Bypass::List(listed))),
        Answer::NotListed => Ok(None),
        Answer::NotReady(group) => Err(group),
    }
}

pub(super) fn is_named(list: &[Reference], identity: &Identity, view: &View) -> bool {
    list.iter()
        .any(|reference| match view.directory.lookup_reference(reference.as_str()) {
            Lookup::One(ordinal) => {
                identity.objects.contains(ordinal.0)
                    && view.object(ordinal).is_some_and(|object| !object.kind.is_group())
            }
            Lookup::None => is_address_of(reference, identity),
            Lookup::Ambiguous(_) => false,
        })
}

/// Addresses of the live persons in a list; bare addresses count, groups do not.
#[must_use]
pub fn persons(list: &[Reference], view: &View) -> Vec<Mailbox> {
    let mut found: Vec<Mailbox> = Vec::new();
    for reference in list {
        let mailbox = match view.directory.lookup_reference(reference.as_str()) {
            Lookup::One(ordinal) => view
                .object(ordinal)
                .filter(|object| !object.kind.is_group())
                .map(|object| object.primary.clone()),
            Lookup::Ambiguous(_) => None,
            Lookup::None => Mailbox::parse(reference.as_str().trim()).ok(),
        };
        found.extend(mailbox.filter(|mailbox| !found.contains(mailbox)));
    }
    found
}
