//! The stage after retrieval: what a search found, in the order of a visitor's taste.
//!
//! Flowing in: a query's best candidates and one or several [`Reranker`]s, each with a weight. Flowing out: hits
//! whose receipts say what search and what each model gave, and whose shares add up to the score to the bit.
//!
//! ```text
//! score = (1 - a) n(fused) + a sum_k w_k n(x_k) / sum_k w_k        n(x) = (x - least) / (most - least)
//! ```
//!
//! `least` and `most` are over the candidates, so that models of any scale and searches of any fusion can be
//! blended. Where all candidates are equal to somebody, `n` is 0: nothing is to be learned from it. What is taken
//! off for `least` is a line of the receipt of its own. A model that does not know the visitor is left out, and
//! told; where none does, the hits stay as search found them.

use std::collections::HashMap;

use rayon::prelude::*;

use super::Error;
use super::served::{Reranker, Scores};
use super::visitor::Visitor;
use crate::collection::Collection;
use crate::search::{Hit, Hits, Query, TasteTerm};

/// What a receipt calls the search among the models.
const SEARCH: &str = "search";

/// What a receipt calls that which is taken off.
const LEAST: &str = "less the least";

/// How hits are put into the order of a taste.
pub struct Reranking<'a> {
    models: Vec<(&'a dyn Reranker, f32)>,
    blend: f32,
    candidates: usize,
}

/// Hits in the order of a taste.
#[derive(Debug, Clone)]
pub struct Reranked {
    /// The hits.
    pub hits: Hits,
    /// The models that know nothing of the visitor and had no say.
    pub strangers: Vec<String>,
    /// Whether any model had.
    pub personal: bool,
}

impl Default for Reranking<'_> {
    fn default() -> Self {
        Reranking::new()
    }
}

impl<'a> Reranking<'a> {
    /// By no model yet; search and models count the same, and 200 candidates are looked at.
    pub fn new() -> Self {
        Reranking { models: Vec::new(), blend: 0.5, candidates: 200 }
    }

    /// By a model too. Weights are relative to each other.
    pub fn by(mut self, model: &'a dyn Reranker, weight: f32) -> Self {
        self.models.push((model, weight));
        self
    }

    /// How much the models count: from 0, not at all, to 1, alone.
    pub fn blend(mut self, blend: f32) -> Self {
        self.blend = blend;
        self
    }

    /// How many of the search's best are put into order.
    pub fn candidates(mut self, candidates: usize) -> Self {
        self.candidates = candidates;
        self
    }

    /// Answers a query in the order of the visitor's taste. Pages continue one another as far as there are
    /// candidates.
    pub fn search(
        &self,
        collection: &Collection,
        query: &Query,
        visitor: &Visitor,
    ) -> Result<Reranked, Error> {
        self.page(collection.search(&self.deep(query))?, query, visitor)
    }

    /// Answers each query as [`search`](Self::search) would, over all cores, in the same order; those that cannot
    /// be answered hold up nobody.
    pub fn search_all(
        &self,
        collection: &Collection,
        asked: &[(Query, Visitor)],
    ) -> Vec<Result<Reranked, Error>> {
        let deep: Vec<Query> = asked.iter().map(|(query, _)| self.deep(query)).collect();
        let page = |(found, (query, visitor)): (Result<Hits, _>, &(Query, Visitor))| {
            self.page(found?, query, visitor)
        };
        collection.search_all(&deep).into_par_iter().zip(asked).map(page).collect()
    }

    /// The query that finds the candidates.
    fn deep(&self, query: &Query) -> Query {
        let deep = self.candidates.max(query.skipped().saturating_add(query.limit()));
        query.clone().offset(0).top(deep)
    }

    /// The part of the candidates, put into order, that the query asks for.
    fn page(&self, mut hits: Hits, query: &Query, visitor: &Visitor) -> Result<Reranked, Error> {
        let strangers = self.rerank(&mut hits.hits, visitor)?;
        let first = query.skipped();
        hits.offset = first;
        hits.hits.drain(..first.min(hits.hits.len()));
        hits.hits.truncate(query.limit());
        let personal = strangers.len() < self.models.len();
        Ok(Reranked { hits, strangers, personal })
    }

    /// Puts hits into the order of the visitor's taste; returns the names of the models that know nothing of it.
    pub fn rerank(&self, hits: &mut [Hit], visitor: &Visitor) -> Result<Vec<String>, Error> {
        let total: f32 = self.models.iter().map(|(_, weight)| weight.abs()).sum();
        let is_one = (0.0..=1.0).contains(&self.blend) && total.is_finite() && total > 0.0;
        if !is_one {
            return Err(Error::Blend { blend: self.blend });
        }
        let ids: Vec<u32> = hits.iter().map(|hit| hit.id).collect();
        let mut strangers = Vec::new();
        let mut known = Vec::new();
        for (model, weight) in &self.models {
            match model.score(visitor, &ids)? {
                Some(scores) => known.push((model.name(), *weight, scores)),
                None => strangers.push(model.name().to_owned()),
            }
        }
        if known.is_empty() {
            return Ok(strangers);
        }
        let fused = Range::of(hits.iter().map(|hit| hit.score));
        for hit in hits.iter_mut() {
            let scale = (1.0 - self.blend) * fused.scale;
            hit.receipt.parts.iter_mut().for_each(|part| part.share *= scale);
            hit.receipt.taste.push(fused.taken_off(SEARCH, scale));
        }
        let total: f32 = known.iter().map(|(_, weight, _)| weight.abs()).sum();
        for (name, weight, scores) in &known {
            let range = Range::of((0..ids.len()).map(|item| scores.score(item)));
            let scale = self.blend * weight / total * range.scale;
            for (item, hit) in hits.iter_mut().enumerate() {
                hit.receipt.taste.extend(told(name, scores, item, scale));
                hit.receipt.taste.push(range.taken_off(name, scale));
            }
        }
        hits.iter_mut().for_each(|hit| hit.score = hit.receipt.total());
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
        Ok(strangers)
    }
}

/// An item's terms in a model.
fn told(model: &str, scores: &Scores, item: usize, scale: f32) -> impl Iterator<Item = TasteTerm> {
    let terms = scores.terms.iter().zip(scores.of(item));
    terms.map(move |(term, &value)| TasteTerm {
        model: model.to_owned(),
        term: term.clone(),
        value,
        share: scale * value,
    })
}

/// From where to where scores go.
struct Range {
    least: f32,
    /// What brings them to a range of one.
    scale: f32,
}

impl Range {
    fn of(scores: impl Iterator<Item = f32>) -> Self {
        let (least, most) = scores
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(least, most), score| {
                (least.min(score), most.max(score))
            });
        let scale = if most > least { 1.0 / (most - least) } else { 0.0 };
        Range { least, scale }
    }

    fn taken_off(&self, model: &str, scale: f32) -> TasteTerm {
        TasteTerm {
            model: model.to_owned(),
            term: LEAST.to_owned(),
            value: self.least,
            share: -(scale * self.least),
        }
    }
}

/// What each model's terms come to in a hit, in the order of its receipt; search among them.
pub fn by_model(hit: &Hit) -> Vec<(String, f32)> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut sums: Vec<(String, f32)> = Vec::new();
    if !hit.receipt.taste.is_empty() {
        places.insert(SEARCH, 0);
        sums.push((SEARCH.to_owned(), hit.receipt.parts.iter().map(|part| part.share).sum()));
    }
    for term in &hit.receipt.taste {
        let place = *places.entry(&term.model).or_insert_with(|| {
            sums.push((term.model.clone(), 0.0));
            sums.len() - 1
        });
        sums[place].1 += term.share;
    }
    sums
}
