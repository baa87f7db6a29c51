//! `lookalike evaluate --try`: which values to try of a model's settings, and what they came to.

use std::collections::BTreeMap;
use std::io::{self, Write};

use lookalike::taste::{Error, Grid, Recipe, Study, Tried};
use serde_json::{Map, Value, json};

use super::table::{Heading, Table};
use super::taste::setting;
use super::{Common, remark};

/// What is tried before anything is judged.
#[derive(clap::Args)]
#[command(next_help_heading = "Choosing settings")]
pub struct Trying {
    /// Try these values of a setting, each with each of another setting's, and judge with the best. Chosen by the AUC on
    /// the validation, from the first seed: the test is not looked at. All tries are printed, too
    #[arg(
        long = "try",
        value_name = "MODEL.NAME=VALUE,...",
        env = "LOOKALIKE_TRY",
        value_delimiter = ';'
    )]
    values: Vec<String>,
    /// Try so many of all the choices at the most, drawn at random
    #[arg(long, value_name = "N", env = "LOOKALIKE_TRIES", value_parser = clap::value_parser!(u32).range(1..))]
    tries: Option<u32>,
}

impl Trying {
    /// The grid of each model for which something is to be tried; `fixed` is what is set anyhow.
    fn grids(
        &self,
        models: &[&str],
        fixed: &BTreeMap<String, Vec<(String, String)>>,
    ) -> Result<Vec<Grid>, String> {
        let mut grids: Vec<Grid> = Vec::new();
        for text in &self.values {
            let (model, name, values) = setting(text).ok_or_else(|| {
                format!("--try {text}: write MODEL.NAME=VALUE,VALUE, such as vbpr.visual=32,64")
            })?;
            if !models.contains(&model) {
                return Err(format!("--try {text}: {model} is not judged (--model {model})"));
            }
            let place = grids.iter().position(|grid| grid.model == model).unwrap_or(grids.len());
            if place == grids.len() {
                grids.push(Grid {
                    model: model.to_owned(),
                    fixed: fixed.get(model).cloned().unwrap_or_default(),
                    values: Vec::new(),
                    most: self.tries.map(|tries| tries as usize),
                });
            }
            let values = values.split(',').map(|value| value.trim().to_owned()).collect();
            grids[place].values.push((name.to_owned(), values));
        }
        Ok(grids)
    }

    /// Each model with what is set, and with the best of what is tried; and all tries.
    pub fn recipes(
        &self,
        models: &[&str],
        fixed: &BTreeMap<String, Vec<(String, String)>>,
        study: &Study<'_>,
        common: &Common,
    ) -> Result<(Vec<Recipe>, Vec<Tried>), Box<dyn std::error::Error>> {
        let grids = self.grids(models, fixed)?;
        let (mut recipes, mut all) = (Vec::new(), Vec::new());
        for &model in models {
            let Some(grid) = grids.iter().find(|grid| grid.model == model) else {
                recipes.push(Recipe::new(model, fixed.get(model).map_or(&[], Vec::as_slice))?);
                continue;
            };
            let tries = study.choose(grid, &mut |tried: &Tried| {
                if !common.quiet {
                    remark!("{model}, {}: {}", choice(tried), outcome(tried));
                }
            });
            let tries = match tries {
                // Where it cannot be built, the study says so and goes on.
                Err(Error::Model(lookalike::taste::ModelError::Lacks { .. })) => Vec::new(),
                tries => tries?,
            };
            let best = tries.iter().find(|tried| tried.chosen);
            recipes.push(grid.recipe(best.map_or(&[], |tried| &tried.choice))?);
            all.extend(tries);
        }
        Ok((recipes, all))
    }
}

fn choice(tried: &Tried) -> String {
    let settings = tried.choice.iter().map(|(name, value)| format!("{name}={value}"));
    settings.collect::<Vec<_>>().join(" ")
}

fn outcome(tried: &Tried) -> String {
    match tried.auc {
        Some(auc) => format!("validation AUC {auc:.4} after {} epochs", tried.epochs),
        None => "training ran away".to_owned(),
    }
}

/// A table of all tries, the chosen ones marked.
pub fn print(tries: &[Tried], out: &mut impl Write) -> io::Result<()> {
    if tries.is_empty() {
        return Ok(());
    }
    let mut table = Table::new([
        Heading::left("model"),
        Heading::left("tried"),
        Heading::right("validation AUC"),
        Heading::right("epochs"),
        Heading::left(""),
    ]);
    for tried in tries {
        let auc = tried.auc.map_or("ran away".to_owned(), |auc| format!("{auc:.4}"));
        let chosen = if tried.chosen { "chosen" } else { "" };
        let (model, epochs) = (tried.model.clone(), tried.epochs.to_string());
        table.row([model, choice(tried), auc, epochs, chosen.to_owned()]);
    }
    table.print(out)?;
    writeln!(out)
}

/// A try as JSON.
pub fn line(tried: &Tried) -> Value {
    let settings: Map<String, Value> =
        tried.choice.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "data": null,
        "model": tried.model,
        "metric": "validation-auc",
        "mean": tried.auc,
        "epochs": tried.epochs,
        "try": settings,
        "chosen": tried.chosen,
    })
}
