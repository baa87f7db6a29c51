//! Queries become hits.
//!
//! Flowing in: a [`Query`], built or written. It is resolved to vectors (terms through the collection's
//! encoders, items from its own vectors) and words, compared with the items that match its filter, fused
//! and grouped. Flowing out:
//! [`Hits`], each hit with a receipt.

mod algebra;
mod ask;
mod aspect;
mod best;
mod candidates;
mod column;
mod diversity;
mod duplicates;
mod facet;
mod filter;
mod fusion;
mod group;
mod hit;
mod listing;
mod many;
mod narrowing;
mod plan;
mod query;
mod ranks;
mod similar;

pub use algebra::ExpressionError;
pub use aspect::Aspect;
pub use duplicates::{Cluster, Duplicates, Member};
pub use facet::{Facet, FacetValue};
pub use filter::{Comparison, Filter, FilterError, Literal};
pub use fusion::Fusion;
pub use group::Group;
pub use hit::{Bm25, Hit, Hits, Part, Ranking, Receipt, TasteTerm};
pub use plan::{How, Plan};
pub use query::{Query, Term};
pub use similar::{Similar, SimilarTo};

use std::path::PathBuf;

use lookalike_index::Shelf;

use crate::catalogue::picture::{PictureError, PictureLimits, decode_at_least, read_picture};
use crate::collection::{self, Collection};
use crate::encode::{self, Embedding, Modality};
use column::{QueryPart, Source};
use narrowing::{Allowed, Narrow};
use query::Weighted;

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
        "the weights leave nothing to search by: give one other than 0 to images, texts or words, whichever \
         the query has"
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
        let (mut parts, asked) = self.resolve(query)?;
        normalise(&mut parts)?;
        self.answer(&parts, query, &narrow, &asked)
    }

    /// Answers a query once for each aspect that it asks for, nothing fused: rankings to be held side by
    /// side.
    pub fn rankings(&self, query: &Query) -> Result<Vec<Ranking>, Error> {
        let (mut parts, asked) = self.resolve(query)?;
        let query = query.clone().fusion(Fusion::Sum);
        let narrow = self.narrow(&query)?;
        let mut rankings = Vec::new();
        for aspect in Aspect::ALL {
            let (mut own, others) = parts.into_iter().partition(|part| part.aspect == aspect);
            parts = others;
            if !own.is_empty() {
                normalise(&mut own)?;
                let answer = self.answer(&own, &query, &narrow, &asked)?;
                rankings.push(Ranking { aspect, answer });
            }
        }
        match rankings.is_empty() {
            true => Err(Error::NoWeight),
            false => Ok(rankings),
        }
    }

    fn answer(
        &self,
        parts: &[QueryPart],
        query: &Query,
        narrow: &Narrow,
        asked: &[u32],
    ) -> Result<Hits, Error> {
        let excluded: &[u32] = if query.keep_asked { &[] } else { asked };
        let among = Allowed { matching: narrow.matching.as_ref(), excluded };
        let options = match among.matching {
            Some(matching) => query.options.clone().within(matching.set.clone()),
            None => query.options.clone(),
        };
        let rank = |top: usize| {
            let found = match query.fusion {
                Fusion::Rrf { k, depth } => {
                    ranks::fuse_ranks(parts, (k, depth), top, excluded, &options)
                }
                Fusion::Sum if options.exact => candidates::scan(parts, top, among),
                Fusion::Sum => candidates::propose(parts, top, among, &options),
            };
            found.map_err(|source| Error::Vector { term: part_names(parts), source })
        };
        narrow.hits(excluded, &weights(parts), rank)
    }

    /// The parts of a query that have a weight, and the items that it names.
    fn resolve(&self, query: &Query) -> Result<(Vec<QueryPart<'_>>, Vec<u32>), Error> {
        let mut parts = Vec::new();
        let mut asked = Vec::new();
        for Weighted { term, weight } in &query.terms {
            let named = match term {
                Term::Item(key) => Some(self.named(key)?),
                _ => None,
            };
            asked.extend(named);
            for (aspect, of_aspect) in &query.weights {
                let weight = weight * of_aspect;
                if weight == 0.0 {
                    continue;
                }
                if let Some(source) = self.source(query, term, named, *aspect)? {
                    parts.push(QueryPart { term: term.name(), aspect: *aspect, weight, source });
                }
            }
        }
        Ok((parts, asked))
    }

    /// The item of a key.
    fn named(&self, key: &str) -> Result<u32, Error> {
        let collection = || self.path().to_owned();
        let missing = || Error::NoSuchItem { key: key.to_owned(), collection: collection() };
        self.id_of(key)?.ok_or_else(missing)
    }

    /// What a term asks for in an aspect, if it asks for anything there. `named` is the item that it names.
    fn source(
        &self,
        query: &Query,
        term: &Term,
        named: Option<u32>,
        aspect: Aspect,
    ) -> Result<Option<Source<'_>>, Error> {
        let (modality, asked) = match (term, aspect) {
            (Term::Words(words), Aspect::Words) => {
                if words.trim().is_empty() {
                    return Err(Error::EmptyText);
                }
                return Ok(Some(Source::Words(self.matches(words, query.spelling)?)));
            }
            (Term::Text(words), Aspect::Text) => {
                if words.trim().is_empty() {
                    return Err(Error::EmptyText);
                }
                self.has_vectors(term, Modality::Text)?;
                (Modality::Text, self.embed_text(words)?)
            }
            (Term::Image(path), Aspect::Image) => {
                self.has_vectors(term, Modality::Image)?;
                let bytes = read_picture(path, &PictureLimits::default()).map_err(|source| {
                    Error::Picture { name: path.display().to_string(), source }
                })?;
                (Modality::Image, self.embed_picture(&term.name(), &bytes)?)
            }
            (Term::ImageBytes { name, bytes }, Aspect::Image) => {
                self.has_vectors(term, Modality::Image)?;
                (Modality::Image, self.embed_picture(name, bytes)?)
            }
            (Term::Embedding { modality, embedding, .. }, aspect) if aspect == *modality => {
                (*modality, embedding.clone())
            }
            (Term::Item(_), aspect) => {
                let Some((id, modality)) = named.zip(aspect.modality()) else { return Ok(None) };
                let Some(embedding) = self.embedding(id, modality)? else { return Ok(None) };
                (modality, embedding)
            }
            _ => return Ok(None),
        };
        Ok(Some(Source::Vectors { asked, vectors: self.has_vectors(term, modality)? }))
    }

    /// The vectors that a term is compared with; asked for before anything is embedded.
    fn has_vectors(&self, term: &Term, modality: Modality) -> Result<&Shelf, Error> {
        self.vectors(modality).ok_or_else(|| Error::NoVectors {
            term: term.name(),
            modality,
            collection: self.path().to_owned(),
        })
    }

    fn embed_picture(&self, name: &str, bytes: &[u8]) -> Result<Embedding, Error> {
        let enough = self.enough()?.unwrap_or(u32::MAX);
        let picture = decode_at_least(bytes, &PictureLimits::default(), enough)
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
    let of = |modality| parts.iter().filter(move |part| part.aspect == modality);
    let weight = |modality| of(modality).map(|part| part.weight.abs()).sum();
    Modality::ALL.map(|modality| (modality, weight(modality))).into()
}

/// Divides all weights by the sum of their absolute values.
fn normalise(parts: &mut [QueryPart]) -> Result<(), Error> {
    let total: f32 = parts.iter().map(|part| part.weight.abs()).sum();
    if !(total.is_finite() && total > 0.0) {
        return Err(Error::NoWeight);
    }
    parts.iter_mut().for_each(|part| part.weight /= total);
    Ok(())
}

fn part_names(parts: &[QueryPart]) -> String {
    parts.iter().map(|part| part.term.as_str()).collect::<Vec<_>>().join(", ")
}
