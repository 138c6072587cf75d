//! Changes of the directory and what is noticed while they are made.
//!
//! In: what a connector saw appear, change and go. Out: the next generation and its findings.
//! Never: a change that fails half way; a doubtful object is taken as it is and a finding names it.

use super::delivery::Reference;
use super::index::Ordinal;
use super::kind::RecipientKind;
use super::octets::{Cursor, put_text};
use super::recipient::{Location, ObjectId, RecipientObject, SourceId};
use super::record::{kind_number, kind_of};

/// What changes from one generation to the next.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChangeSet {
    /// New and changed objects, whole.
    pub upserts: Vec<RecipientObject>,
    /// Objects that are gone. An object that is in both lists stays.
    pub removals: Vec<ObjectId>,
}

impl ChangeSet {
    pub fn upsert(object: RecipientObject) -> Self {
        Self {
            upserts: vec![object],
            removals: Vec::new(),
        }
    }

    pub fn remove(id: ObjectId) -> Self {
        Self {
            upserts: Vec::new(),
            removals: vec![id],
        }
    }

    pub fn is_empty(&self) -> bool {
        self.upserts.is_empty() && self.removals.is_empty()
    }
}

/// Where ordinals come from: the keeper of the directory's store.
pub trait OrdinalSource {
    /// The ordinal of an object: the same for the same id, never one that belonged to another.
    fn ordinal(&mut self, id: &ObjectId) -> Ordinal;
}

/// What is left of an object that is gone: enough to say who a stale member was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    pub id: ObjectId,
    pub kind: RecipientKind,
    pub name: Box<str>,
    pub address: Box<str>,
}

impl Tombstone {
    pub(super) fn of(object: &RecipientObject) -> Self {
        Self {
            id: object.id.clone(),
            kind: object.kind,
            name: object.title().into(),
            address: object.primary.as_str().into(),
        }
    }

    /// Writes it for an image.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.push(kind_number(self.kind));
        [self.id.as_str(), &self.name, &self.address]
            .iter()
            .for_each(|text| put_text(out, text));
    }

    /// Reads what [`Tombstone::put`] wrote; none if it is damaged.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            kind: kind_of(cursor.byte()?)?,
            id: ObjectId::new(cursor.text()?),
            name: cursor.text()?.into(),
            address: cursor.text()?.into(),
        })
    }
}

/// Most unresolved references reported per object and setting; the rest is counted.
pub const REFERENCE_FINDINGS_MAX: usize = 20;

/// Something an administrator should know about the directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// Mail to the address is refused until one of the objects gives it up.
    #[error("address {address} belongs to {}", list(.objects))]
    AmbiguousAddress { address: String, objects: Vec<ObjectId> },
    /// A DN, legacyExchangeDN or id that two objects carry; references to it stay unresolved.
    #[error("identity {identity} belongs to {}", list(.objects))]
    AmbiguousIdentity { identity: String, objects: Vec<ObjectId> },
    /// One change set has two objects with one id; the first was taken.
    #[error("id {id} occurs twice in one change; the first object was taken")]
    DuplicateId { id: ObjectId },
    /// Another source delivers an object that this source owned.
    #[error("object {id} moved from source {from} to {to}")]
    SourceChanged { id: ObjectId, from: SourceId, to: SourceId },
    /// A removal of an object that was not there.
    #[error("object {id} was to be removed and is not in the directory")]
    UnknownRemoval { id: ObjectId },
    /// A reference that names nothing we know and is no address.
    #[error("{object}: {setting} names {reference}, which is not in the directory")]
    ReferenceUnresolved {
        object: ObjectId,
        setting: Setting,
        reference: Reference,
    },
    /// A reference that names several objects.
    #[error("{object}: {setting} names {reference}, which fits several objects")]
    ReferenceAmbiguous {
        object: ObjectId,
        setting: Setting,
        reference: Reference,
    },
    /// More of the same.
    #[error("{object}: {setting} names {count} more that could not be resolved")]
    ReferencesMore {
        object: ObjectId,
        setting: Setting,
        count: usize,
    },
    /// Something without which the object cannot work.
    #[error("{object} has no {fact}")]
    Missing { object: ObjectId, fact: MissingFact },
}

fn list(ids: &[ObjectId]) -> String {
    ids.iter().map(ObjectId::as_str).collect::<Vec<_>>().join(", ")
}

/// A setting that holds references.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    Members,
    ManagedBy,
    AcceptFrom,
    RejectFrom,
    ForwardingAddress,
    Moderators,
    BypassModeration,
    ModerationSubstitutes,
    SendAs,
    Subscribers,
}

impl std::fmt::Display for Setting {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Members => "Members",
            Self::ManagedBy => "ManagedBy",
            Self::AcceptFrom => "AcceptMessagesOnlyFromSendersOrMembers",
            Self::RejectFrom => "RejectMessagesFromSendersOrMembers",
            Self::ForwardingAddress => "ForwardingAddress",
            Self::Moderators => "ModeratedBy",
            Self::BypassModeration => "BypassModerationFromSendersOrMembers",
            Self::ModerationSubstitutes => "ModerationSubstitutes",
            Self::SendAs => "SendAs",
            Self::Subscribers => "Subscribers",
        })
    }
}

/// A required fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MissingFact {
    /// Contacts, mail users and remote mailboxes are delivered to their target; without it to the primary
    /// address, which often comes straight back.
    #[error("target address (ExternalEmailAddress)")]
    TargetAddress,
    #[error("rule (RecipientFilter) although it is a dynamic distribution group")]
    Rule,
    #[error("group settings although it is a group")]
    GroupSettings,
    #[error("alias (mailNickname), so no dynamic group can contain it")]
    Alias,
}

/// Facts that a kind needs and the object lacks.
pub(super) fn missing_facts(object: &RecipientObject) -> Vec<MissingFact> {
    use super::kind::RecipientType;
    let mut missing = Vec::new();
    let wants_target = match object.kind.recipient_type() {
        RecipientType::MailUser | RecipientType::MailContact => object.location != Location::External,
        RecipientType::UserMailbox
        | RecipientType::MailUniversalDistributionGroup
        | RecipientType::MailUniversalSecurityGroup
        | RecipientType::MailNonUniversalGroup
        | RecipientType::DynamicDistributionGroup
        | RecipientType::PublicFolder => object.kind == RecipientKind::RemoteGroupMailbox,
    };
    if wants_target && object.target_address.is_none() {
        missing.push(MissingFact::TargetAddress);
    }
    if object.kind.is_group() && !object.kind.is_microsoft365_group() {
        match &object.group {
            None => missing.push(MissingFact::GroupSettings),
            Some(group) if object.kind.is_dynamic() && group.rule.is_none() => missing.push(MissingFact::Rule),
            Some(_) => {}
        }
    }
    if object.alias.is_none() {
        missing.push(MissingFact::Alias);
    }
    missing
}

/// Every reference of an object with the setting that holds it.
pub(super) fn references(object: &RecipientObject) -> Vec<(Setting, &[Reference])> {
    let mut all: Vec<(Setting, &[Reference])> = Vec::new();
    if let Some(group) = object.group.as_deref() {
        all.push((Setting::Members, &group.members));
        all.push((Setting::ManagedBy, &group.managed_by));
        if let Some(subscribers) = group.subscribers.as_deref() {
            all.push((Setting::Subscribers, &subscribers.list));
        }
    }
    if let Some(delivery) = object.delivery.as_deref() {
        all.push((Setting::AcceptFrom, &delivery.accept_from));
        all.push((Setting::RejectFrom, &delivery.reject_from));
        all.push((Setting::ForwardingAddress, delivery.forwarding_address.as_slice()));
        all.push((Setting::SendAs, &delivery.send_as));
        if let Some(moderation) = delivery.moderation.as_deref() {
            all.push((Setting::Moderators, &moderation.moderators));
            all.push((Setting::BypassModeration, &moderation.bypass));
            all.push((Setting::ModerationSubstitutes, &moderation.substitutes));
        }
    }
    all
}
