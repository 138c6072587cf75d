//! A row of bits in which the rows of many values are put together before they become one set.
//!
//! In: rows in any order, more than once. Out: a compressed set. One thread keeps one and uses it again.

use roaring::RoaringBitmap;

use crate::directory::column::Postings;

/// Bits to gather rows in; as many as there are ordinals, an eighth of an octet each.
#[derive(Debug)]
pub(super) struct Gather {
    bits: Box<[u8]>,
    /// The octets between which a bit may be set.
    touched: std::ops::Range<usize>,
}

impl Gather {
    /// Room for ordinals below `end`.
    pub(super) fn new(end: u32) -> Self {
        let octets = usize::try_from(end).unwrap_or(usize::MAX).div_ceil(8);
        Self {
            bits: vec![0; octets].into_boxed_slice(),
            touched: 0..0,
        }
    }

    /// Ordinals beyond the room have no row; they are left out.
    pub(super) fn insert(&mut self, row: u32) {
        let at = usize::try_from(row / 8).unwrap_or(usize::MAX);
        let Some(octet) = self.bits.get_mut(at) else { return };
        *octet |= 1 << (row % 8);
        self.touched = if self.touched.is_empty() {
            at..at + 1
        } else {
            self.touched.start.min(at)..self.touched.end.max(at + 1)
        };
    }

    pub(super) fn add(&mut self, rows: Postings<'_>) {
        match rows.small() {
            Some(rows) => rows.iter().for_each(|row| self.insert(*row)),
            None => rows.each(&mut |row| self.insert(row)),
        }
    }

    /// What was gathered; afterwards it is empty again.
    pub(super) fn take(&mut self) -> RoaringBitmap {
        // Sets are built from whole words of 64 bits.
        let start = self.touched.start / 8 * 8;
        let end = self.touched.end.next_multiple_of(8).min(self.bits.len());
        self.touched = 0..0;
        let Some(octets) = self.bits.get_mut(start..end).filter(|octets| !octets.is_empty()) else {
            return RoaringBitmap::new();
        };
        // An ordinal is a u32, so the number of its octet times eight is one too.
        let first = u32::try_from(start * 8).unwrap_or(u32::MAX);
        let found = RoaringBitmap::from_lsb0_bytes(first, octets);
        octets.fill(0);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_once_and_leave_nothing_behind() {
        let mut gather = Gather::new(200_000);
        for rows in [&[70_000, 3, 3, 199_999, 200_000][..], &[], &[9], &[65_535, 65_536]] {
            rows.iter().for_each(|row| gather.insert(*row));
            let expected: RoaringBitmap = rows.iter().copied().filter(|row| *row < 200_000).collect();
            assert_eq!(gather.take(), expected);
        }
    }
}
