//! Items that share a value stand for one: the variants of a product.

use std::sync::Arc;

use roaring::RoaringBitmap;
use serde::Serialize;

use crate::collection::postings::Column;

/// The items that a hit stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Group {
    /// What they share.
    pub value: String,
    /// How many of them match the filter, the hit among them.
    pub count: u64,
}

/// Which item belongs to which group.
pub(super) struct Groups {
    column: Arc<Column>,
    /// By id, the place of its group's value in the column; [`NONE`] for an item that has no value.
    values: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Groups {
    pub(super) fn of(column: Arc<Column>) -> Self {
        let mut values = Vec::new();
        // The last to be written is the first in order.
        for value in (0..column.len()).rev() {
            for &id in column.ids(value) {
                let id = id as usize;
                if id >= values.len() {
                    values.resize(id + 1, NONE);
                }
                values[id] = value as u32;
            }
        }
        Groups { column, values }
    }

    /// How many groups there are; an item without a value is in none of them.
    pub(super) fn len(&self) -> usize {
        self.column.len()
    }

    /// The number of an item's group.
    pub(super) fn of_item(&self, id: u32) -> Option<u32> {
        self.values.get(id as usize).copied().filter(|&value| value != NONE)
    }

    /// An item's group, of which those in `counted` are counted.
    pub(super) fn describe(&self, id: u32, counted: &RoaringBitmap) -> Option<Group> {
        let group = self.of_item(id)?;
        let of_it = self.column.ids(group as usize).iter().copied();
        let members = of_it.filter(|&id| self.of_item(id) == Some(group) && counted.contains(id));
        let value = self.column.spelled(group as usize).to_owned();
        Some(Group { value, count: members.count() as u64 })
    }
}
