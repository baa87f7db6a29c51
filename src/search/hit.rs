//! What is answered: hits, each with a receipt that adds up to its score.

use serde::Serialize;

use super::aspect::Aspect;
use super::facet::Facet;
use super::fusion::Fusion;
use super::group::Group;
use super::plan::Plan;
use crate::collection::StoredItem;

/// The answer to a query.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Hits {
    /// Best first; equal scores by ascending item number.
    pub hits: Vec<Hit>,
    /// How many hits were left out before these.
    pub offset: usize,
    /// Whether these are certainly the best that there are.
    pub exact: bool,
    /// How many vectors, or texts that have one of the words, were compared with the query, over all of
    /// its parts.
    pub looked_at: usize,
    /// How the parts were fused.
    pub fusion: Fusion,
    /// How they were found.
    pub plan: Plan,
    /// The fields that were to be counted, in the query's order.
    pub facets: Vec<Facet>,
}

/// The answer of one aspect alone.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Ranking {
    /// What was compared.
    pub aspect: Aspect,
    /// The answer, scored by the terms that ask for this aspect.
    pub answer: Hits,
}

/// An item that answers the query.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Hit {
    /// The collection's number for it.
    pub id: u32,
    /// How well it answers, from -1 to 1; 0 in a list, which answers nothing. Reciprocal ranks give small
    /// numbers: the best is `1 / (k + 1)`.
    pub score: f32,
    /// How the score came about.
    pub receipt: Receipt,
    /// The items that it stands for, where hits are grouped and it has a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// The item.
    pub item: StoredItem,
}

/// What each part of the query contributed to a score: the shares add up to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Receipt {
    /// In the query's order.
    pub parts: Vec<Part>,
    /// What search and learned models gave, where hits were put into the order of a taste; empty elsewhere. The
    /// parts' shares are then as the blend left them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub taste: Vec<TasteTerm>,
}

impl Receipt {
    /// The shares, added up in their order: the score, to the bit.
    pub fn total(&self) -> f32 {
        let parts = self.parts.iter().map(|part| part.share);
        parts.chain(self.taste.iter().map(|term| term.share)).fold(0.0, |sum, share| sum + share)
    }
}

/// A line of a receipt that a learned model wrote.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TasteTerm {
    /// The model; `search` for what is taken off what search found.
    pub model: String,
    /// What of the model.
    pub term: String,
    /// Its value.
    pub value: f32,
    /// What it adds to the score.
    pub share: f32,
}

/// One term of the query, seen in one aspect.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Part {
    /// The term, as a person would name it.
    pub term: String,
    /// What was compared: the vectors of a modality, or the words.
    pub modality: Aspect,
    /// What it counts for; the weights' absolute values add up to 1. Negative for what the item is to be
    /// unlike.
    pub weight: f32,
    /// How similar the item is to the term; `None` where the item has nothing of this modality, and for
    /// words.
    pub cosine: Option<f32>,
    /// How well the item's words match; `None` where it has none of them, and for vectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bm25: Option<Bm25>,
    /// The item's place among those that match if this part alone decided, from 1; `None` where it has none,
    /// or where it lies farther back than an approximate search looked, or where that asked for several
    /// terms of one modality at once. When ranks are fused: its place among those most like the term.
    pub rank: Option<u32>,
    /// What it adds to the score: `weight * cosine`, or `weight * bm25.normalised`, or when ranks are
    /// fused `weight / (k + rank)`; and 0 where there is none.
    pub share: f32,
}

impl Part {
    /// How well the item answers this part, in whatever way it was compared; `None` where it has nothing
    /// to compare.
    pub fn value(&self) -> Option<f32> {
        self.cosine.or(self.bm25.map(|words| words.normalised))
    }
}

/// How well an item's words match.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bm25 {
    /// The BM25 score as it is.
    pub score: f32,
    /// The same as a part of the most that any text could score for these words: from 0 to 1, and .45 for
    /// a text of average length that has each of them once.
    pub normalised: f32,
}
