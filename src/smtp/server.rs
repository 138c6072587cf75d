//! Our side of a session: one pure machine that a listener feeds.
//!
//! In: octets of the client, verdicts of a [`Gate`]. Out: replies appended to a buffer, content to the gate, and an
//! [`Action`] for the listener.
//! Never: a socket, a clock, a task. Never: a command read out of content, a reply out of order, a 250 to a final
//! dot by itself (only [`ServerSession::answer`] gives it).
//!
//! Order of a session: greeting, EHLO, (STARTTLS, EHLO,) (AUTH,) MAIL, RCPT, DATA or BDAT, content, answer, and again
//! from MAIL.

mod chunks;
pub mod profile;
mod secure;
mod verbs;

use std::sync::Arc;

use chunks::{Chunks, Discard};
pub use profile::{AuthPolicy, Channel, Gate, Protection, ServerProfile, StartTls};
use secure::Sasl;

use super::command::{self, Command, CommandFault, Dialect};
use super::data::{ContentFault, ContentScanner};
use super::replies;
use super::sasl::Question;
use crate::limits::{AUTH_LINE_OCTETS_MAX, COMMAND_LINE_OCTETS_MAX, REPLIES_PENDING_OCTETS_MAX};
use crate::mail::{Envelope, Reply};
use crate::track::Reason;

/// What the listener does next. Replies written so far go out first, whatever it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Read more. All input was taken but for an unfinished command line.
    Read,
    /// Write the replies, let the gate become able to judge, then call again with the rest of the input.
    Write,
    /// A message has gone to the gate whole. Take responsibility or refuse, then [`ServerSession::answer`].
    Submit(Envelope),
    /// Make the TLS handshake, then [`ServerSession::secured`]. Nothing that was read before may be taken for TLS.
    StartTls,
    /// Find the answer, then [`ServerSession::vouch`].
    Ask(Question),
    /// Close the connection.
    Close,
}

/// One session.
#[derive(Debug)]
pub struct ServerSession {
    profile: Arc<ServerProfile>,
    phase: Phase,
    channel: Channel,
    /// AUTH succeeded.
    authenticated: bool,
    /// XCLIENT is taken.
    may_speak_for_others: bool,
    line: LineState,
    errors: u32,
    /// RCPTs refused because of a limit, in this transaction.
    over_limit: usize,
    /// Commands and messages so far: whoever keeps time sees progress by it.
    steps: u64,
}

#[derive(Debug)]
enum Phase {
    /// Greeted; nothing but EHLO and HELO leads on.
    Start,
    /// EHLO or HELO was accepted.
    Ready(Dialect),
    /// MAIL was accepted.
    Transaction(Dialect, Box<Envelope>),
    /// 354 was given.
    Content(Dialect, Box<Envelope>, ContentScanner),
    /// A chunk of BDAT is coming.
    Chunk(Dialect, Box<Chunks>),
    /// Some chunks have come, the last has not.
    BetweenChunks(Dialect, Box<Chunks>),
    /// A chunk of BDAT is coming for nothing.
    Discard(Box<Discard>),
    /// The listener has the message and owes an answer.
    Submitted(Dialect),
    /// 220 to STARTTLS was given; the listener owes the handshake.
    Handshake,
    /// AUTH is under way.
    Sasl(Dialect, Box<Sasl>),
    /// Over.
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineState {
    Whole,
    /// The line is refused; it is passed over up to its CRLF. The reply is due there, if it was not given yet.
    Swallow {
        reply_due: bool,
        behind_cr: bool,
    },
}

impl ServerSession {
    /// A session; its greeting is appended to `out`.
    #[must_use]
    pub fn open(profile: Arc<ServerProfile>, channel: Channel, out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(&profile.greeting);
        Self {
            profile,
            phase: Phase::Start,
            channel,
            authenticated: false,
            may_speak_for_others: false,
            line: LineState::Whole,
            errors: 0,
            over_limit: 0,
            steps: 0,
        }
    }

    /// Lets the client say for whom it speaks (XCLIENT).
    #[must_use]
    pub fn that_may_speak_for_others(self) -> Self {
        Self {
            may_speak_for_others: true,
            ..self
        }
    }

    /// From an accepted MAIL to the answer to the final dot.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        match self.phase {
            Phase::Transaction(..)
            | Phase::Content(..)
            | Phase::Chunk(..)
            | Phase::BetweenChunks(..)
            | Phase::Submitted(_) => true,
            Phase::Start | Phase::Ready(_) | Phase::Discard(_) | Phase::Handshake | Phase::Sasl(..) | Phase::Closed => {
                false
            }
        }
    }

    /// Octets of the content under way, if there is one. They stand still once the content is refused.
    #[must_use]
    pub fn content_octets(&self) -> Option<u64> {
        let scanner = match &self.phase {
            Phase::Content(_, _, scanner) => scanner,
            Phase::Chunk(_, chunks) => &chunks.scanner,
            Phase::Start
            | Phase::Ready(_)
            | Phase::Transaction(..)
            | Phase::BetweenChunks(..)
            | Phase::Discard(_)
            | Phase::Submitted(_)
            | Phase::Handshake
            | Phase::Sasl(..)
            | Phase::Closed => return None,
        };
        Some(scanner.octets().min(self.profile.message_octets_max))
    }

    /// Commands and messages handled so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Errors since the last message that was taken.
    #[must_use]
    pub fn errors(&self) -> u32 {
        self.errors
    }

    /// Takes octets of the client: returns how many were taken, and what to do. Octets that were not taken are given
    /// again, with more behind them.
    pub fn receive(&mut self, input: &[u8], gate: &mut dyn Gate, out: &mut Vec<u8>) -> (usize, Action) {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            if let Some(question) = self.question() {
                return (used, Action::Ask(question));
            }
            match &mut self.phase {
                Phase::Closed => return (input.len(), Action::Close),
                Phase::Submitted(_) => return (used, Action::Write),
                Phase::Handshake => return (used, Action::StartTls),
                Phase::Sasl(_, sasl) if matches!(**sasl, Sasl::Asking(..)) => return (used, Action::Write),
                // `BDAT 0 LAST` needs no octet.
                Phase::Chunk(_, chunks) if chunks.is_whole() => {
                    if let (_, Some(envelope)) = self.take_chunk(&[], gate, out) {
                        return (used, Action::Submit(envelope));
                    }
                }
                _ if rest.is_empty() => return (used, Action::Read),
                _ if out.len() > REPLIES_PENDING_OCTETS_MAX => return (used, Action::Write),
                Phase::Content(_, _, scanner) => {
                    let scanned = scanner.scan(rest, &mut |octets| gate.content(octets));
                    used += scanned.consumed;
                    if scanned.ended
                        && let Some(envelope) = self.end_content(gate, out)
                    {
                        return (used, Action::Submit(envelope));
                    }
                }
                Phase::Transaction(..) if !gate.can_judge() => return (used, Action::Write),
                Phase::Chunk(..) => {
                    let (count, whole) = self.take_chunk(rest, gate, out);
                    used += count;
                    if let Some(envelope) = whole {
                        return (used, Action::Submit(envelope));
                    }
                }
                Phase::Discard(_) => used += self.take_discarded(rest.len(), out),
                Phase::Start
                | Phase::Ready(_)
                | Phase::Transaction(..)
                | Phase::BetweenChunks(..)
                | Phase::Sasl(..) => match self.take_line(rest, gate, out) {
                    0 => return (used, Action::Read),
                    count => used += count,
                },
            }
        }
    }

    /// Gives the answer to the final dot after [`Action::Submit`].
    pub fn answer(&mut self, reply: &Reply, out: &mut Vec<u8>) {
        let Phase::Submitted(dialect) = self.phase else {
            return;
        };
        self.phase = Phase::Ready(dialect);
        self.steps += 1;
        reply.write(out);
        if reply.is_positive() {
            self.errors = 0;
        }
        if reply.code == 421 {
            self.phase = Phase::Closed;
        }
        self.check_errors(out);
    }

    /// Ends the session with a 421 of the listener's: timeout, shutdown.
    pub fn dismiss(&mut self, reply: &Reply, out: &mut Vec<u8>) {
        if !matches!(self.phase, Phase::Closed) {
            reply.write(out);
            self.phase = Phase::Closed;
        }
    }

    /// Handles one command line; returns the octets taken, 0 if the line is not complete.
    fn take_line(&mut self, input: &[u8], gate: &mut dyn Gate, out: &mut Vec<u8>) -> usize {
        if let LineState::Swallow { reply_due, behind_cr } = self.line {
            return self.swallow(input, reply_due, behind_cr, out);
        }
        let octets_max = self.line_octets_max(input);
        let Some(end) = memchr::memchr(b'\n', input) else {
            if input.len() < octets_max {
                return 0;
            }
            return self.swallow(input, true, false, out);
        };
        if end >= octets_max {
            return self.swallow(input, true, false, out);
        }
        let Some(line) = input[..end].strip_suffix(b"\r") else {
            // A bare LF ends no line. The reply is given at once, so that a client without CRs learns why.
            self.fail(&replies::BARE_LINE_END, out);
            self.line = LineState::Swallow {
                reply_due: false,
                behind_cr: false,
            };
            return end + 1;
        };
        self.steps += 1;
        if memchr::memchr2(b'\r', 0, line).is_some() {
            self.fail(&replies::BARE_LINE_END, out);
        } else if matches!(self.phase, Phase::Sasl(..)) {
            self.take_response(line, gate, out);
        } else {
            self.take_command(line, input.len() > end + 1, gate, out);
        }
        end + 1
    }

    /// RFC 4954 §4: AUTH and its responses may be longer than other lines.
    fn line_octets_max(&self, input: &[u8]) -> usize {
        let is_auth = || input.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "));
        match self.phase {
            Phase::Sasl(..) => AUTH_LINE_OCTETS_MAX,
            Phase::Ready(_) if is_auth() => AUTH_LINE_OCTETS_MAX,
            _ => COMMAND_LINE_OCTETS_MAX,
        }
    }

    /// Passes over a refused line, up to its CRLF.
    fn swallow(&mut self, input: &[u8], reply_due: bool, behind_cr: bool, out: &mut Vec<u8>) -> usize {
        let end = if behind_cr && input[0] == b'\n' {
            Some(1)
        } else {
            memchr::memmem::find(input, b"\r\n").map(|at| at + 2)
        };
        let Some(end) = end else {
            self.line = LineState::Swallow {
                reply_due,
                behind_cr: input.ends_with(b"\r"),
            };
            return input.len();
        };
        self.line = LineState::Whole;
        self.steps += 1;
        let mut reply = replies::LINE_TOO_LONG;
        if let Phase::Sasl(dialect, _) = self.phase {
            self.phase = Phase::Ready(dialect);
            reply = replies::RESPONSE_TOO_LONG;
        }
        if reply_due {
            self.fail(&reply, out);
        }
        end
    }

    fn take_command(&mut self, line: &[u8], more_behind: bool, gate: &mut dyn Gate, out: &mut Vec<u8>) {
        let command = match command::parse(line, self.dialect()) {
            Ok(command) => command,
            Err(CommandFault::OtherProtocol) => return self.dismiss(&replies::OTHER_PROTOCOL, out),
            Err(CommandFault::ChunkSize) => return self.dismiss(&replies::BAD_CHUNK_SIZE, out),
            Err(fault) => return self.fail(&replies::for_command_fault(fault), out),
        };
        match command {
            Command::Ehlo(name) => self.hello(name, Dialect::Extended, gate, out),
            Command::Helo(name) => self.hello(name, Dialect::Plain, gate, out),
            Command::Mail(path, parameters) => self.mail(path, *parameters, gate, out),
            Command::Rcpt(path, parameters) => self.rcpt(&path, &parameters, gate, out),
            Command::Data if more_behind => self.dismiss(&replies::CONTENT_TOO_EARLY, out),
            Command::Data => self.data(gate, out),
            Command::Bdat { octets, last } => self.bdat(octets, last, gate, out),
            Command::StartTls => self.starttls(more_behind, out),
            Command::Auth(mechanism, initial) => self.auth(mechanism, initial, gate, out),
            Command::Xclient(text) => self.xclient(text, gate, out),
            Command::Rset => {
                self.end_transaction();
                replies::RESET.write(out);
            }
            Command::Noop => replies::NOTHING_DONE.write(out),
            Command::Quit => self.dismiss(&replies::GOODBYE, out),
            Command::Help => replies::HELP.write(out),
            Command::Vrfy => replies::NOT_VERIFIED.write(out),
            Command::Expn => replies::NOT_EXPANDED.write(out),
        }
    }

    fn hello(&mut self, name: &str, dialect: Dialect, gate: &mut dyn Gate, out: &mut Vec<u8>) {
        gate.hello(&Arc::from(name), dialect == Dialect::Extended);
        // RFC 5321 §4.1.4: EHLO in mid-session clears all state, as RSET does.
        self.phase = Phase::Ready(dialect);
        match dialect {
            Dialect::Extended => self.profile.write_ehlo(&self.channel, self.may_speak_for_others, out),
            Dialect::Plain => out.extend_from_slice(&self.profile.helo),
        }
    }

    /// The true end of content: either it is to be submitted, or it is refused here.
    fn end_content(&mut self, gate: &mut dyn Gate, out: &mut Vec<u8>) -> Option<Envelope> {
        match std::mem::replace(&mut self.phase, Phase::Start) {
            Phase::Content(dialect, envelope, scanner) => {
                let Some(fault) = scanner.fault() else {
                    self.phase = Phase::Submitted(dialect);
                    return Some(*envelope);
                };
                self.phase = Phase::Ready(dialect);
                self.steps += 1;
                let reply = replies::for_content_fault(fault);
                gate.refused(&envelope.reverse_path, &reply, content_reason(fault));
                self.fail(&reply, out);
            }
            other => self.phase = other,
        }
        None
    }

    fn end_transaction(&mut self) {
        if let Phase::Transaction(dialect, _) | Phase::BetweenChunks(dialect, _) = self.phase {
            self.phase = Phase::Ready(dialect);
        }
    }

    fn dialect(&self) -> Dialect {
        match self.phase {
            Phase::Ready(dialect)
            | Phase::Transaction(dialect, _)
            | Phase::Content(dialect, ..)
            | Phase::Chunk(dialect, _)
            | Phase::BetweenChunks(dialect, _)
            | Phase::Sasl(dialect, _)
            | Phase::Submitted(dialect) => dialect,
            // Before EHLO the order is at fault, not the parameters.
            Phase::Start | Phase::Handshake | Phase::Discard(_) | Phase::Closed => Dialect::Extended,
        }
    }

    /// A verdict of the gate: a permanent one counts as an error (address guessing), a transient one does not.
    fn refuse(&mut self, reply: &Reply, out: &mut Vec<u8>) {
        if reply.code == 421 {
            self.dismiss(reply, out);
        } else if reply.is_permanent() {
            self.fail(reply, out);
        } else {
            reply.write(out);
        }
    }

    fn fail(&mut self, reply: &Reply, out: &mut Vec<u8>) {
        reply.write(out);
        self.errors += 1;
        self.check_errors(out);
    }

    /// RFC 5321 §7.8, §4.3.2: enough is enough. A transaction with accepted recipients may still end.
    fn check_errors(&mut self, out: &mut Vec<u8>) {
        let spent = self.errors >= self.profile.errors_max;
        let may_end = match &self.phase {
            Phase::Transaction(_, envelope) => {
                !envelope.recipients.is_empty() && self.errors < self.profile.errors_max.saturating_mul(2)
            }
            _ => false,
        };
        if spent && !may_end {
            self.dismiss(&replies::TOO_MANY_ERRORS, out);
        }
    }
}

fn content_reason(fault: ContentFault) -> Reason {
    match fault {
        ContentFault::HeaderTooLarge => Reason::HeaderTooLarge,
        ContentFault::TooLarge => Reason::TooLargeForSystem,
        ContentFault::BareLineEnd => Reason::BareLineEnd,
    }
}
