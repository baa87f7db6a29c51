//! A model in a directory, and the record that the store keeps beside it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::StoreError;
use crate::encode::{Device, ImageEncoder, Modality, TextEncoder, image, text};

/// The record's file.
pub(super) const RECORD: &str = "lookalike.json";

/// A model that is here and can be opened.
#[derive(Debug, Clone)]
pub struct Model {
    /// What it is called.
    pub name: String,
    /// What it reads.
    pub modality: Modality,
    /// Where its files are.
    pub dir: PathBuf,
    /// What the store knows of it; nothing of a directory that is not in the store.
    pub record: Option<Record>,
}

/// What the store writes down of a model when it puts it there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What it is called.
    pub name: String,
    /// What it reads.
    pub modality: Modality,
    /// The network's name.
    pub architecture: String,
    /// The length of its vectors.
    pub dimension: usize,
    /// Under which terms it may be used, where that is known.
    pub licence: Option<String>,
    /// Where it was fetched.
    pub source: String,
    /// Of the weights file as it was fetched, before it was converted.
    pub fetched_sha256: String,
    /// The SHA-256 of every file that belongs to it, by its path within the directory.
    pub files: BTreeMap<String, String>,
}

impl Model {
    /// A directory outside the store, taken as it is.
    pub(super) fn outside(dir: &Path) -> Result<Self, StoreError> {
        let dir = dir.canonicalize().map_err(|source| read_error(dir, source))?;
        // A collection remembers this name, and must find the model by it from any other directory.
        let name = dir.to_string_lossy().into_owned();
        let record = Record::read(&dir)?;
        Ok(Model { name, modality: modality_of(&dir), dir, record })
    }

    /// The network, if it reads pictures.
    pub fn open_image(&self, device: &Device) -> Result<Box<dyn ImageEncoder>, StoreError> {
        match self.modality {
            Modality::Image => Ok(image::open(&self.dir, device)?),
            Modality::Text => Err(self.wrong_modality()),
        }
    }

    /// The network, if it reads texts.
    pub fn open_text(&self, device: &Device) -> Result<Box<dyn TextEncoder>, StoreError> {
        match self.modality {
            Modality::Text => Ok(text::open(&self.dir, device)?),
            Modality::Image => Err(self.wrong_modality()),
        }
    }

    fn wrong_modality(&self) -> StoreError {
        StoreError::WrongModality { name: self.name.clone(), modality: self.modality }
    }
}

impl Record {
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, StoreError> {
        let path = dir.join(RECORD);
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            result => result.map_err(|source| read_error(&path, source))?,
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|_| StoreError::Altered { path })
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), StoreError> {
        let path = dir.join(RECORD);
        serde_json::to_vec_pretty(self)
            .map_err(std::io::Error::other)
            .and_then(|bytes| std::fs::write(&path, bytes))
            .map_err(|source| StoreError::Write { path, source })
    }
}

/// Only text encoders have a vocabulary.
pub(super) fn modality_of(dir: &Path) -> Modality {
    let text = ["modules.json", "tokenizer.json", "vocab.txt", "spiece.model"];
    if text.iter().any(|file| dir.join(file).exists()) { Modality::Text } else { Modality::Image }
}

/// The hash of a file, as hexadecimal digits.
pub(super) fn sha256_of(path: &Path) -> Result<String, StoreError> {
    let mut file = File::open(path).map_err(|source| read_error(path, source))?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block).map_err(|source| read_error(path, source))? {
            0 => break,
            read => hasher.update(&block[..read]),
        }
    }
    Ok(crate::hex::encode(hasher.finalize()))
}

pub(super) fn read_error(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::Read { path: path.to_owned(), source }
}

pub(super) fn write_error(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Write { path, source }
}
