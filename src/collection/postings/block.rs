//! What one block of ids has of one field, as bytes.
//!
//! ```text
//! for each value, ascending by its bytes:
//!   length   u16    of the value
//!   value    UTF-8
//!   count    u16    of the items that have it, at least 1
//!   items    u16 each, ascending: the id less the block's first
//! ```
//! Numbers are little-endian.

use std::collections::BTreeMap;

use crate::collection::fields::Tally;

/// Ids of one block.
pub(super) const IDS: u32 = 1024;

/// What is wrong with a store whose blocks cannot be read.
pub(super) const NOT_AS_WRITTEN: &str = "postings are not as they were written";

/// The values of a field within a block, each with the places of its items.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Block {
    values: BTreeMap<String, Vec<u16>>,
}

impl Block {
    /// Adds a value of an item; items come in ascending order.
    pub(super) fn add(&mut self, value: &str, place: u16) {
        match self.values.get_mut(value) {
            Some(places) if places.last() == Some(&place) => (),
            Some(places) => places.push(place),
            None => drop(self.values.insert(value.to_owned(), vec![place])),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A value is cut long before its length needs more than 16 bits, and a block has 1,024 items.
        for (value, places) in &self.values {
            bytes.extend((value.len() as u16).to_le_bytes());
            bytes.extend(value.as_bytes());
            bytes.extend((places.len() as u16).to_le_bytes());
            bytes.extend(places.iter().flat_map(|place| place.to_le_bytes()));
        }
        bytes
    }
}

/// The values of a block with the places of each; an item that is `None` says that the bytes are not a
/// block's, and is the last.
pub(super) fn values(mut bytes: &[u8]) -> impl Iterator<Item = Option<(&str, Places<'_>)>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let value = value(&mut bytes);
        if value.is_none() {
            bytes = &[];
        }
        Some(value)
    })
}

/// The places of a value's items, ascending.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a>(&'a [u8]);

impl Places<'_> {
    pub(super) fn len(&self) -> usize {
        self.0.len() / 2
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u16> {
        self.0.chunks_exact(2).map(|place| u16::from_le_bytes([place[0], place[1]]))
    }
}

fn value<'a>(bytes: &mut &'a [u8]) -> Option<(&'a str, Places<'a>)> {
    let length = number(bytes)?;
    let value = std::str::from_utf8(bytes.split_off(..length)?).ok()?;
    let count = number(bytes)?;
    let places = Places(bytes.split_off(..2 * count)?);
    let sound = count > 0 && places.iter().all(|place| u32::from(place) < IDS);
    sound.then_some((value, places))
}

fn number(bytes: &mut &[u8]) -> Option<usize> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u16::from_le_bytes(*number).into())
}

/// What a block adds to the tally of its field; `None` where the bytes are not a block's.
pub(super) fn tally(bytes: &[u8]) -> Option<Tally> {
    let mut tally = Tally::default();
    let mut having = [false; IDS as usize];
    for value in values(bytes) {
        let (value, places) = value?;
        tally.add_value(value, places.len() as u64);
        places.iter().for_each(|place| having[usize::from(place)] = true);
    }
    tally.add_items(having.into_iter().filter(|&has| has).count() as u64);
    Some(tally)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn reads_what_was_written_and_refuses_what_was_not(
            given in prop::collection::btree_map(".{0,9}", prop::collection::btree_set(0u16..1024, 1..20), 0..9),
            cut: prop::sample::Index,
            noise: Vec<u8>,
        ) {
            let mut block = Block::default();
            for place in 0..1024 {
                for (value, _) in given.iter().filter(|(_, places)| places.contains(&place)) {
                    block.add(value, place);
                    block.add(value, place);
                }
            }
            let bytes = block.to_bytes();
            let read: Vec<(String, Vec<u16>)> = values(&bytes)
                .map(|value| value.unwrap())
                .map(|(value, places)| (value.to_owned(), places.iter().collect()))
                .collect();
            let expected: Vec<(String, Vec<u16>)> =
                given.into_iter().map(|(value, places)| (value, places.into_iter().collect())).collect();
            prop_assert_eq!(read, expected);
            // Torn or foreign bytes give values or a refusal, and never more than the bytes hold.
            for bytes in [&bytes[..cut.index(bytes.len() + 1)], &noise] {
                let sound = values(bytes).all(|value| value.is_some());
                prop_assert_eq!(tally(bytes).is_some(), sound);
            }
        }
    }
}
