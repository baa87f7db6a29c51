//! The walk: from the entry along the links, best first, until what is left cannot be among the best.
//!
//! Expanding a row compares it with the query, and reads its block for estimates of its 32 neighbours (see
//! [`codes`](super::codes)), which decide what is expanded next. Where blocks hold [sketches](super::sketch), a row is compared
//! by its sketch, and in the end those that may be among the best are compared as they are stored; elsewhere each is
//! compared so at once. Either way, all that is returned is exact. While one row is expanded, the next one's
//! bytes are on their way: without that, a walk takes 1.6 times as long.

use super::codes::dot;
use super::layout::{Axes, View};
use super::seen::Seen;
use super::sketch::Asked;
use super::turn::turn;
use crate::kernels::Kernels;
use crate::kernels::bytes::encode;
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
    /// The rows expanded that may be among the best, best first, by sketch.
    near: Vec<Sketched>,
    /// The query turned, and that in bytes, for axes and sketches.
    turned: Vec<f32>,
    code: Vec<i8>,
    asked: Asked,
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

/// A row that was expanded.
#[derive(Debug, Clone, Copy)]
struct Sketched {
    similarity: f32,
    row: u32,
}

/// How far to walk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach<'a> {
    /// Rows that are kept in mind.
    pub(super) breadth: usize,
    /// How far the estimate of a row may lie below the worst of the found for it to be expanded, for a query
    /// of length one.
    pub(super) slack: f32,
    /// How far its sketch may lie below it for it to be found.
    pub(super) doubt: f32,
    /// The rows that may be found; all are walked through.
    pub(super) within: Option<&'a RowSet>,
}

/// Offers `top` the best `k` that a walk finds; returns how many rows it expanded.
pub(super) fn walk(
    view: &View<'_>,
    vectors: &Vectors<'_>,
    query: &[f32],
    k: usize,
    reach: Reach<'_>,
    top: &mut Top,
    scratch: &mut Scratch,
) -> usize {
    let kernels = Kernels::best();
    scratch.prepare(kernels, view, query);
    scratch.seen.clear(view.rows);
    scratch.seen.insert(view.entry);
    scratch.near.clear();
    scratch.pool.clear();
    scratch.pool.push(Open { estimate: f32::INFINITY, row: view.entry, expanded: false });
    let norm = scratch.table.length;
    let (slack, doubt) = (reach.slack * norm, reach.doubt * norm);
    let sketched = view.sketches.is_some();
    let mut estimates = [0.0; NEIGHBOURS];
    let (mut next, mut expanded) = (0, 0);
    while let Some(open) = scratch.pool.get_mut(next) {
        let worst = if sketched { kth(&scratch.near, k) } else { top.worst() };
        if worst.is_some_and(|worst| open.estimate < worst - slack) {
            break;
        }
        open.expanded = true;
        let row = open.row;
        expanded += 1;
        let block = view.block(row);
        let matches = || reach.within.is_none_or(|rows| rows.contains(row));
        let similarity;
        if sketched {
            similarity = scratch.asked.similarity(kernels, block.sketch, &scratch.code);
            let hopeful = worst.is_none_or(|worst| similarity >= worst - doubt);
            if hopeful && top.may_keep(similarity + doubt) && matches() {
                note(&mut scratch.near, Sketched { similarity, row });
            }
        } else {
            similarity = vectors.similarity(row, query);
            if top.may_keep(similarity) && matches() {
                top.offer(Candidate { row, id: vectors.id(row as usize), similarity });
            }
        }
        kernels.estimates(&scratch.table, block.codes, block.factors, similarity, &mut estimates);
        next = scratch.meet(view.rows, block.links, &estimates, reach.breadth).min(next + 1);
        while scratch.pool.get(next).is_some_and(|open| open.expanded) {
            next += 1;
        }
        scratch.fetch(next, view, vectors);
    }
    compare(&scratch.near, vectors, query, doubt, top);
    expanded
}

/// The similarity of the `k`-th best, once there are so many.
fn kth(near: &[Sketched], k: usize) -> Option<f32> {
    near.get(k.checked_sub(1)?).map(|last| last.similarity)
}

/// Puts a row in its place.
fn note(near: &mut Vec<Sketched>, row: Sketched) {
    let at = near.partition_point(|other| other.similarity >= row.similarity);
    near.insert(at, row);
}

/// Compares the rows that may be among the best as they are stored.
fn compare(near: &[Sketched], vectors: &Vectors<'_>, query: &[f32], doubt: f32, top: &mut Top) {
    /// Rows that are on their way while one is compared.
    const AHEAD: usize = 2;
    for sketched in near.iter().take(AHEAD) {
        vectors.ahead(sketched.row as usize);
    }
    for (i, &Sketched { similarity, row }) in near.iter().enumerate() {
        if top.worst().is_some_and(|worst| similarity < worst - doubt) {
            break;
        }
        if let Some(later) = near.get(i + AHEAD) {
            vectors.ahead(later.row as usize);
        }
        let similarity = vectors.similarity(row, query);
        top.offer(Candidate { row, id: vectors.id(row as usize), similarity });
    }
}

impl Scratch {
    /// Makes the table in which codes are looked up: the product of the query with each point of each slot.
    pub(super) fn prepare(&mut self, kernels: Kernels, view: &View<'_>, query: &[f32]) {
        let unit = self.see_on_axes(kernels, view.axes, query);
        if let Some(shared) = view.sketches {
            self.asked.prepare(shared, query, &self.code, unit);
        }
        let Scratch { on_axes, table, slots, .. } = self;
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
        table.length = dot(query, query).sqrt();
        table.unit = widest / 255.0;
        table.bytes.clear();
        table.bytes.extend(slots.as_flattened().iter().map(|x| (x * steps + 0.5) as u8));
    }

    /// Returns what a unit of the query in bytes is worth.
    fn see_on_axes(&mut self, kernels: Kernels, axes: Axes<'_>, query: &[f32]) -> f32 {
        let Scratch { on_axes, turned, code, .. } = self;
        match axes {
            Axes::Halves(axes) => {
                on_axes.resize(axes.len() / query.len(), 0.0);
                kernels.products(axes, &[query], on_axes);
                0.0
            }
            Axes::Turned { signs, codes, units } => {
                turn(signs, query, turned);
                code.resize(turned.len(), 0);
                let unit = encode(turned, code);
                let product = |(axis, units): (usize, &[u8; 4])| {
                    let product = kernels.byte_product(code, codes.get(axis as u32));
                    product as f32 * (unit * f32::from_le_bytes(*units))
                };
                on_axes.clear();
                on_axes.extend(units.iter().enumerate().map(product));
                unit
            }
        }
    }

    /// The similarity of the query with an expanded row, as a walk knows it.
    pub(super) fn similarity(
        &self,
        kernels: Kernels,
        view: &View<'_>,
        vectors: &Vectors<'_>,
        query: &[f32],
        row: u32,
    ) -> f32 {
        match view.sketches {
            Some(_) => self.asked.similarity(kernels, view.block(row).sketch, &self.code),
            None => vectors.similarity(row, query),
        }
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
            if view.sketches.is_none() {
                vectors.ahead(open.row as usize);
            }
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
