//! Our side of `tools/bench quality`, and tantivy's.
//!
//! `quality_worker index DATA COUNT COLLECTION` indexes so many products of `DATA/products.csv` (columns id, title,
//! article_type, base_colour, image), drawn at random, by their pictures and titles.
//! `quality_worker measure COLLECTION QUERIES` prints how good the answers are, a JSON object a line.
//! `quality_worker vectors COLLECTION OUT` writes the pictures' vectors as raw `f32`.
//! `quality_worker similar COLLECTION walk|exact` finds every item's ten most similar by pictures, and says what that took.
//! `quality_worker serve COLLECTION words|hybrid|vectors|tantivy` says when it is ready and then answers each line
//! `search COUNT` on stdin with one on stdout.

mod measure;
mod serve;
mod similar;

use std::collections::HashSet;
use std::error::Error;
use std::io::{Write, stdout};
use std::path::Path;
use std::sync::Arc;

use lookalike::catalogue::{Catalogue, CatalogueOptions, Entry};
use lookalike::encode::Device;
use lookalike::encode::store::ModelStore;
use lookalike::{Collection, Indexer, StoredItem};
use lookalike_index::GraphOptions;
use lookalike_tools::seed::Rng;
use serde_json::{Value, json};

type Outcome = Result<(), Box<dyn Error>>;

/// Collections of this size have graphs here, so that what a graph changes is seen in a sample too.
const GRAPH_FROM_ROWS: usize = 5_000;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["index", data, count, collection] => index(Path::new(data), count.parse()?, collection),
        ["measure", collection, queries] => {
            measure::measure(&Collection::open(collection)?, queries.parse()?)
        }
        ["vectors", collection, out] => similar::vectors(&Collection::open(collection)?, out),
        ["similar", collection, how] => similar::similar(&Collection::open(collection)?, how),
        ["serve", collection, what] => serve::serve(&Collection::open(collection)?, what),
        _ => {
            Err("quality_worker index|measure|vectors|similar|serve ...: see the top of its source"
                .into())
        }
    }
}

fn index(data: &Path, count: usize, collection: &str) -> Outcome {
    let options = CatalogueOptions {
        key: Some("id".into()),
        title: Some("title".into()),
        picture: Some("image".into()),
        text: Some(vec!["title".into()]),
        ..CatalogueOptions::default()
    };
    let catalogue = data.join("products.csv");
    let rows = Catalogue::count_rows(&catalogue, &options)?;
    let drawn = draw(rows, count);
    let entries = Catalogue::open(&catalogue, &options)?;
    let wanted = |entry: &Result<Entry, lookalike::catalogue::Error>| match entry {
        Ok(Entry::Item(item, _)) => drawn.contains(&item.row),
        _ => true,
    };
    let models = ModelStore::default_location()?;
    let (image, text) = ("efficientnet-lite0", "all-minilm-l6-v2");
    let report = Indexer::new(collection)
        .image_encoder(image, Arc::from(models.get(image)?.open_image(&Device::cpu())?))
        .text_encoder(text, Arc::from(models.get(text)?.open_text(&Device::cpu())?))
        .graph(GraphOptions::default().from_rows(GRAPH_FROM_ROWS))
        .prune(true)
        .run(entries.filter(wanted))?;
    say(&json!(report))
}

/// So many different rows, counted from 1.
fn draw(rows: u64, count: usize) -> HashSet<u64> {
    let mut all: Vec<u64> = (1..=rows).collect();
    let mut rng = Rng::new(4, "products", 0);
    for place in 0..count.min(all.len()) {
        let other = place + rng.below(all.len() - place);
        all.swap(place, other);
    }
    all.into_iter().take(count).collect()
}

/// What a column says of an item.
fn field<'a>(item: &'a StoredItem, column: &str) -> &'a str {
    item.fields.get(column).and_then(Value::as_str).unwrap_or_default()
}

/// A colour and a kind of product, as somebody would type them: the pairs that enough products have, in the order of
/// the alphabet.
fn attributes(items: &[(u32, StoredItem)]) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = items
        .iter()
        .map(|(_, item)| (field(item, "base_colour"), field(item, "article_type")))
        .filter(|(colour, article)| !colour.is_empty() && !article.is_empty())
        .map(|(colour, article)| (colour.to_owned(), article.to_owned()))
        .collect();
    pairs.sort();
    pairs
        .chunk_by(|a, b| a == b)
        .filter(|same| same.len() >= 20)
        .map(|same| same[0].clone())
        .collect()
}

fn items(collection: &Collection) -> Result<Vec<(u32, StoredItem)>, Box<dyn Error>> {
    Ok(collection.items()?.collect::<Result<_, _>>()?)
}

fn say(line: &Value) -> Outcome {
    println!("{line}");
    Ok(stdout().flush()?)
}
