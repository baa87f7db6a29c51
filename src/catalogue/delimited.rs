//! CSV, TSV and their kin: a header, then rows of cells.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder};
use serde_json::{Map, Value};

use super::fence::Fence;
use super::rows::{LONGEST_ROW, Row};
use super::{CatalogueOptions, Error};

/// The rows of a delimited file, one at a time.
pub(super) struct Delimited {
    reader: csv::Reader<Fence<Box<dyn Read + Send>>>,
    path: PathBuf,
    columns: Vec<String>,
    record: ByteRecord,
    row: u64,
    failed: bool,
}

impl Delimited {
    pub fn open(
        path: &Path,
        text: Box<dyn Read + Send>,
        delimiter: char,
        options: &CatalogueOptions,
    ) -> Result<Self, Error> {
        let text = skip_separator_line(text)
            .map_err(|source| Error::Io { path: path.to_owned(), source })?;
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter as u8)
            .quoting(options.quotes)
            .has_headers(false)
            .flexible(true)
            .from_reader(Fence::new(text, LONGEST_ROW));
        let mut header = ByteRecord::new();
        let read = reader.read_byte_record(&mut header);
        let columns = names(&header);
        let rows = Delimited {
            reader,
            path: path.to_owned(),
            columns,
            record: ByteRecord::new(),
            row: 0,
            failed: false,
        };
        match read {
            Ok(true) => Ok(rows),
            Ok(false) => Err(Error::Empty { path: path.to_owned() }),
            Err(error) => Err(rows.fatal(error)),
        }
    }

    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    fn fatal(&self, error: csv::Error) -> Error {
        let path = self.path.clone();
        if self.reader.get_ref().is_reached() {
            let line = self.record.position().map_or(1, csv::Position::line);
            return Error::RowTooLong { path, row: self.row, line, limit: LONGEST_ROW };
        }
        let source = match error.into_kind() {
            csv::ErrorKind::Io(source) => source,
            // The parser accepts any bytes and any number of cells, so that only reading can fail.
            other => io::Error::other(format!("{other:?}")),
        };
        Error::Io { path, source }
    }

    fn fields(&self) -> Result<Map<String, Value>, String> {
        let line = self.record.position().map_or(0, csv::Position::line);
        let (found, expected) = (self.record.len(), self.columns.len());
        if found != expected {
            let hint = match self.record.iter().any(|cell| cell.contains(&b'\n')) {
                true => "is a quote not closed, or a delimiter not quoted?",
                false => "quote cells that contain the delimiter, and write empty cells too",
            };
            return Err(format!(
                "line {line} has {} where the header has {expected}: {hint}",
                cells(found)
            ));
        }
        let mut fields = Map::with_capacity(expected);
        for (name, cell) in self.columns.iter().zip(&self.record) {
            let text = std::str::from_utf8(cell).map_err(|_| {
                format!(
                    "line {line} is not valid UTF-8 in column {name:?}: correct it, or name the file's \
                     encoding with --encoding (windows-1252, say)"
                )
            })?;
            fields.insert(name.clone(), Value::String(text.to_owned()));
        }
        Ok(fields)
    }
}

impl Iterator for Delimited {
    type Item = Result<Row, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            self.row += 1;
            self.reader.get_mut().move_on();
            match self.reader.read_byte_record(&mut self.record) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.failed = true;
                    return Some(Err(self.fatal(error)));
                }
            }
            // Spreadsheets like to end with rows of nothing but delimiters.
            let blank = self.record.iter().all(|cell| cell.trim_ascii().is_empty());
            if !blank {
                return Some(Ok(Row { number: self.row, fields: self.fields() }));
            }
        }
        None
    }
}

fn cells(count: usize) -> String {
    format!("{count} cell{}", if count == 1 { "" } else { "s" })
}

/// The columns' names, made unique, since each is looked up by its own.
fn names(header: &ByteRecord) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    for (at, cell) in header.iter().enumerate() {
        let name = match String::from_utf8_lossy(cell).trim() {
            "" => format!("column {}", at + 1),
            name => name.to_owned(),
        };
        let mut unique = name.clone();
        let mut count = 1;
        while names.contains(&unique) {
            count += 1;
            unique = format!("{name} ({count})");
        }
        names.push(unique);
    }
    names
}

/// Excel tells itself the delimiter in a first line such as `sep=;`, which is no row.
fn skip_separator_line(text: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut text = BufReader::new(text);
    let head = text.fill_buf()?;
    if matches!(head, [b's', b'e', b'p', b'=', _, b'\r' | b'\n', ..]) {
        text.skip_until(b'\n')?;
    }
    Ok(Box::new(text))
}
