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
use crate::encode::kernels::exp;

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
        // Written so that what is not a number stays so.
        match self {
            Activation::None => values.iter_mut().for_each(|value| *value += bias),
            Activation::Relu => values.iter_mut().for_each(|value| {
                let sum = *value + bias;
                *value = if sum < 0.0 { 0.0 } else { sum };
            }),
            Activation::Relu6 => values.iter_mut().for_each(|value| {
                let sum = *value + bias;
                let sum = if sum < 0.0 { 0.0 } else { sum };
                *value = if sum > 6.0 { 6.0 } else { sum };
            }),
            Activation::Selu => values.iter_mut().for_each(|value| {
                let sum = *value + bias;
                let low = if sum > 0.0 { 0.0 } else { sum };
                let below = LAMBDA_ALPHA * (exp(low) - 1.0);
                *value = if sum > 0.0 { LAMBDA * sum } else { below };
            }),
            Activation::Tanh => values.iter_mut().for_each(|value| {
                *value = 1.0 - 2.0 / (exp(2.0 * (*value + bias)) + 1.0);
            }),
            Activation::Sigmoid => values.iter_mut().for_each(|value| {
                *value = 1.0 / (1.0 + exp(-(*value + bias)));
            }),
        }
    }

    /// The gradient before the activation.
    pub(super) fn gradient(self, y: &[f32], dy: &[f32]) -> Vec<f32> {
        match self {
            Activation::None => dy.to_vec(),
            Activation::Relu => slopes(y, dy, |y, dy| if y > 0.0 { dy } else { 0.0 }),
            Activation::Relu6 => slopes(y, dy, |y, dy| if y > 0.0 && y < 6.0 { dy } else { 0.0 }),
            Activation::Selu => {
                slopes(y, dy, |y, dy| if y > 0.0 { LAMBDA * dy } else { (y + LAMBDA_ALPHA) * dy })
            }
            Activation::Tanh => slopes(y, dy, |y, dy| (1.0 - y * y) * dy),
            Activation::Sigmoid => slopes(y, dy, |y, dy| y * (1.0 - y) * dy),
        }
    }
}

fn slopes(y: &[f32], dy: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Vec<f32> {
    let mut gradient = dy.to_vec();
    let parts = gradient.par_chunks_mut(PART).zip(y.par_chunks(PART));
    parts.for_each(|(gradient, y)| {
        gradient.iter_mut().zip(y).for_each(|(dy, &y)| *dy = f(y, *dy));
    });
    gradient
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
