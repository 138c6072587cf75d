//! Rows of `events`: what one move from the outbox brought of one message, and spans that tell which rows to read.
//!
//! A message's events mostly come with one move: one row and one entry of an index for all of them. A span is a move:
//! its numbers and the times of its events. A question about a time reads spans, and the rows of those that fit.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::Connection;

use super::super::schema::{Role, connect};
use super::{IdColumn, micros};
use crate::mail::MessageId;
use crate::store::StoreFault;
use crate::store::trace::TraceWindow;
use crate::track::Event;

/// Tables of events. `number` is that of a row's first event, `at` the time of it; times are microseconds since the
/// epoch, of a span both ends included.
pub(super) const TABLES: &str = "
CREATE TABLE events (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, message BLOB NOT NULL, event TEXT NOT NULL);
CREATE INDEX events_message ON events (message);
CREATE TABLE spans (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, from_at INTEGER NOT NULL, until_at INTEGER NOT NULL);
CREATE INDEX spans_until ON spans (until_at);
";

/// Brings tables of version 1, with an index of times and a row for each event, to today's.
pub(super) const FROM_VERSION_1: &str = "
CREATE TABLE spans (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, from_at INTEGER NOT NULL, until_at INTEGER NOT NULL);
CREATE INDEX spans_until ON spans (until_at);
INSERT INTO spans (first, last, from_at, until_at)
    SELECT min(number), max(number), min(at), max(at) FROM events GROUP BY number / 2048;
DROP INDEX events_at;
";

/// Spans read at once.
const SPANS_AT_ONCE: i64 = 256;

/// Events with their numbers.
type Numbered = Vec<(u64, Event)>;

/// Stores the events of one move.
pub(super) fn insert<'a>(
    connection: &Connection,
    events: impl Iterator<Item = &'a (u64, Event)>,
) -> rusqlite::Result<()> {
    let mut rows: Vec<Vec<&(u64, Event)>> = Vec::new();
    let mut row_of: HashMap<MessageId, usize> = HashMap::new();
    for numbered in events {
        let row = *row_of.entry(numbered.1.message).or_insert(rows.len());
        if row == rows.len() {
            rows.push(Vec::with_capacity(4));
        }
        rows[row].push(numbered);
    }
    let mut insert =
        connection.prepare_cached("INSERT INTO events (number, at, message, event) VALUES (?1, ?2, ?3, ?4)")?;
    for row in &rows {
        let (number, first) = row[0];
        insert.execute((*number as i64, micros(first.at), IdColumn(first.message), text(row)))?;
    }
    let all = rows.iter().flatten();
    let (mut numbers, mut times) = ((u64::MAX, 0), (i64::MAX, i64::MIN));
    for (number, event) in all {
        let at = micros(event.at);
        numbers = (numbers.0.min(*number), numbers.1.max(*number));
        times = (times.0.min(at), times.1.max(at));
    }
    if rows.is_empty() {
        return Ok(());
    }
    connection
        .prepare_cached("INSERT INTO spans (first, last, from_at, until_at) VALUES (?1, ?2, ?3, ?4)")?
        .execute((numbers.0 as i64, numbers.1 as i64, times.0, times.1))
        .map(|_| ())
}

/// A row's text: a line for each event, its number before it.
fn text(events: &[&(u64, Event)]) -> String {
    let mut text = String::new();
    for (number, event) in events {
        if !text.is_empty() {
            text.push('\n');
        }
        let line = serde_json::to_string(event).expect("events are plain structs with string keys");
        let _ = write!(text, "{number} {line}");
    }
    text
}

/// Events of a row. Those of version 1 hold one, without its number.
pub(super) fn parse(number: u64, text: &str) -> Result<Numbered, StoreFault> {
    let unreadable = |fault: &dyn std::fmt::Display| StoreFault::Unreadable(format!("an event: {fault}"));
    let event = |line: &str| serde_json::from_str(line).map_err(|fault| unreadable(&fault));
    if text.starts_with('{') {
        return Ok(vec![(number, event(text)?)]);
    }
    text.lines()
        .map(|line| {
            let (number, line) = line.split_once(' ').ok_or_else(|| unreadable(&"without a number"))?;
            let number = number.parse().map_err(|fault| unreadable(&fault))?;
            Ok((number, event(line)?))
        })
        .collect()
}

/// A move.
struct Span {
    first: i64,
    last: i64,
}

/// Spans with a number above `after` and a time in the window, in order; the first of those that begin behind `behind`.
fn spans(connection: &Connection, window: TraceWindow, after: u64, behind: i64) -> rusqlite::Result<Vec<Span>> {
    let sql = "SELECT first, last FROM spans WHERE until_at >= ?1 AND from_at < ?2 AND last > ?3 AND first > ?4 \
               ORDER BY first LIMIT ?5";
    let (from, until) = (micros(window.from), micros(window.until));
    connection
        .prepare_cached(sql)?
        .query_map((from, until, after as i64, behind, SPANS_AT_ONCE), |row| {
            Ok(Span {
                first: row.get(0)?,
                last: row.get(1)?,
            })
        })?
        .collect()
}

/// Goes through spans, some at a time: there may be millions.
struct Walk {
    window: TraceWindow,
    after: u64,
    behind: i64,
    fetched: VecDeque<Span>,
}

impl Walk {
    fn new(window: TraceWindow, after: u64) -> Self {
        Self {
            window,
            after,
            behind: i64::MIN,
            fetched: VecDeque::new(),
        }
    }

    fn next(&mut self, connection: &Connection) -> rusqlite::Result<Option<Span>> {
        if self.fetched.is_empty() {
            self.fetched = spans(connection, self.window, self.after, self.behind)?.into();
            self.behind = self.fetched.back().map_or(self.behind, |span| span.first);
        }
        Ok(self.fetched.pop_front())
    }
}

fn rows_of(connection: &Connection, span: &Span) -> rusqlite::Result<Vec<(i64, String)>> {
    connection
        .prepare_cached("SELECT number, event FROM events WHERE number >= ?1 AND number <= ?2")?
        .query_map((span.first, span.last), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Events of a window with a number above `after`, at most `count_max`, in the order of numbers.
pub(super) fn between(
    connection: &Connection,
    window: TraceWindow,
    after: u64,
    count_max: usize,
) -> rusqlite::Result<Result<Numbered, StoreFault>> {
    let mut found = Numbered::new();
    let mut walk = Walk::new(window, after);
    while found.len() < count_max {
        let Some(span) = walk.next(connection)? else { break };
        let begun = found.len();
        for (number, text) in rows_of(connection, &span)? {
            match parse(number as u64, &text) {
                Ok(events) => found.extend(
                    events
                        .into_iter()
                        .filter(|(number, event)| *number > after && window.holds(event.at)),
                ),
                Err(fault) => return Ok(Err(fault)),
            }
        }
        // Rows of one move lie across each other, moves do not.
        found[begun..].sort_by_key(|(number, _)| *number);
    }
    found.truncate(count_max);
    Ok(Ok(found))
}

/// All events of a message, in order.
pub(super) fn of_message(connection: &Connection, id: MessageId) -> rusqlite::Result<Result<Vec<Event>, StoreFault>> {
    let rows: Vec<(i64, String)> = connection
        .prepare_cached("SELECT number, event FROM events WHERE message = ?1")?
        .query_map([IdColumn(id)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let events: Result<Vec<Numbered>, StoreFault> =
        rows.iter().map(|(number, text)| parse(*number as u64, text)).collect();
    Ok(events.map(|events| {
        let mut events: Numbered = events.into_iter().flatten().collect();
        events.sort_by_key(|(number, _)| *number);
        events.into_iter().map(|(_, event)| event).collect()
    }))
}

/// Removes events older than `before`; returns how many.
pub(super) fn prune(connection: &Connection, before: Timestamp) -> rusqlite::Result<u64> {
    let mut removed = 0;
    let older = TraceWindow {
        from: Timestamp::MIN,
        until: before,
    };
    let mut walk = Walk::new(older, 0);
    while let Some(span) = walk.next(connection)? {
        let (mut left, mut from_at) = (0, i64::MAX);
        for (number, text) in rows_of(connection, &span)? {
            // What cannot be read any more is of no use to anybody.
            let events = parse(number as u64, &text).unwrap_or_default();
            let kept: Vec<&(u64, Event)> = events.iter().filter(|(_, event)| event.at >= before).collect();
            removed += (events.len() - kept.len()) as u64;
            left += kept.len();
            from_at = kept.iter().fold(from_at, |at, (_, event)| at.min(micros(event.at)));
            if kept.is_empty() {
                connection
                    .prepare_cached("DELETE FROM events WHERE number = ?1")?
                    .execute([number])?;
            } else if kept.len() < events.len() {
                connection
                    .prepare_cached("UPDATE events SET event = ?2, at = ?3 WHERE number = ?1")?
                    .execute((number, self::text(&kept), micros(kept[0].1.at)))?;
            }
        }
        if left == 0 {
            connection
                .prepare_cached("DELETE FROM spans WHERE first = ?1")?
                .execute([span.first])?;
        } else {
            connection
                .prepare_cached("UPDATE spans SET from_at = ?2 WHERE first = ?1")?
                .execute((span.first, from_at))?;
        }
    }
    Ok(removed)
}

/// Brings a database of an earlier release to today's tables, in one commit.
pub(super) fn renew(path: &Path, today: i64) -> rusqlite::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let mut connection = connect(path, Role::Writer)?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found != 1 {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    transaction.execute_batch(FROM_VERSION_1)?;
    transaction.pragma_update(None, "user_version", today)?;
    transaction.commit()?;
    tracing::info!(from = 1, to = today, "trace.db has today's tables now");
    Ok(())
}
