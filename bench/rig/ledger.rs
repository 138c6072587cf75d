//! The ledger: what was sent and promised, held against what arrived.
//!
//! In: the source's ledger, the sinks' ledgers, the expected members of every group.
//! Out: one [`Verdict`]: lost, unexpected, halved, duplicated, recovered.
//! Never: guesses. A line that does not parse is an error, not a line to skip.
//!
//! Lines of a source: `sent TOKEN recipient…` before the first octet, then at most one of `acked TOKEN MICROS`
//! (when its dot was sent), `refused TOKEN CODE`, `unknown TOKEN` (the connection was lost around the dot), and for
//! each recipient that the server did not take `declined TOKEN CODE recipient`.
//! Lines of a sink: `in MICROS SESSION SEQUENCE TOKEN REVERSE-PATH recipient…` (when the dot came), written before its 250, and
//! for a report `report MICROS SESSION SEQUENCE TOKEN RETURN-PATH failed-recipient…`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Token of a message that carries none.
pub const NO_TOKEN: &str = "-";

/// Shown in a verdict, of each kind of fault.
const EXAMPLES_MAX: usize = 10;

/// What became of a message, as its client saw it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Acked,
    Refused,
    Unknown,
}

struct Sent<'a> {
    outcome: Outcome,
    recipients: Vec<&'a str>,
    declined: Vec<&'a str>,
}

#[derive(Default)]
struct Arrived {
    recipients: Vec<u32>,
    reported: Vec<u32>,
}

/// The result of a comparison; every count but the last three is of (message, recipient) pairs.
#[derive(Default, Debug)]
pub struct Verdict {
    pub expected: u64,
    pub arrived: u64,
    pub lost: u64,
    pub unexpected: u64,
    pub duplicated: u64,
    /// Pairs accounted for by a failure report instead of a delivery.
    pub reported: u64,
    /// Messages of unknown outcome that arrived at only some of their recipients.
    pub halved: u64,
    /// Messages of unknown outcome that arrived whole: allowed.
    pub recovered: u64,
    pub acked: u64,
    pub refused: u64,
    pub unknown: u64,
    pub examples: Vec<String>,
}

impl Verdict {
    /// Nothing lost, nothing invented, nothing half done, and no more duplicates than allowed.
    pub fn holds(&self, duplicates_max: Option<u64>) -> bool {
        let bounded = duplicates_max.is_none_or(|max| self.duplicated <= max);
        self.lost == 0 && self.unexpected == 0 && self.halved == 0 && bounded
    }

    pub fn to_json(&self) -> Value {
        json!({
            "messages": { "acked": self.acked, "refused": self.refused, "unknown": self.unknown,
                          "recovered": self.recovered, "halved": self.halved },
            "pairs": { "expected": self.expected, "arrived": self.arrived, "reported": self.reported },
            "lost": self.lost,
            "unexpected": self.unexpected,
            "duplicated": self.duplicated,
            "examples": self.examples,
        })
    }

    fn example(&mut self, text: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(text());
        }
    }
}

/// The texts to compare; each is the content of one file.
pub struct Books<'a> {
    pub source: &'a str,
    /// Acknowledgements past this octet of `source` came too late to count (a power cut).
    pub acked_before: Option<usize>,
    pub sinks: Vec<&'a str>,
    /// `group member…` per line; an address that is no group stands for itself.
    pub members: &'a str,
}

/// Compares what was promised with what arrived.
pub fn compare(books: &Books) -> Result<Verdict, String> {
    let sent = read_source(books.source, books.acked_before.unwrap_or(usize::MAX))?;
    let mut names = Names::default();
    let groups = read_members(books.members, &mut names);
    let mut arrived: HashMap<&str, Arrived> = HashMap::new();
    for sink in &books.sinks {
        read_sink(sink, &mut names, &mut arrived)?;
    }
    let mut verdict = Verdict::default();
    for (token, message) in &sent {
        let here = arrived.remove(token).unwrap_or_default();
        judge(token, message, here, &groups, &mut names, &mut verdict);
    }
    for (token, stray) in arrived {
        verdict.unexpected += stray.recipients.len() as u64;
        if !stray.recipients.is_empty() {
            verdict.example(|| format!("unexpected: {token} was never sent"));
        }
    }
    Ok(verdict)
}

/// Reads a file, or its first `octets` when a moment in time is meant.
pub fn read_prefix(path: &Path, octets: Option<usize>) -> Result<String, String> {
    let mut text = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    text.truncate(octets.unwrap_or(usize::MAX));
    // A prefix taken while the writer was at work may end inside a line.
    let whole = memchr::memrchr(b'\n', &text).map_or(0, |at| at + 1);
    text.truncate(whole);
    String::from_utf8(text).map_err(|_| format!("{}: not UTF-8", path.display()))
}

fn judge(
    token: &str,
    message: &Sent,
    here: Arrived,
    groups: &HashMap<u32, Vec<u32>>,
    names: &mut Names,
    verdict: &mut Verdict,
) {
    let expected = expected_of(message, groups, names);
    let mut arrived = here.recipients;
    arrived.sort_unstable();
    let total = arrived.len();
    arrived.dedup();
    verdict.arrived += arrived.len() as u64;
    verdict.duplicated += (total - arrived.len()) as u64;
    let mut invented = arrived
        .iter()
        .filter(|who| expected.binary_search(who).is_err())
        .peekable();
    let wrong = |verdict: &mut Verdict, who: u32| {
        verdict.unexpected += 1;
        verdict.example(|| format!("unexpected: {token} at {}", names.text(who)));
    };
    match message.outcome {
        Outcome::Refused => {
            verdict.refused += 1;
            arrived.iter().for_each(|who| wrong(verdict, *who));
            return;
        }
        Outcome::Acked => verdict.acked += 1,
        Outcome::Unknown => verdict.unknown += 1,
    }
    if invented.peek().is_some() {
        invented.for_each(|who| wrong(verdict, *who));
    }
    let mut missing = 0u64;
    for who in &expected {
        if arrived.binary_search(who).is_ok() {
            continue;
        }
        if here.reported.contains(who) {
            verdict.reported += 1;
        } else {
            missing += 1;
            if message.outcome == Outcome::Acked {
                verdict.example(|| format!("lost: {token} for {}", names.text(*who)));
            }
        }
    }
    if message.outcome == Outcome::Acked {
        verdict.expected += expected.len() as u64;
        verdict.lost += missing;
    } else if missing == 0 {
        verdict.recovered += 1;
    } else if !arrived.is_empty() {
        verdict.halved += 1;
        verdict.example(|| format!("halved: {token} missed {missing} of {}", expected.len()));
    }
}

/// The individual recipients a message must reach, sorted, each once.
fn expected_of(message: &Sent, groups: &HashMap<u32, Vec<u32>>, names: &mut Names) -> Vec<u32> {
    let mut expected = Vec::new();
    for recipient in &message.recipients {
        if message.declined.contains(recipient) {
            continue;
        }
        let id = names.id(recipient);
        match groups.get(&id) {
            Some(members) => expected.extend_from_slice(members),
            None => expected.push(id),
        }
    }
    expected.sort_unstable();
    expected.dedup();
    expected
}

fn read_source(text: &str, acked_before: usize) -> Result<Vec<(&str, Sent<'_>)>, String> {
    let mut sent: Vec<(&str, Sent)> = Vec::new();
    let mut index: HashMap<&str, usize> = HashMap::new();
    let mut position = 0;
    for line in text.lines() {
        position += line.len() + 1;
        let mut words = line.split(' ');
        let verb = words.next().unwrap_or_default();
        let token = words
            .next()
            .ok_or_else(|| format!("source ledger: no token in {line:?}"))?;
        if verb == "sent" {
            let recipients = words.collect();
            let fresh = Sent {
                outcome: Outcome::Unknown,
                recipients,
                declined: Vec::new(),
            };
            if index.insert(token, sent.len()).is_some() {
                return Err(format!("source ledger: {token} was sent twice"));
            }
            sent.push((token, fresh));
            continue;
        }
        let at = *index
            .get(token)
            .ok_or_else(|| format!("source ledger: {token} has no `sent`"))?;
        let message = &mut sent[at].1;
        match verb {
            "declined" => message.declined.extend(words.nth(1)),
            "acked" if position <= acked_before => message.outcome = Outcome::Acked,
            "refused" => message.outcome = Outcome::Refused,
            "acked" | "unknown" => {}
            _ => return Err(format!("source ledger: unknown line {line:?}")),
        }
    }
    Ok(sent)
}

fn read_sink<'a>(text: &'a str, names: &mut Names, arrived: &mut HashMap<&'a str, Arrived>) -> Result<(), String> {
    for line in text.lines() {
        let mut words = line.split(' ');
        let verb = words.next().unwrap_or_default();
        let token = words
            .nth(3)
            .ok_or_else(|| format!("sink ledger: short line {line:?}"))?;
        let path = words.next().unwrap_or_default();
        let entry = arrived.entry(token);
        match verb {
            // A report that returns no header section cannot be told apart from another one.
            "in" if token == NO_TOKEN && path == "<>" => {}
            "in" => entry.or_default().recipients.extend(words.map(|who| names.id(who))),
            "report" => entry.or_default().reported.extend(words.map(|who| names.id(who))),
            _ => return Err(format!("sink ledger: unknown line {line:?}")),
        }
    }
    Ok(())
}

fn read_members(text: &str, names: &mut Names) -> HashMap<u32, Vec<u32>> {
    let mut groups = HashMap::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        if let Some(group) = words.next() {
            groups.insert(names.id(group), words.map(|who| names.id(who)).collect());
        }
    }
    groups
}

/// Addresses as small numbers: a long run holds tens of millions of pairs.
#[derive(Default)]
struct Names {
    ids: HashMap<String, u32>,
    texts: Vec<String>,
}

impl Names {
    fn id(&mut self, address: &str) -> u32 {
        if let Some(id) = self.ids.get(address) {
            return *id;
        }
        let lower = address.to_ascii_lowercase();
        if let Some(id) = self.ids.get(&lower) {
            return *id;
        }
        let id = u32::try_from(self.texts.len()).expect("a run has fewer than 2^32 addresses");
        self.ids.insert(lower.clone(), id);
        self.texts.push(lower);
        id
    }

    fn text(&self, id: u32) -> &str {
        &self.texts[id as usize]
    }
}
