//! What a frame of the journal says: entries, as octets and back.
//!
//! ```text
//! entry   = tag fields          numbers little-endian, octets behind their count (4 octets)
//! accept  = 1 id row prefix sum place inline? sets events
//! settle  = 2 set message accepted progress state finished events
//! events  = 3 first lines
//! stored  = 4 through
//! ```
//!
//! Never: trust in a count. A frame whose sum agrees was written by us; a fault in it is still an error, not a panic.

use bytes::{Buf, Bytes};
use uuid::Uuid;

use super::super::record::{Damage, Place};
use crate::mail::{MessageId, SetId};

/// One change that a commit made.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Entry {
    /// A message was accepted with the outcome of its pass.
    Accept(Accepted),
    /// Something became of recipients of a set of such a message.
    Settle(Settled),
    /// Events of the outbox alone.
    Events(Lines),
    /// Events up to this number are stored elsewhere.
    Stored(u64),
}

/// A message as accepted.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Accepted {
    pub(crate) id: MessageId,
    pub(crate) row: Vec<u8>,
    pub(crate) prefix: Bytes,
    /// CRC-32 of prefix and inline content.
    pub(crate) sum: u32,
    pub(crate) place: Place,
    pub(crate) inline: Option<Bytes>,
    pub(crate) sets: Vec<AcceptedSet>,
    pub(crate) lines: Lines,
}

/// A delivery set as accepted.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct AcceptedSet {
    pub(crate) id: SetId,
    /// Number of its QUEUE event; 0 if it has none.
    pub(crate) queued: u64,
    pub(crate) recipients: u32,
    pub(crate) row: Vec<u8>,
    pub(crate) roster: Bytes,
}

/// What became of recipients.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Settled {
    pub(crate) set: SetId,
    pub(crate) message: MessageId,
    /// Number of the frame that accepted the message: if that one was moved to the database, so was this.
    pub(crate) accepted: u64,
    pub(crate) progress: Vec<Vec<u8>>,
    pub(crate) state: Vec<u8>,
    pub(crate) finished: bool,
    pub(crate) lines: Lines,
}

/// Events as lines of JSON, numbered from `first` on.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Lines {
    pub(crate) first: u64,
    pub(crate) lines: Vec<String>,
}

impl Entry {
    /// Appends it to a frame.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Accept(accepted) => {
                out.push(1);
                accepted.encode(out);
            }
            Self::Settle(settled) => {
                out.push(2);
                settled.encode(out);
            }
            Self::Events(lines) => {
                out.push(3);
                lines.encode(out);
            }
            Self::Stored(through) => {
                out.push(4);
                out.extend_from_slice(&through.to_le_bytes());
            }
        }
    }

    /// Reads every entry of a frame.
    pub(crate) fn decode_all(mut octets: Bytes) -> Result<Vec<Self>, Damage> {
        let mut entries = Vec::new();
        while octets.has_remaining() {
            let tag = octets.get_u8();
            entries.push(match tag {
                1 => Self::Accept(Accepted::decode(&mut octets)?),
                2 => Self::Settle(Settled::decode(&mut octets)?),
                3 => Self::Events(Lines::decode(&mut octets)?),
                4 => Self::Stored(number(&mut octets)?),
                _ => return Err(Damage(format!("an entry of kind {tag}"))),
            });
        }
        Ok(entries)
    }
}

impl Accepted {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.id.0.as_bytes());
        put(out, &self.row);
        put(out, &self.prefix);
        put_count(out, self.sum);
        put(out, self.place.to_string().as_bytes());
        out.push(u8::from(self.inline.is_some()));
        if let Some(inline) = &self.inline {
            put(out, inline);
        }
        put_count(out, self.sets.len() as u32);
        for set in &self.sets {
            out.extend_from_slice(&set.id.0.to_le_bytes());
            out.extend_from_slice(&set.queued.to_le_bytes());
            put_count(out, set.recipients);
            put(out, &set.row);
            put(out, &set.roster);
        }
        self.lines.encode(out);
    }

    fn decode(from: &mut Bytes) -> Result<Self, Damage> {
        Ok(Self {
            id: id(from)?,
            row: take(from)?.to_vec(),
            prefix: take(from)?,
            sum: count(from)?,
            place: text(from)?.parse()?,
            inline: if flag(from)? { Some(take(from)?) } else { None },
            sets: list(from, |from| {
                Ok(AcceptedSet {
                    id: SetId(number(from)?),
                    queued: number(from)?,
                    recipients: count(from)?,
                    row: take(from)?.to_vec(),
                    roster: take(from)?,
                })
            })?,
            lines: Lines::decode(from)?,
        })
    }
}

impl Settled {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.set.0.to_le_bytes());
        out.extend_from_slice(self.message.0.as_bytes());
        out.extend_from_slice(&self.accepted.to_le_bytes());
        put_count(out, self.progress.len() as u32);
        for row in &self.progress {
            put(out, row);
        }
        put(out, &self.state);
        out.push(u8::from(self.finished));
        self.lines.encode(out);
    }

    fn decode(from: &mut Bytes) -> Result<Self, Damage> {
        Ok(Self {
            set: SetId(number(from)?),
            message: id(from)?,
            accepted: number(from)?,
            progress: list(from, |from| Ok(take(from)?.to_vec()))?,
            state: take(from)?.to_vec(),
            finished: flag(from)?,
            lines: Lines::decode(from)?,
        })
    }
}

impl Lines {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.first.to_le_bytes());
        put_count(out, self.lines.len() as u32);
        for line in &self.lines {
            put(out, line.as_bytes());
        }
    }

    fn decode(from: &mut Bytes) -> Result<Self, Damage> {
        Ok(Self {
            first: number(from)?,
            lines: list(from, text)?,
        })
    }
}

fn put_count(out: &mut Vec<u8>, count: u32) {
    out.extend_from_slice(&count.to_le_bytes());
}

fn put(out: &mut Vec<u8>, octets: &[u8]) {
    put_count(out, octets.len() as u32);
    out.extend_from_slice(octets);
}

fn short() -> Damage {
    Damage("a frame of the journal ends within an entry".to_owned())
}

fn fixed<const N: usize>(from: &mut Bytes) -> Result<[u8; N], Damage> {
    let octets = *from.first_chunk::<N>().ok_or_else(short)?;
    from.advance(N);
    Ok(octets)
}

fn count(from: &mut Bytes) -> Result<u32, Damage> {
    fixed(from).map(u32::from_le_bytes)
}

fn number(from: &mut Bytes) -> Result<u64, Damage> {
    fixed(from).map(u64::from_le_bytes)
}

fn flag(from: &mut Bytes) -> Result<bool, Damage> {
    fixed(from).map(|[octet]| octet != 0)
}

fn id(from: &mut Bytes) -> Result<MessageId, Damage> {
    fixed(from).map(|octets| MessageId(Uuid::from_bytes(octets)))
}

fn take(from: &mut Bytes) -> Result<Bytes, Damage> {
    let len = count(from)? as usize;
    if len > from.len() {
        return Err(short());
    }
    Ok(from.split_to(len))
}

fn text(from: &mut Bytes) -> Result<String, Damage> {
    String::from_utf8(take(from)?.to_vec()).map_err(|_| Damage("an entry of the journal is no text".to_owned()))
}

fn list<T>(from: &mut Bytes, mut one: impl FnMut(&mut Bytes) -> Result<T, Damage>) -> Result<Vec<T>, Damage> {
    let count = count(from)?;
    (0..count).map(|_| one(from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        let lines = |first: u64| Lines {
            first,
            lines: vec!["{}".to_owned(), "grüße".to_owned()],
        };
        let set = AcceptedSet {
            id: SetId(9),
            queued: 7,
            recipients: 3,
            row: b"set row".to_vec(),
            roster: Bytes::from_static(b"roster"),
        };
        let accepted = |place, inline| {
            Entry::Accept(Accepted {
                id: MessageId(Uuid::from_u128(1)),
                row: b"row".to_vec(),
                prefix: Bytes::from_static(b"Received: x\r\n"),
                sum: 5,
                place,
                inline,
                sets: vec![set.clone(), set.clone()],
                lines: lines(6),
            })
        };
        let file = Place::File {
            name: Uuid::from_u128(3),
            len: 1 << 40,
            sum: 4,
        };
        vec![
            accepted(Place::Inline, Some(Bytes::from_static(b"Subject: x\r\n\r\n"))),
            accepted(file, None),
            Entry::Settle(Settled {
                set: SetId(9),
                message: MessageId(Uuid::from_u128(1)),
                accepted: 12,
                progress: vec![b"one".to_vec(), Vec::new()],
                state: b"state".to_vec(),
                finished: true,
                lines: lines(8),
            }),
            Entry::Events(lines(u64::MAX)),
            Entry::Stored(11),
        ]
    }

    fn encoded(entries: &[Entry]) -> Vec<u8> {
        let mut octets = Vec::new();
        entries.iter().for_each(|entry| entry.encode(&mut octets));
        octets
    }

    #[test]
    fn entries_read_back() {
        let octets = encoded(&entries());
        assert_eq!(Entry::decode_all(octets.into()).as_ref(), Ok(&entries()));
    }

    #[test]
    fn a_cut_frame_is_damage_unless_it_ends_between_entries() {
        let all = entries();
        let octets = Bytes::from(encoded(&all));
        let ends: Vec<usize> = (0..=all.len()).map(|count| encoded(&all[..count]).len()).collect();
        for len in 0..octets.len() {
            let read = Entry::decode_all(octets.slice(..len));
            assert_eq!(read.is_ok(), ends.contains(&len), "cut at {len}");
        }
        assert!(Entry::decode_all(Bytes::from_static(&[9])).is_err(), "an unknown kind");
    }
}
