//! Batch norm as it is while training, with its gradients.
//!
//! ```text
//! y = γ x̂ + β,   x̂ = (x - mean x) / √(var x + ε)        mean and variance of each channel over the batch
//! dx = γ / √(var x + ε) (dy - mean dy - x̂ mean(dy x̂))
//! ```
//!
//! In: (pictures, channels, ...). The batch's own statistics are told, for the running ones.

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::values::{elements, stored, sum, sum_of, tensor, with};

/// A channel's mean and (biased) variance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics {
    /// Its mean over the batch.
    pub mean: f32,
    /// The mean square of what is left.
    pub variance: f32,
}

/// `y = γ x̂ + β`, and the statistics of each channel.
pub fn batch_norm(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    epsilon: f32,
) -> Result<(Tensor, Vec<Statistics>)> {
    let told = Arc::new(OnceLock::new());
    let op = BatchNorm { epsilon, told: told.clone() };
    let y = x.contiguous()?.apply_op3(&gamma.contiguous()?, &beta.contiguous()?, op)?;
    Ok((y, told.get().cloned().unwrap_or_default()))
}

struct BatchNorm {
    epsilon: f32,
    told: Arc<OnceLock<Vec<Statistics>>>,
}

/// Channels, and values of a picture's channel.
fn sizes(x: &Shape) -> Result<(usize, usize)> {
    let dims = x.dims();
    if dims.len() < 2 || x.elem_count() == 0 {
        bail!("batch norm of {x:?}");
    }
    Ok((dims[1], dims[2..].iter().product()))
}

/// The planes of a channel, one a picture.
fn planes(
    x: &[f32],
    channels: usize,
    size: usize,
    channel: usize,
) -> impl Iterator<Item = &[f32]> + Clone {
    x.chunks_exact(size).skip(channel).step_by(channels)
}

/// The mean over a channel of some number a plane.
fn mean(sums: impl Iterator<Item = f32>, count: usize) -> f32 {
    (sums.map(f64::from).sum::<f64>() / count as f64) as f32
}

impl CustomOp3 for BatchNorm {
    fn name(&self) -> &'static str {
        "batch norm"
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
        let (channels, size) = sizes(x_layout.shape())?;
        let x = elements(x, x_layout)?;
        let (gamma, beta) = (elements(gamma, gamma_layout)?, elements(beta, beta_layout)?);
        if gamma.len() != channels || beta.len() != channels {
            bail!("batch norm of {channels} channels by {} and {}", gamma.len(), beta.len());
        }
        let count = x.len() / channels;
        let told: Vec<Statistics> = (0..channels)
            .into_par_iter()
            .map(|channel| {
                let planes = planes(x, channels, size, channel);
                let centre = mean(planes.clone().map(sum), count);
                let square = |x: f32, _| (x - centre) * (x - centre);
                let variance = mean(planes.map(|plane| sum_of(plane, plane, square)), count);
                Statistics { mean: centre, variance }
            })
            .collect();
        let mut y = vec![0.0; x.len()];
        y.par_chunks_mut(size).zip(x.par_chunks(size)).enumerate().for_each(|(plane, (y, x))| {
            let channel = plane % channels;
            let Statistics { mean, variance } = told[channel];
            let scale = gamma[channel] / (variance + self.epsilon).sqrt();
            for (y, x) in y.iter_mut().zip(x) {
                *y = (x - mean) * scale + beta[channel];
            }
        });
        // The operation runs once; should it not, the first run's statistics are the same.
        let _ = self.told.set(told);
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
        let (channels, size) = sizes(x.shape())?;
        let Some(told) = self.told.get() else { bail!("batch norm went backward before forward") };
        let (dx, sums) = with([x, gamma, dy], |[x, gamma, dy]| {
            // Of each channel: the sums of dy and of dy x̂.
            let sums: Vec<(f64, f64)> = (0..channels)
                .into_par_iter()
                .map(|channel| {
                    let Statistics { mean, variance } = told[channel];
                    let scale = 1.0 / (variance + self.epsilon).sqrt();
                    let pairs =
                        planes(x, channels, size, channel).zip(planes(dy, channels, size, channel));
                    pairs.fold((0.0, 0.0), |(plain, normed), (x, dy)| {
                        let product = sum_of(x, dy, |x, dy| dy * (x - mean) * scale);
                        (plain + f64::from(sum(dy)), normed + f64::from(product))
                    })
                })
                .collect();
            let count = (x.len() / channels) as f64;
            let mut dx = vec![0.0; x.len()];
            let parts = dx.par_chunks_mut(size).zip(x.par_chunks(size)).zip(dy.par_chunks(size));
            parts.enumerate().for_each(|(plane, ((dx, x), dy))| {
                let channel = plane % channels;
                let Statistics { mean, variance } = told[channel];
                let scale = 1.0 / (variance + self.epsilon).sqrt();
                let plain = (sums[channel].0 / count) as f32;
                let normed = (sums[channel].1 / count) as f32;
                for ((dx, x), dy) in dx.iter_mut().zip(x).zip(dy) {
                    let x = (x - mean) * scale;
                    *dx = gamma[channel] * scale * (dy - plain - x * normed);
                }
            });
            (dx, sums)
        })?;
        let column = |f: fn(&(f64, f64)) -> f64| sums.iter().map(|sums| f(sums) as f32).collect();
        Ok((
            Some(tensor(dx, x.shape())?),
            Some(tensor(column(|sums| sums.1), gamma.shape())?),
            Some(tensor(column(|sums| sums.0), beta.shape())?),
        ))
    }
}
