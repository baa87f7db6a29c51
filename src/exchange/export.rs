//! A collection as plain files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use lookalike_index::Shelf;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Error;
use super::npy::NpyWriter;
use super::table::{Cell, Table};
use crate::collection::{Collection, EncoderEntry, FieldReading, StoredItem};
use crate::encode::Modality;

/// The manifest's name; it is written last, so that a folder that has one is whole.
pub(super) const MANIFEST: &str = "manifest.json";
const ITEMS: &str = "items.jsonl";

/// In what form vectors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum VectorFormat {
    /// NumPy's `.npy`, with the items' numbers in a file beside it.
    Npy,
    /// Parquet, with the columns `id`, `key` and `vector`.
    Parquet,
}

/// What was exported, as the manifest says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Exported {
    /// The version of this page's layout.
    pub format: u32,
    /// The generation of the collection.
    pub generation: u32,
    /// How many items there are.
    pub items: u64,
    /// Their file.
    pub items_file: String,
    /// A file of vectors for each modality that has any.
    pub vectors: Vec<VectorFile>,
    /// Fields whose type was told, and not inferred.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, FieldReading>,
    /// How the catalogue was read.
    #[serde(default)]
    pub notes: Map<String, Value>,
}

impl Exported {
    /// The layout that this program writes.
    pub(super) const FORMAT: u32 = 1;
}

/// A file of vectors in an export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VectorFile {
    /// In what form they are.
    pub format: VectorFormat,
    /// The file.
    pub file: String,
    /// The file with the items' numbers, where they are not in the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<String>,
    /// How many.
    pub vectors: u64,
    /// What made them: modality, model, dimension and fingerprint.
    pub encoder: EncoderEntry,
}

/// A line of the items' file.
#[derive(Serialize, Deserialize)]
pub(super) struct Line {
    pub id: u32,
    #[serde(flatten)]
    pub item: StoredItem,
}

impl Collection {
    /// Writes everything that is published into a folder, which must be empty or not there.
    pub fn export(
        &self,
        folder: impl AsRef<Path>,
        format: VectorFormat,
    ) -> Result<Exported, Error> {
        let folder = folder.as_ref();
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io { path, source }
        };
        fs::create_dir_all(folder).map_err(io(folder))?;
        if fs::read_dir(folder).map_err(io(folder))?.next().is_some() {
            return Err(Error::Occupied { path: folder.to_owned() });
        }
        self.export_items(&folder.join(ITEMS))?;
        let mut vectors = Vec::new();
        for modality in Modality::ALL {
            if let (Some(shelf), Some(encoder)) = (self.vectors(modality), self.encoder(modality)) {
                let file = VectorFile {
                    format,
                    file: format!("{modality}.{}", format.extension()),
                    ids: (format == VectorFormat::Npy).then(|| format!("{modality}-ids.npy")),
                    vectors: shelf.len() as u64,
                    encoder: encoder.clone(),
                };
                match &file.ids {
                    Some(ids) => write_npy(&folder.join(&file.file), &folder.join(ids), shelf)?,
                    None => self.write_parquet(folder.join(&file.file), shelf)?,
                }
                vectors.push(file);
            }
        }
        let told = self.fields().unwrap_or_default().iter();
        let told = told.filter(|field| field.declared && field.items() > 0);
        let types = told.map(|field| (field.name.clone(), field.reading)).collect();
        let exported = Exported {
            format: Exported::FORMAT,
            generation: self.manifest().generation,
            items: self.len(),
            items_file: ITEMS.to_owned(),
            vectors,
            types,
            notes: self.manifest().notes.clone(),
        };
        let path = folder.join(MANIFEST);
        let text = serde_json::to_string_pretty(&exported).map_err(io::Error::from);
        text.and_then(|text| fs::write(&path, text + "\n")).map_err(io(&path))?;
        Ok(exported)
    }

    fn export_items(&self, path: &Path) -> Result<(), Error> {
        let failed = |source| Error::Io { path: path.to_owned(), source };
        let mut file = BufWriter::new(File::create(path).map_err(failed)?);
        for row in self.items()? {
            let (id, item) = row?;
            let line = serde_json::to_string(&Line { id, item }).map_err(io::Error::from);
            line.and_then(|line| writeln!(file, "{line}")).map_err(failed)?;
        }
        file.flush().and_then(|()| file.get_ref().sync_all()).map_err(failed)
    }

    fn write_parquet(&self, path: PathBuf, shelf: &Shelf) -> Result<(), Error> {
        let columns = [
            ("id", Cell::Number(0)),
            ("key", Cell::Text(String::new())),
            ("vector", Cell::Vector(Vec::new())),
        ];
        let mut table = Table::create(path, &columns)?;
        for (id, vector) in shelf.vectors() {
            let key = self.item(id)?.map(|item| item.key).unwrap_or_default();
            table.push([Cell::Number(id), Cell::Text(key), Cell::Vector(vector)])?;
        }
        table.finish()
    }
}

fn write_npy(path: &Path, ids_path: &Path, shelf: &Shelf) -> Result<(), Error> {
    let mut rows = NpyWriter::create(path, "<f4", shelf.len(), Some(shelf.dimension()))?;
    let mut ids = NpyWriter::create(ids_path, "<u4", shelf.len(), None)?;
    for (id, vector) in shelf.vectors() {
        rows.floats(&vector)?;
        ids.number(id)?;
    }
    rows.finish()?;
    ids.finish()
}

impl VectorFormat {
    fn extension(self) -> &'static str {
        match self {
            VectorFormat::Npy => "npy",
            VectorFormat::Parquet => "parquet",
        }
    }
}
