//! `lookalike train`: a collection learns its users' taste.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::FalseyValueParser;
use lookalike::Collection;
use lookalike::taste::rating::{RatingSettings, RatingTraining};
use lookalike::taste::{
    Blend, Course, EpochReport, History, Material, Paused, Recipe, Split, Training, blend, finish,
    plot,
};
use serde_json::json;

use super::interactions::Reading;
use super::taste::{Dividing, changes, write_plot};
use super::taste_rating;
use super::{Common, Outcome, remark};

/// Learn users' taste from what they took
///
/// Holds the last item of each user out to see when to stop, and then learns from everything for as many epochs.
/// The model becomes part of the collection: `lookalike recommend` and `lookalike search --rerank` use it. Run it
/// again when there are new interactions; a run that was stopped goes on where it was. `lookalike evaluate` tells
/// how good it is.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  lookalike train shop.lookalike --model vbpr\n  \
                  lookalike train shop.lookalike --model bpr-mf --interactions purchases.csv --set bpr-mf.latent=32\n  \
                  lookalike train shop.lookalike --model aggregation-gated --set aggregation-gated.finetune=mobilenet-v1\n  \
                  lookalike train shop.lookalike --model blend --of vbpr,aggregation-gated")]
pub struct Args {
    /// The collection
    collection: PathBuf,
    /// The model: bpr-mf, vbpr, dvbpr, dvbpr-alexnet, dvbpr-cae (over an autoencoder that learns the shop's pictures
    /// first), dvbpr-ENCODER (over any image encoder, such as dvbpr-resnet50), acf, curatornet, aggregation-average,
    /// aggregation-1, aggregation-2, aggregation-gated (sets of pictures, for visitors without an account), rating (stars),
    /// blend (of several)
    #[arg(long, value_name = "MODEL", default_value = "vbpr", env = "LOOKALIKE_MODEL")]
    model: String,
    /// With `--model blend`: the models whose weights are to be learned
    #[arg(long, value_name = "MODEL,...", env = "LOOKALIKE_OF", value_delimiter = ',')]
    of: Vec<String>,
    /// Change a setting of the model
    #[arg(long, value_name = "MODEL.NAME=VALUE", env = "LOOKALIKE_SET", value_delimiter = ',')]
    set: Vec<String>,
    /// Read these interactions first, as `lookalike interactions` does
    #[arg(long, value_name = "FILE", env = "LOOKALIKE_INTERACTIONS")]
    interactions: Option<PathBuf>,
    /// Where chance starts from
    #[arg(long, value_name = "N", default_value_t = 1, env = "LOOKALIKE_SEED")]
    seed: u64,
    /// The most epochs
    #[arg(long, value_name = "N", default_value_t = 50, env = "LOOKALIKE_EPOCHS")]
    epochs: u32,
    /// Stop when so many epochs brought nothing better on the validation
    #[arg(long, value_name = "N", default_value_t = 5, env = "LOOKALIKE_PATIENCE")]
    patience: u32,
    /// Keep the best model of the run that held items out, instead of learning once more from everything
    #[arg(long, env = "LOOKALIKE_NO_REFIT", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    no_refit: bool,
    /// Begin anew where a run of the same settings was stopped
    #[arg(long, env = "LOOKALIKE_FROM_START", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    from_start: bool,
    /// Draw the course of the run: an SVG file
    #[arg(long, value_name = "FILE", env = "LOOKALIKE_PLOT")]
    plot: Option<PathBuf>,
    /// Show some of the shop's pictures with what an autoencoder draws of them: a PNG or JPEG file
    #[arg(long, value_name = "FILE", env = "LOOKALIKE_DRAWINGS")]
    drawings: Option<PathBuf>,
    #[command(flatten)]
    dividing: Dividing,
    #[command(flatten)]
    reading: Reading,
}

impl Args {
    fn training(&self) -> Training {
        let Args { epochs, patience, seed, .. } = *self;
        Training { epochs, patience, seed, ..Training::default() }
    }

    /// What the model that is kept has learned from.
    fn learned_from(&self, split: &Split) -> History {
        match self.no_refit {
            true => split.train.clone(),
            false => split.train.with(&split.validation),
        }
    }
}

pub fn run(args: &Args, common: &Common) -> Outcome {
    if let Some(file) = &args.interactions {
        args.reading.take(&args.collection, file, common)?;
    }
    let trained: Vec<&str> = match args.model.as_str() {
        "blend" => args.of.iter().map(String::as_str).collect(),
        model => vec![model],
    };
    let set = changes(&args.set, &trained)?;
    if args.model == "rating" {
        let settings = RatingSettings::changed(set.get("rating").map_or(&[], Vec::as_slice))?;
        let collection = common.open(&args.collection)?;
        let interactions = args.dividing.interactions(&collection)?;
        let Args { epochs, patience, seed, .. } = *args;
        let training = RatingTraining { epochs, patience, seed };
        let plot = args.plot.as_deref();
        let run = taste_rating::Run { training, from_start: args.from_start, plot };
        return taste_rating::train(&collection, &interactions, settings, run, common);
    }
    if args.model == "blend" {
        return blended(args, &set, common);
    }
    let recipe = Recipe::new(&args.model, set.get(&args.model).map_or(&[], Vec::as_slice))?;
    let collection = Collection::open(&args.collection)?;
    let interactions = args.dividing.interactions(&collection)?;
    let split = Split::new(&interactions, args.dividing.rule(), args.seed).for_serving();
    let tell = |progress: &str| common.tell(progress);
    let material =
        Material::of(&collection, &interactions).with_models(common.models()?).telling(&tell);
    let training = args.training();
    if !common.quiet {
        remark!(
            "{} users took {} of {} items; {} are held out to see when to stop",
            interactions.users.len(),
            interactions.events.len(),
            interactions.items.len(),
            split.validation.len()
        );
    }
    let mut paused = Paused::new(&collection, &recipe, &split, args.seed);
    let mut model = recipe.build(&material, &split.train, args.seed)?;
    let before = match args.from_start {
        true => Course::default(),
        false => paused.resume(&mut *model, &recipe, &material)?,
    };
    if let (Some(last), false) = (before.epochs.last(), common.quiet) {
        remark!("going on after epoch {}", last.epoch + 1);
    }
    let course = training.run(&mut *model, &split, before, &mut |model, course| {
        if let (Some(epoch), false) = (course.epochs.last(), common.quiet) {
            let auc = epoch.auc.map_or(String::new(), |auc| format!(", AUC {auc:.4}"));
            let EpochReport { epoch, loss, seconds, .. } = epoch;
            remark!("epoch {}: loss {loss:.4}{auc}, {seconds:.2} s", epoch + 1);
        }
        paused.write(model, course)
    })?;
    drop(model);
    let trial = finish(&recipe, &split, &material, &training, !args.no_refit, course)?;
    let history = args.learned_from(&split);
    let path = trial.keep(&recipe, &history, &interactions, &collection)?;
    paused.remove()?;
    if let Some(plotted) = &args.plot {
        write_plot(plotted, plot::curves(&trial.course.epochs, recipe.name()))?;
    }
    if let Some(path) = &args.drawings {
        let sheet = recipe.drawings(&material, args.seed)?;
        let sheet = sheet.ok_or_else(|| format!("{} draws no pictures", recipe.name()))?;
        sheet.save(path).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    }
    let mut out = io::stdout().lock();
    let best = trial.best.epoch.map_or(0, |epoch| epoch + 1);
    if common.json {
        let line = json!({
            "model": recipe.name(), "file": path, "best_epoch": best, "auc": trial.best.auc,
            "epochs": trial.course.epochs, "settings": recipe.settings(), "seed": args.seed,
        });
        writeln!(out, "{line}")?;
    } else {
        let auc = trial.best.auc.map_or(String::new(), |auc| format!(", validation AUC {auc:.4}"));
        writeln!(out, "{}: {} after {best} epochs{auc}", path.display(), recipe.name())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `lookalike train --model blend --of A,B`: several models, and their weights together.
fn blended(args: &Args, set: &BTreeMap<String, Vec<(String, String)>>, common: &Common) -> Outcome {
    let recipes = args
        .of
        .iter()
        .map(|name| Recipe::new(name, set.get(name).map_or(&[], Vec::as_slice)))
        .collect::<Result<Vec<_>, _>>()?;
    if recipes.len() < 2 {
        return Err("a blend is of two models at least: --of vbpr,aggregation-gated".into());
    }
    let collection = Collection::open(&args.collection)?;
    let interactions = args.dividing.interactions(&collection)?;
    let split = Split::new(&interactions, args.dividing.rule(), args.seed).for_serving();
    let tell = |progress: &str| common.tell(progress);
    let material =
        Material::of(&collection, &interactions).with_models(common.models()?).telling(&tell);
    let training = args.training();
    let (learned, courses) = blend(&recipes, &split, &material, &training, &mut |name| {
        common.tell(&format!("{name} is trained"));
    })?;
    let history = args.learned_from(&split);
    for ((recipe, course), (_, weight)) in recipes.iter().zip(courses).zip(&learned.weights) {
        if *weight > 0.0 {
            let trial = finish(recipe, &split, &material, &training, !args.no_refit, course)?;
            trial.keep(recipe, &history, &interactions, &collection)?;
        }
    }
    let file = learned.keep(&collection)?;
    let Blend { weights, alone, together } = learned;
    let mut out = io::stdout().lock();
    if common.json {
        let line = json!({
            "model": "blend", "file": file, "weights": weights, "alone": alone, "auc": together,
        });
        writeln!(out, "{line}")?;
    } else {
        let named = weights.iter().filter(|(_, weight)| *weight > 0.0);
        let named: Vec<String> =
            named.map(|(name, weight)| format!("{name}:{weight:.2}")).collect();
        writeln!(out, "{}: blend of {}", file.display(), named.join(", "))?;
    }
    if !common.quiet {
        let alone: Vec<String> =
            weights.iter().zip(&alone).map(|((name, _), auc)| format!("{name} {auc:.4}")).collect();
        remark!("validation AUC {together:.4} together; alone {}", alone.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}
