//! In what form a catalogue is written: told from the head of its text and its name.

use std::fmt;
use std::path::Path;

use super::source::Source;
use super::{CatalogueOptions, Error};

/// The formats that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A header and rows of cells between delimiters: CSV, TSV and their kin.
    Delimited,
    /// One JSON object a line.
    JsonLines,
    /// A Google Merchant feed: XML (RSS or Atom), or a table.
    Merchant,
    /// Shopify's product export, a table with a row a variant or picture.
    Shopify,
    /// Parquet.
    Parquet,
    /// A bare folder of pictures.
    Pictures,
}

/// How a catalogue is read. `Display` prints it for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// The format.
    pub format: Format,
    /// The character between cells, where there are cells.
    pub delimiter: Option<char>,
    /// The name of the text's encoding, where there is text.
    pub encoding: Option<&'static str>,
    /// Whether the caller named that encoding; otherwise it is told by a mark or guessed.
    pub encoding_given: bool,
    /// Whether the file is unpacked on the way.
    pub gzip: bool,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.format {
            Format::Pictures => "a folder of pictures",
            Format::JsonLines => "JSON lines",
            Format::Parquet => "Parquet",
            Format::Shopify => "Shopify's export, ",
            Format::Merchant if self.delimiter.is_none() => "a Google Merchant feed, XML",
            Format::Merchant => "a Google Merchant feed, ",
            Format::Delimited => "",
        })?;
        match self.delimiter {
            Some('\t') => f.write_str("cells separated by tabs")?,
            Some(delimiter) => write!(f, "cells separated by {delimiter:?}")?,
            None => (),
        }
        if let Some(encoding) = self.encoding {
            write!(f, ", {encoding}{}", if self.encoding_given { "" } else { " (guessed)" })?;
        }
        f.write_str(if self.gzip { ", gzip" } else { "" })
    }
}

impl Dialect {
    pub(super) fn of(
        path: &Path,
        source: &Source,
        options: &CatalogueOptions,
    ) -> Result<Self, Error> {
        let extension = extension(path);
        let format = match options.format {
            Some(format) => format,
            None => format(path, extension.as_deref(), &source.glance)?,
        };
        let xml = source.glance.trim_start().starts_with('<');
        let table = matches!(format, Format::Delimited | Format::Shopify)
            || format == Format::Merchant && !xml;
        let delimiter = match options.delimiter {
            Some(delimiter) if table => {
                if !delimiter.is_ascii() || matches!(delimiter, '"' | '\n' | '\r') {
                    return Err(Error::BadDelimiter { delimiter });
                }
                Some(delimiter)
            }
            None if table => {
                let tabs = matches!(extension.as_deref(), Some("tsv" | "tab"));
                Some(guess_delimiter(&source.glance, source.whole, tabs))
            }
            _ => None,
        };
        Ok(Dialect {
            format,
            delimiter,
            encoding: Some(source.encoding.name()),
            encoding_given: source.encoding_given,
            gzip: source.gzip,
        })
    }
}

/// In lower case, below `.gz`.
fn extension(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').map(|(_, extension)| extension.to_owned())
}

fn format(path: &Path, extension: Option<&str>, text: &str) -> Result<Format, Error> {
    let refuse = |found, remedy| Error::NotACatalogue { path: path.to_owned(), found, remedy };
    let start = text.trim_start();
    let named_json = matches!(extension, Some("json" | "jsonl" | "ndjson"));
    if start.starts_with('[') && (named_json || start[1..].trim_start().starts_with('{')) {
        return Err(refuse("one JSON array", "write one object a line, as `jq -c '.[]'` does"));
    }
    if matches!(extension, Some("jsonl" | "ndjson")) {
        return Ok(Format::JsonLines);
    }
    let xml = ["<?xml", "<rss", "<feed", "<rdf:RDF"].iter().any(|head| start.starts_with(head));
    if xml || extension == Some("xml") && start.starts_with('<') {
        return Ok(Format::Merchant);
    }
    if !start.starts_with('{') {
        return Ok(Format::Delimited);
    }
    let line = start.lines().next().unwrap_or_default();
    let object = serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok();
    // A first line longer than the glance cannot be checked, and needs not be: it begins like JSON.
    let beyond = start.len() == line.len();
    match (object || beyond, named_json) {
        (true, _) => Ok(Format::JsonLines),
        (false, true) => {
            Err(refuse("JSON over several lines", "write one object a line, as `jq -c .` does"))
        }
        (false, false) => Ok(Format::Delimited),
    }
}

/// The delimiter under which the first rows agree best on their number of cells; of those that agree
/// equally, the one with more cells. `tabs`: the file's name promises them.
fn guess_delimiter(text: &str, whole: bool, tabs: bool) -> char {
    // Excel's own way of telling it, in a line before the header.
    if let Some([delimiter, b'\r' | b'\n', ..]) = text.strip_prefix("sep=").map(str::as_bytes)
        && delimiter.is_ascii_punctuation() | (*delimiter == b'\t')
    {
        return char::from(*delimiter);
    }
    let mut best = (if tabs { '\t' } else { ',' }, (0.0, 1));
    for delimiter in ['\t', ',', ';', '|'] {
        let fit = fit(text, whole, delimiter);
        let promised = tabs && delimiter == '\t' && fit.1 > 1;
        if promised || fit.1 > 1 && fit > best.1 {
            best = (delimiter, fit);
        }
        if promised {
            break;
        }
    }
    best.0
}

/// The share of rows as long as the header, and that length.
fn fit(text: &str, whole: bool, delimiter: char) -> (f64, usize) {
    const ENOUGH: usize = 200;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter as u8)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut lengths: Vec<usize> = reader
        .byte_records()
        .map_while(Result::ok)
        .take(ENOUGH)
        .map(|record| record.len())
        .collect();
    // The glance ends anywhere in its last row.
    if !whole && lengths.len() > 1 && lengths.len() < ENOUGH {
        lengths.pop();
    }
    let Some(&header) = lengths.first() else { return (0.0, 0) };
    let agreeing = lengths.iter().filter(|length| **length == header).count();
    (agreeing as f64 / lengths.len() as f64, header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_the_one_on_which_rows_agree() {
        for (text, delimiter) in [
            ("id,title\n1,Hat\n", ','),
            ("id;title;price\n1;Hat, red;1,50\n2;Cap;2,50\n", ';'),
            ("id\ttitle\n1\tHat, red; warm\n", '\t'),
            ("id|title|tags\n1|Hat|a,b\n2|Cap|c,d\n", '|'),
            ("id,title\n1,\"a;b;c\nd;e\"\n2,x;y\n", ','),
            // Semicolons agree on every row, commas only on most.
            ("a,b;c\n1,2;3\n1;2\n", ';'),
            ("title\nHat\n", ','),
            ("sep=;\r\nid;title\r\n1;a,b\r\n", ';'),
            ("", ','),
        ] {
            assert_eq!(guess_delimiter(text, true, false), delimiter, "{text:?}");
        }
        assert_eq!(guess_delimiter("a\tb,c,d\n1\t2,3,4\n", true, true), '\t');
        assert_eq!(guess_delimiter("a,b\n1,2\n", true, true), ',');
        assert_eq!(guess_delimiter("a;b\n1;2\n3", false, false), ';');
    }

    #[test]
    fn the_format_is_told_by_content_and_name() {
        let told = |name: &str, text: &str| {
            format(Path::new(name), extension(Path::new(name)).as_deref(), text)
                .map_err(|error| error.to_string())
        };
        assert_eq!(told("a.csv", "id,title\n"), Ok(Format::Delimited));
        assert_eq!(told("a.json", "{\"id\": 1}\n{\"id\": 2}\n"), Ok(Format::JsonLines));
        assert_eq!(told("a", "\n {\"id\": 1}"), Ok(Format::JsonLines));
        assert_eq!(told("a.csv", "{x},y\n1,2\n"), Ok(Format::Delimited));
        assert_eq!(told("a.JSONL.gz", "oops"), Ok(Format::JsonLines));
        assert_eq!(
            told("a.json", "[\n {\"id\": 1}]"),
            Err("a.json is one JSON array: write one object a line, as `jq -c '.[]'` does".into())
        );
        assert_eq!(
            told("a.json", "{\n \"id\": 1\n}\n"),
            Err("a.json is JSON over several lines: write one object a line, as `jq -c .` does"
                .into())
        );
    }
}
