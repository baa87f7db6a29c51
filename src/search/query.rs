//! What is asked: terms of any modality, their weights, and how many hits.

use std::path::PathBuf;
use std::str::FromStr;

use lookalike_index::SearchOptions;

use super::algebra::{self, ExpressionError};
use super::aspect::Aspect;
use super::fusion::Fusion;
use super::narrowing::Narrowing;
use crate::encode::{Embedding, Modality};
use crate::words::Spelling;

/// A question to a collection, put together term by term.
///
/// ```
/// use lookalike::{Modality, Query};
///
/// // As this shoe looks, but above all as these words say.
/// let query = Query::new().image("shoe.jpg").text("red leather").weight(Modality::Text, 2.0).top(5);
/// # assert_eq!(query.limit(), 5);
/// ```
///
/// Or written down, with signs and weights:
///
/// ```
/// use lookalike::{Query, Term};
///
/// let query: Query = "\"red dress\" + item:SKU123 - 2:stripes".parse()?;
/// assert_eq!(
///     query.terms().collect::<Vec<_>>(),
///     [
///         (&Term::Text("red dress".into()), 1.0),
///         (&Term::Item("SKU123".into()), 1.0),
///         (&Term::Text("stripes".into()), -2.0),
///     ]
/// );
/// # Ok::<(), lookalike::search::ExpressionError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Query {
    pub(super) terms: Vec<Weighted>,
    pub(super) weights: [(Aspect, f32); 3],
    pub(super) top: usize,
    pub(super) keep_asked: bool,
    pub(super) options: SearchOptions,
    pub(super) fusion: Fusion,
    pub(super) spelling: Spelling,
    pub(super) narrowing: Narrowing,
}

/// A term and what it counts for; negative for what the answer is to be unlike.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Weighted {
    pub(super) term: Term,
    pub(super) weight: f32,
}

/// One thing to be similar to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Term {
    /// Words, in any language that the text encoder reads.
    Text(String),
    /// Words as they are written, whatever they mean.
    Words(String),
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
            weights: Aspect::ALL.map(|aspect| (aspect, 1.0)),
            top: 10,
            keep_asked: false,
            options: SearchOptions::default(),
            fusion: Fusion::default(),
            spelling: Spelling::default(),
            narrowing: Narrowing::default(),
        }
    }

    /// Similar in meaning to these words.
    pub fn text(self, words: impl Into<String>) -> Self {
        self.term(Term::Text(words.into()))
    }

    /// Having these words, or some of them.
    pub fn words(self, words: impl Into<String>) -> Self {
        self.term(Term::Words(words.into()))
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
    pub fn term(self, term: Term) -> Self {
        self.weighted(term, 1.0)
    }

    /// Unlike any kind of term: its similarity is subtracted.
    pub fn unlike(self, term: Term) -> Self {
        self.weighted(term, -1.0)
    }

    /// Similar to a term that counts for more, or less, than others; unlike it where the weight is
    /// negative. Weights are relative: all of them are divided by the sum of their absolute values.
    pub fn weighted(mut self, term: Term, weight: f32) -> Self {
        self.terms.push(Weighted { term, weight });
        self
    }

    /// The terms of a written query, added to those that there are: `"red dress" + ./photo.jpg -
    /// 2:stripes + item:SKU123 + words:cotton`.
    ///
    /// What stands between two signs is words to be similar to; a path (one that begins with `./`, `../`,
    /// `/` or `~/`, or ends like a picture's name); or `text:`, `words:`, `image:` or `item:` with what
    /// it names. A number and a colon before it say what it counts for. Quotes make anything words.
    ///
    /// Paths lead wherever they say: what strangers have written should not be read by this.
    pub fn expression(mut self, expression: &str) -> Result<Self, ExpressionError> {
        self.terms.extend(algebra::terms(expression)?);
        Ok(self)
    }

    /// The terms, and what each counts for.
    pub fn terms(&self) -> impl Iterator<Item = (&Term, f32)> {
        self.terms.iter().map(|Weighted { term, weight }| (term, *weight))
    }

    /// How much a modality, or the words, count, 1 unless said otherwise; multiplied with the weights of
    /// the terms. Weights are relative: only their ratio matters. An aspect of weight 0 is not looked
    /// at; a negative one means *unlike*.
    pub fn weight(mut self, aspect: impl Into<Aspect>, weight: f32) -> Self {
        let aspect = aspect.into();
        for (a, w) in &mut self.weights {
            if *a == aspect {
                *w = weight;
            }
        }
        self
    }

    /// What of each part is summed into the score: its value, unless said otherwise.
    pub fn fusion(mut self, fusion: Fusion) -> Self {
        self.fusion = fusion;
        self
    }

    /// Takes a word that no item has for the nearest ones that there are.
    pub fn forgive_typos(mut self, forgive: bool) -> Self {
        self.spelling.typos = forgive;
        self
    }

    /// Takes the last word for the beginning of one, as in a box that is being typed into.
    pub fn as_you_type(mut self, unfinished: bool) -> Self {
        self.spelling.as_you_type = unfinished;
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

    /// How many of the first hits are left out.
    pub fn skipped(&self) -> usize {
        self.narrowing.offset
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

impl FromStr for Query {
    type Err = ExpressionError;

    /// A query of the terms that are [written](Query::expression).
    fn from_str(expression: &str) -> Result<Self, Self::Err> {
        Query::new().expression(expression)
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
            Term::Words(words) => format!("words:\"{words}\""),
            Term::Item(key) => format!("item:{key}"),
            Term::ImageBytes { name, .. } | Term::Embedding { name, .. } => name.clone(),
        }
    }
}
