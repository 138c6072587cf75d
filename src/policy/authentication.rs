//! RequireSenderAuthenticationEnabled: only senders proven internal.
//!
//! It is about the proof of the connection, not about the sender's domain (`exchange-semantics.md` §0.4), and
//! a gate of its own: being on the accept list does not help (§3.3).

use super::explanation::Fact;
use super::{Refusal, Rules};
use crate::directory::RecipientObject;
use crate::resolver::{Sender, Standing};
use crate::track::Reason;

/// Whether the recipient takes internal senders only, and whether its source says so or the default does.
#[must_use]
pub fn required(object: &RecipientObject, rules: &Rules) -> (bool, bool) {
    let stated = object
        .delivery
        .as_ref()
        .and_then(|delivery| delivery.require_sender_authentication);
    match stated {
        Some(required) => (required, false),
        None => (object.kind.is_group() && rules.groups_internal_only, true),
    }
}

/// The reason of a refusal that proof would have averted: trouble with the check of it is temporary (promise 7).
pub(super) fn for_want_of_proof(sender: &Sender, reason: Reason) -> Reason {
    if sender.standing == Standing::Undecided {
        Reason::ProofUnavailable
    } else {
        reason
    }
}

pub(super) fn judge(
    object: &RecipientObject,
    sender: &Sender,
    rules: &Rules,
    facts: &mut Vec<Fact>,
) -> Result<(), Refusal> {
    let (required, by_default) = required(object, rules);
    if !required {
        return Ok(());
    }
    if sender.is_internal() {
        facts.push(Fact::AuthenticationProven);
        return Ok(());
    }
    facts.push(Fact::AuthenticationMissing { by_default });
    Err(Refusal::of(
        for_want_of_proof(sender, Reason::SenderNotAuthenticated),
        Some(object.kind),
    ))
}
