//! The training loop: epochs, a look at the validation after each, and the best of them kept.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::Error;
use super::chance::Chance;
use super::evaluate::Judge;
use super::history::History;
use super::model::{Learned, Model};
use super::split::Split;

/// How to train.
#[derive(Debug, Clone)]
pub struct Training {
    /// The most epochs.
    pub epochs: u32,
    /// Stop when so many epochs have brought nothing better.
    pub patience: u32,
    /// Where chance starts from.
    pub seed: u64,
    /// Validate on so many users at most, drawn at random: a large shop's AUC needs no more.
    pub validation_users: usize,
}

impl Default for Training {
    fn default() -> Self {
        Training { epochs: 50, patience: 5, seed: 1, validation_users: 10_000 }
    }
}

/// What an epoch came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Which, from 0.
    pub epoch: u32,
    /// The mean of `-ln sigmoid(x_ui - x_uj)` over its triples.
    pub loss: f64,
    /// On the validation; `None` where nothing was held out for one.
    pub auc: Option<f64>,
    /// What it took, without the look at the validation.
    #[serde(skip)]
    pub seconds: f64,
}

/// A model at its best.
#[derive(Clone)]
pub struct Best {
    /// After which epoch; `None` where nothing that was learned was better than where it started.
    pub epoch: Option<u32>,
    /// On the validation.
    pub auc: Option<f64>,
    /// What it had come to.
    pub learned: Learned,
}

/// A run, as far as it has come.
#[derive(Clone, Default)]
pub struct Course {
    /// In order.
    pub epochs: Vec<EpochReport>,
    /// The best so far.
    pub best: Option<Best>,
}

impl Training {
    /// Trains from where `course` left off, `model` being in the state that it had then. `each` is told of
    /// every epoch, and may end the run with an error.
    ///
    /// Where the split holds nothing out for validation, every epoch counts as better than the one
    /// before.
    pub fn run(
        &self,
        model: &mut dyn Model,
        split: &Split,
        mut course: Course,
        each: &mut dyn FnMut(&dyn Model, &Course) -> Result<(), Error>,
    ) -> Result<Course, Error> {
        let validation = self.sampled(&split.validation);
        if course.best.is_none() && !validation.is_empty() {
            course.best = Some(self.look(model, split, &validation, None)?);
        }
        let first = course.epochs.len() as u32;
        for epoch in first..self.epochs {
            let since = course.best.as_ref().map(|best| best.epoch.map_or(0, |best| best + 1));
            if since.is_some_and(|since| epoch - since >= self.patience.max(1)) {
                break;
            }
            let start = Instant::now();
            let loss = model.epoch(&split.train, self.seed, epoch)?;
            let seconds = start.elapsed().as_secs_f64();
            if !loss.is_finite() {
                return Err(Error::Diverged { epoch: epoch + 1 });
            }
            let now = self.look(model, split, &validation, Some(epoch))?;
            course.epochs.push(EpochReport { epoch, loss, auc: now.auc, seconds });
            let better = match (course.best.as_ref().and_then(|best| best.auc), now.auc) {
                (Some(best), Some(auc)) => auc > best,
                _ => true,
            };
            if better {
                course.best = Some(now);
            }
            each(model, &course)?;
        }
        Ok(course)
    }

    /// What the model has come to, judged.
    fn look(
        &self,
        model: &dyn Model,
        split: &Split,
        validation: &History,
        epoch: Option<u32>,
    ) -> Result<Best, Error> {
        let learned = model.learned()?;
        let judged = Judge::auc().judge(&*learned.ranker(), &split.train, validation);
        let auc = judged.first().and_then(|judged| judged.mean(0));
        Ok(Best { epoch, auc, learned })
    }

    /// The validation of some users, where there are too many.
    fn sampled(&self, validation: &History) -> History {
        let mut users: Vec<u32> = (0..validation.users() as u32)
            .filter(|&user| !validation.of(user).is_empty())
            .collect();
        if users.len() <= self.validation_users {
            return validation.clone();
        }
        Chance::new(self.seed, "validation", 0).shuffle(&mut users);
        users.truncate(self.validation_users);
        users.sort_unstable();
        let pairs = users.iter().flat_map(|&u| validation.of(u).iter().map(move |&item| (u, item)));
        History::new(validation.users(), validation.inventory(), pairs)
    }
}
