//! The start: what a crash left in the journal is moved to the database, and the journal begins anew.
//!
//! Never: a frame lost in silence. What is missing between others is listed for the operator, and the files are kept.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rusqlite::Connection;

use super::super::answer::Trouble;
use super::super::load::{last_event, next_no};
use super::super::operation::Damaged;
use super::super::rows;
use super::super::schema::{keep_meta, meta};
use super::super::sync;
use super::young::Kept;
use super::{Found, Journal, files, moved, read};
use crate::env::Env;

/// What the name of a kept file has behind that of the damaged one, and before the number of the newest frame.
const DAMAGED: &str = ".damaged-";

/// A journal that was opened.
pub(crate) struct Resumed {
    pub(crate) journal: Journal,
    /// Something in it is or was damaged, and is kept: content that nothing else names may belong to it.
    pub(crate) is_damaged: bool,
}

/// Numbers that are passed over when the newest frame is cut off: more than any frame uses.
const EVENTS_PASSED_OVER: u64 = 100_000;
const SETS_PASSED_OVER: u64 = 65_536;

/// Opens the journal of a database; afterwards the database holds everything.
pub(crate) fn resume(connection: &Connection, folder: &Path, env: &Env) -> Result<Resumed, Trouble> {
    let through = number(connection, "journal_through")?;
    let found = read(folder, number(connection, "journal_salt")?, through..u64::MAX)?;
    let mut octets = [0; 8];
    env.chance.fill(&mut octets);
    let salt = u64::from_le_bytes(octets);
    let last = found.last.max(through);
    if !found.damaged.is_empty() {
        keep_files(folder, last)?;
    }
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    write_all(connection, found, (through, last), env)?;
    keep_meta(connection, "journal_through", last as i64)?;
    keep_meta(connection, "journal_salt", salt as i64)?;
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(Resumed {
        journal: Journal::open(folder.to_owned(), last + 1, salt)?,
        is_damaged: has_damaged(folder)?,
    })
}

fn number(connection: &Connection, name: &str) -> rusqlite::Result<u64> {
    Ok(meta(connection, name)?.unwrap_or(0) as u64)
}

/// Writes everything that was found, within a transaction.
fn write_all(connection: &Connection, found: Found, (through, last): (u64, u64), env: &Env) -> Result<(), Trouble> {
    for (number, why) in found.damaged {
        tracing::error!(
            number,
            why,
            "a commit in the journal is damaged; mail that it accepted may be lost"
        );
        let damaged = Damaged {
            what: "journal",
            id: number as i64,
            message: None,
            why,
        };
        rows::insert_damaged(connection, &damaged, env.clock.now())?;
    }
    let kept = Kept::read(found.frames, number(connection, "outbox_through")?, through);
    if last > through {
        let part = kept.part(last);
        let moved = moved::write(connection, &part, &mut next_no(connection)?)?;
        rows::forget_events(connection, kept.stored(), [])?;
        let messages = moved.numbers.len();
        if messages > 0 {
            tracing::info!(messages, "mail in the journal was moved to the database");
        }
    }
    let (mut event_high, mut set_high) = (number(connection, "event_high")?, number(connection, "set_high")?);
    event_high = event_high.max(kept.event_last);
    set_high = set_high.max(kept.set_last);
    if found.is_cut {
        // Nobody can say which numbers it used, nor, should it have rotted, who has seen them.
        event_high = event_high.max(last_event(connection)?).max(kept.stored()) + EVENTS_PASSED_OVER;
        set_high += SETS_PASSED_OVER;
    }
    keep_meta(connection, "event_high", event_high as i64)?;
    keep_meta(connection, "set_high", set_high as i64)?;
    Ok(())
}

/// Keeps copies of damaged files, for whoever wants to look at them.
fn keep_files(folder: &Path, last: u64) -> io::Result<()> {
    for path in files(folder)? {
        let mut name = path.clone().into_os_string();
        name.push(format!("{DAMAGED}{last}"));
        fs::copy(&path, &name)?;
        sync::new_file(&File::open(&name)?)?;
    }
    sync::directory(folder)
}

fn has_damaged(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        if entry?.file_name().to_string_lossy().contains(DAMAGED) {
            return Ok(true);
        }
    }
    Ok(false)
}
