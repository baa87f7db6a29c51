//! What ratings are without looking at anything: the mean, biases, and matrix factorisation.
//!
//! ```text
//! mean      r = m
//! biases    r = m + b_u + b_i
//! factors   r = m + b_u + b_i + p_u . q_i
//! ```
//!
//! Biases are damped means of what is left: `b_i = Σ (r - m) / (n_i + 10)`, then `b_u` the same of what the
//! items' leave. Factors minimise the squared error of what biases leave plus `lambda/2 (|p_u|^2 + |q_i|^2)`, rating by
//! rating with lazy Adam in mini-batches.

use super::ratings::{Rated, Ratings};
use crate::taste::adam::{Adam, Table};
use crate::taste::chance::Chance;

/// So many ratings of the mean are added to each user's and each item's own.
const DAMPING: f64 = 10.0;

/// The mean, and how far users and items are off it.
#[derive(Debug, Clone, PartialEq)]
pub struct Biases {
    /// Of all.
    pub mean: f32,
    /// By user; 0 for those without ratings.
    pub users: Vec<f32>,
    /// By item.
    pub items: Vec<f32>,
}

impl Biases {
    /// Of some ratings.
    pub fn of(ratings: &Ratings, known: &[Rated]) -> Self {
        let all: f64 = known.iter().map(|rated| f64::from(rated.value)).sum();
        let mean = (all / known.len().max(1) as f64) as f32;
        let damped = |count: usize, place: &dyn Fn(&Rated) -> u32, left: &dyn Fn(&Rated) -> f32| {
            let mut sums = vec![(0.0f64, 0.0f64); count];
            for rated in known {
                let (sum, count) = &mut sums[place(rated) as usize];
                *sum += f64::from(left(rated));
                *count += 1.0;
            }
            sums.into_iter().map(|(sum, n)| (sum / (n + DAMPING)) as f32).collect::<Vec<f32>>()
        };
        let items = damped(ratings.items, &|rated| rated.item, &|rated| rated.value - mean);
        let users = damped(ratings.users, &|rated| rated.user, &|rated| {
            rated.value - mean - items[rated.item as usize]
        });
        Biases { mean, users, items }
    }

    /// What a user will think of an item; of whom nothing is known, nothing is added.
    pub fn tell(&self, user: Option<u32>, item: Option<u32>) -> f32 {
        let of = |known: &[f32], number: Option<u32>| {
            number.and_then(|number| known.get(number as usize)).copied().unwrap_or(0.0)
        };
        (self.mean + of(&self.users, user) + of(&self.items, item)).clamp(-1.0, 1.0)
    }
}

/// Biases and factors.
pub struct Factorisation {
    biases: Biases,
    lambda: f32,
    adam: Adam,
    users: Table,
    items: Table,
}

impl Factorisation {
    /// Before it has learned more than biases.
    pub fn new(biases: Biases, width: usize, lambda: f32, rate: f32, seed: u64) -> Self {
        let drawn = |name, rows: usize| {
            let values = Chance::new(seed, name, 0).normals(rows * width, 0.1);
            Table::new(width, values, rows)
        };
        let users = drawn("p_u", biases.users.len());
        let items = drawn("q_i", biases.items.len());
        Factorisation { biases, lambda, adam: Adam::new(rate), users, items }
    }

    /// What a user will think of an item.
    pub fn tell(&self, user: u32, item: u32) -> f32 {
        let pairs = self.users.row(user).iter().zip(self.items.row(item));
        let product: f32 = pairs.map(|(p, q)| p * q).sum();
        (self.biases.tell(Some(user), Some(item)) + product).clamp(-1.0, 1.0)
    }

    /// Learns from some ratings once.
    pub fn learn(&mut self, known: &[Rated], seed: u64, epoch: u32) {
        let mut order: Vec<u32> = (0..known.len() as u32).collect();
        Chance::new(seed, "factorisation", epoch.into()).shuffle(&mut order);
        for batch in order.chunks(256) {
            for &place in batch {
                let Rated { user, item, value, .. } = known[place as usize];
                let pairs = self.users.row(user).iter().zip(self.items.row(item));
                let product: f32 = pairs.map(|(p, q)| p * q).sum();
                let bias = self.biases.mean
                    + self.biases.users[user as usize]
                    + self.biases.items[item as usize];
                let slope = 2.0 * (bias + product - value);
                let (p, dp) = self.users.touch(user);
                let (q, dq) = self.items.touch(item);
                for (((p, dp), q), dq) in p.iter().zip(dp).zip(q).zip(dq) {
                    *dp += slope * q + self.lambda * p;
                    *dq += slope * p + self.lambda * q;
                }
            }
            let step = self.adam.step();
            self.users.descend(step);
            self.items.descend(step);
        }
    }
}
