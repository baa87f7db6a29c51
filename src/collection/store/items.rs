//! Items by `(id, generation)`, and the ids that the shop's keys were given.

use std::ops::Range;

use rocksdb::{Direction, IteratorMode, ReadOptions, WriteBatch};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ITEMS, KEYS, NEXT_ID, SETTINGS, Store, numbered};
use crate::collection::Error;

impl Store {
    /// The id that a key was given, if it ever was.
    pub(in crate::collection) fn id_of(&self, key: &str) -> Result<Option<u32>, Error> {
        let value = self.get(KEYS, key.as_bytes())?;
        value.map(|bytes| self.u32_from(&bytes)).transpose()
    }

    /// The id of a key, given now if the key is new.
    pub(in crate::collection) fn id_for(&self, key: &str) -> Result<u32, Error> {
        if let Some(id) = self.id_of(key)? {
            return Ok(id);
        }
        let id: u32 = self.setting(NEXT_ID)?.unwrap_or(0);
        let next = id.checked_add(1).ok_or_else(|| Error::Full { path: self.path.clone() })?;
        let mut batch = WriteBatch::default();
        batch.put_cf(self.family(KEYS)?, key, id.to_be_bytes());
        batch.put_cf(self.family(SETTINGS)?, NEXT_ID, self.encode(&next)?);
        self.db.write(batch).map_err(|e| self.failed(e))?;
        Ok(id)
    }

    /// The item's record as `generation` sees it, with the generation that wrote it.
    pub(in crate::collection) fn item<T: DeserializeOwned>(
        &self,
        id: u32,
        generation: u32,
    ) -> Result<Option<(T, u32)>, Error> {
        // No further back than the item's own first row: otherwise a look at an item that has no row
        // yet would wade through whatever stands before it.
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(numbered(id, 0));
        let mode = IteratorMode::From(&numbered(id, generation), Direction::Reverse);
        let mut rows = self.db.iterator_cf_opt(self.family(ITEMS)?, options, mode);
        let Some(row) = rows.next() else { return Ok(None) };
        let (key, value) = row.map_err(|e| self.failed(e))?;
        if value.is_empty() {
            return Ok(None);
        }
        Ok(Some((self.decode(&value)?, self.item_key(&key)?.1)))
    }

    /// Writes an item's record; `None` says that the item is gone from this generation on.
    pub(in crate::collection) fn put_item<T: Serialize>(
        &self,
        id: u32,
        generation: u32,
        record: Option<&T>,
    ) -> Result<(), Error> {
        let value = record.map(|r| self.encode(r)).transpose()?.unwrap_or_default();
        self.put(ITEMS, &numbered(id, generation), &value)
    }

    /// Every item that `generation` sees, by ascending id: its id, the generation that wrote it, and
    /// its record.
    pub(in crate::collection) fn items<T: DeserializeOwned>(
        &self,
        generation: u32,
    ) -> Result<impl Iterator<Item = Result<(u32, u32, T), Error>> + use<'_, T>, Error> {
        self.items_of(0..u32::MAX, generation)
    }

    /// As [`items`](Self::items), of a range of ids.
    pub(in crate::collection) fn items_of<T: DeserializeOwned>(
        &self,
        ids: Range<u32>,
        generation: u32,
    ) -> Result<impl Iterator<Item = Result<(u32, u32, T), Error>> + use<'_, T>, Error> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(numbered(ids.start, 0));
        options.set_iterate_upper_bound(numbered(ids.end, 0));
        let mut rows = self.rows(ITEMS, options)?.peekable();
        Ok(std::iter::from_fn(move || {
            loop {
                let (key, value) = match rows.next()? {
                    Ok(row) => row,
                    Err(e) => return Some(Err(e)),
                };
                let (id, written) = match self.item_key(&key) {
                    Ok(parts) => parts,
                    Err(e) => return Some(Err(e)),
                };
                let visible = |g: u32| g <= generation;
                let superseded = matches!(rows.peek(), Some(Ok((next, _)))
                    if self.item_key(next).is_ok_and(|(i, g)| i == id && visible(g)));
                if visible(written) && !superseded && !value.is_empty() {
                    return Some(self.decode(&value).map(|record| (id, written, record)));
                }
            }
        }))
    }

    /// Forgets versions of items that a publication has made invisible.
    pub(in crate::collection) fn forget(&self, superseded: &[(u32, u32)]) -> Result<(), Error> {
        let items = self.family(ITEMS)?;
        for chunk in superseded.chunks(10_000) {
            let mut batch = WriteBatch::default();
            for &(id, generation) in chunk {
                batch.delete_cf(items, numbered(id, generation));
            }
            self.db.write(batch).map_err(|e| self.failed(e))?;
        }
        Ok(())
    }
}
