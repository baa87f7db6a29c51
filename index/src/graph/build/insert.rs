//! Inserts rows in batches: the same graph on any number of threads.
//!
//! Each row of a batch looks for its neighbours in the graph as it stood before the batch, all rows at
//! once; then the links and the links back are applied, in order. As the graph grows, so do the batches.

use rayon::prelude::*;

use super::bytes::Bytes;
use super::links::Links;
use super::prune::{Near, Pruner};
use super::{Cancelled, DEGREE, OnProgress, ROOM, Stage, tell};
use crate::graph::seen::Seen;
use crate::kernels::Kernels;

/// A batch is at most this part of all rows (rows of one batch do not find each other) and of those that
/// stand already.
const PART_OF_ALL: usize = 50;
const PART_OF_STANDING: usize = 4;
/// Yet large enough to keep all threads at work, and small enough to tell of progress.
const BATCH: std::ops::RangeInclusive<usize> = 64..=1 << 14;

/// Rows equal to the one being inserted that it may choose from. All of them would leave it no way out
/// of their midst.
const EQUALS: usize = 8;

/// Links all rows, in this order, of which the first is the entry.
pub(super) fn insert_all(
    bytes: &Bytes,
    breadth: usize,
    order: &[u32],
    on_progress: &mut OnProgress<'_>,
) -> Result<Links, Cancelled> {
    let mut links = Links::new(order.len(), ROOM);
    let largest = (order.len() / PART_OF_ALL).clamp(*BATCH.start(), *BATCH.end());
    let mut done = 1;
    while done < order.len() {
        tell(on_progress, Stage::Linking, done, order.len())?;
        let size = (done / PART_OF_STANDING).clamp(1, largest);
        let batch = &order[done..order.len().min(done + size)];
        insert(bytes, breadth.max(DEGREE), order[0], batch, &mut links);
        done += batch.len();
    }
    tell(on_progress, Stage::Linking, done, order.len())?;
    Ok(links)
}

fn insert(bytes: &Bytes, breadth: usize, entry: u32, batch: &[u32], links: &mut Links) {
    let standing = &*links;
    let found: Vec<Vec<u32>> = batch
        .par_iter()
        .map_init(
            || Desk::new(bytes),
            |desk, &row| {
                desk.search(standing, entry, row, breadth);
                desk.pruner.prune(&desk.pool, DEGREE)
            },
        )
        .collect();
    let mut back: Vec<(u32, u32)> = Vec::new();
    for (&row, list) in batch.iter().zip(&found) {
        links.set(row, list);
        back.extend(list.iter().map(|&target| (target, row)));
    }
    link_back(bytes, &mut back, links);
}

/// Adds links (from, to) of rows that stood before; a row that has too many keeps the best.
pub(super) fn link_back(bytes: &Bytes, back: &mut [(u32, u32)], links: &mut Links) {
    back.par_sort_unstable();
    let standing = &*links;
    let groups: Vec<&[(u32, u32)]> = back.chunk_by(|a, b| a.0 == b.0).collect();
    let grown: Vec<Vec<u32>> = groups
        .par_iter()
        .map_init(
            || Pruner::new(bytes),
            |pruner, group| {
                let row = group[0].0;
                let mut list = standing.of(row).to_vec();
                for &(_, to) in *group {
                    if !list.contains(&to) {
                        list.push(to);
                    }
                }
                match list.len() > standing.room() {
                    true => pruner.prune_list(row, &list, DEGREE),
                    false => list,
                }
            },
        )
        .collect();
    for (group, list) in groups.iter().zip(&grown) {
        links.set(group[0].0, list);
    }
}

/// One thread's room to search and prune.
pub(super) struct Desk<'a> {
    bytes: &'a Bytes,
    kernels: Kernels,
    seen: Seen,
    /// The best found so far, best first, and whether their links were followed.
    pub(super) pool: Vec<Near>,
    followed: Vec<bool>,
    fresh: Vec<u32>,
    /// The similarity of the row being inserted with itself, and how many of its equals were met.
    itself: f32,
    equals: usize,
    similarities: Vec<f32>,
    pub(super) pruner: Pruner<'a>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(bytes: &'a Bytes) -> Self {
        Desk {
            bytes,
            kernels: Kernels::best(),
            seen: Seen::default(),
            pool: Vec::new(),
            followed: Vec::new(),
            fresh: Vec::new(),
            itself: 0.0,
            equals: 0,
            similarities: Vec::new(),
            pruner: Pruner::new(bytes),
        }
    }

    /// Fills the pool with the rows most similar to `row` that a walk of this breadth finds.
    pub(super) fn search(&mut self, links: &Links, entry: u32, row: u32, breadth: usize) {
        self.seen.clear(links.rows());
        self.seen.insert(row);
        self.pool.clear();
        self.followed.clear();
        self.fresh.clear();
        // A row that asks for better links than it has may be the entry itself.
        let start = if row == entry { links.of(entry) } else { &[entry] };
        self.equals = 0;
        self.itself = self.bytes.similarity(self.kernels, row, row);
        self.take_fresh(start);
        self.offer_fresh(row, breadth);
        let mut next = 0;
        while next < self.pool.len() {
            if self.followed[next] {
                next += 1;
                continue;
            }
            self.followed[next] = true;
            self.take_fresh(links.of(self.pool[next].row));
            next = self.offer_fresh(row, breadth).min(next + 1);
        }
    }

    fn take_fresh(&mut self, rows: &[u32]) {
        self.fresh.clear();
        for &row in rows {
            if self.seen.insert(row) {
                self.fresh.push(row);
            }
        }
    }

    /// Takes the good ones of the fresh rows into the pool; says where the best of them stands.
    fn offer_fresh(&mut self, asking: u32, breadth: usize) -> usize {
        let Desk { bytes, kernels, fresh, similarities, pool, followed, .. } = self;
        bytes.similarities(*kernels, asking, fresh, similarities);
        let mut best = usize::MAX;
        for (&row, &similarity) in fresh.iter().zip(&*similarities) {
            let near = Near { similarity, row };
            let full = pool.len() == breadth;
            if full && pool.last().is_some_and(|last| near.order(last).is_gt()) {
                continue;
            }
            if similarity == self.itself && bytes.same(asking, row) {
                self.equals += 1;
                if self.equals > EQUALS {
                    continue;
                }
            }
            let at = pool.partition_point(|held| held.order(&near).is_lt());
            if full {
                pool.pop();
                followed.pop();
            }
            pool.insert(at, near);
            followed.insert(at, false);
            best = best.min(at);
        }
        best
    }
}
