//! Which items have which values of which field, so that a filter need not look at items.
//!
//! Flowing in: the items of blocks that a run has changed. Flowing out: a [`Column`] for each field that
//! a reader asks about: its values in order, each with its items, so that any comparison is a slice.
//!
//! **Why blocks?** Postings by value, one row each, would be many small rows: a range over prices would
//! read thousands, and a changed item would touch twenty bitmaps, each of the whole collection. Instead
//! the ids are cut into blocks of 1,024, and a row of the store has all that one block has of one field.
//! A run writes the rows of the blocks in which it changed an item, from the items themselves, under its
//! own generation; all others stay. Memory is bounded by a block, publishing stays the one small batch, a
//! reader of an older generation goes on seeing the older rows, and no row is ever patched. A column of
//! 100,000 items is a hundred rows, read in one go.
//!
//! **Why values as they are spelled?** What type a field has depends on all of its values and may change
//! with the next one. A reader parses each distinct value of a block once when it loads a column, and
//! keeps the column as long as the collection is open.

mod block;
mod column;
mod reading;
mod writing;

pub(crate) use column::Column;
pub(super) use reading::Columns;
pub(super) use writing::Blocks;
