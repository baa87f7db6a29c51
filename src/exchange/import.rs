//! Vectors that were made elsewhere, or an export, on their way into a collection.

use std::fs::File;
use std::io::{BufRead, BufReader, Lines};
use std::iter::Peekable;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Error;
use super::export::{Exported, Line, MANIFEST, VectorFile};
use super::npy::NpyReader;
use crate::catalogue::{Catalogue, CatalogueOptions, Entry, Item, Rejection};
use crate::collection::{EncoderEntry, Import, Indexer, Report, StoredItem};
use crate::encode::Modality;

/// What columns of vectors are usually called.
const VECTORS: [&str; 5] = ["vector", "vectors", "embedding", "embeddings", "features"];

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
        let (npy, items, encoder) = (Some(file.into()), items.into(), encoder.to_owned());
        let options = CatalogueOptions::default();
        Vectors { modality, encoder, npy, items, column: None, options }
    }

    /// A column of a Parquet file, or of JSON lines, that holds a list of numbers in each row. Its name is
    /// guessed unless it is [given](Self::column).
    pub fn column_of(items: impl Into<PathBuf>, modality: Modality, encoder: &str) -> Self {
        Vectors { npy: None, ..Self::npy("", items, modality, encoder) }
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
        let indexer = indexer.note("catalogue", self.items.display().to_string());
        match &self.npy {
            Some(npy) => {
                let rows = NpyReader::open(npy)?;
                let encoder = EncoderEntry::elsewhere(self.modality, &self.encoder, rows.width());
                let pairs =
                    Paired { catalogue, rows, npy: npy.clone(), read: 0, modality: self.modality };
                indexer.import(&[encoder], pairs)
            }
            None => self.import_column(catalogue, indexer),
        }
    }

    fn import_column(self, catalogue: Catalogue, indexer: Indexer) -> Result<Report, Error> {
        let malformed = |reason: String| Error::Malformed { path: self.items.clone(), reason };
        let columns = &catalogue.columns().all;
        let usual = VECTORS.iter().find(|&&usual| columns.iter().any(|column| column == usual));
        let column = match (self.column, usual) {
            (Some(column), _) if columns.contains(&column) => column,
            (None, Some(usual)) => (*usual).to_owned(),
            _ => {
                let columns = columns.join(", ");
                let reason = format!(
                    "has no such column of vectors: name it with --column; it has: {columns}"
                );
                return Err(malformed(reason));
            }
        };
        let mut rows = Columned { catalogue, column, modality: self.modality }.peekable();
        // The first vector tells how long they are.
        let width = match rows.peek() {
            Some(Ok(Import::Item { vectors, .. })) if !vectors.is_empty() => vectors[0].1.len(),
            Some(Ok(_)) => {
                return Err(malformed(
                    "has no vector in its first row: put one there, or name their column with --column"
                        .to_owned(),
                ));
            }
            _ => 0,
        };
        let encoder = EncoderEntry::elsewhere(self.modality, &self.encoder, width);
        indexer.import(&[encoder], rows)
    }
}

/// Takes the export in a folder into the indexer's collection: items, vectors, and the encoders that made
/// them.
pub fn import_export(folder: impl AsRef<Path>, indexer: Indexer) -> Result<Report, Error> {
    let folder = folder.as_ref();
    let path = folder.join(MANIFEST);
    let malformed = |reason: String| Error::Malformed { path: path.clone(), reason };
    let text = std::fs::read(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
    let exported: Exported = serde_json::from_slice(&text)
        .map_err(|error| malformed(format!("is no manifest of an export: {error}")))?;
    if exported.format > 1 {
        return Err(malformed("is of a later format: update lookalike".to_owned()));
    }
    let encoders: Vec<EncoderEntry> =
        exported.vectors.iter().map(|file| file.encoder.clone()).collect();
    let streams = exported.vectors.iter().map(|file| {
        let rows: Numbered = match &file.ids {
            Some(ids) => npy_rows(folder, file, ids)?,
            None => parquet_rows(folder, file)?,
        };
        Ok((file.encoder.modality, rows.peekable()))
    });
    let streams = streams.collect::<Result<Vec<_>, Error>>()?;
    let items = folder.join(&exported.items_file);
    let lines = File::open(&items).map_err(|source| Error::Io { path: items.clone(), source })?;
    let lines = BufReader::new(lines).lines();
    let entries = Restored { path: items, lines, line: 0, streams };
    let indexer = exported.notes.into_iter().fold(indexer, |i, (name, value)| i.note(&name, value));
    indexer.import(&encoders, entries)
}

/// Vectors with the numbers of their items, ascending.
type Numbered = Box<dyn Iterator<Item = Result<(u32, Vec<f32>), Error>>>;

fn npy_rows(folder: &Path, file: &VectorFile, ids: &str) -> Result<Numbered, Error> {
    let path = folder.join(&file.file);
    let (mut rows, mut ids) = (NpyReader::open(&path)?, NpyReader::open(&folder.join(ids))?);
    if rows.len() != ids.len() || ids.width() != 1 {
        let reason = format!("has {} rows, and {} numbers beside it", rows.len(), ids.len());
        return Err(Error::Malformed { path, reason });
    }
    let next = move |_| Ok((ids.read_number()?, rows.read()?));
    Ok(Box::new((0..file.vectors).map(next)))
}

fn parquet_rows(folder: &Path, file: &VectorFile) -> Result<Numbered, Error> {
    let path = folder.join(&file.file);
    let options = CatalogueOptions { bare: true, key: Some("id".into()), ..Default::default() };
    let mut rows = Catalogue::open(&path, &options)?;
    let wrong = move |row: u64| Error::Malformed {
        path: path.clone(),
        reason: format!("has no number or no vector in row {row}: export it again"),
    };
    Ok(Box::new(std::iter::from_fn(move || {
        let row = rows.next_without("vector")?;
        Some(row.map_err(Error::from).and_then(|(entry, vector)| match entry {
            Entry::Item(item, _) => match (item.key.parse(), vector.as_ref().and_then(numbers)) {
                (Ok(id), Some(vector)) => Ok((id, vector)),
                _ => Err(wrong(item.row)),
            },
            Entry::Rejected(rejection) => Err(wrong(rejection.row)),
        }))
    })))
}

/// The numbers of a list. What is no number in it is not finite.
fn numbers(value: &Value) -> Option<Vec<f32>> {
    let values = value.as_array()?;
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
    modality: Modality,
}

impl Iterator for Columned {
    type Item = Result<Import, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.catalogue.next_without(&self.column)?;
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
        Entry::Item(item, flaw) => {
            // Where a picture lies is known, but nobody has read it.
            let Item { key, row, fields, text, picture: _ } = item;
            let item = StoredItem { key, row, fields, text, picture: None, imported: Vec::new() };
            let vectors = vector.map(|vector| (modality, vector)).into_iter().collect();
            Import::Item { item, flaw, vectors }
        }
    }
}

/// The items of an export, each with its vectors.
struct Restored {
    path: PathBuf,
    lines: Lines<BufReader<File>>,
    line: u64,
    streams: Vec<(Modality, Peekable<Numbered>)>,
}

impl Restored {
    fn restore(&mut self, line: &str) -> Result<Import, Error> {
        let line = match serde_json::from_str::<Line>(line) {
            Ok(line) => line,
            Err(error) => {
                let reason = format!("the line is no item of an export: {error}");
                let rejection = Rejection { row: self.line, key: None, reason, kept: false };
                return Ok(Import::Rejected(rejection));
            }
        };
        let mut vectors = Vec::new();
        for (modality, rows) in &mut self.streams {
            // Vectors of items that are not there any more are passed over.
            while let Some(row) = rows.next_if(|row| !matches!(row, Ok((id, _)) if *id > line.id)) {
                let (id, vector) = row?;
                if id == line.id {
                    vectors.push((*modality, vector));
                }
            }
        }
        Ok(Import::Item { item: line.item, flaw: None, vectors })
    }
}

impl Iterator for Restored {
    type Item = Result<Import, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.line += 1;
        match self.lines.next()? {
            Ok(line) => Some(self.restore(&line)),
            Err(source) => Some(Err(Error::Io { path: self.path.clone(), source })),
        }
    }
}
