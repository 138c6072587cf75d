//! Sink: a next hop that accounts for every copy.
//!
//! In: SMTP on loopback. Out: a ledger line per transaction, written before its 250; counters as JSON at the
//! end. Never: keeps a message. The first line on stdout is the bound address, the last the counters.

#[path = "rig/mod.rs"]
mod rig;
#[path = "sink/session.rs"]
mod session;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use rig::book::Book;
use rig::tls::{self, Stream};
use serde_json::json;
use session::{Pause, Session};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

const READ_OCTETS: usize = 256 << 10;

#[derive(Parser)]
#[command(about = "SMTP sink with exact accounting, for tests and benchmarks on loopback")]
struct Options {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// Append a line per transaction here before its 250.
    #[arg(long)]
    ledger: Option<PathBuf>,
    /// Most recipients in one transaction; further ones get 452 4.5.3.
    #[arg(long, default_value_t = u32::MAX)]
    recipients_max: u32,
    /// Write lines of the ledger many at a time, at the end at the latest.
    #[arg(long)]
    gather: bool,
    /// Addresses answered 550 5.1.1, one per line.
    #[arg(long)]
    refuse_file: Option<PathBuf>,
    /// Addresses answered 450 4.2.1, one per line.
    #[arg(long)]
    defer_file: Option<PathBuf>,
    /// Wait before answering the dot.
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// Take this long for each command, the dot too, one after the other.
    #[arg(long, default_value_t = 0)]
    command_ms: u64,
    /// Let answers go out this late, those to commands that came together once: a distant host.
    #[arg(long, default_value_t = 0)]
    distance_ms: u64,
    /// Offer STARTTLS with the certificate in this folder.
    #[arg(long)]
    starttls: Option<PathBuf>,
    /// End as soon as this many recipients have arrived.
    #[arg(long)]
    count_exit: Option<u64>,
    /// Extensions to offer.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "PIPELINING,8BITMIME,SIZE,SMTPUTF8,DSN,ENHANCEDSTATUSCODES,CHUNKING"
    )]
    extensions: Vec<String>,
    /// End when stdin closes.
    #[arg(long)]
    until_stdin_closes: bool,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, run(options))
}

async fn run(options: Options) -> io::Result<()> {
    let listener = TcpListener::bind(&options.listen).await?;
    println!("{}", listener.local_addr()?);
    io::stdout().flush()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shared = Rc::new(Shared::new(&options)?);
    let done = Rc::clone(&shared.done);
    if options.until_stdin_closes {
        watch_stdin(Rc::clone(&shared));
    }
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                let shared = Rc::clone(&shared);
                tokio::task::spawn_local(async move {
                    // A peer that goes away is ordinary here: kill tests do it on purpose.
                    let _ = serve(stream, shared).await;
                });
            }
            () = done.notified() => break,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    if let Some(ledger) = shared.ledger.borrow_mut().as_mut() {
        ledger.close()?;
    }
    println!("{}", shared.summary());
    Ok(())
}

fn watch_stdin(shared: Rc<Shared>) {
    let (closed, at_close) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock().by_ref(), &mut io::sink());
        let _ = closed.send(());
    });
    tokio::task::spawn_local(async move {
        let _ = at_close.await;
        shared.done.notify_one();
    });
}

#[derive(Default)]
struct Counters {
    sessions: Cell<u64>,
    sessions_open: Cell<u64>,
    sessions_open_max: Cell<u64>,
    transactions: Cell<u64>,
    recipients: Cell<u64>,
    recipients_in_one_max: Cell<u64>,
    octets: Cell<u64>,
    refused: Cell<u64>,
    deferred: Cell<u64>,
    over_limit: Cell<u64>,
    reports: Cell<u64>,
    first_micros: Cell<u64>,
    last_micros: Cell<u64>,
}

fn add(counter: &Cell<u64>, amount: u64) -> u64 {
    counter.set(counter.get() + amount);
    counter.get()
}

struct Shared {
    ledger: RefCell<Option<Book>>,
    refuse: HashSet<Vec<u8>>,
    defer: HashSet<Vec<u8>>,
    /// The reply to EHLO, without and with TLS.
    hello: Vec<u8>,
    hello_secured: Vec<u8>,
    acceptor: Option<TlsAcceptor>,
    recipients_max: u32,
    delay: Duration,
    command_delay: Duration,
    distance: Duration,
    count_exit: u64,
    counters: Counters,
    done: Rc<Notify>,
}

impl Shared {
    fn new(options: &Options) -> io::Result<Self> {
        let ledger = options.ledger.as_deref().map(|path| Book::open(path, options.gather));
        Ok(Shared {
            ledger: RefCell::new(ledger.transpose()?),
            refuse: addresses(options.refuse_file.as_deref())?,
            defer: addresses(options.defer_file.as_deref())?,
            hello: hello(&options.extensions, options.starttls.is_some()),
            hello_secured: hello(&options.extensions, false),
            acceptor: options.starttls.as_deref().map(tls::acceptor).transpose()?,
            recipients_max: options.recipients_max,
            delay: Duration::from_millis(options.delay_ms),
            command_delay: Duration::from_millis(options.command_ms),
            distance: Duration::from_millis(options.distance_ms),
            count_exit: options.count_exit.unwrap_or(u64::MAX),
            counters: Counters::default(),
            done: Rc::new(Notify::new()),
        })
    }

    fn summary(&self) -> serde_json::Value {
        let c = &self.counters;
        json!({
            "sessions": c.sessions.get(), "sessions_open_max": c.sessions_open_max.get(),
            "transactions": c.transactions.get(), "recipients": c.recipients.get(),
            "recipients_in_one_max": c.recipients_in_one_max.get(), "octets": c.octets.get(),
            "refused": c.refused.get(), "deferred": c.deferred.get(),
            "over_limit": c.over_limit.get(), "reports": c.reports.get(),
            "first_micros": c.first_micros.get(), "last_micros": c.last_micros.get(),
        })
    }
}

fn addresses(path: Option<&Path>) -> io::Result<HashSet<Vec<u8>>> {
    let Some(path) = path else {
        return Ok(HashSet::new());
    };
    let text = fs::read(path)?;
    let lines = text.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii);
    Ok(lines
        .filter(|line| !line.is_empty())
        .map(<[u8]>::to_ascii_lowercase)
        .collect())
}

fn hello(extensions: &[String], starttls: bool) -> Vec<u8> {
    let mut lines = vec!["sink.invalid".to_owned()];
    lines.extend(
        extensions
            .iter()
            .filter(|name| !name.is_empty())
            .map(|name| match name.as_str() {
                "SIZE" => "SIZE 1073741824".to_owned(),
                other => other.to_owned(),
            }),
    );
    if starttls {
        lines.push("STARTTLS".to_owned());
    }
    let last = lines.len() - 1;
    let mut reply = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let mark = if at == last { ' ' } else { '-' };
        reply.extend_from_slice(format!("250{mark}{line}\r\n").as_bytes());
    }
    reply
}

async fn serve(stream: TcpStream, shared: Rc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let counters = &shared.counters;
    let number = add(&counters.sessions, 1);
    let open = add(&counters.sessions_open, 1);
    counters
        .sessions_open_max
        .set(counters.sessions_open_max.get().max(open));
    let mut session = Session::new(Rc::clone(&shared), number);
    let result = converse(Stream::Plain(stream), &mut session).await;
    counters.sessions_open.set(counters.sessions_open.get() - 1);
    result
}

async fn converse(mut stream: Stream, session: &mut Session) -> io::Result<()> {
    let mut input = Vec::with_capacity(READ_OCTETS);
    session.out.extend_from_slice(b"220 sink.invalid ESMTP\r\n");
    loop {
        answer(&mut stream, session).await?;
        if session.ending {
            return Ok(());
        }
        if session.securing
            && let Some(acceptor) = session.shared.acceptor.clone()
        {
            // RFC 3207 §4.2: what was said before does not count.
            input.clear();
            session.secured();
            stream = stream.accept(&acceptor).await?;
        }
        if stream.read(&mut input).await? == 0 {
            return Ok(());
        }
        let mut taken = 0;
        loop {
            taken += session.feed(&input[taken..]);
            let command_delay = session.shared.command_delay;
            match session.pause.take() {
                None => break,
                Some(Pause::Command) => tokio::time::sleep(command_delay).await,
                Some(Pause::Dot) => {
                    let delay = session.shared.delay + command_delay;
                    if !delay.is_zero() {
                        answer(&mut stream, session).await?;
                        tokio::time::sleep(delay).await;
                    }
                    session.settle()?;
                }
            }
            if !command_delay.is_zero() {
                answer(&mut stream, session).await?;
            }
        }
        input.drain(..taken);
        if session.shared.counters.recipients.get() >= session.shared.count_exit {
            answer(&mut stream, session).await?;
            session.shared.done.notify_one();
        }
    }
}

/// Sends what there is to say.
async fn answer(stream: &mut Stream, session: &mut Session) -> io::Result<()> {
    if session.out.is_empty() {
        return Ok(());
    }
    if !session.shared.distance.is_zero() {
        tokio::time::sleep(session.shared.distance).await;
    }
    stream.write(&session.out).await?;
    session.out.clear();
    Ok(())
}
