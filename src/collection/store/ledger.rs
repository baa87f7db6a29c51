//! What a run could not use, in the order in which it was found.

use rocksdb::{IteratorMode, ReadOptions};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{LEDGER, Store, numbered};
use crate::collection::Error;

impl Store {
    /// Writes an entry; returns it as it was written.
    pub(in crate::collection) fn put_ledger<T: Serialize>(
        &self,
        generation: u32,
        position: u32,
        entry: &T,
    ) -> Result<Vec<u8>, Error> {
        let bytes = self.encode(entry)?;
        self.put(LEDGER, &numbered(generation, position), &bytes)?;
        Ok(bytes)
    }

    /// The ledger of one generation, in the order in which it was written.
    pub(in crate::collection) fn ledger<T: DeserializeOwned>(
        &self,
        generation: u32,
    ) -> Result<impl Iterator<Item = Result<T, Error>>, Error> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(numbered(generation, 0));
        if let Some(next) = generation.checked_add(1) {
            options.set_iterate_upper_bound(numbered(next, 0));
        }
        let rows = self.db.iterator_cf_opt(self.family(LEDGER)?, options, IteratorMode::Start);
        Ok(rows.map(|row| {
            let (_, value) = row.map_err(|e| self.failed(e))?;
            self.decode(&value)
        }))
    }

    /// Removes the ledgers of a range of generations.
    pub(in crate::collection) fn drop_ledgers(&self, from: u32, to: u32) -> Result<(), Error> {
        let ledger = self.family(LEDGER)?;
        self.db
            .delete_range_cf(ledger, numbered(from, 0), numbered(to, 0))
            .map_err(|e| self.failed(e))
    }
}
