//! The exact scan: looks at every vector, and is the oracle of whatever looks at fewer.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use rayon::prelude::*;

use crate::error::QueryError;
use crate::neighbours::{Answer, Candidate, Neighbours, SearchOptions};
use crate::pages::{Finder, Pages};
use crate::rows::RowSet;
use crate::top::{Top, WorstFirst};
use crate::vectors::Vectors;

/// Compares the query with every vector of a segment. Made by [`Segment::exact`](crate::Segment::exact).
#[derive(Debug, Clone, Copy)]
pub struct Exact<'a> {
    vectors: Vectors<'a>,
}

/// Queries that share one pass over the vectors. At 2048 dimensions these are 1 MB, what a
/// core's second cache holds; more would come from farther away for every few rows.
const QUERIES: usize = 128;

/// Of so many rows one is asked for when fetching those alone beats reading all in a row.
const FEW: usize = 4;

/// What one thread has found, and its room for the similarities of a block.
struct Progress {
    tops: Vec<Top>,
    similarities: Vec<f32>,
}

impl<'a> Exact<'a> {
    pub(crate) fn new(vectors: Vectors<'a>) -> Self {
        Exact { vectors }
    }

    /// Answers queries that have been checked, in one pass.
    fn pass(&self, queries: &[&[f32]], k: usize, options: &SearchOptions) -> Vec<Answer> {
        let rows = self.vectors.len();
        let within = options.within.as_deref();
        if let Some(within) = within
            && within.count_below(rows) * FEW < rows
        {
            return queries.iter().map(|query| self.gather(query, k, options, within)).collect();
        }
        let block = self.vectors.block_rows();
        let blocks = rows.div_ceil(block);
        let start = || Progress {
            tops: queries.iter().map(|_| Top::new(k.min(rows), options)).collect(),
            similarities: vec![0.0; block * queries.len()],
        };
        let look = |mut progress: Progress, b: usize| {
            self.look(b * block..rows.min((b + 1) * block), queries, within, &mut progress);
            progress
        };
        let done = if blocks < 2 {
            (0..blocks).fold(start(), look)
        } else {
            (0..blocks).into_par_iter().fold(start, look).reduce_with(merge).unwrap_or_else(start)
        };
        let answer =
            |top: Top| Answer { candidates: top.into_candidates(), exact: true, looked_at: rows };
        done.tops.into_iter().map(answer).collect()
    }

    /// Compares a query with the few rows that it asks for.
    fn gather(&self, query: &[f32], k: usize, options: &SearchOptions, within: &RowSet) -> Answer {
        let rows = self.vectors.len();
        let mut top = Top::new(k.min(rows), options);
        let mut looked_at = 0;
        for row in within.iter().take_while(|&row| (row as usize) < rows) {
            let (id, mut similarity) = (self.vectors.id(row as usize), 0.0);
            let out = std::slice::from_mut(&mut similarity);
            self.vectors.products(row as usize, 1, &[query], out);
            top.offer(Candidate { row, id, similarity });
            looked_at += 1;
        }
        Answer { candidates: top.into_candidates(), exact: true, looked_at }
    }

    /// Every row that may be found, but for those of `without`, to be handed out from the best on.
    pub(crate) fn rank(&self, query: &[f32], options: &SearchOptions, without: &RowSet) -> Ranked {
        let rows = self.vectors.len();
        let within = options.within.as_deref();
        let compared: Vec<(u32, f32)> = match within {
            Some(within) if within.count_below(rows) * FEW < rows => {
                let among = within.iter().take_while(|&row| (row as usize) < rows);
                among.map(|row| (row, self.vectors.similarity(row, query))).collect()
            }
            _ => {
                let mut all = vec![0.0; rows];
                self.vectors.compare(query, &mut all);
                (0..).zip(all).collect()
            }
        };
        let looked_at = compared.len();
        let floor = options.at_least.unwrap_or(f32::NEG_INFINITY);
        let wanted = |&(row, similarity): &(u32, f32)| {
            similarity >= floor
                && !without.contains(row)
                && within.is_none_or(|within| within.contains(row))
        };
        let candidate = |(row, similarity)| {
            Reverse(WorstFirst(Candidate { row, id: self.vectors.id(row as usize), similarity }))
        };
        Ranked { heap: compared.into_iter().filter(wanted).map(candidate).collect(), looked_at }
    }

    /// As [`pages`](Neighbours::pages), for as long as the segment is open.
    pub(crate) fn hand_out(
        &self,
        query: &[f32],
        options: &SearchOptions,
    ) -> Result<Pages<'a>, QueryError> {
        self.vectors.check(query)?;
        let ranked = self.rank(query, options, &RowSet::default());
        Ok(Pages::new(vec![Finder::Ranked(ranked).into()]))
    }

    /// Compares some rows with all queries.
    fn look(
        &self,
        rows: Range<usize>,
        queries: &[&[f32]],
        within: Option<&RowSet>,
        progress: &mut Progress,
    ) {
        let similarities = &mut progress.similarities[..rows.len() * queries.len()];
        self.vectors.products(rows.start, rows.len(), queries, similarities);
        for (top, similarities) in progress.tops.iter_mut().zip(similarities.chunks(rows.len())) {
            for (row, &similarity) in rows.clone().zip(similarities) {
                if top.may_keep(similarity) && within.is_none_or(|rows| rows.contains(row as u32)) {
                    let id = self.vectors.id(row);
                    top.offer(Candidate { row: row as u32, id, similarity });
                }
            }
        }
    }
}

/// Rows in order, of which only those that are asked for are put there.
#[derive(Debug)]
pub(crate) struct Ranked {
    heap: BinaryHeap<Reverse<WorstFirst>>,
    /// What it took, until that was told.
    looked_at: usize,
}

impl Ranked {
    /// The next best.
    pub(crate) fn more(&mut self, count: usize) -> Answer {
        let next = std::iter::from_fn(|| self.heap.pop());
        let candidates = next.take(count).map(|Reverse(WorstFirst(candidate))| candidate).collect();
        Answer { candidates, exact: true, looked_at: std::mem::take(&mut self.looked_at) }
    }
}

fn merge(left: Progress, right: Progress) -> Progress {
    let tops = left.tops.into_iter().zip(right.tops).map(|(left, right)| left.merge(right));
    Progress { tops: tops.collect(), ..left }
}

impl Neighbours for Exact<'_> {
    fn search(
        &self,
        query: &[f32],
        k: usize,
        options: &SearchOptions,
    ) -> Result<Answer, QueryError> {
        self.vectors.check(query)?;
        let mut answers = self.pass(&[query], k, options);
        Ok(answers.remove(0))
    }

    fn pages(&self, query: &[f32], options: &SearchOptions) -> Result<Pages<'_>, QueryError> {
        self.hand_out(query, options)
    }

    /// Many queries share each pass over the vectors.
    fn search_batch(
        &self,
        queries: &[&[f32]],
        k: usize,
        options: &SearchOptions,
    ) -> Result<Vec<Answer>, QueryError> {
        queries.iter().try_for_each(|query| self.vectors.check(query))?;
        Ok(queries.chunks(QUERIES).flat_map(|some| self.pass(some, k, options)).collect())
    }
}
