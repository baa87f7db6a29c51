//! The best `k` of a stream of candidates, in whichever order they come.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::neighbours::{Candidate, SearchOptions};

/// Keeps the best `k`. Since the order is total, what is kept does not depend on who came first, and
/// merging the best of the parts gives the best of the whole.
#[derive(Debug)]
pub(crate) struct Top {
    k: usize,
    /// What a candidate must reach to be of interest at all.
    floor: f32,
    /// The worst of the kept on top, to be replaced.
    kept: BinaryHeap<WorstFirst>,
}

/// A candidate that is greater the worse it is.
#[derive(Debug)]
pub(crate) struct WorstFirst(pub(crate) Candidate);

impl Top {
    pub(crate) fn new(k: usize, options: &SearchOptions) -> Self {
        // A threshold that is no number is reached by none.
        let floor = options.at_least.unwrap_or(f32::NEG_INFINITY);
        let k = if floor.is_nan() { 0 } else { k };
        Top { k, floor, kept: BinaryHeap::new() }
    }

    /// Whether a candidate with this similarity could be kept: cheap, for the many that cannot.
    #[inline]
    pub(crate) fn may_keep(&self, similarity: f32) -> bool {
        similarity >= self.floor
    }

    /// The similarity of the worst of the kept, once there are `k`.
    #[inline]
    pub(crate) fn worst(&self) -> Option<f32> {
        match self.kept.len() < self.k {
            true => None,
            false => self.kept.peek().map(|worst| worst.0.similarity),
        }
    }

    /// Keeps the candidate if it is among the best so far.
    pub(crate) fn offer(&mut self, candidate: Candidate) {
        if self.k == 0 || !self.may_keep(candidate.similarity) {
            return;
        }
        if self.kept.len() < self.k {
            self.kept.push(WorstFirst(candidate));
        } else if let Some(mut worst) = self.kept.peek_mut()
            && candidate.rank(&worst.0) == Ordering::Less
        {
            *worst = WorstFirst(candidate);
        }
        // Full: from now on, less than the worst of the kept is of no interest. Equal is, for its id.
        if self.kept.len() == self.k
            && let Some(worst) = self.kept.peek()
        {
            self.floor = worst.0.similarity;
        }
    }

    /// The best of both.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        for WorstFirst(candidate) in other.kept {
            self.offer(candidate);
        }
        self
    }

    /// Best first.
    pub(crate) fn into_candidates(self) -> Vec<Candidate> {
        self.kept.into_sorted_vec().into_iter().map(|WorstFirst(candidate)| candidate).collect()
    }
}

impl Ord for WorstFirst {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.rank(&other.0)
    }
}

impl PartialOrd for WorstFirst {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for WorstFirst {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for WorstFirst {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidates(similarities: &[u8]) -> Vec<Candidate> {
        // Few distinct similarities, so that there are ties.
        let similarity = |s: u8| f32::from(s % 5) / 4.0 - 0.5;
        let row = |(row, &s): (usize, &u8)| Candidate {
            row: row as u32,
            id: row as u32 * 3,
            similarity: similarity(s),
        };
        similarities.iter().enumerate().map(row).collect()
    }

    proptest! {
        #[test]
        fn is_the_head_of_the_sorted_whole_however_it_is_split(
            similarities: Vec<u8>, k in 0usize..30, cut: prop::sample::Index, at_least: Option<i8>,
        ) {
            let at_least = at_least.map(|a| f32::from(a) / 128.0);
            let options = SearchOptions { at_least, ..SearchOptions::default() };
            let all = candidates(&similarities);
            let (left, right) = all.split_at(cut.index(all.len() + 1));
            let keep = |some: &[Candidate]| {
                let mut top = Top::new(k, &options);
                some.iter().for_each(|&candidate| top.offer(candidate));
                top
            };
            let merged = keep(right).merge(keep(left)).into_candidates();

            let mut sorted = all.clone();
            sorted.retain(|c| options.at_least.is_none_or(|least| c.similarity >= least));
            sorted.sort_by(|a, b| b.similarity.partial_cmp(&a.similarity).unwrap().then(a.id.cmp(&b.id)));
            sorted.truncate(k);
            prop_assert_eq!(merged, sorted);
        }
    }

    #[test]
    fn nothing_reaches_a_threshold_that_is_no_number() {
        let mut top = Top::new(3, &SearchOptions::default().at_least(f32::NAN));
        top.offer(candidates(&[4])[0]);
        assert!(top.into_candidates().is_empty());
    }
}
