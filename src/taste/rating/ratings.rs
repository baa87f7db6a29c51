//! Ratings as numbers: who gave what how many stars, brought to -1 to 1.

use crate::taste::chance::Chance;
use crate::taste::interactions::Interactions;

/// Which stars are the worst and the best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stars {
    /// What becomes -1.
    pub least: f32,
    /// What becomes 1.
    pub most: f32,
}

impl Stars {
    /// One to five, unless some ratings are beyond: then as far as they go.
    pub fn of(ratings: impl IntoIterator<Item = f32>) -> Self {
        let usual = Stars { least: 1.0, most: 5.0 };
        ratings.into_iter().fold(usual, |found, stars| Stars {
            least: found.least.min(stars),
            most: found.most.max(stars),
        })
    }

    /// From -1 to 1.
    pub fn to_value(self, stars: f32) -> f32 {
        (stars - self.least) / (self.most - self.least) * 2.0 - 1.0
    }

    /// And back.
    pub fn of_value(self, value: f32) -> f32 {
        (value + 1.0) / 2.0 * (self.most - self.least) + self.least
    }
}

/// Somebody rated something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rated {
    /// The user's dense number.
    pub user: u32,
    /// The item's dense number.
    pub item: u32,
    /// From -1 to 1.
    pub value: f32,
    /// Which of the reviews goes with it.
    pub review: Option<u32>,
}

/// All ratings, and the reviews' texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratings {
    /// How many users there are.
    pub users: usize,
    /// How many items there are.
    pub items: usize,
    /// Who rated what.
    pub all: Vec<Rated>,
    /// What the values mean.
    pub stars: Stars,
    /// What was written, by number.
    pub reviews: Vec<String>,
}

impl Ratings {
    /// Those of a collection's interactions that say how well something was liked.
    pub fn of(interactions: &Interactions) -> Self {
        let stars = Stars::of(interactions.events.iter().filter_map(|event| event.rating));
        let mut reviews = Vec::new();
        let rated = interactions.events.iter().filter_map(|event| {
            let value = stars.to_value(event.rating?);
            let text = event.review.as_ref().filter(|text| !text.trim().is_empty());
            let review = text.map(|text| {
                reviews.push(text.clone());
                reviews.len() as u32 - 1
            });
            Some(Rated { user: event.user, item: event.item, value, review })
        });
        let all = rated.collect();
        let (users, items) = (interactions.users.len(), interactions.items.len());
        Ratings { users, items, all, stars, reviews }
    }

    /// To learn from, and to choose the best epoch by: a part of the ratings, drawn at random, of users who have
    /// others to learn from.
    pub fn divide(&self, part: f32, seed: u64) -> (Vec<Rated>, Vec<Rated>) {
        divided(&self.all, self.users, part, Chance::new(seed, "ratings held out", 0))
    }

    /// The same with a part to judge by, which nothing is chosen on.
    pub fn parts(&self, part: f32, seed: u64) -> Parts {
        let (rest, test) = self.divide(part, seed);
        let chance = Chance::new(seed, "ratings to choose by", 0);
        let (known, validation) = divided(&rest, self.users, part, chance);
        Parts { known, validation, test }
    }
}

/// Ratings for three purposes. Whoever has one in the other two has one among the known.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// To learn from.
    pub known: Vec<Rated>,
    /// To choose the best epoch by.
    pub validation: Vec<Rated>,
    /// To judge by.
    pub test: Vec<Rated>,
}

fn divided(all: &[Rated], users: usize, part: f32, mut chance: Chance) -> (Vec<Rated>, Vec<Rated>) {
    let mut left = vec![0usize; users];
    all.iter().for_each(|rated| left[rated.user as usize] += 1);
    let mut order: Vec<usize> = (0..all.len()).collect();
    chance.shuffle(&mut order);
    let mut held = vec![false; all.len()];
    let wanted = (all.len() as f32 * part) as usize;
    let mut taken = 0;
    for place in order {
        let left = &mut left[all[place].user as usize];
        if taken < wanted && *left > 1 {
            *left -= 1;
            taken += 1;
            held[place] = true;
        }
    }
    let of = |wanted: bool| {
        let pairs = all.iter().zip(&held).filter(|&(_, &held)| held == wanted);
        pairs.map(|(&rated, _)| rated).collect()
    };
    (of(false), of(true))
}

/// The mean squared error over ratings from -1 to 1: from 0 to 4.
pub fn mean_squared_error(ratings: &[Rated], told: &[f32]) -> f64 {
    let squares = ratings.iter().zip(told).map(|(rated, told)| {
        let error = f64::from(rated.value) - f64::from(*told);
        error * error
    });
    squares.sum::<f64>() / ratings.len().max(1) as f64
}
