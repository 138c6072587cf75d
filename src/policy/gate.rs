//! One object's gate: size, authentication, lists, moderation, in this order (`exchange-semantics.md` §3.8).

use super::explanation::Fact;
use super::large::Guarded;
use super::membership::Identity;
use super::moderation::Ruling;
use super::rules::{NestedRestrictions, SpoofedSender};
use super::{Refusal, Rules, authentication, large, moderation, restriction, size};
use crate::directory::RecipientObject;
use crate::mail::Mailbox;
use crate::resolver::{Sender, Standing};
use crate::rolls::View;
use crate::track::{HoldCause, Reason};

/// The sender with what lists need to know of him, looked up once per pass.
#[derive(Clone, Debug)]
pub struct SenderFacts<'a> {
    /// Who sends.
    pub sender: &'a Sender,
    /// As lists know him.
    pub identity: Identity,
    /// Octets of the message, once known.
    pub size_bytes: Option<u64>,
    /// A content filter wants it held.
    pub quarantined: bool,
}

impl<'a> SenderFacts<'a> {
    /// Looks the sender up.
    #[must_use]
    pub fn of(sender: &'a Sender, size_bytes: Option<u64>, view: &View) -> Self {
        Self {
            sender,
            identity: Identity::of(sender, view),
            size_bytes,
            quarantined: false,
        }
    }
}

/// How an object was met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// Addressed in the envelope.
    Addressed,
    /// Addressed as postmaster: authentication, lists and moderation do not apply (RFC 5321 §4.5.1).
    Postmaster,
    /// Met below a group or forward.
    Nested {
        /// A group above was approved with BypassNestedModerationEnabled.
        approved_above: bool,
    },
    /// Its own hold was approved: rules were judged at submission.
    Approved,
}

/// The gate let the message through, at once or later.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pass {
    /// At once.
    Open,
    /// Once somebody approves.
    Hold(Asking),
}

/// Who is asked, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asking {
    /// Why the message is held.
    pub cause: HoldCause,
    /// Who may decide.
    pub moderators: Vec<Mailbox>,
}

impl Asking {
    fn of(cause: HoldCause, moderators: Vec<Mailbox>) -> Pass {
        Pass::Hold(Self { cause, moderators })
    }
}

/// Judges one object. `facts` collects what was found.
pub fn judge(
    object: &RecipientObject,
    asked: Asked,
    from: &SenderFacts<'_>,
    view: &View,
    rules: &Rules,
    facts: &mut Vec<Fact>,
) -> Result<Pass, Refusal> {
    let approved_above = match asked {
        Asked::Approved => {
            facts.push(Fact::ModerationBypassed {
                by: super::explanation::Bypass::Approved,
            });
            return Ok(Pass::Open);
        }
        Asked::Addressed | Asked::Postmaster => false,
        Asked::Nested { approved_above } => approved_above,
    };
    if from.sender.is_system() {
        facts.push(Fact::SystemExempt);
        return Ok(Pass::Open);
    }
    size::judge(object, from.size_bytes, facts)?;
    if asked == Asked::Postmaster {
        facts.push(Fact::PostmasterExempt);
        return Ok(Pass::Open);
    }
    let nested = matches!(asked, Asked::Nested { .. });
    if nested && rules.nested_restrictions == NestedRestrictions::TopOnly {
        facts.push(Fact::NestedNotAsked);
    } else {
        authentication::judge(object, from.sender, rules, facts)?;
        restriction::judge(object, from, view, facts)?;
        restriction::judge_members_only(object, from, view, facts)?;
    }
    match moderation::judge(object, &from.identity, approved_above, view, facts)? {
        Ruling::Pass => {}
        Ruling::Hold(moderators) => return Ok(Asking::of(HoldCause::Moderation, moderators)),
    }
    if nested {
        return Ok(Pass::Open);
    }
    let spoofed = from.sender.standing == Standing::Spoofed && rules.spoofed == SpoofedSender::Quarantine;
    if spoofed || from.quarantined {
        if spoofed {
            facts.push(Fact::Quarantined);
        }
        facts.push(held_for(&rules.quarantine));
        let cause = if spoofed {
            HoldCause::Quarantine
        } else {
            HoldCause::Content
        };
        return Ok(Asking::of(cause, rules.quarantine.clone()));
    }
    guard_large(object, from, view, rules, facts)
}

/// The guard of large groups: owners decide, or the sender says that he means it.
fn guard_large(
    object: &RecipientObject,
    from: &SenderFacts<'_>,
    view: &View,
    rules: &Rules,
    facts: &mut Vec<Fact>,
) -> Result<Pass, Refusal> {
    let sender = from.sender.reverse_path.mailbox().filter(|_| from.identity.proven);
    match large::judge(object, sender.is_some(), view, rules) {
        Guarded::No => Ok(Pass::Open),
        Guarded::Refused { members } => {
            facts.push(Fact::LargeAndOpen { members });
            Err(Refusal::of(Reason::LargeGroupOpen, Some(object.kind)))
        }
        Guarded::Held { members } => {
            facts.push(Fact::LargeAndOpen { members });
            match moderation::by_owners(object, &from.identity, view, facts)? {
                Ruling::Pass => Ok(Pass::Open),
                Ruling::Hold(owners) => Ok(Asking::of(HoldCause::LargeGroup, owners)),
            }
        }
        Guarded::Confirmed { members } => {
            facts.push(Fact::ToBeConfirmed { members });
            Ok(Asking::of(
                HoldCause::Confirmation,
                sender.into_iter().cloned().collect(),
            ))
        }
    }
}

fn held_for(moderators: &[Mailbox]) -> Fact {
    Fact::Held {
        moderators: moderators.iter().map(|each| each.as_str().to_owned()).collect(),
    }
}
