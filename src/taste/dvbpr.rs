//! DVBPR: `x_ui = [b_i] + [g_u . g_i] + t_u . phi(X_i)`, `phi` a network over the item's picture.
//!
//! The terms in brackets are switches: the paper has neither, the tutorial keeps `g`. Minimises, batch by batch
//! with Adam (lazy for users and items),
//! `sum -ln sigmoid(x_ui - x_uj) + lambda_user/2 |t_u|^2 + lambda/2 (|g_u|^2 + |g_i|^2 + |g_j|^2)
//! + lambda_b/2 (b_i^2 + b_j^2) + lambda_net/2 |W|^2`.
//!
//! Both arms share `phi`'s weights `W` (Siamese): a batch's pictures, positives and negatives, go through
//! the network together, each of them once, however many triples it is in. The next batch is put
//! together on a thread of its own meanwhile. An item without a picture has `phi = 0`.
//!
//! With a frozen network `phi = W f_i`: see [`frozen`](super::FrozenSettings).

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Error;
use super::adam::{Adam as LazyAdam, Table};
use super::bpr_mf::softplus;
use super::chance::Chance;
use super::error::failed;
use super::factors::{Factors, Part};
use super::gallery::{Gallery, Scale, planes};
use super::history::History;
use super::material::Material;
use super::model::{Insight, Learned, Looks, Model, Plan, State, halves, whole};
use super::net::{Adam, AdamSettings, Decay, Network, Pass, Shape, alexnet, backward, cnn_f};
use super::newcomers::from_typical;
use super::recipe::map;
use super::triples::{Triple, rows_of_known, triples};
use crate::encode::image::squash;

/// Which network looks at the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Eye {
    /// [`cnn_f`]: the paper's.
    CnnF,
    /// [`alexnet`]: the tutorial's.
    Alexnet,
}

/// What can be chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DvbprSettings {
    /// `phi`.
    pub network: Eye,
    /// Rows and columns of the pictures that it sees; as published, 224.
    pub side: usize,
    /// One in so many of its hidden channels is kept; as published, 1.
    pub thin: usize,
    /// The length of `t` and of `phi`: the paper's `K`.
    pub visual: usize,
    /// The length of `g`; 0 leaves it out.
    pub latent: usize,
    /// How far from zero `g` and `t` start: the standard deviation. From far off there is noise that takes long to forget; from
    /// zero nothing would ever move.
    pub spread: f32,
    /// Whether items have a bias.
    pub bias: bool,
    /// Triples a step.
    pub batch: usize,
    /// Adam's step size for the network.
    pub rate: f32,
    /// Adam's step size for users and items.
    pub rate_tables: f32,
    /// The share of values that dropout drops.
    pub dropout: f32,
    /// What keeps the network's weights small.
    pub lambda_net: f32,
    /// What keeps `t` small.
    pub lambda_user: f32,
    /// What keeps `g` small.
    pub lambda: f32,
    /// What keeps the bias small.
    pub lambda_bias: f32,
    /// Where chance starts from.
    pub seed: u64,
}

impl Default for DvbprSettings {
    fn default() -> Self {
        DvbprSettings {
            network: Eye::CnnF,
            side: 224,
            thin: 1,
            visual: 50,
            latent: 16,
            spread: 0.01,
            bias: true,
            batch: 128,
            rate: 1e-4,
            rate_tables: 1e-2,
            dropout: 0.5,
            lambda_net: 1e-3,
            lambda_user: 0.1,
            lambda: 0.1,
            lambda_bias: 0.01,
            seed: 1,
        }
    }
}

impl DvbprSettings {
    /// With AlexNet, as in the tutorial.
    pub fn with_alexnet() -> Self {
        DvbprSettings { network: Eye::Alexnet, visual: 100, ..DvbprSettings::default() }
    }

    fn network(&self) -> candle_core::Result<Network> {
        let DvbprSettings { side, thin, visual, dropout, .. } = *self;
        let shape = Shape { side, thin, dimension: visual, dropout };
        match self.network {
            Eye::CnnF => cnn_f(shape, self.seed),
            Eye::Alexnet => alexnet(shape, self.seed),
        }
    }
}

/// Pictures that go through the network at once when nothing is learned.
const TOGETHER: usize = 64;

/// The model.
pub struct Dvbpr {
    settings: DvbprSettings,
    gallery: Arc<Gallery>,
    /// The items that somebody took.
    known: Vec<u32>,
    network: Network,
    adam: Adam,
    lazy: LazyAdam,
    /// Each row a `g` and a `t`.
    users: Table,
    /// Each row a `g` and the bias.
    items: Table,
}

/// A batch, and the pictures that it is about.
struct Batch {
    triples: Vec<Triple>,
    /// The items with pictures, in the order of `pixels`.
    items: Vec<u32>,
    pixels: Vec<f32>,
}

impl Dvbpr {
    /// A model of a history's users that knows nothing yet of a gallery's items.
    pub fn new(
        history: &History,
        gallery: Arc<Gallery>,
        settings: DvbprSettings,
    ) -> Result<Self, Error> {
        let settings = DvbprSettings { side: gallery.side(), ..settings };
        let network = settings.network().map_err(failed)?;
        // The objective has half of what candle's penalty means by it.
        let decay = Decay::Penalty(settings.lambda_net / 2.0);
        let steps = AdamSettings { rate: settings.rate, decay, ..AdamSettings::default() };
        let chance = |name| Chance::new(settings.seed, name, 0);
        let (latent, width) = (settings.latent, settings.latent + 1);
        let mut rows = rows_of_known(history, chance("g_i"), width, settings.spread);
        rows.chunks_mut(width).for_each(|row| row[latent] = 0.0);
        let (users, user) = (history.users(), latent + settings.visual);
        Ok(Dvbpr {
            adam: Adam::new(network.parameters(), steps),
            lazy: LazyAdam::new(settings.rate_tables),
            users: Table::new(
                user,
                chance("g_u t_u").normals(users * user, settings.spread),
                users,
            ),
            items: Table::new(width, rows, gallery.len()),
            known: history.known(),
            network,
            gallery,
            settings,
        })
    }

    /// How large the network is.
    pub fn size(&self) -> usize {
        self.network.size()
    }

    fn assemble(gallery: &Gallery, triples: &[Triple]) -> Batch {
        let both = |triple: &Triple| [triple.positive, triple.negative];
        let mut items: Vec<u32> = triples.iter().flat_map(both).collect();
        items.sort_unstable();
        items.dedup();
        items.retain(|&item| gallery.has(item));
        let pixels = gallery.batch(&items, Scale::Signed);
        Batch { triples: triples.to_vec(), items, pixels }
    }

    /// One step on a batch; returns the sum of its losses, without what keeps values small, as it was
    /// before.
    fn learn(&mut self, batch: Batch, chance: &mut Chance) -> Result<f64, Error> {
        let side = self.settings.side;
        let Batch { triples, items, pixels } = batch;
        if items.is_empty() {
            let loss = self.differentiate(&triples, &items, &[], &mut []);
            self.descend();
            return Ok(loss);
        }
        let shape = (items.len(), 3, side, side);
        let run = |chance: &mut Chance| {
            let x = Tensor::from_vec(pixels, shape, &Device::Cpu)?;
            let phi = self.network.forward(&x, Pass::Train(chance))?;
            let values = phi.flatten_all()?.to_vec1::<f32>()?;
            candle_core::Result::Ok((phi, values))
        };
        let (phi, values) = run(chance).map_err(failed)?;
        let mut gradient = vec![0.0; values.len()];
        let loss = self.differentiate(&triples, &items, &values, &mut gradient);
        // Something whose gradient with respect to phi is the one found.
        let gradients = Tensor::from_vec(gradient, phi.shape(), &Device::Cpu)
            .and_then(|gradient| backward(&(phi * gradient)?.sum_all()?));
        self.adam.step(&mut gradients.map_err(failed)?).map_err(failed)?;
        self.descend();
        Ok(loss)
    }

    fn descend(&mut self) {
        let step = self.lazy.step();
        self.users.descend(step);
        self.items.descend(step);
    }

    /// The gradients of users and items, into their tables, and of `phi`; returns the sum of the losses.
    fn differentiate(
        &mut self,
        triples: &[Triple],
        items: &[u32],
        phi: &[f32],
        phi_gradient: &mut [f32],
    ) -> f64 {
        let DvbprSettings { latent, visual, bias, lambda, lambda_bias, lambda_user, .. } =
            self.settings;
        let none = vec![0.0; visual];
        let look = |item: u32| items.binary_search(&item).ok();
        let mut loss = 0.0;
        for triple in triples {
            let places = [look(triple.positive), look(triple.negative)];
            let [phi_i, phi_j] =
                places.map(|p| p.map_or(&none[..], |place| &phi[place * visual..][..visual]));
            let (i, j) = (self.items.row(triple.positive), self.items.row(triple.negative));
            let (user, gradient) = self.users.touch(triple.user);
            let (g_u, t_u) = user.split_at(latent);
            let difference = |u: &[f32], i: &[f32], j: &[f32]| -> f32 {
                u.iter().zip(i).zip(j).map(|((u, i), j)| u * (i - j)).sum()
            };
            let own = if bias { i[latent] - j[latent] } else { 0.0 };
            let x = own + difference(g_u, i, j) + difference(t_u, phi_i, phi_j);
            loss += softplus(-x);
            // The derivative of -ln sigmoid(x).
            let slope = -1.0 / (1.0 + x.exp());
            for c in 0..latent {
                gradient[c] += slope * (i[c] - j[c]) + lambda * g_u[c];
            }
            for c in 0..visual {
                gradient[latent + c] += slope * (phi_i[c] - phi_j[c]) + lambda_user * t_u[c];
            }
            for (place, sign) in places.into_iter().zip([1.0, -1.0]) {
                let Some(place) = place else { continue };
                let gradient = &mut phi_gradient[place * visual..][..visual];
                gradient.iter_mut().zip(t_u).for_each(|(g, t)| *g += sign * slope * t);
            }
            for (item, sign) in [(triple.positive, 1.0), (triple.negative, -1.0)] {
                let (row, gradient) = self.items.touch(item);
                for (c, g) in gradient[..latent].iter_mut().enumerate() {
                    *g += sign * slope * g_u[c] + lambda * row[c];
                }
                if bias {
                    gradient[latent] += sign * slope + lambda_bias * row[latent];
                }
            }
        }
        loss
    }
}

/// `phi` of some pictures, one after the other.
fn phi(network: &Network, gallery: &Gallery, items: &[u32]) -> Result<Vec<f32>, Error> {
    let side = gallery.side();
    let mut looks = Vec::new();
    for some in items.chunks(TOGETHER) {
        let pixels = gallery.batch(some, Scale::Signed);
        let phi = Tensor::from_vec(pixels, (some.len(), 3, side, side), &Device::Cpu)
            .and_then(|x| network.forward(&x, Pass::Use)?.flatten_all()?.to_vec1::<f32>());
        looks.extend(phi.map_err(failed)?);
    }
    Ok(looks)
}

/// The network as it had become: how something new is scored, from its picture alone.
struct Sight {
    settings: DvbprSettings,
    weights: State,
}

impl Insight for Sight {
    fn state(&self) -> State {
        self.weights.clone()
    }

    fn item(&self, looks: &Looks<'_>) -> Result<Option<Vec<f32>>, Error> {
        let Some(picture) = (looks.picture)()? else { return Ok(None) };
        let DvbprSettings { side, latent, bias, visual, .. } = self.settings;
        let network = self.settings.network().map_err(failed)?;
        network.restore(&self.weights).map_err(failed)?;
        let gallery = Gallery::new(side, vec![Some(planes(&squash(&picture, side)))]);
        let first = usize::from(bias) + latent;
        let mut vector = vec![0.0; first + visual];
        vector[first..].copy_from_slice(&phi(&network, &gallery, &[0])?);
        Ok(Some(vector))
    }
}

impl Plan for DvbprSettings {
    fn settings(&self) -> Map<String, Value> {
        map(self)
    }

    fn build(
        &self,
        material: &Material<'_>,
        history: &History,
        seed: u64,
    ) -> Result<Box<dyn Model>, Error> {
        let gallery = material.gallery("dvbpr", self.side)?;
        let settings = DvbprSettings { seed, ..self.clone() };
        Ok(Box::new(Dvbpr::new(history, gallery, settings)?))
    }

    fn insight(&self, state: &State, _: &Material<'_>) -> Result<Option<Arc<dyn Insight>>, Error> {
        Ok(Some(Arc::new(Sight { settings: self.clone(), weights: state.clone() })))
    }
}

impl Model for Dvbpr {
    fn epoch(&mut self, history: &History, seed: u64, epoch: u32) -> Result<f64, Error> {
        let triples = triples(history, seed, epoch);
        let (gallery, size) = (Arc::clone(&self.gallery), self.settings.batch.max(1));
        let loss = std::thread::scope(|scope| {
            // Two batches wait at the most: that is what is held of decoded pictures.
            let (sender, batches) = sync_channel(2);
            let (triples, gallery) = (&triples, &gallery);
            scope.spawn(move || {
                let mut batches = triples.chunks(size).map(|some| Self::assemble(gallery, some));
                // Whoever listens has stopped where this fails, and says why.
                batches.try_for_each(|batch| sender.send(batch))
            });
            let mut loss = 0.0;
            for (number, batch) in (0u64..).zip(batches) {
                let stream = u64::from(epoch) << 32 | number;
                loss += self.learn(batch, &mut Chance::new(seed, "dropout", stream))?;
            }
            Ok::<f64, Error>(loss)
        })?;
        Ok(loss / triples.len().max(1) as f64)
    }

    fn learned(&self) -> Result<Learned, Error> {
        let DvbprSettings { latent, visual, bias, .. } = self.settings;
        let cut = |rows: &[f32], width: usize, from: usize, to: usize| -> Vec<f32> {
            rows.chunks(width).flat_map(|row| &row[from..to]).copied().collect()
        };
        let (users, items) = (self.users.rows(), self.items.rows());
        let width = latent + visual;
        let g_u = cut(self.users.values(), width, 0, latent);
        let t_u = cut(self.users.values(), width, latent, width);
        let g_i = cut(self.items.values(), latent + 1, 0, latent);
        let mut b_i = cut(self.items.values(), latent + 1, latent, latent + 1);
        from_typical(&mut b_i, &self.known);
        let seen = self.gallery.items();
        let looks = phi(&self.network, &self.gallery, &seen)?;
        let mut phi = vec![0.0; items * visual];
        for (&item, look) in seen.iter().zip(looks.chunks(visual.max(1))) {
            phi[item as usize * visual..][..visual].copy_from_slice(look);
        }
        let parts = [
            Part { name: "popularity", width: bias.into(), users: &[], items: &b_i },
            Part { name: "history", width: latent, users: &g_u, items: &g_i },
            Part { name: "looks", width: visual, users: &t_u, items: &phi },
        ];
        let factors = Factors::new(users, items, &parts);
        let weights = self.network.state().map_err(failed)?;
        let sight = Sight { settings: self.settings.clone(), weights };
        Ok(Learned { factors, insight: Some(Arc::new(sight)) })
    }

    fn state(&self) -> Result<State, Error> {
        let mut state = State::new();
        self.users.save("users", &mut state);
        self.items.save("items", &mut state);
        state.extend(self.network.state().map_err(failed)?);
        state.extend(self.adam.state());
        state.insert("steps".to_owned(), halves(self.lazy.steps()));
        // Batches without a picture move the tables alone.
        state.insert("network steps".to_owned(), halves(self.adam.steps() as u32));
        Ok(state)
    }

    fn restore(&mut self, state: &State) -> Result<(), Error> {
        self.users.load("users", state)?;
        self.items.load("items", state)?;
        self.lazy.resume(whole(state, "steps")?);
        let other =
            |error| Error::Network(format!("the checkpoint is of another network: {error}"));
        self.network.restore(state).map_err(other)?;
        let steps = whole(state, "network steps")?;
        self.adam.restore(u64::from(steps), state).map_err(other)
    }
}

#[cfg(test)]
mod tests;
