//! Two encoders that are small enough to run in every test and honest enough to search by: pictures by
//! their colours, texts by their words. Both count what goes through them.

#![allow(dead_code)] // Each test file uses its own part of this.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use image::{Rgb, RgbImage};
use lookalike::catalogue::{Entry, Error as CatalogueError, Item};
use lookalike::encode::{
    Embedding, Encoder, Error, Fingerprint, Identity, ImageEncoder, Pixels, TextEncoder,
};
use lookalike::{Indexer, Report};
use serde_json::Map;

/// A histogram of 27 colours.
pub struct Colours {
    pub encoded: AtomicUsize,
    identity: Identity,
}

/// Versions are encoders that a test wants to tell apart.
fn identity(name: &str, dimension: usize, version: u8) -> Identity {
    let fingerprint = Fingerprint::of(&[name.as_bytes(), &[version]]);
    Identity { name: name.to_owned(), dimension, fingerprint }
}

impl Colours {
    pub fn version(version: u8) -> Self {
        Colours { encoded: AtomicUsize::new(0), identity: identity("colours", 27, version) }
    }
}

impl Default for Colours {
    fn default() -> Self {
        Colours::version(0)
    }
}

impl Encoder for Colours {
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl ImageEncoder for Colours {
    fn prepare(&self, picture: &RgbImage) -> Pixels {
        let mut values = vec![0.0; 27];
        for Rgb(pixel) in picture.pixels() {
            let [r, g, b] = pixel.map(|value| usize::from(value) * 3 / 256);
            values[9 * r + 3 * g + b] += 1.0;
        }
        Pixels { side: 3, values }
    }

    fn encode(&self, batch: &[Pixels]) -> Result<Vec<Embedding>, Error> {
        self.encoded.fetch_add(batch.len(), Ordering::Relaxed);
        batch.iter().map(|pixels| Ok(Embedding::new(pixels.values.clone())?)).collect()
    }
}

/// A bag of words, hashed into 64 places.
pub struct Words {
    pub encoded: AtomicUsize,
    identity: Identity,
}

impl Words {
    pub fn version(version: u8) -> Self {
        Words { encoded: AtomicUsize::new(0), identity: identity("words", 64, version) }
    }
}

impl Default for Words {
    fn default() -> Self {
        Words::version(0)
    }
}

impl Encoder for Words {
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl TextEncoder for Words {
    fn encode(&self, batch: &[&str]) -> Result<Vec<Embedding>, Error> {
        self.encoded.fetch_add(batch.len(), Ordering::Relaxed);
        batch
            .iter()
            .map(|text| {
                let mut places = vec![0.0; 64];
                for word in text.split_whitespace() {
                    let hash = word.bytes().fold(7u32, |h, b| h.wrapping_mul(31) ^ u32::from(b));
                    places[hash as usize % 64] += 1.0;
                }
                Ok(Embedding::new(places)?)
            })
            .collect()
    }
}

/// An item of text alone.
pub fn item(key: &str, row: u64, text: &str) -> Item {
    Item { key: key.into(), row, fields: Map::new(), text: text.into(), picture: None }
}

/// An item with a picture, which is painted into `directory` in one colour.
pub fn pictured(key: &str, row: u64, text: &str, colour: [u8; 3], directory: &Path) -> Item {
    let path = directory.join(format!("{key}.png"));
    RgbImage::from_pixel(8, 8, Rgb(colour)).save(&path).unwrap();
    Item { picture: Some(path), ..item(key, row, text) }
}

/// A catalogue of sound rows.
pub fn entries(
    items: impl IntoIterator<Item = Item>,
) -> impl Iterator<Item = Result<Entry, CatalogueError>> {
    items.into_iter().map(|item| Ok(Entry::Item(item, None)))
}

/// The two encoders of a test.
#[derive(Default, Clone)]
pub struct Both {
    pub colours: Arc<Colours>,
    pub words: Arc<Words>,
}

impl Both {
    pub fn indexer(&self, path: &Path) -> Indexer<'static> {
        Indexer::new(path)
            .image_encoder("colours", self.colours.clone())
            .text_encoder("words", self.words.clone())
    }

    pub fn index(&self, path: &Path, items: impl IntoIterator<Item = Item>) -> Report {
        self.indexer(path).run(entries(items)).unwrap()
    }

    pub fn open(&self, path: &Path) -> lookalike::Collection {
        lookalike::Collection::open(path)
            .unwrap()
            .with_image_encoder(self.colours.clone())
            .unwrap()
            .with_text_encoder(self.words.clone())
            .unwrap()
    }

    /// A collection whose pictures nobody here can embed.
    pub fn open_texts(&self, path: &Path) -> lookalike::Collection {
        lookalike::Collection::open(path).unwrap().with_text_encoder(self.words.clone()).unwrap()
    }

    /// How many pictures and texts have gone through the networks so far.
    pub fn encoded(&self) -> (usize, usize) {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        (count(&self.colours.encoded), count(&self.words.encoded))
    }
}
