//! The roster of a delivery set: who gets the copy, in rank order, without a row per recipient.
//!
//! A rank holds the member's ordinal (of one directory space), its forward-path as text and the index of
//! the addressed recipient that led to it. The forward-path as text is what is used when the ordinal's
//! space is gone (DESIGN §5).

use serde::{Deserialize, Serialize};

use crate::mail::{Notify, OriginalRecipient};

/// Ordinal of a recipient that no directory object stands for.
pub const NO_ORDINAL: u32 = u32::MAX;

/// The addressed recipient that ranks come from: what DSNs name and what RCPT parameters carry.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct RosterOrigin {
    /// Forward-path as addressed.
    pub addressed: String,
    /// A group was expanded on the way: reports about its members may have to name the group only.
    pub expanded: bool,
    /// Membership may not be shown to the sender.
    pub hidden: bool,
    /// `NOTIFY=` of the copies.
    pub notify: Option<Notify>,
    /// `ORCPT=` of the copies.
    pub original: Option<OriginalRecipient>,
}

/// Recipients of one delivery set.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Roster {
    /// Directory space of the ordinals (UUID text).
    pub space: String,
    /// Addressed recipients.
    pub origins: Vec<RosterOrigin>,
    /// Consecutive ranks with one origin: (first rank, origin).
    runs: Vec<(u32, u32)>,
    ordinals: Vec<u32>,
    ends: Vec<u32>,
    text: String,
}

/// A roster that cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the roster is damaged: {0}")]
pub struct RosterFault(pub &'static str);

impl Roster {
    /// An empty roster in a directory space.
    #[must_use]
    pub fn new(space: String) -> Self {
        Self {
            space,
            ..Self::default()
        }
    }

    /// Adds an origin, or finds it; returns its index.
    pub fn origin(&mut self, origin: RosterOrigin) -> u32 {
        let found = self.origins.iter().position(|known| *known == origin);
        found.unwrap_or_else(|| {
            self.origins.push(origin);
            self.origins.len() - 1
        }) as u32
    }

    /// Appends a recipient; its rank is [`Roster::len`] before the call.
    pub fn push(&mut self, ordinal: u32, forward_path: &str, origin: u32) {
        if self.runs.last().is_none_or(|&(_, last)| last != origin) {
            self.runs.push((self.len(), origin));
        }
        self.ordinals.push(ordinal);
        self.text.push_str(forward_path);
        self.ends.push(self.text.len() as u32);
    }

    /// Recipients.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.ordinals.len() as u32
    }

    /// True without recipients.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ordinals.is_empty()
    }

    /// Ordinal at a rank, in [`Roster::space`]; [`NO_ORDINAL`] for an outside address.
    #[must_use]
    pub fn ordinal(&self, rank: u32) -> u32 {
        self.ordinals[rank as usize]
    }

    /// Forward-path at a rank.
    #[must_use]
    pub fn forward_path(&self, rank: u32) -> &str {
        let rank = rank as usize;
        let start = if rank == 0 { 0 } else { self.ends[rank - 1] as usize };
        &self.text[start..self.ends[rank] as usize]
    }

    /// Origin index at a rank.
    #[must_use]
    pub fn origin_of(&self, rank: u32) -> u32 {
        let run = self.runs.partition_point(|&(first, _)| first <= rank);
        self.runs[run - 1].1
    }

    /// Ranks in order with ordinal and forward-path.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32, &str)> {
        (0..self.len()).map(|rank| (rank, self.ordinal(rank), self.forward_path(rank)))
    }

    /// The stored form; [`Roster::decode`] reads it: a dozen octets a recipient where addresses are alike.
    ///
    /// Layout: version octet, length-prefixed JSON of space and origins, counts and little-endian runs; then for each
    /// rank the step from the ordinal before, how many last octets its forward-path shares with the one before, and
    /// the octets before those; then a CRC-32. Numbers of ranks take seven bits an octet, the lowest first.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let head = serde_json::to_vec(&(&self.space, &self.origins)).expect("plain strings and flags serialise");
        let mut out = Vec::with_capacity(32 + head.len() + 8 * self.runs.len() + 16 * self.ordinals.len());
        out.push(2);
        let word = |out: &mut Vec<u8>, value: u32| out.extend_from_slice(&value.to_le_bytes());
        word(&mut out, head.len() as u32);
        out.extend_from_slice(&head);
        word(&mut out, self.runs.len() as u32);
        word(&mut out, self.len());
        for &(first, origin) in &self.runs {
            word(&mut out, first);
            word(&mut out, origin);
        }
        let (mut ordinal_before, mut path_before) = (0_u32, &b""[..]);
        for (_, ordinal, path) in self.iter() {
            put_number(&mut out, ordinal.wrapping_sub(ordinal_before));
            let path = path.as_bytes();
            let pairs = path.iter().rev().zip(path_before.iter().rev());
            let shared = pairs.take_while(|(one, other)| one == other).count();
            let (own, _) = path.split_at(path.len() - shared);
            put_number(&mut out, shared as u32);
            put_number(&mut out, own.len() as u32);
            out.extend_from_slice(own);
            (ordinal_before, path_before) = (ordinal, path);
        }
        let sum = crc32fast::hash(&out);
        word(&mut out, sum);
        out
    }

    /// Reads [`Roster::encode`]'s form back, and that of version 1; damage is an error, never a guess.
    pub fn decode(octets: &[u8]) -> Result<Self, RosterFault> {
        let (body, sum) = octets.split_last_chunk::<4>().ok_or(RosterFault("too short"))?;
        if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
            return Err(RosterFault("checksum differs"));
        }
        let mut reader = Reader(body);
        let version = reader.take(1)?[0];
        let head_len = reader.word()? as usize;
        let (space, origins) =
            serde_json::from_slice(reader.take(head_len)?).map_err(|_| RosterFault("unreadable origins"))?;
        let run_count = reader.word()? as usize;
        let count = reader.word()? as usize;
        let runs = reader.words(run_count.checked_mul(2).ok_or(RosterFault("run count"))?)?;
        let Ranks { ordinals, ends, text } = match version {
            1 => reader.ranks_apart(count)?,
            2 => reader.ranks_shared(count)?,
            _ => return Err(RosterFault("unknown version")),
        };
        let text = String::from_utf8(text).map_err(|_| RosterFault("text is not UTF-8"))?;
        let ordered = ends.windows(2).all(|pair| pair[0] <= pair[1])
            && ends.iter().all(|&end| text.is_char_boundary(end as usize));
        if !ordered || ends.last().copied().unwrap_or(0) as usize != text.len() {
            return Err(RosterFault("text bounds"));
        }
        let runs: Vec<(u32, u32)> = runs.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        if count > 0 && runs.first().is_none_or(|run| run.0 != 0) {
            return Err(RosterFault("runs"));
        }
        Ok(Self {
            space,
            origins,
            runs,
            ordinals,
            ends,
            text,
        })
    }
}

/// Seven bits an octet, the lowest first; the highest bit says that more follow.
fn put_number(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// What is stored of the ranks.
struct Ranks {
    ordinals: Vec<u32>,
    ends: Vec<u32>,
    text: Vec<u8>,
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], RosterFault> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(RosterFault("cut short"))?;
        self.0 = rest;
        Ok(head)
    }

    fn word(&mut self) -> Result<u32, RosterFault> {
        let octets = self.take(4)?;
        Ok(u32::from_le_bytes(octets.try_into().expect("four octets were taken")))
    }

    fn words(&mut self, count: usize) -> Result<Vec<u32>, RosterFault> {
        let octets = self.take(count.checked_mul(4).ok_or(RosterFault("count"))?)?;
        Ok(octets
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes(word.try_into().expect("chunks of four")))
            .collect())
    }

    fn number(&mut self) -> Result<u32, RosterFault> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let octet = self.take(1)?[0];
            value |= u32::from(octet & 0x7f) << shift;
            if octet < 0x80 {
                return Ok(value);
            }
        }
        Err(RosterFault("a number"))
    }

    /// Version 1: ordinals, ends and text one after the other.
    fn ranks_apart(mut self, count: usize) -> Result<Ranks, RosterFault> {
        Ok(Ranks {
            ordinals: self.words(count)?,
            ends: self.words(count)?,
            text: self.0.to_vec(),
        })
    }

    /// Version 2: rank by rank, each with what is other than in the one before.
    fn ranks_shared(mut self, count: usize) -> Result<Ranks, RosterFault> {
        // A rank takes three octets at least: a damaged count asks for no more memory than there are octets.
        let room = count.min(self.0.len() / 3);
        let mut ranks = Ranks {
            ordinals: Vec::with_capacity(room),
            ends: Vec::with_capacity(room),
            text: Vec::with_capacity(room * 24),
        };
        let (mut ordinal, mut path) = (0_u32, 0..0);
        for _ in 0..count {
            ordinal = ordinal.wrapping_add(self.number()?);
            let shared = self.number()? as usize;
            let own = self.number()? as usize;
            let begun = ranks.text.len();
            ranks.text.extend_from_slice(self.take(own)?);
            if shared > path.len() {
                return Err(RosterFault("shared octets"));
            }
            ranks.text.extend_from_within(path.end - shared..path.end);
            path = begun..ranks.text.len();
            ranks.ordinals.push(ordinal);
            ranks
                .ends
                .push(u32::try_from(path.end).map_err(|_| RosterFault("text length"))?);
        }
        if !self.0.is_empty() {
            return Err(RosterFault("octets left over"));
        }
        Ok(ranks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Roster {
        let mut roster = Roster::new("space".to_owned());
        let group = roster.origin(RosterOrigin {
            addressed: "all@contoso.example".to_owned(),
            expanded: true,
            hidden: false,
            notify: Some(Notify::FAILURE),
            original: None,
        });
        roster.push(7, "lena@contoso.example", group);
        roster.push(NO_ORDINAL, "x@outside.example", group);
        let direct = roster.origin(RosterOrigin {
            addressed: "grüße@contoso.example".to_owned(),
            expanded: false,
            hidden: false,
            notify: None,
            original: None,
        });
        roster.push(9, "grüße@contoso.example", direct);
        roster
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let roster = sample();
        let again = Roster::decode(&roster.encode()).expect("intact");
        assert_eq!(again, roster);
        assert_eq!(again.forward_path(1), "x@outside.example");
        assert_eq!(again.origin_of(1), 0);
        assert_eq!(again.origin_of(2), 1);
    }

    /// As version 1 was written.
    fn encoded_1(roster: &Roster) -> Vec<u8> {
        let head = serde_json::to_vec(&(&roster.space, &roster.origins)).expect("plain");
        let mut out = vec![1];
        out.extend_from_slice(&(head.len() as u32).to_le_bytes());
        out.extend_from_slice(&head);
        let runs = roster.runs.iter().flat_map(|&(first, origin)| [first, origin]);
        let counts = [roster.runs.len() as u32, roster.len()];
        let words = counts.into_iter().chain(runs).chain(roster.ordinals.iter().copied());
        for value in words.chain(roster.ends.iter().copied()) {
            out.extend_from_slice(&value.to_le_bytes());
        }
        out.extend_from_slice(roster.text.as_bytes());
        let sum = crc32fast::hash(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    #[test]
    fn reads_what_version_1_wrote() {
        let roster = sample();
        assert_eq!(Roster::decode(&encoded_1(&roster)).as_ref(), Ok(&roster));
        let empty = Roster::new("space".to_owned());
        assert_eq!(Roster::decode(&encoded_1(&empty)).as_ref(), Ok(&empty));
        assert_eq!(Roster::decode(&empty.encode()).as_ref(), Ok(&empty));
    }

    #[test]
    fn addresses_that_are_alike_take_few_octets() {
        let mut roster = sample();
        for number in 0..10_000_u32 {
            let address = format!("person{number}@contoso.example");
            // Ordinals may go back, and an address may be the one before.
            roster.push(number ^ 5, &address, 0);
        }
        roster.push(u32::MAX, "person9999@contoso.example", 0);
        roster.push(3, "", 0);
        let octets = roster.encode();
        assert!(octets.len() < 10_000 * 18, "{}", octets.len());
        assert_eq!(Roster::decode(&octets).as_ref(), Ok(&roster));
    }

    #[test]
    fn notices_every_flipped_octet_and_every_cut() {
        let octets = sample().encode();
        for index in 0..octets.len() {
            let mut damaged = octets.clone();
            damaged[index] ^= 1;
            assert!(Roster::decode(&damaged).is_err(), "octet {index}");
            assert!(Roster::decode(&octets[..index]).is_err(), "cut at {index}");
        }
    }
}
