//! Every item's most similar others: the table that a shop shows beside each product.
//!
//! Flowing in: what to compare by. Flowing out: a row an item, by ascending number. Items are taken in blocks.
//! Where a modality's vectors have a graph, each item walks through it; where they have none, or everything is
//! to be compared, the items of a block share each pass over the vectors, which is a product of matrices.

use lookalike_index::{Neighbours, SearchOptions, Shelf};

use super::Error;
use super::best::Scored;
use super::query::Query;
use crate::collection::{self, Collection};
use crate::encode::{Embedding, Modality};

/// Items that are taken together: enough for all cores, and few enough that their vectors are of no weight.
const BLOCK: usize = 1024;

/// How to find every item's most similar others.
///
/// ```
/// use lookalike::{Modality, Similar};
///
/// let by_looks = Similar::by([Modality::Image]).top(20);
/// # let _ = by_looks;
/// ```
#[derive(Debug, Clone)]
pub struct Similar {
    by: Vec<Modality>,
    top: usize,
    options: SearchOptions,
}

/// An item and those most similar to it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SimilarTo {
    /// The item's number.
    pub id: u32,
    /// The numbers of others and their scores, best first, equal scores by ascending number.
    pub others: Vec<(u32, f32)>,
}

impl Similar {
    /// Compares by these modalities: one, or the mean of several as a search for the item would. Asks for ten
    /// others.
    pub fn by(modalities: impl IntoIterator<Item = Modality>) -> Self {
        let mut by: Vec<Modality> = modalities.into_iter().collect();
        by.sort_unstable();
        by.dedup();
        Similar { by, top: 10, options: SearchOptions::default() }
    }

    /// How many others for each item, at the most.
    pub fn top(mut self, others: usize) -> Self {
        self.top = others;
        self
    }

    /// How many others are asked for.
    pub(super) fn limit(&self) -> usize {
        self.top
    }

    /// Leaves out what is less similar than this.
    pub fn at_least(mut self, score: f32) -> Self {
        self.options = self.options.at_least(score);
        self
    }

    /// Compares every item with every other, graph or not.
    pub fn exact(mut self) -> Self {
        self.options = self.options.exact();
        self
    }

    /// Which part of the best a graph is to find, .99 unless said otherwise.
    pub fn recall(mut self, recall: f32) -> Self {
        self.options = self.options.recall(recall);
        self
    }
}

impl Collection {
    /// Finds every item's most similar others. `take` is handed one item after the other, by ascending
    /// number; items that have nothing to compare by are left out. What `take` returns as an error ends it.
    pub fn similar<E: From<Error>>(
        &self,
        wish: &Similar,
        mut take: impl FnMut(SimilarTo) -> Result<(), E>,
    ) -> Result<(), E> {
        match wish.by[..] {
            [] => Err(Error::NoWeight.into()),
            [modality] => {
                let vectors = self.vectors_of(modality)?;
                let mut block = Block::new(self, vectors, wish);
                for row in vectors.vectors() {
                    if let Some(found) = block.push(row)? {
                        found.into_iter().try_for_each(&mut take)?;
                    }
                }
                block.found()?.into_iter().try_for_each(take)
            }
            _ => self.similar_by_all(wish, take),
        }
    }

    /// Several modalities are fused, as any query is.
    fn similar_by_all<E: From<Error>>(
        &self,
        wish: &Similar,
        mut take: impl FnMut(SimilarTo) -> Result<(), E>,
    ) -> Result<(), E> {
        for &modality in &wish.by {
            self.vectors_of(modality)?;
        }
        let mut ids: Vec<u32> = Vec::new();
        for vectors in wish.by.iter().filter_map(|&modality| self.vectors(modality)) {
            ids.extend(vectors.ids());
        }
        ids.sort_unstable();
        ids.dedup();
        let floor = wish.options.at_least.unwrap_or(f32::NEG_INFINITY);
        for block in ids.chunks(BLOCK) {
            let queries: Vec<Query> =
                block.iter().map(|&id| self.query_of(id, wish)).collect::<Result<_, _>>()?;
            for (&id, answer) in block.iter().zip(self.search_all(&queries)) {
                let hits = answer?.hits.into_iter().map(|hit| (hit.id, hit.score));
                let others = hits.filter(|&(_, score)| score >= floor).collect();
                take(SimilarTo { id, others })?;
            }
        }
        Ok(())
    }

    fn query_of(&self, id: u32, wish: &Similar) -> Result<Query, Error> {
        let item = self.item(id)?.ok_or_else(|| self.lacks_item(id))?;
        let mut query = Query::new().item(item.key).top(wish.top);
        for modality in Modality::ALL {
            query = query.weight(modality, if wish.by.contains(&modality) { 1.0 } else { 0.0 });
        }
        query.options = wish.options.clone();
        query.options.at_least = None;
        Ok(query)
    }

    /// The vectors of a modality, without which there is nothing to compare.
    pub(super) fn vectors_of(&self, modality: Modality) -> Result<&Shelf, Error> {
        let missing = || collection::Error::NoVectors { path: self.path().to_owned(), modality };
        Ok(self.vectors(modality).ok_or_else(missing)?)
    }
}

/// Items that wait until there are enough of them to be compared together.
pub(super) struct Block<'a> {
    collection: &'a Collection,
    vectors: &'a Shelf,
    wish: &'a Similar,
    rows: Vec<(u32, Embedding)>,
}

impl<'a> Block<'a> {
    pub(super) fn new(collection: &'a Collection, vectors: &'a Shelf, wish: &'a Similar) -> Self {
        Block { collection, vectors, wish, rows: Vec::new() }
    }

    /// Adds an item; returns what was found for all that waited, if that is due.
    pub(super) fn push(
        &mut self,
        (id, vector): (u32, Vec<f32>),
    ) -> Result<Option<Vec<SimilarTo>>, Error> {
        let damaged = |error| collection::Error::Damaged {
            path: self.collection.path().to_owned(),
            reason: format!("the vector of item {id}: {error}"),
        };
        self.rows.push((id, Embedding::new(vector).map_err(damaged)?));
        (self.rows.len() == BLOCK).then(|| self.found()).transpose()
    }

    /// What is similar to those that wait.
    pub(super) fn found(&mut self) -> Result<Vec<SimilarTo>, Error> {
        let rows = std::mem::take(&mut self.rows);
        let queries: Vec<&[f32]> = rows.iter().map(|(_, vector)| &**vector).collect();
        // The item itself is among them, or crowded out by others that are just like it.
        let wanted = self.wish.top.saturating_add(1);
        let answers = self
            .vectors
            .search_batch(&queries, wanted, &self.wish.options)
            .map_err(|source| Error::Vector { term: "an item".to_owned(), source })?;
        let found = rows.iter().zip(answers).map(|(&(id, _), answer)| {
            let others = answer.candidates.iter().filter(|candidate| candidate.id != id);
            let others: Vec<Scored> =
                others.map(|other| (other.id, other.similarity)).take(self.wish.top).collect();
            SimilarTo { id, others }
        });
        Ok(found.collect())
    }
}
