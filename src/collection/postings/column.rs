//! All that a collection has of one field, in the order of its values.

use std::cmp::Ordering;
use std::ops::{Bound, Range};

use roaring::RoaringBitmap;

use super::block::{self, IDS, NOT_AS_WRITTEN};
use crate::collection::Error;
use crate::collection::fields::{FieldReading, Key, key, parts};
use crate::collection::store::Store;

/// The values of a field, ascending, each with the items that have it.
#[derive(Debug, Default)]
pub(crate) struct Column {
    keys: Vec<Key>,
    /// For each key, how the catalogue spells it most often.
    spelled: Vec<Box<str>>,
    /// For each key, where its ids end.
    ends: Vec<u32>,
    /// Of the first key, of the second, and so on; ascending for each.
    ids: Vec<u32>,
    /// Items with a value that is not of the field's type.
    strays: Vec<u32>,
}

/// One value of one block, on its way into a column.
struct Run {
    key: Key,
    spelled: Box<str>,
    ids: Range<usize>,
}

impl Column {
    /// Reads what `generation` sees of a field.
    pub(super) fn load(
        store: &Store,
        field: Option<&str>,
        reading: FieldReading,
        generation: u32,
    ) -> Result<Self, Error> {
        let mut column = Column::default();
        let mut runs: Vec<Run> = Vec::new();
        let mut ids: Vec<u32> = Vec::new();
        for row in store.postings(field, generation)? {
            let (block, bytes) = row?;
            for value in block::values(&bytes) {
                let (value, places) = value.ok_or_else(|| store.damaged(NOT_AS_WRITTEN))?;
                let start = ids.len();
                ids.extend(places.iter().map(|place| block * IDS + u32::from(place)));
                for part in parts(value, reading) {
                    match key(part, reading.kind) {
                        Some(key) => {
                            let ids = start..ids.len();
                            runs.push(Run { key, spelled: part.into(), ids });
                        }
                        None => column.strays.extend(&ids[start..]),
                    }
                }
            }
        }
        // A stable order of equal keys keeps the blocks in order, and thereby the ids.
        runs.sort_by(|a, b| a.key.order(&b.key));
        for group in runs.chunk_by_mut(|a, b| a.key.order(&b.key).is_eq()) {
            column.push(group, &ids);
        }
        column.strays.sort_unstable();
        column.strays.dedup();
        Ok(column)
    }

    /// The ids of all items that `generation` sees.
    pub(super) fn every(store: &Store, generation: u32) -> Result<RoaringBitmap, Error> {
        let mut all = RoaringBitmap::new();
        for row in store.postings(None, generation)? {
            let (block, bytes) = row?;
            for value in block::values(&bytes) {
                let (_, places) = value.ok_or_else(|| store.damaged(NOT_AS_WRITTEN))?;
                all.extend(places.iter().map(|place| block * IDS + u32::from(place)));
            }
        }
        Ok(all)
    }

    /// Adds a key with all that was found of it.
    fn push(&mut self, runs: &mut [Run], ids: &[u32]) {
        let start = self.ids.len();
        for run in runs.iter() {
            self.ids.extend(&ids[run.ids.clone()]);
        }
        let group = &mut self.ids[start..];
        if !group.is_sorted_by(|a, b| a < b) {
            let mut sorted = group.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            self.ids.truncate(start);
            self.ids.extend(sorted);
        }
        self.spelled.push(most_spelled(runs));
        self.keys.push(std::mem::replace(&mut runs[0].key, Key::Number(0.0)));
        self.ends.push(self.ids.len() as u32);
    }

    /// How many distinct values there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// A value as the catalogue spells it.
    pub(crate) fn spelled(&self, value: usize) -> &str {
        &self.spelled[value]
    }

    /// The items that have a value, ascending.
    pub(crate) fn ids(&self, value: usize) -> &[u32] {
        &self.ids[self.start(value)..self.ends[value] as usize]
    }

    /// Items with a value that is not of the field's type, ascending.
    pub(crate) fn strays(&self) -> &[u32] {
        &self.strays
    }

    /// Which values lie between two bounds.
    pub(crate) fn between(&self, low: Bound<&Key>, high: Bound<&Key>) -> Range<usize> {
        let below = |key: &Key| match low {
            Bound::Included(low) => key.order(low) == Ordering::Less,
            Bound::Excluded(low) => key.order(low) != Ordering::Greater,
            Bound::Unbounded => false,
        };
        let within = |key: &Key| match high {
            Bound::Included(high) => key.order(high) != Ordering::Greater,
            Bound::Excluded(high) => key.order(high) == Ordering::Less,
            Bound::Unbounded => true,
        };
        let start = self.keys.partition_point(below);
        start..self.keys.partition_point(within).max(start)
    }

    /// Which values begin with a text.
    pub(crate) fn beginning_with(&self, prefix: &str) -> Range<usize> {
        let text = |key: &Key| match key {
            Key::Text(text) => text.as_str() < prefix || text.starts_with(prefix),
            Key::Number(_) => true,
        };
        let from = Key::Text(prefix.to_owned());
        let start = self.between(Bound::Included(&from), Bound::Unbounded).start;
        start..self.keys.partition_point(text).max(start)
    }

    /// The items that have any of some values.
    pub(crate) fn bitmap(&self, values: Range<usize>) -> RoaringBitmap {
        if values.is_empty() {
            return RoaringBitmap::new();
        }
        let ids = &self.ids[self.start(values.start)..self.ends[values.end - 1] as usize];
        bitmap(ids, values.len() == 1)
    }

    fn start(&self, value: usize) -> usize {
        value.checked_sub(1).map_or(0, |before| self.ends[before] as usize)
    }

    /// Roughly the memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        let text = |key: &Key| match key {
            Key::Text(text) => text.len(),
            Key::Number(_) => 0,
        };
        let keys: usize = self.keys.iter().map(|key| size_of::<Key>() + 4 + text(key)).sum();
        let spelled: usize = self.spelled.iter().map(|text| 16 + text.len()).sum();
        keys + spelled + 4 * (self.ids.len() + self.strays.len())
    }
}

/// The spelling that most items have; of equally frequent ones the least.
fn most_spelled(runs: &mut [Run]) -> Box<str> {
    if runs.iter().all(|run| run.spelled == runs[0].spelled) {
        return std::mem::take(&mut runs[0].spelled);
    }
    let mut counts = std::collections::BTreeMap::new();
    for run in runs.iter() {
        *counts.entry(&run.spelled).or_insert(0) += run.ids.len();
    }
    let most = counts.into_iter().max_by(|(a, m), (b, n)| m.cmp(n).then(b.cmp(a)));
    most.map(|(spelled, _)| spelled.clone()).unwrap_or_default()
}

/// A set of ids. Of many in no order it is cheaper to set bits than to sort.
fn bitmap(ids: &[u32], sorted: bool) -> RoaringBitmap {
    if sorted {
        return ids.iter().copied().collect();
    }
    let most = ids.iter().copied().max().unwrap_or(0) as usize;
    if ids.len() * 64 < most {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        return ids.into_iter().collect();
    }
    let mut bits = vec![0u8; most / 8 + 1];
    for &id in ids {
        bits[id as usize / 8] |= 1 << (id % 8);
    }
    RoaringBitmap::from_lsb0_bytes(0, &bits)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bitmap_has_the_ids_in_whatever_order(ids in prop::collection::vec(0u32..200_000, 0..300), dense: bool) {
            let ids: Vec<u32> = ids.into_iter().map(|id| if dense { id % 500 } else { id }).collect();
            let set: BTreeSet<u32> = ids.iter().copied().collect();
            prop_assert!(bitmap(&ids, false).iter().eq(set.iter().copied()));
            let sorted: Vec<u32> = set.iter().copied().collect();
            prop_assert_eq!(bitmap(&sorted, true), bitmap(&ids, false));
        }
    }
}
