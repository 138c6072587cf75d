//! How a session begins: greeting, EHLO or HELO, STARTTLS, AUTH.

use super::{ClientEvent, ClientSession, Closing, Peer, StartTls, State, Unfit};
use crate::mail::Reply;
use crate::smtp::extension::{Extensions, Mechanism};
use crate::smtp::reply_parser::ReplyFault;
use crate::smtp::sign_in::Exchange;
use crate::smtp::transaction::is_refusal;

impl ClientSession {
    pub(super) fn take_greeting(&mut self, reply: Reply, events: &mut Vec<ClientEvent>) {
        if reply.code != 220 {
            return self.part("QUIT", Closing::Refused(reply), events);
        }
        self.say_hello("EHLO");
        self.state = State::Ehlo;
    }

    pub(super) fn take_ehlo(&mut self, reply: Reply, events: &mut Vec<ClientEvent>) {
        if reply.is_positive() {
            self.extensions = Extensions::parse(&reply.text);
            self.introduced(events);
        } else if reply.is_permanent() && !self.is_protected {
            // RFC 5321 §4.1.4: a server that does not know EHLO may know HELO.
            self.say_hello("HELO");
            self.state = State::Helo;
        } else {
            self.part("QUIT", Closing::Refused(reply), events);
        }
    }

    pub(super) fn take_helo(&mut self, reply: Reply, events: &mut Vec<ClientEvent>) {
        if reply.is_positive() {
            self.introduced(events);
        } else {
            self.part("QUIT", Closing::Refused(reply), events);
        }
    }

    /// EHLO or HELO was taken: TLS comes next, then AUTH.
    fn introduced(&mut self, events: &mut Vec<ClientEvent>) {
        if self.is_protected {
            return self.begin_sign_in(events);
        }
        match self.opening.starttls {
            StartTls::WhereOffered | StartTls::Required if self.extensions.starttls => {
                self.output.extend_from_slice(b"STARTTLS\r\n");
                self.state = State::StartTls;
            }
            StartTls::Required => self.part("QUIT", Closing::Unfit(Unfit::TlsNotOffered), events),
            StartTls::Never | StartTls::WhereOffered | StartTls::Already => self.begin_sign_in(events),
        }
    }

    pub(super) fn take_starttls(&mut self, reply: Reply, events: &mut Vec<ClientEvent>) {
        match (reply.code, self.opening.starttls) {
            (220, _) => {
                self.state = State::Handshake;
                events.push(ClientEvent::StartTls);
            }
            (421, _) => self.close(None, Closing::Unavailable(reply), events),
            (_, StartTls::Required) => self.part("QUIT", Closing::Unfit(Unfit::TlsRefused(reply)), events),
            // RFC 3207 §4: it is for the client to decide; with TLS where offered, mail goes as without the offer.
            _ if is_refusal(&reply) => self.begin_sign_in(events),
            _ => self.close(None, Closing::Fault(ReplyFault::OutOfTurn), events),
        }
    }

    fn begin_sign_in(&mut self, events: &mut Vec<ClientEvent>) {
        let Some(sign_in) = &self.opening.sign_in else {
            return self.ready(events);
        };
        if !self.is_protected && !sign_in.in_clear {
            return self.part("QUIT", Closing::Unfit(Unfit::NotProtected), events);
        }
        let offered = self.extensions.auth.without(Mechanism::ScramSha256Plus);
        let mut allowed = offered
            .iter()
            .filter(|each| sign_in.mechanisms.contains(*each))
            .peekable();
        if allowed.peek().is_none() {
            return self.part("QUIT", Closing::Unfit(Unfit::NoMechanism), events);
        }
        // RFC 4954 §14: a password is told to nobody whose certificate is not the right one. SCRAM does not tell it.
        let may_tell = sign_in.in_clear || self.peer == Peer::Proved;
        let Some(mechanism) = allowed.find(|each| may_tell || *each == Mechanism::ScramSha256) else {
            return self.part("QUIT", Closing::Unfit(Unfit::NotProved), events);
        };
        let (exchange, command) = Exchange::begin(sign_in.clone(), mechanism);
        self.say(&command);
        self.state = State::SignIn(Box::new(exchange));
    }

    pub(super) fn take_sign_in(&mut self, reply: Reply, events: &mut Vec<ClientEvent>) {
        let State::SignIn(exchange) = &mut self.state else {
            return;
        };
        match reply.code {
            334 => match exchange.answer(&reply.text) {
                Ok(answer) => self.say(&answer),
                // RFC 4954 §4: `*` cancels what cannot go on.
                Err(fault) => self.part("*\r\nQUIT", Closing::Unfit(Unfit::SignInBroken(fault)), events),
            },
            235 => match exchange.finish() {
                Ok(()) => {
                    self.is_signed_in = true;
                    self.ready(events);
                }
                Err(fault) => self.part("QUIT", Closing::Unfit(Unfit::SignInBroken(fault)), events),
            },
            421 => self.close(None, Closing::Unavailable(reply), events),
            _ if is_refusal(&reply) => self.part("QUIT", Closing::Unfit(Unfit::SignInRefused(reply)), events),
            _ => self.close(None, Closing::Fault(ReplyFault::OutOfTurn), events),
        }
    }
}
