//! A collection on disk: items, their vectors, and the generations in which both change.
//!
//! Flowing in: a catalogue's entries, through the [`Indexer`]. Flowing out: a [`Collection`], which is
//! one published generation, read-only and unchanging for as long as it is held, whatever a writer does
//! beside it.

mod clock;
mod commit;
mod embed;
mod encoders;
mod error;
pub(crate) mod fields;
mod freshness;
mod import;
mod indexer;
mod intake;
mod interactions;
mod layout;
mod manifest;
mod pipeline;
pub(crate) mod postings;
mod prepare;
mod readers;
mod report;
mod revision;
mod snapshot;
mod store;
mod tiers;
mod trust;
mod upkeep;
mod verify;
mod words;
mod work;
mod writer;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lookalike_index::{RowSet, Segment, Shelf};

pub use error::Error;
pub use fields::{FieldEntry, FieldReading, FieldType};
pub use import::Import;
pub use indexer::Indexer;
pub use interactions::{Interaction, InteractionReport, InteractionRow, Purpose};
pub use manifest::{
    Dead, EncoderEntry, ImportedVector, Manifest, PictureRecord, SegmentEntry, StoredItem,
};
pub use report::{Busy, Compaction, GraphProgress, Progress, Removal, Report};
pub use verify::Soundness;

use crate::catalogue::Rejection;
use crate::encode::{Embedding, Modality};
use crate::words::WordsIndex;
use layout::Layout;
use postings::Columns;
use readers::Readers;
use store::Store;

/// How often a reader looks again when a writer publishes while it is opening.
const ATTEMPTS: u32 = 5;

/// One generation of a collection, open for reading.
///
/// It is cheap to open, since vectors are mapped and not read, and can be shared between threads. It
/// stays as it is when a newer generation is published; open again to see that.
pub struct Collection {
    layout: Layout,
    store: Store,
    manifest: Manifest,
    vectors: Vec<(Modality, Shelf)>,
    words: Option<WordsIndex>,
    readers: Readers,
    columns: Columns,
}

impl Collection {
    /// Opens what is published at `path` now.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let layout = Layout::open(path.as_ref())?;
        again(|| Self::open_once(&layout))
    }

    /// What is published at `path` now, without a look at the vectors; `None` before the first
    /// publication.
    pub fn published(path: impl AsRef<Path>) -> Result<Option<Manifest>, Error> {
        let manifest = Layout::open(path.as_ref())
            .and_then(|layout| again(|| Store::open_for_reading(&layout.store())?.current()));
        match manifest {
            Err(Error::NotFound { .. } | Error::Unpublished { .. }) => Ok(None),
            manifest => manifest,
        }
    }

    fn open_once(layout: &Layout) -> Result<Self, Error> {
        let store = Store::open_for_reading(&layout.store())?;
        let manifest: Manifest = store
            .current()?
            .ok_or_else(|| Error::Unpublished { path: layout.root().to_owned() })?;
        let shelf = |modality| {
            let encoder = manifest.encoder(modality)?;
            Some(open_shelf(layout, &store, &manifest, encoder).map(|shelf| (modality, shelf)))
        };
        let vectors = Modality::ALL.into_iter().filter_map(shelf).collect::<Result<_, _>>()?;
        let words = words::open_words(layout, &manifest)?;
        let (readers, columns) = (Readers::default(), Columns::default());
        let layout = layout.clone();
        Ok(Collection { layout, store, manifest, vectors, words, readers, columns })
    }

    /// The collection's directory.
    pub fn path(&self) -> &Path {
        self.layout.root()
    }

    /// Where trained models are kept.
    pub(crate) fn models_folder(&self) -> PathBuf {
        self.layout.taste()
    }

    /// What is published: counts, encoders, files.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How many items there are.
    pub fn len(&self) -> u64 {
        self.manifest.items
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The vectors of one modality, if any item has one.
    pub fn vectors(&self, modality: Modality) -> Option<&Shelf> {
        self.vectors.iter().find(|(m, _)| *m == modality).map(|(_, shelf)| shelf)
    }

    /// An item's vector of one modality, if it has one.
    pub fn embedding(&self, id: u32, modality: Modality) -> Result<Option<Embedding>, Error> {
        let vector = self.vectors(modality).and_then(|vectors| vectors.vector(id));
        let embedding = vector.map(Embedding::new).transpose();
        embedding
            .map_err(|e| self.store.damaged(format!("the {modality} vector of item {id}: {e}")))
    }

    /// The encoder that made the vectors of one modality.
    pub fn encoder(&self, modality: Modality) -> Option<&EncoderEntry> {
        self.manifest.encoder(modality)
    }

    /// The number by which this collection knows a key.
    pub fn id_of(&self, key: &str) -> Result<Option<u32>, Error> {
        let Some(id) = self.store.id_of(key)? else { return Ok(None) };
        Ok(self.item(id)?.map(|_| id))
    }

    /// An item by its number.
    pub fn item(&self, id: u32) -> Result<Option<StoredItem>, Error> {
        Ok(self.store.item(id, self.manifest.generation)?.map(|(stored, _)| stored))
    }

    /// Every item, by ascending number.
    pub fn items(&self) -> Result<impl Iterator<Item = Result<(u32, StoredItem), Error>>, Error> {
        let all = self.store.items(self.manifest.generation)?;
        Ok(all.map(|row| row.map(|(id, _, stored)| (id, stored))))
    }

    /// The number of every item, ascending.
    pub fn item_numbers(&self) -> Result<impl Iterator<Item = Result<u32, Error>>, Error> {
        let all = self.store.items::<serde::de::IgnoredAny>(self.manifest.generation)?;
        Ok(all.map(|row| row.map(|(id, _, _)| id)))
    }

    /// What the run that published this generation could not use, and why, in the catalogue's order.
    pub fn ledger(&self) -> Result<impl Iterator<Item = Result<Rejection, Error>>, Error> {
        self.store.ledger(self.manifest.generation)
    }

    /// The bytes that it takes on disk.
    pub fn size_on_disk(&self) -> Result<u64, Error> {
        self.layout.size()
    }
}

/// Opens, and looks again where a writer may just have superseded a file that was about to be opened.
fn again<T>(open: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    for attempt in 1..ATTEMPTS {
        match open() {
            Err(
                Error::MissingVectors { .. }
                | Error::Words { .. }
                | Error::Database { .. }
                | Error::Damaged { .. },
            ) => std::thread::sleep(Duration::from_millis(5 << attempt)),
            result => return result,
        }
    }
    open()
}

/// The vectors that `encoder` made, as `manifest` publishes them.
fn open_shelf(
    layout: &Layout,
    store: &Store,
    manifest: &Manifest,
    encoder: &EncoderEntry,
) -> Result<Shelf, Error> {
    let parts = manifest.segments(encoder.modality).map(|entry| open_part(layout, store, entry));
    Ok(Shelf::new(encoder.dimension, parts.collect::<Result<Vec<_>, _>>()?)?)
}

/// A published file of vectors, with its dead rows.
fn open_part(
    layout: &Layout,
    store: &Store,
    entry: &SegmentEntry,
) -> Result<(Segment, RowSet), Error> {
    Ok((open_segment(layout, entry)?, store.dead(entry)?))
}

fn open_segment(layout: &Layout, entry: &SegmentEntry) -> Result<Segment, Error> {
    let path = layout.segment(&entry.file);
    let segment = Segment::open(&path).map_err(|error| match error {
        lookalike_index::Error::Io { path, source } if source.kind() == ErrorKind::NotFound => {
            Error::MissingVectors { path }
        }
        error => error.into(),
    })?;
    let encoder = &entry.encoder;
    let damaged = |reason: String| Error::Damaged { path: path.clone(), reason };
    if segment.label() != encoder.label().as_bytes() {
        return Err(damaged(format!("its vectors were not made by {encoder}")));
    }
    if segment.len() as u64 != entry.vectors || segment.dimension() != encoder.dimension {
        return Err(damaged(format!(
            "it holds {} vectors of {} values where {} of {} were published",
            segment.len(),
            segment.dimension(),
            entry.vectors,
            encoder.dimension
        )));
    }
    Ok(segment)
}
