//! The published study on a shop of one's own: the four variants on a part of its users, judged by the others.
//!
//! Flowing in: a collection's users with their items' categories and pictures. Flowing out: a curve a variant,
//! mean and deviation over seeds. Users are divided anew for every seed, seven in ten to learn from.

use super::{Aggregation, AggregationSettings, Categories, Curve, PLACES, Place, Sight, measure};
use crate::taste::error::{Error, ModelError};
use crate::taste::{Chance, History, Interactions, Material};

/// A variant's curve, and how far the seeds scatter about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Studied {
    /// The means.
    pub curve: Curve,
    /// The sample deviations over seeds; 0 where there is one.
    pub deviations: Vec<Place>,
}

impl Studied {
    /// Sums the runs of a variant up, one a seed.
    pub fn of(name: &str, runs: &[Vec<Place>]) -> Self {
        let count = runs.len().max(1) as f64;
        let over = |n: usize, of: fn(&Place) -> f64| {
            let mean = runs.iter().map(|run| of(&run[n])).sum::<f64>() / count;
            let squares: f64 = runs.iter().map(|run| (of(&run[n]) - mean).powi(2)).sum();
            (mean, (squares / (count - 1.0).max(1.0)).sqrt())
        };
        let (mut places, mut deviations) = (Vec::new(), Vec::new());
        for (n, at) in PLACES.into_iter().enumerate() {
            let precision = over(n, |place| place.precision);
            let (recall, f1) = (over(n, |place| place.recall), over(n, |place| place.f1));
            places.push(Place { at, precision: precision.0, recall: recall.0, f1: f1.0 });
            deviations.push(Place { at, precision: precision.1, recall: recall.1, f1: f1.1 });
        }
        Studied { curve: Curve { model: name.to_owned(), places }, deviations }
    }
}

/// Trains each of some variants for so many epochs from each of some seeds; `tell` hears of every run.
pub fn study(
    interactions: &Interactions,
    material: &Material<'_>,
    variants: &[AggregationSettings],
    (epochs, seeds): (u32, u64),
    tell: &mut dyn FnMut(&str),
) -> Result<Vec<Studied>, Error> {
    let sets = interactions.history();
    let mut studied = Vec::new();
    for settings in variants {
        let name = settings.pooling.model();
        let categories = settings.categories(material)?;
        let labels = categories.of_sets(&sets);
        let mut runs = Vec::new();
        for seed in 1..=seeds {
            let (known, held) = divide(&sets, seed);
            let settings = AggregationSettings { seed, ..settings.clone() };
            // An extractor learns from what those users took, and not from what is to be told.
            let taken = (0..).zip(known.counts()).filter(|(_, count)| *count > 0);
            let taken: Vec<u32> = taken.map(|(item, _)| item).collect();
            let Sight { features, .. } = settings.sight(material, &categories, &taken)?;
            let mut model = Aggregation::new(features, categories.len(), settings)?;
            let mut loss = 0.0;
            for epoch in 0..epochs {
                loss = model.learn(&known, &labels, seed, epoch)?;
            }
            let places = measure(&model, &held, &labels)?;
            tell(&format!("{name}, seed {seed}: loss {loss:.4}, F1@15 {:.4}", places[2].f1));
            runs.push(places);
        }
        studied.push(Studied::of(name, &runs));
    }
    Ok(studied)
}

impl AggregationSettings {
    /// The categories that it learns.
    pub(super) fn categories(&self, material: &Material<'_>) -> Result<Categories, Error> {
        let what = "categories of its items";
        let lacks = || ModelError::Lacks { model: self.pooling.model().to_owned(), what };
        let collection = material.collection().ok_or_else(lacks)?;
        let named = self.columns.split('+').filter(|column| !column.is_empty());
        let columns: Vec<String> = named.map(str::to_owned).collect();
        Ok(Categories::of(collection, material.items(), &columns)?.ok_or_else(lacks)?)
    }
}

/// The sets of seven in ten users, drawn at random, and those of the others.
fn divide(sets: &History, seed: u64) -> (History, History) {
    let mut users: Vec<u32> = (0..sets.users() as u32).collect();
    Chance::new(seed, "users held out", 0).shuffle(&mut users);
    let (known, held) = users.split_at(users.len() * 7 / 10);
    let of = |users: &[u32]| {
        let pairs = users.iter().flat_map(|&user| sets.of(user).iter().map(move |&i| (user, i)));
        History::new(sets.users(), sets.inventory(), pairs)
    };
    (of(known), of(held))
}
