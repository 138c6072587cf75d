//! One SMTP session: the pure machine of [`crate::smtp::client`] on a socket.
//!
//! In: plans and content. Out: results.
//! Never: waits for a write before it reads (a peer may answer a long group before it has read all of it), waits
//! without a deadline, sends a final dot before the outcome of the one before is durable (DESIGN promise 8).

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

use super::connect::Candidate;
use super::stream::Stream;
use super::tls::Protection;
use crate::env::Clock;
use crate::limits;
use crate::routing::{HopTimeouts, NextHop};
use crate::smtp::client::{Awaiting, ClientEvent, ClientSession, Opening, Stage, TransactionResult};
use crate::smtp::plan::TransactionPlan;
use crate::spool::content::{Content, Octets};
use crate::spool::{Commit, SpoolFault};

/// Octets read at once: the replies to a full batch fit.
const READ_OCTETS: usize = 32 * 1024;
/// Octets of content given to the machine at once.
const CHUNK_OCTETS: usize = 64 * 1024;
/// Output waiting to be written above which no more content is read.
const OUTPUT_OCTETS_MAX: usize = 256 * 1024;

/// A transaction that has ended.
#[derive(Debug)]
pub struct Transacted {
    /// Its result.
    pub result: TransactionResult,
    /// From the final dot, the last command, or the first one if content went along, to the end.
    pub latency: Duration,
}

/// Why a session cannot go on.
#[derive(Debug)]
pub enum Halt {
    /// The outcome of the transaction before could not be stored.
    Unsettled(SpoolFault),
    /// The content could not be read; the transaction was broken off before its end.
    Unreadable(Transacted),
}

/// What ended an idle session's rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rested {
    /// There may be work.
    Rung,
    /// Nothing came in time.
    TimeOut,
    /// The peer closed, or said something nobody had asked for.
    Closed,
}

/// A session with a next hop.
pub struct Session {
    pub(super) stream: Stream,
    pub(super) client: ClientSession,
    timeouts: HopTimeouts,
    buffer: Box<[u8]>,
    clock: Arc<dyn Clock>,
    /// The start of the alarm's time, and the clock's time then.
    began: (Instant, Duration),
    deadline: Instant,
    alarm: Pin<Box<Sleep>>,
    pending: Option<Commit<()>>,
    /// The connection may still hold octets that it was given.
    unflushed: bool,
    /// Transactions made.
    pub messages: u32,
    /// Whom it talks to.
    pub candidate: Candidate,
    /// How; none in clear text.
    pub protection: Option<Protection>,
}

impl Session {
    /// A session over a new connection; [`super::opening`] makes it ready.
    pub(super) fn over(
        stream: Stream,
        candidate: Candidate,
        hop: &NextHop,
        opening: Opening,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let alarm = Box::pin(tokio::time::sleep(hop.timeouts.greeting));
        let deadline = alarm.deadline();
        let began = (deadline - hop.timeouts.greeting, clock.monotonic());
        Self {
            stream,
            client: ClientSession::open(opening),
            timeouts: hop.timeouts,
            buffer: vec![0; READ_OCTETS].into_boxed_slice(),
            clock: Arc::clone(clock),
            began,
            deadline,
            alarm,
            pending: None,
            unflushed: false,
            messages: 0,
            candidate,
            protection: None,
        }
    }

    /// What the peer offers.
    #[must_use]
    pub fn client(&self) -> &ClientSession {
        &self.client
    }

    /// True if another transaction may be made.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.client.is_idle()
    }

    /// True if the peer has kept us waiting for too long.
    #[must_use]
    pub fn is_overdue(&self) -> bool {
        self.now() >= self.deadline
    }

    /// The outcome of the last transaction was handed to the store; the next final dot waits for it.
    pub fn settle(&mut self, commit: Commit<()>) {
        self.pending = Some(commit);
    }

    /// Waits until the last outcome is durable.
    pub async fn settled(&mut self) -> Result<(), SpoolFault> {
        match self.pending.take() {
            Some(commit) => commit.await,
            None => Ok(()),
        }
    }

    /// Makes one transaction. Commands go out at once; content, and what goes along with it, only after the outcome before
    /// is durable.
    pub async fn transact(
        &mut self,
        plan: TransactionPlan,
        prefix: &[u8],
        content: &Content,
    ) -> Result<Transacted, Halt> {
        self.messages += 1;
        let whole = if self.client.takes_content_at_once() && plan.len() <= limits::CONTENT_AT_ONCE_RECIPIENTS_MAX {
            whole(&plan, prefix, content).await
        } else {
            None
        };
        match whole {
            Some(whole) => {
                self.settled().await.map_err(Halt::Unsettled)?;
                self.client.start_with_content(plan, &[prefix, &whole]);
            }
            None => self.client.start_transaction(plan),
        }
        self.renew();
        let mut asked = self.clock.monotonic();
        loop {
            for event in self.step().await {
                match event {
                    ClientEvent::SendContent => {
                        self.settled().await.map_err(Halt::Unsettled)?;
                        let ended = self.send_content(prefix, content).await?;
                        if let Some(result) = ended {
                            return Ok(self.transacted(result, asked));
                        }
                        asked = self.clock.monotonic();
                    }
                    ClientEvent::Ended(result) => return Ok(self.transacted(result, asked)),
                    ClientEvent::StartTls | ClientEvent::Ready | ClientEvent::Closed(_) => {}
                }
            }
        }
    }

    /// Writes the content and the final dot. Returns the result if the peer ended the transaction meanwhile.
    async fn send_content(&mut self, prefix: &[u8], content: &Content) -> Result<Option<TransactionResult>, Halt> {
        let asked = self.clock.monotonic();
        // The peer is not to blame for the wait for the store.
        self.renew();
        self.client.write_content(prefix);
        let mut offset = 0;
        loop {
            let chunk = match chunk(content, offset).await {
                Ok(chunk) => chunk,
                Err(error) => {
                    tracing::error!(%error, "a message's content could not be read while it was sent");
                    let ended = ended(self.client.connection_lost());
                    return match ended {
                        Some(result) => Err(Halt::Unreadable(self.transacted(result, asked))),
                        None => Ok(None),
                    };
                }
            };
            if chunk.is_empty() {
                break;
            }
            offset += chunk.len() as u64;
            self.client.write_content(&chunk);
            if self.client.output().len() > OUTPUT_OCTETS_MAX {
                let result = self.drain().await;
                if result.is_some() {
                    return Ok(result);
                }
            }
        }
        self.client.finish_content();
        self.renew();
        Ok(None)
    }

    /// Writes until little output is left.
    async fn drain(&mut self) -> Option<TransactionResult> {
        poll_fn(|context| {
            loop {
                let events = match self.poll_step(context) {
                    Poll::Ready(events) => events,
                    Poll::Pending if self.client.output().len() <= CHUNK_OCTETS => return Poll::Ready(None),
                    Poll::Pending => return Poll::Pending,
                };
                if let Some(result) = ended(events) {
                    return Poll::Ready(Some(result));
                }
            }
        })
        .await
    }

    /// Waits for work: until the bell is rung, the peer closes or time is up. The last outcome is waited for meanwhile.
    pub async fn rest(&mut self, bell: &Arc<Notify>, idle_max: Duration) -> Result<Rested, SpoolFault> {
        let until = self.now() + idle_max;
        self.set_deadline(until);
        let mut pending = self.pending.take();
        let rung = bell.notified();
        tokio::pin!(rung);
        let rested = poll_fn(|context| {
            if let Some(commit) = &mut pending
                && let Poll::Ready(stored) = commit.as_mut().poll(context)
            {
                pending = None;
                if let Err(fault) = stored {
                    return Poll::Ready(Err(fault));
                }
            }
            if rung.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ok(Rested::Rung));
            }
            if self.poll_read(context).is_ready() {
                return Poll::Ready(Ok(Rested::Closed));
            }
            if self.poll_alarm(context).is_ready() {
                return Poll::Ready(Ok(Rested::TimeOut));
            }
            Poll::Pending
        })
        .await;
        self.pending = pending;
        rested
    }

    /// Says QUIT and waits shortly for the answer, so that the peer sees an orderly end.
    pub async fn quit(mut self) {
        if !self.client.is_idle() {
            return;
        }
        self.client.quit();
        self.set_deadline(self.now() + limits::QUIT_REPLY_TIMEOUT);
        loop {
            let events = self.step().await;
            if events.iter().any(|event| matches!(event, ClientEvent::Closed(_))) {
                return;
            }
        }
    }

    /// Writes what there is and reads what comes, until something has happened.
    pub(super) async fn step(&mut self) -> Vec<ClientEvent> {
        poll_fn(|context| self.poll_step(context)).await
    }

    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Vec<ClientEvent>> {
        loop {
            let mut written = false;
            while !self.client.output().is_empty() {
                match Pin::new(&mut self.stream).poll_write(context, self.client.output()) {
                    Poll::Ready(Ok(count)) if count > 0 => {
                        self.client.written(count);
                        written = true;
                        self.unflushed = true;
                    }
                    Poll::Ready(_) => return Poll::Ready(self.client.connection_lost()),
                    Poll::Pending => break,
                }
            }
            // Over TLS what was written may still stand in a buffer.
            if self.unflushed {
                match Pin::new(&mut self.stream).poll_flush(context) {
                    Poll::Ready(Ok(())) => self.unflushed = false,
                    Poll::Ready(Err(_)) => return Poll::Ready(self.client.connection_lost()),
                    Poll::Pending => {}
                }
            }
            if written && self.client.awaiting() == Awaiting::Content {
                self.renew();
            }
            if let Poll::Ready(events) = self.poll_read(context) {
                if events.is_empty() {
                    continue;
                }
                return Poll::Ready(events);
            }
            return self.poll_alarm(context).map(|()| self.client.connection_lost());
        }
    }

    /// Reads once; no events means that the octets did not bring any.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Vec<ClientEvent>> {
        let mut buffer = ReadBuf::new(&mut self.buffer);
        let read = Pin::new(&mut self.stream).poll_read(context, &mut buffer);
        let count = buffer.filled().len();
        match read {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) if count > 0 => {
                let replies = self.client.replies();
                let events = self.client.receive(&self.buffer[..count]);
                // A whole reply is progress; octets are not, and lines are not (a tarpit may send one a minute).
                if self.client.replies() > replies {
                    self.renew();
                }
                if self.client.awaiting() == Awaiting::Nothing {
                    self.say_goodbye(context);
                }
                Poll::Ready(events)
            }
            Poll::Ready(_) => Poll::Ready(self.client.connection_lost()),
        }
    }

    /// Writes what a session leaves to be said at its end, if the connection takes it at once.
    fn say_goodbye(&mut self, context: &mut Context<'_>) {
        let words = self.client.take_output();
        if !words.is_empty()
            && let Poll::Ready(Ok(_)) = Pin::new(&mut self.stream).poll_write(context, &words)
        {
            // Whether it arrives changes nothing.
            let _ = Pin::new(&mut self.stream).poll_flush(context);
        }
    }

    fn poll_alarm(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.alarm.as_mut().poll(context).is_ready() {
            if self.now() >= self.deadline {
                return Poll::Ready(());
            }
            self.alarm.as_mut().reset(self.deadline);
        }
        Poll::Pending
    }

    /// Sets the deadline for what the session now waits for (RFC 5321 §4.5.3.2).
    pub(super) fn renew(&mut self) {
        let timeouts = &self.timeouts;
        let patience = match self.client.awaiting() {
            Awaiting::Reply(Stage::Session) => timeouts.greeting,
            Awaiting::Reply(Stage::Mail) => timeouts.mail,
            Awaiting::Reply(Stage::Rcpt) => timeouts.rcpt,
            Awaiting::Reply(Stage::Data) => timeouts.data,
            Awaiting::Reply(Stage::Content) | Awaiting::Content => timeouts.block,
            Awaiting::Reply(Stage::FinalDot) => timeouts.dot,
            Awaiting::Handshake => timeouts.handshake,
            other @ (Awaiting::Plan | Awaiting::Goodbye | Awaiting::Nothing) => other.patience(),
        };
        self.set_deadline(self.now() + patience);
    }

    fn transacted(&self, result: TransactionResult, asked: Duration) -> Transacted {
        Transacted {
            result,
            latency: self.clock.monotonic().saturating_sub(asked),
        }
    }

    /// Now, in the alarm's time.
    fn now(&self) -> Instant {
        let (instant, clock) = self.began;
        instant + self.clock.monotonic().saturating_sub(clock)
    }

    /// A later deadline leaves the alarm as it is: it looks again when it rings.
    fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
        if deadline < self.alarm.deadline() {
            self.alarm.as_mut().reset(deadline);
        }
    }
}

fn ended(events: Vec<ClientEvent>) -> Option<TransactionResult> {
    events.into_iter().find_map(|event| match event {
        ClientEvent::Ended(result) => Some(result),
        ClientEvent::StartTls | ClientEvent::Ready | ClientEvent::SendContent | ClientEvent::Closed(_) => None,
    })
}

/// True if the content holds an octet that only 8BITMIME may carry.
pub(super) async fn is_eight_bit(content: &Content) -> std::io::Result<bool> {
    let mut offset = 0;
    loop {
        let octets = chunk(content, offset).await?;
        if octets.is_empty() || !octets.is_ascii() {
            return Ok(!octets.is_empty());
        }
        offset += octets.len() as u64;
    }
}

/// The content, if it is short enough to go along with the commands of its transaction.
async fn whole(plan: &TransactionPlan, prefix: &[u8], content: &Content) -> Option<bytes::Bytes> {
    let octets = plan
        .chunk()
        .filter(|octets| *octets <= limits::CONTENT_AT_ONCE_OCTETS_MAX)?;
    // What cannot be read is told of where content is sent by itself.
    let first = chunk(content, 0).await.ok()?;
    let wanted = usize::try_from(octets).ok()?.checked_sub(prefix.len())?;
    if first.len() == wanted {
        return Some(first);
    }
    let mut whole = bytes::BytesMut::from(&*first);
    while whole.len() < wanted {
        let next = chunk(content, whole.len() as u64).await.ok()?;
        if next.is_empty() {
            return None;
        }
        whole.extend_from_slice(&next);
    }
    (whole.len() == wanted).then(|| whole.freeze())
}

/// The next octets of the content; none at the end. Small bodies come from the page cache; large ones may have to be
/// read from the disk, which is no work for a thread that drives sockets.
async fn chunk(content: &Content, offset: u64) -> std::io::Result<bytes::Bytes> {
    match &content.octets {
        Octets::Memory(octets) => {
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(octets.len());
            Ok(octets.slice(start..octets.len().min(start + CHUNK_OCTETS)))
        }
        Octets::Stored(body) => {
            let body = Arc::clone(body);
            let is_large = body.len() > limits::SEGMENT_CONTENT_OCTETS_MAX as u64;
            let read = move || {
                let mut octets = vec![0; CHUNK_OCTETS];
                let count = body.read_at(offset, &mut octets)?;
                if count == 0 && offset < body.len() {
                    return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
                }
                octets.truncate(count);
                Ok(bytes::Bytes::from(octets))
            };
            if is_large {
                tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other)?
            } else {
                read()
            }
        }
    }
}
