//! A study: models and baselines on one split, from several seeds, side by side.
//!
//! Flowing in: interactions, recipes. Flowing out: a row a model, with means and deviations over seeds and
//! a paired test against the best baseline, or against a model of one's choice.

use super::baselines::{Popularity, Random, VisRank};
use super::evaluate::{Judge, Judged, Slice};
use super::features::Features;
use super::history::History;
use super::interactions::Interactions;
use super::material::Material;
use super::ranker::Ranker;
use super::recipe::Recipe;
use super::significance::{Difference, compare};
use super::split::{Split, SplitRule};
use super::training::Training;
use super::trial::attempt;
use super::tries::{Grid, Tried};
use super::{Error, ModelError};

/// What is to be compared, and how.
pub struct Study<'a> {
    interactions: &'a Interactions,
    material: &'a Material<'a>,
    split: Split,
    features: Option<Features>,
    /// How to judge.
    pub judge: Judge,
    /// How to train.
    pub training: Training,
    /// From which seeds.
    pub seeds: Vec<u64>,
    /// Judge by the validation, and leave the test alone.
    pub on_validation: bool,
    /// With which model or baseline all others are compared, instead of models with the best baseline.
    pub against: Option<String>,
}

/// A mean, and how far the seeds scatter about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// Over seeds, of the mean over users.
    pub mean: f64,
    /// The sample deviation over seeds; 0 where there is one.
    pub deviation: f64,
}

/// A model in one slice.
#[derive(Debug, Clone, PartialEq)]
pub struct SliceFigures {
    /// How many users it is about.
    pub users: usize,
    /// In the order of the judge's metrics; `None` where there are no users.
    pub figures: Vec<Option<Figure>>,
}

/// A model's row in the table.
#[derive(Debug, Clone, PartialEq)]
pub struct StudyRow {
    /// The model.
    pub model: String,
    /// Whether it learned anything.
    pub trained: bool,
    /// From how many seeds.
    pub seeds: usize,
    /// In the order of the judge's slices.
    pub slices: Vec<SliceFigures>,
    /// The first metric of each user, the mean over seeds.
    pub by_user: Vec<f64>,
    /// What it was compared with, user by user; `None` where it was with nothing.
    pub comparison: Option<Comparison>,
}

/// A model beside another one, by the first metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The other one.
    pub against: String,
    /// How far it is ahead, and how likely so much would be by chance.
    pub difference: Difference,
}

impl<'a> Study<'a> {
    /// Divides interactions by a rule. Chance in the rule is the same for every seed of the study.
    pub fn new(
        interactions: &'a Interactions,
        material: &'a Material<'a>,
        rule: SplitRule,
    ) -> Self {
        let of = |collection| Features::of(collection, &interactions.items);
        Study {
            split: Split::new(interactions, rule, 1),
            features: material.collection().and_then(of),
            interactions,
            material,
            judge: Judge::default(),
            training: Training::default(),
            seeds: vec![1],
            on_validation: false,
            against: None,
        }
    }

    /// Judges as if this part of the items had only just come in: see [`Split::with_arrivals`].
    pub fn with_arrivals(self, part: f32) -> Self {
        Study { split: self.split.with_arrivals(part, 1), ..self }
    }

    /// The split that is judged by, and what is left out of its rankings.
    fn parts(&self) -> (Split, &History) {
        match self.on_validation {
            true => (self.split.clone(), &self.split.validation),
            false => (self.split.without_validation(), &self.split.test),
        }
    }

    /// Trains and judges; `tell` hears of every trial.
    pub fn run(
        &self,
        recipes: &[Recipe],
        tell: &mut dyn FnMut(&str),
    ) -> Result<Vec<StudyRow>, Error> {
        let (known, held_out) = self.parts();
        if held_out.is_empty() {
            let what = if self.on_validation { "validation" } else { "the test" };
            return Err(Error::NothingHeldOut { what });
        }
        let judge = |ranker: &dyn Ranker| self.judge.judge(ranker, &known.train, held_out);
        let mut rows = Vec::new();
        let random = self.seeds.iter().map(|&seed| judge(&Random { seed })).collect();
        rows.push(self.row("random", false, random));
        rows.push(self.row("popularity", false, vec![judge(&Popularity::new(&known.train))]));
        let centred = self.material.features().map(|features| &**features);
        for (name, features) in [("visrank", self.features.as_ref()), ("visrank-centred", centred)]
        {
            if let Some(features) = features {
                rows.push(self.row(
                    name,
                    false,
                    vec![judge(&VisRank::new(&known.train, features))],
                ));
            }
        }
        let baselines = rows.len();
        for recipe in recipes {
            let mut judged = Vec::new();
            for &seed in &self.seeds {
                let training = Training { seed, ..self.training.clone() };
                let refit = !self.on_validation;
                let material = self.material;
                match attempt(recipe, &self.split, material, &training, refit, &mut |_, _| Ok(())) {
                    Err(Error::Model(lacks @ ModelError::Lacks { .. })) => {
                        tell(&format!("{} is left out: {lacks}", recipe.name()));
                        break;
                    }
                    trial => {
                        let trial = trial?;
                        judged.push(judge(&*trial.best.learned.ranker()));
                        tell(&told(recipe.name(), seed, &trial));
                    }
                }
            }
            if !judged.is_empty() {
                rows.push(self.row(recipe.name(), true, judged));
            }
        }
        self.confront(&mut rows, baselines)?;
        Ok(rows)
    }

    /// Compares rows with the one that is asked for, or those of models with the best of the baselines, which
    /// come first.
    fn confront(&self, rows: &mut [StudyRow], baselines: usize) -> Result<(), Error> {
        let other = match &self.against {
            Some(name) => {
                let found = rows.iter().find(|row| row.model == *name);
                Some(found.ok_or_else(|| Error::NotJudged {
                    name: name.clone(),
                    known: rows.iter().map(|row| row.model.clone()).collect(),
                })?)
            }
            None => rows[..baselines].iter().max_by(|a, b| first(a).total_cmp(&first(b))),
        };
        let Some(StudyRow { model: against, by_user, .. }) = other.cloned() else { return Ok(()) };
        for row in rows.iter_mut().filter(|row| row.model != against) {
            if row.trained || self.against.is_some() {
                let difference = compare(&row.by_user, &by_user, 1);
                let against = || against.clone();
                row.comparison =
                    difference.map(|difference| Comparison { against: against(), difference });
            }
        }
        Ok(())
    }

    /// Trains a model with every choice of a grid and judges each on the validation; the test is not looked at.
    /// They come as the grid has them, and `tell` hears of each.
    pub fn choose(&self, grid: &Grid, tell: &mut dyn FnMut(&Tried)) -> Result<Vec<Tried>, Error> {
        let seed = self.seeds.first().copied().unwrap_or(1);
        let training = Training { seed, ..self.training.clone() };
        grid.all_tried(&self.split, self.material, &training, tell)
    }

    fn row(&self, model: &str, trained: bool, runs: Vec<Vec<Judged>>) -> StudyRow {
        let slices = (0..self.judge.slices.len()).map(|slice| {
            let figure = |metric: usize| {
                let means: Option<Vec<f64>> =
                    runs.iter().map(|judged| judged[slice].mean(metric)).collect();
                means.map(|means| figure(&means))
            };
            SliceFigures {
                users: runs.first().map_or(0, |judged| judged[slice].users.len()),
                figures: (0..self.judge.metrics.len()).map(figure).collect(),
            }
        });
        let slices = slices.collect();
        let users = runs.first().map_or(0, |judged| judged[0].users.len());
        let by_user = (0..users)
            .map(|user| {
                runs.iter().map(|judged| judged[0].values[0][user]).sum::<f64>() / runs.len() as f64
            })
            .collect();
        StudyRow {
            model: model.to_owned(),
            trained,
            seeds: runs.len(),
            slices,
            by_user,
            comparison: None,
        }
    }

    /// The study in a sentence.
    pub fn about(&self) -> String {
        let (_, held_out) = self.parts();
        let judged = held_out.users()
            - (0..held_out.users() as u32).filter(|&u| held_out.of(u).is_empty()).count();
        format!(
            "{} users took {} of {} items; {} held out of {judged} users{}",
            self.interactions.users.len(),
            self.interactions.events.len(),
            self.interactions.items.len(),
            held_out.len(),
            if self.on_validation { " for validation" } else { "" },
        )
    }

    /// What is written behind a metric of each slice.
    pub fn slice_names(&self) -> Vec<String> {
        let name = |slice: &Slice| match slice {
            Slice::All => String::new(),
            Slice::Warm => "-warm".to_owned(),
            Slice::Cold => "-cold".to_owned(),
            Slice::Few(most) => format!("-few{most}"),
        };
        self.judge.slices.iter().map(name).collect()
    }
}

/// The first metric over all users.
fn first(row: &StudyRow) -> f64 {
    row.slices.first().and_then(|slice| slice.figures[0]).map_or(f64::NEG_INFINITY, |f| f.mean)
}

/// A trial in a line.
fn told(model: &str, seed: u64, trial: &super::trial::Trial) -> String {
    let seconds: f64 = trial.course.epochs.iter().map(|epoch| epoch.seconds).sum();
    let auc = trial.best.auc.map_or(String::new(), |auc| format!(", validation AUC {auc:.4}"));
    let best = match trial.best.epoch {
        Some(epoch) => format!("best after epoch {}", epoch + 1),
        None => "best before the first epoch".to_owned(),
    };
    let epochs = trial.course.epochs.len();
    format!("{model}, seed {seed}: {epochs} epochs in {seconds:.1} s, {best}{auc}")
}

fn figure(means: &[f64]) -> Figure {
    let mean = means.iter().sum::<f64>() / means.len() as f64;
    let squares: f64 = means.iter().map(|m| (m - mean) * (m - mean)).sum();
    let deviation = if means.len() > 1 { (squares / (means.len() - 1) as f64).sqrt() } else { 0.0 };
    Figure { mean, deviation }
}
