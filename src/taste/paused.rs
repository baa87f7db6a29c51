//! A run that can be taken up again: the model as it stands, and the best that it has been.
//!
//! Flowing in, while training goes on: the model's state and the course so far. Kept:
//! `taste/NAME.run.safetensors`, until the run is over. Flowing out, at the next start of the same run: both. A run
//! is the same if model, settings, seed and what is learned from are; another one begins anew.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::Error;
use super::checkpoint::{Checkpoint, Column, write};
use super::factors::{Block, Factors};
use super::material::Material;
use super::model::{Array, Learned, Model};
use super::recipe::Recipe;
use super::split::Split;
use super::training::{Best, Course, EpochReport};
use crate::collection::Collection;
use crate::hex;

/// A run, by what makes it the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Run {
    version: u32,
    model: String,
    settings: Map<String, Value>,
    seed: u64,
    /// Of the split.
    history: String,
}

/// What stands in the file: whose run it is, and how far it has come.
#[derive(Serialize, Deserialize)]
struct About<C> {
    run: Run,
    #[serde(flatten)]
    course: C,
}

#[derive(Serialize, Deserialize)]
struct CourseAbout {
    epochs: Vec<EpochReport>,
    best: Option<BestAbout>,
}

#[derive(Serialize, Deserialize)]
struct BestAbout {
    epoch: Option<u32>,
    auc: Option<f64>,
    blocks: Vec<Block>,
    insight: bool,
}

const VERSION: u32 = 1;

/// What the names of a model's arrays, and of its best's insight, begin with.
pub(super) const STATE: &str = "state.";
const INSIGHT: &str = "insight.";

/// The file of a run.
pub struct Paused {
    path: PathBuf,
    run: Run,
    /// When it was last written.
    since: Instant,
    /// Write no more often than this.
    every: Duration,
}

impl Paused {
    /// The file of a recipe's run in its collection.
    pub fn new(collection: &Collection, recipe: &Recipe, split: &Split, seed: u64) -> Self {
        let mut hasher = Sha256::new();
        for history in [&split.train, &split.validation] {
            for (user, item) in history.pairs() {
                hasher.update(user.to_le_bytes());
                hasher.update(item.to_le_bytes());
            }
            hasher.update(u64::MAX.to_le_bytes());
        }
        let history = hex::encode(hasher.finalize());
        Paused::of(collection, recipe.name(), recipe.settings(), seed, history)
    }

    /// The file of the run of a model that has these settings and learns from what has this digest.
    pub(super) fn of(
        collection: &Collection,
        model: &str,
        settings: Map<String, Value>,
        seed: u64,
        history: String,
    ) -> Self {
        let run = Run { version: VERSION, model: model.to_owned(), settings, seed, history };
        let path = collection.models_folder().join(format!("{model}.run.safetensors"));
        Paused { path, run, since: Instant::now(), every: Duration::from_secs(10) }
    }

    /// Writes after every epoch, however short it was.
    pub fn always(mut self) -> Self {
        self.every = Duration::ZERO;
        self
    }

    /// Takes up the run where it was left, if it was; `model` is then in the state that it had.
    pub fn resume(
        &self,
        model: &mut dyn Model,
        recipe: &Recipe,
        material: &Material<'_>,
    ) -> Result<Course, Error> {
        let Some((file, CourseAbout { epochs, best })) = self.left()? else {
            return Ok(Course::default());
        };
        let best = match best {
            None => None,
            Some(about) => Some(self.best(&file, about, recipe, material)?),
        };
        model.restore(&file.arrays(STATE)?)?;
        Ok(Course { epochs, best })
    }

    /// The file where this very run was left, and how far it had come.
    pub(super) fn left<C: DeserializeOwned>(&self) -> Result<Option<(Checkpoint, C)>, Error> {
        let Some(file) = Checkpoint::open(&self.path)? else { return Ok(None) };
        let About { run, course } = file.about()?;
        Ok((run == self.run).then_some((file, course)))
    }

    /// Whether it is time to write again.
    pub(super) fn due(&self) -> bool {
        self.since.elapsed() >= self.every
    }

    /// Writes down how far the run has come.
    pub(super) fn keep(
        &mut self,
        course: impl Serialize,
        columns: &[(String, Column<'_>)],
    ) -> Result<(), Error> {
        write(&self.path, &About { run: self.run.clone(), course }, columns)?;
        self.since = Instant::now();
        Ok(())
    }

    fn best(
        &self,
        file: &Checkpoint,
        about: BestAbout,
        recipe: &Recipe,
        material: &Material<'_>,
    ) -> Result<Best, Error> {
        let (users, items) = (file.array("users")?.values, file.array("items")?.values);
        let factors = Factors::restored(about.blocks, users, items)
            .ok_or_else(|| file.damaged("its parts do not fit each other"))?;
        let insight = match about.insight {
            true => recipe.insight(&file.arrays(INSIGHT)?, material)?,
            false => None,
        };
        Ok(Best { epoch: about.epoch, auc: about.auc, learned: Learned { factors, insight } })
    }

    /// Writes the run down, unless it was written just now.
    pub fn write(&mut self, model: &dyn Model, course: &Course) -> Result<(), Error> {
        if !self.due() {
            return Ok(());
        }
        let state = model.state()?;
        let mut columns: Vec<_> = state
            .iter()
            .map(|(name, array)| (format!("{STATE}{name}"), Column::Floats(array)))
            .collect();
        let mut kept: Vec<(String, Array)> = Vec::new();
        let best = course.best.as_ref().map(|best| {
            let Learned { factors, insight } = &best.learned;
            kept.push(("users".to_owned(), Array::rows(1, factors.users().to_vec())));
            kept.push(("items".to_owned(), Array::rows(1, factors.items().to_vec())));
            let arrays = insight.as_ref().map(|insight| insight.state()).unwrap_or_default();
            kept.extend(arrays.into_iter().map(|(name, a)| (format!("{INSIGHT}{name}"), a)));
            BestAbout {
                epoch: best.epoch,
                auc: best.auc,
                blocks: factors.blocks().to_vec(),
                insight: insight.is_some(),
            }
        });
        columns.extend(kept.iter().map(|(name, array)| (name.clone(), Column::Floats(array))));
        self.keep(CourseAbout { epochs: course.epochs.clone(), best }, &columns)
    }

    /// The run is over.
    pub fn remove(self) -> Result<(), Error> {
        match fs::remove_file(&self.path) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                Err(Error::Io { path: self.path, source })
            }
            _ => Ok(()),
        }
    }
}
