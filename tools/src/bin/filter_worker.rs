//! Our side of `tools/bench filter` and `tools/bench update`: a collection whose vectors were drawn elsewhere.
//!
//! - `filter_worker write COLLECTION VECTORS DIMENSION PRICES FROM TO ROUND` takes in the items FROM to TO of a shop:
//!   their vectors from raw `f32` and their prices from raw `u32`, a row an item. In round r, item n has the vector of
//!   row n + r, so that each round changes every vector. Says how long that took, and how long until a reader that
//!   opens the collection finds the last of them.
//! - `filter_worker serve COLLECTION QUERIES DIMENSION` opens it, says so, and answers on stdin `search PRICE COUNT` and
//!   `answers PRICE COUNT`: the ten nearest that cost less than PRICE, for so many of the queries; 0 for no filter.
//!
//! The driver holds the clocks, so that they are the same for all.

use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Write, stdin, stdout};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use lookalike::collection::{EncoderEntry, Import, StoredItem};
use lookalike::{Collection, Embedding, Filter, Hits, Indexer, Modality, Query, Term};
use serde_json::{Map, json};

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", collection, vectors, dimension, prices, from, to, round] => {
            let shop = Shop::read(vectors.as_ref(), dimension.parse()?, prices.as_ref())?;
            shop.write(collection, from.parse()?, to.parse()?, round.parse()?)
        }
        ["serve", collection, queries, dimension] => {
            serve(collection, floats(&fs::read(queries)?), dimension.parse()?)
        }
        _ => Err("filter_worker write|serve ...: see the top of its source".into()),
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)).collect()
}

/// What there is to take in.
struct Shop {
    vectors: File,
    dimension: usize,
    prices: Vec<u32>,
}

impl Shop {
    fn read(vectors: &Path, dimension: usize, prices: &Path) -> Result<Self, Box<dyn Error>> {
        let bytes = fs::read(prices)?;
        let (prices, _) = bytes.as_chunks::<4>();
        let prices = prices.iter().map(|price| u32::from_le_bytes(*price)).collect();
        Ok(Shop { vectors: File::open(vectors)?, dimension, prices })
    }

    /// Read when it is wanted, so that a small change costs what it costs.
    fn vector(&self, row: usize) -> io::Result<Vec<f32>> {
        let mut bytes = vec![0; self.dimension * 4];
        let start = row % self.prices.len() * bytes.len();
        self.vectors.read_exact_at(&mut bytes, start as u64)?;
        Ok(floats(&bytes))
    }

    fn write(&self, path: &str, from: usize, to: usize, round: usize) -> Outcome {
        let items = (from..to).map(|n| {
            let price = self.prices[n % self.prices.len()];
            let fields = Map::from_iter([("price".to_owned(), json!(price))]);
            let item = StoredItem::of(format!("k{n}"), n as u64 + 1, fields, String::new());
            let vectors = vec![(Modality::Image, self.vector(n + round)?)];
            Ok::<_, Box<dyn Error>>(Import::Item { item, vectors })
        });
        let encoder = EncoderEntry::elsewhere(Modality::Image, "drawn", self.dimension);
        let start = Instant::now();
        let report = Indexer::new(path).import(&[encoder], items)?;
        let published = start.elapsed();
        let last = Embedding::new(self.vector(to - 1 + round)?)?;
        let hits = Collection::open(path)?.search(&nearest(last))?;
        let visible = start.elapsed();
        if hits.hits.first().is_none_or(|hit| hit.score < 0.999) {
            return Err("what was written is not found".into());
        }
        say(&json!({
            "items": report.items, "added": report.added, "updated": report.updated,
            "seconds": published.as_secs_f64(), "visible": visible.as_secs_f64(),
        }))
    }
}

fn nearest(embedding: Embedding) -> Query {
    let term = Term::Embedding { modality: Modality::Image, name: "a query".to_owned(), embedding };
    Query::new().term(term).top(10)
}

fn serve(path: &str, queries: Vec<f32>, dimension: usize) -> Outcome {
    let mut collection = Collection::open(path)?;
    let queries = queries.chunks_exact(dimension).map(|query| Embedding::new(query.to_vec()));
    let queries: Vec<Query> = queries.map(|query| query.map(nearest)).collect::<Result<_, _>>()?;
    say(&json!({"items": collection.len(), "queries": queries.len()}))?;
    let mut next = 0;
    for line in stdin().lines() {
        let line = line?;
        let asked: Vec<&str> = line.split(' ').collect();
        match asked[..] {
            // What a writer has published since is seen from here on.
            ["open"] => collection = Collection::open(path)?,
            ["search", price, count] => {
                let asked = within(&queries, price)?;
                for _ in 0..count.parse()? {
                    black_box(collection.search(&asked[next % asked.len()])?);
                    next += 1;
                }
            }
            ["answers", price, count] => {
                let asked = within(&queries, price)?;
                let answers =
                    asked.iter().take(count.parse()?).map(|query| collection.search(query));
                let answers = answers.collect::<Result<Vec<Hits>, _>>()?;
                let rows = |hits: &Hits| -> Vec<u64> {
                    hits.hits.iter().map(|hit| hit.item.row - 1).collect()
                };
                let how = answers.first().map(|hits| hits.plan.how);
                let rows: Vec<Vec<u64>> = answers.iter().map(rows).collect();
                say(&json!({"rows": rows, "how": how}))?;
                continue;
            }
            _ => return Err(format!("no such request: {line}").into()),
        }
        say(&json!({}))?;
    }
    Ok(())
}

/// The queries, of what costs less.
fn within(queries: &[Query], price: &str) -> Result<Vec<Query>, Box<dyn Error>> {
    if price == "0" {
        return Ok(queries.to_vec());
    }
    let filter: Filter = format!("price < {price}").parse()?;
    Ok(queries.iter().map(|query| query.clone().filter(filter.clone())).collect())
}

fn say(line: &serde_json::Value) -> Outcome {
    println!("{line}");
    Ok(stdout().flush()?)
}
