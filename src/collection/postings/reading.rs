//! The columns that a reader has asked for, kept while there is room.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use roaring::RoaringBitmap;

use super::Column;
use super::block::IDS;
use super::writing::Now;
use crate::collection::fields::FieldEntry;
use crate::collection::{Collection, Error};

/// Columns are kept until together they take so many bytes: a dozen of a collection of 100,000 items.
const ROOM: usize = 64 << 20;

/// Columns that were loaded, the latest last. The generation stands still, so none of them grows old.
#[derive(Default)]
pub(in crate::collection) struct Columns {
    loaded: Mutex<Vec<(String, Arc<Column>)>>,
    items: OnceLock<Arc<RoaringBitmap>>,
}

impl Collection {
    /// What is known of the fields of the items, in the catalogue's order. `None` for a collection that
    /// was indexed before there were filters: indexing its catalogue once more makes them.
    pub fn fields(&self) -> Option<&[FieldEntry]> {
        self.manifest.fields.as_deref()
    }

    /// The values of a field with their items.
    pub(crate) fn column(&self, field: &FieldEntry) -> Result<Arc<Column>, Error> {
        let lock = || self.columns.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |loaded: &[(String, Arc<Column>)]| {
            let found = loaded.iter().find(|(name, _)| *name == field.name);
            found.map(|(_, column)| column.clone())
        };
        if let Some(column) = known(&lock()) {
            return Ok(column);
        }
        let generation = self.manifest.generation;
        let column = Column::load(&self.store, Some(&field.name), field.reading, generation)?;
        let column = Arc::new(column);
        let mut loaded = lock();
        if known(&loaded).is_none() {
            loaded.push((field.name.clone(), column.clone()));
        }
        let bytes = |loaded: &[(String, Arc<Column>)]| -> usize {
            loaded.iter().map(|(_, column)| column.bytes()).sum()
        };
        while bytes(&loaded) > ROOM {
            loaded.remove(0);
        }
        Ok(column)
    }

    /// The ids of all items.
    pub(crate) fn ids(&self) -> Result<Arc<RoaringBitmap>, Error> {
        if let Some(ids) = self.columns.items.get() {
            return Ok(ids.clone());
        }
        let generation = self.manifest.generation;
        let ids = if self.manifest.fields.is_some() {
            Column::every(&self.store, generation)?
        } else {
            self.items()?.map(|row| row.map(|(id, _)| id)).collect::<Result<_, _>>()?
        };
        Ok(self.columns.items.get_or_init(|| Arc::new(ids)).clone())
    }

    /// Whether the postings are those of the items, to the byte; `items` are the ids that there are.
    pub(in crate::collection) fn verify_postings(&self, items: &[u32]) -> Result<(), Error> {
        let Some(fields) = &self.manifest.fields else { return Ok(()) };
        let (store, generation) = (&self.store, self.manifest.generation);
        let published = |name: Option<&str>, block| {
            let published = store.postings_of_block(name, block, generation)?;
            Ok::<_, Error>(published.map(|(bytes, _)| bytes).unwrap_or_default())
        };
        let blocks: BTreeSet<u32> = items.iter().map(|id| id / IDS).collect();
        for block in blocks {
            let mut now = Now::read(store, block, generation)?;
            let mut same = *now.items.to_bytes() == *published(None, block)?;
            for field in fields {
                let bytes = published(Some(&field.name), block)?;
                same &= *now.take(&field.name).to_bytes() == *bytes;
            }
            if !same || !now.is_spent() {
                return Err(store.damaged("the postings of its fields are not those of its items"));
            }
        }
        let same = self.ids()?.iter().eq(items.iter().copied());
        same.then_some(()).ok_or_else(|| store.damaged("its postings have items that do not exist"))
    }
}
