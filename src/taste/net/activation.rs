//! What follows sums: applied while they are in the cache, and its gradient from nothing but what came out.
//!
//! ```text
//! relu     y = 0 ∨ x                                  dx = dy where y > 0
//! relu6    y = 0 ∨ x ∧ 6                              dx = dy where 0 < y < 6
//! selu     y = λ x where x > 0, else λ α (e^x - 1)    dx = λ dy, or (y + λ α) dy
//! tanh     y = tanh x                                 dx = (1 - y²) dy
//! sigmoid  y = σ(x)                                   dx = y (1 - y) dy
//! ```
//!
//! By itself, as [`activate`], it follows what stands between it and the sums: a batch norm.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::values::{elements, stored, tensor, with};
use crate::encode::kernels::{Isa, exp, for_each_isa};

/// What becomes of sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// They stay as they are.
    None,
    /// Below zero they count as zero.
    Relu,
    /// Below zero they count as zero, and beyond six as six.
    Relu6,
    /// Below zero they bend towards a bound, so that their mean stays 0 and their variance 1.
    Selu,
    /// They bend towards -1 and 1.
    Tanh,
    /// They become probabilities.
    Sigmoid,
}

const LAMBDA: f32 = 1.050_701;
const LAMBDA_ALPHA: f32 = 1.758_099_3;

/// Values that a thread takes at a time.
const PART: usize = 1 << 16;

impl Activation {
    /// Adds a bias to sums and applies itself.
    pub(super) fn apply(self, values: &mut [f32], bias: f32) {
        apply_one(Isa::best(), self, values, bias);
    }

    /// Adds to rows of sums a bias for each column, and applies itself.
    pub(super) fn apply_rows(self, rows: &mut [f32], biases: &[f32]) {
        apply_each(Isa::best(), self, rows, biases);
    }

    /// What becomes of sums and their biases. Written so that what is not a number stays so.
    #[inline(always)]
    fn join<'a>(self, sums: impl Iterator<Item = (&'a mut f32, f32)>) {
        match self {
            Activation::None => sums.for_each(|(value, bias)| *value += bias),
            Activation::Relu => sums.for_each(|(value, bias)| {
                let sum = *value + bias;
                *value = if sum < 0.0 { 0.0 } else { sum };
            }),
            Activation::Relu6 => sums.for_each(|(value, bias)| {
                let sum = *value + bias;
                let sum = if sum < 0.0 { 0.0 } else { sum };
                *value = if sum > 6.0 { 6.0 } else { sum };
            }),
            Activation::Selu => sums.for_each(|(value, bias)| {
                let sum = *value + bias;
                let low = if sum > 0.0 { 0.0 } else { sum };
                let below = LAMBDA_ALPHA * (exp(low) - 1.0);
                *value = if sum > 0.0 { LAMBDA * sum } else { below };
            }),
            Activation::Tanh => sums.for_each(|(value, bias)| {
                *value = 1.0 - 2.0 / (exp(2.0 * (*value + bias)) + 1.0);
            }),
            Activation::Sigmoid => sums.for_each(|(value, bias)| {
                *value = 1.0 / (1.0 + exp(-(*value + bias)));
            }),
        }
    }

    /// The gradient before the activation.
    pub(super) fn gradient(self, y: &[f32], dy: &[f32]) -> Vec<f32> {
        let mut gradient = dy.to_vec();
        if self != Activation::None {
            let parts = gradient.par_chunks_mut(PART).zip(y.par_chunks(PART));
            parts.for_each(|(gradient, y)| slope(Isa::best(), self, y, gradient));
        }
        gradient
    }
}

for_each_isa! {
    /// [`Activation::apply`].
    apply_one(activation: Activation, values: &mut [f32], bias: f32) runs apply_one_all
}

#[inline(always)]
fn apply_one_all(activation: Activation, values: &mut [f32], bias: f32) {
    activation.join(values.iter_mut().map(|value| (value, bias)));
}

for_each_isa! {
    /// [`Activation::apply_rows`].
    apply_each(activation: Activation, rows: &mut [f32], biases: &[f32]) runs apply_each_all
}

#[inline(always)]
fn apply_each_all(activation: Activation, rows: &mut [f32], biases: &[f32]) {
    for row in rows.chunks_exact_mut(biases.len().max(1)) {
        activation.join(row.iter_mut().zip(biases.iter().copied()));
    }
}

for_each_isa! {
    /// `dy` becomes the gradient before the activation.
    slope(activation: Activation, y: &[f32], dy: &mut [f32]) runs slope_all
}

#[inline(always)]
fn slope_all(activation: Activation, y: &[f32], dy: &mut [f32]) {
    let pairs = dy.iter_mut().zip(y);
    match activation {
        Activation::None => {}
        Activation::Relu => pairs.for_each(|(dy, &y)| *dy = if y > 0.0 { *dy } else { 0.0 }),
        Activation::Relu6 => {
            pairs.for_each(|(dy, &y)| *dy = if y > 0.0 && y < 6.0 { *dy } else { 0.0 });
        }
        Activation::Selu => {
            pairs.for_each(|(dy, &y)| *dy *= if y > 0.0 { LAMBDA } else { y + LAMBDA_ALPHA });
        }
        Activation::Tanh => pairs.for_each(|(dy, &y)| *dy *= 1.0 - y * y),
        Activation::Sigmoid => pairs.for_each(|(dy, &y)| *dy *= y * (1.0 - y)),
    }
}

/// `y = activation(x)`.
pub fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Activate(activation))
}

struct Activate(Activation);

impl CustomOp1 for Activate {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut y = elements(x, layout)?.to_vec();
        y.par_chunks_mut(PART).for_each(|y| self.0.apply(y, 0.0));
        Ok(stored(y, layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let dx = with([y, dy], |[y, dy]| self.0.gradient(y, dy))?;
        Ok(Some(tensor(dx, x.shape())?))
    }
}
