//! What the commands about taste have in common: which interactions count, how they are divided,
//! changes to models' settings, and how plots are written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lookalike::Collection;
use lookalike::taste::{self, Interactions, SplitRule};

/// Which interactions count, and what is held out.
#[derive(clap::Args)]
#[command(next_help_heading = "Interactions")]
pub struct Dividing {
    /// What is held out
    #[arg(long, value_name = "RULE", default_value = "last", env = "LOOKALIKE_SPLIT")]
    split: SplitArg,
    /// With `--split part`, which part of each user's items is for the test
    #[arg(long, value_name = "PART", default_value_t = 0.2, env = "LOOKALIKE_TEST_PART")]
    test_part: f32,
    /// Keep users and items with at least so many interactions, again and again until all have
    #[arg(long, value_name = "K", default_value_t = 1, env = "LOOKALIKE_CORE")]
    core: usize,
    /// Leave out what was rated less than this
    #[arg(long, value_name = "STARS", env = "LOOKALIKE_MIN_RATING", allow_negative_numbers = true)]
    min_rating: Option<f32>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum SplitArg {
    /// Each user's last item
    Last,
    /// A random item of each user
    One,
    /// A random part of each user's items
    Part,
    /// What a column of the interactions says
    Column,
}

impl Dividing {
    /// The collection's interactions, as far as they count.
    pub fn interactions(&self, collection: &Collection) -> Result<Interactions, taste::Error> {
        let mut interactions = Interactions::of(collection)?;
        if let Some(rating) = self.min_rating {
            interactions = interactions.liked_at_least(rating);
        }
        Ok(interactions.core(self.core))
    }

    pub fn rule(&self) -> SplitRule {
        match self.split {
            SplitArg::Last => SplitRule::Last,
            SplitArg::One => SplitRule::One,
            SplitArg::Part => SplitRule::Part(self.test_part),
            SplitArg::Column => SplitRule::Column,
        }
    }
}

/// `MODEL.NAME=VALUE`, by model.
///
/// A change of a model that is not among the `known` is an error: nobody is to wonder why it made no difference.
pub fn changes(
    set: &[String],
    known: &[&str],
) -> Result<BTreeMap<String, Vec<(String, String)>>, String> {
    let mut by_model: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for change in set {
        let (model, name, value) = setting(change).ok_or_else(|| {
            format!("--set {change}: write MODEL.NAME=VALUE, such as vbpr.visual=64")
        })?;
        if !known.contains(&model) {
            let known = known.join(", ");
            return Err(format!("--set {change}: this is about {known}, and not about {model}"));
        }
        by_model.entry(model.to_owned()).or_default().push((name.to_owned(), value.to_owned()));
    }
    Ok(by_model)
}

/// The parts of `MODEL.NAME=VALUE`.
pub fn setting(text: &str) -> Option<(&str, &str, &str)> {
    let (name, value) = text.split_once('=')?;
    let (model, name) = name.rsplit_once('.')?;
    Some((model.trim(), name.trim(), value.trim()))
}

/// A figure for a table, with its deviation where there are several seeds.
pub fn shown(figure: Option<&taste::Figure>, seeds: usize) -> String {
    match figure {
        None => String::new(),
        Some(figure) if seeds > 1 => format!("{:.4} ±{:.4}", figure.mean, figure.deviation),
        Some(figure) => format!("{:.4}", figure.mean),
    }
}

/// Writes a plot, an SVG file.
pub fn write_plot(path: &Path, svg: String) -> Result<(), String> {
    fs::write(path, svg).map_err(|e| format!("cannot write the plot {}: {e}", path.display()))
}
