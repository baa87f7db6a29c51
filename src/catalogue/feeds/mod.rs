//! The feeds that shop systems export, each with habits of its own.
//!
//! Flowing in: a file's text, or the rows of a delimited file. Flowing out: rows with tidy fields, as any
//! other format of a catalogue gives them.

mod markup;
pub(super) mod merchant;
pub(super) mod parquet;
pub(super) mod shopify;
pub(super) mod xml;
