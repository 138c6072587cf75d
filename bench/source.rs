//! Source: a load client that knows what it was promised.
//!
//! In: a pattern of recipients, a number of messages, a size. Out: a ledger of what was sent and what the
//! server said to it; a JSON summary with rates and latencies.
//! Never: sends a message twice. A lost connection is reconnected for the next message, so that a
//! duplicate at the sink is the server's.

#[path = "rig/mod.rs"]
mod rig;

use std::cell::{Cell, RefCell};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Parser;
use rig::clock::{now_micros, percentile};
use rig::wire::replies_in;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

const RECONNECT_PAUSE: Duration = Duration::from_millis(20);
/// After a refusal, so that a server which refuses everything is not a busy loop.
const REFUSED_PAUSE: Duration = Duration::from_millis(5);
/// Digits of a token after its letter: eight of the run, nine of the message.
const DIGITS: usize = 17;

#[derive(Parser, Clone)]
#[command(about = "SMTP load source with a ledger, for tests and benchmarks on loopback")]
struct Options {
    /// Server to send to.
    #[arg(long)]
    server: String,
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
    println!("{}", shared.summary());
    Ok(())
}

/// What the server let us know about one message.
enum Outcome {
    Acked,
    Refused(u16),
    /// The connection went away before the dot: the server cannot have taken it.
    Aborted,
    /// The connection went away around the dot.
    Unknown,
}

struct Shared {
    options: Options,
    run: u32,
    started: Instant,
    started_micros: u64,
    next: Cell<u64>,
    stopping: Cell<bool>,
    ledger: RefCell<Option<File>>,
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
        let ledger = match &options.ledger {
            Some(path) => Some(OpenOptions::new().create(true).append(true).open(path)?),
            None => None,
        };
        let started_micros = now_micros();
        Ok(Shared {
            options,
            // Differs between runs into one ledger; the low octets of the clock and the process do.
            run: std::process::id() ^ u32::try_from(started_micros >> 12 & 0xFFFF_FFFF).unwrap_or(0),
            started: Instant::now(),
            started_micros,
            next: Cell::new(0),
            stopping: Cell::new(false),
            ledger: RefCell::new(ledger),
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
            Some(ledger) => ledger.write_all(line),
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
    let date = jiff::fmt::rfc2822::to_string(&jiff::Zoned::now()).map_err(io::Error::other)?;
    let contents: Vec<_> = shared
        .options
        .size
        .iter()
        .map(|size| Content::new(*size, &shared.options, &date))
        .collect();
    let mut contents = contents;
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
            Outcome::Acked => connection = Some(open),
            Outcome::Refused(421) | Outcome::Aborted | Outcome::Unknown => tokio::time::sleep(RECONNECT_PAUSE).await,
            Outcome::Refused(_) => {
                tokio::time::sleep(REFUSED_PAUSE).await;
                if open.reset().await.is_ok() {
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

/// Connects, however often it takes while the run lasts.
async fn connect(shared: &Shared) -> Option<Connection> {
    while !shared.over() {
        if let Ok(open) = Connection::open(&shared.options.server).await {
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
    Ok(Outcome::Acked)
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
        Outcome::Acked => (&shared.acked, format!("acked {token}\n")),
        Outcome::Refused(code) => (&shared.refused, format!("refused {token} {code}\n")),
        Outcome::Aborted => (&shared.refused, format!("refused {token} 000\n")),
        Outcome::Unknown => (&shared.unknown, format!("unknown {token}\n")),
    };
    counter.set(counter.get() + 1);
    shared.note(line.as_bytes())
}

struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Connection {
    async fn open(server: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let mut open = Connection {
            stream,
            input: Vec::with_capacity(64 << 10),
        };
        let greeting = open.exchange(b"", 1).await?[0];
        let hello = open.exchange(b"EHLO source.contoso.example\r\n", 1).await?[0];
        if (greeting, hello) == (220, 250) {
            Ok(open)
        } else {
            Err(io::Error::other("not greeted"))
        }
    }

    async fn reset(&mut self) -> io::Result<()> {
        self.exchange(b"RSET\r\n", 1).await.map(|_| ())
    }

    /// Writes all, then reads that many replies. The replies of 10,000 recipients fit the socket's buffer.
    async fn exchange(&mut self, octets: &[u8], replies: usize) -> io::Result<Vec<u16>> {
        self.stream.write_all(octets).await?;
        let mut codes = Vec::with_capacity(replies);
        loop {
            let taken = replies_in(&self.input, &mut codes);
            self.input.drain(..taken);
            if codes.len() >= replies {
                return Ok(codes);
            }
            if codes.last() == Some(&421) || self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// A message whose every line carries its token, so that each part of it can be recognised anywhere.
struct Content {
    octets: Vec<u8>,
    /// Where the digits of the token stand.
    places: Vec<usize>,
}

impl Content {
    fn new(size: usize, options: &Options, date: &str) -> Self {
        let blank = "0".repeat(DIGITS);
        let mut text = format!(
            "X-Ledger-Token: T{blank}\r\nMessage-ID: <M{blank}@source.contoso.example>\r\nDate: {date}\r\n\
             From: <{from}>\r\nTo: undisclosed-recipients:;\r\nSubject: load\r\n\r\n",
            from = options.from.replace("%t", "load")
        );
        let line = format!("T{blank} the quick brown fox jumps over the lazy dog\r\n");
        while text.len() + line.len() <= size {
            text.push_str(&line);
        }
        let places = memchr::memmem::find_iter(text.as_bytes(), &blank).collect();
        text.push_str(".\r\n");
        Content {
            octets: text.into_bytes(),
            places,
        }
    }

    fn name(&mut self, digits: &str) {
        for place in &self.places {
            self.octets[*place..*place + DIGITS].copy_from_slice(digits.as_bytes());
        }
    }
}
