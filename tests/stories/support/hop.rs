//! A next hop on loopback that records what it takes and answers as told.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// A message as a hop took it.
#[derive(Clone, Debug)]
pub struct Copy {
    /// MAIL FROM, without brackets.
    pub reverse_path: String,
    /// Parameters of MAIL.
    pub mail_parameters: String,
    /// RCPT TOs that were accepted, without brackets.
    pub recipients: Vec<String>,
    /// Parameters of each accepted RCPT.
    pub recipient_parameters: Vec<String>,
    /// Content, dots unstuffed.
    pub content: String,
}

#[derive(Default)]
struct Behaviour {
    rcpt: HashMap<String, Vec<String>>,
    recipients_max: Option<usize>,
    after_dot: Vec<String>,
    without_dsn: bool,
}

/// Whether final dots are answered.
#[derive(Default)]
struct Door {
    closed: bool,
    waiting: usize,
}

#[derive(Default)]
struct State {
    copies: Mutex<Vec<Copy>>,
    changed: Condvar,
    behaviour: Mutex<Behaviour>,
    door: Mutex<Door>,
    moved: Condvar,
    stopped: AtomicBool,
}

/// The next hop.
pub struct Hop {
    address: SocketAddr,
    state: Arc<State>,
}

impl Hop {
    /// Starts on a free port.
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address"))
    }

    /// Starts on a given port (a hop that comes back).
    pub fn start_at(address: SocketAddr) -> Self {
        let listener = bind(address);
        let address = listener.local_addr().expect("a bound socket has an address");
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&shared);
                if let Ok(stream) = stream {
                    std::thread::spawn(move || drop(serve(&stream, &shared)));
                }
            }
        });
        Self { address, state }
    }

    /// A port that nobody listens on, to be taken by [`Hop::start_at`] later. It lies below those that the system gives
    /// away by itself: another story that asks for any port cannot get it meanwhile.
    pub fn closed_address() -> SocketAddr {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        (0..2_000)
            .map(|_| 20_000 + NEXT.fetch_add(1, Ordering::Relaxed) % 10_000)
            .map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
            .find(|address| TcpListener::bind(address).is_ok())
            .expect("a free port")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers RCPT for an address with this reply line from now on.
    pub fn answer_rcpt(&self, address: &str, reply: &str) {
        let mut behaviour = self.state.behaviour.lock().expect("no panic under the lock");
        behaviour.rcpt.insert(address.to_owned(), vec![reply.to_owned()]);
    }

    /// Answers RCPT for an address with this reply line once, then accepts.
    pub fn answer_rcpt_once(&self, address: &str, reply: &str) {
        let mut behaviour = self.state.behaviour.lock().expect("no panic under the lock");
        behaviour
            .rcpt
            .insert(address.to_owned(), vec![reply.to_owned(), String::new()]);
    }

    /// Takes at most so many recipients per transaction; 452 4.5.3 beyond.
    pub fn limit_recipients(&self, count: usize) {
        self.state
            .behaviour
            .lock()
            .expect("no panic under the lock")
            .recipients_max = Some(count);
    }

    /// Answers the next dot with this reply line; the message is not taken.
    pub fn answer_dot_once(&self, reply: &str) {
        let mut behaviour = self.state.behaviour.lock().expect("no panic under the lock");
        behaviour.after_dot.push(reply.to_owned());
    }

    /// Leaves final dots without an answer until [`Hop::open_door`]: their copies are in flight.
    pub fn close_door(&self) {
        self.state.door.lock().expect("no panic under the lock").closed = true;
    }

    /// Waits until a transaction stands before the closed door.
    pub fn wait_at_door(&self) {
        let door = self.state.door.lock().expect("no panic under the lock");
        let waited = self
            .state
            .moved
            .wait_timeout_while(door, Duration::from_secs(20), |door| door.waiting == 0);
        let (door, _) = waited.expect("no panic under the lock");
        assert!(door.waiting > 0, "nobody came to the door");
    }

    /// Answers again.
    pub fn open_door(&self) {
        self.state.door.lock().expect("no panic under the lock").closed = false;
        self.state.moved.notify_all();
    }

    /// Offers no DSN extension.
    pub fn without_dsn(&self) {
        self.state
            .behaviour
            .lock()
            .expect("no panic under the lock")
            .without_dsn = true;
    }

    /// Waits until so many recipients arrived, over all copies; panics with what is there otherwise.
    pub fn wait_recipients(&self, count: usize) -> Vec<Copy> {
        self.wait(
            |copies| copies.iter().map(|copy| copy.recipients.len()).sum::<usize>() >= count,
            &format!("{count} recipients"),
        )
    }

    /// Waits for a copy that satisfies a test.
    pub fn wait_copy(&self, what: &str, test: impl Fn(&Copy) -> bool) -> Copy {
        let copies = self.wait(|copies| copies.iter().any(&test), what);
        copies.into_iter().find(|copy| test(copy)).expect("the wait saw it")
    }

    fn wait(&self, test: impl Fn(&[Copy]) -> bool, what: &str) -> Vec<Copy> {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut copies = self.state.copies.lock().expect("no panic under the lock");
        while !test(&copies) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited for {what}; arrived: {copies:#?}");
            copies = self
                .state
                .changed
                .wait_timeout(copies, left)
                .expect("no panic under the lock")
                .0;
        }
        copies.clone()
    }

    /// What has arrived so far.
    pub fn copies(&self) -> Vec<Copy> {
        self.state.copies.lock().expect("no panic under the lock").clone()
    }

    /// Every recipient that arrived, sorted, with repetitions.
    pub fn recipients(&self) -> Vec<String> {
        let mut all: Vec<String> = self.copies().into_iter().flat_map(|copy| copy.recipients).collect();
        all.sort();
        all
    }
}

impl Drop for Hop {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn bind(address: SocketAddr) -> TcpListener {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("the option exists");
    socket.bind(&address.into()).expect("the port is free");
    socket.listen(128).expect("listening");
    socket.into()
}

fn serve(stream: &TcpStream, state: &State) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut out = stream.try_clone()?;
    let mut copy = empty();
    out.write_all(b"220 hop.example ESMTP\r\n")?;
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 || state.stopped.load(Ordering::SeqCst) {
            return Ok(());
        }
        let command = line.trim_end_matches("\r\n");
        let verb = command.split([' ', ':']).next().unwrap_or("").to_ascii_uppercase();
        let reply = match verb.as_str() {
            "EHLO" => {
                let dsn = if state.behaviour.lock().expect("lock").without_dsn {
                    ""
                } else {
                    "250-DSN\r\n"
                };
                format!(
                    "250-hop.example\r\n250-PIPELINING\r\n250-SIZE 0\r\n250-8BITMIME\r\n{dsn}250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES"
                )
            }
            "MAIL" => {
                copy = empty();
                (copy.reverse_path, copy.mail_parameters) = path(command);
                "250 2.1.0 ok".to_owned()
            }
            "RCPT" => answer_rcpt(command, &mut copy, state),
            "DATA" if copy.recipients.is_empty() => "503 5.5.1 no recipients".to_owned(),
            "DATA" => {
                out.write_all(b"354 go on\r\n")?;
                copy.content = read_content(&mut reader)?;
                take(&copy, state)
            }
            "QUIT" => {
                out.write_all(b"221 2.0.0 bye\r\n")?;
                return Ok(());
            }
            _ => "250 2.0.0 ok".to_owned(),
        };
        out.write_all(format!("{reply}\r\n").as_bytes())?;
    }
}

fn take(copy: &Copy, state: &State) -> String {
    {
        let mut door = state.door.lock().expect("lock");
        door.waiting += 1;
        state.moved.notify_all();
        door = state.moved.wait_while(door, |door| door.closed).expect("lock");
        door.waiting -= 1;
    }
    if let Some(reply) = state.behaviour.lock().expect("lock").after_dot.pop() {
        return reply;
    }
    state.copies.lock().expect("lock").push(copy.clone());
    state.changed.notify_all();
    "250 2.6.0 taken".to_owned()
}

fn answer_rcpt(command: &str, copy: &mut Copy, state: &State) -> String {
    let (address, parameters) = path(command);
    let mut behaviour = state.behaviour.lock().expect("lock");
    if behaviour
        .recipients_max
        .is_some_and(|most| copy.recipients.len() >= most)
    {
        return "452 4.5.3 too many recipients".to_owned();
    }
    if let Some(replies) = behaviour.rcpt.get_mut(&address) {
        let reply = replies[0].clone();
        if replies.len() > 1 {
            replies.remove(0);
        }
        if !reply.is_empty() {
            return reply;
        }
    }
    copy.recipients.push(address);
    copy.recipient_parameters.push(parameters);
    "250 2.1.5 ok".to_owned()
}

fn read_content(reader: &mut impl BufRead) -> std::io::Result<String> {
    let mut content = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 || line == b".\r\n" {
            return Ok(String::from_utf8_lossy(&content).into_owned());
        }
        content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}

fn path(command: &str) -> (String, String) {
    let start = command.find('<').map_or(command.len(), |at| at + 1);
    let end = command[start..].rfind('>').map_or(command.len(), |at| start + at);
    let parameters = command.get(end + 1..).unwrap_or("").trim().to_owned();
    (command[start..end].to_owned(), parameters)
}

fn empty() -> Copy {
    Copy {
        reverse_path: String::new(),
        mail_parameters: String::new(),
        recipients: Vec::new(),
        recipient_parameters: Vec::new(),
        content: String::new(),
    }
}
