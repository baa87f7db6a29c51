//! Pooling of any size, stride and padding, with its gradient.
//!
//! ```text
//! y = max x   or   y = mean x   over the window of each output
//! ```
//!
//! In: (pictures, channels, rows, columns). Padding is never part of a window: it is no maximum, and no
//! mean counts it. The first of several equal maxima gets the gradient, as in PyTorch.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::values::{elements, stored, tensor, with};
use crate::encode::image::Geometry;

/// What is made of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// Its largest value.
    Max,
    /// Its mean.
    Mean,
}

/// Which windows there are.
#[derive(Debug, Clone, Copy)]
pub enum Windows {
    /// As a convolution of this geometry has them.
    Sliding(Geometry),
    /// As many rows, and as many columns, as said, which cover the input evenly ("adaptive").
    Even(usize),
}

impl Windows {
    /// The windows along an axis.
    pub(super) fn along(self, input: usize) -> Vec<Range<usize>> {
        match self {
            Windows::Sliding(geometry) => {
                let (before, outputs) = geometry.along(input);
                let window = |output: usize| {
                    let start = output * geometry.stride;
                    let end = (start + geometry.kernel).saturating_sub(before).min(input);
                    start.saturating_sub(before).min(end)..end
                };
                (0..outputs).map(window).collect()
            }
            Windows::Even(outputs) => (0..outputs)
                .map(|output| output * input / outputs..((output + 1) * input).div_ceil(outputs))
                .collect(),
        }
    }
}

/// Pools each channel.
pub fn pool2d(x: &Tensor, pooling: Pooling, windows: Windows) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Pool { pooling, windows })
}

struct Pool {
    pooling: Pooling,
    windows: Windows,
}

/// The windows of each row and of each column of outputs.
type Axes = (Vec<Range<usize>>, Vec<Range<usize>>);

impl Pool {
    fn axes(&self, shape: &Shape) -> Result<Axes> {
        let (_, _, rows, columns) = shape.dims4()?;
        let axes = (self.windows.along(rows), self.windows.along(columns));
        let empty = |axis: &[Range<usize>]| axis.is_empty() || axis.iter().any(Range::is_empty);
        if empty(&axes.0) || empty(&axes.1) {
            bail!("{:?} leaves a window without input on {shape:?}", self.windows);
        }
        Ok(axes)
    }
}

/// The place of the largest value of a window; what is not a number is larger than all.
fn largest(plane: &[f32], columns: usize, rows: &Range<usize>, window: &Range<usize>) -> usize {
    let mut best = rows.start * columns + window.start;
    for row in rows.clone() {
        for place in row * columns + window.start..row * columns + window.end {
            if plane[place] > plane[best] || plane[place].is_nan() {
                best = place;
            }
        }
    }
    best
}

impl CustomOp1 for Pool {
    fn name(&self) -> &'static str {
        "pooling"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (pictures, channels, rows, columns) = layout.shape().dims4()?;
        let (down, across) = self.axes(layout.shape())?;
        let x = elements(x, layout)?;
        let size = down.len() * across.len();
        let mut y = vec![0.0; pictures * channels * size];
        y.par_chunks_mut(size).zip(x.par_chunks(rows * columns)).for_each(|(y, x)| {
            for (y, rows) in y.chunks_exact_mut(across.len()).zip(&down) {
                for (y, window) in y.iter_mut().zip(&across) {
                    *y = match self.pooling {
                        Pooling::Max => x[largest(x, columns, rows, window)],
                        Pooling::Mean => {
                            let row = |row: usize| &x[row * columns..][window.clone()];
                            let sum: f32 = rows.clone().flat_map(row).sum();
                            sum / (rows.len() * window.len()) as f32
                        }
                    };
                }
            }
        });
        Ok(stored(y, (pictures, channels, down.len(), across.len())))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let (_, _, rows, columns) = x.dims4()?;
        let (down, across) = self.axes(x.shape())?;
        let size = down.len() * across.len();
        let dx = with([x, dy], |[x, dy]| {
            let mut dx = vec![0.0; x.len()];
            let planes = dx.par_chunks_mut(rows * columns).zip(x.par_chunks(rows * columns));
            planes.zip(dy.par_chunks(size)).for_each(|((dx, x), dy)| {
                for (dy, rows) in dy.chunks_exact(across.len()).zip(&down) {
                    for (dy, window) in dy.iter().zip(&across) {
                        match self.pooling {
                            Pooling::Max => dx[largest(x, columns, rows, window)] += dy,
                            Pooling::Mean => {
                                let share = dy / (rows.len() * window.len()) as f32;
                                for row in rows.clone() {
                                    dx[row * columns..][window.clone()]
                                        .iter_mut()
                                        .for_each(|dx| *dx += share);
                                }
                            }
                        }
                    }
                }
            });
            dx
        })?;
        Ok(Some(tensor(dx, x.shape())?))
    }
}
