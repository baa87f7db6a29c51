//! A set of rows or ids: what a filter lets pass.

/// A set of rows of one segment, or of ids on a [`Shelf`](crate::Shelf): one bit each, up to the largest.
///
/// ```
/// use lookalike_index::RowSet;
///
/// let in_stock: RowSet = [3, 8, 1_000].into_iter().collect();
/// assert!(in_stock.contains(8) && !in_stock.contains(9));
/// assert_eq!(in_stock.len(), 3);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowSet {
    words: Vec<u64>,
}

impl RowSet {
    /// The rows below `rows`.
    pub fn all(rows: usize) -> Self {
        let mut words = vec![u64::MAX; rows / 64];
        words.extend((!rows.is_multiple_of(64)).then(|| (1 << (rows % 64)) - 1));
        RowSet { words }
    }

    /// Adds a row.
    pub fn insert(&mut self, row: u32) {
        let word = row as usize / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (row % 64);
    }

    /// Takes a row out.
    pub fn remove(&mut self, row: u32) {
        if let Some(word) = self.words.get_mut(row as usize / 64) {
            *word &= !(1 << (row % 64));
        }
    }

    /// Whether a row is in the set.
    #[inline]
    pub fn contains(&self, row: u32) -> bool {
        self.words.get(row as usize / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// How many rows are in the set.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether none are.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// The rows, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.words.iter().enumerate().flat_map(|(w, &word)| {
            let ones = std::iter::successors(Some(word), |rest| Some(rest & rest.wrapping_sub(1)));
            ones.take_while(|&rest| rest > 0).map(move |rest| w as u32 * 64 + rest.trailing_zeros())
        })
    }

    /// Keeps only the rows that are in both.
    pub fn intersect(&mut self, other: &RowSet) {
        self.words.truncate(other.words.len());
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    /// Takes out the rows that are in the other.
    pub fn subtract(&mut self, other: &RowSet) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= !other;
        }
    }

    /// The set as bytes to be kept: a bit a row, the lowest bit of the first byte for row 0.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.truncate(bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1));
        bytes
    }

    /// The set that these bytes were made of.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let word =
            |bytes: &[u8]| bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
        RowSet { words: bytes.chunks(8).map(word).collect() }
    }

    /// The set of those that a sequence says, from row 0 on.
    pub(crate) fn from_bits(mut bits: impl Iterator<Item = bool>) -> Self {
        let mut words = Vec::new();
        while let Some(first) = bits.next() {
            let rest = bits.by_ref().take(63).zip(1..);
            words.push(rest.fold(u64::from(first), |word, (bit, at)| word | u64::from(bit) << at));
        }
        RowSet { words }
    }

    /// Row 0 for what was row `first`, and so on for the `rows` from there.
    pub(crate) fn moved_down(&self, first: u32, rows: usize) -> Self {
        let (from, shift) = (first as usize / 64, first % 64);
        let word = |w: usize| self.words.get(w).copied().unwrap_or(0);
        let moved = |w: usize| {
            // In two steps: a shift by 64 is none.
            word(from + w) >> shift | word(from + w + 1) << (63 - shift) << 1
        };
        let needed = rows.div_ceil(64).min(self.words.len().saturating_sub(from));
        let mut words: Vec<u64> = (0..needed).map(moved).collect();
        if !rows.is_multiple_of(64) && words.len() > rows / 64 {
            words[rows / 64] &= (1 << (rows % 64)) - 1;
        }
        RowSet { words }
    }

    /// How many of the rows are below `rows`.
    pub(crate) fn count_below(&self, rows: usize) -> usize {
        let whole = rows / 64;
        let ones =
            |words: &[u64]| words.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        if self.words.len() <= whole {
            return ones(&self.words);
        }
        let rest = self.words[whole] & ((1 << (rows % 64)) - 1);
        ones(&self.words[..whole]) + rest.count_ones() as usize
    }
}

impl FromIterator<u32> for RowSet {
    fn from_iter<I: IntoIterator<Item = u32>>(rows: I) -> Self {
        let mut set = RowSet::default();
        rows.into_iter().for_each(|row| set.insert(row));
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_a_set(rows: BTreeSet<u16>, others: BTreeSet<u16>, gone: u16, below: u16) {
            let collect = |rows: &BTreeSet<u16>| rows.iter().map(|&row| u32::from(row)).collect::<RowSet>();
            let mut set = collect(&rows);
            set.remove(gone.into());
            let mut rows = rows;
            rows.remove(&gone);
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), rows.iter().map(|&r| u32::from(r)).collect::<Vec<_>>());
            prop_assert_eq!((set.len(), set.is_empty()), (rows.len(), rows.is_empty()));
            prop_assert_eq!(set.count_below(below.into()), rows.range(..below).count());
            prop_assert_eq!(set.contains(below.into()), rows.contains(&below));
            let moved = set.moved_down(gone.into(), below.into());
            let range = u32::from(gone)..u32::from(gone) + u32::from(below);
            let among: Vec<u32> = rows.iter().map(|&r| u32::from(r)).filter(|r| range.contains(r)).collect();
            prop_assert_eq!(moved.iter().map(|r| r + u32::from(gone)).collect::<Vec<_>>(), among);
            let bits = RowSet::from_bits((0..below).map(|row| rows.contains(&row)));
            prop_assert_eq!(bits.iter().collect::<Vec<_>>(), rows.range(..below).map(|&r| u32::from(r)).collect::<Vec<_>>());
            prop_assert!(RowSet::from_bytes(&set.to_bytes()).iter().eq(set.iter()));
            prop_assert_eq!(set.to_bytes().len(), rows.last().map_or(0, |&last| usize::from(last) / 8 + 1));
            let mut less = set.clone();
            less.subtract(&collect(&others));
            let left: Vec<u32> = rows.difference(&others).map(|&r| u32::from(r)).collect();
            prop_assert_eq!(less.iter().collect::<Vec<_>>(), left);
            set.intersect(&collect(&others));
            let both: Vec<u32> = rows.intersection(&others).map(|&r| u32::from(r)).collect();
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), both);
        }
    }

    #[test]
    fn all_are_those_below() {
        for rows in [0, 1, 63, 64, 65, 200] {
            assert!(RowSet::all(rows).iter().eq(0..rows as u32));
        }
    }
}
