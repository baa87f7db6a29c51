//! Shoppers whose pictures tell of them only to those who look at the right ones.
//!
//! Each shopper lives in one of a few rooms, and shops for one of a few occasions, which each have things of their own.
//! Among the pictures in their basket
//!
//! - one is a portrait of the room itself;
//! - some are bought for it: each carries the signs of the room and of the occasion, and shows a thing of the occasion,
//!   which with the room makes three categories. These categories are the shopper's. Around the thing, as in any shop's
//!   photographs, there are others: none of the occasion's own, and none of them is bought;
//! - some are gifts: the sign of another room, the sign of any occasion, and things in the same way, which say nothing;
//! - some are wrapping: a mark that all wrapping has, and a printed thing that says nothing.
//!
//! Averaging sees all things alike. One attention block can learn to pass over wrapping, for its mark is
//! always the same; which gifts to pass over depends on the room, which takes a second block that asks
//! what the first has answered. What stands around a thing no attention to pictures can pass over: but things that are
//! of no occasion together are never bought together, so that the occasion tells which to leave out, which is what
//! context gating is for.
//!
//! Things show in a few places of a feature each, as they do behind a network's last ReLU.

use std::sync::Arc;

use lookalike::taste::{Features, History};

use crate::seed::Rng;

/// How many rooms there are, and things to a room.
const ROOMS: usize = 4;
const THINGS: usize = 24;
/// How many occasions there are, and things of each one's own.
const OCCASIONS: usize = 6;
const OWN: usize = 12;
/// How many other things stand around one.
const AROUND: usize = 5;
/// How much stronger a room's sign shows than a thing.
const LOUD: f32 = 2.0;
/// In how many places of a feature a thing shows.
const PLACES: usize = 4;
/// Of a thing in a room, its categories are these places further on the room's list.
const STEPS: [usize; 3] = [0, 7, 13];

/// Shoppers' sets, and what is true of them.
pub struct Planted {
    /// Of every picture.
    pub features: Arc<Features>,
    /// The shoppers' pictures.
    pub sets: History,
    /// The shoppers' categories.
    pub labels: History,
}

impl Planted {
    /// Draws so many shoppers with pictures of a feature's length.
    pub fn draw(shoppers: usize, dimension: usize, seed: u64) -> Self {
        let look = Look::new(dimension, seed);
        let (mut rows, mut sets, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for shopper in 0..shoppers {
            let mut rng = Rng::new(seed, "planted shopper", shopper as u64);
            let (room, occasion) = (rng.below(ROOMS), rng.below(OCCASIONS));
            let bought = 5 + rng.below(4);
            let gifts = bought + rng.below(bought);
            let wrapping = 8 + rng.below(17);
            let mut pictures = vec![vec![&look.portrait, &look.rooms[room]]];
            for _ in 0..bought {
                let thing = look.of(occasion, true, &mut rng);
                pictures.push(look.shown(room, occasion, thing, &mut rng));
                let categories = STEPS.map(|step| room * THINGS + (thing + step) % THINGS);
                labels.extend(categories.map(|category| (shopper as u32, category as u32)));
            }
            for _ in 0..gifts {
                let other = (room + 1 + rng.below(ROOMS - 1)) % ROOMS;
                let occasion = rng.below(OCCASIONS);
                let thing = look.of(occasion, true, &mut rng);
                pictures.push(look.shown(other, occasion, thing, &mut rng));
            }
            for _ in 0..wrapping {
                pictures.push(vec![&look.wrapping, &look.things[rng.below(THINGS)]]);
            }
            for parts in pictures {
                sets.push((shopper as u32, (rows.len() / dimension) as u32));
                rows.extend(look.picture(&parts, &mut rng));
            }
        }
        let pictures = rows.len() / dimension;
        Planted {
            features: Arc::new(Features::new(rows, dimension)),
            sets: History::new(shoppers, pictures, sets),
            labels: History::new(shoppers, ROOMS * THINGS, labels),
        }
    }

    /// The sets of the first seven in ten shoppers, and those of the others.
    pub fn parts(&self) -> (History, History) {
        let cut = (self.sets.users() * 7 / 10) as u32;
        let of = |wanted: fn(u32, u32) -> bool| {
            let pairs = self.sets.pairs().filter(|&(user, _)| wanted(user, cut));
            History::new(self.sets.users(), self.sets.inventory(), pairs)
        };
        (of(|user, cut| user < cut), of(|user, cut| user >= cut))
    }
}

/// In which direction of a feature each thing shows.
struct Look {
    rooms: Vec<Vec<f32>>,
    signs: Vec<Vec<f32>>,
    occasions: Vec<Vec<f32>>,
    things: Vec<Vec<f32>>,
    wrapping: Vec<f32>,
    portrait: Vec<f32>,
    /// The things of each occasion's own.
    own: Vec<Vec<usize>>,
}

impl Look {
    fn new(dimension: usize, seed: u64) -> Self {
        let direction = |name: &str, number: usize| {
            let mut rng = Rng::new(seed, name, number as u64);
            unit((0..dimension).map(|_| rng.normal() as f32).collect())
        };
        let some = |name: &str, count: usize| -> Vec<Vec<f32>> {
            (0..count).map(|n| direction(name, n)).collect()
        };
        let loud = |sign: Vec<f32>| sign.into_iter().map(|x| LOUD * x).collect();
        Look {
            rooms: some("room", ROOMS),
            signs: some("sign", ROOMS).into_iter().map(loud).collect(),
            occasions: some("occasion", OCCASIONS),
            things: (0..THINGS).map(|thing| places(thing, dimension, seed)).collect(),
            wrapping: direction("wrapping", 0),
            portrait: direction("portrait", 0),
            own: (0..OCCASIONS).map(|occasion| own(occasion, seed)).collect(),
        }
    }

    /// A thing that is an occasion's own, or one that is not.
    fn of(&self, occasion: usize, own: bool, rng: &mut Rng) -> usize {
        loop {
            let thing = rng.below(THINGS);
            if self.own[occasion].contains(&thing) == own {
                return thing;
            }
        }
    }

    /// What is in the picture of a thing: the signs of its room and its occasion, and what stands around it.
    fn shown(&self, room: usize, occasion: usize, thing: usize, rng: &mut Rng) -> Vec<&Vec<f32>> {
        let mut parts = vec![&self.signs[room], &self.occasions[occasion], &self.things[thing]];
        let around = (0..AROUND).map(|_| self.of(occasion, false, rng));
        parts.extend(around.map(|thing| &self.things[thing]));
        parts
    }

    /// Directions in one picture, and some noise.
    fn picture(&self, parts: &[&Vec<f32>], rng: &mut Rng) -> Vec<f32> {
        let dimension = self.wrapping.len();
        let noise = 0.3 / (dimension as f64).sqrt();
        let mut row: Vec<f32> = (0..dimension).map(|_| (rng.normal() * noise) as f32).collect();
        for part in parts {
            row.iter_mut().zip(part.iter()).for_each(|(x, part)| *x += part);
        }
        unit(row)
    }
}

/// The things of an occasion's own, drawn from all.
fn own(occasion: usize, seed: u64) -> Vec<usize> {
    let mut rng = Rng::new(seed, "own things", occasion as u64);
    let mut own = Vec::new();
    while own.len() < OWN {
        let thing = rng.below(THINGS);
        if !own.contains(&thing) {
            own.push(thing);
        }
    }
    own
}

/// A few places of a feature, of equal strength.
fn places(thing: usize, dimension: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed, "channels", thing as u64);
    let mut row = vec![0.0; dimension];
    (0..PLACES).for_each(|_| row[rng.below(dimension)] += 1.0);
    unit(row)
}

fn unit(mut row: Vec<f32>) -> Vec<f32> {
    let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
    row.iter_mut().for_each(|x| *x /= length);
    row
}
