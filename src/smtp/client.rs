//! The next hop's side of a session: one pure machine that a driver feeds over a socket.
//!
//! In: octets of the peer, transactions to make, content. Out: octets to write ([`ClientSession::output`]) and
//! [`ClientEvent`]s: one outcome per recipient, whatever happens.
//! Never: a recipient counted as taken without a 2yz to a final dot that covered it; a second message from one
//! transaction; content to a peer that accepted nobody (a 354 is then answered by the dot alone, RFC 2920 §3.1).
//!
//! ```text
//! let mut session = ClientSession::new("mail.contoso.example", Pipelining::WhereOffered);
//! loop {
//!     // Reads while it writes: a peer may answer a long group before it has read all of it (RFC 2920 §3.1).
//!     select! {
//!         n = socket.write(session.output()), if !session.output().is_empty() => session.written(n),
//!         n = socket.read(&mut buffer) => for event in session.receive(&buffer[..n]) { match event {
//!             Ready => session.start_transaction(plan),
//!             SendContent => { session.write_content(chunk) …; session.finish_content() }
//!             Ended(result) => settle, next plan or quit
//!             Closed(_) => drop the socket
//!         }},
//!         _ = sleep(session.awaiting().patience()) => session.connection_lost(),
//!     }
//! }
//! ```
//! At end of file, error or timeout the driver calls [`ClientSession::connection_lost`], which ends the transaction.

use std::time::Duration;

use bytes::{Buf, BytesMut};

use super::extension::Extensions;
use super::plan::TransactionPlan;
use super::reply_parser::{ReplyFault, ReplyParser};
pub use super::transaction::{Conclusion, Outcome, RecipientAnswer, Stage, TransactionResult};
use super::transaction::{Leftover, Step, Transaction, Turn, is_refusal};
use crate::limits::{DATA_BLOCK_TIMEOUT, DATA_REPLY_TIMEOUT, FINAL_REPLY_TIMEOUT, QUIT_REPLY_TIMEOUT, REPLY_TIMEOUT};
use crate::mail::Reply;

/// Whether to use PIPELINING.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pipelining {
    /// If the peer offers it.
    WhereOffered,
    /// Never: for peers that offer it and cannot do it.
    Never,
}

/// What the driver is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientEvent {
    /// EHLO or HELO was accepted; [`ClientSession::start_transaction`] may be called.
    Ready,
    /// 354 came and at least one recipient was accepted: write the content.
    SendContent,
    /// The transaction is over. Unless [`ClientEvent::Closed`] follows, the next one may start.
    Ended(TransactionResult),
    /// The session is over; close the socket. The last event.
    Closed(Closing),
}

/// Why a session is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Closing {
    /// The peer refused the connection, or EHLO and HELO.
    Refused(Reply),
    /// 421 at any later time.
    Unavailable(Reply),
    /// The peer does not speak SMTP.
    Fault(ReplyFault),
    /// The driver lost the connection or gave up waiting.
    Lost,
    /// QUIT was answered.
    Quit,
}

/// What the session waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Awaiting {
    /// The peer's reply at this stage.
    Reply(Stage),
    /// The driver's content; the peer has only to read it.
    Content,
    /// The driver's next plan.
    Plan,
    /// The reply to QUIT.
    Goodbye,
    /// Nothing: the session is over.
    Nothing,
}

impl Awaiting {
    /// How long to wait for progress before giving up (RFC 5321 §4.5.3.2).
    #[must_use]
    pub fn patience(self) -> Duration {
        match self {
            Self::Reply(Stage::Session | Stage::Mail | Stage::Rcpt) | Self::Plan => REPLY_TIMEOUT,
            Self::Reply(Stage::Data) => DATA_REPLY_TIMEOUT,
            Self::Reply(Stage::Content) | Self::Content => DATA_BLOCK_TIMEOUT,
            Self::Reply(Stage::FinalDot) => FINAL_REPLY_TIMEOUT,
            Self::Goodbye | Self::Nothing => QUIT_REPLY_TIMEOUT,
        }
    }
}

/// One session with a next hop.
#[derive(Debug)]
pub struct ClientSession {
    hostname: String,
    pipelining: Pipelining,
    parser: ReplyParser,
    output: BytesMut,
    extensions: Extensions,
    /// The peer still holds an unfinished transaction: RSET goes before the next MAIL.
    needs_reset: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Greeting,
    Ehlo,
    Helo,
    Idle,
    Transaction(Box<Transaction>),
    Quit,
    Closed,
}

impl ClientSession {
    /// A session that waits for the greeting and then introduces itself as `hostname`.
    #[must_use]
    pub fn new(hostname: &str, pipelining: Pipelining) -> Self {
        Self {
            hostname: hostname.to_owned(),
            pipelining,
            parser: ReplyParser::default(),
            output: BytesMut::new(),
            extensions: Extensions::default(),
            needs_reset: false,
            state: State::Greeting,
        }
    }

    /// What the peer offers; all absent before [`ClientEvent::Ready`] and after HELO.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Octets to write now.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// Takes the octets to write, for a driver that keeps its own write buffer.
    pub fn take_output(&mut self) -> BytesMut {
        self.output.split()
    }

    /// The first `count` octets of [`ClientSession::output`] have been written.
    pub fn written(&mut self, count: usize) {
        self.output.advance(count);
    }

    /// What the session waits for.
    #[must_use]
    pub fn awaiting(&self) -> Awaiting {
        match &self.state {
            State::Greeting | State::Ehlo | State::Helo => Awaiting::Reply(Stage::Session),
            State::Idle => Awaiting::Plan,
            State::Transaction(transaction) if transaction.wants_content() => Awaiting::Content,
            State::Transaction(transaction) => Awaiting::Reply(transaction.stage()),
            State::Quit => Awaiting::Goodbye,
            State::Closed => Awaiting::Nothing,
        }
    }

    /// True if a transaction may start.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Starts a transaction. Its commands, pipelined in one group where allowed, are in the output.
    ///
    /// The plan must have been made with [`ClientSession::extensions`] of this session and name somebody.
    ///
    /// # Panics
    /// If the session is not idle or the plan is empty: an error of the driver.
    pub fn start_transaction(&mut self, plan: TransactionPlan) {
        assert!(self.is_idle(), "a transaction may start only after Ready or Ended");
        assert!(!plan.is_empty(), "a transaction needs a recipient");
        let pipelined = self.extensions.pipelining && self.pipelining == Pipelining::WhereOffered;
        let step = if self.needs_reset { Step::Reset } else { Step::Mail };
        if self.needs_reset {
            self.output.extend_from_slice(b"RSET\r\n");
        }
        if pipelined || !self.needs_reset {
            self.output.extend_from_slice(plan.mail_command());
        }
        if pipelined {
            self.output.extend_from_slice(plan.rcpt_commands());
            self.output.extend_from_slice(b"DATA\r\n");
        }
        self.needs_reset = false;
        self.state = State::Transaction(Box::new(Transaction::new(plan, pipelined, step)));
    }

    /// Appends content to the output, dot-stuffed. Call after [`ClientEvent::SendContent`], as often as needed; keep
    /// [`ClientSession::output`] short by writing in between. Ignored once the transaction has ended early.
    pub fn write_content(&mut self, content: &[u8]) {
        if let State::Transaction(transaction) = &mut self.state
            && transaction.wants_content()
        {
            transaction.write_content(content, &mut self.output);
        }
    }

    /// Ends the content: appends the final dot.
    pub fn finish_content(&mut self) {
        if let State::Transaction(transaction) = &mut self.state
            && transaction.wants_content()
        {
            transaction.finish_content(&mut self.output);
        }
    }

    /// Says QUIT if idle; otherwise the session is simply over.
    pub fn quit(&mut self) {
        if self.is_idle() {
            self.output.extend_from_slice(b"QUIT\r\n");
            self.state = State::Quit;
        } else {
            self.state = State::Closed;
        }
    }

    /// The connection ended, failed, or the driver gave up waiting. Ends the transaction.
    pub fn connection_lost(&mut self) -> Vec<ClientEvent> {
        let mut events = Vec::new();
        if matches!(self.state, State::Closed) {
            return events;
        }
        let closing = if matches!(self.state, State::Quit) {
            Closing::Quit
        } else {
            Closing::Lost
        };
        self.close(None, closing, &mut events);
        events
    }

    /// Takes octets of the peer.
    pub fn receive(&mut self, octets: &[u8]) -> Vec<ClientEvent> {
        let mut events = Vec::new();
        let mut rest = octets;
        while !matches!(self.state, State::Closed) {
            match self.parser.next(&mut rest) {
                Ok(Some(reply)) => self.take_reply(reply, &mut events),
                Ok(None) => break,
                Err(fault) => self.close(None, Closing::Fault(fault), &mut events),
            }
        }
        events
    }

    fn take_reply(&mut self, reply: Reply, events: &mut Vec<ClientEvent>) {
        // RFC 5321 §3.8: 421 may come at any time and means that the peer closes.
        let is_goodbye = reply.code == 421;
        match &mut self.state {
            State::Greeting => self.take_greeting(reply, events),
            State::Ehlo => self.take_ehlo(reply, events),
            State::Helo => self.take_helo(reply, events),
            State::Quit => self.close(None, Closing::Quit, events),
            State::Idle if is_goodbye => self.close(None, Closing::Unavailable(reply), events),
            State::Idle => self.close(None, Closing::Fault(ReplyFault::OutOfTurn), events),
            State::Transaction(_) if is_goodbye => {
                let closing = Closing::Unavailable(reply.clone());
                self.close(Some(reply), closing, events);
            }
            State::Transaction(transaction) if transaction.wants_content() && is_refusal(&reply) => {
                // Refused before the final dot: a verdict, but the stream cannot be brought back in step.
                self.close(Some(reply), Closing::Fault(ReplyFault::OutOfTurn), events);
            }
            State::Transaction(transaction) => match transaction.take_reply(reply, &mut self.output) {
                Ok(Turn::Wait) => {}
                Ok(Turn::Content) => events.push(ClientEvent::SendContent),
                Ok(Turn::End { conclusion, leftover }) => self.end(conclusion, leftover, events),
                Err(fault) => self.close(None, Closing::Fault(fault), events),
            },
            State::Closed => {}
        }
    }

    fn take_greeting(&mut self, reply: Reply, events: &mut Vec<ClientEvent>) {
        if reply.code != 220 {
            return self.close(None, Closing::Refused(reply), events);
        }
        self.say_hello("EHLO");
        self.state = State::Ehlo;
    }

    fn take_ehlo(&mut self, reply: Reply, events: &mut Vec<ClientEvent>) {
        if reply.is_positive() {
            self.extensions = Extensions::parse(&reply.text);
            self.state = State::Idle;
            events.push(ClientEvent::Ready);
        } else if reply.is_permanent() {
            // RFC 5321 §4.1.4: a server that does not know EHLO may know HELO.
            self.say_hello("HELO");
            self.state = State::Helo;
        } else {
            self.close(None, Closing::Refused(reply), events);
        }
    }

    fn take_helo(&mut self, reply: Reply, events: &mut Vec<ClientEvent>) {
        if reply.is_positive() {
            self.state = State::Idle;
            events.push(ClientEvent::Ready);
        } else {
            self.close(None, Closing::Refused(reply), events);
        }
    }

    fn say_hello(&mut self, verb: &str) {
        self.output
            .extend_from_slice(format!("{verb} {}\r\n", self.hostname).as_bytes());
    }

    /// Ends the transaction; the session goes on.
    fn end(&mut self, conclusion: Conclusion, leftover: Leftover, events: &mut Vec<ClientEvent>) {
        self.needs_reset = leftover == Leftover::Open;
        if let State::Transaction(transaction) = std::mem::replace(&mut self.state, State::Idle) {
            events.push(ClientEvent::Ended(transaction.result(conclusion, &self.output)));
        }
    }

    /// Ends the session, and before it the transaction: by the peer's last word, or as lost.
    fn close(&mut self, last_word: Option<Reply>, closing: Closing, events: &mut Vec<ClientEvent>) {
        if let State::Transaction(transaction) = std::mem::replace(&mut self.state, State::Closed) {
            let conclusion = transaction.cut_short(last_word);
            events.push(ClientEvent::Ended(transaction.result(conclusion, &self.output)));
        }
        self.output.clear();
        events.push(ClientEvent::Closed(closing));
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
