//! A table that is no catalogue: its columns, and its rows as they stand.

use std::collections::VecDeque;
use std::path::Path;

use serde_json::{Map, Value};

use super::opening::Opened;
use super::rows::{Row, Rows, SAMPLE, names_of, sample};
use super::{CatalogueOptions, Error};

/// The rows of a file in any format that a catalogue may have, with the names of their fields.
pub(crate) struct Records {
    rows: Rows,
    sampled: VecDeque<Result<Row, Error>>,
    /// In the file's order; of JSON lines the union of the first rows' names.
    pub columns: Vec<String>,
}

/// A row's number and its fields, or why it has none.
pub(crate) type Record = (u64, Result<Map<String, Value>, String>);

impl Records {
    pub fn open(path: &Path, options: &CatalogueOptions) -> Result<Self, Error> {
        let Opened { mut rows, columns, none, .. } = Opened::new(path, options)?;
        let wanted = if columns.is_some() { 1 } else { SAMPLE };
        let sampled = sample(&mut rows, wanted, || none)?;
        let columns = columns.unwrap_or_else(|| names_of(&sampled));
        Ok(Records { rows, sampled, columns })
    }
}

impl Iterator for Records {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.sampled.pop_front().or_else(|| self.rows.next())?;
        Some(row.map(|Row { number, fields }| (number, fields)))
    }
}
