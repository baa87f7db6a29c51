//! An export on its way into a collection.
//!
//! The items come by ascending number and so do the rows of each file of vectors, so all of them are read
//! side by side, and nothing is held in memory. What is not as `export` writes it is an error that names
//! the file.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Lines};
use std::iter::Peekable;
use std::path::{Component, Path, PathBuf};

use super::Error;
use super::export::{Exported, Line, MANIFEST, VectorFile};
use super::npy::NpyReader;
use super::vectors::numbers;
use crate::catalogue::{Catalogue, CatalogueOptions, Entry};
use crate::collection::{EncoderEntry, Import, Indexer, Report};
use crate::encode::Modality;

/// Takes the export in a folder into the indexer's collection: items, vectors, and the encoders that made
/// them. A collection of its own answers as the exported one does.
pub fn import_export(folder: impl AsRef<Path>, indexer: Indexer) -> Result<Report, Error> {
    let folder = folder.as_ref();
    let path = folder.join(MANIFEST);
    let malformed = |reason: String| Error::Malformed { path: path.clone(), reason };
    let text = fs::read(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
    let exported: Exported = serde_json::from_slice(&text)
        .map_err(|error| malformed(format!("is no manifest of an export: {error}")))?;
    if exported.format > Exported::FORMAT {
        return Err(malformed("is of a later format: update lookalike".to_owned()));
    }
    let within = |name: &str| match Path::new(name).components().collect::<Vec<_>>()[..] {
        [Component::Normal(name)] => Ok(folder.join(name)),
        _ => Err(malformed(format!("names the file \"{name}\", which does not lie beside it"))),
    };
    let mut streams = Vec::new();
    for file in &exported.vectors {
        let path = within(&file.file)?;
        let rows = match &file.ids {
            Some(ids) => npy_rows(path.clone(), within(ids)?, file)?,
            None => parquet_rows(path.clone())?,
        };
        let rows = ascending(rows, path.clone(), file.vectors).peekable();
        streams.push(Stream { modality: file.encoder.modality, path, rows });
    }
    let encoders: Vec<EncoderEntry> =
        exported.vectors.iter().map(|file| file.encoder.clone()).collect();
    let path = within(&exported.items_file)?;
    let lines = File::open(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
    let lines = BufReader::new(lines).lines();
    let items = exported.items;
    let entries = Restored { path, lines, line: 0, items, last: None, done: false, streams };
    let notes = exported.notes.into_iter();
    let indexer = notes.fold(indexer, |indexer, (name, value)| indexer.note(&name, value));
    let types = exported.types.into_iter();
    let indexer = types.fold(indexer, |indexer, (name, told)| indexer.field(&name, Some(told)));
    indexer.import(&encoders, entries)
}

/// Vectors with the numbers of their items.
type Numbered = Box<dyn Iterator<Item = Result<(u32, Vec<f32>), Error>>>;

fn npy_rows(path: PathBuf, ids: PathBuf, file: &VectorFile) -> Result<Numbered, Error> {
    let (mut rows, mut ids) = (NpyReader::table(&path)?, NpyReader::list(&ids)?);
    let (count, width) = (rows.len(), rows.width());
    if count != ids.len() || width != file.encoder.dimension {
        let (numbers, dimension) = (ids.len(), file.encoder.dimension);
        let reason = format!(
            "has {count} rows of {width} and not {numbers} of {dimension}, as the files beside it say: export again"
        );
        return Err(Error::Malformed { path, reason });
    }
    Ok(Box::new((0..count).map(move |_| Ok((ids.read_number()?, rows.read()?)))))
}

fn parquet_rows(path: PathBuf) -> Result<Numbered, Error> {
    let options = CatalogueOptions { bare: true, key: Some("id".into()), ..Default::default() };
    let mut rows = Catalogue::open(&path, &options)?;
    let wrong = move |row: u64| Error::Malformed {
        path: path.clone(),
        reason: format!("has no number or no vector in row {row}: export again"),
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

/// The same rows; an error where their numbers do not ascend, or where they are not as many as were exported.
fn ascending(
    rows: Numbered,
    path: PathBuf,
    vectors: u64,
) -> impl Iterator<Item = Result<(u32, Vec<f32>), Error>> {
    let malformed =
        move |reason: String| Some(Err(Error::Malformed { path: path.clone(), reason }));
    let (mut rows, mut read, mut last) = (rows.fuse(), 0, None);
    std::iter::from_fn(move || match rows.next() {
        Some(Ok((id, _))) if last.is_some_and(|last| last >= id) => {
            malformed(format!("has item {id} after a later one: export again"))
        }
        Some(Ok((id, vector))) => {
            (last, read) = (Some(id), read + 1);
            Some(Ok((id, vector)))
        }
        Some(Err(error)) => Some(Err(error)),
        None if read != vectors => {
            let found = std::mem::replace(&mut read, vectors);
            malformed(format!("has {found} vectors, where {vectors} were exported: export again"))
        }
        None => None,
    })
}

/// The vectors of one modality.
struct Stream<I: Iterator> {
    modality: Modality,
    path: PathBuf,
    rows: Peekable<I>,
}

/// The items of an export, each with its vectors.
struct Restored<I: Iterator> {
    path: PathBuf,
    lines: Lines<BufReader<File>>,
    line: u64,
    /// How many items were exported.
    items: u64,
    last: Option<u32>,
    done: bool,
    streams: Vec<Stream<I>>,
}

impl<I: Iterator<Item = Result<(u32, Vec<f32>), Error>>> Restored<I> {
    fn restore(&mut self, line: &str) -> Result<Import, Error> {
        let malformed = |reason: String| Error::Malformed { path: self.path.clone(), reason };
        let number = self.line;
        let Line { id, item } = serde_json::from_str(line)
            .map_err(|error| malformed(format!("is damaged in line {number}: {error}")))?;
        if self.last.is_some_and(|last| last >= id) {
            return Err(malformed(format!(
                "has item {id} in line {number}, after a later one: export again"
            )));
        }
        self.last = Some(id);
        let mut vectors = Vec::new();
        for Stream { modality, path, rows } in &mut self.streams {
            match rows.next_if(|row| !matches!(row, Ok((other, _)) if *other > id)) {
                Some(Ok((other, vector))) if other == id => vectors.push((*modality, vector)),
                Some(Ok((other, _))) => return Err(orphan(path, other)),
                Some(Err(error)) => return Err(error),
                None => (),
            }
        }
        Ok(Import::Item { item, vectors })
    }

    /// What is wrong with the end, if anything is.
    fn end(&mut self) -> Option<Error> {
        if self.line != self.items {
            let (found, items) = (self.line, self.items);
            let reason = format!("has {found} items, where {items} were exported: export again");
            return Some(Error::Malformed { path: self.path.clone(), reason });
        }
        self.streams.iter_mut().find_map(|Stream { path, rows, .. }| match rows.next()? {
            Ok((id, _)) => Some(orphan(path, id)),
            Err(error) => Some(error),
        })
    }
}

fn orphan(path: &Path, id: u32) -> Error {
    let reason = format!("has a vector of item {id}, which was not exported: export again");
    Error::Malformed { path: path.to_owned(), reason }
}

impl<I: Iterator<Item = Result<(u32, Vec<f32>), Error>>> Iterator for Restored<I> {
    type Item = Result<Import, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        match self.lines.next() {
            Some(Ok(line)) => {
                self.line += 1;
                Some(self.restore(&line))
            }
            Some(Err(source)) => Some(Err(Error::Io { path: self.path.clone(), source })),
            None => {
                self.done = true;
                self.end().map(Err)
            }
        }
    }
}
