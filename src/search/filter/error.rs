//! What can be wrong with a filter.

use std::path::PathBuf;

use super::place::Place;
use crate::collection::FieldType;
use crate::spelling::{listed, meant};

/// Why an expression cannot be read, or cannot be asked of this collection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// Nothing is written.
    #[error("the filter is empty: say what has to hold, such as \"price < 30\"")]
    Empty,
    /// It is not written as expressions are.
    #[error("the filter makes no sense here: {expected} was expected, not {found}\n{place}")]
    Syntax {
        /// What could stand there.
        expected: &'static str,
        /// What does.
        found: String,
        /// Where.
        place: Place,
    },
    /// A quote is opened and never closed.
    #[error("a quote is opened here and never closed\n{place}")]
    OpenQuote {
        /// Where.
        place: Place,
    },
    /// It has too many parentheses or negations within each other.
    #[error("the filter nests deeper than {most} levels: write it flatter\n{place}")]
    TooDeep {
        /// The most that are read.
        most: usize,
        /// Where it goes too far.
        place: Place,
    },
    /// No item has the field.
    #[error("there is no field \"{name}\"{}; there are: {}\n{place}", meant(.nearest), listed(.known))]
    NoSuchField {
        /// The name as it was given.
        name: String,
        /// The field that may have been meant.
        nearest: Option<String>,
        /// The fields that there are, each with its type.
        known: Vec<String>,
        /// Where.
        place: Place,
    },
    /// The value is not of the field's type.
    #[error(
        "\"{field}\" is of type {kind}, and {value:?} is no {kind}; compare it with {}, or tell its type when indexing: \
         --type \"{field}=text\"\n{place}",
        example(*.kind)
    )]
    NotOfType {
        /// The field.
        field: String,
        /// What it holds.
        kind: FieldType,
        /// What it was to be compared with.
        value: String,
        /// Where.
        place: Place,
    },
    /// The comparison does not go with the field's type.
    #[error(
        "\"{field}\" is of type {kind}, which cannot be asked {asked}; if it should be {wanted}, tell so when indexing: \
         --type \"{field}={wanted}\"\n{place}"
    )]
    NotAskable {
        /// The field.
        field: String,
        /// What it holds.
        kind: FieldType,
        /// What was asked of it.
        asked: &'static str,
        /// The type of which that can be asked.
        wanted: FieldType,
        /// Where.
        place: Place,
    },
    /// The collection knows nothing of fields yet.
    #[error(
        "{} was indexed before there were filters: index its catalogue once more, nothing is embedded anew for it",
        collection.display()
    )]
    NoPostings {
        /// The collection.
        collection: PathBuf,
    },
}

fn example(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Text => "text such as \"red\"",
        FieldType::Number => "a number such as 19.90",
        FieldType::Boolean => "true or false",
        FieldType::Date => "a date such as 2024-05-01",
    }
}
