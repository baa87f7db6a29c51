//! A shopper as a set of pictures: `p = σ(head(Σ a_m x_m))`, the probability that a category is theirs.
//!
//! Flowing in: the sets of what users took, the pictures' features, the items' categories. Flowing out:
//! for any set of pictures, of somebody known or not, the probability of every category.
//!
//! Minimises, batch by batch with Adam, the mean of `-36 y ln p - (1 - y) ln (1 - p)`, where `y` is 1 for
//! the user's categories: those that any item of the set is in. `network` has the four ways in which pictures
//! become one, `attend` the attention block, `loss` the loss.

mod attend;
mod categories;
mod loss;
mod measure;
mod network;
mod plan;
mod study;
#[cfg(test)]
mod tests;
mod tuning;

use std::sync::Arc;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

pub use attend::{Stretches, attend, attention};
pub use categories::Categories;
pub use loss::weighted_cross_entropy;
pub use measure::{Curve, PLACES, Place, curves, measure};
pub use network::{Aggregator, Extent, Pooled, Variant};
pub use study::{Studied, study};
pub use tuning::TuningSettings;

use super::Error;
use super::chance::Chance;
use super::error::failed;
use super::features::Features;
use super::frozen::Eye;
use super::history::History;
use super::material::Material;
use super::model::{State, halves, whole};
use super::net::{Adam, AdamSettings, Pass, backward};

/// What can be chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AggregationSettings {
    /// How pictures become one.
    pub pooling: Variant,
    /// Values of the hidden layer.
    pub hidden: usize,
    /// The share of hidden values that dropout drops.
    pub dropout: f32,
    /// What a category that is there weighs, where one that is not weighs 1.
    pub weight: f32,
    /// Sets a step.
    pub batch: usize,
    /// Adam's step size. The document has .001; planted shoppers take twice as many epochs with it.
    pub rate: f32,
    /// Of larger sets, so many pictures are drawn anew each epoch.
    pub most: usize,
    /// The columns of the catalogue that say which categories items are in, with `+` between them; empty
    /// for a usual one.
    pub columns: String,
    /// Where chance starts from.
    pub seed: u64,
    /// How the extractor of features is fine-tuned first.
    #[serde(flatten)]
    pub tuning: TuningSettings,
}

impl Default for AggregationSettings {
    fn default() -> Self {
        AggregationSettings {
            pooling: Variant::Gated,
            hidden: 2048,
            dropout: 0.5,
            weight: 36.0,
            batch: 64,
            rate: 3e-3,
            most: 40,
            columns: String::new(),
            seed: 1,
            tuning: TuningSettings::default(),
        }
    }
}

impl AggregationSettings {
    /// The usual settings of a variant.
    pub fn of(pooling: Variant) -> Self {
        AggregationSettings { pooling, ..AggregationSettings::default() }
    }
}

/// Sets that go through the network at once when nothing is learned.
const TOGETHER: usize = 256;

/// The model, as it is trained.
pub struct Aggregation {
    settings: AggregationSettings,
    features: Arc<Features>,
    categories: usize,
    network: Aggregator,
    adam: Adam,
}

/// What a model looks at, and who makes it of new pictures.
struct Sight {
    features: Arc<Features>,
    /// `None` where it is the collection's own encoder.
    eye: Option<Arc<dyn Eye>>,
}

impl AggregationSettings {
    /// What it looks at; `items` are those whose pictures an extractor may learn from.
    fn sight(
        &self,
        material: &Material<'_>,
        categories: &Categories,
        items: &[u32],
    ) -> Result<Sight, Error> {
        if !self.tuning.is_asked() {
            let features = Arc::clone(material.needed_features(self.pooling.model())?);
            return Ok(Sight { features, eye: None });
        }
        let tuned = self.tuned(material, categories, items)?;
        Ok(Sight { features: Arc::clone(&tuned.features), eye: Some(Arc::clone(&tuned.eye)) })
    }
}

impl Aggregation {
    /// A model that has seen nothing yet. Features have length one, or are zeros where there is no
    /// picture.
    pub fn new(
        features: Arc<Features>,
        categories: usize,
        settings: AggregationSettings,
    ) -> Result<Self, Error> {
        let extent = Extent {
            features: features.dimension(),
            hidden: settings.hidden,
            categories,
            dropout: settings.dropout,
        };
        let network = Aggregator::new(settings.pooling, extent, settings.seed).map_err(failed)?;
        let steps = AdamSettings { rate: settings.rate, ..AdamSettings::default() };
        let adam = Adam::new(network.parameters().iter(), steps);
        Ok(Aggregation { settings, features, categories, network, adam })
    }

    /// What it was built with.
    pub fn chosen(&self) -> &AggregationSettings {
        &self.settings
    }

    /// The network, as far as it has learned.
    pub fn network(&self) -> &Aggregator {
        &self.network
    }

    /// What it looks at.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The pictures of some sets, one after the other, and the sets' stretches of them.
    fn gather(&self, sets: &[Vec<u32>]) -> candle_core::Result<(Tensor, Stretches)> {
        let mut rows: Vec<f32> = Vec::new();
        let lengths: Vec<usize> = sets
            .iter()
            .map(|set| {
                let before = rows.len();
                let pictures = set.iter().map(|&item| self.features.row(item));
                pictures.filter(|row| row.iter().any(|&x| x != 0.0)).for_each(|r| rows.extend(r));
                (rows.len() - before) / self.features.dimension()
            })
            .collect();
        let dimension = self.features.dimension();
        let shape = (rows.len() / dimension, dimension);
        Ok((Tensor::from_vec(rows, shape, &Device::Cpu)?, Stretches::of(lengths)))
    }

    /// 1 for each category that is there.
    fn ones(&self, labels: &History, users: &[u32]) -> candle_core::Result<Tensor> {
        let width = self.categories;
        let mut ones = vec![0f32; users.len() * width];
        for (ones, &user) in ones.chunks_mut(width.max(1)).zip(users) {
            labels.of(user).iter().for_each(|&category| ones[category as usize] = 1.0);
        }
        Tensor::from_vec(ones, (users.len(), width), &Device::Cpu)
    }

    /// One step on some sets; returns the mean loss as it was before.
    fn step(
        &mut self,
        sets: &[Vec<u32>],
        ones: &Tensor,
        chance: &mut Chance,
    ) -> candle_core::Result<f32> {
        let (pictures, stretches) = self.gather(sets)?;
        let logits = self.network.forward(&pictures, &stretches, Pass::Train(chance))?;
        let loss = weighted_cross_entropy(&logits, ones, self.settings.weight)?.mean_all()?;
        self.adam.step(&mut backward(&loss)?)?;
        loss.to_scalar()
    }

    /// Learns from the set of every user once, `labels` being the users' categories
    /// ([`Categories::of_sets`]); returns the mean loss over the batches, each before it was learned from.
    pub fn learn(
        &mut self,
        sets: &History,
        labels: &History,
        seed: u64,
        epoch: u32,
    ) -> Result<f64, Error> {
        let mut users: Vec<u32> =
            (0..sets.users() as u32).filter(|&user| !sets.of(user).is_empty()).collect();
        Chance::new(seed, "sets", epoch.into()).shuffle(&mut users);
        let mut loss = 0.0;
        let batch = self.settings.batch.max(1);
        for (number, users) in (0u64..).zip(users.chunks(batch)) {
            let stream = |user: u32| u64::from(epoch) << 32 | u64::from(user);
            let drawn = |&user: &u32| {
                let mut set = sets.of(user).to_vec();
                if set.len() > self.settings.most {
                    Chance::new(seed, "pictures of a set", stream(user)).shuffle(&mut set);
                    set.truncate(self.settings.most);
                }
                set
            };
            let some: Vec<Vec<u32>> = users.iter().map(drawn).collect();
            let masks = &mut Chance::new(seed, "dropout", u64::from(epoch) << 32 | number);
            let ones = self.ones(labels, users).map_err(failed)?;
            loss += f64::from(self.step(&some, &ones, masks).map_err(failed)?);
        }
        Ok(loss / users.len().div_ceil(batch).max(1) as f64)
    }

    /// The probability of every category, a row a set of items.
    pub fn probabilities(&self, sets: &[Vec<u32>]) -> Result<Vec<f32>, Error> {
        let mut all = Vec::with_capacity(sets.len() * self.categories);
        for some in sets.chunks(TOGETHER) {
            let found = self.gather(some).and_then(|(pictures, stretches)| {
                let logits = self.network.forward(&pictures, &stretches, Pass::Use)?;
                candle_nn::ops::sigmoid(&logits)?.flatten_all()?.to_vec1::<f32>()
            });
            all.extend(found.map_err(failed)?);
        }
        Ok(all)
    }

    /// All that training changes.
    pub fn state(&self) -> Result<State, Error> {
        let mut state = self.network.parameters().state().map_err(failed)?;
        state.extend(self.adam.state());
        state.insert("steps".to_owned(), halves(self.adam.steps() as u32));
        Ok(state)
    }

    /// Goes back to a state that [`state`](Self::state) gave.
    pub fn restore(&mut self, state: &State) -> Result<(), Error> {
        self.network.parameters().restore(state).map_err(failed)?;
        let steps = whole(state, "steps")?.into();
        self.adam.restore(steps, state).map_err(failed)
    }
}
