//! Reading a journal back: after a crash, and after a commit that was taken back.
//!
//! In: a folder, and the number up to which the database holds everything. Out: the frames above it, in order, and
//! what is wrong with them. Never: a frame of an earlier use of a file, for its number is too low; silence about a
//! frame that is missing between others. The last one may be cut off: nobody was promised anything by it.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;

use super::super::record::Damage;
use super::entry::Entry;
use super::{HEADER, HEADER_SUMMED, MAGIC, PAGE, files};

/// What a journal says.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Entries of frames that the database does not hold, by the frames' numbers.
    pub(crate) frames: Vec<(u64, Vec<Entry>)>,
    /// The highest number of any frame, whole or not; 0 if there is none.
    pub(crate) last: u64,
    /// The newest frame is not whole: nobody was promised anything by it.
    pub(crate) is_cut: bool,
    /// Frames between others that are missing or not what was written: number and why.
    pub(crate) damaged: Vec<(u64, String)>,
}

/// A frame as it lies in a file.
struct Lying {
    number: u64,
    entries: Result<Bytes, Damage>,
}

/// Reads every frame with a number above the beginning of a range and below its end.
pub(crate) fn read(folder: &Path, salt: u64, numbers: Range<u64>) -> io::Result<Found> {
    let mut lying = Vec::new();
    for path in files(folder)? {
        frames(&Bytes::from(fs::read(path)?), salt, &mut lying);
    }
    let mut found = Found {
        last: lying.iter().map(|frame| frame.number).max().unwrap_or(0),
        ..Found::default()
    };
    lying.retain(|frame| numbers.start < frame.number && frame.number < numbers.end);
    // Of two frames with a number one is a try that failed; it is not whole.
    lying.sort_by_key(|frame| (frame.number, frame.entries.is_err()));
    lying.dedup_by_key(|frame| frame.number);
    // Only the newest may be cut off: the one before it was synced when it was begun.
    found.is_cut = lying.last().is_some_and(|frame| frame.entries.is_err());
    if found.is_cut {
        lying.pop();
    }
    let mut expected = numbers.start + 1;
    let end = found.last.min(numbers.end - 1) + u64::from(!found.is_cut);
    for Lying { number, entries } in lying {
        found.damaged.extend((expected..number).map(missing));
        expected = number + 1;
        match entries.and_then(Entry::decode_all) {
            Ok(entries) => found.frames.push((number, entries)),
            Err(Damage(why)) => found.damaged.push((number, why)),
        }
    }
    found.damaged.extend((expected..end).map(missing));
    Ok(found)
}

fn missing(number: u64) -> (u64, String) {
    (number, "it is missing".to_owned())
}

/// Finds the frames of one file. Behind damage it goes on at the next page.
fn frames(octets: &Bytes, salt: u64, found: &mut Vec<Lying>) {
    let mut at = 0;
    while at + HEADER <= octets.len() {
        let Some((number, len, sum)) = header(&octets[at..at + HEADER], salt) else {
            at += PAGE;
            continue;
        };
        let begin = at + HEADER;
        let entries = match octets.len().checked_sub(begin) {
            Some(room) if len <= room => {
                let entries = octets.slice(begin..begin + len);
                if crc32fast::hash(&entries) == sum {
                    Ok(entries)
                } else {
                    Err(Damage("its checksum differs".to_owned()))
                }
            }
            Some(_) | None => Err(Damage("it is cut off".to_owned())),
        };
        at = match &entries {
            Ok(_) => (begin + len).next_multiple_of(PAGE),
            // A frame of an earlier use may begin within.
            Err(_) => at + PAGE,
        };
        found.push(Lying { number, entries });
    }
}

/// Number, length and sum of the frame that begins here.
fn header(octets: &[u8], salt: u64) -> Option<(u64, usize, u32)> {
    let word = |at: usize| octets.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    let long = |at: usize| octets.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    let sum = crc32fast::hash(octets.get(..HEADER_SUMMED)?);
    let is_ours = octets.get(..4)? == MAGIC && sum == word(HEADER_SUMMED)? && long(20)? == salt;
    is_ours.then_some((long(8)?, word(4)? as usize, word(16)?))
}
