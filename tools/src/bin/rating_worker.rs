//! The rating model at scale, and its training step.
//!
//! `rating_worker scale RATINGS.csv REVIEW EPOCHS` trains both phases on all ratings (`user,item,stars`, as
//! `draw-shop --interactions-only` writes them), with pictures and reviews' vectors of REVIEW values made up here (0:
//! none), and prints what each epoch took and the most memory that was held.
//!
//! `rating_worker branches EPOCHS FIRST LAST GROUND` trains the model on a ground (`none`: as published) with and without
//! its branches on the two planted tasks, and prints a line of JSON a task and model: the mean squared errors on the test,
//! for each seed from the first to the last.
//!
//! `rating_worker step THREADS BATCH` takes so many steps for each line `pictures COUNT` or `ratings COUNT` (see
//! `tools/benches/rating_step_peer.py`).

use std::collections::HashMap;
use std::error::Error;
use std::io::{Write, stdin, stdout};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Instant;

use lookalike::taste::rating::{Rated, Rating, RatingSettings, RatingTraining, SIDE};
use lookalike::taste::{Chance, Features, Gallery};
use lookalike_tools::planted_stars::{PlantedStars, Telling};
use serde_json::json;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["scale", file, review, epochs] => scale(file, review.parse()?, epochs.parse()?),
        ["branches", epochs, first, last, ground] => {
            branches(epochs.parse()?, first.parse()?..=last.parse()?, ground)
        }
        ["step", threads, batch] => step(threads.parse()?, batch.parse()?),
        _ => Err("see the top of the source".into()),
    }
}

/// Pictures of noise, of which the first `drawn` items have one.
fn gallery(items: usize, drawn: usize) -> Arc<Gallery> {
    let picture = |item: usize| {
        let mut chance = Chance::new(1, "picture", item as u64);
        let words = (0..3 * SIDE * SIDE / 8).flat_map(|_| chance.bits().to_le_bytes());
        (item < drawn).then(|| words.collect())
    };
    Arc::new(Gallery::new(SIDE, (0..items).map(picture).collect()))
}

/// The ratings of a file, and how many users and items there are.
fn read(file: &str) -> Outcome<(Vec<Rated>, usize, usize)> {
    let (mut users, mut items) = (HashMap::new(), HashMap::new());
    let mut rated = Vec::new();
    for row in csv::Reader::from_path(file)?.records() {
        let row = row?;
        let number = |of: &mut HashMap<String, u32>, key: &str| {
            let next = of.len() as u32;
            *of.entry(key.to_owned()).or_insert(next)
        };
        let (user, item) = (number(&mut users, &row[0]), number(&mut items, &row[1]));
        let value = (row[2].parse::<f32>()? - 3.0) / 2.0;
        rated.push(Rated { user, item, value, review: Some(rated.len() as u32) });
    }
    Ok((rated, users.len(), items.len()))
}

fn scale(file: &str, review: usize, epochs: u32) -> Outcome<()> {
    let (rated, users, items) = read(file)?;
    let reviews = (review > 0).then(|| {
        let mut values = Vec::with_capacity(rated.len() * review);
        for number in 0..rated.len() as u64 {
            let deviation = (review as f32).sqrt().recip();
            values.extend(Chance::new(1, "review", number).normals(review, deviation));
        }
        Arc::new(Features::new(values, review))
    });
    let settings = RatingSettings::default();
    let training = RatingTraining { epochs, patience: epochs, seed: settings.seed };
    let (cpu, wall) = (processor_seconds()?, Instant::now());
    let mut model = training.start(users, &rated, gallery(items, items), reviews, settings)?;
    let took = (processor_seconds()? - cpu, wall.elapsed().as_secs_f64());
    println!("{}", json!({"start_cpu_s": took.0, "start_wall_s": took.1}));
    for epoch in 0..epochs {
        let phase = |cpu: f64, wall: Instant| -> Outcome<_> {
            Ok(json!({
                "cpu_s": ((processor_seconds()? - cpu) * 10.0).round() / 10.0,
                "wall_s": (wall.elapsed().as_secs_f64() * 10.0).round() / 10.0,
            }))
        };
        let (cpu, wall) = (processor_seconds()?, Instant::now());
        let (structure, _) = model.learn_pictures(1, epoch)?;
        let pictures = phase(cpu, wall)?;
        let (cpu, wall) = (processor_seconds()?, Instant::now());
        let (mse, _) = model.learn_ratings(&rated, 1, epoch)?;
        let line = json!({
            "users": users, "items": items, "ratings": rated.len(), "epoch": epoch + 1, "mse": mse,
            "structure": structure, "pictures": pictures, "ratings_phase": phase(cpu, wall)?,
            "peak_megabytes": peak_megabytes(),
        });
        println!("{line}");
    }
    Ok(())
}

fn branches(epochs: u32, seeds: RangeInclusive<u64>, ground: &str) -> Outcome<()> {
    let usual = RatingSettings::changed(&[("ground".to_owned(), ground.to_owned())])?;
    for (task, telling) in [("pictures", Telling::Pictures), ("reviews", Telling::Reviews)] {
        for (pictures, told) in [(false, false), (true, false), (false, true), (true, true)] {
            let mut errors = Vec::new();
            for seed in seeds.clone() {
                let planted = PlantedStars::draw(telling, seed);
                let parts = planted.ratings.parts(0.15, seed);
                let settings = RatingSettings {
                    pictures,
                    reviews: told,
                    batch: 64,
                    rate: 3e-3,
                    rate_tables: 1e-2,
                    ..usual.clone()
                };
                let training = RatingTraining { epochs, patience: epochs, seed };
                let learned = (parts.known.as_slice(), parts.validation.as_slice());
                let (gallery, reviews) = (planted.gallery, Some(planted.reviews));
                let users = planted.ratings.users;
                let trained =
                    training.run(users, learned, gallery, reviews, settings, &mut |_| ())?;
                errors.push(trained.error(&parts.test)?);
            }
            let line = json!({
                "told_by": task, "ground": ground, "with_pictures": pictures, "with_reviews": told, "mse": errors,
            });
            println!("{line}");
        }
    }
    Ok(())
}

/// The most memory that the process has held, as Linux counts it.
fn peak_megabytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

/// Seconds of processor time that the process has used.
fn processor_seconds() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let rest = stat.rsplit_once(')').ok_or("no statistics")?.1;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}

fn step(threads: usize, batch: usize) -> Outcome<()> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let reviews = Features::new(Chance::new(1, "reviews", 0).normals(batch * 768, 0.036), 768);
    let settings = RatingSettings { batch, batch_pictures: batch, ..RatingSettings::default() };
    let gallery = gallery(batch, batch);
    let mut model = Rating::new(batch, gallery, Some(Arc::new(reviews)), settings)?;
    let rated: Vec<Rated> = (0..batch as u32)
        .map(|n| Rated { user: n, item: n, value: 0.5, review: Some(n) })
        .collect();
    println!("{}", json!({"ready": true}));
    for line in stdin().lines() {
        let line = line?;
        let (phase, count) = line.split_once(' ').ok_or("pictures COUNT or ratings COUNT")?;
        let count: u32 = count.parse()?;
        for epoch in 0..count {
            match phase {
                "pictures" => drop(model.learn_pictures(1, epoch)?),
                _ => drop(model.learn_ratings(&rated, 1, epoch)?),
            }
        }
        println!("{}", json!(count));
        stdout().flush()?;
    }
    Ok(())
}
