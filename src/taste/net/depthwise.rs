//! Convolution of each channel with a kernel of its own, with its gradients.
//!
//! ```text
//! y_c = W_c * x_c + b_c        or        y_c = 0 ∨ (W_c * x_c + b_c) [∧ 6]
//! ```
//!
//! In: (pictures, channels, rows, columns) and PyTorch's layout of the weights, (channels, 1, k, k). A tap times a row of
//! the input is a run, which all three products walk alike. Threads share planes (`y`, `dx`) or channels (`dW`).

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::activation::Activation;
use super::conv::bias_gradient;
use super::gradients::told;
use super::values::{elements, stored, sum_of, tensor, with};
use crate::encode::image::Geometry;

/// `y_c = activation(W_c * x_c + b_c)`, with `W` of (channels, 1, k, k).
pub fn depthwise2d(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    geometry: Geometry,
    activation: Activation,
) -> Result<Tensor> {
    let op = Depthwise { geometry, activation };
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op)
}

struct Depthwise {
    geometry: Geometry,
    activation: Activation,
}

/// Outputs side by side that one tap reaches.
struct Run {
    tap: usize,
    /// The first one's place, and the place of the input under it.
    to: usize,
    from: usize,
    length: usize,
}

/// A plane's sizes, and its runs.
struct Plane {
    input: usize,
    output: (usize, usize),
    stride: usize,
    taps: usize,
    runs: Vec<Run>,
}

/// The outputs along an axis that a tap reaches, and the input under the first of them.
fn reach(geometry: Geometry, tap: usize, input: usize) -> (std::ops::Range<usize>, usize) {
    let (before, outputs) = geometry.along(input);
    let first = before.saturating_sub(tap).div_ceil(geometry.stride);
    let end = (input + before).saturating_sub(tap).div_ceil(geometry.stride).min(outputs);
    (first.min(end)..end, (first * geometry.stride + tap).saturating_sub(before))
}

impl Plane {
    fn new(geometry: Geometry, (rows, columns): (usize, usize)) -> Self {
        let (kernel, stride) = (geometry.kernel, geometry.stride);
        let output = (geometry.along(rows).1, geometry.along(columns).1);
        let mut runs = Vec::new();
        for tap in 0..kernel * kernel {
            let (down, top) = reach(geometry, tap / kernel, rows);
            let (across, left) = reach(geometry, tap % kernel, columns);
            for (row, to) in down.enumerate().filter(|_| !across.is_empty()) {
                runs.push(Run {
                    tap,
                    to: to * output.1 + across.start,
                    from: (top + row * stride) * columns + left,
                    length: across.len(),
                });
            }
        }
        Plane { input: rows * columns, output, stride, taps: kernel * kernel, runs }
    }

    fn outputs(&self) -> usize {
        self.output.0 * self.output.1
    }

    fn forward(&self, x: &[f32], weight: &[f32], y: &mut [f32]) {
        for run in &self.runs {
            let (w, x) = (weight[run.tap], &x[run.from..]);
            let y = &mut y[run.to..][..run.length];
            match self.stride {
                1 => y.iter_mut().zip(x).for_each(|(y, x)| *y += w * x),
                stride => y.iter_mut().zip(x.iter().step_by(stride)).for_each(|(y, x)| *y += w * x),
            }
        }
    }

    fn input_gradient(&self, dy: &[f32], weight: &[f32], dx: &mut [f32]) {
        for run in &self.runs {
            let (w, dx) = (weight[run.tap], &mut dx[run.from..]);
            let dy = &dy[run.to..][..run.length];
            match self.stride {
                1 => dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx += w * dy),
                stride => {
                    dx.iter_mut().step_by(stride).zip(dy).for_each(|(dx, dy)| *dx += w * dy);
                }
            }
        }
    }

    fn weight_gradient(&self, x: &[f32], dy: &[f32], dw: &mut [f64]) {
        for run in &self.runs {
            let (x, dy) = (&x[run.from..], &dy[run.to..][..run.length]);
            let sum = match self.stride {
                1 => sum_of(&x[..run.length], dy, |x, dy| x * dy),
                stride => x.iter().step_by(stride).zip(dy).map(|(x, dy)| x * dy).sum(),
            };
            dw[run.tap] += f64::from(sum);
        }
    }
}

impl Depthwise {
    /// Channels, and what their planes are like.
    fn plane(&self, x: &Shape, weight: &Shape, bias: &Shape) -> Result<(usize, Plane)> {
        let (_, channels, rows, columns) = x.dims4()?;
        let kernel = self.geometry.kernel;
        if weight.dims() != [channels, 1, kernel, kernel] || bias.dims() != [channels] {
            bail!("a depthwise {kernel}x{kernel} convolution of {x:?} by {weight:?}, {bias:?}");
        }
        let plane = Plane::new(self.geometry, (rows, columns));
        if x.elem_count() * self.geometry.stride == 0 || plane.runs.is_empty() {
            bail!("a depthwise {kernel}x{kernel} convolution has no output on {x:?}");
        }
        Ok((channels, plane))
    }
}

impl CustomOp3 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise convolution"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (channels, plane) =
            self.plane(x_layout.shape(), weight_layout.shape(), bias_layout.shape())?;
        let (x, weight) = (elements(x, x_layout)?, elements(weight, weight_layout)?);
        let bias = elements(bias, bias_layout)?;
        let mut y = vec![0.0; x.len() / plane.input * plane.outputs()];
        let planes = y.par_chunks_mut(plane.outputs()).zip(x.par_chunks(plane.input));
        planes.enumerate().for_each(|(number, (y, x))| {
            let channel = number % channels;
            plane.forward(x, &weight[channel * plane.taps..], y);
            self.activation.apply(y, bias[channel]);
        });
        let (rows, columns) = plane.output;
        Ok(stored(y, (x_layout.dims()[0], channels, rows, columns)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (channels, plane) = self.plane(x.shape(), weight.shape(), bias.shape())?;
        let dz = with([y, dy], |[y, dy]| self.activation.gradient(y, dy))?;
        let size = plane.outputs();
        let dx = x.track_op().then(|| {
            let dx = with([weight], |[weight]| {
                let mut dx = vec![0.0; x.elem_count()];
                let planes = dx.par_chunks_mut(plane.input).zip(dz.par_chunks(size));
                planes.enumerate().for_each(|(number, (dx, dz))| {
                    plane.input_gradient(dz, &weight[number % channels * plane.taps..], dx);
                });
                dx
            });
            tensor(dx?, x.shape())
        });
        let dw = weight.track_op().then(|| {
            let dw = with([x], |[x]| {
                let of = |channel: usize| {
                    let mut dw = vec![0f64; plane.taps];
                    let planes = x.chunks_exact(plane.input).zip(dz.chunks_exact(size));
                    let own = planes.skip(channel).step_by(channels);
                    own.for_each(|(x, dz)| plane.weight_gradient(x, dz, &mut dw));
                    dw.into_iter().map(|dw| dw as f32)
                };
                let all: Vec<_> = (0..channels).into_par_iter().map(of).collect();
                all.into_iter().flatten().collect()
            });
            told(weight, dw?)
        });
        let db = bias.track_op().then(|| told(bias, bias_gradient(&dz, channels, size)));
        Ok((dx.transpose()?, dw.transpose()?.flatten(), db.transpose()?.flatten()))
    }
}
