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

    /// The stored form; [`Roster::decode`] reads it. Layout: version octet, then length-prefixed JSON of
    /// space and origins, then little-endian runs, ordinals, ends and the text, then a CRC-32.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let head = serde_json::to_vec(&(&self.space, &self.origins)).expect("plain strings and flags serialise");
        let mut out =
            Vec::with_capacity(16 + head.len() + self.text.len() + 8 * (self.runs.len() + self.ordinals.len()));
        out.push(1);
        let word = |out: &mut Vec<u8>, value: u32| out.extend_from_slice(&value.to_le_bytes());
        word(&mut out, head.len() as u32);
        out.extend_from_slice(&head);
        word(&mut out, self.runs.len() as u32);
        word(&mut out, self.len());
        for &(first, origin) in &self.runs {
            word(&mut out, first);
            word(&mut out, origin);
        }
        for &ordinal in &self.ordinals {
            word(&mut out, ordinal);
        }
        for &end in &self.ends {
            word(&mut out, end);
        }
        out.extend_from_slice(self.text.as_bytes());
        let sum = crc32fast::hash(&out);
        word(&mut out, sum);
        out
    }

    /// Reads [`Roster::encode`]'s form back; damage is an error, never a guess.
    pub fn decode(octets: &[u8]) -> Result<Self, RosterFault> {
        let (body, sum) = octets.split_last_chunk::<4>().ok_or(RosterFault("too short"))?;
        if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
            return Err(RosterFault("checksum differs"));
        }
        let mut reader = Reader(body);
        if reader.take(1)? != [1] {
            return Err(RosterFault("unknown version"));
        }
        let head_len = reader.word()? as usize;
        let (space, origins) =
            serde_json::from_slice(reader.take(head_len)?).map_err(|_| RosterFault("unreadable origins"))?;
        let run_count = reader.word()? as usize;
        let count = reader.word()? as usize;
        let runs = reader.words(run_count.checked_mul(2).ok_or(RosterFault("run count"))?)?;
        let ordinals = reader.words(count)?;
        let ends = reader.words(count)?;
        let text = std::str::from_utf8(reader.0)
            .map_err(|_| RosterFault("text is not UTF-8"))?
            .to_owned();
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
