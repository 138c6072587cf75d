//! Source: a load client that knows what it was promised.
//!
//! In: a pattern of recipients, a number of messages, a size. Out: a ledger of what was sent, when, and what the
//! server said to it; a JSON summary with rates and latencies.
//! Never: sends a message twice. A lost connection is reconnected for the next message, so that a
//! duplicate at the sink is the server's.

#[path = "rig/mod.rs"]
mod rig;

use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Parser;
use rig::book::Book;
use rig::client::{Connection, Content, Route};
use rig::clock::{now_micros, percentile};
use rig::tail::Tail;
use rig::tls;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;
use tokio_rustls::TlsConnector;

const RECONNECT_PAUSE: Duration = Duration::from_millis(20);
/// After a refusal, so that a server which refuses everything is not a busy loop.
const REFUSED_PAUSE: Duration = Duration::from_millis(5);
/// How often a sink's ledger is looked at.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

#[derive(Parser, Clone)]
#[command(about = "SMTP load source with a ledger, for tests and benchmarks on loopback")]
struct Options {
    /// Server to send to, `127.0.0.1:PORT`.
    #[arg(long)]
    server: SocketAddr,
    /// Recipient; `%d` becomes a running number below --range. Repeat to take turns.
    #[arg(long, required = true)]
    to: Vec<String>,
    /// Numbers that `%d` runs through.
    #[arg(long, default_value_t = 1)]
    range: u64,
    /// Recipients of each message.
    #[arg(long, default_value_t = 1)]
    recipients: u64,
    /// Reverse-path; `%t` becomes the token of the message.
    #[arg(long, default_value = "source@contoso.example")]
    from: String,
    /// Messages to send; 0 goes on until --duration ends.
    #[arg(long, default_value_t = 1)]
    messages: u64,
    #[arg(long, default_value_t = 1)]
    sessions: u64,
    /// Octets of each message, header section included. Repeat to take turns.
    #[arg(long, default_value = "4096")]
    size: Vec<usize>,
    /// Most messages a second over all sessions; 0 is no limit.
    #[arg(long, default_value_t = 0.0)]
    rate: f64,
    /// Seconds after which no further message starts.
    #[arg(long, default_value_t = 3600.0)]
    duration: f64,
    /// Append what was sent and what was answered here.
    #[arg(long)]
    ledger: Option<PathBuf>,
    /// Write lines of the ledger many at a time, at the end at the latest.
    #[arg(long)]
    gather: bool,
    /// Speak STARTTLS, and trust the certificate in this folder.
    #[arg(long)]
    starttls: Option<PathBuf>,
    /// Each session sends its next message when this sink's ledger has --copies of the last one.
    #[arg(long, requires = "copies")]
    follow: Option<PathBuf>,
    #[arg(long)]
    copies: Option<usize>,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, run(options))
}

async fn run(options: Options) -> io::Result<()> {
    let shared = Rc::new(Shared::new(options)?);
    let stopper = Rc::clone(&shared);
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::task::spawn_local(async move {
        terminate.recv().await;
        stopper.stopping.set(true);
    });
    let sessions: Vec<_> = (0..shared.options.sessions)
        .map(|_| tokio::task::spawn_local(drive(Rc::clone(&shared))))
        .collect();
    for session in sessions {
        session.await.map_err(io::Error::other)??;
    }
    if let Some(ledger) = shared.ledger.borrow_mut().as_mut() {
        ledger.close()?;
    }
    println!("{}", shared.summary());
    Ok(())
}

/// What the server let us know about one message.
enum Outcome {
    /// When its dot was sent, in microseconds.
    Acked(u64),
    Refused(u16),
    /// The connection went away before the dot: the server cannot have taken it.
    Aborted,
    /// The connection went away around the dot.
    Unknown,
}

struct Shared {
    options: Options,
    connector: Option<TlsConnector>,
    run: u32,
    started: Instant,
    started_micros: u64,
    next: Cell<u64>,
    stopping: Cell<bool>,
    ledger: RefCell<Option<Book>>,
    acked: Cell<u64>,
    refused: Cell<u64>,
    unknown: Cell<u64>,
    connects: Cell<u64>,
    recipients_taken: Cell<u64>,
    first_dot_micros: Cell<u64>,
    last_dot_micros: Cell<u64>,
    last_reply_micros: Cell<u64>,
    latencies: RefCell<Vec<u32>>,
}

impl Shared {
    fn new(options: Options) -> io::Result<Self> {
        let ledger = options.ledger.as_deref().map(|path| Book::open(path, options.gather));
        let connector = options.starttls.as_deref().map(tls::connector).transpose()?;
        let started_micros = now_micros();
        Ok(Shared {
            options,
            connector,
            // Differs between runs into one ledger; the low octets of the clock and the process do.
            run: std::process::id() ^ u32::try_from(started_micros >> 12 & 0xFFFF_FFFF).unwrap_or(0),
            started: Instant::now(),
            started_micros,
            next: Cell::new(0),
            stopping: Cell::new(false),
            ledger: RefCell::new(ledger.transpose()?),
            acked: Cell::new(0),
            refused: Cell::new(0),
            unknown: Cell::new(0),
            connects: Cell::new(0),
            recipients_taken: Cell::new(0),
            first_dot_micros: Cell::new(0),
            last_dot_micros: Cell::new(0),
            last_reply_micros: Cell::new(0),
            latencies: RefCell::new(Vec::new()),
        })
    }

    fn over(&self) -> bool {
        self.stopping.get() || self.started.elapsed().as_secs_f64() >= self.options.duration
    }

    /// The next message's number, or none when the run is over.
    fn take(&self) -> Option<u64> {
        let number = self.next.get();
        if self.over() || (self.options.messages > 0 && number >= self.options.messages) {
            return None;
        }
        self.next.set(number + 1);
        Some(number)
    }

    fn note(&self, line: &[u8]) -> io::Result<()> {
        match self.ledger.borrow_mut().as_mut() {
            Some(ledger) => ledger.note(line),
            None => Ok(()),
        }
    }

    fn recipients_of(&self, number: u64) -> Vec<String> {
        let options = &self.options;
        let patterns = options.to.len() as u64;
        let numbers = (0..options.recipients).map(|at| number * options.recipients + at);
        numbers
            .map(|at| {
                let pattern = &options.to[usize::try_from(at % patterns).unwrap_or(0)];
                pattern.replace("%d", &(at / patterns % options.range).to_string())
            })
            .collect()
    }

    fn summary(&self) -> serde_json::Value {
        let mut latencies = self.latencies.borrow_mut();
        let wall = self.last_reply_micros.get().saturating_sub(self.started_micros);
        #[allow(clippy::cast_precision_loss)]
        let (seconds, acked) = (wall as f64 / 1e6, self.acked.get() as f64);
        #[allow(clippy::cast_precision_loss)]
        let taken = self.recipients_taken.get() as f64;
        let rate = |count: f64| {
            if seconds > 0.0 { (count / seconds).round() } else { 0.0 }
        };
        json!({
            "sent": self.next.get(), "acked": self.acked.get(), "refused": self.refused.get(),
            "unknown": self.unknown.get(), "connects": self.connects.get(),
            "recipients_accepted": self.recipients_taken.get(), "seconds": seconds,
            "messages_per_second": rate(acked), "recipients_per_second": rate(taken),
            "started_micros": self.started_micros, "first_dot_micros": self.first_dot_micros.get(),
            "last_dot_micros": self.last_dot_micros.get(), "last_reply_micros": self.last_reply_micros.get(),
            "latency_micros": {
                "p50": percentile(&mut latencies, 50.0), "p95": percentile(&mut latencies, 95.0),
                "p99": percentile(&mut latencies, 99.0), "max": percentile(&mut latencies, 100.0),
            },
        })
    }
}

/// One session: takes messages until there are none, reconnecting as needed.
async fn drive(shared: Rc<Shared>) -> io::Result<()> {
    let author = shared.options.from.replace("%t", "load");
    let contents = shared.options.size.iter().map(|size| Content::new(*size, &author));
    let mut contents: Vec<_> = contents.collect::<io::Result<_>>()?;
    let mut sink = shared.options.follow.as_deref().map(Tail::open).transpose()?;
    let mut connection: Option<Connection> = None;
    while let Some(number) = shared.take() {
        pace(&shared, number).await;
        let open = match connection.take() {
            Some(open) => Some(open),
            None => connect(&shared).await,
        };
        let Some(mut open) = open else { break };
        let turn = usize::try_from(number).unwrap_or(0) % contents.len();
        let digits = format!("{:08x}{number:09}", shared.run);
        contents[turn].name(&digits);
        let message = Message {
            token: format!("T{digits}"),
            recipients: shared.recipients_of(number),
        };
        let outcome = transact(&mut open, &shared, &message, &contents[turn]).await?;
        record(&shared, &message, &outcome)?;
        match outcome {
            Outcome::Acked(_) => {
                connection = Some(open);
                if let Some(sink) = &mut sink {
                    follow(&shared, sink, &message.token).await?;
                }
            }
            Outcome::Refused(421) | Outcome::Aborted | Outcome::Unknown => tokio::time::sleep(RECONNECT_PAUSE).await,
            Outcome::Refused(_) => {
                tokio::time::sleep(REFUSED_PAUSE).await;
                if open.exchange(b"RSET\r\n", 1).await.is_ok() {
                    connection = Some(open);
                }
            }
        }
    }
    if let Some(mut open) = connection {
        let _ = open.exchange(b"QUIT\r\n", 1).await;
    }
    Ok(())
}

async fn pace(shared: &Shared, number: u64) {
    if shared.options.rate > 0.0 {
        #[allow(clippy::cast_precision_loss)]
        let due = Duration::from_secs_f64(number as f64 / shared.options.rate);
        tokio::time::sleep(due.saturating_sub(shared.started.elapsed())).await;
    }
}

/// Waits until the sink has all copies of the message, or the run is over.
async fn follow(shared: &Shared, sink: &mut Tail, token: &str) -> io::Result<()> {
    let mut missing = shared.options.copies.unwrap_or(0);
    while missing > 0 && !shared.over() {
        tokio::time::sleep(LOOK_PAUSE).await;
        missing = missing.saturating_sub(sink.copies_since(token)?);
    }
    Ok(())
}

/// Connects, however often it takes while the run lasts.
async fn connect(shared: &Shared) -> Option<Connection> {
    let route = Route {
        server: shared.options.server,
        from: None,
        starttls: shared.connector.as_ref(),
    };
    while !shared.over() {
        if let Ok(open) = Connection::open(&route).await {
            shared.connects.set(shared.connects.get() + 1);
            return Some(open);
        }
        tokio::time::sleep(RECONNECT_PAUSE).await;
    }
    None
}

struct Message {
    token: String,
    recipients: Vec<String>,
}

/// One transaction: MAIL, every RCPT and DATA in flight together, then the content.
async fn transact(open: &mut Connection, shared: &Shared, message: &Message, content: &Content) -> io::Result<Outcome> {
    let mut envelope = Vec::with_capacity(64 + message.recipients.len() * 48);
    let mut line = format!("sent {}", message.token);
    write!(
        envelope,
        "MAIL FROM:<{}> SIZE={}\r\n",
        shared.options.from.replace("%t", &message.token),
        content.octets.len() - 3
    )?;
    for recipient in &message.recipients {
        write!(envelope, "RCPT TO:<{recipient}>\r\n")?;
        line.push(' ');
        line.push_str(recipient);
    }
    line.push('\n');
    envelope.extend_from_slice(b"DATA\r\n");
    shared.note(line.as_bytes())?;

    let began = Instant::now();
    let Ok(codes) = open.exchange(&envelope, message.recipients.len() + 2).await else {
        return Ok(Outcome::Aborted);
    };
    let (last, taken) = (codes[codes.len() - 1], decline(shared, message, &codes)?);
    if last != 354 {
        return Ok(Outcome::Refused(last));
    }
    if taken == 0 {
        let _ = open.exchange(b".\r\n", 1).await;
        return Ok(Outcome::Refused(554));
    }
    let sent = now_micros();
    shared.last_dot_micros.set(sent);
    if shared.first_dot_micros.get() == 0 {
        shared.first_dot_micros.set(sent);
    }
    let Ok(codes) = open.exchange(&content.octets, 1).await else {
        return Ok(Outcome::Unknown);
    };
    shared.last_reply_micros.set(now_micros());
    if codes[0] != 250 {
        return Ok(Outcome::Refused(codes[0]));
    }
    shared.recipients_taken.set(shared.recipients_taken.get() + taken);
    let micros = u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX);
    shared.latencies.borrow_mut().push(micros);
    Ok(Outcome::Acked(sent))
}

/// Notes the recipients that were not taken; returns how many were.
fn decline(shared: &Shared, message: &Message, codes: &[u16]) -> io::Result<u64> {
    let mut taken = 0;
    for (recipient, code) in message.recipients.iter().zip(&codes[1..]) {
        if *code / 100 == 2 {
            taken += 1;
        } else {
            shared.note(format!("declined {} {code} {recipient}\n", message.token).as_bytes())?;
        }
    }
    Ok(taken)
}

fn record(shared: &Shared, message: &Message, outcome: &Outcome) -> io::Result<()> {
    let token = &message.token;
    let (counter, line) = match outcome {
        Outcome::Acked(sent) => (&shared.acked, format!("acked {token} {sent}\n")),
        Outcome::Refused(code) => (&shared.refused, format!("refused {token} {code}\n")),
        Outcome::Aborted => (&shared.refused, format!("refused {token} 000\n")),
        Outcome::Unknown => (&shared.unknown, format!("unknown {token}\n")),
    };
    counter.set(counter.get() + 1);
    shared.note(line.as_bytes())
}
