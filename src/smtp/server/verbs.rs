//! MAIL, RCPT and DATA: one transaction up to its content.

use super::{Gate, Phase, ServerSession};
use crate::mail::{Envelope, EnvelopeRecipient, Mailbox, ReversePath};
use crate::smtp::command::ForwardPath;
use crate::smtp::data::ContentScanner;
use crate::smtp::params::{MailParameters, RcptParameters};
use crate::smtp::replies;
use crate::smtp::server::profile::{AuthPolicy, StartTls};
use crate::track::Reason;

impl ServerSession {
    pub(super) fn mail(
        &mut self,
        path: ReversePath,
        parameters: MailParameters,
        gate: &mut dyn Gate,
        out: &mut Vec<u8>,
    ) {
        let dialect = match self.phase {
            Phase::Ready(dialect) => dialect,
            Phase::Transaction(..) | Phase::BetweenChunks(..) => return self.fail(&replies::NESTED_MAIL, out),
            _ => return self.fail(&replies::HELLO_FIRST, out),
        };
        let protection = self.profile.protection();
        if protection.starttls == StartTls::Required && !self.channel.is_secure() {
            return self.fail(&replies::TLS_FIRST, out);
        }
        if protection.policy == AuthPolicy::Required && !self.authenticated {
            return self.fail(&replies::AUTH_FIRST, out);
        }
        // RFC 5321 §4.1.1.11: what EHLO did not offer is 555. RFC 8689 §3: REQUIRETLS is offered within TLS.
        let auth_offered = !self.profile.mechanisms(&self.channel).is_empty();
        if (parameters.require_tls && !self.channel.is_secure()) || (parameters.auth && !auth_offered) {
            return self.fail(&replies::UNKNOWN_PARAMETER, out);
        }
        if !parameters.smtputf8 && path.mailbox().is_some_and(Mailbox::needs_smtputf8) {
            return self.fail(&replies::SENDER_NEEDS_SMTPUTF8, out);
        }
        // RFC 1870 §6.1: a declared size over the limit is refused at once.
        if parameters
            .size
            .is_some_and(|octets| octets > self.profile.message_octets_max)
        {
            gate.refused(&path, &replies::TOO_LARGE, Reason::TooLargeForSystem);
            return self.fail(&replies::TOO_LARGE, out);
        }
        let envelope = Box::new(Envelope {
            reverse_path: path,
            body: parameters.body.unwrap_or_default(),
            smtputf8: parameters.smtputf8,
            size_declared: parameters.size,
            ret: parameters.ret,
            envid: parameters.envid,
            require_tls: parameters.require_tls,
            // The header section has not been seen yet.
            tls_optional: false,
            recipients: Vec::new(),
        });
        match gate.mail(&envelope) {
            Ok(()) => {
                self.over_limit = 0;
                self.phase = Phase::Transaction(dialect, envelope);
                replies::SENDER_OK.write(out);
            }
            Err(reply) => self.refuse(&reply, out),
        }
    }

    pub(super) fn rcpt(
        &mut self,
        path: &ForwardPath,
        parameters: &RcptParameters,
        gate: &mut dyn Gate,
        out: &mut Vec<u8>,
    ) {
        let envelope = match &mut self.phase {
            Phase::Transaction(_, envelope) => envelope,
            Phase::Start => return self.fail(&replies::HELLO_FIRST, out),
            Phase::BetweenChunks(..) => return self.fail(&replies::CHUNKS_UNDER_WAY, out),
            _ => return self.fail(&replies::MAIL_FIRST, out),
        };
        let accepted = envelope.recipients.len();
        // A client whose list has many stale addresses keeps what was accepted and sends the rest separately; closing
        // here would make it start over and never come through.
        let errors_spent = accepted > 0 && self.errors >= self.profile.errors_max;
        if accepted >= self.profile.recipients_max || errors_spent {
            self.over_limit += 1;
            if self.over_limit > self.profile.recipients_max {
                return self.dismiss(&replies::TOO_MANY_ERRORS, out);
            }
            return replies::TOO_MANY_RECIPIENTS.write(out);
        }
        if let ForwardPath::Mailbox(mailbox) = path
            && mailbox.needs_smtputf8()
            && !envelope.smtputf8
        {
            return self.fail(&replies::NEEDS_SMTPUTF8, out);
        }
        match gate.rcpt(envelope, path, parameters) {
            Ok(forward_path) => {
                envelope.recipients.push(EnvelopeRecipient {
                    forward_path,
                    notify: parameters.notify,
                    original: parameters.original.clone(),
                });
                replies::RECIPIENT_OK.write(out);
            }
            Err(reply) => self.refuse(&reply, out),
        }
    }

    pub(super) fn data(&mut self, gate: &mut dyn Gate, out: &mut Vec<u8>) {
        let (dialect, envelope) = match std::mem::replace(&mut self.phase, Phase::Start) {
            Phase::Transaction(dialect, envelope) => (dialect, envelope),
            other => {
                let reply = match other {
                    Phase::Start => replies::HELLO_FIRST,
                    // RFC 3030 §3: DATA and BDAT do not go together.
                    Phase::BetweenChunks(..) => replies::CHUNKS_UNDER_WAY,
                    _ => replies::MAIL_FIRST,
                };
                self.phase = other;
                return self.fail(&reply, out);
            }
        };
        if envelope.recipients.is_empty() {
            self.phase = Phase::Transaction(dialect, envelope);
            return self.fail(&replies::NO_RECIPIENTS, out);
        }
        match gate.begin_content(&envelope) {
            Ok(()) => {
                let scanner = ContentScanner::new(self.profile.message_octets_max);
                self.phase = Phase::Content(dialect, envelope, scanner);
                replies::BEGIN_CONTENT.write(out);
            }
            Err(reply) => {
                self.phase = Phase::Transaction(dialect, envelope);
                self.refuse(&reply, out);
            }
        }
    }
}
