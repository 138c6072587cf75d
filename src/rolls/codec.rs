//! The stored form of a roll's entries.
//!
//! In: entries. Out: octets with a checksum, and back. Never: a guess about damaged octets.

use roaring::RoaringBitmap;

use super::roll::Entries;
use crate::mail::Mailbox;

/// First octet of the form.
const VERSION: u8 = 1;

/// Entries that cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the roll is damaged: {0}")]
pub struct RollFault(pub &'static str);

/// The stored form of members and subscribers: version octet, a count of lists (1 or 2), then per list the
/// length-prefixed bitmap in roaring's portable format and two text lists; a CRC-32 ends it.
#[must_use]
pub fn encode(entries: &Entries, subscribers: Option<&Entries>) -> Vec<u8> {
    let mut out = vec![VERSION, if subscribers.is_some() { 2 } else { 1 }];
    for list in std::iter::once(entries).chain(subscribers) {
        // Runs pay for a group of nearly everybody, whose ordinals lie close together.
        let mut packed = list.objects.to_set();
        packed.optimize();
        word(&mut out, packed.serialized_size());
        packed
            .serialize_into(&mut out)
            .expect("writing to memory does not fail");
        texts(&mut out, list.outside.iter().map(Mailbox::as_str));
        texts(&mut out, list.unresolved.iter().map(|text| &**text));
    }
    let sum = crc32fast::hash(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

/// Reads [`encode`]'s form back.
pub fn decode(octets: &[u8]) -> Result<(Entries, Option<Entries>), RollFault> {
    let (body, sum) = octets.split_last_chunk::<4>().ok_or(RollFault("too short"))?;
    if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
        return Err(RollFault("checksum differs"));
    }
    let mut reader = Reader(body);
    let &[version, lists] = reader.take(2)? else {
        return Err(RollFault("too short"));
    };
    if version != VERSION || !(1..=2).contains(&lists) {
        return Err(RollFault("unknown version"));
    }
    let entries = reader.entries()?;
    let subscribers = if lists == 2 { Some(reader.entries()?) } else { None };
    if reader.0.is_empty() {
        Ok((entries, subscribers))
    } else {
        Err(RollFault("octets left over"))
    }
}

fn word(out: &mut Vec<u8>, value: usize) {
    // A roll holds at most 2^32 entries and its octets stay far below 4 GiB per list.
    out.extend_from_slice(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
}

fn texts<'a>(out: &mut Vec<u8>, list: impl ExactSizeIterator<Item = &'a str>) {
    word(out, list.len());
    for text in list {
        word(out, text.len());
        out.extend_from_slice(text.as_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], RollFault> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(RollFault("cut short"))?;
        self.0 = rest;
        Ok(head)
    }

    fn word(&mut self) -> Result<usize, RollFault> {
        let (head, rest) = self.0.split_first_chunk::<4>().ok_or(RollFault("cut short"))?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*head) as usize)
    }

    fn texts(&mut self) -> Result<Vec<&'a str>, RollFault> {
        let count = self.word()?;
        // Each text takes at least its length word, so a wrong count cannot ask for more memory than there is.
        if count > self.0.len() / 4 {
            return Err(RollFault("cut short"));
        }
        (0..count)
            .map(|_| {
                let length = self.word()?;
                std::str::from_utf8(self.take(length)?).map_err(|_| RollFault("text is not UTF-8"))
            })
            .collect()
    }

    fn entries(&mut self) -> Result<Entries, RollFault> {
        let length = self.word()?;
        let objects = RoaringBitmap::deserialize_from(self.take(length)?).map_err(|_| RollFault("bitmap"))?;
        let outside = self
            .texts()?
            .into_iter()
            .map(|text| Mailbox::parse(text).map_err(|_| RollFault("an outside address")))
            .collect::<Result<_, _>>()?;
        let unresolved = self.texts()?.into_iter().map(Into::into).collect();
        Ok(Entries::new(objects, outside, unresolved))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(first: u32) -> Entries {
        Entries::new(
            (first..first + 70_000).step_by(3).collect(),
            vec![
                "x@outside.example".parse().expect("valid"),
                "grüße@bücher.example".parse().expect("valid"),
            ],
            vec!["CN=Gone,DC=contoso".into()],
        )
    }

    #[test]
    fn reads_back_what_it_wrote() {
        for subscribers in [None, Some(sample(5))] {
            let octets = encode(&sample(0), subscribers.as_ref());
            assert_eq!(decode(&octets), Ok((sample(0), subscribers)));
        }
        let nothing = encode(&Entries::default(), None);
        assert_eq!(decode(&nothing), Ok((Entries::default(), None)));
    }

    #[test]
    fn notices_damage() {
        let octets = encode(
            &Entries::new([1, 2, 9].into_iter().collect(), Vec::new(), vec!["y".into()]),
            None,
        );
        for index in 0..octets.len() {
            let mut damaged = octets.clone();
            damaged[index] ^= 1;
            assert!(decode(&damaged).is_err(), "octet {index}");
            assert!(decode(&octets[..index]).is_err(), "cut at {index}");
        }
    }
}
