//! One session over a socket: reads, lets the machine decide, writes once per group of replies, keeps time.
//!
//! Never: a reply after DATA that the intake has not given; a wait without a deadline.

mod patience;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::accept::{Shared, stop_asked};
use super::deadline::Deadline;
use super::gate::{Arriving, IntakeGate};
use super::settings::Tls;
use super::stream::Stream;
use super::tls::{Acceptance, Accepted};
use crate::categorizer::intake::{ClientFacts, Submission};
use crate::limits::{CONTENT_BUFFER_OCTETS, LINGER_TIMEOUT, SESSION_BUFFER_OCTETS, TLS_HANDSHAKE_TIMEOUT};
use crate::mail::{Envelope, MessageId, Reply};
use crate::smtp::replies;
use crate::smtp::server::{Action, Channel, ServerSession};
use crate::spool::content::{Content, ContentWriter};

/// Why a session's loop ends.
enum End {
    /// The machine said so; its last reply has been written.
    Closed,
    /// The client closed, or the connection failed.
    Gone,
}

/// What a wait for the client brought.
enum Arrived {
    Octets,
    EndOfStream,
    Timeout,
    Shutdown,
}

/// Serves one client to the end.
pub(super) async fn serve(shared: Arc<Shared>, stream: TcpStream, client: ClientFacts, stop: watch::Receiver<bool>) {
    let mut client = client;
    let mut deadline = Deadline::new(Arc::clone(&shared.env.clock), shared.settings.command_timeout);
    let (stream, channel) = match (&shared.tls, shared.settings.tls) {
        (Some(tls), Tls::Implicit) => {
            deadline.set(deadline.now() + TLS_HANDSHAKE_TIMEOUT);
            match handshake(tls, stream, &mut deadline).await {
                Ok(accepted) => {
                    client.secured = Some(Arc::new(accepted.secured));
                    (Stream::Tls(Box::new(accepted.stream)), accepted.channel)
                }
                Err(error) => return not_secured(&client, &error),
            }
        }
        (Some(_) | None, _) => (Stream::Plain(stream), Channel::Plaintext),
    };
    let mut out = Vec::with_capacity(512);
    let mut machine = ServerSession::open(Arc::clone(&shared.profile), channel, &mut out);
    if shared.settings.speaks_for_others(client.client) {
        machine = machine.that_may_speak_for_others();
    }
    let mut session = Session {
        gate: IntakeGate::new(Arc::clone(&shared), client),
        pace: Pace {
            steps: 0,
            since: deadline.now(),
            fruitless_since: deadline.now(),
        },
        deadline,
        input: Vec::with_capacity(SESSION_BUFFER_OCTETS),
        stopping: false,
        errors_paid_for: 0,
        shared,
        stream,
        machine,
        out,
        stop,
    };
    match session.run().await {
        Ok(End::Closed) => session.linger().await,
        Ok(End::Gone) => {}
        Err(error) => tracing::debug!(client = %session.gate.client.client, %error, "connection lost"),
    }
}

struct Session {
    shared: Arc<Shared>,
    stream: Stream,
    machine: ServerSession,
    gate: IntakeGate,
    /// Octets that the machine has not taken yet.
    input: Vec<u8>,
    out: Vec<u8>,
    deadline: Deadline,
    pace: Pace,
    stop: watch::Receiver<bool>,
    stopping: bool,
    /// Errors whose replies have been held back.
    errors_paid_for: u32,
}

/// Since when the client owes the next command, or has been sending content.
struct Pace {
    steps: u64,
    since: Duration,
    /// When the last message was answered, or the session began.
    fruitless_since: Duration,
}

impl Session {
    async fn run(&mut self) -> io::Result<End> {
        if let Some(end) = self.greet().await? {
            return Ok(end);
        }
        loop {
            if let Some(end) = self.advance().await? {
                return Ok(end);
            }
            self.stopping |= *self.stop.borrow();
            if self.stopping && !self.machine.in_transaction() {
                return self.dismiss(&replies::SHUTTING_DOWN).await;
            }
            self.flush().await?;
            self.set_deadline();
            // Who never stops talking is not asked by `read`.
            if self.deadline.is_past() {
                return self.dismiss(&replies::TIMEOUT).await;
            }
            match self.read().await? {
                Arrived::Octets => {}
                Arrived::EndOfStream => return Ok(End::Gone),
                Arrived::Timeout => return self.dismiss(&replies::TIMEOUT).await,
                Arrived::Shutdown => self.stopping = true,
            }
        }
    }

    /// Lets the machine take what has come, up to where it needs more.
    async fn advance(&mut self) -> io::Result<Option<End>> {
        loop {
            let (used, action) = self.machine.receive(&self.input, &mut self.gate, &mut self.out);
            if used == self.input.len() {
                self.input.clear();
            } else {
                self.input.drain(..used);
            }
            match action {
                Action::Read => return Ok(None),
                Action::Write => {
                    self.flush().await?;
                    self.gate.screened().await;
                }
                Action::Submit(envelope) => {
                    self.flush().await?;
                    let reply = self.submit(envelope).await;
                    self.machine.answer(&reply, &mut self.out);
                    self.pace.fruitless_since = self.deadline.now();
                    self.shrink();
                    // A client that always has more to send would never let `read` see it.
                    if self.stopping || *self.stop.borrow() {
                        return self.dismiss(&replies::SHUTTING_DOWN).await.map(Some);
                    }
                }
                Action::StartTls => {
                    self.flush().await?;
                    if !self.secure().await {
                        return Ok(Some(End::Gone));
                    }
                }
                Action::Ask(question) => {
                    self.flush().await?;
                    let Some(answer) = self.gate.ask(question).await else {
                        return self.dismiss(&replies::TOO_MANY_FAILURES).await.map(Some);
                    };
                    self.machine.vouch(answer, &mut self.gate, &mut self.out);
                }
                Action::Close => {
                    self.flush().await?;
                    return Ok(Some(End::Closed));
                }
            }
        }
    }

    /// Makes the handshake that STARTTLS asked for; false if the session is over.
    async fn secure(&mut self) -> bool {
        // The machine has seen that nothing came behind STARTTLS; what comes now is the handshake, or the end.
        let (Some(tls), Some(stream)) = (&self.shared.tls, self.stream.take_plain()) else {
            return false;
        };
        self.input.clear();
        self.deadline.set(self.deadline.now() + TLS_HANDSHAKE_TIMEOUT);
        match handshake(tls, stream, &mut self.deadline).await {
            Ok(accepted) => {
                self.stream = Stream::Tls(Box::new(accepted.stream));
                self.machine.secured(accepted.channel);
                self.gate.secured(accepted.secured);
                true
            }
            Err(error) => {
                not_secured(&self.gate.client, &error);
                false
            }
        }
    }

    /// Hands the message over, and brings back the answer.
    async fn submit(&mut self, envelope: Envelope) -> Reply {
        let received_at = self.shared.env.clock.now();
        let content = match self.gate.take_content().and_then(Arriving::end) {
            Ok((writer, original_head)) => finish(writer).await.map(|content| (content, original_head)),
            Err(error) => Err(error),
        };
        match content {
            Ok((content, original_head)) => {
                let id = self.shared.new_id(received_at);
                for (reason, note) in self.gate.notes() {
                    self.gate.intake.noted(id, &self.gate.client, reason, note);
                }
                let submission = Submission {
                    id,
                    client: self.gate.client.clone(),
                    envelope,
                    content,
                    original_head,
                    received_at,
                };
                self.gate.intake.submit(submission).await
            }
            Err(error) => self.gate.not_stored(&envelope, &error),
        }
    }

    /// RFC 5321 §4.5.3.2, and a least pace for content, so that slow clients do not hold a session for nothing.
    fn set_deadline(&mut self) {
        let settings = &self.shared.settings;
        let now = self.deadline.now();
        if self.pace.steps != self.machine.steps() {
            self.pace.steps = self.machine.steps();
            self.pace.since = now;
        }
        // Single octets are no progress: only a whole command, or content at a pace, moves the deadline.
        let due = match self.machine.content_octets() {
            Some(octets) => {
                let earned = Duration::from_secs(octets / settings.data_octets_per_second_min.max(1));
                let whole = (settings.data_block_timeout + earned).min(settings.data_timeout);
                (now + settings.data_block_timeout).min(self.pace.since + whole)
            }
            None => {
                let fruitless = self.pace.fruitless_since + settings.fruitless_timeout;
                (self.pace.since + settings.command_timeout).min(fruitless)
            }
        };
        self.deadline.set(due);
    }

    async fn read(&mut self) -> io::Result<Arrived> {
        // Much content deserves large reads: the buffer grows when a read has filled it.
        if self.input.len() == self.input.capacity() {
            self.input.reserve(SESSION_BUFFER_OCTETS);
        } else if self.input.is_empty()
            && self.machine.content_octets() > Some(SESSION_BUFFER_OCTETS as u64)
            && self.input.capacity() < CONTENT_BUFFER_OCTETS
        {
            self.input.reserve(CONTENT_BUFFER_OCTETS);
        }
        tokio::select! {
            biased;
            read = self.stream.read_buf(&mut self.input) => Ok(match read? {
                0 => Arrived::EndOfStream,
                _ => Arrived::Octets,
            }),
            () = self.deadline.passed() => Ok(Arrived::Timeout),
            () = stop_asked(&mut self.stop), if !self.stopping => Ok(Arrived::Shutdown),
        }
    }

    /// Between messages a session keeps small buffers.
    fn shrink(&mut self) {
        if self.input.is_empty() && self.input.capacity() > 2 * SESSION_BUFFER_OCTETS {
            self.input = Vec::with_capacity(SESSION_BUFFER_OCTETS);
        }
        self.out.shrink_to(SESSION_BUFFER_OCTETS);
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.drag().await;
        self.deadline
            .set(self.deadline.now() + self.shared.settings.command_timeout);
        let written = tokio::select! {
            biased;
            written = write(&mut self.stream, &self.out) => written,
            () = self.deadline.passed() => Err(io::ErrorKind::TimedOut.into()),
        };
        self.out.clear();
        written
    }

    async fn dismiss(&mut self, reply: &Reply) -> io::Result<End> {
        self.machine.dismiss(reply, &mut self.out);
        self.flush().await?;
        Ok(End::Closed)
    }

    /// Closes without a reset: a reset would take our last reply with it.
    async fn linger(&mut self) {
        if self.stream.shutdown().await.is_err() {
            return;
        }
        self.input = Vec::with_capacity(SESSION_BUFFER_OCTETS);
        let drain = async {
            for _ in 0..64 {
                self.input.clear();
                match self.stream.read_buf(&mut self.input).await {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
            }
        };
        let _ = tokio::time::timeout(LINGER_TIMEOUT, drain).await;
    }
}

async fn write(stream: &mut Stream, octets: &[u8]) -> io::Result<()> {
    stream.write_all(octets).await?;
    stream.flush().await
}

async fn handshake(tls: &Acceptance, stream: TcpStream, deadline: &mut Deadline) -> io::Result<Accepted> {
    tokio::select! {
        accepted = tls.accept(stream) => accepted,
        () = deadline.passed() => Err(io::ErrorKind::TimedOut.into()),
    }
}

fn not_secured(client: &ClientFacts, error: &io::Error) {
    tracing::info!(listener = %client.listener, client = %client.client, %error, "TLS could not be agreed on");
}

/// Ends writing; a large message is synced, and that happens off the reactor threads.
async fn finish(writer: Box<dyn ContentWriter>) -> io::Result<Content> {
    if !writer.is_large() {
        return writer.finish();
    }
    match tokio::task::spawn_blocking(move || writer.finish()).await {
        Ok(content) => content,
        Err(error) => Err(io::Error::other(error)),
    }
}

impl Shared {
    /// A message id: UUID version 7 from the clock and chance we were handed.
    fn new_id(&self, now: jiff::Timestamp) -> MessageId {
        let mut chance = [0; 10];
        self.env.chance.fill(&mut chance);
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        MessageId(uuid::Builder::from_unix_timestamp_millis(millis, &chance).into_uuid())
    }
}
