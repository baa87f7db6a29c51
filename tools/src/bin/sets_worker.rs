//! Our side of the epochs of sets of pictures in `tools/bench train`.
//!
//! `sets_worker MODEL FOLDER USERS ITEMS DIMENSION CATEGORIES THREADS` draws users with 5 to 12 items each, pictures' features
//! and items' categories, makes MODEL (`aggregation-...`, `acf`, `acf-tiles` with attention within pictures, `curatornet`), and
//! writes all of it with the first weights into FOLDER for the peer: `NAME.f32` and `NAME.u32`, little-endian, and `shapes.json`. Then it answers each line `COUNT` on
//! stdin with the mean loss of the last of so many epochs more.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{Write, stdin, stdout};
use std::path::Path;
use std::sync::Arc;

use lookalike::taste::aggregation::{Aggregation, AggregationSettings, Variant};
use lookalike::taste::{Features, History, Material, Model, Recipe, State, Tiles};
use lookalike_tools::seed::Rng;
use rayon::ThreadPoolBuilder;
use serde_json::json;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What is learned from.
struct Drawn {
    features: Features,
    tiles: Tiles,
    sets: History,
    labels: History,
}

/// Rows of tiles of a picture, and numbers a tile.
const TILES: (usize, usize) = (3, 64);

/// A model in training.
enum Learner {
    Sets(Box<Aggregation>),
    Triples(Box<dyn Model>),
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, folder, sizes @ ..] = &arguments[..] else { return Err("see the top".into()) };
    let sizes: Vec<usize> = sizes.iter().map(|size| size.parse()).collect::<Result<_, _>>()?;
    let [users, items, dimension, categories, threads] = sizes[..] else {
        return Err("MODEL FOLDER USERS ITEMS DIMENSION CATEGORIES THREADS".into());
    };
    ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let drawn = draw(users, items, dimension, categories);
    let numbers: Vec<u32> = (0..items as u32).collect();
    let mut learner = start(model, &drawn, &numbers)?;
    let state = match &learner {
        Learner::Sets(model) => model.state()?,
        Learner::Triples(model) => model.state()?,
    };
    write(Path::new(folder), &drawn, &state)?;
    println!("{}", json!({"pairs": drawn.sets.len(), "users": users}));
    let mut epoch = 0;
    for line in stdin().lines() {
        let mut loss = 0.0;
        for _ in 0..line?.trim().parse::<u32>()? {
            loss = match &mut learner {
                Learner::Sets(model) => model.learn(&drawn.sets, &drawn.labels, 1, epoch)?,
                Learner::Triples(model) => model.epoch(&drawn.sets, 1, epoch)?,
            };
            epoch += 1;
        }
        println!("{}", json!(loss));
        stdout().flush()?;
    }
    Ok(())
}

fn draw(users: usize, items: usize, dimension: usize, categories: usize) -> Drawn {
    let mut rng = Rng::new(1, "sets", 0);
    let mut rows: Vec<f32> = (0..items * dimension).map(|_| rng.normal() as f32).collect();
    for row in rows.chunks_mut(dimension) {
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        row.iter_mut().for_each(|x| *x /= length);
    }
    let (count, numbers) = (TILES.0 * TILES.0, TILES.1);
    let tiles = (0..items * count * numbers).map(|_| rng.normal() as f32).collect();
    let of: Vec<[u32; 2]> =
        (0..items).map(|_| [0, 1].map(|_| rng.below(categories) as u32)).collect();
    let (mut sets, mut labels) = (Vec::new(), Vec::new());
    for user in 0..users as u32 {
        for _ in 0..5 + rng.below(8) {
            let item = rng.below(items);
            sets.push((user, item as u32));
            labels.extend(of[item].map(|category| (user, category)));
        }
    }
    Drawn {
        features: Features::new(rows, dimension),
        tiles: Tiles::new(tiles, count, numbers),
        sets: History::new(users, items, sets),
        labels: History::new(users, categories, labels),
    }
}

/// A model before its first epoch; without dropout, whose masks would differ from the peer's.
fn start(model: &str, drawn: &Drawn, numbers: &[u32]) -> Outcome<Learner> {
    if let Some(variant) = Variant::ALL.into_iter().find(|variant| variant.model() == model) {
        let usual = AggregationSettings::of(variant);
        let settings = AggregationSettings { dropout: 0.0, rate: 1e-3, ..usual };
        let features = Arc::new(drawn.features.clone());
        let model = Aggregation::new(features, drawn.labels.inventory(), settings)?;
        return Ok(Learner::Sets(Box::new(model)));
    }
    let material = Material::bare(numbers, Some(drawn.features.clone()));
    let material = material.showing(TILES.0, drawn.tiles.clone());
    let recipe = match model {
        "acf-tiles" => {
            let changes = [("tiles", TILES.0), ("components", TILES.1)];
            Recipe::new("acf", &changes.map(|(name, value)| (name.to_owned(), value.to_string())))
        }
        _ => Recipe::new(model, &[]),
    };
    Ok(Learner::Triples(recipe?.build(&material, &drawn.sets, 1)?))
}

fn write(folder: &Path, drawn: &Drawn, state: &State) -> Outcome<()> {
    let mut shapes = BTreeMap::new();
    for (name, array) in state {
        shapes.insert(name.clone(), array.shape.clone());
        save(&folder.join(format!("{name}.f32")), array.values.iter().map(|x| x.to_le_bytes()))?;
    }
    shapes.insert("features".to_owned(), vec![drawn.features.len(), drawn.features.dimension()]);
    let features = drawn.features.values().iter().map(|x| x.to_le_bytes());
    save(&folder.join("features.f32"), features)?;
    let numbers: Vec<u32> = (0..drawn.features.len() as u32).collect();
    let tiles = drawn.tiles.of_items(&numbers);
    save(&folder.join("tiles.f32"), tiles.iter().map(|x| x.to_le_bytes()))?;
    let (count, each) = (drawn.tiles.count(), drawn.tiles.dimension());
    shapes.insert("tiles".to_owned(), vec![numbers.len(), count, each]);
    for (name, history) in [("sets", &drawn.sets), ("labels", &drawn.labels)] {
        let numbers = history.pairs().flat_map(|(user, other)| [user, other]);
        save(&folder.join(format!("{name}.u32")), numbers.map(u32::to_le_bytes))?;
        shapes.insert(name.to_owned(), vec![history.users(), history.inventory()]);
    }
    Ok(fs::write(folder.join("shapes.json"), serde_json::to_vec(&shapes)?)?)
}

fn save(path: &Path, values: impl Iterator<Item = [u8; 4]>) -> std::io::Result<()> {
    fs::write(path, values.flatten().collect::<Vec<u8>>())
}
