//! The walk: from the entry along the links, best first, until what is left cannot be among the best.
//!
//! Expanding a row compares it with the query, and reads its block for estimates of its 32 neighbours (see
//! [`codes`](super::codes)), which decide what is expanded next. Where blocks hold [sketches](super::sketch), a row is compared
//! by its sketch, and in the end those that may be among the best are compared as they are stored; elsewhere each is
//! compared so at once. Either way, all that is returned is exact. While one row is expanded, the next one's
//! bytes are on their way: without that, a walk takes 1.6 times as long.

use std::cmp::Ordering;

use super::codes::dot;
use super::layout::{Axes, View};
use super::seen::Seen;
use super::sketch::Asked;
use super::turn::turn;
use crate::kernels::bytes::encode;
use crate::kernels::nibbles::{NEIGHBOURS, SLOT, Table};
use crate::kernels::{Kernels, ahead};
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
    /// The rows expanded that may be among the best, best first.
    near: Vec<Near>,
    /// Of a walk that may go on, what had no place in the pool: when it was met, and later.
    passed: Vec<Open>,
    dropped: Vec<Open>,
    goes_on: bool,
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

/// A row that was expanded and may be among the best.
#[derive(Debug, Clone, Copy)]
pub(super) struct Near {
    /// By its sketch, if it has one, else exact.
    pub(super) similarity: f32,
    pub(super) row: u32,
    /// Whether it was handed out, where a walk goes on.
    pub(super) given: bool,
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
    /// What is less similar than this is not found.
    pub(super) floor: f32,
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
    scratch.begin(view, query, false);
    let expanded = go_on(view, vectors, query, k, reach, scratch);
    scratch.compare(view, vectors, query, k, reach, top);
    expanded
}

/// Walks until the best `k` are found, from wherever the last walk in this room ended; returns how many rows
/// it expanded.
pub(super) fn go_on(
    view: &View<'_>,
    vectors: &Vectors<'_>,
    query: &[f32],
    k: usize,
    reach: Reach<'_>,
    scratch: &mut Scratch,
) -> usize {
    let kernels = Kernels::best();
    let slack = reach.slack * scratch.table.length;
    let doubt = scratch.doubt(view, reach);
    let sketched = view.sketches.is_some();
    let mut estimates = [0.0; NEIGHBOURS];
    let mut next = scratch.first_open(0);
    let mut expanded = 0;
    while let Some(open) = scratch.pool.get_mut(next) {
        let worst = kth(&scratch.near, k);
        if worst.is_some_and(|worst| open.estimate < worst - slack) {
            break;
        }
        open.expanded = true;
        let row = open.row;
        expanded += 1;
        let block = view.block(row);
        let similarity = match sketched {
            true => scratch.asked.similarity(kernels, block.sketch, &scratch.code),
            false => vectors.similarity(row, query),
        };
        let hopeful = scratch.goes_on || worst.is_none_or(|worst| similarity >= worst - doubt);
        let matches = || reach.within.is_none_or(|rows| rows.contains(row));
        if hopeful && similarity + doubt >= reach.floor && matches() {
            note(&mut scratch.near, Near { similarity, row, given: false });
        }
        kernels.estimates(&scratch.table, block.codes, block.factors, similarity, &mut estimates);
        next = scratch.meet(view.rows, block.links, &estimates, reach.breadth).min(next + 1);
        next = scratch.first_open(next);
        scratch.fetch(next, view, vectors);
    }
    expanded
}

/// The similarity of the `k`-th best, once there are so many.
fn kth(near: &[Near], k: usize) -> Option<f32> {
    near.get(k.checked_sub(1)?).map(|last| last.similarity)
}

/// Puts a row in its place; of equals, the first row first.
fn note(near: &mut Vec<Near>, row: Near) {
    let before = |other: &Near| {
        other.similarity > row.similarity
            || (other.similarity == row.similarity && other.row < row.row)
    };
    near.insert(near.partition_point(before), row);
}

impl Scratch {
    /// Stands at the entry. A walk that `goes_on` keeps all that it meets.
    pub(super) fn begin(&mut self, view: &View<'_>, query: &[f32], goes_on: bool) {
        self.prepare(Kernels::best(), view, query);
        self.goes_on = goes_on;
        self.seen.clear(view.rows);
        self.seen.insert(view.entry);
        self.near.clear();
        self.passed.clear();
        self.dropped.clear();
        self.pool.clear();
        self.pool.push(Open { estimate: f32::INFINITY, row: view.entry, expanded: false });
    }

    /// What a wider walk keeps in mind is taken up again.
    pub(super) fn widen(&mut self, breadth: usize) {
        self.passed.sort_unstable_by(Open::order);
        for open in self.passed.drain(..) {
            if self.seen.insert(open.row) {
                self.pool.push(open);
            }
        }
        self.pool.append(&mut self.dropped);
        self.pool.sort_unstable_by(Open::order);
        let beyond = self.pool.split_off(breadth.min(self.pool.len()));
        self.dropped.extend(beyond.into_iter().filter(|open| !open.expanded));
    }

    /// Offers `top` the rows that may be among the best `k` and were not given yet, as they are stored.
    pub(super) fn compare(
        &self,
        view: &View<'_>,
        vectors: &Vectors<'_>,
        query: &[f32],
        k: usize,
        reach: Reach<'_>,
        top: &mut Top,
    ) {
        /// Rows that are on their way while one is compared.
        const AHEAD: usize = 2;
        let doubt = self.doubt(view, reach);
        let sketched = view.sketches.is_some();
        let least = kth(&self.near, k).map_or(f32::NEG_INFINITY, |worst| worst - doubt);
        let mut later = self.near.iter().filter(|near| sketched && !near.given);
        let mut ask = || later.next().into_iter().for_each(|near| vectors.ahead(near.row as usize));
        (0..AHEAD).for_each(|_| ask());
        for &Near { similarity, row, .. } in self.near.iter().filter(|near| !near.given) {
            if similarity < least || top.worst().is_some_and(|worst| similarity < worst - doubt) {
                break;
            }
            ask();
            let similarity = if sketched { vectors.similarity(row, query) } else { similarity };
            top.offer(Candidate { row, id: vectors.id(row as usize), similarity });
        }
    }

    /// How far a similarity may be wrong: not at all where it is exact.
    fn doubt(&self, view: &View<'_>, reach: Reach<'_>) -> f32 {
        view.sketches.map_or(0.0, |_| reach.doubt * self.table.length)
    }

    /// The rows that were found, best first.
    pub(super) fn near(&mut self) -> &mut [Near] {
        &mut self.near
    }

    #[inline]
    fn first_open(&self, mut from: usize) -> usize {
        while self.pool.get(from).is_some_and(|open| open.expanded) {
            from += 1;
        }
        from
    }

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
        if self.goes_on {
            self.pass(rows, links, estimates, !good);
        }
        let mut best = usize::MAX;
        while good > 0 {
            let i = good.trailing_zeros() as usize;
            good &= good - 1;
            let (row, estimate) = (u32::from_le_bytes(links[i]), estimates[i]);
            let full = self.pool.len() >= breadth;
            if full && self.pool.last().is_some_and(|last| estimate <= last.estimate) {
                if self.goes_on {
                    self.pass(rows, links, estimates, 1 << i);
                }
                continue;
            }
            // Only here is a link followed, and checked: a damaged one leads nowhere.
            if row as usize >= rows || !self.seen.insert(row) {
                continue;
            }
            if full
                && let Some(last) = self.pool.pop()
                && self.goes_on
                && !last.expanded
            {
                self.dropped.push(last);
            }
            let at = self.pool.partition_point(|open| open.estimate > estimate);
            self.pool.insert(at, Open { estimate, row, expanded: false });
            best = best.min(at);
        }
        best
    }

    /// Remembers neighbours that had no place.
    fn pass(
        &mut self,
        rows: usize,
        links: &[[u8; 4]; NEIGHBOURS],
        estimates: &[f32; NEIGHBOURS],
        which: u32,
    ) {
        for (i, (link, &estimate)) in links.iter().zip(estimates).enumerate() {
            let row = u32::from_le_bytes(*link);
            // A damaged link leads nowhere, and a damaged estimate is none.
            if which >> i & 1 == 1 && (row as usize) < rows && !estimate.is_nan() {
                self.passed.push(Open { estimate, row, expanded: false });
            }
        }
    }
}

impl Open {
    /// The best first.
    fn order(&self, other: &Self) -> Ordering {
        other.estimate.total_cmp(&self.estimate).then(self.row.cmp(&other.row))
    }
}
