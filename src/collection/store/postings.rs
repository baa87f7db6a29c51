//! Which items have which values: one row for each field and block of ids, by the generation that wrote it.
//!
//! As with items, a reader takes the newest row that its generation may see; an empty one says that the
//! block has nothing of that field any more.

use rocksdb::ReadOptions;

use super::{POSTINGS, Store};
use crate::collection::Error;

impl Store {
    /// Removes the rows of `generation` and of later ones: they were never published.
    pub(super) fn sweep_postings(&self, generation: u32) -> Result<(), Error> {
        let postings = self.family(POSTINGS)?;
        for row in self.rows(POSTINGS, ReadOptions::default())? {
            let (place, _) = row?;
            if self.block_of(&place)?.1 >= generation {
                self.db.delete_cf(postings, &place).map_err(|e| self.failed(e))?;
            }
        }
        Ok(())
    }

    /// The block and the generation at the end of a key.
    fn block_of(&self, place: &[u8]) -> Result<(u32, u32), Error> {
        let end = place.len().checked_sub(8).map(|start| &place[start..]);
        end.map_or_else(
            || Err(self.damaged("a key of postings is too short")),
            |end| self.item_key(end),
        )
    }
}
