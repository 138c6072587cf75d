//! Between the protocol machine and the intake: one session's questions, and its content on the way.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::accept::Shared;
use super::rates::Deed;
use super::screen::Screening;
use crate::categorizer::intake::{self, AddressedRecipient, ClientFacts, Intake, Secured};
use crate::mail::header::sieve::Sieve;
use crate::mail::{Envelope, Mailbox, Reply, ReversePath};
use crate::resolver::Login;
use crate::smtp::command::ForwardPath;
use crate::smtp::params::RcptParameters;
use crate::smtp::replies;
use crate::smtp::sasl::{Answer, Question, SaslFault};
use crate::smtp::server::Gate;
use crate::smtp::xclient::Claims;
use crate::spool::content::ContentWriter;
use crate::track::Reason;

/// One session's way to the intake.
pub(super) struct IntakeGate {
    shared: Arc<Shared>,
    /// What is being found out about a stranger.
    screening: Option<Screening>,
    pub(super) intake: Arc<dyn Intake>,
    pub(super) client: ClientFacts,
    content: Option<Arriving>,
    /// Writing content failed; answered at the end of data.
    failure: Option<io::Error>,
    /// Whom the exchange under way is about.
    account: Option<Login>,
}

/// Content on its way in.
pub(super) struct Arriving {
    writer: Box<dyn ContentWriter>,
    sieve: Sieve,
}

impl Arriving {
    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match &*self.sieve.push(octets) {
            [] => Ok(()),
            octets => self.writer.write(octets),
        }
    }

    /// Writes what was kept back; gives the writer, and the header section as it came if that was changed.
    pub(super) fn end(mut self) -> io::Result<(Box<dyn ContentWriter>, Option<Bytes>)> {
        let rest = self.sieve.finish();
        if !rest.is_empty() {
            self.writer.write(&rest)?;
        }
        Ok((self.writer, self.sieve.original().cloned()))
    }
}

impl IntakeGate {
    pub(super) fn new(shared: Arc<Shared>, client: ClientFacts) -> Self {
        Self {
            intake: Arc::clone(&shared.intake),
            screening: shared.screening(&client),
            shared,
            client,
            content: None,
            failure: None,
            account: None,
        }
    }

    /// Counts a deed, and refuses one that is too many.
    fn within_rates(&self, deed: Deed, envelope: &Envelope) -> Result<(), Reply> {
        let refusal = self.shared.rates.refuse(deed, &*self.intake, &self.client);
        let Some((reply, reason)) = refusal else {
            return Ok(());
        };
        self.turned_away(&envelope.reverse_path, &reply, reason);
        Err(reply)
    }

    /// Has a refusal of the listener's tracked, unless there is a flood of them.
    pub(super) fn turned_away(&self, reverse_path: &ReversePath, reply: &Reply, reason: Reason) {
        if self.shared.tracked.one_more() {
            self.intake.refused(&self.client, reverse_path, reply, reason);
        }
    }

    /// True if checks of strangers are not for this client. Asked anew each time: it may have proved more.
    pub(super) fn is_trusted(&self) -> bool {
        self.intake.trusts(&self.client)
    }

    /// Waits for what is being found out about the client, no longer than its time limit.
    pub(super) async fn screened(&mut self) {
        if let Some(screening) = &mut self.screening {
            screening.done().await;
        }
    }

    /// What the trace shall tell of a message of this client.
    pub(super) fn notes(&self) -> Vec<(Reason, String)> {
        self.screening.as_ref().map_or(Vec::new(), Screening::notes)
    }

    /// RFC 5321 §4.5.1: postmaster is reached by everybody, if only to be asked why others are not.
    fn passes_screening(&self, envelope: &Envelope, recipient: &AddressedRecipient) -> Result<(), Reply> {
        let is_postmaster = match recipient {
            AddressedRecipient::Postmaster => true,
            AddressedRecipient::Mailbox(mailbox) => mailbox.local_part().eq_ignore_ascii_case("postmaster"),
        };
        let refusal = self.screening.as_ref().filter(|_| !is_postmaster);
        let refusal = refusal.and_then(|screening| screening.refusal(self.client.helo.as_deref()));
        let Some((reply, reason)) = refusal.filter(|_| !self.is_trusted()) else {
            return Ok(());
        };
        self.intake
            .refused_recipient(&self.client, &envelope.reverse_path, recipient, &reply, reason);
        Err(reply)
    }

    /// TLS stands: what was said before is void.
    pub(super) fn secured(&mut self, secured: Secured) {
        self.client.secured = Some(Arc::new(secured));
        self.client.helo = None;
        self.client.login = None;
    }

    /// Asks those who know the accounts; none: there have been too many failures.
    pub(super) async fn ask(&mut self, question: Question) -> Option<Answer> {
        let Some(accounts) = &self.shared.accounts else {
            return Some(Answer::Unavailable);
        };
        if !accounts.may_try(self.client.client) {
            return None;
        }
        let told = accounts.answer(question).await;
        self.account = told.login;
        Some(told.answer)
    }

    /// The content that has come, or why it could not be kept.
    pub(super) fn take_content(&mut self) -> io::Result<Arriving> {
        match (self.failure.take(), self.content.take()) {
            (None, Some(arriving)) => Ok(arriving),
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
        if let Some(screening) = &mut self.screening {
            screening.hello(name);
        }
        self.client.helo = Some(Arc::clone(name));
        self.client.extended = extended;
    }

    fn can_judge(&mut self) -> bool {
        let is_done = self.screening.as_mut().is_none_or(Screening::is_done);
        is_done || self.is_trusted()
    }

    fn authenticated(&mut self) {
        self.client.login = self.account.take().map(Arc::new);
    }

    fn not_authenticated(&mut self, fault: SaslFault) {
        let account = self.account.take();
        let (listener, client) = (&self.client.listener, self.client.client);
        match fault {
            SaslFault::Refused | SaslFault::Authorization | SaslFault::Binding => {
                let account = account.as_ref().map_or("", |account| &account.name);
                tracing::warn!(%listener, %client, account, ?fault, "authentication failed");
                if let Some(accounts) = &self.shared.accounts {
                    accounts.failed(client);
                }
            }
            SaslFault::Unavailable | SaslFault::Malformed => {
                tracing::info!(%listener, %client, ?fault, "authentication was not possible");
            }
        }
    }

    fn speaks_for(&mut self, claims: &Claims) {
        let client = &mut self.client;
        client.client = claims.address.unwrap_or(client.client);
        client.helo = claims.helo.clone();
        client.extended = claims.extended.unwrap_or(client.extended);
        // What the proxy proved is not what its client proved.
        client.login = None;
        client.secured = None;
        // Another address, perhaps of another network: what was found out about the proxy is not about its client.
        self.screening = self.shared.screening(&self.client);
        if let (Some(screening), Some(name)) = (&mut self.screening, &self.client.helo) {
            screening.hello(name);
        }
    }

    fn mail(&mut self, envelope: &Envelope) -> Result<(), Reply> {
        self.within_rates(Deed::BeginMessage, envelope)?;
        self.intake.mail(&self.client, envelope)
    }

    fn rcpt(&mut self, envelope: &Envelope, path: &ForwardPath, parameters: &RcptParameters) -> Result<Mailbox, Reply> {
        self.within_rates(Deed::NameRecipient, envelope)?;
        let recipient = match path {
            ForwardPath::Postmaster => AddressedRecipient::Postmaster,
            ForwardPath::Mailbox(mailbox) => AddressedRecipient::Mailbox(mailbox.clone()),
        };
        self.passes_screening(envelope, &recipient)?;
        let parameters = intake::RcptParameters {
            notify: parameters.notify,
            original: parameters.original.clone(),
        };
        self.intake.rcpt(&self.client, envelope, &recipient, &parameters)
    }

    fn begin_content(&mut self, _envelope: &Envelope) -> Result<(), Reply> {
        self.failure = None;
        self.content = Some(Arriving {
            writer: self.intake.writer()?,
            sieve: Sieve::new(self.intake.unwelcome(&self.client)),
        });
        Ok(())
    }

    fn content(&mut self, octets: &[u8]) {
        if let Some(arriving) = &mut self.content
            && let Err(error) = arriving.write(octets)
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
