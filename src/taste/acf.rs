//! ACF, attentive collaborative filtering: `x_ui = (g_u + sum_l a_l p_l) . v_i`, over the items `l` that the user took.
//!
//! ```text
//! a = softmax_l(w . relu(W_u g_u + W_v v_l + W_p p_l + W_x f_ul + b))
//! f_ul = sum_m c_m t_lm,  c = softmax_m(w' . relu(W_u' g_u + W_t' t_lm + b'))
//! ```
//!
//! Minimises, batch by batch with Adam (lazy for users and items), the mean of `-ln sigmoid(x_ui - x_uj)` plus
//! `lambda/2` of the squares of all that a batch names. What each item counts for depends on the user and on its
//! picture, and what counts in the picture, on the user as well: `t_lm` are the tiles into which it is cut. Where it is
//! not cut, `f_l` is its vector.

use std::sync::Arc;

use candle_core::{DType, Device, Result as Computed, Tensor, Var};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::adam::{Adam as LazyAdam, Table};
use super::aggregation::{Stretches, attend};
use super::chance::Chance;
use super::error::failed;
use super::factors::{Factors, Part};
use super::features::Features;
use super::history::History;
use super::material::Material;
use super::model::{Learned, Model, Plan, State, halves, whole};
use super::net::{
    Activation, Adam, AdamSettings, activate, backward, dense, dense_beside, log_sigmoid,
};
use super::parameters::Parameters;
use super::profile::{Batch, distinct};
use super::recipe::map;
use super::tiles::Tiles;
use super::triples::{Triple, rows_of_known, triples};
use super::{Error, ModelError};
use within::{Look, within};

mod within;

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
    /// Each picture is cut into so many rows of as many tiles; 0 for whole pictures.
    pub tiles: usize,
    /// Numbers of each tile.
    pub components: usize,
    /// Adam's step size for the attention.
    pub rate: f32,
    /// Adam's step size for users and items.
    pub rate_tables: f32,
    /// What keeps users and items small.
    pub lambda: f32,
    /// The deviation of the first numbers of users and items.
    pub spread: f32,
    /// Where chance starts from.
    pub seed: u64,
}

impl Default for AcfSettings {
    fn default() -> Self {
        AcfSettings {
            latent: 64,
            attention: 64,
            most: 50,
            tiles: 0,
            components: 64,
            batch: 128,
            rate: 1e-3,
            rate_tables: 3e-3,
            lambda: 0.01,
            spread: 0.01,
            seed: 1,
        }
    }
}

/// More rows of tiles than the last maps of any network have.
const MOST_TILES: usize = 32;

/// What attention sees of pictures.
enum Sight {
    Whole(Arc<Features>),
    Tiles(Arc<Tiles>),
}

/// The attention, to items and within their pictures.
struct Attention {
    parameters: Parameters,
    sight: Sight,
}

/// The profiles of some users, and what is in them.
struct Profiles<'a> {
    /// The items that are named.
    items: &'a [u32],
    /// A row `[v; p]` for each.
    pairs: &'a Tensor,
    /// The items of the profiles, one profile after the other, by place in `items`.
    named: &'a [u32],
    /// Where each user's profile lies.
    sets: &'a Stretches,
}

impl Attention {
    fn new(sight: Sight, settings: &AcfSettings) -> Computed<Self> {
        let AcfSettings { latent, attention, seed, .. } = *settings;
        let mut parameters = Parameters::new(seed);
        parameters.dense("user", latent, attention)?;
        match &sight {
            Sight::Whole(features) => {
                parameters.dense("item", 2 * latent + features.dimension(), attention)?;
            }
            Sight::Tiles(tiles) => {
                parameters.dense("item", 2 * latent, attention)?;
                // Of each tile a key for its user's question, and what it says of the item.
                parameters.dense("tile", tiles.dimension(), 2 * attention)?;
                parameters.dense("question", latent, attention)?;
                parameters.drawn(
                    "answer.weight",
                    &[attention],
                    (6.0 / (1 + attention) as f64).sqrt(),
                )?;
            }
        }
        parameters.dense("worth", attention, 1)?;
        Ok(Attention { parameters, sight })
    }

    /// What each user sees in each item of the profile, before it is weighed.
    fn seen(
        &self,
        g: &Tensor,
        Profiles { items, pairs, named, .. }: &Profiles<'_>,
        users: &[u32],
        learns: bool,
    ) -> Computed<Tensor> {
        let (weight, bias) = self.parameters.pair("item", learns)?;
        let places = Tensor::new(*named, &Device::Cpu)?;
        // Once an item or a tile, in however many profiles it is.
        match &self.sight {
            Sight::Whole(features) => {
                let looks = features.scaled(items);
                let seen = dense_beside(pairs, looks, &weight, &bias, Activation::None)?;
                seen.index_select(&places, 0)
            }
            Sight::Tiles(tiles) => {
                let apply =
                    |x: &Tensor, name| self.parameters.apply(x, name, Activation::None, learns);
                let rows = (items.len() * tiles.count(), tiles.dimension());
                let parts = Tensor::from_vec(tiles.of_items(items), rows, &Device::Cpu)?;
                let looks = users.iter().zip(*named).map(|(&user, &item)| Look { user, item });
                let within = within(
                    &apply(g, "question")?,
                    &apply(&parts, "tile")?,
                    &self.parameters.get("answer.weight", learns)?,
                    looks.collect(),
                    tiles.count(),
                )?;
                dense(pairs, &weight, &bias, Activation::None)?.index_select(&places, 0)? + within
            }
        }
    }

    /// Users' vectors: `g_u + sum_l a_l p_l`. In: a row a user, and their profiles.
    fn users(&self, g: &Tensor, profiles: &Profiles<'_>, learns: bool) -> Computed<Tensor> {
        let (latent, sets) = (g.dim(1)?, profiles.sets);
        let users: Vec<u32> = (0..sets.len())
            .flat_map(|set| std::iter::repeat_n(set as u32, sets.range(set).len()))
            .collect();
        let seen = self.seen(g, profiles, &users, learns)?;
        let of_user = self.parameters.apply(g, "user", Activation::None, learns)?;
        let of_user = of_user.index_select(&Tensor::new(users, &Device::Cpu)?, 0)?;
        let hidden = activate(&(seen + of_user)?, Activation::Relu)?;
        let worth = self.parameters.apply(&hidden, "worth", Activation::None, learns)?;
        let p = profiles.pairs.narrow(1, latent, latent)?.contiguous()?;
        let p = p.index_select(&Tensor::new(profiles.named, &Device::Cpu)?, 0)?;
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
        let refused = |name: &str, value: usize| {
            Error::from(ModelError::Value { name: name.to_owned(), text: value.to_string() })
        };
        if self.latent == 0 {
            return Err(refused("latent", 0));
        }
        let sight = match self.tiles {
            0 => Sight::Whole(Arc::clone(material.needed_features("acf")?)),
            1..=MOST_TILES => Sight::Tiles(material.tiles("acf", (self.tiles, self.components))?),
            _ => return Err(refused("tiles", self.tiles)),
        };
        let settings = AcfSettings { seed, ..self.clone() };
        Acf::new(sight, history, settings)
            .map(|model| Box::new(model) as Box<dyn Model>)
            .map_err(failed)
    }
}

/// So many users go through the attention at once when nothing is learned.
const TOGETHER: usize = 256;

impl Acf {
    fn new(sight: Sight, history: &History, settings: AcfSettings) -> Computed<Self> {
        let attention = Attention::new(sight, &settings)?;
        let steps = AdamSettings { rate: settings.rate, ..AdamSettings::default() };
        let AcfSettings { latent, spread, seed, .. } = settings;
        let g = Chance::new(seed, "acf g", 0).normals(history.users() * latent, spread);
        let pairs = Chance::new(seed, "acf v p", 0);
        let pairs = rows_of_known(history, pairs, 2 * latent, spread);
        Ok(Acf {
            adam: Adam::new(attention.parameters.iter(), steps),
            lazy: LazyAdam::new(settings.rate_tables),
            users: Table::new(latent, g, history.users()),
            items: Table::new(2 * latent, pairs, history.inventory()),
            sets: history.clone(),
            attention,
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
        let Batch { items: numbers, profiles, sets, .. } = batch;
        let profiles = Profiles { items: numbers, pairs: items, named: profiles, sets };
        let users = self.attention.users(g, &profiles, true)?;
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
            let (items, named) = distinct(&taken);
            let pairs = &Self::rows(&self.items, 2 * latent, &items)?;
            let profiles = Profiles { items: &items, pairs, named: &named, sets: &sets };
            let users = self.attention.users(&g, &profiles, false)?;
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
        let mut state = self.attention.parameters.state().map_err(failed)?;
        state.extend(self.adam.state());
        state.insert("attention steps".to_owned(), halves(self.adam.steps() as u32));
        self.users.save("users", &mut state);
        self.items.save("items", &mut state);
        state.insert("steps".to_owned(), halves(self.lazy.steps()));
        Ok(state)
    }

    fn restore(&mut self, state: &State) -> Result<(), Error> {
        self.attention.parameters.restore(state).map_err(failed)?;
        self.adam.restore(whole(state, "attention steps")?.into(), state).map_err(failed)?;
        self.users.load("users", state)?;
        self.items.load("items", state)?;
        self.lazy.resume(whole(state, "steps")?);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
