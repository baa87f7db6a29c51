//! What is asked: terms of any modality, their weights, and how many hits.

use std::path::PathBuf;

use lookalike_index::SearchOptions;

use super::narrowing::Narrowing;
use crate::encode::{Embedding, Modality};

/// A question to a collection, put together term by term.
///
/// ```
/// use lookalike::{Modality, Query};
///
/// // As this shoe looks, but above all as these words say.
/// let query = Query::new().image("shoe.jpg").text("red leather").weight(Modality::Text, 2.0).top(5);
/// # assert_eq!(query.limit(), 5);
/// ```
#[derive(Debug, Clone)]
pub struct Query {
    pub(super) terms: Vec<Term>,
    pub(super) weights: [(Modality, f32); 2],
    pub(super) top: usize,
    pub(super) keep_asked: bool,
    pub(super) options: SearchOptions,
    pub(super) narrowing: Narrowing,
}

/// One thing to be similar to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Term {
    /// Words, in any language that the text encoder reads.
    Text(String),
    /// A picture's file.
    Image(PathBuf),
    /// A picture as a file holds it, with a name for the receipt.
    ImageBytes {
        /// What the receipt calls it.
        name: String,
        /// The file's bytes.
        bytes: Vec<u8>,
    },
    /// An item of the collection, by its key: similar to it in every modality that it has.
    Item(String),
    /// A vector made elsewhere by the collection's own encoder.
    Embedding {
        /// Which encoder's.
        modality: Modality,
        /// What the receipt calls it.
        name: String,
        /// The vector.
        embedding: Embedding,
    },
}

impl Query {
    /// Asks for nothing yet, and for ten hits.
    pub fn new() -> Self {
        Query {
            terms: Vec::new(),
            weights: Modality::ALL.map(|modality| (modality, 1.0)),
            top: 10,
            keep_asked: false,
            options: SearchOptions::default(),
            narrowing: Narrowing::default(),
        }
    }

    /// Similar in meaning to these words.
    pub fn text(self, words: impl Into<String>) -> Self {
        self.term(Term::Text(words.into()))
    }

    /// Similar in looks to the picture in this file.
    pub fn image(self, path: impl Into<PathBuf>) -> Self {
        self.term(Term::Image(path.into()))
    }

    /// Similar to this item, in looks and in meaning. The item itself is not among the hits.
    pub fn item(self, key: impl Into<String>) -> Self {
        self.term(Term::Item(key.into()))
    }

    /// Similar to any kind of term.
    pub fn term(mut self, term: Term) -> Self {
        self.terms.push(term);
        self
    }

    /// How much a modality counts, 1 unless said otherwise. Weights are relative: only their ratio
    /// matters. A modality of weight 0 is not looked at; a negative one means *unlike*.
    pub fn weight(mut self, modality: Modality, weight: f32) -> Self {
        for (m, w) in &mut self.weights {
            if *m == modality {
                *w = weight;
            }
        }
        self
    }

    /// How many hits, at the most.
    pub fn top(mut self, hits: usize) -> Self {
        self.top = hits;
        self
    }

    /// Whether items that the query names may be among the hits. They may not unless told so.
    pub fn keep_asked(mut self, keep: bool) -> Self {
        self.keep_asked = keep;
        self
    }

    /// Compares every item, however many there are.
    pub fn exact(mut self) -> Self {
        self.options = self.options.exact();
        self
    }

    /// Which part of the best is to be found in a large collection, .99 unless said otherwise. More takes
    /// longer.
    pub fn recall(mut self, recall: f32) -> Self {
        self.options = self.options.recall(recall);
        self
    }

    /// How many items a graph's walk keeps in mind, in place of what the wanted recall takes by the
    /// segment's own measurement.
    pub fn breadth(mut self, breadth: usize) -> Self {
        self.options = self.options.breadth(breadth);
        self
    }

    /// How many hits are asked for.
    pub fn limit(&self) -> usize {
        self.top
    }
}

impl Default for Query {
    fn default() -> Self {
        Query::new()
    }
}

impl Term {
    /// What a receipt calls it.
    pub fn name(&self) -> String {
        match self {
            Term::Text(words) => format!("\"{words}\""),
            Term::Image(path) => match path.file_name() {
                Some(name) => name.to_string_lossy().into_owned(),
                None => path.display().to_string(),
            },
            Term::Item(key) => format!("item:{key}"),
            Term::ImageBytes { name, .. } | Term::Embedding { name, .. } => name.clone(),
        }
    }
}
