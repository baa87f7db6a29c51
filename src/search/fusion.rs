//! Fusion: an item's values in every part of the query, weighted and summed.
//!
//! With unit vectors `sum w_p cos(q_p, x)` is one inner product of the weighted, concatenated vectors,
//! so any weights can be served from vectors that are stored once. **An item that has nothing of a
//! modality scores 0 there**: as if its vector were at right angles to the query. It is neither thrown
//! out, for it may answer well in what it has, nor lifted by leaving the part out of the sum, for a
//! similarity that nobody measured must not count in its favour. An item that has none of the query's
//! modalities is no answer.
//!
//! Two ways of weighing are summed here: values themselves ([`Column`]), and the reciprocals of ranks
//! (`ranks`).

use serde::Serialize;

use super::best::{Best, Scored};
use super::column::Column;
use super::hit::{Part, Receipt};

/// What of each part of a query is summed into the score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(tag = "mode", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Fusion {
    /// `sum w_p * value_p`, where the value is the cosine, or for words the part of the most that BM25 can
    /// give.
    #[default]
    Sum,
    /// `sum w_p / (k + rank_p)`: reciprocal rank fusion, which asks for the order alone and so needs no
    /// values that can be compared. Under a negative weight it takes from those that are most like the
    /// term.
    Rrf {
        /// How little the first places differ; 60 in most of the literature.
        k: u32,
        /// A rank farther back than this counts as none.
        depth: usize,
    },
}

impl Fusion {
    /// Reciprocal rank fusion with this constant, over the first thousand of each part.
    pub fn rrf(k: u32) -> Self {
        Fusion::Rrf { k, depth: 1000 }
    }
}

/// An item's number, its score and how that came about.
pub(super) struct Fused {
    pub(super) id: u32,
    pub(super) score: f32,
    pub(super) receipt: Receipt,
}

/// What one part of a query contributes to the scores of items.
pub(super) trait Shares {
    /// To how many.
    fn len(&self) -> usize;
    /// Each item's number and share, by ascending number.
    fn for_each(&self, take: impl FnMut(Scored));
}

/// The `top` best of the compared items that are not `excluded`, best first, equal scores by ascending
/// number.
pub(super) fn fuse(columns: &[Column], top: usize, excluded: &[u32]) -> Vec<Fused> {
    let ranked = best(columns, top, excluded);
    let ids: Vec<u32> = ranked.iter().map(|&(id, _)| id).collect();
    with_receipts(ranked, &columns.iter().map(|column| column.parts_for(&ids)).collect::<Vec<_>>())
}

/// Scored items with their receipts, of which `parts` has the items' parts, one list a part of the query.
pub(super) fn with_receipts(ranked: Vec<Scored>, parts: &[Vec<Part>]) -> Vec<Fused> {
    let fused = ranked.into_iter().enumerate().map(|(place, (id, score))| {
        let parts = parts.iter().map(|parts| parts[place].clone()).collect();
        Fused { id, score, receipt: Receipt { parts, taste: Vec::new() } }
    });
    fused.collect()
}

/// The best sums of shares.
pub(super) fn best<S: Shares>(parts: &[S], top: usize, excluded: &[u32]) -> Vec<Scored> {
    let mut best = Best::new(top);
    match parts {
        // What is added makes a negative zero a plain one, as it is among several parts.
        [only] => only.for_each(|(id, share)| best.offer((id, 0.0 + share), excluded)),
        several => sums(several).into_iter().for_each(|item| best.offer(item, excluded)),
    }
    best.into_sorted()
}

/// The score of every item that has at least one of the parts' modalities, by ascending number.
///
/// Sums run in the order of the parts, so that a receipt's shares, added up in that order, are the score
/// to the bit.
fn sums<S: Shares>(parts: &[S]) -> Vec<Scored> {
    let mut sums: Vec<Scored> = Vec::new();
    for part in parts {
        // Both sides ascend by id: adding a part is a merge.
        let mut merged = Vec::with_capacity(sums.len().max(part.len()));
        let mut rest = sums.into_iter().peekable();
        part.for_each(|(id, share)| {
            while let Some(before) = rest.next_if(|&(other, _)| other < id) {
                merged.push(before);
            }
            let so_far = rest.next_if(|&(other, _)| other == id).map_or(0.0, |(_, sum)| sum);
            merged.push((id, so_far + share));
        });
        merged.extend(rest);
        sums = merged;
    }
    sums
}
