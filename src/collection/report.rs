//! What a run tells: how far it is, what it did, where its time went.

use serde::Serialize;

use crate::encode::Modality;

/// How far a run has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Progress {
    /// Rows of the catalogue that are done with.
    pub rows: u64,
    /// Those of them of which something went through a network; of the rest, all was known.
    pub rows_embedded: u64,
    /// Pictures that went through the network; the rest were known.
    pub pictures_embedded: u64,
    /// Texts that went through the network.
    pub texts_embedded: u64,
    /// Entries in the ledger.
    pub rejected: u64,
    /// The graph that is being built, after all rows are done.
    #[serde(skip)]
    pub graph: Option<GraphProgress>,
}

/// How far the building of a graph has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct GraphProgress {
    /// Over whose vectors.
    pub modality: Modality,
    /// What the builder is doing.
    pub stage: lookalike_index::Stage,
    /// So much of it is done,
    pub done: usize,
    /// of so much.
    pub of: usize,
}

/// What a run did.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The generation that is current now.
    pub generation: u32,
    /// How many items the collection holds now.
    pub items: u64,
    /// Items that were not there before.
    pub added: u64,
    /// Items that were there and differ now.
    pub updated: u64,
    /// Items that left.
    pub removed: u64,
    /// Whether a new generation was published; `false` where the old one was right already.
    pub published: bool,
    /// Rows read and work done.
    #[serde(flatten)]
    pub progress: Progress,
    /// Where the time went.
    pub busy: Busy,
}

/// What a removal did.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Removal {
    /// What was published.
    #[serde(flatten)]
    pub report: Report,
    /// The keys that no item had.
    pub unknown: Vec<String>,
}

/// What a compaction did.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Compaction {
    /// The generation that is current now.
    pub generation: u32,
    /// The files of vectors that there were,
    pub segments_before: usize,
    /// and that there are now.
    pub segments: usize,
    /// Embeddings that nothing referred to any more.
    pub forgotten: u64,
    /// What the collection took on disk,
    pub bytes_before: u64,
    /// and takes now.
    pub bytes: u64,
}

/// Where a run's time went: seconds in which a thread was busy with it, summed over threads.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[non_exhaustive]
pub struct Busy {
    /// Reading and hashing pictures.
    pub read: f64,
    /// Decoding pictures.
    pub decode: f64,
    /// Resizing and scaling pictures.
    pub prepare: f64,
    /// The image network. It uses several cores by itself, so this is wall time.
    pub image_network: f64,
    /// The text network, likewise.
    pub text_network: f64,
}
