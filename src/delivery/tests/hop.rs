//! A next hop on loopback that answers as told and records what it takes.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// A connection, in clear text or not.
trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}
type AnyStream = Box<dyn Connection>;

/// A message as a hop took it.
#[derive(Clone, PartialEq, Debug)]
pub struct Copy {
    /// MAIL without `MAIL FROM:`.
    pub mail: String,
    /// RCPTs that were accepted, without `RCPT TO:`.
    pub rcpts: Vec<String>,
    /// Content, dots unstuffed.
    pub content: Vec<u8>,
    /// It came over TLS.
    pub protected: bool,
}

/// Where something is done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    Greeting,
    Ehlo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Content,
    Dot,
}

impl Step {
    pub const ALL: [Self; 7] = [
        Self::Greeting,
        Self::Ehlo,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Content,
        Self::Dot,
    ];
}

/// The usual answer to the dot.
const TAKEN: &str = "250 2.0.0 taken";

/// What is done instead of the usual answer.
#[derive(Clone, PartialEq, Debug)]
pub enum Act {
    /// This line.
    Say(String),
    /// These octets, whatever they are.
    Raw(Vec<u8>),
    /// The connection is closed.
    Close,
    /// Nothing is said any more.
    Silence,
    /// Line after line of one reply, for as long as the client bears it.
    Drip,
}

/// How the hop behaves.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// EHLO keywords.
    pub keywords: Vec<&'static str>,
    /// What is done at a step, once each, then the usual.
    pub acts: HashMap<Step, VecDeque<Act>>,
    /// Answers to RCPT by address, once each, then 250.
    pub rcpts: HashMap<String, VecDeque<String>>,
    /// Recipients in one transaction; 452 4.5.3 beyond.
    pub recipients_max: usize,
    /// Replies are sent octet by octet.
    pub split: bool,
    /// Takes STARTTLS, or TLS from the first octet.
    pub tls: Option<(Arc<ServerConfig>, Begins)>,
    /// Response to AUTH PLAIN in base64 that is taken; MAIL is refused before it.
    pub sign_in: Option<String>,
    /// Sessions are closed after so many messages, before the next command is answered.
    pub messages_max: usize,
    /// The next session is closed after so many octets were said, whatever the last one is.
    pub closes_after: Option<usize>,
}

/// When TLS begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begins {
    /// When it is asked for.
    ByStartTls,
    /// At once.
    AtOnce,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            keywords: vec![
                "PIPELINING",
                "8BITMIME",
                "SMTPUTF8",
                "DSN",
                "SIZE 10000000",
                "ENHANCEDSTATUSCODES",
            ],
            acts: HashMap::new(),
            rcpts: HashMap::new(),
            recipients_max: usize::MAX,
            split: false,
            tls: None,
            sign_in: None,
            messages_max: usize::MAX,
            closes_after: None,
        }
    }
}

/// What the hop has seen.
#[derive(Default)]
pub struct Seen {
    pub copies: Vec<Copy>,
    pub sessions: usize,
    pub transactions: usize,
    pub largest: usize,
    /// Octets said in a session up to the answer to its last dot, and the length of that answer.
    pub said: (usize, usize),
    /// Lines of replies that have no end.
    pub drips: usize,
}

struct State {
    behaviour: Mutex<Behaviour>,
    seen: Mutex<Seen>,
    changed: Notify,
}

/// The hop.
pub struct Hop {
    pub address: SocketAddr,
    state: Arc<State>,
}

impl Hop {
    pub async fn start(behaviour: Behaviour) -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address"), behaviour).await
    }

    pub async fn start_at(address: SocketAddr, behaviour: Behaviour) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an option");
        socket.bind(address).expect("a free port");
        let listener = socket.listen(256).expect("listening");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(State {
            behaviour: Mutex::new(behaviour),
            seen: Mutex::default(),
            changed: Notify::new(),
        });
        tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { address, state }
    }

    /// Changes how it behaves from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.state.behaviour.lock().expect("no panic under the lock"));
    }

    pub fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.state.seen.lock().expect("no panic under the lock"))
    }

    /// Forgets what it has seen.
    pub fn forget(&self) {
        *self.state.seen.lock().expect("no panic under the lock") = Seen::default();
    }

    /// Addresses of all accepted recipients of all copies, sorted.
    pub fn recipients(&self) -> Vec<String> {
        let mut all: Vec<String> = self.seen(|seen| seen.copies.iter().flat_map(|copy| copy.rcpts.clone()).collect());
        all.iter_mut().for_each(|rcpt| *rcpt = address(rcpt));
        all.sort();
        all
    }

    /// Waits until something seen satisfies.
    pub async fn wait(&self, mut done: impl FnMut(&Seen) -> bool) {
        let wait = async {
            loop {
                let changed = self.state.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if self.seen(&mut done) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(super::PATIENCE, wait)
            .await
            .expect("the hop sees it in time");
    }
}

fn address(rcpt: &str) -> String {
    rcpt.split_once('>')
        .map_or(rcpt, |(path, _)| path)
        .trim_start_matches('<')
        .to_owned()
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        stream.set_nodelay(true).expect("an option");
        tokio::spawn(async move {
            state.seen.lock().expect("no panic").sessions += 1;
            state.changed.notify_waiters();
            let _ = serve(Box::new(stream), &state).await;
        });
    }
}

struct Talk<'a> {
    stream: BufReader<AnyStream>,
    out: Vec<u8>,
    split: bool,
    /// Octets that may yet be said.
    left: Option<usize>,
    /// Octets said, or about to be.
    said: usize,
    state: &'a State,
}

/// What the usual answer gives way to.
enum Instead {
    Usual,
    Said(bool),
    Over,
}

impl Talk<'_> {
    async fn flush(&mut self) -> std::io::Result<()> {
        let mut out = std::mem::take(&mut self.out);
        if let Some(left) = &mut self.left {
            let over = out.len() >= *left;
            out.truncate(*left);
            *left -= out.len();
            if over {
                self.stream.get_mut().write_all(&out).await?;
                self.stream.get_mut().flush().await?;
                return Err(std::io::ErrorKind::ConnectionAborted.into());
            }
        }
        if self.split {
            for octet in out {
                self.stream.get_mut().write_all(&[octet]).await?;
                self.stream.get_mut().flush().await?;
            }
            return Ok(());
        }
        self.stream.get_mut().write_all(&out).await?;
        self.stream.get_mut().flush().await
    }

    fn say(&mut self, line: &str) {
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self.said += line.len() + 2;
    }

    /// The dot was answered.
    fn took(&mut self, copy: Copy, answer: &str) {
        let mut seen = self.state.seen.lock().expect("no panic");
        seen.largest = seen.largest.max(copy.rcpts.len());
        seen.copies.push(copy);
        seen.said = (self.said, answer.len() + 2);
        drop(seen);
        self.state.changed.notify_waiters();
    }

    async fn instead(&mut self, step: Step) -> std::io::Result<Instead> {
        let act = {
            let mut behaviour = self.state.behaviour.lock().expect("no panic");
            behaviour.acts.get_mut(&step).and_then(VecDeque::pop_front)
        };
        match act {
            None => Ok(Instead::Usual),
            Some(Act::Say(line)) => {
                self.say(&line);
                if line.starts_with("421") {
                    self.flush().await?;
                    return Ok(Instead::Over);
                }
                Ok(Instead::Said(line.starts_with('2') || line.starts_with('3')))
            }
            Some(Act::Raw(octets)) => {
                self.out.extend_from_slice(&octets);
                Ok(Instead::Said(true))
            }
            Some(Act::Close) => {
                self.flush().await?;
                Ok(Instead::Over)
            }
            Some(Act::Silence) => {
                self.flush().await?;
                // Until the client has had enough.
                let mut rest = Vec::new();
                self.stream.read_to_end(&mut rest).await?;
                Ok(Instead::Over)
            }
            Some(Act::Drip) => {
                self.flush().await?;
                let mut beat = tokio::time::interval(std::time::Duration::from_millis(60));
                loop {
                    beat.tick().await;
                    self.stream.get_mut().write_all(b"250-and\r\n").await?;
                    self.stream.get_mut().flush().await?;
                    self.state.seen.lock().expect("no panic").drips += 1;
                }
            }
        }
    }

    async fn line(&mut self) -> std::io::Result<Option<String>> {
        if !self.stream.buffer().contains(&b'\n') {
            self.flush().await?;
        }
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        assert!(line.ends_with(b"\r\n"), "a command ends in CRLF: {line:?}");
        Ok(Some(String::from_utf8(line[..line.len() - 2].to_vec()).expect("UTF-8")))
    }
}

macro_rules! step {
    ($talk:expr, $step:expr, $usual:expr) => {
        match $talk.instead($step).await? {
            Instead::Usual => {
                $talk.say($usual);
                true
            }
            Instead::Said(good) => good,
            Instead::Over => return Ok(()),
        }
    };
}

async fn serve(mut stream: AnyStream, state: &State) -> std::io::Result<()> {
    let (behaviour, left) = {
        let mut behaviour = state.behaviour.lock().expect("no panic");
        let left = behaviour.closes_after.take();
        (behaviour.clone(), left)
    };
    let mut protected = false;
    if let Some((config, Begins::AtOnce)) = &behaviour.tls {
        stream = Box::new(TlsAcceptor::from(Arc::clone(config)).accept(stream).await?);
        protected = true;
    }
    let mut signed_in = behaviour.sign_in.is_none();
    let mut talk = Talk {
        stream: BufReader::with_capacity(64 * 1024, stream),
        out: Vec::new(),
        split: behaviour.split,
        left,
        said: 0,
        state,
    };
    step!(talk, Step::Greeting, "220 hop.example");
    let mut mail = None;
    let mut rcpts: Vec<String> = Vec::new();
    let mut messages = 0;
    while let Some(line) = talk.line().await? {
        if messages >= behaviour.messages_max && line != "QUIT" {
            return Ok(());
        }
        let (verb, rest) = line.split_at(line.len().min(4));
        match verb {
            "EHLO" => {
                let mut lines = vec!["hop.example"];
                lines.extend(&behaviour.keywords);
                if behaviour.tls.is_some() && !protected {
                    lines.push("STARTTLS");
                }
                if behaviour.sign_in.is_some() {
                    lines.push("AUTH PLAIN");
                }
                let last = lines.len() - 1;
                let text: Vec<String> = lines
                    .iter()
                    .enumerate()
                    .map(|(index, line)| format!("250{}{line}", if index == last { ' ' } else { '-' }))
                    .collect();
                step!(talk, Step::Ehlo, &text.join("\r\n"));
            }
            "HELO" => talk.say("250 hop.example"),
            "STAR" => {
                let Some((config, _)) = behaviour.tls.as_ref().filter(|_| !protected) else {
                    talk.say("502 5.5.1 no");
                    continue;
                };
                if !step!(talk, Step::StartTls, "220 go") {
                    continue;
                }
                talk.flush().await?;
                let stream = talk.stream.into_inner();
                let stream = TlsAcceptor::from(Arc::clone(config)).accept(stream).await?;
                talk.stream = BufReader::with_capacity(64 * 1024, Box::new(stream));
                protected = true;
            }
            "AUTH" => {
                let good = behaviour.sign_in.as_deref() == rest.strip_prefix(" PLAIN ");
                let usual = if good { "235 2.7.0 ok" } else { "535 5.7.8 no" };
                signed_in = step!(talk, Step::Auth, usual) && good;
            }
            "MAIL" if !signed_in => talk.say("530 5.7.0 who are you"),
            "MAIL" => {
                state.seen.lock().expect("no panic").transactions += 1;
                state.changed.notify_waiters();
                assert!(mail.is_none(), "MAIL within a transaction");
                if step!(talk, Step::Mail, "250 2.1.0 ok") {
                    mail = Some(rest.trim_start_matches(" FROM:").to_owned());
                }
            }
            "RCPT" => take_rcpt(&mut talk, rest, mail.is_some(), &mut rcpts, behaviour.recipients_max).await?,
            "DATA" if rcpts.is_empty() => {
                let good = match talk.instead(Step::Data).await? {
                    Instead::Usual => {
                        talk.say("503 5.5.1 nobody");
                        false
                    }
                    Instead::Said(good) => good,
                    Instead::Over => return Ok(()),
                };
                if good {
                    talk.flush().await?;
                    let mut content = Vec::new();
                    assert!(read_content(&mut talk.stream, &mut content).await?);
                    assert!(content.is_empty(), "content for nobody");
                    talk.say("554 5.5.1 nobody");
                }
            }
            "DATA" => {
                if !step!(talk, Step::Data, "354 go") {
                    continue;
                }
                match talk.instead(Step::Content).await? {
                    Instead::Usual => {}
                    Instead::Said(_) => talk.flush().await?,
                    Instead::Over => return Ok(()),
                }
                talk.flush().await?;
                let mut content = Vec::new();
                if !read_content(&mut talk.stream, &mut content).await? {
                    return Ok(());
                }
                let copy = Copy {
                    mail: mail.take().unwrap_or_default(),
                    rcpts: std::mem::take(&mut rcpts),
                    content,
                    protected,
                };
                messages += 1;
                if step!(talk, Step::Dot, TAKEN) {
                    talk.took(copy, TAKEN);
                }
            }
            "BDAT" => {
                let size = rest.trim().strip_suffix(" LAST").and_then(|size| size.parse().ok());
                let mut content = vec![0; size.expect("one chunk")];
                talk.flush().await?;
                talk.stream.read_exact(&mut content).await?;
                if rcpts.is_empty() {
                    talk.say("503 5.5.1 nobody");
                    continue;
                }
                let copy = Copy {
                    mail: mail.take().unwrap_or_default(),
                    rcpts: std::mem::take(&mut rcpts),
                    content,
                    protected,
                };
                messages += 1;
                if step!(talk, Step::Dot, TAKEN) {
                    talk.took(copy, TAKEN);
                }
            }
            "RSET" => {
                mail = None;
                rcpts.clear();
                talk.say("250 2.0.0 ok");
            }
            "QUIT" => {
                talk.say("221 2.0.0 bye");
                return talk.flush().await;
            }
            _ => talk.say("500 5.5.2 what"),
        }
    }
    Ok(())
}

async fn take_rcpt(
    talk: &mut Talk<'_>,
    rest: &str,
    in_transaction: bool,
    rcpts: &mut Vec<String>,
    recipients_max: usize,
) -> std::io::Result<()> {
    let rcpt = rest.trim_start_matches(" TO:").to_owned();
    let own = {
        let mut behaviour = talk.state.behaviour.lock().expect("no panic");
        let own = behaviour.rcpts.get_mut(&address(&rcpt));
        own.and_then(VecDeque::pop_front)
    };
    match talk.instead(Step::Rcpt).await? {
        Instead::Usual => {}
        Instead::Said(_) => return Ok(()),
        Instead::Over => return Err(std::io::ErrorKind::ConnectionAborted.into()),
    }
    if !in_transaction {
        talk.say("503 5.5.1 MAIL first");
    } else if let Some(own) = own {
        talk.say(&own);
    } else if rcpts.len() >= recipients_max {
        talk.say("452 4.5.3 enough");
    } else {
        rcpts.push(rcpt);
        talk.say("250 2.1.5 ok");
    }
    Ok(())
}

/// Reads to the final dot; false if the client went away before.
async fn read_content(stream: &mut BufReader<AnyStream>, content: &mut Vec<u8>) -> std::io::Result<bool> {
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 || !line.ends_with(b"\n") {
            return Ok(false);
        }
        if line == b".\r\n" {
            return Ok(true);
        }
        content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
