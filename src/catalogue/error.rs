//! What stops a catalogue as a whole. What stops one row is a [`Rejection`](super::Rejection).

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::Role;

/// Why a catalogue cannot be opened, or not be read further.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A file without content.
    #[error("{} is empty: export the catalogue again", path.display())]
    Empty {
        /// The catalogue.
        path: PathBuf,
    },
    /// Column names and nothing below them.
    #[error("{} has a header but no rows: export the catalogue again", path.display())]
    NoRows {
        /// The catalogue.
        path: PathBuf,
    },
    /// A folder in which nothing looks like a picture.
    #[error(
        "no pictures in {}: expected files named *.jpg, *.png, *.webp, *.gif or *.bmp, there or below",
        path.display()
    )]
    NoPictures {
        /// The folder.
        path: PathBuf,
    },
    /// Content that is none of the formats that can be read.
    #[error("{} is {found}: {remedy}", path.display())]
    NotACatalogue {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: &'static str,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The option names an encoding that does not exist.
    #[error(
        "unknown encoding {label:?}: --encoding takes utf-8, utf-16le, windows-1252, latin1 ..."
    )]
    UnknownEncoding {
        /// The name as given.
        label: String,
    },
    /// The option names a character that cannot separate cells.
    #[error(
        "{delimiter:?} cannot separate cells: --delimiter takes one ASCII character such as ; or |"
    )]
    BadDelimiter {
        /// The character as given.
        delimiter: char,
    },
    /// An option names a column that is not there.
    #[error("no column {column:?} for {role} (--{role}); the catalogue has: {}", columns.join(", "))]
    NoColumn {
        /// What the column was wanted for.
        role: Role,
        /// The name as given.
        column: String,
        /// The columns that are there.
        columns: Vec<String>,
    },
    /// No column's name looks like an identifier's.
    #[error(
        "no column looks like the products' key: name it with --key COLUMN, or number the rows with \
         --number-keys; the catalogue has: {}",
        columns.join(", ")
    )]
    NoKey {
        /// The columns that are there.
        columns: Vec<String>,
    },
    /// A row that does not end.
    #[error(
        "row {row} of {} (line {line}) is longer than {limit} bytes: a quote that is never closed? \
         Correct it, or read quotes as ordinary characters with --no-quotes",
        path.display()
    )]
    RowTooLong {
        /// The catalogue.
        path: PathBuf,
        /// The row's number.
        row: u64,
        /// The line where it starts.
        line: u64,
        /// The most that a row may have.
        limit: u64,
    },
    /// An element, a comment or the like that does not end.
    #[error(
        "product {row} of {} holds an element, a comment or a declaration longer than {limit} bytes: export the \
         feed again",
        path.display()
    )]
    ElementTooLong {
        /// The catalogue.
        path: PathBuf,
        /// The product's number.
        row: u64,
        /// The most that may stand between two tags.
        limit: u64,
    },
    /// XML that cannot be read on.
    #[error("{} is no XML from product {row} on (byte {position}): {reason}; export the feed again", path.display())]
    Xml {
        /// The catalogue.
        path: PathBuf,
        /// The product's number.
        row: u64,
        /// The place, in bytes of the text as UTF-8.
        position: u64,
        /// What the parser found.
        reason: String,
    },
    /// A Parquet file that cannot be read, or not be read on.
    #[error("{} cannot be read as Parquet from row {row} on: {source}; write it again", path.display())]
    Parquet {
        /// The catalogue.
        path: PathBuf,
        /// The row's number.
        row: u64,
        /// What the reader found.
        source: parquet::errors::ParquetError,
    },
    /// The rows are not of the format that was asked for.
    #[error(
        "{} has no columns of {format}: {remedy}; it has: {}",
        path.display(), columns.join(", ")
    )]
    OtherFormat {
        /// The catalogue.
        path: PathBuf,
        /// The format that was asked for.
        format: &'static str,
        /// What such a format would have.
        remedy: &'static str,
        /// The columns that are there.
        columns: Vec<String>,
    },
    /// Pictures cannot be fetched.
    #[error("cannot fetch pictures into {}: {source}; name another place with --cache", path.display())]
    Fetch {
        /// The cache's folder.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A folder too large to be searched for pictures by name.
    #[error(
        "more than {limit} files below {}: name the folder of the pictures with --images",
        root.display()
    )]
    TooManyFiles {
        /// The folder.
        root: PathBuf,
        /// The most that are searched.
        limit: usize,
    },
}
