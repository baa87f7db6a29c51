//! What can go wrong with tastes, and what to do about it.

use std::path::PathBuf;

use super::Recipe;
use crate::catalogue::{self, Role};
use crate::collection;

/// Why interactions could not be read, or a model not be trained, judged or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A column is not there.
    #[error("{}", no_column(*role, column.as_deref(), columns))]
    NoColumn {
        /// What the column was wanted for.
        role: Role,
        /// The name as given; `None` where it was to be guessed.
        column: Option<String>,
        /// The columns that are there.
        columns: Vec<String>,
    },
    /// The file of interactions cannot be read.
    #[error(transparent)]
    Catalogue(#[from] catalogue::Error),
    /// The collection cannot be read.
    #[error(transparent)]
    Collection(#[from] collection::Error),
    /// There is nothing to learn from.
    #[error(
        "{} knows of no purchases: give it some with `lookalike interactions {} FILE`",
        path.display(), path.display()
    )]
    NoInteractions {
        /// The collection.
        path: PathBuf,
    },
    /// Nobody has enough items to be judged by.
    #[error(
        "no user has the three items that it takes to hold one out for {what}: gather more interactions, or \
         say by a column what is for the test (--split column)"
    )]
    NothingHeldOut {
        /// The part of the split that is empty.
        what: &'static str,
    },
    /// The model that others are to be compared with is not among them.
    #[error("nothing can be compared with {name}, which was not judged: {} were", known.join(", "))]
    NotJudged {
        /// The name as given.
        name: String,
        /// What was judged.
        known: Vec<String>,
    },
    /// Not one of the settings that were tried can be trained with.
    #[error("{model} comes to nothing with any of the settings that were tried")]
    NothingFound {
        /// The model.
        model: String,
    },
    /// No such model was trained.
    #[error(
        "{} has no model \"{name}\"{}: `lookalike train {} --model {name}` trains it", path.display(),
        besides(known), path.display()
    )]
    NoModel {
        /// The name as given.
        name: String,
        /// The models that are there.
        known: Vec<String>,
        /// The collection.
        path: PathBuf,
    },
    /// What a visitor is said to like is neither.
    #[error("there is no item \"{liked}\" in {}, nor a picture of that name", path.display())]
    NothingLiked {
        /// As it was given.
        liked: String,
        /// The collection.
        path: PathBuf,
    },
    /// A liked picture cannot be used.
    #[error("{name}: {source}")]
    Picture {
        /// The picture.
        name: String,
        /// What is wrong with it.
        source: catalogue::picture::PictureError,
    },
    /// Nothing comes of such a blend.
    #[error(
        "a blend goes from 0, search alone, to 1, models alone, and the models' weights are not all 0; \
         {blend} with these weights is none"
    )]
    Blend {
        /// As it was given.
        blend: f32,
    },
    /// The search failed.
    #[error(transparent)]
    Search(#[from] crate::search::Error),
    /// A model's file is not what was written.
    #[error("{} is damaged: {reason}; train the model again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Training ran away.
    #[error(
        "training lost its footing in epoch {epoch}: the loss is no number; train with a smaller step, \
         --set MODEL.rate=..."
    )]
    Diverged {
        /// In which epoch.
        epoch: u32,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of item vectors cannot be written.
    #[error(transparent)]
    Write(#[from] lookalike_index::WriteError),
    /// A file of item vectors cannot be read.
    #[error(transparent)]
    Segment(#[from] lookalike_index::Error),
    /// Another encoder cannot be had.
    #[error(transparent)]
    Store(#[from] crate::encode::store::StoreError),
    /// An encoder failed.
    #[error(transparent)]
    Encode(#[from] crate::encode::Error),
    /// The model cannot be built as asked.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// What a model of another kind stumbled over.
    #[error("{0}")]
    Network(String),
}

/// Why a model cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Nobody knows it.
    #[error(
        "there is no model \"{name}\": there are {}; beside them rating, and for training blend, of several",
        Recipe::NAMES.join(", ")
    )]
    Unknown {
        /// The name as given.
        name: String,
    },
    /// It has no such setting.
    #[error("there is no setting \"{name}\": there are {}", known.join(", "))]
    Setting {
        /// The setting as given.
        name: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// The setting does not take that.
    #[error("\"{text}\" is no value for {name}")]
    Value {
        /// The setting.
        name: String,
        /// The value as given.
        text: String,
    },
    /// It looks at something that is not there.
    #[error("{model} looks at {what}, and the collection has none: index some")]
    Lacks {
        /// The model.
        model: String,
        /// What is missing.
        what: &'static str,
    },
    /// It looks at the parts of pictures, and they cannot be told apart.
    #[error(
        "{model} looks at the parts of pictures, and {why}: index them anew, or let it go by whole ones, \
         {model}.tiles=0"
    )]
    Blind {
        /// The model.
        model: String,
        /// Why not.
        why: &'static str,
    },
}

fn no_column(role: Role, column: Option<&str>, columns: &[String]) -> String {
    let all = columns.join(", ");
    match column {
        Some(column) => {
            format!("no column {column:?} for {role} (--{role}-column); the file has: {all}")
        }
        None => format!(
            "no column looks like the interactions' {role}: name it with --{role}-column COLUMN; the file \
             has: {all}"
        ),
    }
}

fn besides(known: &[String]) -> String {
    match known {
        [] => String::new(),
        known => format!(" (it has {})", known.join(", ")),
    }
}

/// A network that learns or is asked stumbled.
pub(super) fn failed(error: candle_core::Error) -> Error {
    Error::Network(error.to_string())
}
