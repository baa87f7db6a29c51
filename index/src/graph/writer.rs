//! Writes a graph's section: grow, learn, encode, and at last measure.
//!
//! Memory beside the vectors, which are mapped: while growing, what [`build`](super::build) says; while
//! encoding, every row on every axis, in `f32` (704 bytes a row at 768 dimensions).

use std::io;

use rayon::prelude::*;

use super::build::{self, Cancelled, GraphOptions, OnProgress, Stage, tell};
use super::codes::{self, Coder, Correction, Projected};
use super::layout::{BlockLength, GraphLayout, head};
use super::sketch;
use super::tune;
use super::turn::width;
use crate::vectors::Vectors;

/// Rows that are encoded, and written, at a time.
const CHUNK: usize = 2048;

/// Why no graph was written.
#[derive(Debug)]
pub(crate) enum Failure {
    Cancelled,
    Io(io::Error),
}

impl From<Cancelled> for Failure {
    fn from(_: Cancelled) -> Self {
        Failure::Cancelled
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Io(error)
    }
}

/// Grows a graph over at least one row and hands the section's bytes, but for the curve, to `write`.
pub(crate) fn write(
    vectors: &Vectors<'_>,
    options: &GraphOptions,
    on_progress: &mut OnProgress<'_>,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), Failure> {
    let rows = vectors.len();
    let grown = build::grow(vectors, options, on_progress)?;
    let slots = codes::slots(vectors.dimension);
    let axes = codes::axes(vectors.dimension, slots);
    let mut coder = codes::learn(vectors, &grown.links, slots, axes, options.seed);
    write(&head(grown.entry, &coder))?;
    let projected: Projected = coder.project(vectors);
    coder.correction = Correction::fit(&coder, vectors, &projected, &grown.links, options.seed);
    let sketch = coder.sketcher.as_ref().map_or(0, |_| sketch::length(width(vectors.dimension)));
    let length = BlockLength::new(slots, sketch).whole();
    let mut blocks = vec![0u8; CHUNK.min(rows) * length];
    for first in (0..rows).step_by(CHUNK) {
        tell(on_progress, Stage::Coding, first, rows)?;
        let blocks = &mut blocks[..CHUNK.min(rows - first) * length];
        blocks.fill(0);
        blocks.par_chunks_mut(length).enumerate().for_each(|(i, block)| {
            Coder::encode(&coder, vectors, &projected, &grown.links, (first + i) as u32, block);
        });
        write(blocks)?;
    }
    tell(on_progress, Stage::Coding, rows, rows)?;
    Ok(())
}

/// Measures what [`write`] wrote; returns the rest of the section.
pub(crate) fn measure(
    vectors: &Vectors<'_>,
    body: &[u8],
    options: &GraphOptions,
    on_progress: &mut OnProgress<'_>,
) -> Result<Vec<u8>, Failure> {
    let layout = GraphLayout::read_body(body, vectors.len(), vectors.dimension)
        .map_err(|fault| io::Error::other(fault.to_string()))?;
    let curve = tune::measure(vectors, &layout.view(body), options.seed, on_progress)?;
    Ok(curve.write().to_vec())
}
