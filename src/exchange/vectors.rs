//! Vectors that were made elsewhere, on their way into a collection.

use std::collections::VecDeque;
use std::path::PathBuf;

use serde_json::Value;

use super::Error;
use super::npy::NpyReader;
use crate::catalogue::{Catalogue, CatalogueOptions, Entry, Error as CatalogueError, Item};
use crate::collection::{EncoderEntry, Import, Indexer, PictureRecord, Report, StoredItem};
use crate::encode::Modality;

/// What columns of vectors are usually called.
const VECTORS: [&str; 5] = ["vector", "vectors", "embedding", "embeddings", "features"];
/// Among so many rows has to be one with a vector, which tells how long they are.
const SAMPLE: usize = 100;

/// Vectors that were made elsewhere, and what they belong to.
///
/// ```no_run
/// use lookalike::exchange::Vectors;
/// use lookalike::{Indexer, Modality};
///
/// let vectors = Vectors::npy("clip.npy", "products.csv", Modality::Image, "clip-vit-b-32");
/// let report = vectors.import(Indexer::new("shop.lookalike"))?;
/// println!("{} items", report.items);
/// # Ok::<(), lookalike::exchange::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Vectors {
    modality: Modality,
    encoder: String,
    /// A table of numbers whose rows are the catalogue's; `None` where they are in a column of it.
    npy: Option<PathBuf>,
    items: PathBuf,
    column: Option<String>,
    options: CatalogueOptions,
}

impl Vectors {
    /// Rows of an `.npy` file, each the vector of the same row of a catalogue. `encoder` is the name of what
    /// made them.
    pub fn npy(
        file: impl Into<PathBuf>,
        items: impl Into<PathBuf>,
        modality: Modality,
        encoder: &str,
    ) -> Self {
        Vectors { npy: Some(file.into()), ..Self::column_of(items, modality, encoder) }
    }

    /// A column of a Parquet file, or of JSON lines, that holds a list of numbers in each row. Its name is
    /// guessed unless it is [given](Self::column).
    pub fn column_of(items: impl Into<PathBuf>, modality: Modality, encoder: &str) -> Self {
        let (items, encoder) = (items.into(), encoder.to_owned());
        let options = CatalogueOptions::default();
        Vectors { modality, encoder, npy: None, items, column: None, options }
    }

    /// The column of the vectors.
    pub fn column(mut self, name: &str) -> Self {
        self.column = Some(name.to_owned());
        self
    }

    /// How the items are read.
    pub fn options(mut self, options: CatalogueOptions) -> Self {
        self.options = options;
        self
    }

    /// Takes them into the indexer's collection.
    pub fn import(mut self, indexer: Indexer) -> Result<Report, Error> {
        // An item is found by its vector here, whatever else it has.
        self.options.bare = true;
        let catalogue = Catalogue::open(&self.items, &self.options)?;
        let indexer = indexer
            .note("catalogue", self.items.display().to_string())
            .note("columns", catalogue.columns().roles());
        let modality = self.modality;
        match &self.npy {
            Some(npy) => {
                let rows = NpyReader::table(npy)?;
                let encoder = EncoderEntry::elsewhere(modality, &self.encoder, rows.width());
                let pairs = Paired { catalogue, rows, npy: npy.clone(), read: 0, modality };
                indexer.import(&[encoder], pairs)
            }
            None => {
                let column = self.column_among(&catalogue.columns().all)?;
                let mut rows = Columned { catalogue, column, ahead: VecDeque::new(), modality };
                let width = rows.width().ok_or_else(|| {
                    let reason = format!(
                        "has no list of numbers in the column \"{}\" of its first {SAMPLE} rows: name the column \
                         of the vectors with --column",
                        rows.column
                    );
                    Error::Malformed { path: self.items.clone(), reason }
                })?;
                let encoder = EncoderEntry::elsewhere(modality, &self.encoder, width);
                indexer.import(&[encoder], rows)
            }
        }
    }

    /// The column of the vectors: as it was named, or else the first of the usual ones.
    fn column_among(&self, columns: &[String]) -> Result<String, Error> {
        let there = |name: &&str| columns.iter().any(|column| column == name);
        let column = match &self.column {
            Some(column) => Some(column.as_str()).filter(there),
            None => VECTORS.into_iter().find(there),
        };
        column.map(str::to_owned).ok_or_else(|| {
            let wanted = match &self.column {
                Some(column) => format!("column \"{column}\""),
                None => "column that is called as vectors usually are".to_owned(),
            };
            let columns = columns.join(", ");
            let reason = format!("has no {wanted}: name it with --column; there are: {columns}");
            Error::Malformed { path: self.items.clone(), reason }
        })
    }
}

/// The numbers of a list, also where it is written as text. What is no number in it is not finite.
pub(super) fn numbers(value: &Value) -> Option<Vec<f32>> {
    let written = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let values = written.as_ref().unwrap_or(value).as_array()?;
    Some(values.iter().map(|value| value.as_f64().map_or(f32::NAN, |value| value as f32)).collect())
}

/// Items of a catalogue and rows of an `.npy` file, side by side.
struct Paired {
    catalogue: Catalogue,
    rows: NpyReader,
    npy: PathBuf,
    read: u64,
    modality: Modality,
}

impl Iterator for Paired {
    type Item = Result<Import, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let all = self.rows.len();
        let uneven = |reason: String| Error::Malformed { path: self.npy.clone(), reason };
        let remedy = "each row has to be the vector of the same row of the catalogue";
        let entry = match self.catalogue.next() {
            Some(entry) => entry,
            None if self.read < all => {
                let reason = format!("has {all} rows, the catalogue {}: {remedy}", self.read);
                self.read = all;
                return Some(Err(uneven(reason)));
            }
            None => return None,
        };
        if self.read == all {
            return Some(Err(uneven(format!("has {all} rows, the catalogue more: {remedy}"))));
        }
        self.read += 1;
        let vector = self.rows.read();
        Some(vector.and_then(|vector| Ok(import(entry?, self.modality, Some(vector)))))
    }
}

/// Items of a catalogue that holds the vectors in a column.
struct Columned {
    catalogue: Catalogue,
    column: String,
    /// Rows that were read to learn how long vectors are.
    ahead: VecDeque<Result<(Entry, Option<Value>), CatalogueError>>,
    modality: Modality,
}

impl Columned {
    /// The length of the first vector, if one comes soon.
    fn width(&mut self) -> Option<usize> {
        while self.ahead.len() < SAMPLE {
            self.ahead.push_back(self.catalogue.next_without(&self.column)?);
            let value = self.ahead.back()?.as_ref().ok().and_then(|(_, value)| value.as_ref());
            if let Some(vector) = value.and_then(numbers) {
                return Some(vector.len());
            }
        }
        None
    }
}

impl Iterator for Columned {
    type Item = Result<Import, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.ahead.pop_front().or_else(|| self.catalogue.next_without(&self.column))?;
        Some(
            row.map_err(Error::from).map(|(entry, value)| {
                import(entry, self.modality, value.as_ref().and_then(numbers))
            }),
        )
    }
}

fn import(entry: Entry, modality: Modality, vector: Option<Vec<f32>>) -> Import {
    match entry {
        Entry::Rejected(rejection) => Import::Rejected(rejection),
        // Nobody reads its picture, so a picture that is not here is no flaw.
        Entry::Item(item, _) => {
            let Item { key, row, fields, text, picture } = item;
            let picture = picture.map(PictureRecord::unread);
            let item = StoredItem { picture, ..StoredItem::of(key, row, fields, text) };
            let vectors = vector.map(|vector| (modality, vector)).into_iter().collect();
            Import::Item { item, vectors }
        }
    }
}
