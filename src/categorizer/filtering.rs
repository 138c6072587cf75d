//! Content filters: what others say of a message before its pass.
//!
//! In: a message whose envelope was accepted. Out: it goes on, perhaps with fields on top; or it is refused, put off,
//! discarded, or quarantined. Never: a change of what the sender wrote; a wait beyond the filters' time limits.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use super::Categorizer;
use super::pass::{Candidate, receive_event};
use crate::mail::{Envelope, MessageId, Reply};
use crate::spool::content::Content;
use crate::track::{Event, EventKind, Reason};

/// What a filter is asked.
#[derive(Clone, Debug)]
pub struct FilterQuestion {
    /// Our id.
    pub id: MessageId,
    /// Listener name.
    pub listener: Arc<str>,
    /// Client address.
    pub client: IpAddr,
    /// EHLO or HELO argument.
    pub helo: Option<Arc<str>>,
    /// What proves the sender internal, if anything does.
    pub proof: Option<String>,
    /// Who sends to whom.
    pub envelope: Envelope,
    /// The message.
    pub content: Content,
}

/// What is to become of a message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum FilterVerdict {
    /// It goes on.
    #[default]
    Accept,
    /// It is held for those who decide about quarantined mail.
    Quarantine,
    /// It is refused for good.
    Reject(Reply),
    /// It is put off.
    Defer(Reply),
    /// It is taken and given up; nobody is told but the tracking log.
    Discard,
}

/// What filters said.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filtered {
    /// What becomes of it.
    pub verdict: FilterVerdict,
    /// Fields that go before the message: name and value, each as it is to be written.
    pub fields: Vec<(String, String)>,
    /// The filter that decided, and why, for the log.
    pub by: Option<String>,
}

/// Content filters of the settings. Answers within time limits of their own.
pub trait ContentFilter: Send + Sync {
    /// True if a message that came in by this listener is filtered.
    fn asks(&self, listener: &str) -> bool;

    /// Asks them.
    fn filter(&self, question: FilterQuestion) -> Pin<Box<dyn Future<Output = Filtered> + Send>>;
}

/// No filters.
#[derive(Clone, Copy, Debug)]
pub struct Unfiltered;

impl ContentFilter for Unfiltered {
    fn asks(&self, _: &str) -> bool {
        false
    }

    fn filter(&self, _: FilterQuestion) -> Pin<Box<dyn Future<Output = Filtered> + Send>> {
        Box::pin(std::future::ready(Filtered::default()))
    }
}

impl Categorizer {
    /// Asks the filters about a message; the reply if it does not go on.
    pub(super) async fn filtered(&self, mut candidate: Candidate) -> Result<Candidate, Reply> {
        let organisation = self.organisation();
        let (true, Some(client)) = (
            organisation.filters.asks(&candidate.arrival.listener),
            candidate.arrival.client,
        ) else {
            return Ok(candidate);
        };
        let question = FilterQuestion {
            id: candidate.id,
            listener: candidate.arrival.listener.as_str().into(),
            client,
            helo: candidate.arrival.helo.as_deref().map(Into::into),
            proof: candidate.arrival.proof.clone(),
            envelope: candidate.envelope.clone(),
            content: candidate.content.clone(),
        };
        let said = organisation.filters.filter(question).await;
        if said.verdict != FilterVerdict::Accept {
            tracing::info!(message = %candidate.id, by = said.by, verdict = ?said.verdict, "content filter");
        }
        match said.verdict {
            FilterVerdict::Accept => {}
            FilterVerdict::Quarantine => candidate.quarantined = true,
            FilterVerdict::Reject(reply) => return Err(self.turned_away(&candidate, reply, Reason::ContentRejected)),
            FilterVerdict::Defer(reply) => return Err(self.turned_away(&candidate, reply, Reason::ContentDeferred)),
            FilterVerdict::Discard => return Err(self.discarded(&candidate)),
        }
        for (name, value) in &said.fields {
            candidate.added.push_str(&format!("{name}: {value}\r\n"));
        }
        Ok(candidate)
    }

    fn turned_away(&self, candidate: &Candidate, reply: Reply, reason: Reason) -> Reply {
        self.spool.record(vec![Event {
            at: self.now(),
            message: candidate.id,
            kind: EventKind::Refuse {
                recipient: None,
                reverse_path: candidate.envelope.reverse_path.as_str().to_owned(),
                listener: candidate.arrival.listener.clone(),
                client: candidate.arrival.client,
                reply: reply.clone(),
                reason,
            },
        }]);
        reply
    }

    fn discarded(&self, candidate: &Candidate) -> Reply {
        let event = |kind| Event {
            at: self.now(),
            message: candidate.id,
            kind,
        };
        let mut events = vec![event(receive_event(candidate, &[]))];
        events.extend(candidate.envelope.recipients.iter().map(|to| {
            event(EventKind::Drop {
                recipient: to.forward_path.to_string(),
                group: None,
                reason: Reason::ContentDiscarded,
            })
        }));
        events.push(event(EventKind::Done));
        self.spool.record(events);
        Reply::new(250, (2, 6, 0), format!("{} accepted", candidate.id))
    }
}
