//! CuratorNet: `x_ui = p(P_u) . phi(f_i)`, a user being nothing but the pictures `P_u` of what was taken.
//!
//! ```text
//! phi(f) = selu(W2 selu(W1 f + b1) + b2)                                      200, 200
//! p(P)   = selu(W5 selu(W4 selu(W3 [mean phi; max phi] + b3) + b4) + b5)      300, 300, 200
//! ```
//!
//! `mean` and `max` are over the profile, value by value. Minimises, batch by batch with Adam, the mean of
//! `-ln sigmoid(x_ui - x_uj)` plus `lambda |W|^2`. Nobody has a vector of their own, so strangers with a few
//! liked pictures are served as everybody is, and new items from their pictures.

use std::sync::Arc;

use candle_core::{Device, Result as Computed, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Error;
use super::aggregation::Stretches;
use super::chance::Chance;
use super::error::failed;
use super::factors::{Factors, Part};
use super::features::{Features, centre};
use super::history::History;
use super::material::Material;
use super::model::{Array, Insight, Learned, Liked, Looks, Model, Plan, State, halves, whole};
use super::net::{Activation, Adam, AdamSettings, Decay, backward, log_sigmoid};
use super::parameters::Parameters;
use super::profile::{Batch, summary};
use super::recipe::map;
use super::triples::triples;

/// What can be chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CuratorNetSettings {
    /// The length of `phi` and `p`.
    pub visual: usize,
    /// Values of the layers between.
    pub hidden: usize,
    /// Of longer profiles, so many items are drawn.
    pub most: usize,
    /// Triples a step.
    pub batch: usize,
    /// Adam's step size.
    pub rate: f32,
    /// What keeps weights small.
    pub lambda: f32,
    /// Where chance starts from.
    pub seed: u64,
}

impl Default for CuratorNetSettings {
    fn default() -> Self {
        CuratorNetSettings {
            visual: 200,
            hidden: 300,
            most: 50,
            batch: 128,
            rate: 3e-4,
            lambda: 1e-5,
            seed: 1,
        }
    }
}

/// The networks.
#[derive(Clone)]
struct Curator {
    parameters: Parameters,
}

impl Curator {
    fn new(features: usize, settings: &CuratorNetSettings) -> Computed<Self> {
        let CuratorNetSettings { visual, hidden, seed, .. } = *settings;
        let mut parameters = Parameters::new(seed);
        parameters.dense("item.0", features, visual)?;
        parameters.dense("item.1", visual, visual)?;
        parameters.dense("user.0", 2 * visual, hidden)?;
        parameters.dense("user.1", hidden, hidden)?;
        parameters.dense("user.2", hidden, visual)?;
        Ok(Curator { parameters })
    }

    fn layers(&self, x: &Tensor, names: &[&str], learns: bool) -> Computed<Tensor> {
        names.iter().try_fold(x.clone(), |x, name| {
            self.parameters.apply(&x, name, Activation::Selu, learns)
        })
    }

    fn items(&self, features: &Tensor, learns: bool) -> Computed<Tensor> {
        self.layers(features, &["item.0", "item.1"], learns)
    }

    /// Users, of their profiles: the places of these among the rows of `phi`, set after set.
    fn users(
        &self,
        phi: &Tensor,
        (profiles, sets): (&[u32], &Stretches),
        learns: bool,
    ) -> Computed<Tensor> {
        let both = summary(phi, profiles, sets)?;
        self.layers(&both, &["user.0", "user.1", "user.2"], learns)
    }

    /// The mean of `-ln sigmoid(x_ui - x_uj)`; `features` are of the batch's items.
    fn loss(&self, features: &Tensor, batch: &Batch) -> Computed<Tensor> {
        let phi = self.items(features, true)?;
        let users = self.users(&phi, (&batch.profiles, &batch.sets), true)?;
        let of = |places: &[u32]| phi.index_select(&Tensor::new(places, &Device::Cpu)?, 0);
        let x = (users * (of(&batch.positives)? - of(&batch.negatives)?)?)?.sum(1)?;
        log_sigmoid(&x)?.mean_all()?.neg()
    }
}

/// Rows of features as the network is used to them: values about one.
fn scaled(features: &Features, items: &[u32]) -> Computed<Tensor> {
    let shape = (items.len(), features.dimension());
    Tensor::from_vec(features.scaled(items), shape, &Device::Cpu)
}

/// The model.
struct CuratorNet {
    settings: CuratorNetSettings,
    features: Arc<Features>,
    network: Curator,
    adam: Adam,
    sets: History,
}

impl Plan for CuratorNetSettings {
    fn settings(&self) -> Map<String, Value> {
        map(self)
    }

    fn build(
        &self,
        material: &Material<'_>,
        history: &History,
        seed: u64,
    ) -> Result<Box<dyn Model>, Error> {
        let features = Arc::clone(material.needed_features("curatornet")?);
        let settings = CuratorNetSettings { seed, ..self.clone() };
        let network = Curator::new(features.dimension(), &settings).map_err(failed)?;
        let decay = Decay::Penalty(settings.lambda);
        let steps = AdamSettings { rate: settings.rate, decay, ..AdamSettings::default() };
        let adam = Adam::new(network.parameters.iter(), steps);
        Ok(Box::new(CuratorNet { settings, features, network, adam, sets: history.clone() }))
    }

    fn insight(&self, state: &State, _: &Material<'_>) -> Result<Option<Arc<dyn Insight>>, Error> {
        let wrong = || Error::Network("its network does not fit".to_owned());
        let mean = state.get("mean").ok_or_else(wrong)?.values.clone();
        let first = state.get("item.0.weight").ok_or_else(wrong)?;
        let features = first.shape.get(1).copied().ok_or_else(wrong)?;
        let network = Curator::new(features, self).map_err(failed)?;
        network.parameters.restore(state).map_err(failed)?;
        Ok(Some(Arc::new(Eye { network, mean, features })))
    }
}

/// So many items, or users, go through the network at once when nothing is learned.
const TOGETHER: usize = 256;

impl CuratorNet {
    fn all_items(&self) -> Computed<Tensor> {
        let items: Vec<u32> = (0..self.features.len() as u32).collect();
        let parts = items
            .chunks(TOGETHER)
            .map(|some| self.network.items(&scaled(&self.features, some)?, false));
        Tensor::cat(&parts.collect::<Computed<Vec<_>>>()?, 0)
    }

    fn all_users(&self, phi: &Tensor) -> Computed<Vec<f32>> {
        let users: Vec<u32> = (0..self.sets.users() as u32).collect();
        let mut rows = Vec::new();
        for some in users.chunks(TOGETHER) {
            let taken: Vec<u32> = some.iter().flat_map(|&u| self.sets.of(u)).copied().collect();
            let sets = Stretches::of(some.iter().map(|&user| self.sets.of(user).len()));
            let found = self.network.users(phi, (&taken, &sets), false)?;
            rows.extend(found.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(rows)
    }

    fn step(&mut self, batch: &Batch) -> Computed<f64> {
        let loss = self.network.loss(&scaled(&self.features, &batch.items)?, batch)?;
        self.adam.step(&mut backward(&loss)?)?;
        Ok(loss.to_scalar::<f32>()?.into())
    }
}

impl Model for CuratorNet {
    fn epoch(&mut self, history: &History, seed: u64, epoch: u32) -> Result<f64, Error> {
        let triples = triples(history, seed, epoch);
        let mut loss = 0.0;
        for (number, some) in (0u64..).zip(triples.chunks(self.settings.batch.max(1))) {
            let mut chance = Chance::new(seed, "profiles", u64::from(epoch) << 32 | number);
            let batch = Batch::of(some, history, self.settings.most, &mut chance);
            let found = self.step(&batch).map_err(failed)?;
            loss += found * some.len() as f64;
        }
        Ok(loss / triples.len().max(1) as f64)
    }

    fn learned(&self) -> Result<Learned, Error> {
        let phi = self.all_items().map_err(failed)?;
        let users = self.all_users(&phi).map_err(failed)?;
        let items = phi.flatten_all().and_then(|phi| phi.to_vec1::<f32>()).map_err(failed)?;
        let part =
            Part { name: "looks", width: self.settings.visual, users: &users, items: &items };
        // A copy, for this one goes on learning.
        let network = Curator::new(self.features.dimension(), &self.settings).map_err(failed)?;
        let state = self.network.parameters.state().map_err(failed)?;
        network.parameters.restore(&state).map_err(failed)?;
        let (mean, features) = (self.features.mean().to_vec(), self.features.dimension());
        Ok(Learned {
            factors: Factors::new(self.sets.users(), self.features.len(), &[part]),
            insight: Some(Arc::new(Eye { network, mean, features })),
        })
    }

    fn state(&self) -> Result<State, Error> {
        let mut state = self.network.parameters.state().map_err(failed)?;
        state.extend(self.adam.state());
        state.insert("steps".to_owned(), halves(self.adam.steps() as u32));
        Ok(state)
    }

    fn restore(&mut self, state: &State) -> Result<(), Error> {
        self.network.parameters.restore(state).map_err(failed)?;
        self.adam.restore(whole(state, "steps")?.into(), state).map_err(failed)
    }
}

/// A trained network.
struct Eye {
    network: Curator,
    /// What is taken off a feature before it is brought to length one.
    mean: Vec<f32>,
    features: usize,
}

impl Eye {
    fn phi(&self, features: &[&[f32]]) -> Computed<Tensor> {
        let mut rows = Vec::new();
        for feature in features {
            let mut row = feature.to_vec();
            centre(&mut row, &self.mean);
            rows.extend(row);
        }
        let rows = Features::new(rows, self.features);
        let items: Vec<u32> = (0..features.len() as u32).collect();
        self.network.items(&scaled(&rows, &items)?, false)
    }
}

impl Insight for Eye {
    fn state(&self) -> State {
        let mut state = self.network.parameters.state().unwrap_or_default();
        state.insert("mean".to_owned(), Array::rows(1, self.mean.clone()));
        state
    }

    fn item(&self, looks: &Looks<'_>) -> Result<Option<Vec<f32>>, Error> {
        let Some(feature) = looks.feature.filter(|f| f.len() == self.features) else {
            return Ok(None);
        };
        let phi = self.phi(&[feature]).and_then(|phi| phi.flatten_all()?.to_vec1());
        phi.map(Some).map_err(failed)
    }

    fn visitor(&self, liked: &[Liked]) -> Result<Option<Vec<f32>>, Error> {
        let features = liked.iter().filter_map(|liked| liked.feature.as_deref());
        let features: Vec<&[f32]> = features.filter(|f| f.len() == self.features).collect();
        if features.is_empty() {
            return Ok(None);
        }
        let user = self.phi(&features).and_then(|phi| {
            let all: Vec<u32> = (0..features.len() as u32).collect();
            let sets = Stretches::of([features.len()]);
            self.network.users(&phi, (&all, &sets), false)?.flatten_all()?.to_vec1()
        });
        user.map(Some).map_err(failed)
    }
}

#[cfg(test)]
mod tests;
