//! What was found by words: items and their scores.

use super::Error;

/// The items that have one of the words, by ascending number, and how well each matches.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Matches {
    ids: Vec<u32>,
    scores: Vec<f32>,
    most: f32,
}

impl Matches {
    pub(super) fn new(scored: Vec<(u32, f32)>, most: f32) -> Result<Self, Error> {
        if scored.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(Error::damaged("an item has two texts"));
        }
        let (ids, scores) = scored.into_iter().unzip();
        Ok(Matches { ids, scores, most })
    }

    /// The items, ascending.
    pub(crate) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Their BM25, in the same order.
    pub(crate) fn bm25(&self) -> &[f32] {
        &self.scores
    }

    /// The most that any text could have scored for these words.
    pub(crate) fn most(&self) -> f32 {
        self.most
    }
}
