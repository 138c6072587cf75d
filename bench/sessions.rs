//! Sessions: many that idle and some that send, and what the server's memory is meanwhile.
//!
//! In: how many of each, the process to look at. Out: a ledger of what was sent, as the source writes it; resident
//! memory before, with all sessions open, and at most while messages came, as JSON. Exit 1 if a session was lost.
//! Never: more than a few handshakes or messages at once: it is about open sessions, not about load.

#[path = "rig/mod.rs"]
mod rig;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;

use clap::Parser;
use rig::client::{Connection, Content, Route};
use rig::clock::now_micros;
use rig::tls;
use serde_json::{Value, json};
use tokio::task::LocalSet;
use tokio_rustls::TlsConnector;

/// Messages between two looks at the server's memory.
const LOOK_EVERY: u64 = 50;

#[derive(Parser)]
#[command(about = "Holds many SMTP sessions open at a server on loopback and reads its resident memory")]
struct Options {
    #[arg(long)]
    server: SocketAddr,
    /// Process of the server.
    #[arg(long)]
    process: u32,
    /// Sessions that have said EHLO and nothing else.
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Sessions that send messages, in turn.
    #[arg(long, default_value_t = 1_000)]
    active: usize,
    #[arg(long, default_value_t = 3_000)]
    messages: u64,
    /// Handshakes, and messages, at once.
    #[arg(long, default_value_t = 20)]
    at_once: usize,
    /// Sessions from each address of 127.0.0.0/8; the next ones come from the next address.
    #[arg(long, default_value_t = 100)]
    per_address: usize,
    /// Recipient; `%d` becomes a running number below --range.
    #[arg(long)]
    to: String,
    #[arg(long, default_value_t = 1)]
    range: u64,
    #[arg(long, default_value_t = 4096)]
    size: usize,
    /// Speak STARTTLS, and trust the certificate in this folder.
    #[arg(long)]
    starttls: Option<PathBuf>,
    #[arg(long)]
    ledger: PathBuf,
}

fn main() -> io::Result<ExitCode> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (report, is_whole) = LocalSet::new().block_on(&runtime, run(options))?;
    println!("{report}");
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

struct Shared {
    connector: Option<TlsConnector>,
    ledger: RefCell<File>,
    options: Options,
    opened: Cell<usize>,
    idle: RefCell<Vec<Connection>>,
    active: RefCell<VecDeque<Connection>>,
    sent: Cell<u64>,
    acked: Cell<u64>,
    memory_kib_max: Cell<u64>,
}

async fn run(options: Options) -> io::Result<(Value, bool)> {
    let before = resident_kib(options.process)?;
    let shared = Rc::new(Shared {
        connector: options.starttls.as_deref().map(tls::connector).transpose()?,
        ledger: RefCell::new(File::create(&options.ledger)?),
        options,
        opened: Cell::new(0),
        idle: RefCell::default(),
        active: RefCell::default(),
        sent: Cell::new(0),
        acked: Cell::new(0),
        memory_kib_max: Cell::new(0),
    });
    let began = Instant::now();
    at_once(&shared, |shared| Box::pin(open(shared))).await?;
    let (seconds, open) = (began.elapsed().as_secs_f64(), resident_kib(shared.options.process)?);
    shared.memory_kib_max.set(open);
    at_once(&shared, |shared| Box::pin(send(shared))).await?;
    let alive = alive(&shared).await;
    let expected = shared.options.idle + shared.options.active;
    let report = json!({
        "idle": shared.options.idle, "active": shared.options.active, "alive": alive,
        "seconds_to_open": seconds, "acked": shared.acked.get(),
        "memory_before_kib": before, "memory_open_kib": open, "memory_kib": shared.memory_kib_max.get(),
    });
    Ok((
        report,
        alive == expected && shared.acked.get() == shared.options.messages,
    ))
}

type Work = std::pin::Pin<Box<dyn Future<Output = io::Result<()>>>>;

/// A few workers that each do their share, until it is done.
async fn at_once(shared: &Rc<Shared>, work: impl Fn(Rc<Shared>) -> Work) -> io::Result<()> {
    let workers: Vec<_> = (0..shared.options.at_once)
        .map(|_| tokio::task::spawn_local(work(Rc::clone(shared))))
        .collect();
    for worker in workers {
        worker.await.map_err(io::Error::other)??;
    }
    Ok(())
}

async fn open(shared: Rc<Shared>) -> io::Result<()> {
    loop {
        let number = shared.opened.get();
        if number == shared.options.idle + shared.options.active {
            return Ok(());
        }
        shared.opened.set(number + 1);
        let route = Route {
            server: shared.options.server,
            from: Some(address(number / shared.options.per_address)),
            starttls: shared.connector.as_ref(),
        };
        let connection = Connection::open(&route)
            .await
            .map_err(|error| io::Error::other(format!("session {number}: {error}")))?;
        if number < shared.options.idle {
            shared.idle.borrow_mut().push(connection);
        } else {
            shared.active.borrow_mut().push_back(connection);
        }
    }
}

/// 127.0.1.1 and on.
fn address(number: usize) -> Ipv4Addr {
    let number = u32::try_from(number).unwrap_or(0);
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 0, 1, 1)) + number / 250 * 256 + number % 250)
}

async fn send(shared: Rc<Shared>) -> io::Result<()> {
    let options = &shared.options;
    let author = "source@contoso.example";
    let mut content = Content::new(options.size, author)?;
    loop {
        let number = shared.sent.get();
        if number == options.messages {
            return Ok(());
        }
        shared.sent.set(number + 1);
        let Some(mut connection) = shared.active.borrow_mut().pop_front() else {
            return Err(io::Error::other("fewer active sessions than messages at once"));
        };
        let digits = format!("{:08x}{number:09}", std::process::id());
        content.name(&digits);
        let recipient = options.to.replace("%d", &(number % options.range).to_string());
        writeln!(shared.ledger.borrow_mut(), "sent T{digits} {recipient}")?;
        let envelope = format!("MAIL FROM:<{author}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n");
        let codes = connection.exchange(envelope.as_bytes(), 3).await?;
        if codes != [250, 250, 354] {
            return Err(io::Error::other(format!("message {number}: {codes:?}")));
        }
        let dot = now_micros();
        connection.expect(&content.octets, 250).await?;
        writeln!(shared.ledger.borrow_mut(), "acked T{digits} {dot}")?;
        shared.acked.set(shared.acked.get() + 1);
        shared.active.borrow_mut().push_back(connection);
        if number.is_multiple_of(LOOK_EVERY) {
            let seen = resident_kib(options.process)?;
            shared.memory_kib_max.set(shared.memory_kib_max.get().max(seen));
        }
    }
}

/// Sessions that still answer.
async fn alive(shared: &Shared) -> usize {
    let mut connections = shared.idle.take();
    connections.extend(shared.active.take());
    let mut alive = 0;
    for connection in &mut connections {
        alive += usize::from(connection.expect(b"NOOP\r\n", 250).await.is_ok());
    }
    alive
}

fn resident_kib(process: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|value| value.trim().trim_end_matches(" kB").parse().ok())
        .ok_or_else(|| io::Error::other("no VmRSS"))
}
