//! Ranks of a roster as ranges: what a batch carries and an outcome speaks of.

use roaring::RoaringBitmap;

/// Ranges of ranks, both ends included, ascending, not touching each other.
pub type Ranges = Vec<(u32, u32)>;

/// How many ranks the ranges hold.
#[must_use]
pub fn count(ranges: &[(u32, u32)]) -> u32 {
    ranges.iter().map(|&(first, last)| last - first + 1).sum()
}

/// All ranks of the ranges in order.
pub fn each(ranges: &[(u32, u32)]) -> impl Iterator<Item = u32> + '_ {
    ranges.iter().flat_map(|&(first, last)| first..=last)
}

/// Appends a rank above all others, joining it to the last range where it can.
pub fn push(ranges: &mut Ranges, rank: u32) {
    match ranges.last_mut() {
        Some((_, last)) if last.checked_add(1) == Some(rank) => *last = rank,
        _ => ranges.push((rank, rank)),
    }
}

/// Removes the `count_max` lowest ranks from a bitmap and returns them.
#[must_use]
pub fn take_lowest(ranks: &mut RoaringBitmap, count_max: usize) -> Ranges {
    let mut ranges = Ranges::new();
    let mut taken = 0;
    for rank in ranks.iter().take(count_max) {
        push(&mut ranges, rank);
        taken += 1;
    }
    ranks.remove_smallest(taken);
    ranges
}

/// Adds ranges to a bitmap.
pub fn add(ranks: &mut RoaringBitmap, ranges: &[(u32, u32)]) {
    for &(first, last) in ranges {
        ranks.insert_range(first..=last);
    }
}

/// Removes ranges from a bitmap.
pub fn remove(ranks: &mut RoaringBitmap, ranges: &[(u32, u32)]) {
    for &(first, last) in ranges {
        ranks.remove_range(first..=last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_are_taken_as_ranges() {
        let mut ranks: RoaringBitmap = [1, 2, 3, 7, 9, 10].into_iter().collect();
        let ranges = take_lowest(&mut ranks, 5);
        assert_eq!(ranges, [(1, 3), (7, 7), (9, 9)]);
        assert_eq!(count(&ranges), 5);
        assert_eq!(each(&ranges).collect::<Vec<_>>(), [1, 2, 3, 7, 9]);
        assert_eq!(ranks.iter().collect::<Vec<_>>(), [10]);
        add(&mut ranks, &ranges);
        remove(&mut ranks, &[(2, 9)]);
        assert_eq!(ranks.iter().collect::<Vec<_>>(), [1, 10]);
    }
}
