//! Queries become hits.
//!
//! Flowing in: a [`Query`]. It is resolved to vectors (terms through the collection's encoders, items
//! from its own vectors), compared with the items that match its filter, fused and grouped. Flowing out:
//! [`Hits`], each hit with a receipt.

mod best;
mod candidates;
mod column;
mod diversity;
mod facet;
mod filter;
mod fusion;
mod group;
mod hit;
mod listing;
mod narrowing;
mod plan;
mod query;

pub use facet::{Facet, FacetValue};
pub use filter::{Comparison, Filter, FilterError, Literal};
pub use group::Group;
pub use hit::{Hit, Hits, Part, Receipt};
pub use plan::{How, Plan};
pub use query::{Query, Term};

use std::path::PathBuf;

use crate::catalogue::picture::{PictureError, PictureLimits, decode_picture, read_picture};
use crate::collection::{self, Collection};
use crate::encode::{self, Embedding, Modality};
use column::QueryPart;
use narrowing::Allowed;

/// Why a query could not be answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The query has no terms.
    #[error(
        "the query is empty: give it words, a picture or an item, or a filter to list what matches"
    )]
    EmptyQuery,
    /// A text term has no words in it.
    #[error("the text to search for is empty")]
    EmptyText,
    /// A weight is no number, or all of them are zero.
    #[error(
        "the weights leave nothing to search by: give one other than 0 to images or texts, whichever the \
         query has"
    )]
    NoWeight,
    /// The item is not in the collection.
    #[error("there is no item \"{key}\" in {}: keys are written as in its catalogue", collection.display())]
    NoSuchItem {
        /// The key that was asked for.
        key: String,
        /// The collection.
        collection: PathBuf,
    },
    /// The collection has no vectors of the modality.
    #[error(
        "{} has no {modality} vectors, so it cannot be searched by {term}: ask it otherwise, or index a \
         catalogue with {modality}s into it",
        collection.display()
    )]
    NoVectors {
        /// The term that needs them.
        term: String,
        /// The modality.
        modality: Modality,
        /// The collection.
        collection: PathBuf,
    },
    /// The picture to search by cannot be used.
    #[error("{}", named(name, source))]
    Picture {
        /// The picture.
        name: String,
        /// What is wrong with it.
        source: PictureError,
    },
    /// A vector does not fit the collection's.
    #[error("{term}: {source}")]
    Vector {
        /// The term that it came from.
        term: String,
        /// What is wrong with it.
        source: lookalike_index::QueryError,
    },
    /// The filter cannot be asked of the collection, or a field to group or count by is not there.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Diversity is a share.
    #[error("diversity goes from 0, none, to 1, above all else; {diversity} does not lie between")]
    Diversity {
        /// What was asked for.
        diversity: f32,
    },
    /// Without terms there is no score.
    #[error(
        "a least score and diversity need something to be similar to: give the query words, a picture or an item"
    )]
    NothingToCompare,
    /// The collection could not be read, or its encoder could not be had.
    #[error(transparent)]
    Collection(#[from] collection::Error),
    /// The network failed.
    #[error(transparent)]
    Encode(#[from] encode::Error),
}

impl Collection {
    /// Answers a query.
    ///
    /// Small collections are compared whole. In large ones graphs propose candidates, deep enough that
    /// the fused order is as exact as the graphs are, unless [`Query::exact`] asks for everything.
    pub fn search(&self, query: &Query) -> Result<Hits, Error> {
        let narrow = self.narrow(query)?;
        if query.terms.is_empty() {
            return narrow.list();
        }
        let (parts, asked) = self.resolve(query)?;
        let excluded: &[u32] = if query.keep_asked { &[] } else { &asked };
        let among = Allowed { matching: narrow.matching.as_ref(), excluded };
        let rank = |depth: usize| {
            let found = match query.options.exact {
                true => candidates::scan(&parts, depth, among),
                false => candidates::propose(&parts, depth, among, &query.options),
            };
            found.map_err(|source| Error::Vector { term: part_names(&parts), source })
        };
        narrow.hits(excluded, &weights(&parts), rank)
    }

    /// The parts of a query with their final weights, and the items that it names.
    fn resolve(&self, query: &Query) -> Result<(Vec<QueryPart<'_>>, Vec<u32>), Error> {
        let mut parts = Vec::new();
        let mut asked = Vec::new();
        for term in &query.terms {
            match term {
                Term::Item(key) => {
                    let id = self.id_of(key)?.ok_or_else(|| Error::NoSuchItem {
                        key: key.clone(),
                        collection: self.path().to_owned(),
                    })?;
                    asked.push(id);
                    for modality in Modality::ALL {
                        if let Some(embedding) = self.embedding(id, modality)? {
                            parts.push(self.part(query, term, modality, || Ok(embedding))?);
                        }
                    }
                }
                Term::Text(words) => parts.push(self.part(query, term, Modality::Text, || {
                    if words.trim().is_empty() {
                        return Err(Error::EmptyText);
                    }
                    Ok(self.embed_text(words)?)
                })?),
                Term::Image(path) => parts.push(self.part(query, term, Modality::Image, || {
                    let bytes =
                        read_picture(path, &PictureLimits::default()).map_err(|source| {
                            Error::Picture { name: path.display().to_string(), source }
                        })?;
                    self.embed_picture(&term.name(), &bytes)
                })?),
                Term::ImageBytes { name, bytes } => {
                    parts.push(
                        self.part(query, term, Modality::Image, || {
                            self.embed_picture(name, bytes)
                        })?,
                    );
                }
                Term::Embedding { modality, embedding, .. } => {
                    parts.push(self.part(query, term, *modality, || Ok(embedding.clone()))?);
                }
            }
        }
        let mut parts: Vec<QueryPart> = parts.into_iter().flatten().collect();
        let total: f32 = parts.iter().map(|part| part.weight.abs()).sum();
        if !(total.is_finite() && total > 0.0) {
            return Err(Error::NoWeight);
        }
        parts.iter_mut().for_each(|part| part.weight /= total);
        Ok((parts, asked))
    }

    /// A term in one modality; `None` where that has no weight, and then nothing is embedded.
    fn part(
        &self,
        query: &Query,
        term: &Term,
        modality: Modality,
        embed: impl FnOnce() -> Result<Embedding, Error>,
    ) -> Result<Option<QueryPart<'_>>, Error> {
        let weight = query.weights.iter().find(|(m, _)| *m == modality).map_or(1.0, |&(_, w)| w);
        if weight == 0.0 {
            return Ok(None);
        }
        let vectors = self.vectors(modality).ok_or_else(|| Error::NoVectors {
            term: term.name(),
            modality,
            collection: self.path().to_owned(),
        })?;
        Ok(Some(QueryPart { term: term.name(), modality, weight, embedding: embed()?, vectors }))
    }

    fn embed_picture(&self, name: &str, bytes: &[u8]) -> Result<Embedding, Error> {
        let picture = decode_picture(bytes, &PictureLimits::default())
            .map_err(|source| Error::Picture { name: name.to_owned(), source })?;
        Ok(self.embed_image(&picture)?)
    }

    fn lacks_item(&self, id: u32) -> Error {
        let reason = format!("a vector belongs to item {id}, which is not there");
        collection::Error::Damaged { path: self.path().to_owned(), reason }.into()
    }
}

/// A picture's flaw with the picture's name, unless the flaw names it already.
fn named(name: &str, source: &PictureError) -> String {
    match source {
        PictureError::Io { .. } | PictureError::NotAFile { .. } => source.to_string(),
        _ => format!("{name}: {source}"),
    }
}

/// How much each modality counts in a query, whether for or against.
fn weights(parts: &[QueryPart]) -> Vec<(Modality, f32)> {
    let of = |modality| parts.iter().filter(move |part| part.modality == modality);
    let weight = |modality| of(modality).map(|part| part.weight.abs()).sum();
    Modality::ALL.map(|modality| (modality, weight(modality))).into()
}

fn part_names(parts: &[QueryPart]) -> String {
    parts.iter().map(|part| part.term.as_str()).collect::<Vec<_>>().join(", ")
}
