//! A table of vectors, one a user or item, of which a step touches a handful.
//!
//! ```text
//! for each row with a gradient:   m = β₁ m + (1 - β₁) g        v = β₂ v + (1 - β₂) g²
//!                                 Θ = Θ - lr √(1 - β₂ᵗ) / (1 - β₁ᵗ) m / (√v + ε)
//! ```
//!
//! In: rows by number; they go into candle as a small [`Var`] of their own. Changed: those rows, and
//! their moments, by lazy Adam (`t` counts all steps, also those that did not touch the row), as PyTorch's
//! SparseAdam has it. The moments of a row that was never touched cost neither time nor memory.

use std::collections::BTreeMap;

use candle_core::{Result, Tensor, Var, bail};

use super::adam::{AdamSettings, Decay, corrections};
use super::values::with;

/// Rows of one width, with their moments.
#[derive(Debug, Clone)]
pub struct Table {
    width: usize,
    /// Row after row.
    values: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
    step: u64,
}

impl Table {
    /// Rows of `width` values, before the first step. The width must divide the values.
    pub fn new(values: Vec<f32>, width: usize) -> Self {
        // Zeroed memory that nobody wrote to is not there yet.
        let zeros = || vec![0.0; values.len()];
        Table { width, first: zeros(), second: zeros(), values, step: 0 }
    }

    /// All rows.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The length of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// One row.
    pub fn row(&self, row: u32) -> &[f32] {
        &self.values[row as usize * self.width..][..self.width]
    }

    /// Some rows as a parameter, (rows, width); the same row may come several times.
    pub fn gather(&self, rows: &[u32]) -> Result<Var> {
        let count = self.values.len() / self.width.max(1);
        if let Some(row) = rows.iter().find(|row| **row as usize >= count) {
            bail!("row {row} of a table of {count}");
        }
        let values = rows.iter().flat_map(|&row| self.row(row).iter().copied()).collect();
        Var::from_vec(values, (rows.len(), self.width), &candle_core::Device::Cpu)
    }

    /// One step along the gradient of what [`Table::gather`] gave for these rows. Gradients of the same row
    /// add up. A penalty counts for the rows touched, once each.
    pub fn step(&mut self, rows: &[u32], gradient: &Tensor, settings: AdamSettings) -> Result<()> {
        if gradient.dims() != [rows.len(), self.width] {
            bail!("a gradient of {:?} for {} rows", gradient.shape(), rows.len());
        }
        self.step += 1;
        let mut sums: BTreeMap<u32, Vec<f32>> = BTreeMap::new();
        with([gradient], |[gradient]| {
            for (row, gradient) in rows.iter().zip(gradient.chunks_exact(self.width.max(1))) {
                let sum = sums.entry(*row).or_insert_with(|| vec![0.0; self.width]);
                sum.iter_mut().zip(gradient).for_each(|(sum, gradient)| *sum += gradient);
            }
        })?;
        let AdamSettings { rate, betas, epsilon, decay } = settings;
        let (first_scale, second_scale) = corrections(betas, self.step);
        let length = rate * first_scale / second_scale.sqrt();
        let (penalty, shrink) = match decay {
            Decay::None => (0.0, 1.0),
            Decay::Penalty(lambda) => (2.0 * lambda, 1.0),
            Decay::Shrink(share) => (0.0, 1.0 - rate * share),
        };
        for (row, gradient) in sums {
            let start = row as usize * self.width;
            for (place, gradient) in (start..).zip(gradient) {
                let gradient = gradient + penalty * self.values[place];
                let (first, second) = (&mut self.first[place], &mut self.second[place]);
                *first = betas.0 * *first + (1.0 - betas.0) * gradient;
                *second = betas.1 * *second + (1.0 - betas.1) * gradient * gradient;
                let step = length * *first / (second.sqrt() + epsilon);
                self.values[place] = shrink * self.values[place] - step;
            }
        }
        Ok(())
    }
}
