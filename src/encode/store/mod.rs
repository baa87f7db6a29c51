//! The model store: models by name, fetched once, checked and kept.
//!
//! Flowing in: a name and, only when asked to [`pull`](ModelStore::pull), files from the sources that
//! are known for it. Flowing out: a [`Model`] that opens as an encoder. Each model is a directory
//! `models/NAME` of the cache, with its weights as safetensors and a record, `lookalike.json`, of where
//! they came from and of every file's hash. A model appears there by one rename, after everything was
//! fetched, checked, converted and opened: it is there whole or not at all.

mod check;
mod error;
mod files;
mod hub;
mod known;
mod model;
mod package;
mod pull;
#[cfg(test)]
mod tests;

use std::env;
use std::path::{Path, PathBuf};

use crate::encode::Modality;

pub use check::Checked;
pub use error::{SourceError, StoreError};
use known::{KNOWN, Known, nearest};
pub use model::{Model, Record};
use model::{modality_of, read_error};

/// A directory of models.
#[derive(Debug, Clone)]
pub struct ModelStore {
    dir: PathBuf,
}

/// A line of the store's list: a model that is here, or that can be pulled.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Listing {
    /// What it is called.
    pub name: String,
    /// What it reads.
    pub modality: Modality,
    /// The length of its vectors.
    pub dimension: usize,
    /// Roughly the size of its weights.
    pub bytes: u64,
    /// Under which terms it may be used, where that is known.
    pub licence: Option<String>,
    /// Whether it is here.
    pub present: bool,
    /// Whether it is used where no model is named.
    pub default: bool,
}

/// What a pull is doing.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// Another process pulls the same model; what it fetches will serve.
    Waiting,
    /// A source is being asked.
    Asking {
        /// Which.
        source: &'a str,
    },
    /// So much of a file, or of all packages, is here.
    Bytes {
        /// So many bytes,
        done: u64,
        /// of so many.
        total: u64,
    },
    /// The source failed; the next one is tried.
    Failed {
        /// Which.
        source: &'a str,
        /// Why.
        error: &'a SourceError,
    },
    /// Everything is here and is being checked and converted.
    Checking,
}

impl ModelStore {
    /// The user's store: in `LOOKALIKE_CACHE`, else `$XDG_CACHE_HOME/lookalike`, else
    /// `~/.cache/lookalike`.
    pub fn default_location() -> Result<Self, StoreError> {
        let set =
            |name| env::var_os(name).map(PathBuf::from).filter(|dir| !dir.as_os_str().is_empty());
        // The XDG specification has relative paths ignored.
        let xdg = || set("XDG_CACHE_HOME").filter(|dir| dir.is_absolute());
        let home = || set("HOME").map(|home| home.join(".cache"));
        set("LOOKALIKE_CACHE")
            .or_else(|| xdg().or_else(home).map(|cache| cache.join("lookalike")))
            .map(ModelStore::at)
            .ok_or(StoreError::NoPlace)
    }

    /// The store of a cache directory, which need not exist yet.
    pub fn at(cache: impl Into<PathBuf>) -> Self {
        ModelStore { dir: cache.into().join("models") }
    }

    /// The cache directory that the models are in.
    pub fn cache(&self) -> &Path {
        self.dir.parent().unwrap_or(&self.dir)
    }

    /// Where a model of that name is, or would be.
    pub fn dir_of(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The models that are here and those that can be pulled: the known ones in order of preference,
    /// then the user's own by name.
    pub fn list(&self) -> Result<Vec<Listing>, StoreError> {
        let defaults = [Modality::Image, Modality::Text].map(|m| self.default_for(m).ok());
        let is_default = |name: &str| defaults.iter().flatten().any(|model| model.name == name);
        let mut list = Vec::new();
        for known in &KNOWN {
            list.push(Listing {
                name: known.name.into(),
                modality: known.modality,
                dimension: known.dimension,
                bytes: known.bytes,
                licence: Some(known.licence.into()),
                present: self.stored(known.name)?.is_some(),
                default: is_default(known.name),
            });
        }
        for name in self.own_names()? {
            let Some(Model { record: Some(record), dir, .. }) = self.stored(&name)? else {
                continue;
            };
            let weights = files::weights_in(&dir).ok().and_then(|path| path.metadata().ok());
            list.push(Listing {
                name,
                modality: record.modality,
                dimension: record.dimension,
                bytes: weights.map_or(0, |weights| weights.len()),
                licence: record.licence,
                present: true,
                default: false,
            });
        }
        Ok(list)
    }

    /// A model that is here, by its name, or a directory with a model in it, by its path. Nothing is
    /// fetched.
    pub fn get(&self, name_or_path: &str) -> Result<Model, StoreError> {
        if is_name(name_or_path) {
            if let Some(model) = self.stored(name_or_path)? {
                return Ok(model);
            }
            if Known::find(name_or_path).is_some() {
                return Err(StoreError::NotPresent { name: name_or_path.into() });
            }
        }
        if Path::new(name_or_path).is_dir() {
            return Model::outside(Path::new(name_or_path));
        }
        Err(self.unknown(name_or_path))
    }

    /// The model to use where none is named: the first one in order of preference that is here.
    pub fn default_for(&self, modality: Modality) -> Result<Model, StoreError> {
        let candidates = || KNOWN.iter().filter(|known| known.modality == modality);
        for known in candidates() {
            if let Some(model) = self.stored(known.name)? {
                return Ok(model);
            }
        }
        Err(StoreError::NothingFor { modality, names: candidates().map(|k| k.name).collect() })
    }

    /// Fetches a known model from the first source that has it, unless it is here already.
    pub fn pull(
        &self,
        name: &str,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Model, StoreError> {
        let known = Known::find(name).ok_or_else(|| self.unknown(name))?;
        pull::pull(self, known, progress)
    }

    /// Copies a model of the user's own, a directory or a single weights file, into the store. It is
    /// called `name`, or as the directory or file is. Under a known name it must be that very model.
    pub fn add(&self, path: &Path, name: Option<&str>) -> Result<Model, StoreError> {
        let own = path.canonicalize().map_err(|source| read_error(path, source))?;
        let own = if own.is_dir() { own.file_name() } else { own.file_stem() };
        let own = own.unwrap_or_default().to_string_lossy().to_lowercase();
        let name = name.unwrap_or(&own);
        if !is_name(name) {
            return Err(StoreError::BadName { name: name.into() });
        }
        pull::add(self, path, name)
    }

    /// Reads every byte of a model, loads it and lets it encode.
    pub fn check(&self, name_or_path: &str) -> Result<Checked, StoreError> {
        check::check(&self.get(name_or_path)?)
    }

    /// The model of that name, if it is here.
    fn stored(&self, name: &str) -> Result<Option<Model>, StoreError> {
        let dir = self.dir_of(name);
        let Some(record) = Record::read(&dir)? else { return Ok(None) };
        let modality = modality_of(&dir);
        Ok(Some(Model { name: name.into(), modality, dir, record: Some(record) }))
    }

    /// The names in the store that are not known ones.
    fn own_names(&self) -> Result<Vec<String>, StoreError> {
        if !self.dir.exists() {
            return Ok(Vec::new());
        }
        let entries = std::fs::read_dir(&self.dir).map_err(|e| read_error(&self.dir, e))?;
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<_> =
            names.filter(|name| is_name(name) && Known::find(name).is_none()).collect();
        names.sort();
        Ok(names)
    }

    fn unknown(&self, name: &str) -> StoreError {
        let known = KNOWN.iter().map(|known| known.name.to_owned());
        // A store that cannot be read has no names to offer.
        let known: Vec<String> = known.chain(self.own_names().unwrap_or_default()).collect();
        let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
        StoreError::Unknown { name: name.into(), nearest, known }
    }
}

/// Whether it can be a model's name: no path, and not one of our own hidden files.
fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(letter)
}
