//! Why a model is not to be had.

use std::path::PathBuf;

use crate::encode::{self, Modality};
use crate::spelling::meant;

/// Why the model store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Neither a known name, nor one in the store, nor a directory.
    #[error("no model is called {name:?}{}; known are {}", meant(.nearest), .known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What may have been meant.
        nearest: Option<String>,
        /// The names that exist.
        known: Vec<String>,
    },
    /// A known model that was not pulled yet.
    #[error("the model {name} is not here yet: run `lookalike models pull {name}`")]
    NotPresent {
        /// Its name.
        name: String,
    },
    /// No model of a modality is in the store.
    #[error("there is no model for {modality}s yet: run `lookalike models pull {}`{}", .names[0], or(.names))]
    NothingFor {
        /// What was to be encoded.
        modality: Modality,
        /// Those that can be pulled, the preferred one first.
        names: Vec<&'static str>,
    },
    /// No source delivered the model.
    #[error(
        "the model {name} could not be fetched:{}\nIf you have its files: `lookalike models add DIR --name {name}`",
        list(.failures)
    )]
    NoSource {
        /// Its name.
        name: String,
        /// Each source and what went wrong with it.
        failures: Vec<(String, SourceError)>,
    },
    /// The user's own model is not usable, or not the one that it is called.
    #[error("{path} cannot be added as {name}: {source}")]
    NotAdded {
        /// The directory or file.
        path: PathBuf,
        /// What it was to be called.
        name: String,
        /// What is wrong with it.
        source: Box<SourceError>,
    },
    /// The model is of the other modality than the one it was opened for.
    #[error("the model {name} reads {modality}s; it cannot be used for the other")]
    WrongModality {
        /// Its name.
        name: String,
        /// What it reads.
        modality: Modality,
    },
    /// A file of the store is not what was put there.
    #[error(
        "{path} was changed since the model was stored: remove {} and fetch the model again",
        .path.parent().unwrap_or(.path).display()
    )]
    Altered {
        /// The file.
        path: PathBuf,
    },
    /// The model runs, but does not give the vectors that it is known to give.
    #[error("the model {name} gives a wrong answer: {wrong}")]
    WrongAnswer {
        /// Its name.
        name: String,
        /// What was expected and what came.
        wrong: String,
    },
    /// A name that cannot be a directory's.
    #[error("{name:?} cannot be a model's name: use letters, digits, '-', '_' and '.'")]
    BadName {
        /// The name.
        name: String,
    },
    /// A model of that name is there already.
    #[error(
        "there is a model {name} already, in {path}: give another name, or remove that directory"
    )]
    Exists {
        /// The name.
        name: String,
        /// Its directory.
        path: PathBuf,
    },
    /// A file or directory cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// What.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file or directory cannot be written.
    #[error("cannot write {path}: {source}; LOOKALIKE_CACHE can name another directory for models")]
    Write {
        /// What.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no home directory to keep models in.
    #[error("there is no place for models: set LOOKALIKE_CACHE to a directory")]
    NoPlace,
    /// The model's files are not usable.
    #[error(transparent)]
    Encoder(#[from] encode::Error),
}

/// Why one source did not deliver.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It did not answer.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// The host.
        host: String,
        /// Why.
        reason: String,
    },
    /// The hub answered otherwise than hoped for.
    #[error("{0}")]
    Hub(#[from] Box<hf_hub::api::sync::ApiError>),
    /// `pip` could not be run.
    #[error("cannot run `python3 -m pip`: {0}; install Python with pip")]
    NoPip(std::io::Error),
    /// `pip` failed.
    #[error("`pip download {package}` failed: {said}")]
    Pip {
        /// What was asked for.
        package: String,
        /// Its last words.
        said: String,
    },
    /// What came is not what is known under that name.
    #[error("its {file} has the SHA-256 {found}, not {expected}: not used under this name")]
    Foreign {
        /// The file.
        file: String,
        /// The hash of what came.
        found: String,
        /// The hash it should have.
        expected: String,
    },
    /// What came has no weights in it.
    #[error("it holds {0}")]
    NotAModel(&'static str),
    /// An archive is broken.
    #[error("{path} is not a sound archive: {source}")]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        source: zip::result::ZipError,
    },
    /// What came was not usable, or could not be written.
    #[error(transparent)]
    Store(#[from] Box<StoreError>),
}

impl From<StoreError> for SourceError {
    fn from(error: StoreError) -> Self {
        SourceError::Store(Box::new(error))
    }
}

impl From<encode::Error> for SourceError {
    fn from(error: encode::Error) -> Self {
        StoreError::from(error).into()
    }
}

fn or(names: &[&str]) -> String {
    names[1..].iter().map(|name| format!(", or {name}")).collect()
}

fn list(failures: &[(String, SourceError)]) -> String {
    failures.iter().map(|(source, error)| format!("\n  {source}: {error}")).collect()
}
