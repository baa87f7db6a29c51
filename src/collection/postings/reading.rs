//! The columns that a reader has asked for, kept while there is room.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use roaring::RoaringBitmap;

use super::Column;
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
}
