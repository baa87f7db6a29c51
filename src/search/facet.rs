//! What the items that match are like: how many have which value of a field.

use roaring::RoaringBitmap;
use serde::Serialize;

use super::Error;
use super::group::Groups;
use crate::collection::Collection;
use crate::collection::postings::Column;

/// So many values are told apart, the most frequent.
const MOST: usize = 100;

/// The values of one field among the items that match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Facet {
    /// The field, as it was asked for.
    pub field: String,
    /// The hundred most frequent values, most frequent first, equal counts in the values' order.
    pub values: Vec<FacetValue>,
    /// How many further values there are.
    pub more: usize,
    /// How many of the counted items have a value that is not of the type that was told of the field.
    pub strays: u64,
}

/// One value of a [`Facet`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FacetValue {
    /// As the catalogue spells it most often.
    pub value: String,
    /// How many of the counted items have it; or how many groups with at least one that has it.
    pub count: u64,
}

impl Collection {
    /// How many items have which value of a field.
    pub fn values_of(&self, field: &str) -> Result<Facet, Error> {
        let column = self.column(self.field(field)?)?;
        Ok(Facet::count(field, &column, &*self.ids()?, None))
    }
}

impl Facet {
    /// Counts those of the `counted` items, or of their groups, that have each value.
    pub(super) fn count(
        name: &str,
        column: &Column,
        counted: &RoaringBitmap,
        groups: Option<&Groups>,
    ) -> Self {
        let mut marked_by = vec![usize::MAX; groups.map_or(0, Groups::len)];
        let mut counts: Vec<(u64, usize)> = Vec::new();
        for value in 0..column.len() {
            let having = column.ids(value).iter().copied().filter(|&id| counted.contains(id));
            // A group counts once, however many of its items have the value.
            let first = |&id: &u32| match groups.and_then(|groups| groups.of_item(id)) {
                Some(group) => std::mem::replace(&mut marked_by[group as usize], value) != value,
                None => true,
            };
            let count = having.filter(first).count() as u64;
            counts.extend((count > 0).then_some((count, value)));
        }
        counts.sort_by(|(a, _), (b, _)| b.cmp(a));
        let values = counts
            .iter()
            .take(MOST)
            .map(|&(count, value)| FacetValue { value: column.spelled(value).to_owned(), count });
        let more = counts.len().saturating_sub(MOST);
        let strays = column.strays().iter().filter(|&&id| counted.contains(id)).count() as u64;
        Facet { field: name.to_owned(), values: values.collect(), more, strays }
    }
}
