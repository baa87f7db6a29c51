//! Many queries at once, over all cores.

use rayon::prelude::*;

use super::query::{Query, Term};
use super::{Error, Hits};
use crate::collection::Collection;

impl Collection {
    /// Answers each query as [`search`](Self::search) would, to the bit, in the same order; those that
    /// cannot be answered say why, and hold up nobody.
    pub fn search_all(&self, queries: &[Query]) -> Vec<Result<Hits, Error>> {
        // The first query of a kind has its encoder loaded. If all began at once, each core would load one
        // of its own.
        let first = |wanted: fn(&Term) -> bool| {
            queries.iter().position(|query| query.terms().any(|(term, _)| wanted(term)))
        };
        let text = first(|term| matches!(term, Term::Text(_)));
        let image = first(|term| matches!(term, Term::Image(_) | Term::ImageBytes { .. }));
        let mut before: Vec<usize> = text.into_iter().chain(image).collect();
        before.dedup();
        let mut answers: Vec<Option<Result<Hits, Error>>> = queries.iter().map(|_| None).collect();
        for place in before {
            answers[place] = Some(self.search(&queries[place]));
        }
        let answer =
            |(query, answer): (&Query, Option<_>)| answer.unwrap_or_else(|| self.search(query));
        queries.par_iter().zip(answers).map(answer).collect()
    }
}
