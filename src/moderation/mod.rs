//! Messages held for a moderator: who is asked, who decides, what people are told.
//!
//! In: holds as the spool keeps them, answers, the time, what the directory says. Out: the changed hold and what
//! goes with it; letters and pages in the reader's language.
//! Never: two decisions on one hold (the spool compares and sets); a decision by somebody who may not; a token
//! kept in the clear.

pub mod answer;
pub mod facts;
pub mod letter;
pub mod machine;
#[cfg(test)]
mod machine_tests;
pub mod reach;
pub mod token;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::mail::Mailbox;
use crate::spool::message::Membership;
use crate::track::Decision;
use letter::Letters;
use token::AnswerAddresses;

/// Settings of moderation.
#[derive(Clone, Debug)]
pub struct Moderation {
    /// Time a message waits, where its group says nothing.
    pub expiry: Duration,
    /// Approvals needed, where its group says nothing.
    pub quorum: u32,
    /// Whom a message goes to that is held from now on.
    pub membership: Membership,
    /// Who is asked at half time, where its group says nothing.
    pub substitutes: Substitutes,
    /// Language of letters, where its group says nothing.
    pub language: String,
    /// The letters.
    pub letters: Arc<Letters>,
    /// Where answers by mail go; none: they cannot be given by mail.
    pub answers: Option<AnswerAddresses>,
    /// Where moderators reach the page, without a slash at the end; none: there is no page.
    pub page: Option<String>,
    /// Zone of times in letters.
    pub zone: TimeZone,
}

/// Who is asked when moderators do not decide.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Substitutes {
    /// The group's owners.
    Owners,
    /// These.
    Persons(Vec<Mailbox>),
}

/// Who decides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Actor {
    /// Somebody with access to the control socket, in his own name.
    Operator,
    /// A moderator of the group, or a substitute who was asked; his addresses are compared.
    Moderator(Mailbox),
    /// Time, or a group that is gone.
    Service,
}

impl Actor {
    /// As tracked and shown: an address, `operator`, or `muster`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Operator => "operator".to_owned(),
            Self::Moderator(address) => address.to_string(),
            Self::Service => "muster".to_owned(),
        }
    }
}

/// Why a decision does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecisionFault {
    /// Not among the hold's moderators.
    #[error("{0} is not a moderator of this message")]
    NotModerator(Mailbox),
    /// A moderator who has left: his address is no longer in the directory.
    #[error("{0} is no longer in the directory and decides no more")]
    Gone(Mailbox),
    /// The same moderator approved before, and more approvals are needed.
    #[error("already counted at {at}; {missing} more needed")]
    Voted {
        /// When.
        at: Timestamp,
        /// Approvals still needed.
        missing: u32,
    },
    /// Somebody was first.
    #[error("already {} by {by} at {at}", .decision.word())]
    Already {
        /// How it was decided.
        decision: Decision,
        /// By whom.
        by: String,
        /// When.
        at: Timestamp,
    },
}

/// Settings for tests: the defaults, and no page.
#[cfg(test)]
pub(crate) fn moderation() -> Moderation {
    Moderation {
        expiry: crate::limits::MODERATION_EXPIRY,
        quorum: 1,
        membership: Membership::Release,
        substitutes: Substitutes::Owners,
        language: letter::FALLBACK.to_owned(),
        letters: Arc::new(Letters::built_in()),
        answers: None,
        page: None,
        zone: TimeZone::UTC,
    }
}
