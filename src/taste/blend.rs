//! Weights of several models together, learned on the validation.
//!
//! ```text
//! score = sum_k w_k n(x_k)        n(x) = (x - least) / (most - least)        w_k >= 0, sum_k w_k = 1
//! ```
//!
//! Flowing in: recipes and a split. Flowing out: a weight a model, which the collection keeps for `search --rerank
//! blend`. Each model is trained on the training part alone, so that none has seen what the weights are chosen by.
//! `least` and `most` are over a user's whole inventory here, and over the candidates where the weights are used. The
//! search goes model by model over tenths, from equal weights, for the AUC on the validation, until nothing is better.
//!
//! A blend is nothing but its members: where it is asked for, they are, each for its weight, and receipts name them.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Error;
use super::evaluate::Judge;
use super::history::History;
use super::material::Material;
use super::ranker::Ranker;
use super::rating::reranker;
use super::recipe::Recipe;
use super::served::Reranker;
use super::split::Split;
use super::training::{Course, Training};
use super::trial::attempt;
use crate::collection::Collection;

/// So many scores a model are held in memory at the most; users beyond that are not asked.
const SCORES: usize = 20_000_000;

/// What a blend is called where a model is asked for.
pub const NAME: &str = "blend";

/// What a blend came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blend {
    /// The models with their weights, which sum to one.
    pub weights: Vec<(String, f32)>,
    /// The AUC of each model alone, on the validation.
    pub alone: Vec<f64>,
    /// The AUC of all together.
    pub together: f64,
}

fn file(collection: &Collection) -> PathBuf {
    collection.models_folder().join("blend.json")
}

impl Blend {
    /// Becomes the collection's blend.
    pub fn keep(&self, collection: &Collection) -> Result<PathBuf, Error> {
        let path = file(collection);
        let io = |source| Error::Io { path: path.clone(), source };
        let folder = collection.models_folder();
        fs::create_dir_all(&folder).map_err(io)?;
        let mut beside = tempfile::NamedTempFile::new_in(&folder).map_err(io)?;
        let text = serde_json::to_vec_pretty(self).map_err(|e| io(e.into()))?;
        beside.write_all(&text).and_then(|()| beside.as_file().sync_all()).map_err(io)?;
        beside.persist(&path).map_err(|e| io(e.error))?;
        Ok(path)
    }

    /// The collection's blend; `None` where it has none.
    pub fn kept(collection: &Collection) -> Result<Option<Self>, Error> {
        let path = file(collection);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Io { path, source }),
            Ok(text) => text,
        };
        let blend: Blend = serde_json::from_slice(&text)
            .map_err(|e| Error::Damaged { path: path.clone(), reason: e.to_string() })?;
        let is_one =
            |(name, weight): &(String, f32)| name != NAME && weight.is_finite() && *weight >= 0.0;
        if !blend.weights.iter().all(is_one) {
            let reason = "its weights are none".to_owned();
            return Err(Error::Damaged { path, reason });
        }
        Ok(Some(blend))
    }
}

/// A model that is open, and what it counts for.
pub type Weighed<'a> = (Box<dyn Reranker + 'a>, f32);

/// Opens any of a collection's models, to put hits into order; of its blend, every member that counts.
pub fn rerankers<'a>(
    collection: &'a Collection,
    name: &str,
    weight: f32,
) -> Result<Vec<Weighed<'a>>, Error> {
    let members = match name {
        NAME => Blend::kept(collection)?.map(|blend| blend.weights),
        _ => None,
    };
    // Where there is no blend, opening one says so.
    let members = members.unwrap_or_else(|| vec![(name.to_owned(), 1.0)]);
    let counting = members.into_iter().filter(|(_, part)| *part > 0.0);
    counting.map(|(name, part)| Ok((reranker(collection, &name)?, weight * part))).collect()
}

/// Learns the weights of some recipes; `tell` hears of each model. Beside the blend, the course of each model, so that it
/// can be finished.
pub fn blend(
    recipes: &[Recipe],
    split: &Split,
    material: &Material<'_>,
    training: &Training,
    tell: &mut dyn FnMut(&str),
) -> Result<(Blend, Vec<Course>), Error> {
    let (users, validation) = asked(&split.validation);
    if users.is_empty() || recipes.is_empty() {
        return Err(Error::NothingHeldOut { what: "validation" });
    }
    let (mut models, mut courses) = (Vec::new(), Vec::new());
    for recipe in recipes {
        let trial = attempt(recipe, split, material, training, false, &mut |_, _| Ok(()))?;
        let mut scores = vec![0.0; users.len() * split.train.inventory()];
        trial.best.learned.ranker().score(&users, &mut scores);
        scores.chunks_mut(split.train.inventory().max(1)).for_each(normalise);
        models.push(scores);
        courses.push(trial.course);
        tell(recipe.name());
    }
    let auc = |weights: &[f32]| {
        let mixed = Mixed { users: &users, models: &models, weights };
        let judged = Judge::auc().judge(&mixed, &split.train, &validation);
        judged.first().and_then(|judged| judged.mean(0)).unwrap_or(0.0)
    };
    let only = |n: usize| -> Vec<f32> {
        (0..models.len()).map(|m| if m == n { 1.0 } else { 0.0 }).collect()
    };
    let alone: Vec<f64> = (0..models.len()).map(|n| auc(&only(n))).collect();
    let (weights, together) = climb(models.len(), auc);
    let names = recipes.iter().map(|recipe| recipe.name().to_owned());
    Ok((Blend { weights: names.zip(weights).collect(), alone, together }, courses))
}

/// The users who are asked, and what was held out of them.
fn asked(validation: &History) -> (Vec<u32>, History) {
    let most = SCORES / validation.inventory().max(1);
    let users = (0..validation.users() as u32).filter(|&user| !validation.of(user).is_empty());
    let users: Vec<u32> = users.take(most).collect();
    let pairs = users.iter().flat_map(|&u| validation.of(u).iter().map(move |&item| (u, item)));
    let kept = History::new(validation.users(), validation.inventory(), pairs);
    (users, kept)
}

/// Brings scores to 0 to 1; where all are equal, to 0.
fn normalise(scores: &mut [f32]) {
    let least = scores.iter().copied().fold(f32::INFINITY, f32::min);
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let scale = if most > least { 1.0 / (most - least) } else { 0.0 };
    scores.iter_mut().for_each(|score| *score = (*score - least) * scale);
}

/// The best weights that are found model by model, and what they come to.
fn climb(models: usize, worth: impl Fn(&[f32]) -> f64) -> (Vec<f32>, f64) {
    let mut best = vec![1.0 / models as f32; models];
    let mut most = worth(&best);
    loop {
        let before = most;
        for model in 0..models {
            for tenths in 0..=10u8 {
                let share = f32::from(tenths) / 10.0;
                let others = 1.0 - best[model];
                let mut weights: Vec<f32> = match others > 0.0 {
                    true => best.iter().map(|w| w / others * (1.0 - share)).collect(),
                    false => vec![(1.0 - share) / (models.max(2) - 1) as f32; models],
                };
                weights[model] = share;
                let found = worth(&weights);
                if found > most && weights.iter().any(|&weight| weight > 0.0) {
                    (best, most) = (weights, found);
                }
            }
        }
        if most <= before {
            return (best, most);
        }
    }
}

/// Scores of several models that lie ready, weighed.
struct Mixed<'a> {
    users: &'a [u32],
    models: &'a [Vec<f32>],
    weights: &'a [f32],
}

impl Ranker for Mixed<'_> {
    fn score(&self, users: &[u32], scores: &mut [f32]) {
        let items = scores.len() / users.len().max(1);
        scores.fill(0.0);
        for (user, scores) in users.iter().zip(scores.chunks_mut(items.max(1))) {
            let Ok(place) = self.users.binary_search(user) else { continue };
            for (model, weight) in self.models.iter().zip(self.weights) {
                let own = &model[place * items..][..items];
                scores.iter_mut().zip(own).for_each(|(score, own)| *score += weight * own);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: what is worth most at (.3, .7) is found from (.5, .5), over tenths.
    #[test]
    fn weights_are_found_where_they_are_worth_most() {
        let worth = |w: &[f32]| -> f64 { -f64::from((w[0] - 0.3).powi(2) + (w[1] - 0.7).powi(2)) };
        let (weights, most) = climb(2, worth);
        assert!((weights[0] - 0.3).abs() < 1e-6 && (weights[1] - 0.7).abs() < 1e-6, "{weights:?}");
        assert!(most > -1e-9);
        assert_eq!(climb(1, |w| f64::from(w[0])), (vec![1.0], 1.0));
    }

    /// Two users, four items: one model puts what was held out of the first user ahead, the other of the second.
    #[test]
    fn two_halves_of_the_truth_rank_better_together() {
        let models = [vec![0., 0., 0., 1., 0., 0., 0., 0.], vec![0., 0., 0., 0., 0., 0., 1., 0.]];
        let known = History::new(2, 4, [(0, 0), (1, 0)]);
        let held = History::new(2, 4, [(0, 3), (1, 2)]);
        let auc = |weights: &[f32]| {
            let mixed = Mixed { users: &[0, 1], models: &models, weights };
            Judge::auc().judge(&mixed, &known, &held)[0].mean(0).unwrap()
        };
        assert_eq!((auc(&[1.0, 0.0]), auc(&[0.0, 1.0])), (0.75, 0.75));
        let (weights, together) = climb(2, auc);
        assert!(together == 1.0 && weights.iter().all(|&weight| weight > 0.0), "{weights:?}");
    }

    #[test]
    fn scores_are_brought_to_one_scale() {
        let mut scores = [3.0, -1.0, 1.0];
        normalise(&mut scores);
        assert_eq!(scores, [1.0, 0.0, 0.5]);
        let mut equal = [2.0, 2.0];
        normalise(&mut equal);
        assert_eq!(equal, [0.0, 0.0]);
    }
}
