//! Softmax and layer norm over the last axis, with the gradients that candle's own quick ones lack.
//!
//! ```text
//! y = exp(x - max x) / Σ exp(x - max x)                    dx = y (dy - Σ y dy)
//! y = γ x̂ + β,  x̂ = (x - mean x) / √(var x + ε)            dx = (γdy - mean γdy - x̂ mean(γdy x̂)) / √(var x + ε)
//! ```

use candle_core::{CpuStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::values::{elements, stored, sum, sum_of, tensor, with};

/// Softmax over the last axis.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Softmax)
}

/// Layer norm over the last axis.
pub fn layer_norm(x: &Tensor, gamma: &Tensor, beta: &Tensor, epsilon: f32) -> Result<Tensor> {
    x.contiguous()?.apply_op3(&gamma.contiguous()?, &beta.contiguous()?, LayerNorm(epsilon))
}

/// The length of the last axis.
fn width(shape: &Shape) -> Result<usize> {
    match shape.dims().last() {
        Some(&width) if width > 0 => Ok(width),
        _ => bail!("{shape:?} has nothing along its last axis"),
    }
}

struct Softmax;

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = width(layout.shape())?;
        let mut y = elements(x, layout)?.to_vec();
        y.par_chunks_mut(width).for_each(|y| {
            let largest = y.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            y.iter_mut().for_each(|y| *y = (*y - largest).exp());
            let scale = 1.0 / sum(y);
            y.iter_mut().for_each(|y| *y *= scale);
        });
        Ok(stored(y, layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let width = width(x.shape())?;
        let dx = with([y, dy], |[y, dy]| {
            let mut dx = vec![0.0; y.len()];
            let rows = dx.par_chunks_mut(width).zip(y.par_chunks(width)).zip(dy.par_chunks(width));
            rows.for_each(|((dx, y), dy)| {
                let mean = sum_of(y, dy, |y, dy| y * dy);
                for ((dx, y), dy) in dx.iter_mut().zip(y).zip(dy) {
                    *dx = y * (dy - mean);
                }
            });
            dx
        })?;
        Ok(Some(tensor(dx, x.shape())?))
    }
}

struct LayerNorm(f32);

impl LayerNorm {
    /// A row's mean, and one over its deviation.
    fn statistics(&self, x: &[f32]) -> (f32, f32) {
        let mean = sum(x) / x.len() as f32;
        let variance = sum_of(x, x, |x, _| (x - mean) * (x - mean)) / x.len() as f32;
        (mean, 1.0 / (variance + self.0).sqrt())
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        gamma: &CpuStorage,
        gamma_layout: &Layout,
        beta: &CpuStorage,
        beta_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let width = width(x_layout.shape())?;
        let (gamma, beta) = (elements(gamma, gamma_layout)?, elements(beta, beta_layout)?);
        if gamma.len() != width || beta.len() != width {
            bail!("layer norm of {width} values by {} and {}", gamma.len(), beta.len());
        }
        let mut y = elements(x, x_layout)?.to_vec();
        y.par_chunks_mut(width).for_each(|y| {
            let (mean, scale) = self.statistics(y);
            for ((y, gamma), beta) in y.iter_mut().zip(gamma).zip(beta) {
                *y = (*y - mean) * scale * gamma + beta;
            }
        });
        Ok(stored(y, x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let width = width(x.shape())?;
        let (dx, dgamma, dbeta) = with([x, gamma, dy], |[x, gamma, dy]| {
            let mut dx = vec![0.0; x.len()];
            let (mut dgamma, mut dbeta) = (vec![0f64; width], vec![0f64; width]);
            let rows = dx.chunks_exact_mut(width).zip(x.chunks_exact(width));
            for ((dx, x), dy) in rows.zip(dy.chunks_exact(width)) {
                let (mean, scale) = self.statistics(x);
                for ((dx, dy), gamma) in dx.iter_mut().zip(dy).zip(gamma) {
                    *dx = dy * gamma;
                }
                let plain = sum(dx) / width as f32;
                let normed = sum_of(dx, x, |dx, x| dx * (x - mean) * scale) / width as f32;
                for (column, ((dx, x), dy)) in dx.iter_mut().zip(x).zip(dy).enumerate() {
                    let x = (x - mean) * scale;
                    *dx = (*dx - plain - x * normed) * scale;
                    dgamma[column] += f64::from(dy * x);
                    dbeta[column] += f64::from(*dy);
                }
            }
            (dx, dgamma, dbeta)
        })?;
        let narrow = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
        Ok((
            Some(tensor(dx, x.shape())?),
            Some(tensor(narrow(dgamma), gamma.shape())?),
            Some(tensor(narrow(dbeta), beta.shape())?),
        ))
    }
}
