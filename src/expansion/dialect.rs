//! Refusals of an expansion in the dialect of the settings.

use super::outcome::{Expansion, Verdict};
use crate::policy::rules::ReplyDialect;
use crate::policy::{Fact, Refusal, replies};
use crate::track::{EventKind, Reason};

/// The expansion with every reply as the dialect says it; [`Refusal::of`] speaks as Exchange Online.
pub(super) fn spoken(mut expansion: Expansion, dialect: ReplyDialect) -> Expansion {
    if dialect == ReplyDialect::ExchangeOnline {
        return expansion;
    }
    let speak = |reply: &mut crate::mail::Reply, reason: Reason| {
        *reply = replies::in_dialect(std::mem::replace(reply, replies::of(reason, None)), reason, dialect);
    };
    let refusal = |refusal: &mut Refusal| speak(&mut refusal.reply, refusal.reason);
    expansion.halt.iter_mut().for_each(|halt| refusal(&mut halt.refusal));
    expansion
        .refused
        .iter_mut()
        .for_each(|branch| refusal(&mut branch.refusal));
    for judged in &mut expansion.judged {
        match &mut judged.verdict {
            Verdict::Refused(refused) => refusal(refused),
            Verdict::Accepted | Verdict::Held | Verdict::Discarded(_) => {}
        }
    }
    for event in &mut expansion.events {
        if let EventKind::Branch { reply, reason, .. } = event {
            speak(reply, *reason);
        }
    }
    for fact in expansion.explanations.iter_mut().flat_map(|each| &mut each.facts) {
        if let Fact::Refused { reply, reason } = fact {
            speak(reply, *reason);
        }
    }
    expansion
}
