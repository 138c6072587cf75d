//! Accept and reject lists: the truth table of `exchange-semantics.md` §3.3.
//!
//! | accept list empty | in accept | in reject | result |
//! |---|---|---|---|
//! | yes | – | no | accept |
//! | yes | – | yes | reject |
//! | no | yes | no | accept |
//! | no | yes | yes | reject |
//! | no | no | any | reject |

use super::authentication::for_want_of_proof;
use super::explanation::{Fact, Listed};
use super::membership::{Answer, Doubt, ask, is_member};
use super::{Refusal, SenderFacts};
use crate::directory::{Ordinal, RecipientObject};
use crate::rolls::View;
use crate::track::Reason;

/// Asks the reject list, then the accept list. What cannot be evaluated is 451, never open (promise 2).
pub(super) fn judge(
    object: &RecipientObject,
    from: &SenderFacts<'_>,
    view: &View,
    facts: &mut Vec<Fact>,
) -> Result<(), Refusal> {
    let identity = &from.identity;
    let Some(delivery) = object.delivery.as_deref() else {
        return Ok(());
    };
    match ask(&delivery.reject_from, identity, Doubt::Counts, view) {
        Answer::Listed(listed) => {
            facts.push(Fact::Rejected { listed });
            return Err(Refusal::of(Reason::SenderRejected, Some(object.kind)));
        }
        Answer::NotReady(group) => return Err(not_ready(group, view, facts)),
        Answer::NotListed => {}
    }
    if delivery.accept_from.is_empty() {
        return Ok(());
    }
    let answer = if identity.accepted_as {
        ask(&delivery.accept_from, identity, Doubt::Ignored, view)
    } else {
        Answer::NotListed
    };
    match answer {
        Answer::Listed(listed) => {
            facts.push(Fact::Accepted { listed });
            Ok(())
        }
        Answer::NotListed => {
            facts.push(Fact::NotAccepted);
            let reason = for_want_of_proof(from.sender, Reason::SenderNotAccepted);
            Err(Refusal::of(reason, Some(object.kind)))
        }
        Answer::NotReady(group) => Err(not_ready(group, view, facts)),
    }
}

/// AllowOnlyMembersToPost of a Microsoft 365 group: 5.7.193 to everybody else.
pub(super) fn judge_members_only(
    object: &RecipientObject,
    from: &SenderFacts<'_>,
    view: &View,
    facts: &mut Vec<Fact>,
) -> Result<(), Refusal> {
    if !object.group.as_deref().is_some_and(|group| group.only_members_may_post) {
        return Ok(());
    }
    let identity = &from.identity;
    let group = view.directory.ordinal_of(&object.id);
    let is_member = group.and_then(|group| is_member(group, identity, view));
    match (is_member, group) {
        (None, Some(group)) => Err(not_ready(group, view, facts)),
        (Some(true), _) if identity.accepted_as => {
            facts.push(Fact::Accepted {
                listed: Listed::Directly,
            });
            Ok(())
        }
        (Some(_) | None, _) => {
            facts.push(Fact::NotMember);
            let reason = for_want_of_proof(from.sender, Reason::SenderNotMember);
            Err(Refusal::of(reason, Some(object.kind)))
        }
    }
}

pub(super) fn not_ready(group: Ordinal, view: &View, facts: &mut Vec<Fact>) -> Refusal {
    if let Some(object) = view.object(group) {
        facts.push(Fact::ListNotReady {
            group: object.primary.as_str().to_owned(),
        });
    }
    Refusal::of(Reason::ListNotReady, None)
}
