//! Our side of `tools/bench taste` and of the rates in `tools/bench train`.
//!
//! - `taste_worker bpr-mf FILE K THREADS` and `taste_worker vbpr FILE D LATENT VISUAL BATCH THREADS` learn from a file of
//!   `user,item,...` rows with a heading, VBPR over `D` made-up features an item; they say how many pairs an
//!   epoch has, and answer each line `N` on stdin with the loss of the last of `N` epochs more.
//! - `taste_worker course FILE MODEL EPOCHS PART D THREADS [NAME=VALUE ...]` trains on such a file but for two items of
//!   each user and says, epoch by epoch, seconds, the loss and the AUC of one of them, of 10,000 users. `PART` of
//!   the items come in late; `D` is the length of made-up features, 0 for none.
//! - `taste_worker judge USERS ITEMS WIDTH THREADS` answers each line `N` with the AUC of made-up factors, `N` times
//!   judged.
//! - `taste_worker rerank COLLECTION MODEL USER COUNT` scores the first `COUNT` items for a user, so many times; `USER` may
//!   be `likes:N`, a visitor without account who likes `N` others.
//! - `taste_worker split COLLECTION FOLDER` writes the split by time as `train.u32` and `test.u32` (pairs of dense
//!   numbers, little-endian) and `features.f32`, centred, and says the shapes; of items that somebody takes outside
//!   the test, for that is where engines agree on what a negative is.
//! - `taste_worker auc COLLECTION MODEL EPOCHS SEED [NAME=VALUE ...]` trains on that split for so many epochs,
//!   without stopping early, and says the test's AUC.

use std::collections::HashMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::path::Path;

use lookalike::Collection;
use lookalike::taste::rating::reranker;
use lookalike::taste::{
    Chance, Course, Factors, Features, History, Interaction, Interactions, Judge, Learned,
    Material, Model, Part, Recipe, Split, SplitRule, Training, Visitor,
};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["bpr-mf", file, k, threads] => {
            use_threads(threads)?;
            rate("bpr-mf", &[("latent", k)], &read(file)?, None)
        }
        ["vbpr", file, d, latent, visual, batch, threads] => {
            use_threads(threads)?;
            let history = read(file)?;
            let features = made_up(history.inventory(), d.parse()?);
            let settings =
                [("latent", latent), ("visual", visual), ("batch", batch), ("start", "chance")];
            rate("vbpr", &settings, &history, Some(features))
        }
        ["course", file, model, epochs, part, d, threads, ref settings @ ..] => {
            use_threads(threads)?;
            course(file, model, epochs.parse()?, part.parse()?, d.parse()?, settings)
        }
        ["judge", users, items, width, threads] => {
            use_threads(threads)?;
            judge(users.parse()?, items.parse()?, width.parse()?)
        }
        ["rerank", collection, model, user, count] => {
            rerank(&Collection::open(collection)?, model, user, count.parse()?)
        }
        ["split", collection, folder] => split(&Collection::open(collection)?, Path::new(folder)),
        ["auc", collection, model, epochs, seed, ref settings @ ..] => {
            auc(&Collection::open(collection)?, model, epochs.parse()?, seed.parse()?, settings)
        }
        _ => Err("see the top of the source of taste_worker for its arguments".into()),
    }
}

fn use_threads(threads: &str) -> Outcome<()> {
    Ok(ThreadPoolBuilder::new().num_threads(threads.parse()?).build_global()?)
}

/// Says hello, and answers counts with what `work` makes of them.
fn serve(hello: &Value, mut work: impl FnMut(usize) -> Outcome<Value>) -> Outcome<()> {
    println!("{hello}");
    for line in stdin().lines() {
        println!("{}", work(line?.trim().parse()?)?);
        stdout().flush()?;
    }
    Ok(())
}

/// Users and items numbered as they come.
fn read(file: &str) -> Outcome<History> {
    let (mut users, mut items) = (HashMap::new(), HashMap::new());
    let mut pairs = Vec::new();
    for line in BufReader::new(File::open(file)?).lines().skip(1) {
        let line = line?;
        let mut cells = line.split(',');
        let (Some(user), Some(item)) = (cells.next(), cells.next()) else { continue };
        let (next_user, next_item) = (users.len() as u32, items.len() as u32);
        let user = *users.entry(user.to_owned()).or_insert(next_user);
        pairs.push((user, *items.entry(item.to_owned()).or_insert(next_item)));
    }
    Ok(History::new(users.len(), items.len(), pairs))
}

/// Features that mean nothing, an item a row.
fn made_up(items: usize, dimension: usize) -> Features {
    let mut values = vec![0.0; items * dimension];
    values.par_chunks_mut(dimension).enumerate().for_each(|(item, row)| {
        let mut chance = Chance::new(1, "features", item as u64);
        row.iter_mut().for_each(|value| *value = chance.unit() - 0.5);
    });
    Features::new(values, dimension).centred()
}

fn recipe(model: &str, settings: &[(&str, &str)]) -> Outcome<Recipe> {
    let settings: Vec<_> =
        settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    Ok(Recipe::new(model, &settings)?)
}

fn rate(
    model: &str,
    settings: &[(&str, &str)],
    history: &History,
    features: Option<Features>,
) -> Outcome<()> {
    let material = Material::bare(&[], features);
    let mut model: Box<dyn Model> = recipe(model, settings)?.build(&material, history, 1)?;
    let hello = json!({
        "pairs": history.len(), "users": history.users(), "items": history.inventory(),
    });
    let mut epoch = 0;
    serve(&hello, |count| {
        let mut loss = 0.0;
        for _ in 0..count {
            loss = model.epoch(history, 1, epoch)?;
            epoch += 1;
        }
        Ok(json!(loss))
    })
}

/// How a run goes, epoch by epoch, on a file of `user,item,...` rows.
fn course(
    file: &str,
    model: &str,
    epochs: u32,
    part: f32,
    d: usize,
    settings: &[&str],
) -> Outcome<()> {
    let history = read(file)?;
    let rows = history.pairs().enumerate().map(|(row, (user, item))| Interaction {
        row: row as u64,
        ..Interaction::new(&format!("{user:08}"), item)
    });
    let items: Vec<u32> = (0..history.inventory() as u32).collect();
    let interactions = Interactions::new(items.clone(), rows);
    let split = Split::new(&interactions, SplitRule::One, 1).with_arrivals(part, 1);
    let material = Material::bare(&items, (d > 0).then(|| made_up(items.len(), d)));
    let mut model = recipe(model, &pairs_of(settings))?.build(&material, &split.train, 1)?;
    let training = Training { epochs, patience: epochs, ..Training::default() };
    training.run(&mut *model, &split, Course::default(), &mut |_, course| {
        if let Some(epoch) = course.epochs.last() {
            let (loss, auc, seconds) = (epoch.loss, epoch.auc, epoch.seconds);
            println!(
                "{}",
                json!({"epoch": epoch.epoch + 1, "loss": loss, "auc": auc, "seconds": seconds})
            );
        }
        Ok(())
    })?;
    Ok(())
}

/// `NAME=VALUE`s as pairs.
fn pairs_of<'a>(settings: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    settings.iter().filter_map(|setting| setting.split_once('=')).collect()
}

fn judge(users: usize, items: usize, width: usize) -> Outcome<()> {
    let side = |name, count: usize| Chance::new(1, name, 0).normals(count * width, 1.0);
    let parts = [Part {
        name: "history",
        width,
        users: &side("users", users),
        items: &side("items", items),
    }];
    let learned = Learned::of(Factors::new(users, items, &parts));
    let pairs = |name, each: usize| {
        let mut chance = Chance::new(1, name, 0);
        let pairs = (0..users * each).map(|n| ((n / each) as u32, chance.below(items) as u32));
        History::new(users, items, pairs.collect::<Vec<_>>())
    };
    let (known, held_out) = (pairs("known", 10), pairs("held out", 1));
    serve(&json!({"users": users, "items": items}), |count| {
        let mut mean = None;
        for _ in 0..count {
            // The product's own metrics, all of them.
            let judged = Judge::default().judge(&*learned.ranker(), &known, &held_out);
            mean = judged.first().and_then(|judged| judged.mean(0));
        }
        Ok(json!(mean))
    })
}

fn rerank(collection: &Collection, model: &str, user: &str, count: usize) -> Outcome<()> {
    let model = reranker(collection, model)?;
    let ids = collection.item_numbers()?.take(count).collect::<Result<Vec<u32>, _>>()?;
    let visitor = match user.strip_prefix("likes:") {
        None => Visitor::user(user),
        Some(number) => {
            let others = collection.item_numbers()?.skip(count).take(number.parse()?);
            Visitor { liked: others.collect::<Result<Vec<u32>, _>>()?, ..Visitor::default() }
        }
    };
    serve(&json!({"items": ids.len()}), |count| {
        let mut best = f32::NEG_INFINITY;
        for _ in 0..count {
            let scores = model.score(&visitor, &ids)?.ok_or("the model does not know the user")?;
            best = (0..ids.len()).map(|item| scores.score(item)).fold(best, f32::max);
        }
        Ok(json!(best))
    })
}

/// The split by time, of the items that somebody takes outside the test.
fn split_of_known(collection: &Collection) -> Outcome<(Interactions, Split)> {
    let mut interactions = Interactions::of(collection)?;
    loop {
        let split = Split::new(&interactions, SplitRule::Last, 1).without_validation();
        let takers = split.train.counts();
        if !takers.contains(&0) {
            return Ok((interactions, split));
        }
        // Whose last item goes has another one as the test, which may then be nobody's.
        let items = interactions.items.iter().zip(&takers).filter(|&(_, &takers)| takers > 0);
        let rows = collection.interactions()?.collect::<Result<Vec<_>, _>>()?;
        interactions = Interactions::new(items.map(|(&item, _)| item).collect(), rows);
    }
}

fn split(collection: &Collection, folder: &Path) -> Outcome<()> {
    let (interactions, split) = split_of_known(collection)?;
    fs::create_dir_all(folder)?;
    for (name, history) in [("train", &split.train), ("test", &split.test)] {
        let bytes: Vec<u8> =
            history.pairs().flat_map(|(u, i)| [u, i]).flat_map(u32::to_le_bytes).collect();
        fs::write(folder.join(format!("{name}.u32")), bytes)?;
    }
    let features = Features::of(collection, &interactions.items);
    let features = features.ok_or("the collection has no vectors of pictures")?.centred();
    let bytes: Vec<u8> = features.values().iter().flat_map(|x| x.to_le_bytes()).collect();
    fs::write(folder.join("features.f32"), bytes)?;
    let (users, items) = (interactions.users.len(), interactions.items.len());
    println!("{}", json!({"users": users, "items": items, "dimension": features.dimension()}));
    Ok(())
}

fn auc(
    collection: &Collection,
    model: &str,
    epochs: u32,
    seed: u64,
    settings: &[&str],
) -> Outcome<()> {
    let (interactions, split) = split_of_known(collection)?;
    let material = Material::of(collection, &interactions);
    let mut model = recipe(model, &pairs_of(settings))?.build(&material, &split.train, seed)?;
    for epoch in 0..epochs {
        model.epoch(&split.train, seed, epoch)?;
    }
    let judged = Judge::auc().judge(&*model.learned()?.ranker(), &split.train, &split.test);
    println!("{}", json!({"auc": judged.first().and_then(|judged| judged.mean(0))}));
    Ok(())
}
