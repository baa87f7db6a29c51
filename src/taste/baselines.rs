//! What a trained model must beat: chance, popularity, and VisRank, which looks at pictures and learns
//! nothing.

use super::chance::Chance;
use super::features::Features;
use super::history::History;
use super::ranker::Ranker;
use crate::encode::kernels::{Isa, Panels, Rows, multiply};

/// Every item for every user as chance has it.
pub struct Random {
    /// Where chance starts from.
    pub seed: u64,
}

impl Ranker for Random {
    fn score(&self, users: &[u32], scores: &mut [f32]) {
        let items = scores.len() / users.len().max(1);
        for (&user, scores) in users.iter().zip(scores.chunks_mut(items.max(1))) {
            let mut chance = Chance::new(self.seed, "random", u64::from(user));
            scores.iter_mut().for_each(|score| *score = chance.unit());
        }
    }
}

/// What most users took comes first, whoever asks.
pub struct Popularity {
    counts: Vec<f32>,
}

impl Popularity {
    /// Counts the takers of each item.
    pub fn new(history: &History) -> Self {
        Popularity { counts: history.counts().into_iter().map(|count| count as f32).collect() }
    }
}

impl Ranker for Popularity {
    fn score(&self, _: &[u32], scores: &mut [f32]) {
        scores
            .chunks_mut(self.counts.len().max(1))
            .for_each(|row| row.copy_from_slice(&self.counts));
    }
}

/// VisRank: an item is worth its best cosine to anything that the user took,
/// `x_ui = max over k in I_u of f_k . f_i`.
pub struct VisRank<'a> {
    history: &'a History,
    features: &'a Features,
    panels: Panels,
}

impl<'a> VisRank<'a> {
    /// Compares by these features, which are unit vectors.
    pub fn new(history: &'a History, features: &'a Features) -> Self {
        let mut panels = Panels::default();
        let dimension = features.dimension();
        let items = Rows::new(features.values(), dimension, features.len(), dimension);
        panels.set_transposed(items);
        VisRank { history, features, panels }
    }
}

impl Ranker for VisRank<'_> {
    fn score(&self, users: &[u32], scores: &mut [f32]) {
        let (items, dimension) = (self.features.len(), self.features.dimension());
        for (&user, scores) in users.iter().zip(scores.chunks_mut(items.max(1))) {
            scores.fill(-1.0);
            // Some at a time, whatever the user's appetite.
            for taken in self.history.of(user).chunks(32) {
                let rows: Vec<f32> =
                    taken.iter().flat_map(|&item| self.features.row(item)).copied().collect();
                let mut cosines = vec![0.0; taken.len() * items];
                let rows = Rows::new(&rows, dimension, taken.len(), dimension);
                multiply(Isa::best(), rows, &self.panels, &mut cosines, items);
                for cosines in cosines.chunks(items) {
                    scores
                        .iter_mut()
                        .zip(cosines)
                        .for_each(|(best, &cosine)| *best = best.max(cosine));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn popularity_counts_takers() {
        let history = History::new(3, 3, [(0, 2), (1, 2), (2, 0)]);
        let mut scores = [0.0; 6];
        Popularity::new(&history).score(&[0, 1], &mut scores);
        assert_eq!(scores, [1.0, 0.0, 2.0, 1.0, 0.0, 2.0]);
    }

    /// By hand: the user took (1,0) and (0,1); each item is worth its nearer one.
    #[test]
    fn visrank_takes_the_best_cosine() {
        let features = Features::new(vec![1.0, 0.0, 0.0, 1.0, 0.6, 0.8, -1.0, 0.0], 2);
        let history = History::new(2, 4, [(0, 0), (0, 1)]);
        let mut scores = [9.0; 8];
        VisRank::new(&history, &features).score(&[0, 1], &mut scores);
        assert_eq!(scores, [1.0, 1.0, 0.8, 0.0, -1.0, -1.0, -1.0, -1.0]);
    }

    #[test]
    fn chance_repeats_itself_and_differs_between_users() {
        let score = |seed, users: &[u32]| {
            let mut scores = vec![0.0; users.len() * 5];
            Random { seed }.score(users, &mut scores);
            scores
        };
        let both = score(1, &[3, 4]);
        assert_eq!(both[5..], score(1, &[4]));
        assert_ne!(both[..5], both[5..]);
        assert_ne!(both, score(2, &[3, 4]));
    }
}
