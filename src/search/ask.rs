//! The parts of one aspect, asked as one question.
//!
//! `sum w_t cos(q_t, x) = (sum w_t q_t) . x`: however many terms a query has in a modality, one vector asks
//! for all of them, the negative ones too, and one walk through the graph answers. Which term
//! contributed what is worked out afterwards, for the few that are shown.

use lookalike_index::{Neighbours, QueryError, SearchOptions, Shelf};

use super::best::Scored;
use super::column::{QueryPart, Source};

/// A graph's proposal costs as much as scanning so many rows: the walk looks at several rows for each one
/// that it keeps, and at none of them in order.
const SCANNED_PER_PROPOSAL: usize = 16;

/// One question to one aspect.
pub(super) struct Ask<'a> {
    whom: Whom<'a>,
    /// What a similarity to the question counts for.
    scale: f32,
    /// Whether it asks for what is like something, and not only unlike.
    positive: bool,
}

enum Whom<'a> {
    Vectors {
        asked: Vec<f32>,
        vectors: &'a Shelf,
    },
    /// Every item that has any of the words, best first.
    Words(Vec<Scored>),
}

/// The items most like a question, best first.
pub(super) struct Proposals {
    pub(super) ids: Vec<u32>,
    /// The best that an item can contribute which is not among them.
    pub(super) bound: f32,
    pub(super) exact: bool,
    pub(super) looked_at: usize,
}

impl<'a> Ask<'a> {
    /// One question for each aspect that the parts have.
    pub(super) fn of(parts: &'a [QueryPart<'a>]) -> Vec<Self> {
        let mut aspects: Vec<_> = parts.iter().map(|part| part.aspect).collect();
        aspects.sort_unstable();
        aspects.dedup();
        let asks = aspects.into_iter().filter_map(|aspect| {
            let same: Vec<&QueryPart> = parts.iter().filter(|part| part.aspect == aspect).collect();
            Ask::together(&same)
        });
        asks.collect()
    }

    /// The question of one part alone.
    pub(super) fn alone(part: &'a QueryPart<'a>) -> Self {
        let whom = match &part.source {
            Source::Vectors { asked, vectors } => Whom::Vectors { asked: asked.to_vec(), vectors },
            Source::Words(matches) => {
                let ids = matches.ids().iter().copied();
                Whom::Words(best_first(ids.zip(matches.values()).collect()))
            }
        };
        Ask { whom, scale: part.weight, positive: part.weight > 0.0 }
    }

    fn together(parts: &[&'a QueryPart<'a>]) -> Option<Self> {
        let (first, rest) = parts.split_first()?;
        if rest.is_empty() {
            return Some(Ask::alone(first));
        }
        let whom = match &first.source {
            Source::Vectors { vectors, .. } => {
                Whom::Vectors { asked: weighted_sum(parts), vectors }
            }
            Source::Words(_) => Whom::Words(best_first(weighted_words(parts))),
        };
        let positive = parts.iter().map(|part| part.weight).sum::<f32>() > 0.0;
        Some(Ask { whom, scale: 1.0, positive })
    }

    /// Whether the most similar can be told without looking at everything. Graphs are made for questions
    /// that are like what they hold: to what is only *unlike* something, they know no way.
    pub(super) fn can_propose(&self) -> bool {
        match &self.whom {
            Whom::Vectors { vectors, .. } => self.positive && vectors.has_graph(),
            Whom::Words(_) => true,
        }
    }

    /// Whether so many proposals cost less than looking at everything.
    pub(super) fn is_cheap(&self, depth: usize) -> bool {
        match &self.whom {
            Whom::Vectors { vectors, .. } => {
                depth.saturating_mul(SCANNED_PER_PROPOSAL) < vectors.len()
            }
            Whom::Words(_) => true,
        }
    }

    /// The `depth` most similar.
    pub(super) fn propose(
        &self,
        depth: usize,
        options: &SearchOptions,
    ) -> Result<Proposals, QueryError> {
        match &self.whom {
            Whom::Vectors { asked, vectors } => {
                let answer = vectors.search(asked, depth, options)?;
                let ids: Vec<u32> = answer.candidates.iter().map(|found| found.id).collect();
                let worst = answer.candidates.last().map_or(0.0, |found| found.similarity);
                let bound = self.bound(ids.len() < depth, worst);
                Ok(Proposals { ids, bound, exact: answer.exact, looked_at: answer.looked_at })
            }
            Whom::Words(found) => {
                let within = options.within.as_deref();
                let found =
                    found.iter().filter(|(id, _)| within.is_none_or(|ids| ids.contains(*id)));
                let found: Vec<&Scored> = found.take(depth).collect();
                let worst = found.last().map_or(0.0, |&&(_, value)| value);
                let ids: Vec<u32> = found.iter().map(|&&(id, _)| id).collect();
                let (bound, looked_at) = (self.bound(ids.len() < depth, worst), ids.len());
                Ok(Proposals { ids, bound, exact: true, looked_at })
            }
        }
    }

    /// What is not proposed may lack the aspect, which counts as 0 and can be better than the worst
    /// proposal.
    fn bound(&self, all: bool, worst: f32) -> f32 {
        if all { 0.0 } else { (self.scale * worst).max(0.0) }
    }
}

fn weighted_sum(parts: &[&QueryPart]) -> Vec<f32> {
    let mut sum: Vec<f32> = Vec::new();
    for part in parts {
        let Source::Vectors { asked, .. } = &part.source else { continue };
        sum.resize(asked.len(), 0.0);
        sum.iter_mut().zip(asked.iter()).for_each(|(sum, value)| *sum += part.weight * value);
    }
    sum
}

fn weighted_words(parts: &[&QueryPart]) -> Vec<Scored> {
    let mut shares: Vec<Scored> = Vec::new();
    for part in parts {
        let Source::Words(matches) = &part.source else { continue };
        let values = matches.values().map(|value| part.weight * value);
        shares.extend(matches.ids().iter().copied().zip(values));
    }
    // Stable, so that what an item has from several parts is added up in their order.
    shares.sort_by_key(|&(id, _)| id);
    shares.chunk_by(|a, b| a.0 == b.0).map(|of| (of[0].0, of.iter().map(|s| s.1).sum())).collect()
}

fn best_first(mut found: Vec<Scored>) -> Vec<Scored> {
    found.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    found
}
