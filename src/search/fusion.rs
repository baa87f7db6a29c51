//! Fusion: an item's cosines in every part of the query, weighted and summed.
//!
//! With unit vectors `sum w_p cos(q_p, x)` is one inner product of the weighted, concatenated vectors,
//! so any weights can be served from vectors that are stored once. **An item that has nothing of a
//! modality scores 0 there**: as if its vector were at right angles to the query. It is neither thrown
//! out, for it may answer well in what it has, nor lifted by leaving the part out of the sum, for a
//! similarity that nobody measured must not count in its favour. An item that has none of the query's
//! modalities is no answer.

use super::best::{Best, Scored};
use super::column::Column;
use super::hit::{Part, Receipt};

/// An item's number, its score and how that came about.
pub(super) struct Fused {
    pub(super) id: u32,
    pub(super) score: f32,
    pub(super) receipt: Receipt,
}

/// The `top` best of the compared items that are not `excluded`, best first, equal scores by ascending
/// number.
pub(super) fn fuse(columns: &[Column], top: usize, excluded: &[u32]) -> Vec<Fused> {
    let mut best = Best::new(top);
    match columns {
        // What is added makes a negative zero a plain one, as it is among several parts.
        [only] => only.for_each_share(|(id, share)| best.offer((id, 0.0 + share), excluded)),
        several => sums(several).into_iter().for_each(|item| best.offer(item, excluded)),
    }
    let ranked = best.into_sorted();
    let ids: Vec<u32> = ranked.iter().map(|&(id, _)| id).collect();
    let receipts: Vec<Vec<Part>> = columns.iter().map(|column| column.parts_for(&ids)).collect();
    let fused = ranked.into_iter().enumerate().map(|(place, (id, score))| {
        let parts = receipts.iter().map(|parts| parts[place].clone()).collect();
        Fused { id, score, receipt: Receipt { parts } }
    });
    fused.collect()
}

/// The score of every item that has at least one of the parts' modalities, by ascending number.
///
/// Sums run in the order of the parts, so that a receipt's shares, added up in that order, are the score
/// to the bit.
fn sums(columns: &[Column]) -> Vec<Scored> {
    let mut sums: Vec<Scored> = Vec::new();
    for column in columns {
        // Both sides ascend by id: adding a column is a merge.
        let mut merged = Vec::with_capacity(sums.len().max(column.len()));
        let mut rest = sums.into_iter().peekable();
        column.for_each_share(|(id, share)| {
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
