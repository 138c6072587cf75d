//! Our side of a session: one pure machine that a listener feeds.
//!
//! In: octets of the client, verdicts of a [`Gate`]. Out: replies appended to a buffer, content to the gate, and an
//! [`Action`] for the listener.
//! Never: a socket, a clock, a task. Never: a command read out of content, a reply out of order, a 250 to a final
//! dot by itself (only [`ServerSession::answer`] gives it).
//!
//! Order of a session: greeting, EHLO, (STARTTLS, EHLO, AUTH: not yet; their place is `Phase::Ready`), MAIL, RCPT,
//! DATA (BDAT: not yet; its place is `Phase::Transaction`), content, answer, and again from MAIL.

use std::sync::Arc;

use super::command::{self, Command, CommandFault, Dialect, ForwardPath};
use super::data::{ContentFault, ContentScanner};
use super::extension::Extensions;
use super::params::{MailParameters, RcptParameters};
use super::replies;
use crate::limits::{COMMAND_LINE_OCTETS_MAX, REPLIES_PENDING_OCTETS_MAX};
use crate::mail::{Envelope, EnvelopeRecipient, Mailbox, Reply, ReversePath};
use crate::track::Reason;

/// Who decides for the protocol machine. Answers at once, from memory.
pub trait Gate {
    /// The client introduced itself; `extended` for EHLO.
    fn hello(&mut self, name: &Arc<str>, extended: bool);

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

/// What one listener's sessions have in common.
#[derive(Debug)]
pub struct ServerProfile {
    greeting: Vec<u8>,
    helo: Vec<u8>,
    ehlo: Vec<u8>,
    message_octets_max: u64,
    recipients_max: usize,
    errors_max: u32,
}

impl ServerProfile {
    /// A profile: our name, octets in a message, RCPTs in a transaction, errors in a session.
    #[must_use]
    pub fn new(hostname: &str, message_octets_max: u64, recipients_max: usize, errors_max: u32) -> Self {
        let wire = |reply: Reply| {
            let mut octets = Vec::new();
            reply.write(&mut octets);
            octets
        };
        let offer = Extensions::ours(message_octets_max);
        Self {
            greeting: wire(replies::greeting(hostname)),
            helo: wire(replies::helo(hostname)),
            ehlo: wire(Reply::bare(250, offer.reply_text(hostname))),
            message_octets_max,
            recipients_max,
            errors_max,
        }
    }
}

/// What the listener does next. Replies written so far go out first, whatever it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Read more. All input was taken but for an unfinished command line.
    Read,
    /// Write the replies, let the gate become able to judge, then call again with the rest of the input.
    Write,
    /// A message has gone to the gate whole. Take responsibility or refuse, then [`ServerSession::answer`].
    Submit(Envelope),
    /// Close the connection.
    Close,
}

/// One session.
#[derive(Debug)]
pub struct ServerSession {
    profile: Arc<ServerProfile>,
    phase: Phase,
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
    /// The listener has the message and owes an answer.
    Submitted(Dialect),
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
    pub fn open(profile: Arc<ServerProfile>, out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(&profile.greeting);
        Self {
            profile,
            phase: Phase::Start,
            line: LineState::Whole,
            errors: 0,
            over_limit: 0,
            steps: 0,
        }
    }

    /// From an accepted MAIL to the answer to the final dot.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        match self.phase {
            Phase::Transaction(..) | Phase::Content(..) | Phase::Submitted(_) => true,
            Phase::Start | Phase::Ready(_) | Phase::Closed => false,
        }
    }

    /// Octets of the content under way, if there is one. They stand still once the content is refused.
    #[must_use]
    pub fn content_octets(&self) -> Option<u64> {
        match &self.phase {
            Phase::Content(_, _, scanner) => Some(scanner.octets().min(self.profile.message_octets_max)),
            Phase::Start | Phase::Ready(_) | Phase::Transaction(..) | Phase::Submitted(_) | Phase::Closed => None,
        }
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
            match &mut self.phase {
                Phase::Closed => return (input.len(), Action::Close),
                Phase::Submitted(_) => return (used, Action::Write),
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
                Phase::Start | Phase::Ready(_) | Phase::Transaction(..) => match self.take_line(rest, gate, out) {
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
        let Some(end) = memchr::memchr(b'\n', input) else {
            if input.len() < COMMAND_LINE_OCTETS_MAX {
                return 0;
            }
            return self.swallow(input, true, false, out);
        };
        if end >= COMMAND_LINE_OCTETS_MAX {
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
        } else {
            self.take_command(line, input.len() > end + 1, gate, out);
        }
        end + 1
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
        if reply_due {
            self.fail(&replies::LINE_TOO_LONG, out);
        }
        end
    }

    fn take_command(&mut self, line: &[u8], more_behind: bool, gate: &mut dyn Gate, out: &mut Vec<u8>) {
        let command = match command::parse(line, self.dialect()) {
            Ok(command) => command,
            Err(CommandFault::OtherProtocol) => return self.dismiss(&replies::OTHER_PROTOCOL, out),
            Err(fault) => return self.fail(&replies::for_command_fault(fault), out),
        };
        match command {
            Command::Ehlo(name) => self.hello(name, Dialect::Extended, gate, out),
            Command::Helo(name) => self.hello(name, Dialect::Plain, gate, out),
            Command::Mail(path, parameters) => self.mail(path, *parameters, gate, out),
            Command::Rcpt(path, parameters) => self.rcpt(&path, &parameters, gate, out),
            Command::Data if more_behind => self.dismiss(&replies::CONTENT_TOO_EARLY, out),
            Command::Data => self.data(gate, out),
            Command::Rset => {
                self.end_transaction();
                replies::RESET.write(out);
            }
            Command::Noop => replies::NOTHING_DONE.write(out),
            Command::Quit => self.dismiss(&replies::GOODBYE, out),
            Command::Help => replies::HELP.write(out),
            Command::Vrfy => replies::NOT_VERIFIED.write(out),
            Command::Expn => self.fail(&replies::NOT_EXPANDED, out),
        }
    }

    fn hello(&mut self, name: &str, dialect: Dialect, gate: &mut dyn Gate, out: &mut Vec<u8>) {
        gate.hello(&Arc::from(name), dialect == Dialect::Extended);
        // RFC 5321 §4.1.4: EHLO in mid-session clears all state, as RSET does.
        self.phase = Phase::Ready(dialect);
        out.extend_from_slice(match dialect {
            Dialect::Extended => &self.profile.ehlo,
            Dialect::Plain => &self.profile.helo,
        });
    }

    fn mail(&mut self, path: ReversePath, parameters: MailParameters, gate: &mut dyn Gate, out: &mut Vec<u8>) {
        let dialect = match self.phase {
            Phase::Ready(dialect) => dialect,
            Phase::Transaction(..) => return self.fail(&replies::NESTED_MAIL, out),
            Phase::Start | Phase::Content(..) | Phase::Submitted(_) | Phase::Closed => {
                return self.fail(&replies::HELLO_FIRST, out);
            }
        };
        if !parameters.smtputf8 && path.mailbox().is_some_and(Mailbox::needs_smtputf8) {
            return self.fail(&replies::NEEDS_SMTPUTF8, out);
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

    fn rcpt(&mut self, path: &ForwardPath, parameters: &RcptParameters, gate: &mut dyn Gate, out: &mut Vec<u8>) {
        let envelope = match &mut self.phase {
            Phase::Transaction(_, envelope) => envelope,
            Phase::Start => return self.fail(&replies::HELLO_FIRST, out),
            Phase::Ready(_) | Phase::Content(..) | Phase::Submitted(_) | Phase::Closed => {
                return self.fail(&replies::MAIL_FIRST, out);
            }
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

    fn data(&mut self, gate: &mut dyn Gate, out: &mut Vec<u8>) {
        let (dialect, envelope) = match std::mem::replace(&mut self.phase, Phase::Start) {
            Phase::Transaction(dialect, envelope) => (dialect, envelope),
            other => {
                let reply = match other {
                    Phase::Start => replies::HELLO_FIRST,
                    Phase::Ready(_) | Phase::Transaction(..) => replies::MAIL_FIRST,
                    Phase::Content(..) | Phase::Submitted(_) | Phase::Closed => replies::MAIL_FIRST,
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
        if let Phase::Transaction(dialect, _) = self.phase {
            self.phase = Phase::Ready(dialect);
        }
    }

    fn dialect(&self) -> Dialect {
        match self.phase {
            Phase::Ready(dialect)
            | Phase::Transaction(dialect, _)
            | Phase::Content(dialect, ..)
            | Phase::Submitted(dialect) => dialect,
            // Before EHLO the order is at fault, not the parameters.
            Phase::Start | Phase::Closed => Dialect::Extended,
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
            Phase::Start | Phase::Ready(_) | Phase::Content(..) | Phase::Submitted(_) | Phase::Closed => false,
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
