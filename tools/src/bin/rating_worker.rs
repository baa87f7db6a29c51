//! The rating model at scale, and its training step.
//!
//! `rating_worker scale RATINGS.csv RATINGS PICTURES` trains both phases on the first so many ratings (`user,item,stars`, as
//! `draw-shop --interactions-only` writes them) and so many of the items' pictures, made up here, and prints what an
//! epoch over all of them would take and the most memory that was held.
//!
//! `rating_worker step THREADS BATCH` answers each line `pictures COUNT` or `ratings COUNT` with the milliseconds
//! of processor time that a step took, on average over so many (see `tools/benches/rating_step_peer.py`).

use std::collections::HashMap;
use std::error::Error;
use std::io::{Write, stdin, stdout};
use std::sync::Arc;
use std::time::Instant;

use lookalike::taste::rating::{Rated, Rating, RatingSettings, SIDE};
use lookalike::taste::{Chance, Features, Gallery};
use serde_json::json;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["scale", file, ratings, pictures] => scale(file, ratings.parse()?, pictures.parse()?),
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

fn scale(file: &str, count: usize, pictures: usize) -> Outcome<()> {
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
        rated.push(Rated { user, item, value, review: None });
    }
    let all = rated.len();
    let gallery = gallery(items.len(), items.len());
    let mut model =
        Rating::new(users.len(), Arc::clone(&gallery), None, RatingSettings::default())?;
    Chance::new(1, "some", 0).shuffle(&mut rated);
    rated.truncate(count);
    let start = Instant::now();
    let (rating, _) = model.learn_ratings(&rated, 1, 0)?;
    let ratings_took = start.elapsed().as_secs_f64() * all as f64 / rated.len() as f64;
    // Phase I goes over whole galleries: a smaller one stands for it.
    let mut small =
        Rating::new(1, self::gallery(pictures, pictures), None, RatingSettings::default())?;
    let start = Instant::now();
    let (structure, _) = small.learn_pictures(1, 0)?;
    let pictures_took = start.elapsed().as_secs_f64() * items.len() as f64 / pictures as f64;
    let line = json!({
        "users": users.len(), "items": items.len(), "ratings": all, "mse": rating, "structure": structure,
        "epoch_ratings_seconds": ratings_took, "epoch_pictures_seconds": pictures_took,
        "peak_megabytes": peak_megabytes(),
    });
    println!("{line}");
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
    let settings = RatingSettings { batch, ..RatingSettings::default() };
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
        let before = processor_seconds()?;
        for epoch in 0..count {
            match phase {
                "pictures" => drop(model.learn_pictures(1, epoch)?),
                _ => drop(model.learn_ratings(&rated, 1, epoch)?),
            }
        }
        println!("{}", json!((processor_seconds()? - before) * 1e3 / f64::from(count.max(1))));
        stdout().flush()?;
    }
    Ok(())
}
