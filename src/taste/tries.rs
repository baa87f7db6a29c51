//! Settings are chosen: every choice of a grid is trained and judged on the validation.
//!
//! Flowing in: a [`Grid`] of values, a split and how to train. Flowing out: what each choice came to. The test
//! takes no part, so that its figures say what the choice is worth.

use super::chance::Chance;
use super::material::Material;
use super::recipe::Recipe;
use super::split::Split;
use super::training::Training;
use super::trial::attempt;
use super::{Error, ModelError};

/// Settings of a model that are to be tried.
#[derive(Debug, Clone, Default)]
pub struct Grid {
    /// The model.
    pub model: String,
    /// In what all tries differ from its usual settings.
    pub fixed: Vec<(String, String)>,
    /// The values to try of each setting.
    pub values: Vec<(String, Vec<String>)>,
    /// Try so many of the choices only, drawn at random.
    pub most: Option<usize>,
}

/// What one choice came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// The model.
    pub model: String,
    /// A value of each setting of the grid.
    pub choice: Vec<(String, String)>,
    /// The best on the validation; `None` where training ran away.
    pub auc: Option<f64>,
    /// How many epochs it took to get there.
    pub epochs: u32,
    /// The best of all that were tried; the first of equals.
    pub chosen: bool,
}

impl Grid {
    /// The choices, in which the last setting changes fastest.
    pub fn choices(&self, seed: u64) -> Vec<Vec<(String, String)>> {
        let mut choices = vec![Vec::new()];
        for (name, values) in &self.values {
            let longer = |choice: &Vec<(String, String)>| {
                let choice = choice.clone();
                let with = move |value: &String| {
                    choice.iter().cloned().chain([(name.clone(), value.clone())]).collect()
                };
                values.iter().map(with).collect::<Vec<_>>()
            };
            choices = choices.iter().flat_map(longer).collect();
        }
        if let Some(most) = self.most.filter(|&most| most < choices.len()) {
            let mut places: Vec<usize> = (0..choices.len()).collect();
            Chance::new(seed, "tries", 0).shuffle(&mut places);
            places.truncate(most);
            places.sort_unstable();
            choices = places.into_iter().map(|place| choices[place].clone()).collect();
        }
        choices
    }

    /// The model with what is the same for all tries, and a choice.
    pub fn recipe(&self, choice: &[(String, String)]) -> Result<Recipe, ModelError> {
        let changes: Vec<_> = self.fixed.iter().chain(choice).cloned().collect();
        Recipe::new(&self.model, &changes)
    }

    /// Trains and judges every choice; `tell` hears of each.
    pub(super) fn all_tried(
        &self,
        split: &Split,
        material: &Material<'_>,
        training: &Training,
        tell: &mut dyn FnMut(&Tried),
    ) -> Result<Vec<Tried>, Error> {
        if split.validation.is_empty() {
            return Err(Error::NothingHeldOut { what: "validation" });
        }
        let choices = self.choices(training.seed);
        // What cannot be understood is said before hours have gone by.
        let recipes = choices.iter().map(|choice| self.recipe(choice));
        let recipes = recipes.collect::<Result<Vec<_>, _>>()?;
        let mut all = Vec::with_capacity(choices.len());
        for (recipe, choice) in recipes.iter().zip(choices) {
            let best = match attempt(recipe, split, material, training, false, &mut |_, _| Ok(())) {
                Err(Error::Diverged { .. }) => None,
                trial => Some(trial?.best),
            };
            let tried = Tried {
                model: self.model.clone(),
                choice,
                auc: best.as_ref().and_then(|best| best.auc),
                epochs: best.and_then(|best| best.epoch).map_or(0, |epoch| epoch + 1),
                chosen: false,
            };
            tell(&tried);
            all.push(tried);
        }
        let aucs = all.iter_mut().filter(|tried| tried.auc.is_some());
        // Of equals, the first: `reduce` keeps what it has unless it finds better.
        let best = aucs.reduce(|best, one| if one.auc > best.auc { one } else { best });
        best.ok_or_else(|| Error::NothingFound { model: self.model.clone() })?.chosen = true;
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taste::History;

    fn grid(values: &[(&str, &[&str])]) -> Grid {
        let owned = |&(name, values): &(&str, &[&str])| {
            (name.to_owned(), values.iter().map(|&value| value.to_owned()).collect())
        };
        Grid {
            model: "bpr-mf".to_owned(),
            fixed: vec![("lambda".to_owned(), "0.01".to_owned())],
            values: values.iter().map(owned).collect(),
            ..Grid::default()
        }
    }

    #[test]
    fn a_grid_has_every_choice_once_and_draws_some_where_asked() {
        let mut grid = grid(&[("latent", &["2", "4", "8"]), ("rate", &[".1", ".2"])]);
        let said = |grid: &Grid, seed| -> Vec<String> {
            let value = |(_, value): &(String, String)| value.clone();
            let said = |choice: &Vec<_>| choice.iter().map(value).collect::<Vec<_>>().join(" ");
            grid.choices(seed).iter().map(said).collect()
        };
        let all = ["2 .1", "2 .2", "4 .1", "4 .2", "8 .1", "8 .2"];
        assert_eq!(said(&grid, 1), all);
        grid.most = Some(3);
        let some = said(&grid, 1);
        assert_eq!((some.len(), &some), (3, &said(&grid, 1)));
        assert!(some.iter().all(|one| all.contains(&one.as_str())) && some.is_sorted());
        assert!((2..9).any(|seed| said(&grid, seed) != some));
        assert_eq!(Grid { values: Vec::new(), ..grid }.choices(1), [Vec::new()]);
    }

    /// Two circles that take what is theirs: factors tell it, biases alone do not.
    #[test]
    fn the_choice_is_the_validations_and_the_test_plays_no_part() {
        let taken = |from: usize, to: usize| {
            let pairs = (0..60u32).flat_map(move |user| {
                let mut own: Vec<u32> = (0..50).map(|n| 2 * n + user % 2).collect();
                Chance::new(3, "own", user.into()).shuffle(&mut own);
                own.truncate(to);
                own.into_iter().skip(from).map(move |item| (user, item))
            });
            History::new(60, 102, pairs)
        };
        let split = Split { train: taken(0, 8), validation: taken(8, 9), test: taken(9, 10) };
        let training = Training { epochs: 60, patience: 60, ..Training::default() };
        let material = Material::bare(&[], None);
        let grid = grid(&[("latent", &["0", "8"]), ("rate", &["0.1", "1e30"])]);
        let tried = |split: &Split| {
            let mut told = 0;
            let tried = grid.all_tried(split, &material, &training, &mut |_| told += 1).unwrap();
            assert_eq!(told, tried.len());
            tried
        };
        let found = tried(&split);
        let aucs: Vec<f64> = found.iter().map(|tried| tried.auc.unwrap_or(0.0)).collect();
        let chosen: Vec<bool> = found.iter().map(|tried| tried.chosen).collect();
        assert_eq!(chosen, [false, false, true, false], "{aucs:?}");
        assert!(aucs[2] > aucs[0] + 0.1, "{aucs:?}");
        let empty = || History::new(60, 102, []);
        assert_eq!(tried(&Split { test: empty(), ..split.clone() }), found);
        let blind = Split { validation: empty(), ..split };
        assert!(grid.all_tried(&blind, &material, &training, &mut |_| ()).is_err());
    }
}
