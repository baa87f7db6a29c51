//! The crate `hnsw_rs` as a builder, to measure ours against.
//!
//! It may panic on what it does not expect, and its loader may end the process. So it gets nothing but row
//! numbers and a distance that is never NaN, negative or above two, it never reads or writes a file,
//! and what it hands back is checked link by link. Rows are inserted one by one: in parallel it gives
//! another graph each time.

use hnsw_rs::prelude::{Distance, Hnsw};

use super::bytes::Bytes;
use super::insert::link_back;
use super::links::Links;
use super::prune::Pruner;
use super::{Cancelled, DEGREE, OnProgress, ROOM, Stage, tell};
use crate::kernels::Kernels;

/// Links of a row on the upper layers; the lowest has twice as many.
const CONNECTIONS: usize = DEGREE / 2;
/// As many layers as the crate has.
const LAYERS: usize = 16;
/// Rows between two words of progress.
const ROWS: usize = 1024;

/// The distance of two rows by their codes.
#[derive(Clone, Copy)]
struct Between<'a> {
    bytes: &'a Bytes,
    kernels: Kernels,
}

impl Distance<u32> for Between<'_> {
    fn eval(&self, a: &[u32], b: &[u32]) -> f32 {
        match (a, b) {
            (&[a], &[b]) => {
                let similarity = self.bytes.similarity(self.kernels, a, b);
                (1.0 - similarity).clamp(0.0, 2.0)
            }
            _ => 2.0,
        }
    }
}

/// Links all rows.
pub(super) fn insert_all(
    bytes: &Bytes,
    breadth: usize,
    on_progress: &mut OnProgress<'_>,
) -> Result<Links, Cancelled> {
    let rows = bytes.len();
    let between = Between { bytes, kernels: Kernels::best() };
    let hnsw = Hnsw::new(CONNECTIONS, rows.max(1), LAYERS, breadth.max(DEGREE), between);
    for row in 0..rows {
        if row % ROWS == 0 {
            tell(on_progress, Stage::Linking, row, rows)?;
        }
        hnsw.insert((&[row as u32], row));
    }
    let mut links = Links::new(rows, ROOM);
    let mut pruner = Pruner::new(bytes);
    let mut back = Vec::new();
    for point in hnsw.get_point_indexation() {
        let row = point.get_origin_id();
        let lowest = point.get_neighborhood_id().into_iter().next().unwrap_or_default();
        let mut list: Vec<u32> = Vec::with_capacity(lowest.len());
        for neighbour in lowest {
            let other = neighbour.get_origin_id();
            if other < rows && other != row && !list.contains(&(other as u32)) {
                list.push(other as u32);
            }
        }
        if row < rows {
            let list = pruner.prune_list(row as u32, &list, DEGREE);
            back.extend(list.iter().map(|&to| (to, row as u32)));
            links.set(row as u32, &list);
        }
    }
    // Its links back drop the farthest; ours choose by direction.
    link_back(bytes, &mut back, &mut links);
    tell(on_progress, Stage::Linking, rows, rows)?;
    Ok(links)
}
