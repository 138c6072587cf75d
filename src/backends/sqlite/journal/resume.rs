//! The start: what a crash left in the journal is moved to the database, and the journal begins anew.
//!
//! Never: a frame lost in silence. What is missing between others is listed for the operator, and the files are kept.

use std::fs;
use std::io;
use std::path::Path;

use rusqlite::Connection;

use super::super::answer::Trouble;
use super::super::load::next_no;
use super::super::open::keep_damaged;
use super::super::operation::Damaged;
use super::super::rows;
use super::super::schema::{keep_meta, meta};
use super::young::Kept;
use super::{Found, Journal, files, moved, read};
use crate::env::Env;

/// Opens the journal of a database; afterwards the database holds everything.
pub(crate) fn resume(connection: &Connection, folder: &Path, env: &Env) -> Result<Journal, Trouble> {
    let number = |name| Ok::<_, rusqlite::Error>(meta(connection, name)?.unwrap_or(0) as u64);
    let (through, salt, stored) = (
        number("journal_through")?,
        number("journal_salt")?,
        number("outbox_through")?,
    );
    let found = read(folder, salt, through..u64::MAX)?;
    let mut octets = [0; 8];
    env.chance.fill(&mut octets);
    let salt = u64::from_le_bytes(octets);
    let last = found.last.max(through);
    let is_damaged = !found.damaged.is_empty();
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    write_all(connection, found, (stored, through, last), env)?;
    keep_meta(connection, "journal_through", last as i64)?;
    keep_meta(connection, "journal_salt", salt as i64)?;
    connection.prepare_cached("COMMIT")?.execute([])?;
    if is_damaged {
        keep_files(folder, last)?;
    }
    Ok(Journal::open(folder.to_owned(), last + 1, salt)?)
}

/// Writes everything that was found, within a transaction.
fn write_all(connection: &Connection, found: Found, numbers: (u64, u64, u64), env: &Env) -> Result<(), Trouble> {
    let (stored, through, last) = numbers;
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
        keep_damaged(connection, &damaged, env.clock.now())?;
    }
    if found.frames.is_empty() {
        return Ok(());
    }
    let kept = Kept::read(found.frames, stored, through);
    let moved = moved::write(connection, &kept, last, &mut next_no(connection)?)?;
    rows::forget_events(connection, kept.stored(), [])?;
    let set_high = meta(connection, "set_high")?.unwrap_or(0).max(kept.set_last as i64);
    keep_meta(connection, "set_high", set_high)?;
    tracing::info!(
        messages = moved.numbers.len(),
        "mail in the journal was moved to the database"
    );
    Ok(())
}

/// Keeps damaged files out of the way, for whoever wants to look at them.
fn keep_files(folder: &Path, last: u64) -> io::Result<()> {
    for path in files(folder)? {
        let mut name = path.clone().into_os_string();
        name.push(format!(".damaged-{last}"));
        fs::rename(&path, &name)?;
    }
    super::super::sync::directory(folder)
}
