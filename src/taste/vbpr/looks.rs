//! The projection `E` and the visual bias `v` together: what every triple moves in every value.
//!
//! The values of a feature are cut into strips. A strip holds its part of `E`, gathers its part of the
//! batch's features and works out its part of the products and of the gradient, all of which stays in the
//! second cache; threads share the strips out. The parts of a product are added up in the strips' order,
//! whoever finished first.

use rayon::prelude::*;

use super::super::Error;
use super::super::adam::{Moments, Step, load, save};
use super::super::features::Features;
use super::super::model::State;
use super::super::triples::Triple;
use crate::encode::kernels::{Isa, Panels, Rows, multiply};

/// Values of a strip, about: ten panels of the product kernel.
const STRIP: usize = 320;

/// `E` and `v`, cut into strips.
#[derive(Debug, Clone)]
pub struct Looks {
    /// Rows of `E`, and one for `v`.
    components: usize,
    dimension: usize,
    strips: Vec<Strip>,
    /// What keeps it small.
    lambda: f32,
}

#[derive(Debug, Clone)]
struct Strip {
    first: usize,
    width: usize,
    /// A row a component.
    values: Vec<f32>,
    moments: Moments,
    /// The same, as the right side of a product with features.
    forward: Panels,
    /// `f_i - f_j` of each triple of the batch.
    differences: Vec<f32>,
    /// The same, as the right side of a product with what each triple asks of each component.
    backward: Panels,
    products: Vec<f32>,
    gradient: Vec<f32>,
}

impl Looks {
    /// Rows of `dimension` values each.
    pub fn new(rows: &[f32], dimension: usize, lambda: f32) -> Self {
        let components = rows.len() / dimension;
        let count = dimension.div_ceil(STRIP);
        // Whole panels but for the last.
        let width = dimension.div_ceil(count).next_multiple_of(32);
        let strips = (0..dimension).step_by(width).map(|first| {
            let width = width.min(dimension - first);
            let parts = rows.chunks(dimension).flat_map(|row| &row[first..first + width]);
            let values: Vec<f32> = parts.copied().collect();
            let mut strip = Strip {
                first,
                width,
                moments: Moments::new(values.len()),
                gradient: vec![0.0; values.len()],
                values,
                forward: Panels::default(),
                differences: Vec::new(),
                backward: Panels::default(),
                products: Vec::new(),
            };
            strip.lay_out(components);
            strip
        });
        Looks { components, dimension, strips: strips.collect(), lambda }
    }

    /// How many rows there are.
    pub fn components(&self) -> usize {
        self.components
    }

    /// `E (f_i - f_j)` and `v . (f_i - f_j)` of each triple, a row a triple.
    pub fn compare(&mut self, features: &Features, batch: &[Triple], out: &mut Vec<f32>) {
        let components = self.components;
        self.strips.par_iter_mut().for_each(|strip| strip.compare(features, batch, components));
        out.clear();
        out.resize(batch.len() * components, 0.0);
        for strip in &self.strips {
            out.iter_mut().zip(&strip.products).for_each(|(sum, part)| *sum += part);
        }
    }

    /// The gradient, `asked` being the loss's by each triple's products, a column a triple.
    pub fn differentiate(&mut self, asked: &[f32]) {
        let (components, lambda) = (self.components, self.lambda);
        self.strips.par_iter_mut().for_each(|strip| strip.differentiate(asked, components, lambda));
    }

    /// Moves down the gradient.
    pub fn descend(&mut self, step: Step) {
        let components = self.components;
        self.strips.par_iter_mut().for_each(|strip| {
            step.apply(&mut strip.values, &mut strip.moments, &strip.gradient);
            strip.lay_out(components);
        });
    }

    /// The gradient of the last batch, a row a component.
    #[cfg(test)]
    pub fn gradient(&self) -> Vec<f32> {
        self.joined(|strip| &strip.gradient)
    }

    /// A row a component.
    pub fn rows(&self) -> Vec<f32> {
        self.joined(|strip| &strip.values)
    }

    fn joined(&self, part: impl Fn(&Strip) -> &[f32]) -> Vec<f32> {
        let rows = (0..self.components).flat_map(|component| {
            let part = &part;
            self.strips.iter().flat_map(move |strip| {
                part(strip)[component * strip.width..][..strip.width].iter().copied()
            })
        });
        rows.collect()
    }

    /// `E f` and `v . f` of every item, a row an item.
    pub fn project(&self, features: &Features) -> Vec<f32> {
        let (d, components) = (self.dimension, self.components);
        let rows = self.rows();
        let mut panels = Panels::default();
        panels.set_transposed(Rows::new(&rows, d, components, d));
        let mut out = vec![0.0; features.len() * components];
        let together = 256;
        out.par_chunks_mut(together * components).enumerate().for_each(|(n, out)| {
            let first = n * together * d;
            let count = out.len() / components;
            let rows = Rows::new(&features.values()[first..first + count * d], d, count, d);
            multiply(Isa::best(), rows, &panels, out, components);
        });
        out
    }

    /// Writes everything into a checkpoint.
    pub fn save(&self, state: &mut State) {
        for (n, strip) in self.strips.iter().enumerate() {
            save(&format!("looks.{n}"), self.components, &strip.values, &strip.moments, state);
        }
    }

    /// Takes it back.
    pub fn load(&mut self, state: &State) -> Result<(), Error> {
        for (n, strip) in self.strips.iter_mut().enumerate() {
            load(&format!("looks.{n}"), &mut strip.values, &mut strip.moments, state)?;
            strip.lay_out(self.components);
        }
        Ok(())
    }
}

impl Strip {
    fn lay_out(&mut self, components: usize) {
        let rows = Rows::new(&self.values, self.width, components, self.width);
        self.forward.set_transposed(rows);
    }

    fn compare(&mut self, features: &Features, batch: &[Triple], components: usize) {
        let (first, width) = (self.first, self.width);
        self.differences.resize(batch.len() * width, 0.0);
        for (row, triple) in self.differences.chunks_mut(width).zip(batch) {
            let i = &features.row(triple.positive)[first..first + width];
            let j = &features.row(triple.negative)[first..first + width];
            row.iter_mut().zip(i).zip(j).for_each(|((x, i), j)| *x = i - j);
        }
        self.products.resize(batch.len() * components, 0.0);
        let rows = Rows::new(&self.differences, width, batch.len(), width);
        multiply(Isa::best(), rows, &self.forward, &mut self.products, components);
    }

    fn differentiate(&mut self, asked: &[f32], components: usize, lambda: f32) {
        let (width, batch) = (self.width, asked.len() / components);
        self.backward.set(Rows::new(&self.differences, width, batch, width));
        let rows = Rows::new(asked, batch, components, batch);
        multiply(Isa::best(), rows, &self.backward, &mut self.gradient, width);
        if lambda > 0.0 {
            self.gradient.iter_mut().zip(&self.values).for_each(|(g, x)| *g += lambda * x);
        }
    }
}
