//! Sync trace: proof from system calls that 250 means kept.
//!
//! In: what `strace -f -yy` wrote while a source of this rig loaded a server, and the store's folder.
//! Out: per 250 after a dot, whether everything written for that message was synced before it.
//! Never: trusts names of functions or logs; it sees what the kernel was asked, in which order.
//!
//! Every line of a message, and its reverse-path, carry its token, so a write to the store shows which
//! messages it is part of. A 250 is *covered* if, for every file of the store that holds the token,
//! a sync of that file started after the last such write ended, and succeeded before the 250 was handed
//! to the kernel; if the file is an SQLite log, after the commit frame that closes the transaction; and if
//! the file or a folder above it was created or renamed in the trace, the same for its parent folder.
//! A journal (`*.mjl`) or the mail database's log must hold the token of every message: the frame or the row that
//! makes the message exist. Message and outcome are one commit, so the first write with the token is the one that
//! counts. A frame of a journal is one write; nothing else closes it.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Value, json};

const EXAMPLES_MAX: usize = 10;
/// `T`, eight digits of the run, nine of the message.
const TOKEN_LENGTH: usize = 18;
const FRAME_HEADER_LENGTH: i64 = 24;

/// The result; the last three count covered messages by where their octets lay.
#[derive(Default, Debug)]
pub struct Findings {
    pub replies: u64,
    pub covered: u64,
    pub violations: u64,
    pub examples: Vec<String>,
    pub in_log_only: u64,
    pub in_shared_file: u64,
    pub in_own_file: u64,
}

impl Findings {
    pub fn to_json(&self) -> Value {
        json!({
            "replies": self.replies, "covered": self.covered, "violations": self.violations,
            "in_log_only": self.in_log_only, "in_shared_file": self.in_shared_file,
            "in_own_file": self.in_own_file, "examples": self.examples,
        })
    }
}

/// Reads a whole trace and judges every 250 after a dot.
pub fn check(trace: &str, store: &str, log: &str) -> Findings {
    let mut calls = calls_in(trace);
    // A reply counts when it is handed over; all else counts when it has succeeded.
    calls.sort_by_key(Call::moment);
    let store = store.trim_end_matches('/').to_owned();
    let log = format!("{store}/{log}");
    let mut watch = Watch {
        store,
        log,
        ..Watch::default()
    };
    for call in &calls {
        watch.see(call);
    }
    watch.finish()
}

/// One completed system call. Moments are line numbers: the order in which the tracer let calls pass.
struct Call<'a> {
    start: usize,
    end: usize,
    name: &'a str,
    arguments: String,
    result: i64,
    /// Path of the returned descriptor, if one was returned.
    returned: Option<String>,
}

impl Call<'_> {
    fn is_outgoing(&self) -> bool {
        matches!(self.name, "write" | "writev" | "sendto" | "sendmsg") && connection_in(&self.arguments).is_some()
    }

    fn moment(&self) -> usize {
        if self.is_outgoing() { self.start } else { self.end }
    }
}

/// Joins unfinished and resumed lines; leaves out calls that failed or never ended.
fn calls_in(trace: &str) -> Vec<Call<'_>> {
    let mut pending: HashMap<&str, (usize, &str, String)> = HashMap::new();
    let mut calls = Vec::new();
    for (at, line) in trace.lines().enumerate() {
        let Some((process, rest)) = line.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some((start, name, head)) = pending.remove(process) else {
                continue;
            };
            let tail = resumed.split_once('>').map_or("", |(_, tail)| tail);
            calls.extend(completed(start, at, name, head + tail));
        } else if let Some((name, body)) = rest.split_once('(') {
            match body.strip_suffix("<unfinished ...>") {
                Some(head) => {
                    pending.insert(process, (at, name, head.to_owned()));
                }
                None => calls.extend(completed(at, at, name, body.to_owned())),
            }
        }
    }
    calls
}

fn completed(start: usize, end: usize, name: &str, body: String) -> Option<Call<'_>> {
    let split = body.rfind(") = ").or_else(|| {
        // `close(7)      = 0`: short calls are padded.
        body.rfind(" = ").filter(|at| body[..*at].trim_end().ends_with(')'))
    })?;
    let (head, tail) = body.split_at(split);
    let tail = tail.trim_start_matches(')').trim_start().trim_start_matches("= ");
    let number: String = tail.chars().take_while(|c| c.is_ascii_digit() || *c == '-').collect();
    let result: i64 = number.parse().ok()?;
    let returned = path_in(tail);
    let arguments = head.trim_end().trim_end_matches(')').to_owned();
    (result >= 0).then_some(Call {
        start,
        end,
        name,
        arguments,
        result,
        returned,
    })
}

/// The path in `7</path>`; none for sockets and pipes.
fn path_in(descriptor: &str) -> Option<String> {
    let digits = descriptor.trim_start_matches(|c: char| c.is_ascii_digit());
    let path = digits.strip_prefix('<')?;
    let end = path.find('>')?;
    path.starts_with('/').then(|| path[..end].to_owned())
}

/// The end points in `7<TCP:[127.0.0.1:25->127.0.0.1:4711]>`.
fn connection_in(arguments: &str) -> Option<&str> {
    let digits = arguments.trim_start_matches(|c: char| c.is_ascii_digit());
    let inner = digits.strip_prefix("<TCP")?;
    inner.find("]>").map(|end| &inner[..end])
}

/// All quoted strings of a call as octets, one after the other, each ended by a NUL.
fn octets_in(arguments: &str) -> Vec<u8> {
    let source = arguments.as_bytes();
    let mut octets = Vec::with_capacity(source.len());
    let mut at = 0;
    let mut quoted = false;
    while at < source.len() {
        let octet = source[at];
        at += 1;
        if octet == b'"' {
            if quoted {
                octets.push(0);
            }
            quoted = !quoted;
        } else if quoted && octet == b'\\' {
            at += escape_in(&source[at..], &mut octets);
        } else if quoted {
            octets.push(octet);
        }
    }
    octets
}

/// Decodes what follows a backslash; returns its length.
fn escape_in(rest: &[u8], octets: &mut Vec<u8>) -> usize {
    let digits = rest
        .iter()
        .take(3)
        .take_while(|octet| (b'0'..=b'7').contains(octet))
        .count();
    if digits > 0 {
        let value = rest[..digits]
            .iter()
            .fold(0u32, |value, digit| value * 8 + u32::from(digit - b'0'));
        octets.push(u8::try_from(value & 0xFF).expect("masked to an octet"));
        return digits;
    }
    octets.push(match rest.first() {
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'v') => 0x0B,
        Some(b'f') => 0x0C,
        Some(other) => *other,
        None => return 0,
    });
    1
}

/// Tokens in the octets of one call.
fn tokens_in(octets: &[u8]) -> HashSet<String> {
    let mut tokens = HashSet::new();
    for at in memchr::memchr_iter(b'T', octets) {
        let Some(candidate) = octets.get(at..at + TOKEN_LENGTH) else {
            break;
        };
        let (run, number) = (&candidate[1..9], &candidate[9..]);
        if run.iter().all(u8::is_ascii_hexdigit) && number.iter().all(u8::is_ascii_digit) {
            tokens.insert(String::from_utf8_lossy(candidate).into_owned());
        }
    }
    tokens
}

#[derive(Default)]
struct StoreFile {
    /// Tokens written here, each with the moment its last write ended; in a log its first, because later
    /// transactions write whole pages again with old rows in them.
    tokens: HashMap<String, usize>,
    created: Option<usize>,
    /// Of an SQLite log: moments at which a commit frame was complete.
    commits: Vec<usize>,
    commit_header_seen: bool,
}

#[derive(Default)]
struct Watch {
    store: String,
    log: String,
    files: BTreeMap<String, StoreFile>,
    folders: HashMap<String, usize>,
    /// Successful syncs of each path as (start, end).
    syncs: HashMap<String, Vec<(usize, usize)>>,
    /// Token of the content that is coming in on each connection.
    incoming: HashMap<String, String>,
    covered_in: Vec<(String, Vec<String>)>,
    findings: Findings,
}

impl Watch {
    fn see(&mut self, call: &Call) {
        match call.name {
            "read" | "readv" | "recvfrom" | "recvmsg" => self.incoming_content(call),
            "write" | "writev" | "sendto" | "sendmsg" | "pwrite64" | "pwritev" | "pwritev2" => {
                match connection_in(&call.arguments) {
                    Some(connection) => self.outgoing(connection, call),
                    None => self.write(call),
                }
            }
            "fsync" | "fdatasync" => {
                if let Some(path) = path_in(&call.arguments) {
                    self.syncs.entry(path).or_default().push((call.start, call.end));
                }
            }
            "openat" | "open" => self.open(call),
            "rename" | "renameat" | "renameat2" => self.rename(call),
            "mkdir" | "mkdirat" => {
                let paths = paths_of(call);
                self.folders
                    .extend(paths.into_iter().next().map(|path| (path, call.end)));
            }
            "unlink" | "unlinkat" => {
                if let Some(path) = paths_of(call).first() {
                    self.files.remove(path);
                }
            }
            _ => {}
        }
    }

    fn incoming_content(&mut self, call: &Call) {
        let Some(connection) = connection_in(&call.arguments) else {
            return;
        };
        if let Some(token) = super::wire::token_in(&octets_in(&call.arguments)) {
            let token = String::from_utf8_lossy(token).into_owned();
            self.incoming.insert(connection.to_owned(), token);
        }
    }

    fn outgoing(&mut self, connection: &str, call: &Call) {
        let octets = octets_in(&call.arguments);
        if !octets.first().is_some_and(u8::is_ascii_digit) {
            return;
        }
        let Some(token) = self.incoming.remove(connection) else {
            return;
        };
        if octets.starts_with(b"250") {
            self.judge(&token, call.start);
        }
    }

    fn write(&mut self, call: &Call) {
        let Some(path) = path_in(&call.arguments).filter(|path| self.holds(path)) else {
            return;
        };
        let octets = octets_in(&call.arguments);
        let (is_log, is_journal) = (is_log(&path), is_journal(&path));
        let file = self.files.entry(path).or_default();
        for token in tokens_in(&octets) {
            let moment = file.tokens.entry(token).or_insert(call.end);
            if !is_log {
                *moment = call.end;
            }
        }
        if !is_log || is_journal {
            return;
        }
        if call.result == FRAME_HEADER_LENGTH {
            // Octets 4 to 7 of a frame header: the size of the database, only in a commit frame.
            file.commit_header_seen = octets.get(4..8).is_some_and(|size| size != [0, 0, 0, 0]);
        } else if std::mem::take(&mut file.commit_header_seen) {
            file.commits.push(call.end);
        }
    }

    fn open(&mut self, call: &Call) {
        let Some(path) = call.returned.as_ref().filter(|path| self.holds(path)) else {
            return;
        };
        if call.arguments.contains("O_CREAT") && !self.files.contains_key(path) {
            let fresh = StoreFile {
                created: Some(call.end),
                ..StoreFile::default()
            };
            self.files.insert(path.clone(), fresh);
        }
    }

    fn rename(&mut self, call: &Call) {
        let paths = paths_of(call);
        let [from, to] = paths.as_slice() else { return };
        let mut file = self.files.remove(from).unwrap_or_default();
        file.created = Some(call.end);
        self.files.insert(to.clone(), file);
        let syncs = self.syncs.remove(from).unwrap_or_default();
        self.syncs.insert(to.clone(), syncs);
    }

    fn judge(&mut self, token: &str, reply: usize) {
        self.findings.replies += 1;
        let mut places = Vec::new();
        let mut faults = Vec::new();
        for (path, file) in &self.files {
            let Some(written) = file.tokens.get(token) else {
                continue;
            };
            if is_database(path) || (is_log(path) && !is_journal(path) && *path != self.log) {
                // A checkpoint copies what the log has made durable already; tracking may lag behind.
                continue;
            }
            places.push(path.clone());
            let needed = if is_log(path) && !is_journal(path) {
                match file.commits.iter().find(|commit| *commit >= written) {
                    Some(commit) => *commit,
                    None => {
                        faults.push(format!("{path}: no commit frame before the reply"));
                        continue;
                    }
                }
            } else {
                *written
            };
            if !self.synced(path, needed, reply) {
                faults.push(format!("{path}: not synced between its last write and the reply"));
            }
            faults.extend(self.entry_faults(path, reply));
            if let Some(database) = path.strip_suffix("-wal") {
                faults.extend(self.entry_faults(database, reply));
            }
        }
        if !places.iter().any(|path| *path == self.log || is_journal(path)) {
            faults.push("neither a journal nor the log holds the message".to_owned());
        }
        if faults.is_empty() {
            self.findings.covered += 1;
            self.covered_in.push((token.to_owned(), places));
            return;
        }
        self.findings.violations += 1;
        if self.findings.examples.len() < EXAMPLES_MAX {
            self.findings
                .examples
                .push(format!("{token}, reply in line {}: {}", reply + 1, faults.join("; ")));
        }
    }

    /// Names that were made in the trace must be in a synced folder, up to the store's own.
    fn entry_faults(&self, path: &str, reply: usize) -> Option<String> {
        let made = self
            .files
            .get(path)
            .and_then(|file| file.created)
            .or_else(|| self.folders.get(path).copied());
        let parent = path.rsplit_once('/')?.0;
        if made.is_some_and(|made| !self.synced(parent, made, reply)) {
            return Some(format!("{path}: folder not synced between its creation and the reply"));
        }
        if self.holds(parent) && parent != self.store {
            self.entry_faults(parent, reply)
        } else {
            None
        }
    }

    fn synced(&self, path: &str, after: usize, before: usize) -> bool {
        let syncs = self.syncs.get(path);
        syncs.is_some_and(|syncs| syncs.iter().any(|(start, end)| *start > after && *end < before))
    }

    fn holds(&self, path: &str) -> bool {
        path.strip_prefix(&self.store)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn finish(mut self) -> Findings {
        for (_, places) in std::mem::take(&mut self.covered_in) {
            let Some(other) = places.iter().find(|path| !is_log(path)) else {
                self.findings.in_log_only += 1;
                continue;
            };
            // A file taken away since then is counted as its message's own.
            let tokens = self.files.get(other).map_or(1, |file| file.tokens.len());
            if tokens > 1 {
                self.findings.in_shared_file += 1;
            } else {
                self.findings.in_own_file += 1;
            }
        }
        self.findings
    }
}

/// Where messages are written first, with whatever arrived together: nobody's own file.
fn is_log(path: &str) -> bool {
    path.ends_with("-wal") || is_journal(path)
}

fn is_journal(path: &str) -> bool {
    path.ends_with(".mjl")
}

fn is_database(path: &str) -> bool {
    path.ends_with(".db")
}

/// The paths a call names, relative ones joined to the folder descriptor before them.
fn paths_of(call: &Call) -> Vec<String> {
    let mut paths = Vec::new();
    let mut rest = call.arguments.as_str();
    let mut base = String::new();
    while let Some(open) = rest.find(['"', '<']) {
        let closing = if rest[open..].starts_with('<') { '>' } else { '"' };
        let Some(length) = rest[open + 1..].find(closing) else {
            break;
        };
        let text = &rest[open + 1..open + 1 + length];
        rest = &rest[open + length + 2..];
        if closing == '>' {
            base = text.to_owned();
        } else if text.starts_with('/') {
            paths.push(text.to_owned());
        } else {
            paths.push(format!("{base}/{text}"));
        }
    }
    paths
}
