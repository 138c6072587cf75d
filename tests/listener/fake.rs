//! An intake in memory, and a client that reads like a person.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use muster::categorizer::intake::{AddressedRecipient, ClientFacts, Intake, ListenerRole, RcptParameters, Submission};
use muster::env::{Clock, Env};
use muster::listener::{Listener, ListenerSettings, Sessions, Stopped};
use muster::mail::header::sieve::{OrganisationFields, Unwelcome};
use muster::mail::{Envelope, Mailbox, MessageId, Reply, ReversePath};
use muster::resolver::IpNet;
use muster::spool::content::{Content, ContentWriter};
use muster::track::Reason;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// Longest wait for anything that must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A message as the intake got it.
#[derive(Clone, Debug)]
pub struct Kept {
    pub envelope: Envelope,
    pub client: ClientFacts,
    pub content: Bytes,
}

/// What happens to writing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disk {
    Works,
    Full,
    Broken,
    FinishFails,
}

pub struct Memory {
    pub kept: Mutex<Vec<Kept>>,
    pub refused: Mutex<Vec<(String, u16, Reason)>>,
    pub finished_off_reactor: AtomicUsize,
    /// Submissions take a permit each.
    pub gate: Semaphore,
    pub disk: Disk,
    pub notes: Mutex<Vec<(Reason, String)>>,
    /// Clients from here are no strangers.
    pub trusted: Option<IpNet>,
}

impl Memory {
    pub fn new(disk: Disk, permits: usize) -> Arc<Self> {
        Arc::new(Self {
            kept: Mutex::default(),
            refused: Mutex::default(),
            finished_off_reactor: AtomicUsize::new(0),
            gate: Semaphore::new(permits),
            disk,
            notes: Mutex::default(),
            trusted: None,
        })
    }

    /// What a listener of strangers and of 203.0.113.0/24 tells it.
    pub fn that_trusts_some() -> Arc<Self> {
        Arc::new(Self {
            kept: Mutex::default(),
            refused: Mutex::default(),
            finished_off_reactor: AtomicUsize::new(0),
            gate: Semaphore::new(1_000_000),
            disk: Disk::Works,
            notes: Mutex::default(),
            trusted: Some("203.0.113.0/24".parse().expect("a range")),
        })
    }

    pub fn kept(&self) -> Vec<Kept> {
        self.kept.lock().expect("not poisoned").clone()
    }

    pub fn refusals(&self) -> Vec<(String, u16, Reason)> {
        self.refused.lock().expect("not poisoned").clone()
    }
}

pub struct Handle(pub Arc<Memory>);

impl Intake for Handle {
    fn mail(&self, _client: &ClientFacts, _envelope: &Envelope) -> Result<(), Reply> {
        Ok(())
    }

    fn rcpt(
        &self,
        _client: &ClientFacts,
        _envelope: &Envelope,
        recipient: &AddressedRecipient,
        _parameters: &RcptParameters,
    ) -> Result<Mailbox, Reply> {
        match recipient {
            AddressedRecipient::Postmaster => Ok(Mailbox::parse("admin@contoso.example").expect("valid")),
            AddressedRecipient::Mailbox(mailbox) if mailbox.local_part() == "unknown" => {
                Err(Reply::new(550, (5, 1, 10), "no such recipient"))
            }
            AddressedRecipient::Mailbox(mailbox) => Ok(mailbox.clone()),
        }
    }

    fn trusts(&self, client: &ClientFacts) -> bool {
        self.0.trusted.is_some_and(|trusted| trusted.contains(client.client))
    }

    fn noted(&self, _id: MessageId, _client: &ClientFacts, reason: Reason, note: String) {
        self.0.notes.lock().expect("not poisoned").push((reason, note));
    }

    fn unwelcome(&self, _client: &ClientFacts) -> Unwelcome {
        Unwelcome {
            authserv_id: Some("muster.contoso.example".into()),
            organisation: OrganisationFields::Removed,
        }
    }

    fn writer(&self) -> Result<Box<dyn ContentWriter>, Reply> {
        Ok(Box::new(MemoryWriter {
            memory: Arc::clone(&self.0),
            octets: Vec::new(),
            reactor: std::thread::current().id(),
        }))
    }

    fn submit(&self, submission: Submission) -> Pin<Box<dyn Future<Output = Reply> + Send>> {
        let memory = Arc::clone(&self.0);
        Box::pin(async move {
            memory.gate.acquire().await.expect("never closed").forget();
            let mut content = vec![0; usize::try_from(submission.content.len()).expect("small")];
            submission.content.read_at(0, &mut content).expect("memory");
            let text = format!("kept as {}", submission.id);
            memory.kept.lock().expect("not poisoned").push(Kept {
                envelope: submission.envelope,
                client: submission.client,
                content: content.into(),
            });
            Reply::new(250, (2, 0, 0), text)
        })
    }

    fn refused(&self, _client: &ClientFacts, reverse_path: &ReversePath, reply: &Reply, reason: Reason) {
        let mut refused = self.0.refused.lock().expect("not poisoned");
        refused.push((reverse_path.to_string(), reply.code, reason));
    }
}

struct MemoryWriter {
    memory: Arc<Memory>,
    octets: Vec<u8>,
    reactor: std::thread::ThreadId,
}

impl ContentWriter for MemoryWriter {
    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match self.memory.disk {
            Disk::Works | Disk::FinishFails => self.octets.extend_from_slice(octets),
            Disk::Full => return Err(io::ErrorKind::StorageFull.into()),
            Disk::Broken => return Err(io::ErrorKind::Other.into()),
        }
        Ok(())
    }

    fn len(&self) -> u64 {
        self.octets.len() as u64
    }

    fn is_large(&self) -> bool {
        self.octets.len() > 1024 * 1024
    }

    fn finish(self: Box<Self>) -> io::Result<Content> {
        if std::thread::current().id() != self.reactor {
            self.memory.finished_off_reactor.fetch_add(1, Ordering::Relaxed);
        }
        match self.memory.disk {
            Disk::FinishFails => Err(io::ErrorKind::Other.into()),
            Disk::Works | Disk::Full | Disk::Broken => Ok(Content::in_memory(self.octets)),
        }
    }
}

/// A clock that is moved by hand.
pub struct HandClock(Mutex<Duration>);

impl HandClock {
    pub fn env() -> (Arc<Self>, Env) {
        let clock = Arc::new(Self(Mutex::new(Duration::from_secs(1_000))));
        let env = Env {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            chance: Env::system().chance,
        };
        (clock, env)
    }

    pub fn pass(&self, time: Duration) {
        *self.0.lock().expect("not poisoned") += time;
    }
}

impl Clock for HandClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock().expect("not poisoned")
    }
}

/// A running listener.
pub struct Service {
    pub address: SocketAddr,
    pub memory: Arc<Memory>,
    pub sessions: Arc<Sessions>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Stopped>,
}

impl Service {
    pub fn start(memory: Arc<Memory>, change: impl FnOnce(&mut ListenerSettings)) -> Self {
        Self::start_at(memory, Env::system(), change)
    }

    /// The same, by a clock of the test's.
    pub fn start_at(memory: Arc<Memory>, env: Env, change: impl FnOnce(&mut ListenerSettings)) -> Self {
        let address = "127.0.0.1:0".parse().expect("an address");
        let mut settings = ListenerSettings::new("test", address, ListenerRole::Inbound, "mx.contoso.example");
        change(&mut settings);
        let listener = Listener::bind(settings, Arc::new(Handle(Arc::clone(&memory))), env).expect("a free port");
        let (stop, stopped) = watch::channel(false);
        Self {
            address: listener.local_address().expect("bound"),
            memory,
            sessions: listener.sessions(),
            stop,
            task: tokio::spawn(listener.run(stopped)),
        }
    }

    pub fn begin_stop(&self) {
        self.stop.send_replace(true);
    }

    pub async fn stopped(self) -> Stopped {
        in_time("the listener to stop", self.task).await.expect("no panic")
    }

    /// Waits until this many sessions are open.
    pub async fn sessions_are(&self, count: usize) {
        in_time("the sessions to be counted", async {
            while self.sessions.count() != count {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

pub async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited too long for {what}"),
    }
}

/// A client that speaks line by line.
pub struct Person {
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Person {
    pub async fn connect(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.expect("accepted"),
            heard: Vec::new(),
        }
    }

    /// Connected, greeted and introduced.
    pub async fn greeted(address: SocketAddr) -> Self {
        let mut person = Self::connect(address).await;
        person.hears("220 mx").await;
        person.says("HELO client.example\r\n").await;
        person.hears("250 mx").await;
        person
    }

    pub async fn says(&mut self, text: impl AsRef<[u8]>) {
        in_time("the listener to read", self.stream.write_all(text.as_ref()))
            .await
            .expect("the connection stands");
    }

    /// Says something that may come too late to be read.
    pub async fn mutters(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes()).await;
    }

    /// Says something; false if the listener takes no more.
    pub async fn is_heard(&mut self, text: &str) -> bool {
        self.stream.write_all(text.as_bytes()).await.is_ok()
    }

    /// The next line must begin like this.
    pub async fn hears(&mut self, start: &str) {
        let line = self.line().await;
        assert!(line.starts_with(start), "expected {start:?}, heard {line:?}");
    }

    /// The stream must end here.
    pub async fn hears_the_end(&mut self) {
        let line = self.line().await;
        assert_eq!(line, "", "expected the end of the stream");
    }

    /// The next line; empty at the end of the stream.
    pub async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.heard.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8_lossy(&self.heard[..end]).into_owned();
                self.heard.drain(..end + 2);
                return line;
            }
            let mut buffer = [0; 4096];
            match in_time("a reply", self.stream.read(&mut buffer)).await {
                Ok(0) | Err(_) => return String::new(),
                Ok(count) => self.heard.extend_from_slice(&buffer[..count]),
            }
        }
    }
}
