//! Training with an eye on ratings that were held out: the best epoch kept, beside what is told without looking.
//!
//! Flowing in: ratings divided, pictures, reviews' vectors. Flowing out: a model at its best, its course, and the
//! baselines' errors on the same ratings.

use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::baselines::{Biases, Factorisation};
use super::learn::Rating;
use super::ratings::{Parts, Rated, Ratings, mean_squared_error};
use super::settings::{Losses, RatingSettings};
use crate::taste::Error;
use crate::taste::features::Features;
use crate::taste::gallery::Gallery;

/// What an epoch came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RatingEpoch {
    /// Which, from 0.
    pub epoch: u32,
    /// Of both phases.
    pub losses: Losses,
    /// The mean squared error on what was held out to choose by.
    pub mse: f64,
    /// What it took, without the look at what was held out.
    #[serde(skip)]
    pub seconds: f64,
}

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatingTraining {
    /// The most epochs; as published, 30.
    pub epochs: u32,
    /// Stop when so many epochs have brought nothing better.
    pub patience: u32,
    /// Where chance starts from.
    pub seed: u64,
}

/// A model at its best.
pub struct TrainedRating {
    /// In the state after its best epoch.
    pub model: Rating,
    /// In order.
    pub epochs: Vec<RatingEpoch>,
    /// The least error on what was held out, and after which epoch.
    pub best: Option<RatingEpoch>,
}

impl RatingTraining {
    /// Trains; `tell` hears of every epoch.
    pub fn run(
        &self,
        users: usize,
        (known, held): (&[Rated], &[Rated]),
        gallery: Arc<Gallery>,
        reviews: Option<Arc<Features>>,
        settings: RatingSettings,
        tell: &mut dyn FnMut(&RatingEpoch),
    ) -> Result<TrainedRating, Error> {
        let settings = RatingSettings { seed: self.seed, ..settings };
        let mut model = Rating::new(users, gallery, reviews, settings)?;
        let pairs: Vec<(u32, u32)> = held.iter().map(|rated| (rated.user, rated.item)).collect();
        let (mut epochs, mut best): (Vec<RatingEpoch>, Option<RatingEpoch>) = (Vec::new(), None);
        let mut kept = None;
        for epoch in 0..self.epochs {
            let since = best.map_or(epoch, |best| epoch - best.epoch - 1);
            if best.is_some() && since >= self.patience.max(1) {
                break;
            }
            let start = Instant::now();
            let losses = model.learn(known, self.seed, epoch)?;
            let seconds = start.elapsed().as_secs_f64();
            if !(losses.rating + losses.pixels).is_finite() {
                return Err(Error::Diverged { epoch });
            }
            let mse = mean_squared_error(held, &model.judge(&pairs)?.0);
            let now = RatingEpoch { epoch, losses, mse, seconds };
            epochs.push(now);
            // Where nothing is held out, every epoch is better than the one before.
            if held.is_empty() || best.is_none_or(|best| mse < best.mse) {
                best = Some(now);
                kept = Some(model.state()?);
            }
            tell(&now);
        }
        if let Some(kept) = kept {
            model.restore(&kept)?;
        }
        Ok(TrainedRating { model, epochs, best })
    }
}

/// The errors on the test of what is told without looking: by name. Factors are those of the epoch that was the best on
/// the validation.
pub fn baselines(ratings: &Ratings, parts: &Parts, seed: u64) -> Vec<(&'static str, f64)> {
    let biases = Biases::of(ratings, &parts.known);
    let error = |of: &[Rated], tell: &dyn Fn(&Rated) -> f32| {
        let told: Vec<f32> = of.iter().map(tell).collect();
        mean_squared_error(of, &told)
    };
    let mean = error(&parts.test, &|_| biases.mean);
    let biased = error(&parts.test, &|rated| biases.tell(Some(rated.user), Some(rated.item)));
    let mut factors = Factorisation::new(biases.clone(), 16, 0.1, 5e-3, seed);
    let (mut least, mut factored) = (f64::INFINITY, biased);
    for epoch in 0..20 {
        factors.learn(&parts.known, seed, epoch);
        let tell = |rated: &Rated| factors.tell(rated.user, rated.item);
        let chosen_by = error(&parts.validation, &tell);
        if chosen_by < least {
            (least, factored) = (chosen_by, error(&parts.test, &tell));
        }
    }
    vec![("mean", mean), ("biases", biased), ("mf", factored)]
}

impl TrainedRating {
    /// The mean squared error on some ratings.
    pub fn error(&self, ratings: &[Rated]) -> Result<f64, Error> {
        let pairs: Vec<(u32, u32)> = ratings.iter().map(|rated| (rated.user, rated.item)).collect();
        Ok(mean_squared_error(ratings, &self.model.judge(&pairs)?.0))
    }
}
