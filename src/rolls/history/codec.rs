//! The stored form of a difference.
//!
//! In: a difference. Out: octets with a checksum, and back. Never: a panic or much memory for octets that somebody
//! else made.
//!
//! Version octet; group, version, version before (0: none), time as seconds and nanoseconds, generation, filter
//! hash, cause, one change of entries, subscribers, details; CRC-32. Numbers are LEB128. A set of objects is either
//! a list of steps from one to the next or, where that is longer, roaring's portable form.

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::{Detail, Difference, EntriesChange, EntryCause, HistoryFault, SubscribersChange};
use crate::directory::Ordinal;
use crate::mail::Mailbox;
use crate::rolls::roll::Cause;

/// First octet of the form.
const VERSION: u8 = 1;
/// Up to this many objects a set is written as steps.
const STEPS_MAX: u64 = 64;
/// Longest form that is read: a group with ten million entries that all change, each with a text.
pub const HISTORY_OCTETS_MAX: usize = 1024 * 1024 * 1024;

/// The stored form of a difference.
#[must_use]
pub fn encode(difference: &Difference) -> Vec<u8> {
    let mut out = vec![VERSION];
    number(&mut out, u64::from(difference.group.0));
    number(&mut out, difference.version);
    number(&mut out, difference.before.unwrap_or(0));
    out.extend_from_slice(&difference.at.as_second().to_le_bytes());
    out.extend_from_slice(&difference.at.subsec_nanosecond().to_le_bytes());
    number(&mut out, difference.generation);
    out.extend_from_slice(&difference.filter_hash.to_le_bytes());
    out.push(difference.cause.code());
    change(&mut out, &difference.entries);
    match &difference.subscribers {
        None => out.push(0),
        Some(SubscribersChange::Started(list)) => tagged(&mut out, 1, list),
        Some(SubscribersChange::Changed(list)) => tagged(&mut out, 2, list),
        Some(SubscribersChange::Ended(list)) => tagged(&mut out, 3, list),
    }
    number(&mut out, difference.details.len() as u64);
    for detail in &difference.details {
        let cause = serde_json::to_string(&detail.cause).expect("texts, numbers and times serialise");
        text(&mut out, &cause);
        set(&mut out, &detail.added);
        set(&mut out, &detail.removed);
    }
    let sum = crc32fast::hash(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

/// Reads [`encode`]'s form back.
pub fn decode(octets: &[u8]) -> Result<Difference, HistoryFault> {
    if octets.len() > HISTORY_OCTETS_MAX {
        return Err(HistoryFault::Damaged("too long"));
    }
    let (body, sum) = octets.split_last_chunk::<4>().ok_or(CUT)?;
    if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
        return Err(HistoryFault::Damaged("checksum differs"));
    }
    let mut reader = Reader(body);
    if reader.octet()? != VERSION {
        return Err(HistoryFault::Damaged("unknown version"));
    }
    let group = Ordinal(reader.small()?);
    let version = reader.number()?;
    let before = Some(reader.number()?).filter(|before| *before > 0);
    let (seconds, nanoseconds) = (i64::from_le_bytes(reader.array()?), i32::from_le_bytes(reader.array()?));
    let difference = Difference {
        group,
        version,
        before,
        at: Timestamp::new(seconds, nanoseconds).map_err(|_| HistoryFault::Damaged("a time"))?,
        generation: reader.number()?,
        filter_hash: u64::from_le_bytes(reader.array()?),
        cause: Cause::of_code(reader.octet()?).ok_or(HistoryFault::Damaged("a cause"))?,
        entries: reader.change()?,
        subscribers: match reader.octet()? {
            0 => None,
            1 => Some(SubscribersChange::Started(reader.change()?)),
            2 => Some(SubscribersChange::Changed(reader.change()?)),
            3 => Some(SubscribersChange::Ended(reader.change()?)),
            _ => return Err(HistoryFault::Damaged("subscribers")),
        },
        details: reader.list(|reader| reader.detail())?,
    };
    if reader.0.is_empty() {
        Ok(difference)
    } else {
        Err(HistoryFault::Damaged("octets left over"))
    }
}

const CUT: HistoryFault = HistoryFault::Damaged("cut short");

fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7F) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn text(out: &mut Vec<u8>, text: &str) {
    number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn texts<'a>(out: &mut Vec<u8>, list: impl ExactSizeIterator<Item = &'a str>) {
    number(out, list.len() as u64);
    list.for_each(|each| text(out, each));
}

fn set(out: &mut Vec<u8>, objects: &RoaringBitmap) {
    if objects.len() <= STEPS_MAX {
        number(out, objects.len());
        let mut last = 0;
        for object in objects {
            number(out, u64::from(object - last));
            last = object;
        }
        return;
    }
    number(out, STEPS_MAX + 1);
    let mut packed = objects.clone();
    packed.optimize();
    number(out, packed.serialized_size() as u64);
    packed.serialize_into(out).expect("writing to memory does not fail");
}

fn change(out: &mut Vec<u8>, change: &EntriesChange) {
    set(out, &change.added);
    set(out, &change.removed);
    texts(out, change.outside_added.iter().map(Mailbox::as_str));
    texts(out, change.outside_removed.iter().map(Mailbox::as_str));
    texts(out, change.unresolved_added.iter().map(|text| &**text));
    texts(out, change.unresolved_removed.iter().map(|text| &**text));
}

fn tagged(out: &mut Vec<u8>, tag: u8, list: &EntriesChange) {
    out.push(tag);
    change(out, list);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], HistoryFault> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(CUT)?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], HistoryFault> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(CUT)?;
        self.0 = rest;
        Ok(*head)
    }

    fn octet(&mut self) -> Result<u8, HistoryFault> {
        self.array::<1>().map(|[octet]| octet)
    }

    fn number(&mut self) -> Result<u64, HistoryFault> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let octet = self.octet()?;
            let bits = u64::from(octet & 0x7F);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if octet & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(HistoryFault::Damaged("a number"))
    }

    fn small(&mut self) -> Result<u32, HistoryFault> {
        u32::try_from(self.number()?).map_err(|_| HistoryFault::Damaged("an ordinal"))
    }

    /// A length of octets that are there.
    fn length(&mut self) -> Result<usize, HistoryFault> {
        let length = usize::try_from(self.number()?).map_err(|_| CUT)?;
        if length > self.0.len() { Err(CUT) } else { Ok(length) }
    }

    fn text(&mut self) -> Result<&'a str, HistoryFault> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| HistoryFault::Damaged("text is not UTF-8"))
    }

    /// Each item takes at least one octet, so a wrong count cannot ask for more memory than there is.
    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T, HistoryFault>) -> Result<Vec<T>, HistoryFault> {
        let count = self.length()?;
        (0..count).map(|_| read(self)).collect()
    }

    fn set(&mut self) -> Result<RoaringBitmap, HistoryFault> {
        let count = self.number()?;
        if count > STEPS_MAX {
            let length = self.length()?;
            let octets = self.take(length)?;
            return RoaringBitmap::deserialize_from(octets).map_err(|_| HistoryFault::Damaged("a set"));
        }
        let mut objects = RoaringBitmap::new();
        let mut last = 0_u32;
        for _ in 0..count {
            last = last
                .checked_add(self.small()?)
                .ok_or(HistoryFault::Damaged("an ordinal"))?;
            if !objects.insert(last) {
                return Err(HistoryFault::Damaged("an ordinal twice"));
            }
        }
        Ok(objects)
    }

    fn change(&mut self) -> Result<EntriesChange, HistoryFault> {
        let mailbox =
            |reader: &mut Self| Mailbox::parse(reader.text()?).map_err(|_| HistoryFault::Damaged("an outside address"));
        let free = |reader: &mut Self| reader.text().map(Into::into);
        Ok(EntriesChange {
            added: self.set()?,
            removed: self.set()?,
            outside_added: self.list(mailbox)?,
            outside_removed: self.list(mailbox)?,
            unresolved_added: self.list(free)?,
            unresolved_removed: self.list(free)?,
        })
    }

    fn detail(&mut self) -> Result<Detail, HistoryFault> {
        let cause: EntryCause =
            serde_json::from_str(self.text()?).map_err(|_| HistoryFault::Damaged("the cause of an entry"))?;
        Ok(Detail {
            cause,
            added: self.set()?,
            removed: self.set()?,
        })
    }
}
