//! The reference: the order of summation spelled out. Also what runs where no other kernel does:
//! right there too, but slow where the processor has no fused multiply-add and the library computes it.

use super::{Element, Isa, LANES, cover, fold};

/// Plain arithmetic, which every processor has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scalar;

impl Isa for Scalar {
    fn tile<const R: usize, const Q: usize, const AHEAD: bool, E: Element>(
        self,
        rows: [&[E]; R],
        queries: [&[f32]; Q],
    ) -> [[f32; Q]; R] {
        rows.map(|row| queries.map(|query| dot(row, query)))
    }

    fn products<E: Element>(self, rows: &[E], queries: &[&[f32]], out: &mut [f32]) {
        cover::<1, 1, Self, E>(self, rows, queries, out);
    }
}

fn dot<E: Element>(row: &[E], query: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    for (row, query) in row.chunks(LANES).zip(query.chunks(LANES)) {
        for ((lane, component), &q) in lanes.iter_mut().zip(row).zip(query) {
            *lane = component.to_f32().mul_add(q, *lane);
        }
    }
    fold(lanes)
}
