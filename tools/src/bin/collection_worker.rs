//! Our side of `tools/bench index` and `tools/bench open`: whole collections, through the library.
//!
//! - `collection_worker fill COLLECTION PICTURES ITEMS` indexes that many items with encoders that cost next to
//!   nothing, so that what remains is the work of the collection itself. Their pictures lie in PICTURES, and are
//!   made if they do not.
//! - `collection_worker vectors COLLECTION image|text OUT` writes all vectors as raw `f32`, by item number.
//! - `collection_worker serve COLLECTION` opens one, says so, and answers each `search COUNT TERM` on stdin, TERM being
//!   `image`, `text` or `item`, when it has searched so many times.
//!
//! The driver holds the clocks, so that they are the same for all.

use std::error::Error;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufWriter, Write, stdin, stdout};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use image::RgbImage;
use lookalike::catalogue::{Entry, Error as CatalogueError};
use lookalike::encode::{
    self, Encoder, Fingerprint, Identity, ImageEncoder, Modality, Pixels, TextEncoder,
};
use lookalike::{Collection, Embedding, Indexer, Item, Query, Term};
use lookalike_tools::seed::Rng;
use serde_json::json;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["fill", collection, pictures, items] => {
            fill(collection, pictures.as_ref(), items.parse()?)
        }
        ["vectors", collection, "image", out] => vectors(collection, Modality::Image, out),
        ["vectors", collection, "text", out] => vectors(collection, Modality::Text, out),
        ["serve", collection] => serve(collection),
        _ => Err("collection_worker fill|vectors|serve ...: see the top of its source".into()),
    }
}

fn fill(collection: &str, pictures: &Path, items: u64) -> Outcome {
    fs::create_dir_all(pictures)?;
    for row in 0..items {
        let path = pictures.join(format!("{row}.bmp"));
        if !path.exists() {
            picture(row).save(path)?;
        }
    }
    let start = Instant::now();
    let report = Indexer::new(collection)
        .image_encoder("chance of 2048", Arc::new(Chance::new(2048)))
        .text_encoder("chance of 384", Arc::new(Chance::new(384)))
        .run((0..items).map(|row| entry(row, pictures)))?;
    let mut line = serde_json::to_value(&report)?;
    line["seconds"] = json!(start.elapsed().as_secs_f64());
    say(&line)
}

/// Four pixels that no other item has.
fn picture(row: u64) -> RgbImage {
    let mut rng = Rng::new(1, "picture", row);
    RgbImage::from_fn(2, 2, |_, _| {
        let [r, g, b, ..] = rng.bits().to_le_bytes();
        image::Rgb([r, g, b])
    })
}

/// A row as a shop has them: a dozen short columns and a sentence.
fn entry(row: u64, pictures: &Path) -> Result<Entry, CatalogueError> {
    let mut rng = Rng::new(1, "row", row);
    let mut fields = serde_json::Map::new();
    for column in ["brand", "category", "kind", "colour", "pattern", "material", "season", "size"] {
        fields.insert(column.to_owned(), json!(words(&mut rng, 1)));
    }
    let title = words(&mut rng, 5);
    let text = format!("{title}, {}", words(&mut rng, 30));
    fields.insert("price".to_owned(), json!(rng.below(100_000)));
    fields.insert("title".to_owned(), json!(title));
    let picture = Some(pictures.join(format!("{row}.bmp")));
    Ok(Entry::Item(Item { key: format!("item-{row}"), row: row + 1, fields, text, picture }, None))
}

fn words(rng: &mut Rng, count: usize) -> String {
    (0..count).map(|_| format!("{:x}", rng.below(50_000))).collect::<Vec<_>>().join(" ")
}

/// An encoder that rolls dice, the same ones for the same input.
struct Chance {
    identity: Identity,
}

impl Chance {
    fn new(dimension: usize) -> Self {
        let fingerprint = Fingerprint::of(&[b"chance", &dimension.to_le_bytes()]);
        Chance { identity: Identity { name: "chance".to_owned(), dimension, fingerprint } }
    }

    fn embed(&self, bytes: impl Iterator<Item = u8>) -> Result<Embedding, encode::Error> {
        let seed = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut rng = Rng::new(seed, "embedding", 0);
        let values = (0..self.dimension()).map(|_| (rng.bits() >> 40) as f32 - (1u32 << 23) as f32);
        Ok(Embedding::new(values.collect())?)
    }
}

impl Encoder for Chance {
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl ImageEncoder for Chance {
    fn prepare(&self, picture: &RgbImage) -> Pixels {
        Pixels { side: 2, values: picture.as_raw().iter().map(|&value| value.into()).collect() }
    }

    fn encode(&self, batch: &[Pixels]) -> Result<Vec<Embedding>, encode::Error> {
        batch.iter().map(|pixels| self.embed(pixels.values.iter().map(|&v| v as u8))).collect()
    }
}

impl TextEncoder for Chance {
    fn encode(&self, batch: &[&str]) -> Result<Vec<Embedding>, encode::Error> {
        batch.iter().map(|text| self.embed(text.bytes())).collect()
    }
}

fn vectors(collection: &str, modality: Modality, out: &str) -> Outcome {
    let collection = Collection::open(collection)?;
    let shelf = collection.vectors(modality).ok_or("it has no such vectors")?;
    let mut out = BufWriter::new(File::create(out)?);
    for (_, vector) in shelf.vectors() {
        for value in vector {
            out.write_all(&value.to_le_bytes())?;
        }
    }
    Ok(out.flush()?)
}

fn serve(path: &str) -> Outcome {
    let start = Instant::now();
    let collection = Collection::open(path)?;
    let opened = start.elapsed();
    say(&json!({"open_ms": opened.as_secs_f64() * 1e3, "items": collection.len()}))?;
    let mut rng = Rng::new(2, "asked", 0);
    for line in stdin().lines() {
        let line = line?;
        let ["search", count, term] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("no such request: {line}").into());
        };
        for _ in 0..count.parse()? {
            let id = rng.below(usize::try_from(collection.len())?) as u32;
            let term = match term {
                "item" => Term::Item(format!("item-{id}")),
                "image" => stored(&collection, id, Modality::Image)?,
                _ => stored(&collection, id, Modality::Text)?,
            };
            black_box(collection.search(&Query::new().term(term))?);
        }
        say(&json!({}))?;
    }
    Ok(())
}

/// An item's vector as a term, as if it had come from elsewhere.
fn stored(collection: &Collection, id: u32, modality: Modality) -> Result<Term, Box<dyn Error>> {
    let embedding = collection.embedding(id, modality)?.ok_or("the item has no such vector")?;
    Ok(Term::Embedding { modality, name: "stored".to_owned(), embedding })
}

fn say(line: &serde_json::Value) -> Outcome {
    println!("{line}");
    Ok(stdout().flush()?)
}
