//! Pauses that cost a mail server nothing and a spammer his hurry.
//!
//! Never: a pause of a trusted client, a pause that holds up a shutdown, or one that counts as progress of the client.

use std::io;

use super::{Arrived, End, Session};
use crate::listener::accept::stop_asked;
use crate::mail::ReversePath;
use crate::smtp::replies;
use crate::track::Reason;

impl Session {
    /// Gives the greeting, to a stranger in two parts: its first line at once, its last after a pause. Who speaks in
    /// between does not listen, as no mail server does.
    pub(super) async fn greet(&mut self) -> io::Result<Option<End>> {
        let pause = self.shared.settings.strangers.greeting_delay;
        if pause.is_zero() || self.gate.is_trusted() {
            return Ok(None);
        }
        // RFC 5321 §4.2.1: a reply has ended with the line that has no hyphen.
        let last = self.out.clone();
        if let Some(mark) = self.out.get_mut(3) {
            *mark = b'-';
        }
        self.flush().await?;
        self.deadline.set(self.deadline.now() + pause);
        match self.read().await? {
            Arrived::Timeout => {
                self.out = last;
                self.pace.since = self.deadline.now();
                Ok(None)
            }
            Arrived::EndOfStream => Ok(Some(End::Gone)),
            Arrived::Shutdown => self.dismiss(&replies::SHUTTING_DOWN).await.map(Some),
            Arrived::Octets => {
                let reply = &replies::SPOKE_TOO_EARLY;
                self.gate
                    .turned_away(&ReversePath::Null, reply, Reason::SpokeBeforeGreeting);
                self.dismiss(reply).await.map(Some)
            }
        }
    }

    /// Holds back replies that tell of new errors: longer with each.
    pub(super) async fn drag(&mut self) {
        let errors = self.machine.errors();
        let is_new = errors > self.errors_paid_for;
        self.errors_paid_for = errors;
        let pause = self.shared.settings.strangers.pause(errors);
        if !is_new || pause.is_zero() || self.stopping || self.gate.is_trusted() {
            return;
        }
        self.deadline.set(self.deadline.now() + pause);
        tokio::select! {
            () = self.deadline.passed() => {}
            () = stop_asked(&mut self.stop) => self.stopping = true,
        }
    }
}
