//! The next hop's side of a session: one pure machine that a driver feeds over a socket.
//!
//! In: octets of the peer, transactions to make, content. Out: octets to write ([`ClientSession::output`]) and
//! [`ClientEvent`]s: one outcome per recipient, whatever happens.
//! Never: a recipient counted as taken without a 2yz to a final dot that covered it; a second message from one
//! transaction; content to a peer that accepted nobody, unless it goes along with the commands (a 354 is then answered
//! by the dot alone, RFC 2920 §3.1);
//! anything believed that came before TLS (RFC 3207 §4.2); a password to a peer that others can hear or pretend to be,
//! unless told so.
//!
//! ```text
//! let mut session = ClientSession::new("mail.contoso.example", Pipelining::WhereOffered);
//! loop {
//!     // Reads while it writes: a peer may answer a long group before it has read all of it (RFC 2920 §3.1).
//!     select! {
//!         n = socket.write(session.output()), if !session.output().is_empty() => session.written(n),
//!         n = socket.read(&mut buffer) => for event in session.receive(&buffer[..n]) { match event {
//!             StartTls => { socket = handshake(socket); session.judged(peer); session.tls_established() }
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

mod introduction;

use std::time::Duration;

use bytes::{Buf, BytesMut};

use super::extension::Extensions;
pub use super::opening::{Closing, Opening, Peer, Pipelining, StartTls, Unfit};
use super::plan::TransactionPlan;
use super::reply_parser::{ReplyFault, ReplyParser};
use super::sign_in::Exchange;
pub use super::transaction::{Conclusion, Outcome, RecipientAnswer, Stage, TransactionResult};
use super::transaction::{Leftover, Step, Transaction, Turn, is_refusal};
use crate::limits::{DATA_BLOCK_TIMEOUT, DATA_REPLY_TIMEOUT, FINAL_REPLY_TIMEOUT, QUIT_REPLY_TIMEOUT, REPLY_TIMEOUT};
use crate::mail::Reply;

/// What the driver is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientEvent {
    /// The peer waits for a TLS handshake: make one and call [`ClientSession::tls_established`], or drop the socket.
    StartTls,
    /// EHLO or HELO was accepted; [`ClientSession::start_transaction`] may be called.
    Ready,
    /// 354 came and at least one recipient was accepted: write the content.
    SendContent,
    /// The transaction is over. Unless [`ClientEvent::Closed`] follows, the next one may start.
    Ended(TransactionResult),
    /// The session is over: write what the output still holds if that needs no waiting, and close the socket. The last
    /// event.
    Closed(Closing),
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
    /// The driver's TLS handshake.
    Handshake,
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
            Self::Reply(Stage::Session | Stage::Mail | Stage::Rcpt) | Self::Plan | Self::Handshake => REPLY_TIMEOUT,
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
    opening: Opening,
    /// Nobody else can read it.
    is_protected: bool,
    /// The peer knows us by AUTH.
    is_signed_in: bool,
    /// Whole replies that have come.
    replies: u64,
    /// Whether it is proved who the peer is.
    peer: Peer,
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
    StartTls,
    Handshake,
    SignIn(Box<Exchange>),
    Idle,
    Transaction(Box<Transaction>),
    Quit,
    Closed,
}

impl ClientSession {
    /// A session that waits for the greeting and then introduces itself as `hostname`, without TLS and AUTH.
    #[must_use]
    pub fn new(hostname: &str, pipelining: Pipelining) -> Self {
        Self::open(Opening {
            hostname: hostname.to_owned(),
            pipelining,
            starttls: StartTls::Never,
            sign_in: None,
        })
    }

    /// A session that waits for the greeting.
    #[must_use]
    pub fn open(opening: Opening) -> Self {
        Self {
            is_protected: opening.starttls == StartTls::Already,
            opening,
            is_signed_in: false,
            replies: 0,
            peer: Peer::Unproved,
            parser: ReplyParser::default(),
            output: BytesMut::new(),
            extensions: Extensions::default(),
            needs_reset: false,
            state: State::Greeting,
        }
    }

    /// True once TLS protects the connection.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.is_protected
    }

    /// True once the peer has accepted our AUTH.
    #[must_use]
    pub fn is_signed_in(&self) -> bool {
        self.is_signed_in
    }

    /// Whole replies that have come so far: what a driver may take for progress. Lines of one that never ends are none.
    #[must_use]
    pub fn replies(&self) -> u64 {
        self.replies
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
            State::Greeting | State::Ehlo | State::Helo | State::StartTls | State::SignIn(_) => {
                Awaiting::Reply(Stage::Session)
            }
            State::Handshake => Awaiting::Handshake,
            State::Idle => Awaiting::Plan,
            State::Transaction(transaction) if transaction.wants_content() => Awaiting::Content,
            State::Transaction(transaction) => Awaiting::Reply(transaction.due()),
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
        self.start(plan, None);
    }

    /// True if a transaction may bring its content along ([`ClientSession::start_with_content`]).
    #[must_use]
    pub fn takes_content_at_once(&self) -> bool {
        // Where a RSET is refused, the recipients of a transaction before would be sent the content.
        self.is_pipelined() && self.extensions.chunking && !self.needs_reset
    }

    /// Starts a transaction by BDAT with its content right behind the commands: one round trip for all of it (RFC 3030
    /// §4.2). [`ClientEvent::SendContent`] does not come. For content that may as well be sent in vain: a peer that
    /// accepts nobody is sent it all the same, and has to discard it (RFC 3030 §2). `parts` together are the plan's chunk.
    ///
    /// # Panics
    /// As [`ClientSession::start_transaction`]; and if the plan is not for a chunk or the peer does not take it so.
    pub fn start_with_content(&mut self, plan: TransactionPlan, parts: &[&[u8]]) {
        assert!(
            self.takes_content_at_once(),
            "CHUNKING and PIPELINING are offered, and nothing is left of a transaction before"
        );
        assert!(plan.chunk().is_some(), "the plan is for a chunk");
        self.start(plan, Some(parts));
    }

    fn is_pipelined(&self) -> bool {
        self.extensions.pipelining && self.opening.pipelining == Pipelining::WhereOffered
    }

    fn start(&mut self, plan: TransactionPlan, content: Option<&[&[u8]]>) {
        assert!(self.is_idle(), "a transaction may start only after Ready or Ended");
        assert!(!plan.is_empty(), "a transaction needs a recipient");
        let pipelined = self.is_pipelined();
        let step = if self.needs_reset { Step::Reset } else { Step::Mail };
        if self.needs_reset {
            self.output.extend_from_slice(b"RSET\r\n");
        }
        if pipelined || !self.needs_reset {
            self.output.extend_from_slice(plan.mail_command());
        }
        if pipelined {
            self.output.extend_from_slice(plan.rcpt_commands());
            // A chunk may be large: first it is to be known whether anybody is accepted.
            if plan.chunk().is_none() {
                self.output.extend_from_slice(b"DATA\r\n");
            }
        }
        self.needs_reset = false;
        let mut transaction = Transaction::new(plan, pipelined, step);
        if let Some(parts) = content {
            transaction.send_at_once(parts, &mut self.output);
        }
        self.state = State::Transaction(Box::new(transaction));
    }

    /// Appends content to the output, dot-stuffed unless it goes as a chunk. Call after [`ClientEvent::SendContent`], as
    /// often as needed; keep [`ClientSession::output`] short by writing in between. Ignored once the transaction has ended
    /// early.
    pub fn write_content(&mut self, content: &[u8]) {
        if let State::Transaction(transaction) = &mut self.state
            && transaction.wants_content()
        {
            transaction.write_content(content, &mut self.output);
        }
    }

    /// Ends the content: appends the final dot. A chunk ends with its last octet; the peer waits for those that are
    /// missing.
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

    /// The handshake that [`ClientEvent::StartTls`] asked for is made, and the peer is whom the driver wanted. What was
    /// said before is forgotten (RFC 3207 §4.2).
    ///
    /// # Panics
    /// If no handshake was asked for: an error of the driver.
    pub fn tls_established(&mut self) {
        assert!(matches!(self.state, State::Handshake), "a handshake was asked for");
        self.is_protected = true;
        self.extensions = Extensions::default();
        self.parser = ReplyParser::default();
        self.say_hello("EHLO");
        self.state = State::Ehlo;
    }

    /// The handshake has shown whether the peer is who it is said to be. Before it is told, the peer could be anybody.
    pub fn judged(&mut self, peer: Peer) {
        self.peer = peer;
    }

    /// Takes octets of the peer.
    pub fn receive(&mut self, octets: &[u8]) -> Vec<ClientEvent> {
        let mut events = Vec::new();
        let mut rest = octets;
        while !matches!(self.state, State::Closed) {
            if matches!(self.state, State::Handshake) {
                // RFC 3207 §4.2, and the lesson of 2011: nothing in clear text may stand behind the 220.
                if !rest.is_empty() {
                    events.retain(|event| *event != ClientEvent::StartTls);
                    self.close(None, Closing::Unfit(Unfit::TlsInjected), &mut events);
                }
                break;
            }
            match self.parser.next(&mut rest) {
                Ok(Some(reply)) => {
                    self.replies += 1;
                    self.take_reply(reply, &mut events);
                }
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
            State::StartTls => self.take_starttls(reply, events),
            State::SignIn(_) => self.take_sign_in(reply, events),
            State::Quit => self.close(None, Closing::Quit, events),
            State::Idle if is_goodbye => self.close(None, Closing::Unavailable(reply), events),
            State::Idle => self.close(None, Closing::Fault(ReplyFault::OutOfTurn), events),
            State::Transaction(_) if is_goodbye => {
                let closing = Closing::Unavailable(reply.clone());
                self.close(Some(reply), closing, events);
            }
            State::Transaction(transaction)
                if (transaction.wants_content() || transaction.is_cut_off(&self.output)) && is_refusal(&reply) =>
            {
                // Refused before the final dot: a verdict, but the stream cannot be brought back in step.
                self.close(Some(reply), Closing::Fault(ReplyFault::OutOfTurn), events);
            }
            State::Transaction(transaction) => match transaction.take_reply(reply, &mut self.output) {
                Ok(Turn::Wait) => {}
                Ok(Turn::Content) => events.push(ClientEvent::SendContent),
                Ok(Turn::End { conclusion, leftover }) => self.end(conclusion, leftover, events),
                Err(fault) => self.close(None, Closing::Fault(fault), events),
            },
            State::Handshake | State::Closed => {}
        }
    }

    fn ready(&mut self, events: &mut Vec<ClientEvent>) {
        self.state = State::Idle;
        events.push(ClientEvent::Ready);
    }

    fn say_hello(&mut self, verb: &str) {
        self.say(&format!("{verb} {}", self.opening.hostname));
    }

    fn say(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    /// Ends the transaction; the session goes on.
    fn end(&mut self, conclusion: Conclusion, leftover: Leftover, events: &mut Vec<ClientEvent>) {
        self.needs_reset = leftover == Leftover::Open;
        if let State::Transaction(transaction) = std::mem::replace(&mut self.state, State::Idle) {
            events.push(ClientEvent::Ended(transaction.result(conclusion, &self.output)));
        }
    }

    /// Ends the session in good order (RFC 5321 §4.1.1.10: QUIT before the connection is closed). The words are left in the
    /// output for a driver that can write them; nobody waits for an answer.
    fn part(&mut self, words: &str, closing: Closing, events: &mut Vec<ClientEvent>) {
        self.close(None, closing, events);
        self.say(words);
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
