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
use super::explanation::Fact;
use super::membership::{Answer, Doubt, ask};
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

pub(super) fn not_ready(group: Ordinal, view: &View, facts: &mut Vec<Fact>) -> Refusal {
    if let Some(object) = view.object(group) {
        facts.push(Fact::ListNotReady {
            group: object.primary.as_str().to_owned(),
        });
    }
    Refusal::of(Reason::ListNotReady, None)
}
