//! A table that is no catalogue: its columns, and its rows as they stand.

use std::collections::VecDeque;
use std::path::Path;

use serde_json::{Map, Value};

use super::rows::{Row, Rows, SAMPLE, names_of, open_rows, sample};
use super::{CatalogueOptions, Error, Format};

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
        let (dialect, mut rows, columns) = open_rows(path, options)?;
        let json = dialect.format == Format::JsonLines;
        let none = || Error::NoRows { path: path.to_owned() };
        let sampled = sample(&mut rows, if json { SAMPLE } else { 1 }, none)?;
        let columns = if json { names_of(&sampled) } else { columns };
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
