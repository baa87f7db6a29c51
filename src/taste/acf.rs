//! ACF, attentive collaborative filtering: `x_ui = (g_u + sum_l a_l p_l) . v_i`, over the items `l` that the user took.
//!
//! ```text
//! a = softmax_l(w . relu(W_u g_u + W_v v_l + W_p p_l + W_x f_l + b))
//! ```
//!
//! Minimises, batch by batch with Adam (lazy for users and items), the mean of `-ln sigmoid(x_ui - x_uj)` plus
//! `lambda/2` of the squares of all that a batch names. What each item counts for depends on the user and on its
//! picture. The paper has a second attention within each picture, over the places of a feature map; the
//! collection keeps one vector a picture, so here a picture is one place.

use std::sync::Arc;

use candle_core::{DType, Device, Result as Computed, Tensor, Var};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Error;
use super::adam::{Adam as LazyAdam, Table};
use super::aggregation::{Stretches, attend};
use super::chance::Chance;
use super::error::failed;
use super::factors::{Factors, Part};
use super::features::Features;
use super::history::History;
use super::material::Material;
use super::model::{Learned, Model, Plan, State, halves, whole};
use super::net::{Activation, Adam, AdamSettings, activate, backward, dense_beside, log_sigmoid};
use super::parameters::Parameters;
use super::profile::{Batch, distinct};
use super::recipe::map;
use super::triples::{Triple, rows_of_known, triples};

/// What can be chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AcfSettings {
    /// The length of `g`, `v` and `p`.
    pub latent: usize,
    /// Values of the attention's hidden layer.
    pub attention: usize,
    /// Of longer profiles, so many items are drawn.
    pub most: usize,
    /// Triples a step.
    pub batch: usize,
    /// Adam's step size for the attention.
    pub rate: f32,
    /// Adam's step size for users and items.
    pub rate_tables: f32,
    /// What keeps users and items small.
    pub lambda: f32,
    /// Where chance starts from.
    pub seed: u64,
}

impl Default for AcfSettings {
    fn default() -> Self {
        AcfSettings {
            latent: 64,
            attention: 64,
            most: 50,
            batch: 128,
            rate: 1e-3,
            rate_tables: 3e-3,
            lambda: 0.01,
            seed: 1,
        }
    }
}

/// The attention.
struct Attention(Parameters);

impl Attention {
    fn new(features: usize, settings: &AcfSettings) -> Computed<Self> {
        let AcfSettings { latent, attention, seed, .. } = *settings;
        let mut parameters = Parameters::new(seed);
        parameters.dense("user", latent, attention)?;
        parameters.dense("item", 2 * latent + features, attention)?;
        parameters.dense("worth", attention, 1)?;
        Ok(Attention(parameters))
    }

    /// Users' vectors: `g_u + sum_l a_l p_l`. In: a row a user; `[v; p]` and features of some items; for the items of each
    /// profile, one profile after the other, their places among those.
    fn users(
        &self,
        g: &Tensor,
        (pairs, features): (&Tensor, Vec<f32>),
        (profiles, sets): (&[u32], &Stretches),
        learns: bool,
    ) -> Computed<Tensor> {
        let latent = g.dim(1)?;
        let rows: Vec<u32> = (0..sets.len())
            .flat_map(|set| std::iter::repeat_n(set as u32, sets.range(set).len()))
            .collect();
        let of_user = self.0.apply(g, "user", Activation::None, learns)?;
        let of_user = of_user.index_select(&Tensor::new(rows, &Device::Cpu)?, 0)?;
        // Once an item, in however many profiles it is.
        let (weight, bias) = self.0.pair("item", learns)?;
        let seen = dense_beside(pairs, features, &weight, &bias, Activation::None)?;
        let profiles = &Tensor::new(profiles, &Device::Cpu)?;
        let hidden = activate(&(seen.index_select(profiles, 0)? + of_user)?, Activation::Relu)?;
        let worth = self.0.apply(&hidden, "worth", Activation::None, learns)?;
        let p = pairs.narrow(1, latent, latent)?.contiguous()?.index_select(profiles, 0)?;
        // An attention block whose query sees nothing of the pictures but their worth.
        let query = Tensor::cat(
            &[
                Tensor::zeros((sets.len(), latent), DType::F32, &Device::Cpu)?,
                Tensor::ones((sets.len(), 1), DType::F32, &Device::Cpu)?,
            ],
            1,
        )?;
        let pooled = attend(&Tensor::cat(&[&p, &worth], 1)?, &query, sets)?;
        g + pooled.narrow(1, 0, latent)?.contiguous()?
    }
}

/// The model.
struct Acf {
    settings: AcfSettings,
    features: Arc<Features>,
    attention: Attention,
    adam: Adam,
    lazy: LazyAdam,
    users: Table,
    /// Each row a `v` and a `p`.
    items: Table,
    sets: History,
}

impl Plan for AcfSettings {
    fn settings(&self) -> Map<String, Value> {
        map(self)
    }

    fn build(
        &self,
        material: &Material<'_>,
        history: &History,
        seed: u64,
    ) -> Result<Box<dyn Model>, Error> {
        let features = Arc::clone(material.needed_features("acf")?);
        let settings = AcfSettings { seed, ..self.clone() };
        Acf::new(features, history, settings)
            .map(|model| Box::new(model) as Box<dyn Model>)
            .map_err(failed)
    }
}

/// So many users go through the attention at once when nothing is learned.
const TOGETHER: usize = 256;

impl Acf {
    fn new(features: Arc<Features>, history: &History, settings: AcfSettings) -> Computed<Self> {
        let attention = Attention::new(features.dimension(), &settings)?;
        let steps = AdamSettings { rate: settings.rate, ..AdamSettings::default() };
        let drawn = |name, rows: usize, width: usize| {
            Table::new(width, Chance::new(settings.seed, name, 0).normals(rows * width, 0.1), rows)
        };
        let latent = settings.latent;
        Ok(Acf {
            adam: Adam::new(attention.0.iter(), steps),
            lazy: LazyAdam::new(settings.rate_tables),
            users: drawn("acf g", history.users(), latent),
            items: {
                let chance = Chance::new(settings.seed, "acf v p", 0);
                let rows = rows_of_known(history, chance, 2 * latent, 0.1);
                Table::new(2 * latent, rows, history.inventory())
            },
            sets: history.clone(),
            attention,
            features,
            settings,
        })
    }

    /// The rows of a table.
    fn rows(table: &Table, width: usize, rows: &[u32]) -> Computed<Tensor> {
        let values = rows.iter().flat_map(|&row| table.row(row)).copied().collect();
        Tensor::from_vec(values, (rows.len(), width), &Device::Cpu)
    }

    /// The mean of `-ln sigmoid(x_ui - x_uj)`. In: a row `g` a triple, and a row `[v; p]` an item of the batch.
    fn loss(&self, g: &Tensor, items: &Tensor, batch: &Batch) -> Computed<Tensor> {
        let looks = self.features.scaled(&batch.items);
        let profiles = (&batch.profiles[..], &batch.sets);
        let users = self.attention.users(g, (items, looks), profiles, true)?;
        let v = items.narrow(1, 0, self.settings.latent)?.contiguous()?;
        let of = |places: &[u32]| v.index_select(&Tensor::new(places, &Device::Cpu)?, 0);
        let apart = (of(&batch.positives)? - of(&batch.negatives)?)?;
        log_sigmoid(&(users * apart)?.sum(1)?)?.mean_all()?.neg()
    }

    /// One step on some triples; returns the mean loss as it was before.
    fn step(&mut self, triples: &[Triple], batch: &Batch) -> Computed<f64> {
        let latent = self.settings.latent;
        let people: Vec<u32> = triples.iter().map(|triple| triple.user).collect();
        let g = Var::from_tensor(&Self::rows(&self.users, latent, &people)?)?;
        let items = Var::from_tensor(&Self::rows(&self.items, 2 * latent, &batch.items)?)?;
        let loss = self.loss(&g, &items, batch)?;
        let mut gradients = backward(&loss)?;
        let lambda = self.settings.lambda / triples.len() as f32;
        for (var, table, rows) in
            [(&g, &mut self.users, &people), (&items, &mut self.items, &batch.items)]
        {
            let Some(found) = gradients.remove(var) else { continue };
            let width = var.dim(1)?;
            let found = found.flatten_all()?.to_vec1::<f32>()?;
            for (&row, found) in rows.iter().zip(found.chunks_exact(width)) {
                let (values, gradient) = table.touch(row);
                for ((sum, x), found) in gradient.iter_mut().zip(values).zip(found) {
                    *sum += found + lambda * x;
                }
            }
        }
        self.adam.step(&mut gradients)?;
        let step = self.lazy.step();
        self.users.descend(step);
        self.items.descend(step);
        Ok(loss.to_scalar::<f32>()?.into())
    }

    fn all_users(&self) -> Computed<Vec<f32>> {
        let latent = self.settings.latent;
        let everybody: Vec<u32> = (0..self.sets.users() as u32).collect();
        let mut all = Vec::new();
        for some in everybody.chunks(TOGETHER) {
            let taken: Vec<u32> = some.iter().flat_map(|&u| self.sets.of(u)).copied().collect();
            let sets = Stretches::of(some.iter().map(|&user| self.sets.of(user).len()));
            let g = Self::rows(&self.users, latent, some)?;
            let (items, places) = distinct(&taken);
            let pairs = Self::rows(&self.items, 2 * latent, &items)?;
            let looks = self.features.scaled(&items);
            let users = self.attention.users(&g, (&pairs, looks), (&places, &sets), false)?;
            all.extend(users.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(all)
    }
}

impl Model for Acf {
    fn epoch(&mut self, history: &History, seed: u64, epoch: u32) -> Result<f64, Error> {
        let triples = triples(history, seed, epoch);
        let mut loss = 0.0;
        for (number, some) in (0u64..).zip(triples.chunks(self.settings.batch.max(1))) {
            let mut chance = Chance::new(seed, "profiles", u64::from(epoch) << 32 | number);
            let batch = Batch::of(some, history, self.settings.most, &mut chance);
            let found = self.step(some, &batch).map_err(failed)?;
            loss += found * some.len() as f64;
        }
        Ok(loss / triples.len().max(1) as f64)
    }

    fn learned(&self) -> Result<Learned, Error> {
        let latent = self.settings.latent;
        let users = self.all_users().map_err(failed)?;
        let rows = self.items.values().chunks_exact(2 * latent);
        let items: Vec<f32> = rows.flat_map(|row| &row[..latent]).copied().collect();
        let part = Part { name: "history", width: latent, users: &users, items: &items };
        Ok(Learned::of(Factors::new(self.sets.users(), self.sets.inventory(), &[part])))
    }

    fn state(&self) -> Result<State, Error> {
        let mut state = self.attention.0.state().map_err(failed)?;
        state.extend(self.adam.state());
        state.insert("attention steps".to_owned(), halves(self.adam.steps() as u32));
        self.users.save("users", &mut state);
        self.items.save("items", &mut state);
        state.insert("steps".to_owned(), halves(self.lazy.steps()));
        Ok(state)
    }

    fn restore(&mut self, state: &State) -> Result<(), Error> {
        self.attention.0.restore(state).map_err(failed)?;
        self.adam.restore(whole(state, "attention steps")?.into(), state).map_err(failed)?;
        self.users.load("users", state)?;
        self.items.load("items", state)?;
        self.lazy.resume(whole(state, "steps")?);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
