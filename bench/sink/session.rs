//! One SMTP session of the sink as octets in, octets out.

use std::io;
use std::rc::Rc;

use memchr::{memchr, memmem};

use super::rig::clock::now_micros;
use super::rig::ledger::NO_TOKEN;
use super::rig::wire::{DotScanner, token_in};
use super::{Shared, add};

/// Header sections and reports are kept up to this many octets.
const KEPT_OCTETS_MAX: usize = 1 << 20;

/// What has to be waited for before the session goes on.
pub enum Pause {
    /// A command was answered, and each one takes its time.
    Command,
    /// The dot has come; [`Session::settle`] is due.
    Dot,
}

/// Octets that follow a BDAT (RFC 3030 §2).
struct Chunk {
    rest: usize,
    is_last: bool,
    /// No: nobody was accepted, they are read past.
    is_wanted: bool,
}

pub struct Session {
    pub shared: Rc<Shared>,
    number: u64,
    sequence: u64,
    pub out: Vec<u8>,
    reverse_path: Vec<u8>,
    /// Accepted recipients, each with a space before it: ready for the ledger.
    recipients: Vec<u8>,
    recipients_count: u32,
    in_content: bool,
    chunk: Option<Chunk>,
    scanner: DotScanner,
    /// The header section; of a report, everything.
    kept: Vec<u8>,
    kept_whole: bool,
    /// When the dot came.
    arrived: u64,
    pub pause: Option<Pause>,
    /// STARTTLS was answered and the handshake is due.
    pub securing: bool,
    is_secured: bool,
    pub ending: bool,
}

impl Session {
    pub fn new(shared: Rc<Shared>, number: u64) -> Self {
        Session {
            shared,
            number,
            sequence: 0,
            out: Vec::with_capacity(64 << 10),
            reverse_path: Vec::new(),
            recipients: Vec::new(),
            recipients_count: 0,
            in_content: false,
            chunk: None,
            scanner: DotScanner::default(),
            kept: Vec::new(),
            kept_whole: false,
            arrived: 0,
            pause: None,
            securing: false,
            is_secured: false,
            ending: false,
        }
    }

    /// Takes what it can; stops where there is a pause. Returns how many octets it took.
    pub fn feed(&mut self, input: &[u8]) -> usize {
        let mut taken = 0;
        while taken < input.len() && self.pause.is_none() && !self.securing && !self.ending {
            let rest = &input[taken..];
            if self.chunk.is_some() {
                taken += self.piece_of_chunk(rest);
            } else if self.in_content {
                taken += self.content(rest);
            } else if let Some(end) = memchr(b'\n', rest) {
                self.command(rest[..end].trim_ascii_end());
                taken += end + 1;
                if !self.shared.command_delay.is_zero() && self.pause.is_none() {
                    self.pause = Some(Pause::Command);
                }
            } else {
                break;
            }
        }
        taken
    }

    /// The client begins anew, with TLS.
    pub fn secured(&mut self) {
        self.securing = false;
        self.is_secured = true;
        self.reset();
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
            self.arrived = now_micros();
            self.pause = Some(Pause::Dot);
        }
        used
    }

    fn bdat(&mut self, line: &[u8]) {
        let words = std::str::from_utf8(line).unwrap_or_default();
        let mut words = words.split_ascii_whitespace().skip(1);
        let Some(rest) = words.next().and_then(|octets| octets.parse().ok()) else {
            self.out.extend_from_slice(b"501 5.5.4 How many octets?\r\n");
            return;
        };
        self.chunk = Some(Chunk {
            rest,
            is_last: words.next().is_some_and(|word| word.eq_ignore_ascii_case("LAST")),
            is_wanted: self.recipients_count > 0,
        });
        self.piece_of_chunk(b"");
    }

    fn piece_of_chunk(&mut self, piece: &[u8]) -> usize {
        let Some(chunk) = &mut self.chunk else { return 0 };
        let used = chunk.rest.min(piece.len());
        chunk.rest -= used;
        let (is_over, is_wanted, is_last) = (chunk.rest == 0, chunk.is_wanted, chunk.is_last);
        if is_wanted {
            add(&self.shared.counters.octets, used as u64);
            if !self.kept_whole {
                self.keep(&piece[..used]);
            }
        }
        if is_over {
            self.chunk = None;
            match (is_wanted, is_last) {
                (false, _) => self.out.extend_from_slice(b"554 5.5.1 No valid recipients\r\n"),
                (true, false) => self.out.extend_from_slice(b"250 2.0.0 Go on\r\n"),
                (true, true) => {
                    self.arrived = now_micros();
                    self.pause = Some(Pause::Dot);
                }
            }
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
            b"BDAT" => self.bdat(line),
            b"EHLO" | b"HELO" if self.is_secured => self.out.extend_from_slice(&self.shared.hello_secured),
            b"EHLO" | b"HELO" => self.out.extend_from_slice(&self.shared.hello),
            b"STAR" if self.shared.acceptor.is_some() && !self.is_secured => {
                self.out.extend_from_slice(b"220 2.0.0 Go on\r\n");
                self.securing = true;
            }
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

    /// Accounts for the transaction, then answers the dot: in this order and no other. (Gathered lines are in memory then.)
    pub fn settle(&mut self) -> io::Result<()> {
        let arrived = self.arrived;
        self.sequence += 1;
        if let Some(ledger) = self.shared.ledger.borrow_mut().as_mut() {
            ledger.note(&self.ledger_lines())?;
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
            counters.first_micros.set(arrived);
        }
        counters.last_micros.set(counters.last_micros.get().max(arrived));
        self.out.extend_from_slice(b"250 2.0.0 Ok\r\n");
        self.reset();
        Ok(())
    }

    fn ledger_lines(&self) -> Vec<u8> {
        let header_end = memmem::find(&self.kept, b"\r\n\r\n").unwrap_or(self.kept.len());
        let token = token_in(&self.kept[..header_end]).unwrap_or(NO_TOKEN.as_bytes());
        let mut line = Vec::with_capacity(self.recipients.len() + 128);
        let (now, session, sequence) = (self.arrived, self.number, self.sequence);
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
