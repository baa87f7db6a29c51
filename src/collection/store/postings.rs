//! Which items have which values: one row for each field and block of ids, by the generation that wrote it.
//!
//! As with items, a reader takes the newest row that its generation may see; an empty one says that the
//! block has nothing of that field any more.

use rocksdb::{ReadOptions, WriteBatch};

use super::{POSTINGS, Store, numbered};
use crate::collection::Error;

/// Whose postings: those of a field, or, where there is no name, the list of all items.
pub(in crate::collection) type FieldName<'a> = Option<&'a str>;

/// Where a row of postings stands: its field, its block of ids, and the generation that wrote it.
pub(in crate::collection) type Place = (Option<String>, u32, u32);

/// A block's number and its bytes.
type Block = (u32, Box<[u8]>);
/// Bytes and the generation that wrote them.
type Versioned = (Box<[u8]>, u32);

impl Store {
    /// Writes what a block of ids has of a field.
    pub(in crate::collection) fn put_postings(
        &self,
        (field, block, generation): &Place,
        postings: &[u8],
    ) -> Result<(), Error> {
        self.put(POSTINGS, &key(field.as_deref(), *block, *generation), postings)
    }

    /// What each block has of a field as `generation` sees it, by ascending block.
    pub(in crate::collection) fn postings(
        &self,
        field: FieldName,
        generation: u32,
    ) -> Result<impl Iterator<Item = Result<Block, Error>> + use<'_>, Error> {
        let within = between(key(field, 0, 0), key(field, u32::MAX, u32::MAX));
        let mut rows = self.rows(POSTINGS, within)?.peekable();
        Ok(std::iter::from_fn(move || {
            loop {
                let (place, postings) = match rows.next()? {
                    Ok(row) => row,
                    Err(e) => return Some(Err(e)),
                };
                let (block, written) = match self.block_of(&place) {
                    Ok(parts) => parts,
                    Err(e) => return Some(Err(e)),
                };
                let superseded = matches!(rows.peek(), Some(Ok((next, _)))
                    if self.block_of(next).is_ok_and(|(b, g)| b == block && g <= generation));
                if written <= generation && !superseded && !postings.is_empty() {
                    return Some(Ok((block, postings)));
                }
            }
        }))
    }

    /// What one block has of a field as `generation` sees it, and the generation that wrote it.
    pub(in crate::collection) fn postings_of_block(
        &self,
        field: FieldName,
        block: u32,
        generation: u32,
    ) -> Result<Option<Versioned>, Error> {
        let Some(after) = generation.checked_add(1) else { return Ok(None) };
        let within = between(key(field, block, 0), key(field, block, after));
        // There are one or two: the published one, and what supersedes it.
        let last = self.rows(POSTINGS, within)?.last().transpose()?;
        let Some((place, postings)) = last.filter(|(_, postings)| !postings.is_empty()) else {
            return Ok(None);
        };
        Ok(Some((postings, self.block_of(&place)?.1)))
    }

    /// Forgets rows that a publication has made invisible.
    pub(in crate::collection) fn forget_postings(&self, superseded: &[Place]) -> Result<(), Error> {
        let postings = self.family(POSTINGS)?;
        for chunk in superseded.chunks(10_000) {
            let mut batch = WriteBatch::default();
            for (field, block, generation) in chunk {
                batch.delete_cf(postings, key(field.as_deref(), *block, *generation));
            }
            self.db.write(batch).map_err(|e| self.failed(e))?;
        }
        Ok(())
    }

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

fn between(first: Vec<u8>, end: Vec<u8>) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_iterate_lower_bound(first);
    options.set_iterate_upper_bound(end);
    options
}

/// The name's length, and one, goes before it, so that no field's rows lie among those of another.
fn key(field: FieldName, block: u32, generation: u32) -> Vec<u8> {
    let length = field.map_or(0, |name| name.len() as u64 + 1).to_be_bytes();
    [&length, field.unwrap_or_default().as_bytes(), &numbered(block, generation)].concat()
}
