//! Which rows of which files of vectors are dead, by the generation in which they last became more.

use lookalike_index::RowSet;
use rocksdb::ReadOptions;

use super::{DEAD, Store};
use crate::collection::Error;
use crate::collection::manifest::{Manifest, SegmentEntry};

impl Store {
    /// The dead rows of a published file; none where none were noted.
    pub(in crate::collection) fn dead(&self, entry: &SegmentEntry) -> Result<RowSet, Error> {
        let Some(dead) = &entry.dead else { return Ok(RowSet::default()) };
        let rows = self.get(DEAD, &key(&entry.file, dead.generation))?;
        let rows = rows.map(|bytes| RowSet::from_bytes(&bytes));
        rows.filter(|rows| rows.len() as u64 == dead.vectors).ok_or_else(|| {
            self.damaged(format!("the list of dead vectors of {} is not as it was", entry.file))
        })
    }

    /// Notes the dead rows of a file, for a generation that is being written.
    pub(in crate::collection) fn put_dead(
        &self,
        file: &str,
        generation: u32,
        rows: &RowSet,
    ) -> Result<(), Error> {
        self.put(DEAD, &key(file, generation), &rows.to_bytes())
    }

    /// Forgets what the published manifest does not refer to: it is superseded, or was never published.
    pub(in crate::collection) fn forget_dead(&self, published: &Manifest) -> Result<(), Error> {
        let named = |entry: &SegmentEntry| Some(key(&entry.file, entry.dead.as_ref()?.generation));
        let named: Vec<Vec<u8>> = published.segments.iter().filter_map(named).collect();
        for row in self.rows(DEAD, ReadOptions::default())? {
            let (key, _) = row?;
            if !named.iter().any(|named| **named == *key) {
                self.db.delete_cf(self.family(DEAD)?, &key).map_err(|e| self.failed(e))?;
            }
        }
        Ok(())
    }
}

/// File names hold no zero.
fn key(file: &str, generation: u32) -> Vec<u8> {
    [file.as_bytes(), &[0], &generation.to_be_bytes()].concat()
}
