//! The current generation, and what becomes of one that was never published.

use rocksdb::{IteratorMode, WriteBatch, WriteOptions};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CURRENT, FORMAT, FORMAT_VERSION, ITEMS, SETTINGS, Store, WRITING};
use crate::collection::Error;

impl Store {
    /// What is published, in full; `None` before the first publication.
    pub(in crate::collection) fn current<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        self.setting(CURRENT)
    }

    /// Publishes: from here on every new reader sees the generation that `manifest` describes.
    pub(in crate::collection) fn publish<T: Serialize>(&self, manifest: &T) -> Result<(), Error> {
        let mut batch = WriteBatch::default();
        let settings = self.family(SETTINGS)?;
        batch.put_cf(settings, CURRENT, self.encode(manifest)?);
        batch.put_cf(settings, FORMAT, self.encode(&FORMAT_VERSION)?);
        batch.delete_cf(settings, WRITING);
        let mut durable = WriteOptions::default();
        durable.set_sync(true);
        self.db.write_opt(batch, &durable).map_err(|e| self.failed(e))
    }

    /// Marks a generation as being written, after sweeping away what an earlier run left unpublished.
    pub(in crate::collection) fn begin(&self, generation: u32) -> Result<(), Error> {
        if self.setting::<u32>(WRITING)?.is_some() {
            self.sweep(generation)?;
        }
        self.put_setting(WRITING, &generation)
    }

    /// Gives a generation up before it was published.
    pub(in crate::collection) fn abandon(&self, generation: u32) -> Result<(), Error> {
        self.sweep(generation)?;
        let settings = self.family(SETTINGS)?;
        self.db.delete_cf(settings, WRITING).map_err(|e| self.failed(e))
    }

    /// Removes the rows of `generation` and of later ones: they were never published.
    fn sweep(&self, generation: u32) -> Result<(), Error> {
        let items = self.family(ITEMS)?;
        for row in self.db.iterator_cf(items, IteratorMode::Start) {
            let (key, _) = row.map_err(|e| self.failed(e))?;
            if self.item_key(&key)?.1 >= generation {
                self.db.delete_cf(items, &key).map_err(|e| self.failed(e))?;
            }
        }
        self.sweep_postings(generation)?;
        self.drop_ledgers(generation, u32::MAX)
    }
}
