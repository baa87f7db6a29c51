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
    /// Of items by ascending number; `most` is what no score exceeds.
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

    /// The BM25 of an item, if it has one of the words.
    pub(crate) fn bm25(&self, id: u32) -> Option<f32> {
        self.ids.binary_search(&id).ok().map(|place| self.scores[place])
    }

    /// The same as a part of the most that any text could have: between 0 and 1.
    pub(crate) fn value(&self, id: u32) -> Option<f32> {
        self.bm25(id).map(|score| score / self.most)
    }

    /// That of every item, in the order of [`ids`](Self::ids).
    pub(crate) fn values(&self) -> impl Iterator<Item = f32> {
        self.scores.iter().map(|score| score / self.most)
    }
}
