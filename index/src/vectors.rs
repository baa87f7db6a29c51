//! The rows of a segment as numbers: a typed view over its bytes, made anew for each question.

use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use crate::error::QueryError;
use crate::kernels::{Element, Kernels, ahead};
use crate::segment::Precision;

/// The ids and vectors of a segment. Both are little-endian bytes at any address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vectors<'a> {
    pub(crate) ids: &'a [[u8; 4]],
    pub(crate) dimension: usize,
    pub(crate) rows: Rows<'a>,
}

/// The components, row after row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rows<'a> {
    F32(&'a [[u8; 4]]),
    F16(&'a [[u8; 2]]),
}

impl<'a> Vectors<'a> {
    /// A view of two sections of a segment.
    pub(crate) fn new(
        ids: &'a [u8],
        dimension: usize,
        precision: Precision,
        components: &'a [u8],
    ) -> Self {
        let rows = match precision {
            Precision::F32 => Rows::F32(components.as_chunks().0),
            Precision::F16 => Rows::F16(components.as_chunks().0),
        };
        Vectors { ids: ids.as_chunks().0, dimension, rows }
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn id(&self, row: usize) -> u32 {
        u32::from_le_bytes(self.ids[row])
    }

    /// Refuses a query that these vectors cannot be compared with.
    pub(crate) fn check(&self, query: &[f32]) -> Result<(), QueryError> {
        check(self.dimension, query)
    }

    /// The components of one row.
    pub(crate) fn row(&self, row: usize) -> Vec<f32> {
        let range = row * self.dimension..(row + 1) * self.dimension;
        match self.rows {
            Rows::F32(rows) => rows[range].iter().map(|x| x.to_f32()).collect(),
            Rows::F16(rows) => {
                let halves: Vec<f16> = rows[range].iter().map(|x| f16::from_le_bytes(*x)).collect();
                halves.to_f32_vec()
            }
        }
    }

    /// Asks memory for a row that will be needed soon.
    #[inline]
    pub(crate) fn ahead(&self, row: usize) {
        let range = row * self.dimension..(row + 1) * self.dimension;
        match self.rows {
            Rows::F32(rows) => ahead(&rows[range]),
            Rows::F16(rows) => ahead(&rows[range]),
        }
    }

    /// The similarities of `count` rows from `first` on with every query: `out[q * count + r]`.
    pub(crate) fn products(&self, first: usize, count: usize, queries: &[&[f32]], out: &mut [f32]) {
        let range = first * self.dimension..(first + count) * self.dimension;
        match self.rows {
            Rows::F32(rows) => Kernels::best().products(&rows[range], queries, out),
            Rows::F16(rows) => Kernels::best().products(&rows[range], queries, out),
        }
    }

    /// The similarity of one row with the query.
    #[inline]
    pub(crate) fn similarity(&self, row: u32, query: &[f32]) -> f32 {
        let mut similarity = 0.0;
        self.products(row as usize, 1, &[query], std::slice::from_mut(&mut similarity));
        similarity
    }

    /// The similarity of every row with the query.
    pub(crate) fn scan(&self, query: &[f32], out: &mut [f32]) -> Result<(), QueryError> {
        self.check(query)?;
        if out.len() != self.len() {
            return Err(QueryError::OutputLength { expected: self.len(), found: out.len() });
        }
        self.compare(query, out);
        Ok(())
    }

    /// The same, of a query and for as many places as were checked.
    pub(crate) fn compare(&self, query: &[f32], out: &mut [f32]) {
        let block = self.block_rows();
        out.par_chunks_mut(block).enumerate().for_each(|(b, out)| {
            self.products(b * block, out.len(), &[query], out);
        });
    }

    /// How many rows one thread takes at a time: some 256 KiB of them, large enough that handing
    /// them out costs nothing and small enough that two threads end together.
    pub(crate) fn block_rows(&self) -> usize {
        let component = match self.rows {
            Rows::F32(_) => 4,
            Rows::F16(_) => 2,
        };
        // A multiple of the rows of any kernel's tile.
        ((256 << 10) / (self.dimension * component)).next_multiple_of(8).max(8)
    }
}

/// Refuses a query that vectors of this dimension cannot be compared with.
pub(crate) fn check(dimension: usize, query: &[f32]) -> Result<(), QueryError> {
    if query.len() != dimension {
        return Err(QueryError::Dimension { expected: dimension, found: query.len() });
    }
    if !query.iter().all(|x| x.is_finite()) {
        return Err(QueryError::NotFinite);
    }
    Ok(())
}
