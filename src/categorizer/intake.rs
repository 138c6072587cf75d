//! What a listener asks: may this go on, and please take responsibility for that.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use crate::mail::header::sieve::Unwelcome;
use crate::mail::{Envelope, Mailbox, MessageId, Notify, OriginalRecipient, Reply, ReversePath};
use crate::resolver::{Login, Origin};
use crate::spool::content::{Content, ContentWriter};
use crate::track::Reason;

/// What a listener is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListenerRole {
    /// MX: only accepted domains, no relaying.
    Inbound,
    /// Smart host: clients of trusted networks, and accounts, may send anywhere.
    Relay,
    /// For mail clients (RFC 6409): accounts may send anywhere, nobody else sends at all; what a client left out of
    /// the header section is added.
    Submission,
}

impl ListenerRole {
    /// As the settings write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Relay => "relay",
            Self::Submission => "submission",
        }
    }
}

/// Who is talking, as far as the connection tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientFacts {
    /// Listener name in the settings.
    pub listener: Arc<str>,
    /// Its role.
    pub role: ListenerRole,
    /// Client address.
    pub client: IpAddr,
    /// EHLO or HELO argument, once given.
    pub helo: Option<Arc<str>>,
    /// EHLO, not HELO.
    pub extended: bool,
    /// What protects the connection; none: nothing.
    pub secured: Option<Arc<Secured>>,
    /// Which account it proved to be.
    pub login: Option<Arc<Login>>,
}

/// What TLS says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Secured {
    /// `TLSv1.3` or `TLSv1.2`.
    pub protocol: &'static str,
    /// Name of the cipher suite.
    pub cipher: Box<str>,
    /// Names of the client's certificate, if an authority of ours vouches for it.
    pub certificates: Vec<Arc<str>>,
}

/// As it is recorded.
impl fmt::Display for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.protocol, self.cipher)
    }
}

impl ClientFacts {
    /// A client that has said nothing yet.
    #[must_use]
    pub fn new(listener: Arc<str>, role: ListenerRole, client: IpAddr) -> Self {
        Self {
            listener,
            role,
            client,
            helo: None,
            extended: false,
            secured: None,
            login: None,
        }
    }

    /// Where it connects from, as far as that proves anything.
    #[must_use]
    pub fn origin(&self) -> Origin<'_> {
        Origin {
            listener: &self.listener,
            client: self.client,
            certificates: self.secured.as_ref().map_or(&[], |secured| &secured.certificates),
        }
    }
}

/// A RCPT argument before resolution.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AddressedRecipient {
    /// `<Postmaster>` without domain (RFC 5321 §4.5.1).
    Postmaster,
    /// A mailbox.
    Mailbox(Mailbox),
}

/// RFC 3461 parameters of a RCPT.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RcptParameters {
    /// `NOTIFY=`, if given.
    pub notify: Option<Notify>,
    /// `ORCPT=`, if given.
    pub original: Option<OriginalRecipient>,
}

/// A complete transaction.
#[derive(Debug)]
pub struct Submission {
    /// The id the reply will name.
    pub id: MessageId,
    /// Who sent it.
    pub client: ClientFacts,
    /// Its envelope.
    pub envelope: Envelope,
    /// Its content, synced if it lives in a file.
    pub content: Content,
    /// The header section as it came, if fields were taken out of it: signatures were made over it.
    pub original_head: Option<Bytes>,
    /// When the final dot arrived.
    pub received_at: Timestamp,
}

/// The categoriser as listeners see it. All but the submission answer at once from memory.
pub trait Intake: Send + Sync + 'static {
    /// May a transaction with this reverse-path begin? `envelope` has no recipients yet.
    fn mail(&self, client: &ClientFacts, envelope: &Envelope) -> Result<(), Reply>;

    /// May this recipient be added? A verdict here is provisional: the pass decides. Returns the
    /// recipient's forward-path (`<Postmaster>` resolved to its target).
    fn rcpt(
        &self,
        client: &ClientFacts,
        envelope: &Envelope,
        recipient: &AddressedRecipient,
        parameters: &RcptParameters,
    ) -> Result<Mailbox, Reply>;

    /// True if settings trust where the client comes from, at least in part: checks of strangers are not for it.
    fn trusts(&self, _client: &ClientFacts) -> bool {
        false
    }

    /// Which fields of its header section do not get in.
    fn unwelcome(&self, client: &ClientFacts) -> Unwelcome;

    /// Where content goes while it arrives.
    fn writer(&self) -> Result<Box<dyn ContentWriter>, Reply>;

    /// Runs the pass, commits, and answers: 250 only after the sync.
    fn submit(&self, submission: Submission) -> Pin<Box<dyn Future<Output = Reply> + Send>>;

    /// The same, of one recipient.
    fn refused_recipient(
        &self,
        client: &ClientFacts,
        reverse_path: &ReversePath,
        _recipient: &AddressedRecipient,
        reply: &Reply,
        reason: Reason,
    ) {
        self.refused(client, reverse_path, reply, reason);
    }

    /// Something that the listener found out about a client and that does not keep a message from being submitted.
    fn noted(&self, _id: MessageId, _client: &ClientFacts, _reason: Reason, _note: String) {}

    /// A refusal the listener itself decided (bad content, too large), to be tracked.
    fn refused(&self, client: &ClientFacts, reverse_path: &ReversePath, reply: &Reply, reason: Reason);
}
