//! Emergency stops: what an operator holds back of mail that was accepted already.
//!
//! In: a message, the groups it is addressed to, its thread, the time. Out: whether a stop holds its copies.
//! Never: a refusal, a loss, or an expiry: what is stopped waits in the queue until the stop ends.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::storm::Ended;
use crate::directory::ObjectId;
use crate::mail::header::ThreadFacts;
use crate::mail::{Mailbox, MessageId, StopId};

/// What a stop is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Scope {
    /// One message.
    Message {
        /// Its number.
        message: MessageId,
    },
    /// Mail addressed to a group. Copies that the group gets through a group around it are not held.
    Group {
        /// Its object.
        group: ObjectId,
        /// Its primary address when it was stopped.
        address: Mailbox,
    },
    /// A conversation.
    Thread {
        /// Id of its first message.
        thread: Arc<str>,
    },
}

/// A stop, on or over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Stop {
    /// Its number.
    pub id: StopId,
    /// What it is about.
    #[serde(flatten)]
    pub scope: Scope,
    /// Since when.
    pub since: Timestamp,
    /// Until when; none: until somebody lifts it.
    pub until: Option<Timestamp>,
    /// Who stopped it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Who ended it.
    pub ended: Option<Ended>,
}

impl Stop {
    /// True while it is on.
    #[must_use]
    pub fn is_on(&self, now: Timestamp) -> bool {
        self.ended.is_none() && self.until.is_none_or(|until| now < until)
    }

    /// True if it holds the whole message, whomever it is addressed to.
    #[must_use]
    pub fn holds_message(&self, message: MessageId, thread: &ThreadFacts, root: Option<&str>) -> bool {
        match &self.scope {
            Scope::Message { message: stopped } => *stopped == message,
            Scope::Group { .. } => false,
            Scope::Thread { thread: stopped } => thread.belongs_to(stopped) || root == Some(stopped),
        }
    }

    /// True if it holds mail addressed to the object.
    #[must_use]
    pub fn holds_addressed(&self, object: &ObjectId) -> bool {
        match &self.scope {
            Scope::Group { group, .. } => group == object,
            Scope::Message { .. } | Scope::Thread { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_ends_by_itself_or_by_somebody() {
        let at = |second: i64| Timestamp::from_second(second).expect("in range");
        let mut stop = Stop {
            id: StopId(3),
            scope: Scope::Thread { thread: "<a@x>".into() },
            since: at(10),
            until: Some(at(20)),
            by: "eva".to_owned(),
            reason: String::new(),
            ended: None,
        };
        assert!(stop.is_on(at(19)) && !stop.is_on(at(20)));
        stop.ended = Some(Ended {
            at: at(12),
            by: "eva".to_owned(),
        });
        assert!(!stop.is_on(at(13)));
    }

    #[test]
    fn a_thread_is_its_first_message_and_what_answers_it() {
        let message = MessageId(uuid::Uuid::from_u128(1));
        let facts = |own: &str, ancestors: &[&str]| ThreadFacts {
            own: Some(own.to_owned()),
            ancestors: ancestors.iter().map(|id| (*id).to_owned()).collect(),
        };
        let stop = Stop {
            id: StopId(1),
            scope: Scope::Thread { thread: "<a@x>".into() },
            since: Timestamp::UNIX_EPOCH,
            until: None,
            by: String::new(),
            reason: String::new(),
            ended: None,
        };
        for (facts, root, held) in [
            (facts("<a@x>", &[]), None, true),
            (facts("<b@x>", &["<a@x>"]), None, true),
            (facts("<c@x>", &["<b@x>"]), None, false),
            (facts("<c@x>", &["<b@x>"]), Some("<a@x>"), true),
            (facts("<d@x>", &[]), None, false),
        ] {
            assert_eq!(stop.holds_message(message, &facts, root), held, "{facts:?}");
        }
    }
}
