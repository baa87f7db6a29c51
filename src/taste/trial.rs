//! A recipe tried on a split: trained, stopped by validation, trained again on everything but the test.

use std::path::PathBuf;

use super::Error;
use super::history::History;
use super::interactions::Interactions;
use super::material::Material;
use super::model::Model;
use super::recipe::Recipe;
use super::served::Keep;
use super::split::Split;
use super::training::{Best, Course, Training};
use crate::collection::Collection;

/// What a trial came to.
#[derive(Clone)]
pub struct Trial {
    /// The run that validation watched over.
    pub course: Course,
    /// The model to use: of the second run where there was one, else the best of the first.
    pub best: Best,
}

impl Trial {
    /// Keeps the model in its collection; `history` is what it learned from.
    pub fn keep(
        &self,
        recipe: &Recipe,
        history: &History,
        interactions: &Interactions,
        collection: &Collection,
    ) -> Result<PathBuf, Error> {
        let keep = Keep {
            name: recipe.name(),
            settings: recipe.settings(),
            epochs: &self.course.epochs,
            best: &self.best,
            interactions,
            history,
        };
        keep.write(collection)
    }
}

/// Trains a recipe. With `refit`, it is trained once more on training and validation together, for as
/// many epochs as were best: the last thing that a user took is the one that tells most of the next.
/// `each` hears of every epoch of the first run.
pub fn attempt(
    recipe: &Recipe,
    split: &Split,
    material: &Material<'_>,
    training: &Training,
    refit: bool,
    each: &mut dyn FnMut(&dyn Model, &Course) -> Result<(), Error>,
) -> Result<Trial, Error> {
    let mut model = recipe.build(material, &split.train, training.seed)?;
    let course = training.run(&mut *model, split, Course::default(), each)?;
    drop(model);
    finish(recipe, split, material, training, refit, course)
}

/// What comes after the run that validation watched over.
pub fn finish(
    recipe: &Recipe,
    split: &Split,
    material: &Material<'_>,
    training: &Training,
    refit: bool,
    course: Course,
) -> Result<Trial, Error> {
    let best = course.best.clone().ok_or(Error::NothingHeldOut { what: "training" })?;
    if !refit || split.validation.is_empty() {
        return Ok(Trial { course, best });
    }
    let all = split.without_validation();
    let mut model = recipe.build(material, &all.train, training.seed)?;
    // Epoch -1 is the model that has learned nothing but where to start.
    for epoch in 0..best.epoch.map_or(0, |epoch| epoch + 1) {
        model.epoch(&all.train, training.seed, epoch)?;
    }
    let best = Best { learned: model.learned()?, ..best };
    Ok(Trial { course, best })
}
