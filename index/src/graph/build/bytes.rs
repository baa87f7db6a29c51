//! The rows as 8-bit codes, on which a graph is built: half the bytes of half precision, and sums of
//! integers, which are the same on every processor.

use rayon::prelude::*;

use crate::kernels::Kernels;
use crate::kernels::bytes::{Codes, STEP, encode};
use crate::vectors::Vectors;

/// A code for each row, and what one unit of it is worth.
#[derive(Debug)]
pub(crate) struct Bytes {
    codes: Vec<i8>,
    units: Vec<f32>,
    stride: usize,
}

impl Bytes {
    pub(super) fn of(vectors: &Vectors<'_>) -> Self {
        let stride = vectors.dimension.next_multiple_of(STEP);
        let mut codes = vec![0i8; vectors.len() * stride];
        let mut units = vec![0.0f32; vectors.len()];
        codes.par_chunks_mut(stride).zip(&mut units).enumerate().for_each(|(row, (code, unit))| {
            *unit = encode(&vectors.row(row), code);
        });
        Bytes { codes, units, stride }
    }

    pub(super) fn len(&self) -> usize {
        self.units.len()
    }

    fn codes(&self) -> Codes<'_> {
        Codes { bytes: &self.codes, stride: self.stride }
    }

    /// About the similarity of two rows.
    #[inline]
    pub(super) fn similarity(&self, kernels: Kernels, a: u32, b: u32) -> f32 {
        let codes = self.codes();
        let product = kernels.byte_product(codes.get(a), codes.get(b));
        self.scaled(product, a, b)
    }

    /// Whether two rows have the same code.
    pub(super) fn same(&self, a: u32, b: u32) -> bool {
        let codes = self.codes();
        self.units[a as usize] == self.units[b as usize] && codes.get(a) == codes.get(b)
    }

    /// About the similarities of one row with others.
    pub(super) fn similarities(
        &self,
        kernels: Kernels,
        row: u32,
        others: &[u32],
        out: &mut Vec<f32>,
    ) {
        let codes = self.codes();
        let scaled = |other, product| self.scaled(product, row, other);
        out.clear();
        kernels.byte_products(codes.get(row), codes, others, |other, product| {
            out.push(scaled(other, product));
        });
    }

    #[inline]
    fn scaled(&self, product: i32, a: u32, b: u32) -> f32 {
        product as f32 * (self.units[a as usize] * self.units[b as usize])
    }
}
