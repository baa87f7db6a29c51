//! How much of one picture's structure another keeps (SSIM), with its gradient.
//!
//! ```text
//! S = (2 μx μy + C1) (2 σxy + C2) / ((μx² + μy² + C1) (σx² + σy² + C2))       over windows of 7 x 7
//! dS/dy_p = 2/49 [ A1/D x_p - S/B2 y_p + (μx (A2 - A1) - μy (B2 - B1) S) / D ],   D = B1 B2
//! ```
//!
//! `A1 A2 / (B1 B2)` names the four factors of S in their order. Values are from 0 to 1, C1 = .01² and C2 =
//! .03²; windows count alike, lie wholly within the picture, and variances are divided by 49: Wang's index
//! as scikit-image computes it over uniform windows without its sample correction.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::taste::net::values::{elements, stored, tensor, with};

const WINDOW: usize = 7;
const COUNT: f64 = (WINDOW * WINDOW) as f64;
const C1: f64 = 0.01 * 0.01;
const C2: f64 = 0.03 * 0.03;

/// The mean SSIM of each channel of each picture: (pictures, channels, rows, columns) twice make (pictures, channels).
/// The second are those that are learned; no gradient flows into the first.
pub fn structure(true_ones: &Tensor, made: &Tensor) -> Result<Tensor> {
    true_ones.contiguous()?.apply_op2(&made.contiguous()?, Structure)
}

struct Structure;

/// The sums of all windows of a plane: rows of the windows' left upper corners.
fn windows(plane: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let wide = columns + 1 - WINDOW;
    let mut across = Vec::with_capacity(rows * wide);
    for row in plane.chunks_exact(columns) {
        across.extend(row.windows(WINDOW).map(|window| window.iter().sum::<f64>()));
    }
    let mut sums = vec![0.0; (rows + 1 - WINDOW) * wide];
    for (top, sums) in sums.chunks_exact_mut(wide).enumerate() {
        for row in across[top * wide..].chunks_exact(wide).take(WINDOW) {
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
    }
    sums
}

/// The other way round: for each pixel the sum over the windows that it is in.
fn under(windows: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let wide = columns + 1 - WINDOW;
    let mut down = vec![0.0; rows * wide];
    for (top, row) in windows.chunks_exact(wide).enumerate() {
        for below in down[top * wide..].chunks_exact_mut(wide).take(WINDOW) {
            below.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
    }
    let mut sums = vec![0.0; rows * columns];
    for (sums, row) in sums.chunks_exact_mut(columns).zip(down.chunks_exact(wide)) {
        for (left, x) in row.iter().enumerate() {
            sums[left..left + WINDOW].iter_mut().for_each(|sum| *sum += x);
        }
    }
    sums
}

/// What is known of a window.
struct Parts {
    ux: f64,
    uy: f64,
    a: (f64, f64),
    b: (f64, f64),
}

impl Parts {
    fn index(&self) -> f64 {
        self.a.0 * self.a.1 / (self.b.0 * self.b.1)
    }
}

/// The windows of two planes.
fn parts(x: &[f64], y: &[f64], rows: usize, columns: usize) -> Vec<Parts> {
    let mean = |values: Vec<f64>| {
        let mut sums = windows(&values, rows, columns);
        sums.iter_mut().for_each(|sum| *sum /= COUNT);
        sums
    };
    let of = |f: fn(f64, f64) -> f64| mean(x.iter().zip(y).map(|(&x, &y)| f(x, y)).collect());
    let (ux, uy) = (of(|x, _| x), of(|_, y| y));
    let (xx, yy, xy) = (of(|x, _| x * x), of(|_, y| y * y), of(|x, y| x * y));
    let part = |n: usize| {
        let (ux, uy) = (ux[n], uy[n]);
        let (vx, vy, vxy) = (xx[n] - ux * ux, yy[n] - uy * uy, xy[n] - ux * uy);
        let a = (2.0 * ux * uy + C1, 2.0 * vxy + C2);
        Parts { ux, uy, a, b: (ux * ux + uy * uy + C1, vx + vy + C2) }
    };
    (0..ux.len()).map(part).collect()
}

/// The gradient of the mean over the windows with respect to `y`.
fn slopes(x: &[f64], y: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let parts = parts(x, y, rows, columns);
    let sums = |f: &dyn Fn(&Parts) -> f64| {
        let all: Vec<f64> = parts.iter().map(f).collect();
        under(&all, rows, columns)
    };
    let of_x = sums(&|p| p.a.0 / (p.b.0 * p.b.1));
    let of_y = sums(&|p| p.index() / p.b.1);
    let plain =
        sums(&|p| (p.ux * (p.a.1 - p.a.0) - p.uy * (p.b.1 - p.b.0) * p.index()) / (p.b.0 * p.b.1));
    let scale = 2.0 / (COUNT * parts.len() as f64);
    (0..y.len()).map(|n| scale * (of_x[n] * x[n] - of_y[n] * y[n] + plain[n])).collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

impl CustomOp2 for Structure {
    fn name(&self) -> &'static str {
        "structural similarity"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        y: &CpuStorage,
        y_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (pictures, channels, rows, columns) = x_layout.shape().dims4()?;
        if x_layout.shape() != y_layout.shape() || rows.min(columns) < WINDOW {
            bail!(
                "{:?} compared with {:?} by windows of 7 x 7",
                x_layout.shape(),
                y_layout.shape()
            );
        }
        let plane = rows * columns;
        let (x, y) = (elements(x, x_layout)?, elements(y, y_layout)?);
        let index = |(x, y): (&[f32], &[f32])| {
            let parts = parts(&wide(x), &wide(y), rows, columns);
            (parts.iter().map(Parts::index).sum::<f64>() / parts.len() as f64) as f32
        };
        let found = x.par_chunks_exact(plane).zip(y.par_chunks_exact(plane)).map(index).collect();
        Ok(stored(found, (pictures, channels)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        y: &Tensor,
        _: &Tensor,
        ds: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (_, _, rows, columns) = x.dims4()?;
        let plane = rows * columns;
        let dy = with([x, y, ds], |[x, y, ds]| {
            let mut dy = vec![0.0; y.len()];
            let planes = x.par_chunks_exact(plane).zip(y.par_chunks_exact(plane)).zip(ds);
            dy.par_chunks_exact_mut(plane).zip(planes).for_each(|(dy, ((x, y), ds))| {
                let slopes = slopes(&wide(x), &wide(y), rows, columns);
                dy.iter_mut().zip(slopes).for_each(|(dy, slope)| *dy = slope as f32 * ds);
            });
            dy
        })?;
        Ok((None, Some(tensor(dy, y.shape())?)))
    }
}
