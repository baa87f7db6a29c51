//! Ratings: `lookalike rate`, and what `train` and `evaluate` do where the model is `rating`.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use lookalike::Collection;
use lookalike::taste::rating::{
    Biases, Ground, GroundKind, KeptRating, Parts, Rated, RatingCourse, RatingEpoch,
    RatingSettings, RatingTraining, Ratings, SIDE, baselines, course, embed, mean_squared_error,
    overlaid, side_by_side,
};
use lookalike::taste::{Features, Gallery, Interactions, Paused};
use serde_json::json;

use super::table::{Heading, Table};
use super::taste::write_plot;
use super::{Common, Outcome, remark};

/// The part of the ratings that is held out, to choose by and to judge by.
const HELD_OUT: f32 = 0.1;

/// Tell how many stars a user will give an item
///
/// Needs `lookalike train --model rating`. A user or an item that was not there at the training is told by biases
/// alone, and that is said.
#[derive(clap::Args)]
#[command(
    group = clap::ArgGroup::new("what").args(["user", "reconstructions"]).multiple(true).required(true),
    after_help = "Examples:\n  lookalike rate shop.lookalike --user U000042 --item SKU123 --attention looked.png\n  \
                  lookalike rate shop.lookalike --reconstructions remembered.png"
)]
pub struct Args {
    /// The collection
    collection: PathBuf,
    /// The user, by the key in the interactions
    #[arg(long, value_name = "USER", env = "LOOKALIKE_USER", requires = "item")]
    user: Option<String>,
    /// The key of an item
    #[arg(long, value_name = "KEY", env = "LOOKALIKE_ITEM", requires = "user")]
    item: Vec<String>,
    /// Draw where on the last item's picture the model looked: a picture file
    #[arg(long, value_name = "FILE", env = "LOOKALIKE_ATTENTION", requires = "user")]
    attention: Option<PathBuf>,
    /// Draw some pictures above what the model remembers of them: a picture file
    #[arg(long, value_name = "FILE", env = "LOOKALIKE_RECONSTRUCTIONS")]
    reconstructions: Option<PathBuf>,
}

pub fn run(args: &Args, common: &Common) -> Outcome {
    let collection = Collection::open(&args.collection)?;
    let model = KeptRating::open(&collection)?;
    let mut out = io::stdout().lock();
    for key in &args.item {
        let user = args.user.as_deref().unwrap_or_default();
        let id = collection.id_of(key)?.ok_or_else(|| format!("there is no item \"{key}\""))?;
        let told = model.tell(user, id)?;
        if common.json {
            let line = json!({
                "user": user, "key": key, "stars": told.stars, "biases": told.by_biases,
                "ground": told.ground,
                "user_known": told.user_known, "item_known": told.item_known,
            });
            writeln!(out, "{line}")?;
        } else {
            let ground = told.ground.map_or(String::new(), |stars| {
                format!("{stars:.2} by biases and what else was rated, ")
            });
            let by = told.by_biases;
            writeln!(out, "{key}: {:.2} stars, {ground}{by:.2} by biases alone", told.stars)?;
        }
        let known = told.user_known && told.item_known;
        if !common.quiet && !known {
            let who = if told.user_known {
                format!("the item {key}")
            } else {
                format!("the user {user}")
            };
            remark!("{who} was not there at the training: this is told by biases alone");
        }
        if let Some(path) = &args.attention {
            match (told.attention, model.seen(id)) {
                (Some([near, _]), Some(seen)) => save(&overlaid(&seen, &near), path)?,
                _ => remark!("{key}: there is nothing to draw, for the model did not look"),
            }
        }
    }
    if let Some(path) = &args.reconstructions {
        let (seen, made) = model.remembered(24)?;
        if seen.is_empty() {
            return Err("the model does not look at pictures, so that it remembers none".into());
        }
        save(&side_by_side(&seen, &made, 8), path)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn save(picture: &image::RgbImage, path: &Path) -> Result<(), String> {
    picture.save(path).map_err(|e| format!("cannot write the picture {}: {e}", path.display()))
}

/// What there is to learn from.
struct Given {
    ratings: Ratings,
    gallery: Arc<Gallery>,
    reviews: Option<Arc<Features>>,
}

fn given(
    collection: &Collection,
    interactions: &Interactions,
    settings: &RatingSettings,
    common: &Common,
) -> Result<Given, Box<dyn Error>> {
    let ratings = Ratings::of(interactions);
    if ratings.all.is_empty() {
        return Err("nobody has rated anything: read interactions with a column of ratings".into());
    }
    let gallery = Arc::new(Gallery::of(collection, &interactions.items, SIDE, None)?);
    let reviews = match settings.reviews && !ratings.reviews.is_empty() {
        false => None,
        true => embed(collection, &ratings.reviews, &mut |missing| {
            if !common.quiet {
                remark!("reading {missing} reviews");
            }
        })?,
    };
    if !common.quiet {
        remark!(
            "{} ratings by {} users of {} items, {} with reviews",
            ratings.all.len(),
            ratings.users,
            ratings.items,
            if reviews.is_some() { ratings.reviews.len() } else { 0 }
        );
    }
    Ok(Given { ratings, gallery, reviews: reviews.map(Arc::new) })
}

fn told(epoch: &RatingEpoch) {
    let losses = epoch.losses;
    remark!(
        "epoch {}: pictures 1-SSIM {:.4}, MSE {:.5}; ratings MSE {:.4}, reviews {:.4}; held out {:.4}, {:.2} s",
        epoch.epoch + 1,
        losses.structure,
        losses.pixels,
        losses.rating,
        losses.review,
        epoch.mse,
        epoch.seconds
    );
}

/// How a run is to go.
pub struct Run<'a> {
    /// How long, and where chance starts from.
    pub training: RatingTraining,
    /// Whether to begin anew where a run of the same settings was stopped.
    pub from_start: bool,
    /// Where to draw its course.
    pub plot: Option<&'a Path>,
}

/// `lookalike train --model rating`.
pub fn train(
    collection: &Collection,
    interactions: &Interactions,
    settings: RatingSettings,
    Run { training, from_start, plot }: Run<'_>,
    common: &Common,
) -> Outcome {
    let given = given(collection, interactions, &settings, common)?;
    let (known, validation) = given.ratings.divide(HELD_OUT, training.seed);
    let parts = (known.as_slice(), validation.as_slice());
    let Given { ratings, gallery, reviews } = given;
    let seed = training.seed;
    let mut paused = Paused::of_ratings(collection, &settings, &ratings, parts, seed);
    let mut model = training.start(ratings.users, &known, gallery, reviews, settings.clone())?;
    let before = match from_start {
        true => RatingCourse::default(),
        false => paused.resume_rating(&mut model)?,
    };
    if let (Some(last), false) = (before.epochs.last(), common.quiet) {
        remark!("going on after epoch {}", last.epoch + 1);
    }
    let trained = training.go_on(model, parts, before, &mut |model, course| {
        if let (Some(epoch), false) = (course.epochs.last(), common.quiet) {
            told(epoch);
        }
        paused.write_rating(model, course)
    })?;
    if let Some(path) = plot {
        write_plot(path, course(&trained.epochs))?;
    }
    let biases = Biases::of(&ratings, &known);
    let kept = (&biases, ratings.stars);
    let path = KeptRating::write(collection, interactions, &trained, kept, settings)?;
    paused.remove()?;
    let mut out = io::stdout().lock();
    let (epoch, mse) = trained.best.map_or((0, f64::NAN), |best| (best.epochs(), best.mse));
    match common.json {
        true => {
            let line = json!({
                "model": "rating", "file": path, "best_epoch": epoch, "mse": mse,
                "epochs": trained.epochs, "seed": training.seed,
            });
            writeln!(out, "{line}")?;
        }
        false => writeln!(
            out,
            "{}: rating after {epoch} epochs, validation MSE {mse:.4}",
            path.display()
        )?,
    }
    Ok(ExitCode::SUCCESS)
}

/// `lookalike evaluate --model rating`: with and without pictures and reviews, beside what is told without looking. The
/// best epoch is chosen on a part of the ratings, the error told on another.
pub fn evaluate(
    collection: &Collection,
    interactions: &Interactions,
    settings: &RatingSettings,
    (epochs, patience, seeds): (u32, u32, u64),
    common: &Common,
) -> Outcome {
    let given = given(collection, interactions, settings, common)?;
    let mut rows: Vec<(String, Vec<f64>)> = Vec::new();
    let mut add = |name: &str, mse: f64| match rows.iter_mut().find(|row| row.0 == name) {
        Some(row) => row.1.push(mse),
        None => rows.push((name.to_owned(), vec![mse])),
    };
    for seed in 1..=seeds {
        let parts = given.ratings.parts(HELD_OUT, seed);
        for (name, mse) in baselines(&given.ratings, &parts, seed) {
            add(name, mse);
        }
        let training = RatingTraining { epochs, patience, seed };
        for kind in [GroundKind::Biases, GroundKind::Company] {
            add(kind.name(), ground_error(kind, &given.ratings, &parts, seed));
        }
        for (name, settings) in variants(settings, given.reviews.is_some()) {
            let (gallery, reviews) = (Arc::clone(&given.gallery), given.reviews.clone());
            let learned = (parts.known.as_slice(), parts.validation.as_slice());
            let trained = training.run(
                given.ratings.users,
                learned,
                gallery,
                reviews,
                settings,
                &mut |_| (),
            )?;
            let mse = trained.error(&parts.test)?;
            if let Some(best) = trained.best.filter(|_| !common.quiet) {
                remark!("{name}, seed {seed}: MSE {mse:.4} after {} epochs", best.epochs());
            }
            add(name, mse);
        }
    }
    print(&rows, collection, common)?;
    Ok(ExitCode::SUCCESS)
}

/// The error of what the tower builds on, by itself.
fn ground_error(kind: GroundKind, ratings: &Ratings, parts: &Parts, seed: u64) -> f64 {
    let ground = Ground::fit(kind, (ratings.users, ratings.items), &parts.known, seed);
    let tell = |rated: &Rated| ground.as_ref().map_or(0.0, |g| g.tell(rated.user, rated.item));
    let told: Vec<f32> = parts.test.iter().map(|rated| tell(rated).tanh()).collect();
    mean_squared_error(&parts.test, &told)
}

/// The model as it was asked for, less either of its branches, and on no ground, as published.
fn variants(
    settings: &RatingSettings,
    reviewed: bool,
) -> impl Iterator<Item = (&'static str, RatingSettings)> {
    let usual = || settings.clone();
    let blind = settings
        .pictures
        .then(|| ("rating-without-pictures", RatingSettings { pictures: false, ..usual() }));
    let deaf = (settings.reviews && reviewed)
        .then(|| ("rating-without-reviews", RatingSettings { reviews: false, ..usual() }));
    let published = (settings.ground != GroundKind::None)
        .then(|| ("rating-as-published", RatingSettings { ground: GroundKind::None, ..usual() }));
    blind.into_iter().chain(deaf).chain(published).chain([("rating", usual())])
}

fn print(rows: &[(String, Vec<f64>)], collection: &Collection, common: &Common) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut table = Table::new([Heading::left("model"), Heading::right("mse")]);
    for (model, errors) in rows {
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        let squares: f64 = errors.iter().map(|error| (error - mean) * (error - mean)).sum();
        let sd = (squares / (errors.len() - 1).max(1) as f64).sqrt();
        if common.json {
            let line = json!({
                "data": collection.path(), "model": model, "metric": "mse", "mean": mean, "sd": sd,
            });
            writeln!(out, "{line}")?;
        }
        table.row([model.clone(), format!("{mean:.4} ±{sd:.4}")]);
    }
    if !common.json {
        table.print(&mut out)?;
    }
    Ok(())
}
