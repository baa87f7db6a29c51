//! The words of texts, and which items have them: full-text search by BM25.
//!
//! Flowing in: texts with the numbers of their items. Flowing out: for a few words, every item that has
//! one of them and how well it matches. Nothing here knows products, queries or RocksDB.
//!
//! tantivy writes and reads the files: dictionaries, postings and lengths, in immutable segments. What it
//! would keep in a file that changes, the list of its segments, is ours to keep instead: a [`WordsEntry`]
//! is published together with everything else that a run changes, and whoever opens a generation hands
//! its entry back. So a killed run has published nothing, and a reader's words fit its vectors.
//!
//! How well an item matches depends on the items that there are, and on nothing else: not on the order in
//! which they came, nor on the ones that left, nor on how tantivy has cut them into segments. So the same
//! catalogue gives the same ranking whatever its history.

mod analysis;
mod error;
mod files;
mod index;
mod matches;
mod score;
mod spelling;
mod writer;

use serde::{Deserialize, Serialize};

pub use error::Error;
pub(crate) use index::WordsIndex;
pub(crate) use matches::Matches;
pub(crate) use writer::WordsWriter;

/// How forgiving a search for words is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spelling {
    /// Whether a word that no item has stands for the nearest ones that there are.
    pub typos: bool,
    /// Whether the last word is still being written, and stands for every word that begins so.
    pub as_you_type: bool,
}

/// One generation of an index of words, as whoever publishes it keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WordsEntry {
    /// The files that it consists of, in the collection's `words` directory.
    pub files: Vec<String>,
    /// How many items have words.
    pub items: u64,
    /// How many words they have together, as scoring counts them.
    pub words: u64,
    /// Into what and how texts are cut: an index of another way is made anew.
    pub analysis: u32,
    /// What tantivy would write into its `meta.json`.
    pub(crate) segments: String,
}
