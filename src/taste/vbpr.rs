//! VBPR: `x_ui = b_i + g_u . g_i + t_u . (E f_i) + v . f_i`, over the frozen features `f_i` of pictures.
//!
//! Minimises, batch by batch with lazy [`Adam`](super::adam),
//! `sum -ln sigmoid(x_ui - x_uj) + lambda/2 (|g_u|^2 + |g_i|^2 + |g_j|^2 + |t_u - s_u|^2)
//! + lambda_b/2 (b_i^2 + b_j^2) + lambda_e/2 (|E|^2 + |v|^2)`.
//!
//! **Where it starts.** `s_u` is where `t_u` starts. From chance it is about zero, as in the paper. From
//! [`Start::Looks`], `E` starts as the directions in which the shop's pictures differ most, each shrunk by
//! a root of its strength, and `s_u` as the mean of `E f_k` over what the user took: the model begins as a
//! ranking by similarity to the user's purchases and learns what to change. Where users took a handful of
//! things each, that beginning is worth more than all that can be learned from triples, and regularising
//! towards it keeps what is not refuted.

mod looks;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Error;
use super::adam::{Adam, Table};
use super::bpr_mf::softplus;
use super::chance::Chance;
use super::factors::{Factors, Part};
use super::features::Features;
use super::history::History;
use super::material::Material;
use super::model::{Insight, Learned, Model, Plan, State, halves, whole};
use super::newcomers::{Newcomers, from_typical};
use super::principal::Principal;
use super::recipe::map;
use super::triples::{Triple, rows_of_known, triples};
use looks::Looks;

/// Where `E` and the users' tastes start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Start {
    /// As chance has it.
    Chance,
    /// From what the pictures have to tell by themselves.
    Looks,
}

/// What can be chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VbprSettings {
    /// The length of `g`; 0 leaves it out.
    pub latent: usize,
    /// The length of `t`: rows of `E`.
    pub visual: usize,
    /// How far from zero `g` starts, and from chance `t`: the standard deviation. From far off there is noise that takes long to forget; from
    /// zero nothing would ever move.
    pub spread: f32,
    /// Whether items have a bias.
    pub bias: bool,
    /// Whether features have: `v`.
    pub visual_bias: bool,
    /// Triples a step.
    pub batch: usize,
    /// Adam's step size.
    pub rate: f32,
    /// What keeps `g` small, and `t` near its start.
    pub lambda: f32,
    /// What keeps the bias small.
    pub lambda_bias: f32,
    /// What keeps `E` and `v` small.
    pub lambda_looks: f32,
    /// Where `E` and `t` start.
    pub start: Start,
    /// How large `t_u . (E f_i)` is to begin with, where it starts from looks.
    pub strength: f32,
    /// To what power of its strength a direction is shrunk, where `E` starts from looks.
    pub shrink: f32,
    /// Where chance starts from.
    pub seed: u64,
}

impl Default for VbprSettings {
    fn default() -> Self {
        VbprSettings {
            latent: 16,
            visual: 192,
            spread: 0.01,
            bias: true,
            visual_bias: true,
            batch: 256,
            rate: 1e-3,
            lambda: 0.01,
            lambda_bias: 0.01,
            lambda_looks: 0.0,
            start: Start::Looks,
            strength: 4.0,
            shrink: 0.5,
            seed: 1,
        }
    }
}

/// The model.
pub struct Vbpr {
    settings: VbprSettings,
    features: Arc<Features>,
    /// The items that somebody took.
    known: Vec<u32>,
    adam: Adam,
    /// Each row a `g` and a `t`.
    users: Table,
    /// `s_u`; empty where it is zero.
    starts: Vec<f32>,
    /// Each row a `g` and the bias.
    items: Table,
    looks: Looks,
}

impl Vbpr {
    /// A model that knows what `history` and the pictures show at first sight.
    pub fn new(history: &History, features: Arc<Features>, settings: VbprSettings) -> Self {
        let VbprSettings { latent, visual, spread, seed, .. } = settings;
        let d = features.dimension();
        let visual = if settings.start == Start::Looks { visual.min(d) } else { visual };
        let settings = VbprSettings { visual, ..settings };
        let normals =
            |name, count: usize, deviation| Chance::new(seed, name, 0).normals(count, deviation);
        let (mut rows, t) = match settings.start {
            Start::Chance => {
                let rows = normals("E", visual * d, (2.0 / (visual + d) as f32).sqrt());
                (rows, normals("t_u", history.users() * visual, spread))
            }
            Start::Looks => from_looks(history, &features, &settings),
        };
        rows.resize((visual + 1) * d, 0.0);
        let looks = Looks::new(&rows, d, settings.lambda_looks);
        let g_u = normals("g_u", history.users() * latent, spread);
        let g_i = rows_of_known(history, Chance::new(seed, "g_i", 0), latent, spread);
        let join =
            |count: usize, a: &[f32], a_width: usize, b: &[f32], b_width: usize| -> Vec<f32> {
                (0..count)
                    .flat_map(|n| {
                        a[n * a_width..][..a_width].iter().chain(&b[n * b_width..][..b_width])
                    })
                    .copied()
                    .collect()
            };
        let users = join(history.users(), &g_u, latent, &t, visual);
        let items = join(history.inventory(), &g_i, latent, &vec![0.0; history.inventory()], 1);
        Vbpr {
            features,
            known: history.known(),
            adam: Adam::new(settings.rate),
            users: Table::new(latent + visual, users, history.users()),
            starts: if settings.start == Start::Looks { t } else { Vec::new() },
            items: Table::new(latent + 1, items, history.inventory()),
            looks,
            settings,
        }
    }

    /// Finds the gradients of a batch, and returns the sum of its losses without what keeps values small.
    fn differentiate(&mut self, batch: &[Triple], room: &mut Room) -> f64 {
        let VbprSettings { latent, visual, lambda, lambda_bias, .. } = self.settings;
        let (bias, visual_bias) = (self.settings.bias, self.settings.visual_bias);
        let components = self.looks.components();
        self.looks.compare(&self.features, batch, &mut room.products);
        room.asked.clear();
        room.asked.resize(batch.len() * components, 0.0);
        let mut loss = 0.0;
        for (n, triple) in batch.iter().enumerate() {
            let looks = &room.products[n * components..][..components];
            let (i, j) = (self.items.row(triple.positive), self.items.row(triple.negative));
            let (user, user_gradient) = self.users.touch(triple.user);
            let (g_u, t_u) = user.split_at(latent);
            let mut x = dot(t_u, looks)
                + g_u.iter().zip(i).zip(j).map(|((u, i), j)| u * (i - j)).sum::<f32>();
            if bias {
                x += i[latent] - j[latent];
            }
            if visual_bias {
                x += looks[visual];
            }
            loss += softplus(-x);
            // The derivative of -ln sigmoid(x).
            let slope = -1.0 / (1.0 + x.exp());
            for (c, t) in t_u.iter().enumerate() {
                room.asked[c * batch.len() + n] = slope * t;
            }
            if visual_bias {
                room.asked[visual * batch.len() + n] = slope;
            }
            let starts = self.starts.chunks(visual.max(1)).nth(triple.user as usize).unwrap_or(&[]);
            let (g_gradient, t_gradient) = user_gradient.split_at_mut(latent);
            for (c, g) in g_gradient.iter_mut().enumerate() {
                *g += slope * (i[c] - j[c]) + lambda * g_u[c];
            }
            for (c, g) in t_gradient.iter_mut().enumerate() {
                *g += slope * looks[c] + lambda * (t_u[c] - starts.get(c).copied().unwrap_or(0.0));
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
        self.looks.differentiate(&room.asked);
        loss
    }

    fn descend(&mut self) {
        let step = self.adam.step();
        self.users.descend(step);
        self.items.descend(step);
        self.looks.descend(step);
    }

    /// How pictures alone become vectors of this width.
    fn newcomers(&self, width: usize) -> Newcomers {
        let VbprSettings { latent, bias, visual_bias, visual, .. } = self.settings;
        let dimension = self.features.dimension();
        let mut rows = self.looks.rows();
        rows.truncate((visual + usize::from(visual_bias)) * dimension);
        let mean = self.features.mean().to_vec();
        Newcomers { first: usize::from(bias) + latent, width, mean, rows, dimension }
    }
}

/// What a batch needs room for.
#[derive(Default)]
struct Room {
    /// A row a triple.
    products: Vec<f32>,
    /// A column a triple.
    asked: Vec<f32>,
}

/// `E` as the main directions of the features, and each user's taste as the mean of what they took.
fn from_looks(
    history: &History,
    features: &Features,
    settings: &VbprSettings,
) -> (Vec<f32>, Vec<f32>) {
    let (k, d) = (settings.visual, features.dimension());
    let Principal { mut directions, deviations } = Principal::of(features, k, settings.seed);
    for (row, deviation) in directions.chunks_mut(d).zip(&deviations) {
        let scale = deviation.max(1e-6).powf(-settings.shrink);
        row.iter_mut().for_each(|x| *x *= scale);
    }
    let bare = Looks::new(&directions, d, 0.0).project(features);
    let lengths: f32 = bare.iter().map(|x| x * x).sum();
    let scale = (lengths / features.len().max(1) as f32).sqrt().max(1e-12).recip();
    directions.iter_mut().for_each(|x| *x *= scale);
    let mut tastes = vec![0.0; history.users() * k];
    for (user, taste) in (0..).zip(tastes.chunks_mut(k.max(1))) {
        let taken = history.of(user);
        let worth = settings.strength * scale / taken.len().max(1) as f32;
        for &item in taken {
            let looks = &bare[item as usize * k..][..k];
            taste.iter_mut().zip(looks).for_each(|(t, x)| *t += worth * x);
        }
    }
    (directions, tastes)
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Plan for VbprSettings {
    fn settings(&self) -> Map<String, Value> {
        map(self)
    }

    fn build(
        &self,
        material: &Material<'_>,
        history: &History,
        seed: u64,
    ) -> Result<Box<dyn Model>, Error> {
        let features = Arc::clone(material.needed_features("vbpr")?);
        Ok(Box::new(Vbpr::new(history, features, VbprSettings { seed, ..self.clone() })))
    }

    fn insight(&self, state: &State, _: &Material<'_>) -> Result<Option<Arc<dyn Insight>>, Error> {
        Newcomers::restored(state)
    }
}

impl Model for Vbpr {
    fn epoch(&mut self, history: &History, seed: u64, epoch: u32) -> Result<f64, Error> {
        let triples = triples(history, seed, epoch);
        let mut room = Room::default();
        let mut loss = 0.0;
        for batch in triples.chunks(self.settings.batch.max(1)) {
            loss += self.differentiate(batch, &mut room);
            self.descend();
        }
        Ok(loss / triples.len().max(1) as f64)
    }

    fn learned(&self) -> Result<Learned, Error> {
        let VbprSettings { latent, visual, bias, visual_bias, .. } = self.settings;
        let (users, items) = (self.users.rows(), self.items.rows());
        let looks = self.looks.project(&self.features);
        let cut = |rows: &[f32], width: usize, from: usize, to: usize| -> Vec<f32> {
            rows.chunks(width).flat_map(|row| &row[from..to]).copied().collect()
        };
        let (user_width, item_width) = (latent + visual, latent + 1);
        let g_u = cut(self.users.values(), user_width, 0, latent);
        let t_u = cut(self.users.values(), user_width, latent, user_width);
        let g_i = cut(self.items.values(), item_width, 0, latent);
        let mut b_i = cut(self.items.values(), item_width, latent, item_width);
        from_typical(&mut b_i, &self.known);
        let e_i = cut(&looks, visual + 1, 0, visual);
        let v_i = cut(&looks, visual + 1, visual, visual + 1);
        let parts = [
            Part { name: "popularity", width: bias.into(), users: &[], items: &b_i },
            Part { name: "history", width: latent, users: &g_u, items: &g_i },
            Part { name: "looks", width: visual, users: &t_u, items: &e_i },
            Part { name: "appeal", width: visual_bias.into(), users: &[], items: &v_i },
        ];
        let factors = Factors::new(users, items, &parts);
        let newcomers = self.newcomers(factors.width());
        Ok(Learned { factors, insight: Some(Arc::new(newcomers)) })
    }

    fn state(&self) -> Result<State, Error> {
        let mut state = State::new();
        self.users.save("users", &mut state);
        self.items.save("items", &mut state);
        self.looks.save(&mut state);
        state.insert("steps".to_owned(), halves(self.adam.steps()));
        Ok(state)
    }

    fn restore(&mut self, state: &State) -> Result<(), Error> {
        self.users.load("users", state)?;
        self.items.load("items", state)?;
        self.looks.load(state)?;
        self.adam.resume(whole(state, "steps")?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: usize = 6;
    const ITEMS: usize = 9;

    fn history() -> History {
        History::new(
            USERS,
            ITEMS,
            (0..USERS as u32).flat_map(|u| [(u, u), (u, u + 2), (u, (u * 5) % 9)]),
        )
    }

    fn features(dimension: usize) -> Arc<Features> {
        Arc::new(features_of(dimension))
    }

    fn features_of(dimension: usize) -> Features {
        Features::new(Chance::new(5, "features", 0).normals(ITEMS * dimension, 0.5), dimension)
    }

    fn settings() -> VbprSettings {
        VbprSettings {
            latent: 3,
            visual: 4,
            batch: 7,
            lambda: 0.3,
            lambda_bias: 0.2,
            lambda_looks: 0.1,
            rate: 0.01,
            ..VbprSettings::default()
        }
    }

    /// What is to be minimised, of all parameters in a row: users, items, looks.
    fn objective(all: &[f64], model: &Vbpr, batch: &[Triple]) -> f64 {
        let s = &model.settings;
        let (k, v, d) = (s.latent, s.visual, model.features.dimension());
        let (users, rest) = all.split_at(USERS * (k + v));
        let (items, looks) = rest.split_at(ITEMS * (k + 1));
        let square = |xs: &[f64]| xs.iter().map(|x| x * x).sum::<f64>() / 2.0;
        let mut sum = f64::from(s.lambda_looks) * square(looks);
        for t in batch {
            let user = &users[t.user as usize * (k + v)..][..k + v];
            let item = |n: u32| &items[n as usize * (k + 1)..][..k + 1];
            let (i, j) = (item(t.positive), item(t.negative));
            let seen = |row: usize| -> f64 {
                let (fi, fj) = (model.features.row(t.positive), model.features.row(t.negative));
                (0..d).map(|c| looks[row * d + c] * f64::from(fi[c] - fj[c])).sum()
            };
            let mut x = i[k] - j[k] + seen(v);
            x += (0..k).map(|c| user[c] * (i[c] - j[c])).sum::<f64>();
            x += (0..v).map(|c| user[k + c] * seen(c)).sum::<f64>();
            let starts = model.starts.chunks(v).nth(t.user as usize).unwrap_or(&[]);
            let away: Vec<f64> = (0..v)
                .map(|c| user[k + c] - starts.get(c).map_or(0.0, |&start| f64::from(start)))
                .collect();
            sum += (-x).exp().ln_1p();
            sum += f64::from(s.lambda)
                * (square(&user[..k]) + square(&away) + square(&i[..k]) + square(&j[..k]));
            sum += f64::from(s.lambda_bias) * (square(&i[k..]) + square(&j[k..]));
        }
        sum
    }

    /// The oracle is the objective itself, by central differences in double precision; also where the
    /// features take several strips.
    #[test]
    fn gradients_equal_finite_differences() {
        for (dimension, start) in [(5, Start::Looks), (5, Start::Chance), (700, Start::Chance)] {
            let (history, features) = (history(), features(dimension));
            let mut model =
                Vbpr::new(&history, Arc::clone(&features), VbprSettings { start, ..settings() });
            let batch = &triples(&history, 1, 0)[..7];
            // Away from where it starts, so that every part of the objective has a slope.
            for _ in 0..3 {
                model.differentiate(batch, &mut Room::default());
                model.descend();
            }
            model.differentiate(batch, &mut Room::default());
            let (users, items) = (model.users.values().to_vec(), model.items.values().to_vec());
            let all: Vec<f64> = users
                .iter()
                .chain(&items)
                .chain(&model.looks.rows())
                .map(|&x| f64::from(x))
                .collect();
            let mut gradient = vec![0.0f32; all.len()];
            for (row, values) in model.users.gradients() {
                gradient[row as usize * 7..][..7].copy_from_slice(values);
            }
            for (row, values) in model.items.gradients() {
                gradient[users.len() + row as usize * 4..][..4].copy_from_slice(values);
            }
            gradient[users.len() + items.len()..].copy_from_slice(&model.looks.gradient());
            for at in (0..all.len()).step_by(1 + all.len() / 300) {
                let shifted = |by: f64| {
                    let mut all = all.clone();
                    all[at] += by;
                    objective(&all, &model, batch)
                };
                let slope = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
                let found = f64::from(gradient[at]);
                assert!(
                    (found - slope).abs() < 1e-3 * slope.abs().max(1.0),
                    "{at}: {found}, not {slope}"
                );
            }
        }
    }

    #[test]
    fn any_number_of_threads_and_any_interruption_come_to_the_same_bits() {
        let (history, features) = (history(), features(700));
        let run = |threads: usize, epochs: std::ops::Range<u32>, state: Option<&State>| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut model = Vbpr::new(&history, Arc::clone(&features), settings());
                state.into_iter().for_each(|state| model.restore(state).unwrap());
                for epoch in epochs {
                    model.epoch(&history, 1, epoch).unwrap();
                }
                (model.state().unwrap(), model.learned().unwrap().factors)
            })
        };
        let whole = run(1, 0..4, None);
        let half = run(4, 0..2, None);
        assert_eq!(whole.1, run(3, 2..4, Some(&half.0)).1);
        assert_ne!(whole.1, half.1);
    }

    #[test]
    fn a_new_item_gets_the_vector_that_its_picture_gives_an_old_one() {
        let (history, features) = (history(), Arc::new(features_of(5).centred()));
        let model = Vbpr::new(&history, Arc::clone(&features), settings());
        let factors = model.learned().unwrap().factors;
        let newcomers = model.newcomers(factors.width());
        // A centred feature is a feature that stands where it stands for a mean of nothing.
        let plain = Newcomers { mean: vec![0.0; 5], ..newcomers };
        let vector = plain.vector(features.row(3));
        assert!(vector[..4].iter().all(|&x| x == 0.0));
        for (new, old) in vector[4..].iter().zip(&factors.item(3)[4..]) {
            assert!((new - old).abs() < 1e-5, "{new} {old}");
        }
    }
}
