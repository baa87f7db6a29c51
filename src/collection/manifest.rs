//! What the store keeps, as it is written: the manifest of a generation and the items themselves.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fields::FieldEntry;
use super::store::{ContentHash, hash};
use crate::catalogue::Item;
use crate::encode::{Encoder, Fingerprint, Modality};
use crate::hex;
use crate::words::WordsEntry;

/// What one commit publishes: the vectors' files, how they were made, and what they cover.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Counts the publications of this collection, from 1.
    pub generation: u32,
    /// How many items there are.
    pub items: u64,
    /// How many entries the ledger of this generation has.
    pub ledger: u32,
    /// SHA-256 of the ledger, in hexadecimal: whether it would be the same again.
    pub ledger_digest: String,
    /// One or more of each modality that any item has. Of a modality, all are of the same encoder.
    pub segments: Vec<SegmentEntry>,
    /// Encoders that were used for items which had nothing for them to embed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub idle: Vec<EncoderEntry>,
    /// What the items' fields hold; `None` where it was published before there were postings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<FieldEntry>>,
    /// The texts as words; `None` in collections that were made before there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<WordsEntry>,
    /// How the catalogue was read, in the words of whoever read it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub notes: Map<String, Value>,
}

impl Manifest {
    /// The segments of one modality.
    pub fn segments(&self, modality: Modality) -> impl Iterator<Item = &SegmentEntry> {
        self.segments.iter().filter(move |s| s.encoder.modality == modality)
    }

    /// The encoder that made the vectors of one modality.
    pub fn encoder(&self, modality: Modality) -> Option<&EncoderEntry> {
        self.segments(modality).next().map(|s| &s.encoder)
    }
}

/// One file of vectors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentEntry {
    /// The file's name in the collection's `vectors` directory.
    pub file: String,
    /// How many vectors it holds, dead ones among them.
    pub vectors: u64,
    /// Which of them are dead; `None` where all are alive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead: Option<Dead>,
    /// What made them.
    pub encoder: EncoderEntry,
}

impl SegmentEntry {
    /// How many of its vectors are alive.
    pub fn alive(&self) -> u64 {
        self.vectors.saturating_sub(self.dead.as_ref().map_or(0, |dead| dead.vectors))
    }
}

/// The vectors of a segment that were superseded since it was written, or whose items left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dead {
    /// How many they are.
    pub vectors: u64,
    /// The generation in which they last became more. It wrote down which they are.
    pub generation: u32,
}

/// An encoder as a collection remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncoderEntry {
    /// What it reads.
    pub modality: Modality,
    /// The model's name, or the directory it was loaded from.
    pub model: String,
    /// The length of its vectors.
    pub dimension: usize,
    /// The function that it is, in hexadecimal.
    pub fingerprint: String,
}

impl EncoderEntry {
    pub(super) fn new(modality: Modality, model: &str, encoder: &dyn Encoder) -> Self {
        EncoderEntry {
            modality,
            model: model.to_owned(),
            dimension: encoder.dimension(),
            fingerprint: encoder.fingerprint().to_string(),
        }
    }

    /// An encoder that is known by its name alone, and whose vectors come from elsewhere.
    pub fn elsewhere(modality: Modality, name: &str, dimension: usize) -> Self {
        let size = (dimension as u64).to_le_bytes();
        let of = modality.to_string();
        let parts = [b"elsewhere", of.as_bytes(), name.as_bytes(), &size];
        let fingerprint = Fingerprint::of(&parts).to_string();
        EncoderEntry { modality, model: name.to_owned(), dimension, fingerprint }
    }

    /// Whether it is such a one, so that nothing can be embedded by it here.
    pub fn is_elsewhere(&self) -> bool {
        *self == Self::elsewhere(self.modality, &self.model, self.dimension)
    }

    /// What a file of its vectors is labelled with, so that the file cannot be taken for another's.
    pub(super) fn label(&self) -> String {
        format!("{} {}", self.modality, self.fingerprint)
    }

    /// Whether vectors of `fingerprint` may be compared with this encoder's.
    pub fn is(&self, fingerprint: Fingerprint) -> bool {
        self.fingerprint == fingerprint.to_string()
    }
}

/// An item as the collection keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredItem {
    /// The shop's own identifier.
    pub key: String,
    /// The catalogue's row, counted from 1.
    pub row: u64,
    /// Every column of the row.
    pub fields: Map<String, Value>,
    /// The sentence that was embedded; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The picture that was embedded, or that could not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<PictureRecord>,
    /// Vectors that were made elsewhere, and are what they are whatever the text and the picture.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imported: Vec<ImportedVector>,
    /// Modalities of which an import has brought a text or a picture without its vector. The next run with an
    /// encoder for them makes it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Modality>,
}

/// A vector that was made elsewhere, by its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedVector {
    /// What it stands for.
    pub modality: Modality,
    /// SHA-256 of its components, in hexadecimal.
    pub hash: String,
}

impl StoredItem {
    pub(super) fn new(item: Item, picture: Option<PictureRecord>) -> Self {
        StoredItem { picture, ..Self::of(item.key, item.row, item.fields, item.text) }
    }

    /// An item without a picture, as an import may bring it.
    pub fn of(key: String, row: u64, fields: Map<String, Value>, text: String) -> Self {
        let (imported, unread) = (Vec::new(), Vec::new());
        StoredItem { key, row, fields, text, picture: None, imported, unread }
    }

    /// Whether both are the same to whoever searches: where a row or a file's clock has moved, nothing
    /// has changed.
    pub(super) fn same_item(&self, other: &Self) -> bool {
        let picture =
            |item: &Self| item.picture.as_ref().map(|p| (p.hash.clone(), p.refused.clone()));
        self.fields == other.fields
            && self.text == other.text
            && picture(self) == picture(other)
            && self.imported == other.imported
    }

    /// Takes over what came with an import, of the modalities for which a run has no encoder. `picture` is
    /// where the item's lies now.
    pub(super) fn keep_imported(
        &mut self,
        old: &Self,
        picture: Option<PathBuf>,
        has_encoder: impl Fn(Modality) -> bool,
    ) {
        let kept = old.imported.iter().filter(|vector| !has_encoder(vector.modality));
        self.imported.extend(kept.cloned());
        if self.imported(Modality::Image).is_some() {
            self.picture = picture.map(PictureRecord::unread);
        }
    }

    /// The vector of this modality that was made elsewhere.
    fn imported(&self, modality: Modality) -> Option<&ImportedVector> {
        self.imported.iter().find(|vector| vector.modality == modality)
    }

    /// The hash of what an encoder of this modality reads of the item; or of the vector itself, where it came
    /// ready-made.
    pub(crate) fn content(&self, modality: Modality) -> Option<ContentHash> {
        if let Some(imported) = self.imported(modality) {
            return hex::decode(&imported.hash);
        }
        match modality {
            _ if self.unread.contains(&modality) => None,
            Modality::Image => self.picture.as_ref().and_then(|picture| picture.content_hash()),
            Modality::Text => (!self.text.is_empty()).then(|| hash(self.text.as_bytes())),
        }
    }

    /// Whether the item's vector of this modality is what it was.
    pub(super) fn same_vector(&self, old: Option<&Self>, modality: Modality) -> bool {
        let from_import =
            |item: &Self| item.imported(modality).is_some() || item.unread.contains(&modality);
        if old.is_some_and(from_import) || from_import(self) {
            return old.and_then(|old| old.content(modality)) == self.content(modality);
        }
        match modality {
            Modality::Text => old.map_or("", |old| &old.text) == self.text,
            Modality::Image => match (old.and_then(|old| old.picture.as_ref()), &self.picture) {
                (None, None) => true,
                (Some(old), Some(new)) => old.same_vector(new),
                _ => false,
            },
        }
    }

    /// The item as a catalogue would hand it over again.
    pub(super) fn into_item(self) -> Item {
        let picture = self.picture.map(|picture| picture.path);
        Item { key: self.key, row: self.row, fields: self.fields, text: self.text, picture }
    }
}

/// A picture's file, as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureRecord {
    /// Where it lies.
    pub path: PathBuf,
    /// SHA-256 of its bytes, in hexadecimal; empty where nobody has read it.
    pub hash: String,
    /// Its length in bytes.
    pub size: u64,
    /// When it was last changed, in nanoseconds since 1970; 0 where that cannot be relied upon.
    pub changed: u64,
    /// Why it could not be embedded, if it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl PictureRecord {
    pub(super) fn new(path: PathBuf, hash: &ContentHash, size: u64, changed: u64) -> Self {
        PictureRecord { path, hash: hex::encode(hash), size, changed, refused: None }
    }

    /// A picture that nobody has read yet.
    pub(crate) fn unread(path: PathBuf) -> Self {
        PictureRecord { path, hash: String::new(), size: 0, changed: 0, refused: None }
    }

    /// Whether it has been read.
    pub(super) fn is_read(&self) -> bool {
        !self.hash.is_empty()
    }

    /// Whether both lead to the same vector, or both to none.
    pub(super) fn same_vector(&self, other: &Self) -> bool {
        self.hash == other.hash && self.refused.is_some() == other.refused.is_some()
    }

    /// The hash as bytes; `None` where it is no hash.
    pub(crate) fn content_hash(&self) -> Option<ContentHash> {
        hex::decode(&self.hash)
    }
}

impl fmt::Display for EncoderEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.fingerprint.get(..12).unwrap_or(&self.fingerprint);
        write!(f, "{} ({}-d, {digits})", self.model, self.dimension)
    }
}
