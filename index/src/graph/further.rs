//! Goes on with a walk: further neighbours, without starting over.
//!
//! In: a question, and each time how many more are wanted. Out: the best that were not given yet, as a search for all
//! of them would walk to. A walk for more is wider, so nothing that was met is forgotten: what a narrower one had
//! no place for is taken up when there is place. Where a walk would be as dear as a scan, the rest is ranked.

use super::search::Graph;
use super::walk::{Reach, Scratch, go_on};
use crate::exact::{Exact, Ranked};
use crate::neighbours::{Answer, SearchOptions};
use crate::rows::RowSet;
use crate::top::Top;

/// A walk that was interrupted.
#[derive(Debug)]
pub(crate) struct Further<'a> {
    graph: Graph<'a>,
    query: Vec<f32>,
    options: SearchOptions,
    scratch: Scratch,
    breadth: usize,
    given: RowSet,
    /// How many those are.
    count: usize,
}

impl<'a> Further<'a> {
    /// Stands at the entry. The query fits.
    pub(super) fn new(graph: Graph<'a>, query: &[f32], options: &SearchOptions) -> Self {
        let mut scratch = Scratch::default();
        scratch.begin(&graph.view, query, true);
        Further {
            graph,
            query: query.to_owned(),
            options: options.clone(),
            scratch,
            breadth: 0,
            given: RowSet::default(),
            count: 0,
        }
    }

    /// The next best; or nothing, where the rest had better be ranked.
    pub(crate) fn more(&mut self, count: usize) -> Option<Answer> {
        let Further { graph, query, options, scratch, .. } = self;
        let all = (self.count.saturating_add(count)).min(graph.vectors.len());
        let matching = graph.matching(options);
        let reach = graph.reach(all, matching, options)?;
        if reach.breadth > self.breadth {
            self.breadth = reach.breadth;
            scratch.widen(reach.breadth);
        }
        // A narrower walk than the last would meet nothing new.
        let reach = Reach { breadth: self.breadth, ..reach };
        let looked_at = go_on(&graph.view, &graph.vectors, query, all, reach, scratch);
        let mut top = Top::new(all - self.count, options);
        scratch.compare(&graph.view, &graph.vectors, query, all, reach, &mut top);
        let candidates = top.into_candidates();
        // As in a search: without a threshold there are always enough to be found.
        if candidates.len() < (all - self.count).min(matching.saturating_sub(self.count))
            && options.at_least.is_none()
        {
            return None;
        }
        self.count += candidates.len();
        candidates.iter().for_each(|found| self.given.insert(found.row));
        for near in scratch.near().iter_mut().filter(|near| !near.given) {
            near.given = self.given.contains(near.row);
        }
        Some(Answer { candidates, exact: false, looked_at })
    }

    /// Whatever was not given yet.
    pub(crate) fn rest(&self) -> Ranked {
        Exact::new(self.graph.vectors).rank(&self.query, &self.options, &self.given)
    }

    /// Whether anything was given.
    pub(crate) fn began(&self) -> bool {
        self.count > 0
    }
}
