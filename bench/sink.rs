//! Sink: a next hop that accounts for every copy.
//!
//! In: SMTP on loopback. Out: a ledger line per transaction, written before its 250; counters as JSON at the
//! end. Never: keeps a message. The first line on stdout is the bound address, the last the counters.

#[path = "rig/mod.rs"]
mod rig;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use memchr::{memchr, memmem};
use rig::clock::now_micros;
use rig::ledger::NO_TOKEN;
use rig::wire::{DotScanner, token_in};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// Header sections and reports are kept up to this many octets.
const KEPT_OCTETS_MAX: usize = 1 << 20;
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
    /// Addresses answered 550 5.1.1, one per line.
    #[arg(long)]
    refuse_file: Option<PathBuf>,
    /// Addresses answered 450 4.2.1, one per line.
    #[arg(long)]
    defer_file: Option<PathBuf>,
    /// Wait before answering the dot.
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// End as soon as this many recipients have arrived.
    #[arg(long)]
    count_exit: Option<u64>,
    /// Extensions to offer.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "PIPELINING,8BITMIME,SIZE,SMTPUTF8,DSN,ENHANCEDSTATUSCODES"
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
    ledger: RefCell<Option<File>>,
    refuse: HashSet<Vec<u8>>,
    defer: HashSet<Vec<u8>>,
    greeting: Vec<u8>,
    recipients_max: u32,
    delay: Duration,
    count_exit: u64,
    counters: Counters,
    done: Rc<Notify>,
}

impl Shared {
    fn new(options: &Options) -> io::Result<Self> {
        let ledger = match &options.ledger {
            Some(path) => Some(OpenOptions::new().create(true).append(true).open(path)?),
            None => None,
        };
        Ok(Shared {
            ledger: RefCell::new(ledger),
            refuse: addresses(options.refuse_file.as_deref())?,
            defer: addresses(options.defer_file.as_deref())?,
            greeting: greeting(&options.extensions),
            recipients_max: options.recipients_max,
            delay: Duration::from_millis(options.delay_ms),
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

fn greeting(extensions: &[String]) -> Vec<u8> {
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
    let last = lines.len() - 1;
    let mut reply = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let mark = if at == last { ' ' } else { '-' };
        reply.extend_from_slice(format!("250{mark}{line}\r\n").as_bytes());
    }
    reply
}

async fn serve(mut stream: TcpStream, shared: Rc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let counters = &shared.counters;
    let number = add(&counters.sessions, 1);
    let open = add(&counters.sessions_open, 1);
    counters
        .sessions_open_max
        .set(counters.sessions_open_max.get().max(open));
    let mut session = Session::new(Rc::clone(&shared), number);
    let result = converse(&mut stream, &mut session).await;
    counters.sessions_open.set(counters.sessions_open.get() - 1);
    result
}

async fn converse(stream: &mut TcpStream, session: &mut Session) -> io::Result<()> {
    let mut input = Vec::with_capacity(READ_OCTETS);
    session.out.extend_from_slice(b"220 sink.invalid ESMTP\r\n");
    loop {
        stream.write_all(&session.out).await?;
        session.out.clear();
        if session.ending {
            return Ok(());
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        let mut taken = 0;
        loop {
            taken += session.feed(&input[taken..])?;
            if !session.answering {
                break;
            }
            session.answering = false;
            if !session.shared.delay.is_zero() {
                stream.write_all(&session.out).await?;
                session.out.clear();
                tokio::time::sleep(session.shared.delay).await;
            }
            session.settle()?;
        }
        input.drain(..taken);
        if session.shared.counters.recipients.get() >= session.shared.count_exit {
            stream.write_all(&session.out).await?;
            session.out.clear();
            session.shared.done.notify_one();
        }
    }
}

/// One SMTP session as octets in, octets out.
struct Session {
    shared: Rc<Shared>,
    number: u64,
    sequence: u64,
    out: Vec<u8>,
    reverse_path: Vec<u8>,
    /// Accepted recipients, each with a space before it: ready for the ledger.
    recipients: Vec<u8>,
    recipients_count: u32,
    in_content: bool,
    scanner: DotScanner,
    /// The header section; of a report, everything.
    kept: Vec<u8>,
    kept_whole: bool,
    /// The dot has come and its answer is due.
    answering: bool,
    ending: bool,
}

impl Session {
    fn new(shared: Rc<Shared>, number: u64) -> Self {
        Session {
            shared,
            number,
            sequence: 0,
            out: Vec::with_capacity(64 << 10),
            reverse_path: Vec::new(),
            recipients: Vec::new(),
            recipients_count: 0,
            in_content: false,
            scanner: DotScanner::default(),
            kept: Vec::new(),
            kept_whole: false,
            answering: false,
            ending: false,
        }
    }

    /// Takes what it can; stops after a dot. Returns how many octets it took.
    fn feed(&mut self, input: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        while taken < input.len() && !self.answering && !self.ending {
            let rest = &input[taken..];
            if self.in_content {
                taken += self.content(rest);
            } else if let Some(end) = memchr(b'\n', rest) {
                self.command(rest[..end].trim_ascii_end());
                taken += end + 1;
            } else {
                break;
            }
        }
        Ok(taken)
    }

    fn content(&mut self, piece: &[u8]) -> usize {
        let end = self.scanner.feed(piece);
        let used = end.unwrap_or(piece.len());
        add(&self.shared.counters.octets, used as u64);
        if !self.kept_whole {
            self.keep(&piece[..used]);
        }
        if end.is_some() {
            self.in_content = false;
            self.answering = true;
        }
        used
    }

    fn keep(&mut self, piece: &[u8]) {
        let report = self.reverse_path.is_empty();
        let seen = self.kept.len().saturating_sub(3);
        self.kept.extend_from_slice(piece);
        if self.kept.len() > KEPT_OCTETS_MAX {
            self.kept.truncate(KEPT_OCTETS_MAX);
            self.kept_whole = true;
        }
        if !report && let Some(at) = memmem::find(&self.kept[seen..], b"\r\n\r\n") {
            self.kept.truncate(seen + at + 2);
            self.kept_whole = true;
        }
    }

    fn command(&mut self, line: &[u8]) {
        let mut verb = [0u8; 4];
        let length = line.len().min(4);
        verb[..length].copy_from_slice(&line[..length]);
        verb.make_ascii_uppercase();
        match &verb {
            b"RCPT" => self.recipient(line),
            b"MAIL" => self.mail(line),
            b"DATA" => self.data(),
            b"EHLO" | b"HELO" => self.out.extend_from_slice(&self.shared.greeting),
            b"RSET" => {
                self.reset();
                self.out.extend_from_slice(b"250 2.0.0 Ok\r\n");
            }
            b"NOOP" => self.out.extend_from_slice(b"250 2.0.0 Ok\r\n"),
            b"QUIT" => {
                self.out.extend_from_slice(b"221 2.0.0 Bye\r\n");
                self.ending = true;
            }
            _ => self.out.extend_from_slice(b"500 5.5.2 Unknown command\r\n"),
        }
    }

    fn mail(&mut self, line: &[u8]) {
        self.reset();
        self.reverse_path.extend_from_slice(path_in(line));
        self.out.extend_from_slice(b"250 2.1.0 Ok\r\n");
    }

    fn recipient(&mut self, line: &[u8]) {
        let address = path_in(line);
        let counters = &self.shared.counters;
        if self.recipients_count >= self.shared.recipients_max {
            add(&counters.over_limit, 1);
            self.out.extend_from_slice(b"452 4.5.3 Too many recipients\r\n");
            return;
        }
        if !self.shared.refuse.is_empty() && self.shared.refuse.contains(&address.to_ascii_lowercase()) {
            add(&counters.refused, 1);
            self.out.extend_from_slice(b"550 5.1.1 No such mailbox\r\n");
            return;
        }
        if !self.shared.defer.is_empty() && self.shared.defer.contains(&address.to_ascii_lowercase()) {
            add(&counters.deferred, 1);
            self.out.extend_from_slice(b"450 4.2.1 Mailbox busy\r\n");
            return;
        }
        self.recipients_count += 1;
        self.recipients.push(b' ');
        self.recipients.extend_from_slice(address);
        self.out.extend_from_slice(b"250 2.1.5 Ok\r\n");
    }

    fn data(&mut self) {
        if self.recipients_count == 0 {
            self.out.extend_from_slice(b"554 5.5.1 No valid recipients\r\n");
            return;
        }
        self.in_content = true;
        self.scanner.restart();
        self.out.extend_from_slice(b"354 Go on\r\n");
    }

    /// Accounts for the transaction, then answers the dot: in this order and no other.
    fn settle(&mut self) -> io::Result<()> {
        let now = now_micros();
        self.sequence += 1;
        if let Some(ledger) = self.shared.ledger.borrow_mut().as_mut() {
            ledger.write_all(&self.ledger_lines(now))?;
        }
        let counters = &self.shared.counters;
        add(&counters.transactions, 1);
        let count = u64::from(self.recipients_count);
        add(&counters.recipients, count);
        add(&counters.reports, u64::from(self.reverse_path.is_empty()));
        counters
            .recipients_in_one_max
            .set(counters.recipients_in_one_max.get().max(count));
        if counters.first_micros.get() == 0 {
            counters.first_micros.set(now);
        }
        counters.last_micros.set(now);
        self.out.extend_from_slice(b"250 2.0.0 Ok\r\n");
        self.reset();
        Ok(())
    }

    fn ledger_lines(&self, now: u64) -> Vec<u8> {
        let header_end = memmem::find(&self.kept, b"\r\n\r\n").unwrap_or(self.kept.len());
        let token = token_in(&self.kept[..header_end]).unwrap_or(NO_TOKEN.as_bytes());
        let mut line = Vec::with_capacity(self.recipients.len() + 128);
        let (session, sequence) = (self.number, self.sequence);
        line.extend_from_slice(format!("in {now} {session} {sequence} ").as_bytes());
        line.extend_from_slice(token);
        line.push(b' ');
        line.extend_from_slice(if self.reverse_path.is_empty() {
            b"<>"
        } else {
            &self.reverse_path
        });
        line.extend_from_slice(&self.recipients);
        line.push(b'\n');
        let body = &self.kept[header_end..];
        if self.reverse_path.is_empty()
            && let Some(returned) = token_in(body)
        {
            line.extend_from_slice(format!("report {now} {session} {sequence} ").as_bytes());
            line.extend_from_slice(returned);
            line.extend_from_slice(&self.recipients);
            for failed in failed_recipients(body) {
                line.push(b' ');
                line.extend_from_slice(failed);
            }
            line.push(b'\n');
        }
        line
    }

    fn reset(&mut self) {
        self.reverse_path.clear();
        self.recipients.clear();
        self.recipients_count = 0;
        self.kept.clear();
        self.kept_whole = false;
    }
}

fn path_in(line: &[u8]) -> &[u8] {
    let start = memchr(b'<', line).map_or(line.len(), |at| at + 1);
    let end = memchr(b'>', &line[start..]).map_or(line.len(), |at| start + at);
    &line[start..end]
}

/// Recipients a report calls failed (RFC 3464 §2.3): a recipient's fields stand together, blank lines around.
fn failed_recipients(report: &[u8]) -> Vec<&[u8]> {
    let mut failed = Vec::new();
    let mut recipient: Option<&[u8]> = None;
    let mut action_failed = false;
    for line in report
        .split(|octet| *octet == b'\n')
        .map(<[u8]>::trim_ascii)
        .chain([&b""[..]])
    {
        if line.is_empty() {
            failed.extend(recipient.take().filter(|_| action_failed));
            action_failed = false;
        } else if let Some(value) = field(line, b"final-recipient:") {
            let start = memchr(b';', value).map_or(0, |at| at + 1);
            recipient = Some(value[start..].trim_ascii());
        } else if let Some(value) = field(line, b"action:") {
            action_failed = value.eq_ignore_ascii_case(b"failed");
        }
    }
    failed
}

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (head, value) = line.split_at_checked(name.len())?;
    head.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}
