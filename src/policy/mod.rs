//! Policy: may this sender reach this recipient now?
//!
//! In: the sender with his proof, one recipient object, the view, the organisation's settings.
//! Out: pass, refuse (with the reply) or hold (with the moderators), and on request every fact that led there.
//! Never: open where a list cannot be evaluated; a member or rule name in a public text; the same question
//! answered differently at RCPT, in the pass, in `explain` and at the release of a hold.

pub mod authentication;
pub mod author;
pub mod explanation;
pub mod gate;
mod large;
pub mod login;
pub mod membership;
pub mod moderation;
pub mod replies;
pub mod restriction;
pub mod rules;
pub mod size;
pub mod stop;
pub mod storm;
#[doc(hidden)]
pub mod testing;

pub use explanation::{Explanation, Fact};
pub use gate::{Asked, Pass, SenderFacts, judge};
pub use rules::Rules;

use crate::mail::Reply;
use crate::track::Reason;

/// No, and what the sender is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Public: plain words.
    pub reply: Reply,
    /// For the operator and the log.
    pub reason: Reason,
}

impl Refusal {
    /// A refusal with the reply that belongs to its reason; `kind` is that of the recipient, if it matters.
    #[must_use]
    pub fn of(reason: Reason, kind: Option<crate::directory::RecipientKind>) -> Self {
        Self {
            reply: replies::of(reason, kind),
            reason,
        }
    }

    /// True if the same question may be answered differently later: 4yz.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.reply.is_transient()
    }
}
