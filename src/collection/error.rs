//! What can go wrong with a collection, and what to do about it.

use std::path::PathBuf;

use super::manifest::EncoderEntry;
use crate::encode::{Fingerprint, Modality};
use crate::spelling::{listed, meant};
use crate::{catalogue, encode};

/// Why a collection could not be opened, filled or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing is there.
    #[error("there is no collection at {path}; `lookalike index CATALOGUE {path}` makes one", path = path.display())]
    NotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Something is there, but it is no collection.
    #[error("{path} is not a collection; name another place, it is left as it is", path = path.display())]
    NotACollection {
        /// The file or directory.
        path: PathBuf,
    },
    /// Something is there already.
    #[error("{path} exists already; name another place, it is left as it is", path = path.display())]
    Exists {
        /// The file or directory.
        path: PathBuf,
    },
    /// Made, but nothing was published in it yet.
    #[error(
        "the collection {path} is empty: its first `index` has not finished; run it again, it goes on where it was",
        path = path.display()
    )]
    Unpublished {
        /// The collection.
        path: PathBuf,
    },
    /// Written by a later version of this program.
    #[error(
        "{path} is of format {found}, and this program knows formats up to {known}; update lookalike",
        path = path.display()
    )]
    NewerVersion {
        /// The collection's store.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The latest format that is understood here.
        known: u32,
    },
    /// Another process is writing.
    #[error("another process is writing to {path}; wait until it is done", path = path.display())]
    Busy {
        /// The collection.
        path: PathBuf,
    },
    /// The collection may not be written, or its disk is full.
    #[error(
        "cannot write {path}: {source}; index into a place where there is room and you may write",
        path = path.display()
    )]
    NotWritable {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of vectors is gone.
    #[error(
        "{path} is missing; restore it from a copy, or index the catalogue again, which makes it anew",
        path = path.display()
    )]
    MissingVectors {
        /// The file.
        path: PathBuf,
    },
    /// A file is not as it was written.
    #[error(
        "{path} is damaged: {reason}; restore it from a copy or index the catalogue into a new collection",
        path = path.display()
    )]
    Damaged {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There are as many items as can be numbered.
    #[error("{path} is full: it has numbered {max} keys", path = path.display(), max = u32::MAX)]
    Full {
        /// The collection.
        path: PathBuf,
    },
    /// The collection was built with another encoder.
    #[error(
        "the {} vectors of {path} were made by {} and cannot be compared with those of {}: {}, \
         or embed every item again with `--change-encoder`",
        then.modality, then, now, as_before(then), path = path.display()
    )]
    OtherEncoder {
        /// The collection.
        path: PathBuf,
        /// What it was built with.
        then: Box<EncoderEntry>,
        /// What was to be used now.
        now: Box<EncoderEntry>,
    },
    /// Vectors were to be taken in beside those of another encoder.
    #[error(
        "the {} vectors of {path} were made by {} and cannot be compared with those of {}: import these into a \
         collection of their own",
        then.modality, then, now, path = path.display()
    )]
    OtherVectors {
        /// The collection.
        path: PathBuf,
        /// What made its vectors.
        then: Box<EncoderEntry>,
        /// What made those that were to be taken in.
        now: Box<EncoderEntry>,
    },
    /// The collection has vectors of a modality for which no encoder is given.
    #[error(
        "{path} has {} vectors made by {}; give that encoder too, or the new items would lack theirs",
        then.modality, then, path = path.display()
    )]
    MissingEncoder {
        /// The collection.
        path: PathBuf,
        /// What it was built with.
        then: Box<EncoderEntry>,
    },
    /// The model of that name is not the one that made the vectors.
    #[error(
        "the {} vectors of {path} were made by {}, and the model of that name is another one now (fingerprint {:.12}): \
         `lookalike models check {}` tells whether it is damaged; put the old weights back, or index again \
         with `--change-encoder`",
        then.modality, then, now.to_string(), then.model, path = path.display()
    )]
    ModelChanged {
        /// The collection.
        path: PathBuf,
        /// What it was built with.
        then: Box<EncoderEntry>,
        /// What the model is now.
        now: Fingerprint,
    },
    /// A type was told for a field that no item has.
    #[error("no item has a field \"{name}\"{}; there are: {}", meant(.nearest), listed(.known))]
    NoSuchField {
        /// The name as it was given.
        name: String,
        /// The field that may have been meant.
        nearest: Option<String>,
        /// The fields that there are.
        known: Vec<String>,
    },
    /// There is nothing to compare with.
    #[error("{path} has no {modality} vectors", path = path.display())]
    NoVectors {
        /// The collection.
        path: PathBuf,
        /// The modality.
        modality: Modality,
    },
    /// The collection was made before there was an index of words.
    #[error(
        "{path} has no index of words yet; `lookalike index` makes one when it is run again, and embeds nothing \
         anew for it",
        path = path.display()
    )]
    NoWords {
        /// The collection.
        path: PathBuf,
    },
    /// The index of words could not be read or written.
    #[error(
        "the words in {path}: {source}; index the catalogue again, which makes them anew",
        path = path.display()
    )]
    Words {
        /// Where its files are.
        path: PathBuf,
        /// What went wrong.
        source: crate::words::Error,
    },
    /// The vectors were made elsewhere, and nothing can be embedded like them.
    #[error(
        "the {} vectors of {path} were made elsewhere, by {encoder}, so that no {} can be embedded to be compared with \
         them: search by an item, or in the library by a vector of that encoder (`Term::Embedding`)",
        encoder.modality, encoder.modality, path = path.display()
    )]
    MadeElsewhere {
        /// The collection.
        path: PathBuf,
        /// What made them.
        encoder: Box<EncoderEntry>,
    },
    /// The model cannot be had.
    #[error(transparent)]
    Model(#[from] encode::store::StoreError),
    /// Neither pictures nor texts can be embedded.
    #[error("an index needs an encoder for pictures, for texts or for both")]
    NoEncoder,
    /// The catalogue could not be read on.
    #[error(transparent)]
    Catalogue(#[from] catalogue::Error),
    /// A network failed.
    #[error(transparent)]
    Encode(#[from] encode::Error),
    /// A file of vectors is not as it was written.
    #[error(
        "{path} is damaged: {fault}; restore it from a copy, or have `lookalike compact` make it anew: nothing is \
         embedded again for that",
        path = path.display()
    )]
    DamagedVectors {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: lookalike_index::Fault,
    },
    /// A file of vectors could not be read.
    #[error(transparent)]
    Segment(lookalike_index::Error),
    /// A file of vectors could not be written.
    #[error(transparent)]
    Write(#[from] lookalike_index::WriteError),
    /// The store could not be read or written.
    #[error(
        "the store {path} failed: {source}; once there is room and it may be read and written, run this again: \
         what was published stays, and what was embedded is kept",
        path = path.display()
    )]
    Database {
        /// The store's directory.
        path: PathBuf,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file or directory could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// How to go on with the encoder that a collection has.
fn as_before(then: &EncoderEntry) -> String {
    let EncoderEntry { modality, model, .. } = then;
    match then.is_elsewhere() {
        true => format!("index with `--{modality}-model none`"),
        false => format!("index with `--{modality}-model {model}`"),
    }
}

impl From<lookalike_index::Error> for Error {
    fn from(error: lookalike_index::Error) -> Self {
        match error {
            lookalike_index::Error::Corrupted { path, fault } => {
                Error::DamagedVectors { path, fault }
            }
            error => Error::Segment(error),
        }
    }
}
