//! Ratings of which the pictures, or the reviews, tell more than the ratings themselves.
//!
//! - **Pictures.** On each item's picture, somewhere among noise, is a red or a blue patch. Half of the users love the
//!   red ones, half the blue ones.
//! - **Reviews.** Users and items have four tastes each, and a rating is how well they agree. What a user writes tells
//!   of both tastes, and so more than the one number does.
//!
//! Ratings are few and noisy, so that whoever learns from them alone stays behind. Where pictures or reviews say
//! nothing, they are noise: what is gained by them then is chance.

use std::sync::Arc;

use lookalike::taste::rating::{Rated, Ratings, SIDE, Stars};
use lookalike::taste::{Features, Gallery};

use crate::seed::Rng;

/// Users, items and ratings a user where pictures tell: whom a user loves is soon known, and an item's picture says
/// more than the few who rated it.
const BUSY: [usize; 3] = [100, 800, 48];
/// The same where reviews tell: nobody is known well by ratings alone.
const IDLE: [usize; 3] = [240, 120, 8];
/// Values of a taste.
const TASTES: usize = 4;
/// Values of what is written: both tastes, and where they meet.
const WRITTEN: usize = 3 * TASTES;
/// How far a rating is off what was meant.
const NOISE: f64 = 0.3;
/// Rows and columns of a patch.
const PATCH: usize = 9;

/// What says more than ratings do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// The items' pictures.
    Pictures,
    /// The users' reviews.
    Reviews,
}

/// Ratings, pictures and reviews.
pub struct PlantedStars {
    /// Who rated what.
    pub ratings: Ratings,
    /// Of the items.
    pub gallery: Arc<Gallery>,
    /// Vectors of what was written.
    pub reviews: Arc<Features>,
}

impl PlantedStars {
    /// Draws them.
    pub fn draw(telling: Telling, seed: u64) -> Self {
        let [users, items, each] = match telling {
            Telling::Pictures => BUSY,
            Telling::Reviews => IDLE,
        };
        let taste = |name: &str, n: usize| -> Vec<f64> {
            let mut rng = Rng::new(seed, name, n as u64);
            (0..TASTES).map(|_| 0.5 * rng.normal()).collect()
        };
        let (mut all, mut written) = (Vec::new(), Vec::new());
        for user in 0..users {
            let mut rng = Rng::new(seed, "rater of planted", user as u64);
            let own = taste("user", user);
            for _ in 0..each {
                let item = rng.below(items);
                let other = taste("item", item);
                let meant = match telling {
                    Telling::Reviews => own.iter().zip(&other).map(|(p, q)| p * q).sum(),
                    Telling::Pictures if is_red(item) == (user % 2 == 0) => 0.5,
                    Telling::Pictures => -0.5,
                };
                let value = (meant + NOISE * rng.normal()).clamp(-1.0, 1.0) as f32;
                let review = Some(all.len() as u32);
                all.push(Rated { user: user as u32, item: item as u32, value, review });
                written.extend(match telling {
                    Telling::Reviews => words(&own, &other),
                    Telling::Pictures => words(&[rng.normal(); TASTES], &[rng.normal(); TASTES]),
                });
            }
        }
        let picture = |item| Some(picture(item, telling == Telling::Pictures, seed));
        let stars = Stars { least: 1.0, most: 5.0 };
        PlantedStars {
            ratings: Ratings { users, items, all, stars, reviews: Vec::new() },
            gallery: Arc::new(Gallery::new(SIDE, (0..items).map(picture).collect())),
            reviews: Arc::new(Features::new(written, WRITTEN)),
        }
    }
}

fn is_red(item: usize) -> bool {
    (item / 3).is_multiple_of(2)
}

/// What is written, as a vector of length one.
fn words(own: &[f64], other: &[f64]) -> Vec<f32> {
    let met = own.iter().zip(other).map(|(p, q)| 2.0 * p * q);
    let row: Vec<f64> = own.iter().chain(other).copied().chain(met).collect();
    let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
    row.iter().map(|x| (x / length) as f32).collect()
}

/// Noise, with a patch or without, channel by channel.
fn picture(item: usize, patch: bool, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed, "planted picture", item as u64);
    let mut pixels: Vec<u8> = (0..3 * SIDE * SIDE).map(|_| (96 + rng.below(64)) as u8).collect();
    if patch {
        let (top, left) = (rng.below(SIDE - PATCH), rng.below(SIDE - PATCH));
        let loud = if is_red(item) { 0 } else { 2 };
        for channel in 0..3 {
            for row in top..top + PATCH {
                let from = (channel * SIDE + row) * SIDE + left;
                pixels[from..from + PATCH].fill(if channel == loud { 230 } else { 40 });
            }
        }
    }
    pixels
}
