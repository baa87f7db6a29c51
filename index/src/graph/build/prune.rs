//! Chooses few links out of many: near ones, but not all in one direction.

use std::cmp::Ordering;

use super::bytes::Bytes;
use crate::kernels::Kernels;

/// How much nearer than the row itself a kept link must be to hide a candidate, as a factor of the
/// squared distance. 100,000 x 768, walks of breadth 64 with links chosen out of 128: recall .9923 at 1.2,
/// .9953 at 1.0, .884 at 1.44. Out of 200, breadth 48: .9945 at 1.0, .9965 at 1.1.
const ALPHA: f32 = 1.1;

/// By how much the similarity of equal vectors may differ from one, for their codes' rounding.
const ROUNDING: f32 = 1e-3;

/// A row and how similar it is to the one in question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Near {
    pub(super) similarity: f32,
    pub(super) row: u32,
}

impl Near {
    /// Best first, ties by row.
    #[inline]
    pub(super) fn order(&self, other: &Self) -> Ordering {
        other.similarity.total_cmp(&self.similarity).then(self.row.cmp(&other.row))
    }
}

/// One thread's room to prune.
pub(super) struct Pruner<'a> {
    bytes: &'a Bytes,
    kernels: Kernels,
    similarities: Vec<f32>,
}

impl<'a> Pruner<'a> {
    pub(super) fn new(bytes: &'a Bytes) -> Self {
        Pruner { bytes, kernels: Kernels::best(), similarities: Vec::new() }
    }

    /// The best links of a row out of these.
    pub(super) fn prune_list(&mut self, row: u32, list: &[u32], degree: usize) -> Vec<u32> {
        self.bytes.similarities(self.kernels, row, list, &mut self.similarities);
        let near = |(&row, &similarity): (&u32, &f32)| Near { similarity, row };
        let mut near: Vec<Near> = list.iter().zip(&self.similarities).map(near).collect();
        near.sort_unstable_by(Near::order);
        self.prune(&near, degree)
    }

    /// Keeps a candidate unless one already kept is nearer to it than the row itself is. Places that stay
    /// free go to the nearest of the others: they cost nothing, being estimated with the rest.
    pub(super) fn prune(&mut self, near: &[Near], degree: usize) -> Vec<u32> {
        let mut kept: Vec<u32> = Vec::with_capacity(degree);
        let mut hidden: Vec<u32> = Vec::new();
        for candidate in near {
            if kept.len() == degree {
                break;
            }
            // The squared distance of unit vectors is 2 - 2 s. Equal vectors are equally near, and must hide
            // each other, or else they would link to nothing else.
            let far = 1.0 - candidate.similarity;
            let hides = |&other: &u32| {
                let between = 1.0 - self.bytes.similarity(self.kernels, other, candidate.row);
                (between - ROUNDING) * ALPHA <= far
            };
            if kept.iter().any(hides) {
                hidden.push(candidate.row);
            } else {
                kept.push(candidate.row);
            }
        }
        let free = degree - kept.len();
        kept.extend(hidden.into_iter().take(free));
        kept
    }
}
