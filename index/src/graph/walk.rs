//! The walk: from the entry along the links, best first, until what is left cannot be among the best.
//!
//! Expanding a row reads its vector for the exact similarity, and its block for estimates of its 32
//! neighbours (see [`codes`](super::codes)). The estimates decide which rows are expanded; what is found has been
//! expanded, so all that is returned is exact. While one row is expanded, the next one's bytes are on
//! their way: without that, a walk takes 1.6 times as long.

use super::codes::dot;
use super::layout::View;
use super::seen::Seen;
use crate::kernels::Kernels;
use crate::kernels::nibbles::{NEIGHBOURS, SLOT, Table, ahead};
use crate::neighbours::Candidate;
use crate::rows::RowSet;
use crate::top::Top;
use crate::vectors::Vectors;

/// Room for a search, to be used again for the next: then nothing is allocated but the answer.
///
/// It fits any graph; [`Graph::search`](crate::Neighbours::search) keeps one for each thread.
#[derive(Debug, Default)]
pub struct Scratch {
    seen: Seen,
    /// The best rows met, best first, by estimate.
    pool: Vec<Open>,
    on_axes: Vec<f32>,
    table: Table,
    slots: Vec<[f32; SLOT]>,
}

/// A row that was met.
#[derive(Debug, Clone, Copy)]
struct Open {
    estimate: f32,
    row: u32,
    expanded: bool,
}

/// How far to walk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach<'a> {
    /// Rows that are kept in mind.
    pub(super) breadth: usize,
    /// How far the estimate of a row may lie below the worst of the found for it to be expanded, for a query
    /// of length one.
    pub(super) slack: f32,
    /// The rows that may be found; all are walked through.
    pub(super) within: Option<&'a RowSet>,
}

/// Offers `top` what a walk finds; returns how many rows it expanded.
pub(super) fn walk(
    view: &View<'_>,
    vectors: &Vectors<'_>,
    query: &[f32],
    reach: Reach<'_>,
    top: &mut Top,
    scratch: &mut Scratch,
) -> usize {
    let kernels = Kernels::best();
    scratch.prepare(kernels, view, query);
    scratch.seen.clear(view.rows);
    scratch.seen.insert(view.entry);
    scratch.pool.clear();
    scratch.pool.push(Open { estimate: f32::INFINITY, row: view.entry, expanded: false });
    let slack = reach.slack * dot(query, query).sqrt();
    let mut estimates = [0.0; NEIGHBOURS];
    let (mut next, mut expanded) = (0, 0);
    while let Some(open) = scratch.pool.get_mut(next) {
        if top.worst().is_some_and(|worst| open.estimate < worst - slack) {
            break;
        }
        open.expanded = true;
        let row = open.row;
        expanded += 1;
        let mut similarity = 0.0;
        vectors.products(row as usize, 1, &[query], std::slice::from_mut(&mut similarity));
        if top.may_keep(similarity) && reach.within.is_none_or(|rows| rows.contains(row)) {
            top.offer(Candidate { row, id: vectors.id(row as usize), similarity });
        }
        let block = view.block(row);
        kernels.estimates(&scratch.table, block.codes, block.scales, similarity, &mut estimates);
        next = scratch.meet(view.rows, block.links, &estimates, reach.breadth).min(next + 1);
        while scratch.pool.get(next).is_some_and(|open| open.expanded) {
            next += 1;
        }
        scratch.fetch(next, view, vectors);
    }
    expanded
}

impl Scratch {
    /// Makes the table in which codes are looked up: the product of the query with each point of each slot.
    pub(super) fn prepare(&mut self, kernels: Kernels, view: &View<'_>, query: &[f32]) {
        let Scratch { on_axes, table, slots, .. } = self;
        on_axes.resize(view.points.len(), 0.0);
        kernels.products(view.axes, &[query], on_axes);
        slots.clear();
        let (mut base, mut widest) = (0.0f32, 0.0f32);
        for ends in view.starts.windows(2) {
            let mut products = [0.0f32; SLOT];
            for (points, &x) in view.points[ends[0]..ends[1]].iter().zip(&on_axes[ends[0]..ends[1]])
            {
                for (product, point) in products.iter_mut().zip(points) {
                    *product += f32::from_le_bytes(*point) * x;
                }
            }
            let least = products.iter().copied().fold(f32::INFINITY, f32::min);
            let most = products.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            products.iter_mut().for_each(|product| *product -= least);
            base += least;
            widest = widest.max(most - least);
            slots.push(products);
        }
        // All slots share one unit, so that their bytes can be summed.
        let steps = if widest > 0.0 { 255.0 / widest } else { 0.0 };
        table.base = base;
        table.unit = widest / 255.0;
        table.bytes.clear();
        table.bytes.extend(slots.as_flattened().iter().map(|x| (x * steps + 0.5) as u8));
    }

    /// What was prepared.
    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    /// Asks memory for the next row at once, all of it, and for the one that will be next if that one brings
    /// nothing better: 1.15 times as many queries as asking for the latter alone.
    #[inline]
    fn fetch(&self, next: usize, view: &View<'_>, vectors: &Vectors<'_>) {
        let open = self.pool.iter().skip(next).filter(|open| !open.expanded);
        for open in open.take(2) {
            vectors.ahead(open.row as usize);
            ahead(view.block_bytes(open.row));
        }
    }

    /// Takes the good ones of a row's neighbours into the pool; says where the best of them stands.
    #[inline]
    fn meet(
        &mut self,
        rows: usize,
        links: &[[u8; 4]; NEIGHBOURS],
        estimates: &[f32; NEIGHBOURS],
        breadth: usize,
    ) -> usize {
        let floor = match self.pool.len() < breadth {
            true => f32::NEG_INFINITY,
            false => self.pool.last().map_or(f32::NEG_INFINITY, |last| last.estimate),
        };
        let mut good = 0u32;
        for (i, estimate) in estimates.iter().enumerate() {
            good |= u32::from(*estimate > floor) << i;
        }
        let mut best = usize::MAX;
        while good > 0 {
            let i = good.trailing_zeros() as usize;
            good &= good - 1;
            let (row, estimate) = (u32::from_le_bytes(links[i]), estimates[i]);
            let full = self.pool.len() >= breadth;
            if full && self.pool.last().is_some_and(|last| estimate <= last.estimate) {
                continue;
            }
            // Only here is a link followed, and checked: a damaged one leads nowhere.
            if row as usize >= rows || !self.seen.insert(row) {
                continue;
            }
            if full {
                self.pool.pop();
            }
            let at = self.pool.partition_point(|open| open.estimate > estimate);
            self.pool.insert(at, Open { estimate, row, expanded: false });
            best = best.min(at);
        }
        best
    }
}
