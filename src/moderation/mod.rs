//! Messages held for a moderator, and the decision on them.
//!
//! In: holds as the spool keeps them, who decides, the time. Out: the new state, or why not; what is due.
//! Never: two decisions on one hold (the spool compares and sets); a decision by somebody who may not.

use jiff::Timestamp;

use crate::mail::{HoldId, Mailbox};
use crate::spool::message::{Hold, HoldState};
use crate::track::Decision;

/// Who decides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Actor {
    /// Somebody with access to the control socket, in his own name.
    Operator,
    /// A moderator of the group; his addresses are compared.
    Moderator(Mailbox),
    /// The expiry.
    Expiry,
}

impl Actor {
    /// As tracked and shown: an address, `operator`, or `muster`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Operator => "operator".to_owned(),
            Self::Moderator(address) => address.to_string(),
            Self::Expiry => "muster".to_owned(),
        }
    }
}

/// Why a decision does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecisionFault {
    /// Not among the hold's moderators.
    #[error("{0} is not a moderator of this message")]
    NotModerator(Mailbox),
    /// Somebody was first.
    #[error("already {} by {by} at {at}", word(*.decision))]
    Already {
        /// How it was decided.
        decision: Decision,
        /// By whom.
        by: String,
        /// When.
        at: Timestamp,
    },
}

/// The past participle people read.
#[must_use]
pub fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Approved => "approved",
        Decision::Rejected => "rejected",
        Decision::Expired => "expired",
    }
}

/// The state that a decision gives a hold, if it may be made.
///
/// An operator may always decide: he could change the group's moderators as well.
pub fn decide(
    hold: &Hold,
    decision: Decision,
    actor: &Actor,
    comment: Option<String>,
    now: Timestamp,
) -> Result<HoldState, DecisionFault> {
    if let HoldState::Decided { decision, by, at, .. } = &hold.state {
        return Err(DecisionFault::Already {
            decision: *decision,
            by: by.clone(),
            at: *at,
        });
    }
    if let Actor::Moderator(address) = actor {
        let key = address.key();
        if !hold.moderators.iter().any(|moderator| moderator.key() == key) {
            return Err(DecisionFault::NotModerator(address.clone()));
        }
    }
    Ok(HoldState::Decided {
        decision,
        by: actor.name(),
        at: now,
        comment,
    })
}

/// Holds whose time is over.
pub fn expired(holds: &[Hold], now: Timestamp) -> impl Iterator<Item = HoldId> {
    holds
        .iter()
        .filter(move |hold| hold.state == HoldState::Waiting && hold.expires_at <= now)
        .map(|hold| hold.id)
}

/// When the next hold expires.
#[must_use]
pub fn next_expiry(holds: &[Hold]) -> Option<Timestamp> {
    let waiting = holds.iter().filter(|hold| hold.state == HoldState::Waiting);
    waiting.map(|hold| hold.expires_at).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::delivery::ModerationNotice;
    use crate::mail::{MessageId, ReversePath};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a test time")
    }

    fn mailbox(text: &str) -> Mailbox {
        Mailbox::parse(text).expect("a test address")
    }

    fn hold(expires: i64) -> Hold {
        Hold {
            id: HoldId(1),
            message: MessageId(uuid::Uuid::nil()),
            recipient: mailbox("announce@contoso.example"),
            object: "announce".to_owned(),
            addressed: 0,
            path: Vec::new(),
            reverse_path: ReversePath::Null,
            notify: None,
            bypass_nested: false,
            hidden: false,
            notice: ModerationNotice::Always,
            moderators: vec![mailbox("Eva@contoso.example")],
            held_at: at(0),
            expires_at: at(expires),
            state: HoldState::Waiting,
            subject: None,
            sender: ReversePath::Null,
        }
    }

    #[test]
    fn only_moderators_and_operators_decide_and_only_once() {
        let mut hold = hold(10);
        let eva = Actor::Moderator(mailbox("eva@CONTOSO.example"));
        let lena = Actor::Moderator(mailbox("lena@contoso.example"));
        assert!(matches!(
            decide(&hold, Decision::Approved, &lena, None, at(1)),
            Err(DecisionFault::NotModerator(_))
        ));
        assert!(decide(&hold, Decision::Rejected, &Actor::Operator, None, at(1)).is_ok());
        hold.state = decide(&hold, Decision::Approved, &eva, None, at(2)).expect("eva may");
        let fault = decide(&hold, Decision::Rejected, &eva, None, at(3)).expect_err("decided");
        assert_eq!(
            fault.to_string(),
            "already approved by eva@CONTOSO.example at 1970-01-01T00:00:02Z"
        );
    }

    #[test]
    fn a_hold_expires_at_its_time_and_not_before() {
        let holds = [hold(10), hold(20)];
        assert_eq!(expired(&holds, at(9)).count(), 0);
        assert_eq!(expired(&holds, at(10)).count(), 1);
        assert_eq!(expired(&holds, at(30)).count(), 2);
        assert_eq!(next_expiry(&holds), Some(at(10)));
    }
}
