//! What can go wrong with an index of words.

use std::path::PathBuf;

use tantivy::TantivyError;
use tantivy::directory::error::{OpenDirectoryError, OpenReadError};

/// Why an index of words could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file is gone.
    #[error("{} is missing", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
    },
    /// A file is not as it was written.
    #[error("it is damaged: {reason}")]
    Damaged {
        /// What is wrong.
        reason: String,
    },
    /// Reading or writing failed.
    #[error(transparent)]
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    pub(super) fn damaged(reason: impl Into<String>) -> Self {
        Error::Damaged { reason: reason.into() }
    }
}

impl From<TantivyError> for Error {
    fn from(error: TantivyError) -> Self {
        match error {
            TantivyError::OpenReadError(OpenReadError::FileDoesNotExist(file))
            | TantivyError::OpenDirectoryError(OpenDirectoryError::DoesNotExist(file)) => {
                Error::Missing { file }
            }
            TantivyError::DataCorruption(_)
            | TantivyError::IncompatibleIndex(_)
            | TantivyError::SchemaError(_)
            | TantivyError::OpenReadError(OpenReadError::IncompatibleIndex(_)) => {
                Error::damaged(error.to_string())
            }
            error => Error::Failed(Box::new(error)),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::Failed(Box::new(error))
    }
}
