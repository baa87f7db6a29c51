//! The seam: what whoever finds neighbours promises, be it the scan or a graph.

use std::cmp::Ordering;
use std::sync::Arc;

use rayon::prelude::*;

use crate::error::QueryError;
use crate::pages::Pages;
use crate::rows::RowSet;

/// Finds the rows most similar to a query.
///
/// Whatever implements this is held to `tests/suite/conformance.rs`: `min(k, matching rows)` candidates
/// at most and exactly so many from an exact answer, best first, ties by ascending id, each with
/// the exact similarity of the stored vector; and the same answer whenever asked again, alone or in
/// a batch, on one thread or many.
pub trait Neighbours: Sync {
    /// The `k` best candidates for one query. It need not be a unit vector.
    fn search(
        &self,
        query: &[f32],
        k: usize,
        options: &SearchOptions,
    ) -> Result<Answer, QueryError>;

    /// The neighbours of one query so many at a time, of which the first are what [`search`](Self::search) finds:
    /// for whoever does not know yet how many are wanted.
    fn pages(&self, query: &[f32], options: &SearchOptions) -> Result<Pages<'_>, QueryError>;

    /// An answer for each query, in order, as [`search`](Self::search) would give it.
    fn search_batch(
        &self,
        queries: &[&[f32]],
        k: usize,
        options: &SearchOptions,
    ) -> Result<Vec<Answer>, QueryError> {
        queries.par_iter().map(|query| self.search(query, k, options)).collect()
    }
}

/// How to search. The default asks for the `k` best, whatever they are.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SearchOptions {
    /// Leave out what is less similar than this.
    pub at_least: Option<f32>,
    /// Find nothing but these: rows of a segment, ids on a [`Shelf`](crate::Shelf).
    pub within: Option<Arc<RowSet>>,
    /// Look at every row, whoever searches.
    pub exact: bool,
    /// Find this part of the best, as far as the segment's curve knows how. Without it, .99.
    pub recall: Option<f32>,
    /// Keep so many rows in mind on a walk, whatever the curve says.
    pub breadth: Option<usize>,
}

impl SearchOptions {
    /// Leaves out what is less similar than this.
    pub fn at_least(mut self, similarity: f32) -> Self {
        self.at_least = Some(similarity);
        self
    }

    /// Finds nothing but these: rows of a segment, ids on a [`Shelf`](crate::Shelf).
    pub fn within(mut self, these: Arc<RowSet>) -> Self {
        self.within = Some(these);
        self
    }

    /// Looks at every row.
    pub fn exact(mut self) -> Self {
        self.exact = true;
        self
    }

    /// Aims at finding this part of the best.
    pub fn recall(mut self, recall: f32) -> Self {
        self.recall = Some(recall);
        self
    }

    /// Keeps so many rows in mind on a walk.
    pub fn breadth(mut self, breadth: usize) -> Self {
        self.breadth = Some(breadth);
        self
    }
}

/// What a search found, and how.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Answer {
    /// Best first; ties by ascending id.
    pub candidates: Vec<Candidate>,
    /// Whether these are certainly the best there are.
    pub exact: bool,
    /// How many vectors were compared with the query.
    pub looked_at: usize,
}

/// A row and how similar it is to the query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Where it stands in its segment.
    pub row: u32,
    /// What its owner calls it.
    pub id: u32,
    /// The inner product with the query: for unit vectors the cosine, up to the rounding of the
    /// stored components. Not clamped to 1, so that sums of similarities stay exact. Never NaN.
    pub similarity: f32,
}

impl Candidate {
    /// Better is less, so that sorting puts the best first.
    pub(crate) fn rank(&self, other: &Self) -> Ordering {
        other
            .similarity
            .total_cmp(&self.similarity)
            .then(self.id.cmp(&other.id))
            .then(self.row.cmp(&other.row))
    }
}
