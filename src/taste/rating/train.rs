//! Training with an eye on ratings that were held out: the best epoch kept, beside what is told without looking.
//!
//! Flowing in: ratings divided, pictures, reviews' vectors. Flowing out: a model at its best, its course, and the
//! baselines' errors on the same ratings.

use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::baselines::{Biases, Factorisation};
use super::ground::Ground;
use super::learn::Rating;
use super::ratings::{Parts, Rated, Ratings, mean_squared_error};
use super::settings::{Losses, RatingSettings};
use crate::taste::Error;
use crate::taste::features::Features;
use crate::taste::gallery::Gallery;
use crate::taste::model::State;

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

/// The best that a run has been.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BestRating {
    /// After which epoch; `None` where nothing that was learned was better than where it started.
    pub epoch: Option<u32>,
    /// On what was held out.
    #[serde(with = "bits")]
    pub mse: f64,
}

impl BestRating {
    /// After how many epochs.
    pub fn epochs(&self) -> u32 {
        self.epoch.map_or(0, |epoch| epoch + 1)
    }
}

/// To the last bit, which decides what is better: JSON's numbers may lose it.
mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.to_bits())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        u64::deserialize(from).map(f64::from_bits)
    }
}

/// A run, as far as it has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RatingCourse {
    /// In order.
    pub epochs: Vec<RatingEpoch>,
    /// The best so far.
    pub best: Option<BestRating>,
    /// What the model was then.
    #[serde(skip)]
    pub(super) state: State,
}

/// A model at its best.
pub struct TrainedRating {
    /// In the state after its best epoch.
    pub model: Rating,
    /// In order.
    pub epochs: Vec<RatingEpoch>,
    /// The least error on what was held out, and after which epoch.
    pub best: Option<BestRating>,
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
        let model = self.start(users, known, gallery, reviews, settings)?;
        self.go_on(model, (known, held), RatingCourse::default(), &mut |_, course| {
            course.epochs.last().into_iter().for_each(&mut *tell);
            Ok(())
        })
    }

    /// A model on its ground, before it has learned anything.
    pub fn start(
        &self,
        users: usize,
        known: &[Rated],
        gallery: Arc<Gallery>,
        reviews: Option<Arc<Features>>,
        settings: RatingSettings,
    ) -> Result<Rating, Error> {
        let settings = RatingSettings { seed: self.seed, ..settings };
        let ground = Ground::fit(settings.ground, (users, gallery.len()), known, self.seed);
        Rating::new(users, gallery, reviews, settings)?.on(ground)
    }

    /// Trains from where `course` left off, `model` being in the state that it had then. `each` hears of every
    /// epoch, and may end the run with an error.
    pub fn go_on(
        &self,
        mut model: Rating,
        (known, held): (&[Rated], &[Rated]),
        mut course: RatingCourse,
        each: &mut dyn FnMut(&Rating, &RatingCourse) -> Result<(), Error>,
    ) -> Result<TrainedRating, Error> {
        let pairs: Vec<(u32, u32)> = held.iter().map(|rated| (rated.user, rated.item)).collect();
        let look = |model: &Rating| -> Result<f64, Error> {
            Ok(mean_squared_error(held, &model.judge(&pairs)?.0))
        };
        if course.best.is_none() && !held.is_empty() {
            course.best = Some(BestRating { epoch: None, mse: look(&model)? });
            course.state = model.state()?;
        }
        for epoch in course.epochs.len() as u32..self.epochs {
            let since = course.best.map_or(epoch, |best| best.epochs());
            if epoch - since >= self.patience.max(1) {
                break;
            }
            let start = Instant::now();
            let losses = model.learn(known, self.seed, epoch)?;
            let seconds = start.elapsed().as_secs_f64();
            if !(losses.rating + losses.pixels).is_finite() {
                return Err(Error::Diverged { epoch });
            }
            let mse = look(&model)?;
            course.epochs.push(RatingEpoch { epoch, losses, mse, seconds });
            // Where nothing is held out, every epoch is better than the one before.
            if held.is_empty() || course.best.is_none_or(|best| mse < best.mse) {
                course.best = Some(BestRating { epoch: Some(epoch), mse });
                course.state = model.state()?;
            }
            each(&model, &course)?;
        }
        if course.best.is_some() {
            model.restore(&course.state)?;
        }
        Ok(TrainedRating { model, epochs: course.epochs, best: course.best })
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
