//! Grows a graph over the rows of a segment: the same links for the same rows and seed, on any number of
//! threads and on any processor.
//!
//! In: vectors that a segment writer has accepted. Out: at most [`DEGREE`] links a row and an entry, from which
//! a walk along links can reach every row.
//!
//! Rows are [compared as 8-bit codes](bytes), [inserted in batches](insert) that see the graph as it stood
//! before them, keep [near links that differ in direction](prune), and what no walk would reach is
//! [tied on](repair) in the end. Memory: the codes (one byte a component) and some 64 links a row.

pub(super) mod bytes;
mod hnsw;
mod insert;
mod links;
mod prune;
mod random;
mod repair;

use std::ops::ControlFlow;

use rayon::prelude::*;

use self::bytes::Bytes;
use self::insert::Desk;
pub(super) use self::links::Links;
pub(super) use self::random::Random;
use crate::kernels::nibbles::NEIGHBOURS;
use crate::vectors::Vectors;

/// Links that a row keeps: as many as are estimated together.
pub(super) const DEGREE: usize = NEIGHBOURS;

/// Links that a row may hold while the graph grows. Each time they are too many, all are compared with
/// each other; twice the degree makes that rare.
const ROOM: usize = 2 * DEGREE;

/// How a graph is built.
///
/// ```
/// use lookalike_index::{Builder, GraphOptions};
///
/// let options = GraphOptions::default().breadth(300).seed(7).builder(Builder::Batches);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GraphOptions {
    /// Rows that a row being inserted chooses its links from. More make a better graph, more slowly.
    pub breadth: usize,
    /// Draws the order of insertion and the samples that codes and curve are learned from.
    pub seed: u64,
    /// Who finds the neighbours.
    pub builder: Builder,
    /// With fewer rows there is no graph: the scan is as fast, and exact.
    pub from_rows: usize,
}

impl Default for GraphOptions {
    fn default() -> Self {
        GraphOptions { breadth: 200, seed: 1, builder: Builder::Batches, from_rows: 2_000 }
    }
}

impl GraphOptions {
    /// Sets how many rows each row chooses its links from.
    pub fn breadth(mut self, breadth: usize) -> Self {
        self.breadth = breadth;
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets who finds the neighbours.
    pub fn builder(mut self, builder: Builder) -> Self {
        self.builder = builder;
        self
    }

    /// Sets below how many rows there is no graph.
    pub fn from_rows(mut self, rows: usize) -> Self {
        self.from_rows = rows;
        self
    }
}

/// Who finds the neighbours of a new row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Builder {
    /// Our own: batches, on all threads.
    Batches,
    /// The crate `hnsw_rs`, row by row on one thread, since it is only deterministic so. Slower; here to
    /// be measured against.
    HnswRs,
}

/// What a build is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Finding each row its neighbours.
    Linking,
    /// Writing links and codes.
    Coding,
    /// Measuring how much a walk finds.
    Tuning,
}

/// How far a build has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What it is doing.
    pub stage: Stage,
    /// The rows (when tuning, the queries) that are done.
    pub done: usize,
    /// Of so many.
    pub total: usize,
}

/// Hears how far a build has come; breaking cancels it.
pub type OnProgress<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// The caller has seen enough.
#[derive(Debug)]
pub(crate) struct Cancelled;

/// Tells the caller, who may cancel.
pub(super) fn tell(
    on_progress: &mut OnProgress<'_>,
    stage: Stage,
    done: usize,
    total: usize,
) -> Result<(), Cancelled> {
    match on_progress(Progress { stage, done, total }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Cancelled),
    }
}

/// A finished graph.
#[derive(Debug)]
pub(super) struct Grown {
    /// Where every walk begins.
    pub(super) entry: u32,
    pub(super) links: Links,
}

/// Grows a graph over at least one row.
pub(super) fn grow(
    vectors: &Vectors<'_>,
    options: &GraphOptions,
    on_progress: &mut OnProgress<'_>,
) -> Result<Grown, Cancelled> {
    let bytes = Bytes::of(vectors);
    let entry = middle(vectors);
    let mut links = match options.builder {
        Builder::Batches => {
            let order = order(vectors.len(), entry, options.seed);
            insert::insert_all(&bytes, options.breadth, &order, on_progress)?
        }
        Builder::HnswRs => hnsw::insert_all(&bytes, options.breadth, on_progress)?,
    };
    trim(&bytes, &mut links);
    repair::tie_on_the_unreached(&bytes, entry, &mut links);
    Ok(Grown { entry, links })
}

/// The row nearest to the mean: from there, no row is far.
fn middle(vectors: &Vectors<'_>) -> u32 {
    const SAMPLES: usize = 1 << 14;
    let step = vectors.len().div_ceil(SAMPLES);
    let mut mean = vec![0.0f32; vectors.dimension];
    for row in (0..vectors.len()).step_by(step) {
        for (mean, x) in mean.iter_mut().zip(vectors.row(row)) {
            *mean += x;
        }
    }
    let mut similarities = vec![0.0; vectors.len()];
    let block = vectors.block_rows();
    similarities.par_chunks_mut(block).enumerate().for_each(|(b, out)| {
        vectors.products(b * block, out.len(), &[&mean], out);
    });
    let best =
        similarities.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
    best.map_or(0, |(row, _)| row as u32)
}

/// All rows, shuffled, so that rows that arrived together do not crowd one batch; the entry first.
fn order(rows: usize, entry: u32, seed: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..rows as u32).collect();
    let mut random = Random::new(seed);
    for i in (1..rows).rev() {
        order.swap(i, random.below(i + 1));
    }
    if let Some(at) = order.iter().position(|&row| row == entry) {
        order.swap(0, at);
    }
    order
}

/// Leaves each row no more links than it may keep.
fn trim(bytes: &Bytes, links: &mut Links) {
    let grown = &*links;
    let kept: Vec<Option<Vec<u32>>> = (0..bytes.len() as u32)
        .into_par_iter()
        .map_init(
            || Desk::new(bytes),
            |desk, row| {
                let list = grown.of(row);
                (list.len() > DEGREE).then(|| desk.pruner.prune_list(row, list, DEGREE))
            },
        )
        .collect();
    for (row, list) in kept.iter().enumerate() {
        if let Some(list) = list {
            links.set(row as u32, list);
        }
    }
}
