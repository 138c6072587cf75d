//! Between the protocol machine and the intake: one session's questions, and its content on the way.

use std::io;
use std::sync::Arc;

use crate::categorizer::intake::{self, AddressedRecipient, ClientFacts, Intake};
use crate::mail::{Envelope, Mailbox, Reply, ReversePath};
use crate::smtp::command::ForwardPath;
use crate::smtp::params::RcptParameters;
use crate::smtp::replies;
use crate::smtp::server::Gate;
use crate::spool::content::ContentWriter;
use crate::track::Reason;

/// One session's way to the intake.
pub(super) struct IntakeGate {
    pub(super) intake: Arc<dyn Intake>,
    pub(super) client: ClientFacts,
    content: Option<Box<dyn ContentWriter>>,
    /// Writing content failed; answered at the end of data.
    failure: Option<io::Error>,
}

impl IntakeGate {
    pub(super) fn new(intake: Arc<dyn Intake>, client: ClientFacts) -> Self {
        Self {
            intake,
            client,
            content: None,
            failure: None,
        }
    }

    /// The content that has come, or why it could not be kept.
    pub(super) fn take_content(&mut self) -> io::Result<Box<dyn ContentWriter>> {
        match (self.failure.take(), self.content.take()) {
            (None, Some(writer)) => Ok(writer),
            (Some(error), _) => Err(error),
            (None, None) => Err(io::Error::other("content without a writer")),
        }
    }

    /// Says that content could not be kept: 4yz, so that the client keeps the message.
    pub(super) fn not_stored(&self, envelope: &Envelope, error: &io::Error) -> Reply {
        let (reply, reason) = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (replies::NO_ROOM, Reason::DiskLow),
            _ => (replies::NOT_STORED, Reason::StoreSuspect),
        };
        tracing::error!(listener = %self.client.listener, %error, "content could not be written");
        self.intake
            .refused(&self.client, &envelope.reverse_path, &reply, reason);
        reply
    }
}

impl Gate for IntakeGate {
    fn hello(&mut self, name: &Arc<str>, extended: bool) {
        self.client.helo = Some(Arc::clone(name));
        self.client.extended = extended;
    }

    fn mail(&mut self, envelope: &Envelope) -> Result<(), Reply> {
        self.intake.mail(&self.client, envelope)
    }

    fn rcpt(&mut self, envelope: &Envelope, path: &ForwardPath, parameters: &RcptParameters) -> Result<Mailbox, Reply> {
        let recipient = match path {
            ForwardPath::Postmaster => AddressedRecipient::Postmaster,
            ForwardPath::Mailbox(mailbox) => AddressedRecipient::Mailbox(mailbox.clone()),
        };
        let parameters = intake::RcptParameters {
            notify: parameters.notify,
            original: parameters.original.clone(),
        };
        self.intake.rcpt(&self.client, envelope, &recipient, &parameters)
    }

    fn begin_content(&mut self, _envelope: &Envelope) -> Result<(), Reply> {
        self.failure = None;
        self.content = Some(self.intake.writer()?);
        Ok(())
    }

    fn content(&mut self, octets: &[u8]) {
        if let Some(writer) = &mut self.content
            && let Err(error) = writer.write(octets)
        {
            self.failure = Some(error);
            self.content = None;
        }
    }

    fn refused(&mut self, reverse_path: &ReversePath, reply: &Reply, reason: Reason) {
        self.content = None;
        self.failure = None;
        self.intake.refused(&self.client, reverse_path, reply, reason);
    }
}
