#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::exit,
        clippy::print_stdout,
        clippy::print_stderr
    )
)]
//! Unit vectors in, neighbours out.
//!
//! This crate knows rows, vectors and similarities, and nothing of products or models. Flowing in:
//! unit vectors, each with the `u32` id its owner knows it by. Flowing out: [`Candidate`]s, best
//! first, from an immutable, memory-mapped segment file.
//!
//! ```
//! use lookalike_index::{Neighbours, Precision, SearchOptions, Segment, SegmentWriter};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("colours.seg");
//! let mut writer = SegmentWriter::create(&path, 3, Precision::F16, b"colours, red green blue")?;
//! writer.push(7, &[1.0, 0.0, 0.0])?;
//! writer.push(8, &[0.0, 1.0, 0.0])?;
//! writer.push(12, &[0.6, 0.8, 0.0])?;
//! writer.finish()?;
//!
//! let segment = Segment::open(&path)?;
//! let answer = segment.exact().search(&[0.8, 0.6, 0.0], 2, &SearchOptions::default())?;
//! assert_eq!(answer.candidates[0].id, 12);
//! assert_eq!(answer.candidates[1].id, 7);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`SegmentWriter`] checks vectors and streams them into a file; [`Segment`] opens such a file in
//!   no time, and [`Segment::verify`] reads every byte of it. `FORMAT.md` draws the file.
//! - [`Neighbours`] is what finds: the [`Exact`] scan, which is also the oracle, and the [`Graph`], which looks at
//!   few vectors and finds nearly all of the best. [`SegmentWriter::finish_with_graph`] adds one;
//!   [`SearchOptions`] say how much recall, which rows, or exactly. Every [`Answer`] says what it is.
//!   [`Pages`] go on where an answer ends.
//! - [`Shelf`] searches several segments as one, and leaves out rows that have died since they were written.
//!   A [`Trial`] measures how much of the best it finds.
//! - Similarities are inner products, for unit vectors the cosine. Higher is better, ties go to the
//!   lower id, and the same question gets the same bits on any processor with any number of
//!   threads.
//! - Work is spread over rayon's current thread pool: call from within
//!   [`ThreadPool::install`](https://docs.rs/rayon/1/rayon/struct.ThreadPool.html#method.install) to bound it.

mod error;
mod exact;
mod graph;
mod kernels;
mod neighbours;
mod pages;
mod rows;
mod segment;
mod shelf;
mod top;
mod trial;
mod vectors;

pub use error::{Error, Fault, QueryError, RowError, WriteError};
pub use exact::Exact;
pub use graph::{Builder, CurvePoint, Graph, GraphOptions, OnProgress, Progress, Scratch, Stage};
pub use neighbours::{Answer, Candidate, Neighbours, SearchOptions};
pub use pages::Pages;
pub use rows::RowSet;
pub use segment::{Precision, Segment, SegmentWriter};
pub use shelf::{Part, Shelf};
pub use trial::{Trial, Tried};

/// The name of the kernels that this processor runs: `avx512`, `avx2`, `neon` or `scalar`.
pub fn kernels() -> &'static str {
    kernels::Kernels::best().name()
}
