//! The seam by which a model joins: what it takes to be trained, judged, kept and served.
//!
//! - [`Plan`] is implemented by a model's settings: it builds the model before its first epoch, and takes its
//!   [`Insight`] up again from a file.
//! - [`Model`] learns, epoch by epoch, and says what it has come to: [`Learned`].
//! - [`Learned`] holds a vector a user and a vector an item, and an [`Insight`] where there is more to it than
//!   their products.
//!
//! A new model implements the first two in its own file and has a line in [`Recipe::new`](super::Recipe::new);
//! `train`, `evaluate`, `recommend` and `search --rerank` then know it.

use std::collections::BTreeMap;
use std::sync::Arc;

use image::RgbImage;
use serde_json::{Map, Value};

use super::Error;
use super::factors::{Block, Factors};
use super::history::History;
use super::material::Material;
use super::ranker::Ranker;

/// The settings of a model, from which it can be built.
pub trait Plan: std::fmt::Debug + Send + Sync {
    /// The settings by name, as they are kept with the model.
    fn settings(&self) -> Map<String, Value>;

    /// The model before its first epoch, to learn from `history`. Where the material lacks what it looks at,
    /// that is a [`ModelError::Lacks`](super::ModelError::Lacks).
    fn build(
        &self,
        material: &Material<'_>,
        history: &History,
        seed: u64,
    ) -> Result<Box<dyn Model>, Error>;

    /// What [`Insight::state`] told, taken up again. `None` where the model has none, or none that fits
    /// the material as it is now.
    fn insight(
        &self,
        _state: &State,
        _material: &Material<'_>,
    ) -> Result<Option<Arc<dyn Insight>>, Error> {
        Ok(None)
    }

    /// Some of the shop's pictures, and below each what the model draws of it; `None` where it draws nothing.
    fn drawings(&self, _material: &Material<'_>, _seed: u64) -> Result<Option<RgbImage>, Error> {
        Ok(None)
    }
}

/// A model that learns.
///
/// [`Training`](super::Training) drives it, epoch by epoch. Whatever it draws by chance must follow from
/// the seed and the epoch alone, so that a run that was interrupted goes on as if it had not been, and
/// any number of threads comes to the same bits.
pub trait Model: Send {
    /// Learns from every pair of the history once, epochs counted from 0; returns the mean of its loss
    /// (`-ln sigmoid(x_ui - x_uj)` where it is of the BPR family), each example's before it was learned from.
    fn epoch(&mut self, history: &History, seed: u64, epoch: u32) -> Result<f64, Error>;

    /// What it has come to.
    fn learned(&self) -> Result<Learned, Error>;

    /// All that training changes, the optimiser's memory included.
    fn state(&self) -> Result<State, Error>;

    /// Goes back to a state that [`state`](Self::state) gave.
    fn restore(&mut self, state: &State) -> Result<(), Error>;
}

/// What a model has come to: what is judged, kept and served.
#[derive(Clone)]
pub struct Learned {
    /// A vector a user and a vector an item, biases folded in. A score is their product, block by block,
    /// unless the insight has other [`terms`](Insight::terms).
    pub factors: Factors,
    /// What it makes of what it was not trained on; `None` where that is nothing.
    pub insight: Option<Arc<dyn Insight>>,
}

/// What a model makes of items and visitors that it was not trained on, and of scores that are no products.
///
/// What is left as it is means: a new item has no vector; a visitor's is the mean of the liked items' vectors,
/// scaled as the users' vectors were found to stand to theirs; a score's terms are the products of its blocks.
pub trait Insight: Send + Sync {
    /// The arrays from which [`Plan::insight`] builds it again.
    fn state(&self) -> State;

    /// What it goes by of a picture; left as it is, the collection's own vector.
    fn feature(&self, looks: &Looks<'_>) -> Result<Option<Vec<f32>>, Error> {
        Ok(looks.feature.map(<[f32]>::to_vec))
    }

    /// The vector of an item from its looks alone.
    fn item(&self, _looks: &Looks<'_>) -> Result<Option<Vec<f32>>, Error> {
        Ok(None)
    }

    /// The vector of somebody who likes these items and pictures, at least one of them.
    fn visitor(&self, _liked: &[Liked]) -> Result<Option<Vec<f32>>, Error> {
        Ok(None)
    }

    /// What it takes somebody for who likes these items and pictures, in the shop's words; `None` where it has
    /// none.
    fn testimony(&self, _liked: &[Liked]) -> Result<Option<Testimony>, Error> {
        Ok(None)
    }

    /// The terms of a score, one a block, where they are no products.
    fn terms(&self, _visitor: &[f32], _item: &[f32]) -> Option<Vec<f32>> {
        None
    }
}

/// What can be seen of an item.
pub struct Looks<'a> {
    /// The vector of its picture, by the collection's own encoder.
    pub feature: Option<&'a [f32]>,
    /// Decodes its picture.
    pub picture: &'a dyn Fn() -> Result<Option<RgbImage>, Error>,
}

/// An item, or a picture that is no item, that a visitor likes.
#[derive(Debug, Clone, PartialEq)]
pub struct Liked {
    /// Its vector in the model, where it has one.
    pub vector: Option<Vec<f32>>,
    /// What the model goes by of its picture: [`Insight::feature`].
    pub feature: Option<Vec<f32>>,
}

/// What a model takes a visitor for, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Testimony {
    /// The likeliest categories, best first, with their probabilities.
    pub categories: Vec<(String, f32)>,
    /// What each liked item said, in their order; `None` for one without a picture.
    pub liked: Vec<Option<Witness>>,
}

/// What one liked picture said.
#[derive(Debug, Clone, PartialEq)]
pub struct Witness {
    /// What it counted for; all together count for one.
    pub attention: f32,
    /// The categories that it would have named alone, best first, with their probabilities.
    pub categories: Vec<(String, f32)>,
}

impl Learned {
    /// What has no more to it than products.
    pub fn of(factors: Factors) -> Self {
        Learned { factors, insight: None }
    }

    /// Ranks the whole inventory for the users it was trained on.
    pub fn ranker(&self) -> Box<dyn Ranker + '_> {
        let own = |insight: &Arc<dyn Insight>| {
            let first = (!self.factors.users().is_empty() && !self.factors.items().is_empty())
                .then(|| (self.factors.user(0), self.factors.item(0)));
            first.is_some_and(|(user, item)| insight.terms(user, item).is_some())
        };
        match &self.insight {
            Some(insight) if own(insight) => Box::new(OwnTerms { learned: self, insight }),
            _ => Box::new(self.factors.ranker()),
        }
    }
}

/// The terms of a score: the insight's own, or the products of the blocks.
pub(super) fn terms(
    insight: Option<&dyn Insight>,
    blocks: &[Block],
    visitor: &[f32],
    item: &[f32],
) -> Vec<f32> {
    if let Some(own) = insight.and_then(|insight| insight.terms(visitor, item)) {
        return own;
    }
    let product = |block: &Block| {
        let range = block.range.clone();
        visitor[range.clone()].iter().zip(&item[range]).map(|(p, q)| p * q).sum()
    };
    blocks.iter().map(product).collect()
}

/// Scores by terms that are no products, one item after the other.
struct OwnTerms<'a> {
    learned: &'a Learned,
    insight: &'a Arc<dyn Insight>,
}

impl Ranker for OwnTerms<'_> {
    fn score(&self, users: &[u32], scores: &mut [f32]) {
        let factors = &self.learned.factors;
        let items = scores.len() / users.len().max(1);
        for (&user, scores) in users.iter().zip(scores.chunks_mut(items.max(1))) {
            for (item, score) in (0..).zip(scores) {
                let (user, item) = (factors.user(user), factors.item(item));
                *score = terms(Some(&**self.insight), factors.blocks(), user, item).iter().sum();
            }
        }
    }
}

/// Named arrays of numbers.
pub type State = BTreeMap<String, Array>;

/// Numbers in rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Rows and columns, or more.
    pub shape: Vec<usize>,
    /// Row after row.
    pub values: Vec<f32>,
}

impl Array {
    /// So many rows of equal length.
    pub fn rows(rows: usize, values: Vec<f32>) -> Self {
        let columns = values.len().checked_div(rows).unwrap_or(0);
        Array { shape: vec![rows, columns], values }
    }
}

/// Puts a named array back where it came from.
pub fn restore(state: &State, name: &str, values: &mut [f32]) -> Result<(), Error> {
    match state.get(name) {
        Some(array) if array.values.len() == values.len() => {
            values.copy_from_slice(&array.values);
            Ok(())
        }
        _ => Err(Error::Network(format!(
            "the checkpoint has no fitting \"{name}\": it is of a model with other settings"
        ))),
    }
}

/// A count as floats hold it: in two halves, each of which one holds to the last bit.
pub(super) fn halves(count: u32) -> Array {
    Array::rows(1, vec![(count & 0xfff) as f32, (count >> 12) as f32])
}

/// The count that [`halves`] were made of.
pub(super) fn whole(state: &State, name: &str) -> Result<u32, Error> {
    let mut halves = [0.0; 2];
    restore(state, name, &mut halves)?;
    Ok(halves[0] as u32 | (halves[1] as u32) << 12)
}

#[cfg(test)]
mod tests {
    use super::super::factors::Part;
    use super::*;

    /// The nearer, the better.
    struct Distance;

    impl Insight for Distance {
        fn state(&self) -> State {
            State::new()
        }

        fn terms(&self, visitor: &[f32], item: &[f32]) -> Option<Vec<f32>> {
            Some(visitor.iter().zip(item).map(|(p, q)| -(p - q).abs()).collect())
        }
    }

    /// By hand: two users, three items, one component.
    #[test]
    fn a_score_need_not_be_a_product() {
        let parts = [Part { name: "place", width: 1, users: &[1.0, 4.0], items: &[0.0, 2.0, 5.0] }];
        let factors = Factors::new(2, 3, &parts);
        let score = |insight: Option<Arc<dyn Insight>>| {
            let mut scores = [0.0; 6];
            let learned = Learned { factors: factors.clone(), insight };
            learned.ranker().score(&[0, 1], &mut scores);
            scores
        };
        assert_eq!(score(None), [0.0, 2.0, 5.0, 0.0, 8.0, 20.0]);
        assert_eq!(score(Some(Arc::new(Distance))), [-1.0, -1.0, -4.0, -4.0, -2.0, -1.0]);
    }

    #[test]
    fn counts_survive_being_floats() {
        for count in [0, 1, 4095, 4096, 16_777_217, u32::MAX >> 8] {
            let state = State::from([("n".to_owned(), halves(count))]);
            assert_eq!(whole(&state, "n").unwrap(), count);
        }
        assert!(whole(&State::new(), "n").is_err());
    }
}
