//! What a shop hands us becomes items.
//!
//! Flowing in: a CSV, TSV, JSON-lines or Parquet file, a shop system's feed, or a folder of pictures. Flowing
//! out: one [`Entry`] a row, in the order of the file: an [`Item`] to index, or a [`Rejection`] for the
//! ledger.
//!
//! [`Catalogue::open`] does it; [`CatalogueOptions`] says what should not be guessed. [`picture`] opens
//! the pictures themselves. Whether two items share a key is for the collection to tell.

mod columns;
mod delimited;
mod dialect;
mod error;
mod feeds;
mod fence;
mod fetch;
mod json_lines;
mod location;
mod opening;
mod options;
pub mod picture;
mod records;
mod rows;
mod source;
mod text;
mod walk;
mod whereabouts;

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use columns::choose;
pub use columns::{Chosen, Columns, Role, Why};
pub use dialect::{Dialect, Format};
pub use error::Error;
pub use fetch::FetchOptions;
pub use options::CatalogueOptions;
pub(crate) use records::Records;
pub use rows::Catalogue;
pub(crate) use rows::first_text;
pub(crate) use walk::is_picture_name;

/// One product, as the catalogue describes it. Its picture has been located, not yet opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// The shop's own identifier.
    pub key: String,
    /// Where it stood: the row counted from 1 without the header, the line of a JSON-lines file, or the
    /// picture's position in the folder.
    pub row: u64,
    /// Every column of the row under its own name, in the catalogue's order. Cells of delimited files
    /// are strings, untouched; JSON keeps its types.
    pub fields: Map<String, Value>,
    /// The sentence the text encoder reads; empty where no configured field has a value.
    pub text: String,
    /// The picture's path, resolved below the picture root; `None` where the row names none.
    pub picture: Option<PathBuf>,
}

/// A row, or a part of one, that could not be used, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rejection {
    /// The row as counted in [`Item::row`].
    pub row: u64,
    /// The item's key, where the row got as far as having one.
    pub key: Option<String>,
    /// What is wrong and what to do about it, in a sentence.
    pub reason: String,
    /// Whether the item was indexed all the same, by what remains of it.
    pub kept: bool,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "row {} ({key}): {}", self.row, self.reason),
            None => write!(f, "row {}: {}", self.row, self.reason),
        }
    }
}

/// What one row of a catalogue turns into.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A product to index. A rejection beside it says what of it could not be used (its picture is
    /// missing, say) although the rest can.
    Item(Item, Option<Rejection>),
    /// A row that cannot be indexed at all.
    Rejected(Rejection),
}
