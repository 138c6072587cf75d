//! What one listener's sessions have in common, and who decides for them.

use std::sync::Arc;

use crate::mail::{Envelope, Mailbox, Reply, ReversePath};
use crate::smtp::command::ForwardPath;
use crate::smtp::extension::{Extensions, Mechanism, Mechanisms};
use crate::smtp::params::RcptParameters;
use crate::smtp::replies;
use crate::smtp::sasl::SaslFault;
use crate::smtp::sasl::scram::Binding;
use crate::smtp::xclient::Claims;
use crate::track::Reason;

/// Who decides for the protocol machine. Answers at once, from memory.
pub trait Gate {
    /// The client introduced itself; `extended` for EHLO.
    fn hello(&mut self, name: &Arc<str>, extended: bool);

    /// The exchange succeeded: the client is whom the last answer was about.
    fn authenticated(&mut self);

    /// The exchange failed.
    fn not_authenticated(&mut self, fault: SaslFault);

    /// A trusted client says for whom it speaks (XCLIENT); it begins anew as that one.
    fn speaks_for(&mut self, claims: &Claims);

    /// False while the gate waits for what recipients are judged by: what follows MAIL has to wait too.
    fn can_judge(&mut self) -> bool {
        true
    }

    /// May a transaction with this envelope (no recipients yet) begin?
    fn mail(&mut self, envelope: &Envelope) -> Result<(), Reply>;

    /// May this recipient be added? Returns its forward-path.
    fn rcpt(&mut self, envelope: &Envelope, path: &ForwardPath, parameters: &RcptParameters) -> Result<Mailbox, Reply>;

    /// Content is about to come: make room for it, or refuse with 4yz.
    fn begin_content(&mut self, envelope: &Envelope) -> Result<(), Reply>;

    /// Content, dots unstuffed. A failure is kept and answered at the end of data.
    fn content(&mut self, octets: &[u8]);

    /// The machine itself refused the transaction, for its size or its content. Content so far is void.
    fn refused(&mut self, reverse_path: &ReversePath, reply: &Reply, reason: Reason);
}

/// Whether mail may come without TLS.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StartTls {
    /// STARTTLS is not offered.
    #[default]
    Absent,
    /// It may.
    Offered,
    /// Not before STARTTLS (RFC 3207 §4: 530).
    Required,
}

/// Whether mail may come without AUTH.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AuthPolicy {
    /// It may.
    #[default]
    Optional,
    /// It may not (RFC 6409 §4.3: 530).
    Required,
}

/// How one listener's sessions are protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Protection {
    /// STARTTLS.
    pub starttls: StartTls,
    /// Mechanisms of AUTH within TLS.
    pub auth: Mechanisms,
    /// The same without TLS: whoever listens reads passwords of all but SCRAM.
    pub auth_in_plaintext: bool,
    /// Whether AUTH is needed.
    pub policy: AuthPolicy,
}

/// What protects a session.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Channel {
    /// Nothing.
    #[default]
    Plaintext,
    /// TLS.
    Secure(Binding),
}

impl Channel {
    /// True within TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        match self {
            Self::Plaintext => false,
            Self::Secure(_) => true,
        }
    }

    /// What an exchange can be bound to.
    #[must_use]
    pub fn binding(&self) -> Binding {
        match self {
            Self::Plaintext => Binding::default(),
            Self::Secure(binding) => binding.clone(),
        }
    }
}

/// What one listener's sessions have in common.
#[derive(Debug)]
pub struct ServerProfile {
    hostname: String,
    protection: Protection,
    pub(super) greeting: Vec<u8>,
    pub(super) helo: Vec<u8>,
    /// Without TLS; within it; within it and bound.
    ehlo: [Vec<u8>; 3],
    pub(super) message_octets_max: u64,
    pub(super) recipients_max: usize,
    pub(super) errors_max: u32,
}

impl ServerProfile {
    /// A profile: our name, octets in a message, RCPTs in a transaction, errors in a session.
    #[must_use]
    pub fn new(
        hostname: &str,
        message_octets_max: u64,
        recipients_max: usize,
        errors_max: u32,
        protection: Protection,
    ) -> Self {
        let bound = Channel::Secure(Binding {
            exporter: Some(Vec::new()),
        });
        let mut profile = Self {
            hostname: hostname.to_owned(),
            protection,
            greeting: wire(&replies::greeting(hostname)),
            helo: wire(&replies::helo(hostname)),
            ehlo: Default::default(),
            message_octets_max,
            recipients_max,
            errors_max,
        };
        let channels = [Channel::Plaintext, Channel::Secure(Binding::default()), bound];
        profile.ehlo = channels.map(|channel| wire(&Reply::bare(250, profile.offer(&channel).reply_text(hostname))));
        profile
    }

    /// What EHLO offers on a channel.
    #[must_use]
    pub fn offer(&self, channel: &Channel) -> Extensions {
        Extensions {
            starttls: !channel.is_secure() && self.protection.starttls != StartTls::Absent,
            require_tls: channel.is_secure(),
            auth: self.mechanisms(channel),
            rcpt_max: u32::try_from(self.recipients_max).ok(),
            ..Extensions::ours(self.message_octets_max)
        }
    }

    /// Mechanisms of AUTH on a channel.
    #[must_use]
    pub fn mechanisms(&self, channel: &Channel) -> Mechanisms {
        let all = self.protection.auth;
        match channel {
            Channel::Plaintext if !self.protection.auth_in_plaintext => Mechanisms::default(),
            Channel::Secure(binding) if binding.exporter.is_some() => all,
            Channel::Plaintext | Channel::Secure(_) => all.without(Mechanism::ScramSha256Plus),
        }
    }

    /// How its sessions are protected.
    #[must_use]
    pub fn protection(&self) -> Protection {
        self.protection
    }

    /// The reply to EHLO.
    pub(super) fn write_ehlo(&self, channel: &Channel, xclient: bool, out: &mut Vec<u8>) {
        if xclient {
            let text = self.offer(channel).reply_text(&self.hostname);
            // HELP is the last line; one more before it.
            let text = text.replacen("\nHELP", &format!("\n{}\nHELP", replies::XCLIENT_OFFER), 1);
            return Reply::bare(250, text).write(out);
        }
        out.extend_from_slice(match channel {
            Channel::Plaintext => &self.ehlo[0],
            Channel::Secure(binding) => &self.ehlo[1 + usize::from(binding.exporter.is_some())],
        });
    }
}

fn wire(reply: &Reply) -> Vec<u8> {
    let mut octets = Vec::new();
    reply.write(&mut octets);
    octets
}
