//! Why nothing could be handed over or taken in.

use std::io;
use std::path::PathBuf;

use crate::{catalogue, collection};

/// Why an export, an import or a table failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something lies where the export is to go.
    #[error("{} is not empty: name another folder, what is there is left as it is", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// A file is not what it should be.
    #[error("{} {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and the remedy.
        reason: String,
    },
    /// A Parquet file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the writer said.
        source: parquet::errors::ParquetError,
    },
    /// The items that belong to the vectors cannot be read.
    #[error(transparent)]
    Catalogue(#[from] catalogue::Error),
    /// The collection cannot be read or written.
    #[error(transparent)]
    Collection(#[from] collection::Error),
}
