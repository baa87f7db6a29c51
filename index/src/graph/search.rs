//! Answers questions by walking, and by looking at all rows where that is cheaper.

use std::cell::RefCell;

use rayon::prelude::*;

use super::curve::{self, CurvePoint};
use super::further::Further;
use super::layout::{GraphLayout, View};
use super::walk::{Reach, Scratch, walk};
use crate::error::QueryError;
use crate::exact::Exact;
use crate::neighbours::{Answer, Neighbours, SearchOptions};
use crate::pages::{Finder, Pages};
use crate::top::Top;
use crate::vectors::Vectors;

/// What an approximate search aims at, unless told otherwise.
const RECALL: f32 = 0.99;
/// Expanding a row (its vector, its block, a heap of bookkeeping) costs as much as scanning so many rows.
const SCANNED_PER_EXPANDED: usize = 8;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// The graph of a segment. Made by [`Segment::graph`](crate::Segment::graph).
#[derive(Debug, Clone, Copy)]
pub struct Graph<'a> {
    pub(super) vectors: Vectors<'a>,
    pub(super) view: View<'a>,
}

impl<'a> Graph<'a> {
    pub(crate) fn new(vectors: Vectors<'a>, layout: &'a GraphLayout, section: &'a [u8]) -> Self {
        Graph { vectors, view: layout.view(section) }
    }

    /// How much of the ten best a walk found when the segment was written, for each breadth. The queries
    /// were made from its own rows: see FORMAT.md.
    pub fn curve(&self) -> impl Iterator<Item = CurvePoint> {
        self.view.curve.into_iter().flat_map(|curve| curve.points())
    }

    /// How many rows a search for this recall of the `k` best keeps in mind, by the [curve](Self::curve).
    pub fn breadth_for(&self, recall: f32, k: usize) -> usize {
        self.breadth(k, self.vectors.len(), &SearchOptions::default().recall(recall))
    }

    /// As [`search`](Neighbours::search), in the caller's own room.
    pub fn search_with(
        &self,
        scratch: &mut Scratch,
        query: &[f32],
        k: usize,
        options: &SearchOptions,
    ) -> Result<Answer, QueryError> {
        self.vectors.check(query)?;
        let rows = self.vectors.len();
        let matching = self.matching(options);
        let Some(reach) = self.reach(k, matching, options) else {
            return Exact::new(self.vectors).search(query, k, options);
        };
        let k = k.min(rows);
        let mut top = Top::new(k, options);
        let looked_at = walk(&self.view, &self.vectors, query, k, reach, &mut top, scratch);
        let candidates = top.into_candidates();
        // Without a threshold there are always enough to be found.
        if candidates.len() < k.min(matching) && options.at_least.is_none() {
            return Exact::new(self.vectors).search(query, k, options);
        }
        Ok(Answer { candidates, exact: false, looked_at })
    }

    /// How many rows may be found.
    pub(super) fn matching(&self, options: &SearchOptions) -> usize {
        let rows = self.vectors.len();
        options.within.as_ref().map_or(rows, |within| within.count_below(rows))
    }

    /// How far to walk for the `k` best; or nothing, where a scan is as cheap.
    pub(super) fn reach<'o>(
        &self,
        k: usize,
        matching: usize,
        options: &'o SearchOptions,
    ) -> Option<Reach<'o>> {
        // Of the rows that a walk meets, so many match; a wider one meets enough that do.
        let breadth = self.breadth(k, matching, options);
        if options.exact || matching <= breadth.saturating_mul(SCANNED_PER_EXPANDED) {
            return None;
        }
        Some(Reach {
            breadth,
            slack: curve::slack(self.error(), breadth),
            doubt: curve::doubt(self.view.curve.map_or(0.0, |curve| curve.sketch_error)),
            floor: options.at_least.unwrap_or(f32::NEG_INFINITY),
            within: options.within.as_deref(),
        })
    }

    /// As [`pages`](Neighbours::pages), for as long as the segment is open.
    pub(crate) fn hand_out(
        &self,
        query: &[f32],
        options: &SearchOptions,
    ) -> Result<Pages<'a>, QueryError> {
        self.vectors.check(query)?;
        let walk = Further::new(*self, query, options);
        Ok(Pages::new(vec![Finder::Walk(Box::new(walk)).into()]))
    }

    /// The breadth that was asked for, at least half as much again as are wanted, and more where few rows
    /// match.
    fn breadth(&self, k: usize, matching: usize, options: &SearchOptions) -> usize {
        let tuned = || {
            let recall = options.recall.unwrap_or(RECALL);
            self.view.curve.map_or(64, |curve| curve.breadth(recall)).max(k.saturating_add(k / 2))
        };
        let breadth = options.breadth.unwrap_or_else(tuned).max(k).max(1);
        let part = self.vectors.len() as f64 / matching.max(1) as f64;
        (breadth as f64 * part).min(u32::MAX.into()) as usize
    }

    fn error(&self) -> f32 {
        self.view.curve.map_or(0.02, |curve| curve.error)
    }
}

impl Neighbours for Graph<'_> {
    fn search(
        &self,
        query: &[f32],
        k: usize,
        options: &SearchOptions,
    ) -> Result<Answer, QueryError> {
        SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
            Ok(mut scratch) => self.search_with(&mut scratch, query, k, options),
            // A search within a search of the same thread, as work stealing may bring about.
            Err(_) => self.search_with(&mut Scratch::default(), query, k, options),
        })
    }

    fn pages(&self, query: &[f32], options: &SearchOptions) -> Result<Pages<'_>, QueryError> {
        self.hand_out(query, options)
    }

    /// Where every row is to be looked at, the queries share each pass.
    fn search_batch(
        &self,
        queries: &[&[f32]],
        k: usize,
        options: &SearchOptions,
    ) -> Result<Vec<Answer>, QueryError> {
        if options.exact {
            return Exact::new(self.vectors).search_batch(queries, k, options);
        }
        queries.par_iter().map(|query| self.search(query, k, options)).collect()
    }
}
