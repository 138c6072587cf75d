//! STARTTLS (RFC 3207) and AUTH (RFC 4954): what changes who the client is.
//!
//! Never: anything kept from before TLS; a plaintext octet behind STARTTLS taken for one within TLS.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::profile::StartTls;
use super::{Channel, Dialect, Gate, Phase, ServerSession};
use crate::mail::Reply;
use crate::smtp::replies;
use crate::smtp::sasl::{Answer, Exchange, Mechanism, Question, SaslFault, Turn};
use crate::smtp::xclient;

/// How an exchange stands.
#[derive(Debug)]
pub(super) enum Sasl {
    /// The client owes a response.
    Responding(Exchange),
    /// The listener owes an answer.
    Asking(Exchange, Option<Question>),
}

impl ServerSession {
    /// TLS stands: all that was said before is forgotten (RFC 3207 §4.2).
    pub fn secured(&mut self, channel: Channel) {
        if matches!(self.phase, Phase::Handshake) {
            self.channel = channel;
            self.phase = Phase::Start;
            self.steps += 1;
        }
    }

    /// Gives the answer to the question of [`super::Action::Ask`].
    pub fn vouch(&mut self, answer: Answer, gate: &mut dyn Gate, out: &mut Vec<u8>) {
        if let Phase::Sasl(dialect, sasl) = std::mem::replace(&mut self.phase, Phase::Closed) {
            match *sasl {
                Sasl::Asking(mut exchange, None) => {
                    let turn = exchange.answer(answer);
                    self.take_turn(dialect, exchange, turn, gate, out);
                }
                other => self.phase = Phase::Sasl(dialect, Box::new(other)),
            }
        }
    }

    /// The question that the listener is to answer, once.
    pub(super) fn question(&mut self) -> Option<Question> {
        match &mut self.phase {
            Phase::Sasl(_, sasl) => match &mut **sasl {
                Sasl::Asking(_, question) => question.take(),
                Sasl::Responding(_) => None,
            },
            _ => None,
        }
    }

    pub(super) fn starttls(&mut self, more_behind: bool, out: &mut Vec<u8>) {
        let offered = self.profile.protection().starttls != StartTls::Absent;
        match self.phase {
            _ if !offered => self.fail(&replies::NOT_OFFERED, out),
            _ if self.channel.is_secure() => self.fail(&replies::TLS_ALREADY, out),
            Phase::Start => self.fail(&replies::HELLO_FIRST, out),
            // Whoever stands between could have put it there (RFC 3207 §6); read as said within TLS it would count.
            Phase::Ready(_) if more_behind => self.dismiss(&replies::BEHIND_STARTTLS, out),
            Phase::Ready(_) => {
                replies::READY_FOR_TLS.write(out);
                self.phase = Phase::Handshake;
            }
            _ => self.fail(&replies::NOT_IN_TRANSACTION, out),
        }
    }

    pub(super) fn auth(&mut self, mechanism: &str, initial: Option<&str>, gate: &mut dyn Gate, out: &mut Vec<u8>) {
        let dialect = match self.phase {
            Phase::Ready(dialect) => dialect,
            Phase::Start => return self.fail(&replies::HELLO_FIRST, out),
            _ => return self.fail(&replies::NOT_IN_TRANSACTION, out),
        };
        let offered = self.profile.mechanisms(&self.channel);
        if self.profile.protection().auth.is_empty() || dialect == Dialect::Plain {
            return self.fail(&replies::NOT_OFFERED, out);
        }
        if self.authenticated {
            return self.fail(&replies::AUTHENTICATED_ALREADY, out);
        }
        if offered.is_empty() {
            return self.fail(&replies::AUTH_NEEDS_TLS, out);
        }
        let Some(mechanism) = Mechanism::parse(mechanism).filter(|mechanism| offered.contains(*mechanism)) else {
            return self.fail(&replies::NO_SUCH_MECHANISM, out);
        };
        let mut exchange = Exchange::new(mechanism, self.channel.binding());
        let Some(initial) = initial else {
            challenge(exchange.prompt(), out);
            self.phase = Phase::Sasl(dialect, Box::new(Sasl::Responding(exchange)));
            return;
        };
        // RFC 4954 §4: `=` is a response of no octets.
        let initial = if initial == "=" { "" } else { initial };
        match BASE64.decode(initial) {
            Ok(response) => {
                let turn = exchange.respond(&response);
                self.take_turn(dialect, exchange, turn, gate, out);
            }
            Err(_) => self.fail(&replies::BAD_BASE64, out),
        }
    }

    /// A line within an exchange.
    pub(super) fn take_response(&mut self, line: &[u8], gate: &mut dyn Gate, out: &mut Vec<u8>) {
        let Phase::Sasl(dialect, sasl) = std::mem::replace(&mut self.phase, Phase::Closed) else {
            return;
        };
        let Sasl::Responding(mut exchange) = *sasl else {
            return self.phase = Phase::Sasl(dialect, sasl);
        };
        self.phase = Phase::Ready(dialect);
        if line == b"*" {
            // RFC 4954 §4.
            return self.fail(&replies::AUTH_CANCELLED, out);
        }
        match BASE64.decode(line) {
            Ok(response) => {
                let turn = exchange.respond(&response);
                self.take_turn(dialect, exchange, turn, gate, out);
            }
            Err(_) => self.fail(&replies::BAD_BASE64, out),
        }
    }

    fn take_turn(&mut self, dialect: Dialect, exchange: Exchange, turn: Turn, gate: &mut dyn Gate, out: &mut Vec<u8>) {
        self.phase = Phase::Ready(dialect);
        match turn {
            Turn::Challenge(octets) => {
                challenge(&octets, out);
                self.phase = Phase::Sasl(dialect, Box::new(Sasl::Responding(exchange)));
            }
            Turn::Ask(question) => {
                self.phase = Phase::Sasl(dialect, Box::new(Sasl::Asking(exchange, Some(question))));
            }
            Turn::Succeeded => {
                self.authenticated = true;
                gate.authenticated();
                replies::AUTHENTICATED.write(out);
            }
            Turn::Failed(fault) => {
                gate.not_authenticated(fault);
                self.refuse(&auth_failed(fault), out);
            }
        }
    }

    pub(super) fn xclient(&mut self, text: &str, gate: &mut dyn Gate, out: &mut Vec<u8>) {
        match self.phase {
            _ if !self.may_speak_for_others => self.fail(&replies::NOT_OFFERED, out),
            Phase::Start | Phase::Ready(_) => match xclient::parse(text) {
                Ok(claims) => {
                    gate.speaks_for(&claims);
                    self.authenticated = false;
                    self.phase = Phase::Start;
                    out.extend_from_slice(&self.profile.greeting);
                }
                Err(_) => self.fail(&replies::BAD_ARGUMENT, out),
            },
            _ => self.fail(&replies::NOT_IN_TRANSACTION, out),
        }
    }
}

fn challenge(octets: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"334 ");
    out.extend_from_slice(BASE64.encode(octets).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn auth_failed(fault: SaslFault) -> Reply {
    match fault {
        SaslFault::Malformed => replies::BAD_RESPONSE,
        SaslFault::Refused | SaslFault::Authorization | SaslFault::Binding => replies::BAD_CREDENTIALS,
        SaslFault::Unavailable => replies::AUTH_UNAVAILABLE,
    }
}
