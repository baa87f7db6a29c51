//! The three products of a convolution, blocked so that nothing unfolded leaves the caches.
//!
//! ```text
//! forward    y  = W unfold(x)            backward   dx = fold(Wᵀ dy),   dW = dy unfold(x)ᵀ
//! ```
//!
//! `W` has a row for each output channel and a column for each tap; `unfold` is [`Unfold`]'s. A
//! transposed convolution is the same three with `x` and `y` changing places.
//!
//! Threads share pictures (`y`, `dx`) or taps (`dW`), and every sum runs in an order that depends on the
//! shapes alone: any number of threads makes the same bytes.

use rayon::prelude::*;

use super::unfold::{Run, Unfold};
use crate::encode::kernels::{Isa, Lanes, Matrix, Onto, Rows, lay_out, multiply_panels, transpose};

/// Outputs of a block.
const WIDE: usize = 128;

/// Taps of a block of `y`, and outputs of a block of `dW`: the length of one sum.
const DEEP: usize = 512;

/// Taps of a block of `dx` and `dW`.
const HIGH: usize = 96;

/// Pictures that one thread takes at a time.
fn pictures_a_part(unfold: &Unfold) -> usize {
    (2 * WIDE).div_ceil(unfold.on_grid())
}

/// `y = W unfold(x)`; `finish` gets every finished piece of a channel, with the channel's number.
pub(super) fn forward(
    unfold: &Unfold,
    weight: &[f32],
    x: &[f32],
    finish: impl Fn(usize, &mut [f32]) + Sync,
) -> Vec<f32> {
    let (taps, outputs, grid) = (unfold.taps(), unfold.outputs(), unfold.on_grid());
    let channels = weight.len() / taps;
    let pictures = x.len() / unfold.inputs();
    let part = pictures_a_part(unfold);
    let mut y = vec![0.0; pictures * channels * outputs];
    y.par_chunks_mut(part * channels * outputs).zip(x.par_chunks(part * unfold.inputs())).for_each(
        |(y, x)| {
            let padded = unfold.pad(x);
            let mut panels = Vec::new();
            let mut sums = vec![0.0; channels * WIDE];
            let mut wide = match grid == outputs {
                true => Vec::new(),
                false => vec![0.0; y.len() / outputs * grid],
            };
            let own = if grid == outputs { &mut *y } else { &mut wide[..] };
            for start in (0..own.len() / channels).step_by(WIDE) {
                let count = WIDE.min(own.len() / channels - start);
                let runs = unfold.runs(start..start + count);
                for first in (0..taps).step_by(DEEP) {
                    let deep = DEEP.min(taps - first);
                    unfold.to_panels(&padded, first..first + deep, &runs, count, &mut panels);
                    let rows = Rows::new(&weight[first..], taps, channels, deep);
                    let onto = if first == 0 { Onto::Nothing } else { Onto::Sum };
                    multiply_panels(Isa::best(), rows, &panels, count, onto, &mut sums, WIDE);
                }
                each_piece(channels, grid, start, count, |channel, at, place, length| {
                    let piece = &mut own[place..][..length];
                    piece.copy_from_slice(&sums[channel * WIDE + at..][..length]);
                    finish(channel, piece);
                });
            }
            if grid != outputs {
                unfold.off_grid(&wide, y);
            }
        },
    );
    y
}

/// `dx = fold(Wᵀ dy)`.
pub(super) fn input_gradient(unfold: &Unfold, weight: &[f32], dy: &[f32]) -> Vec<f32> {
    let (taps, outputs, grid) = (unfold.taps(), unfold.outputs(), unfold.on_grid());
    let channels = weight.len() / taps;
    let pictures = dy.len() / (channels * outputs);
    let part = pictures_a_part(unfold);
    let mut turned = Vec::new();
    transpose(Matrix::new(weight, channels, taps).transposed(), &mut turned);
    let mut dx = vec![0.0; pictures * unfold.inputs()];
    dx.par_chunks_mut(part * unfold.inputs())
        .zip(dy.par_chunks(part * channels * outputs))
        .for_each(|(dx, dy)| {
            let dy = unfold.to_grid(dy);
            let mut padded = vec![0.0; dx.len() / unfold.inputs() * unfold.padded()];
            let mut panels = Vec::new();
            let mut sums = vec![0.0; HIGH * WIDE];
            for start in (0..dy.len() / channels).step_by(WIDE) {
                let count = WIDE.min(dy.len() / channels - start);
                let runs = unfold.runs(start..start + count);
                panels.clear();
                panels.resize(count.div_ceil(Lanes::default().len()) * channels, Lanes::default());
                each_piece(channels, grid, start, count, |channel, at, place, length| {
                    scatter(&dy[place..][..length], at, &mut panels, channels, channel);
                });
                for first in (0..taps).step_by(HIGH) {
                    let high = HIGH.min(taps - first);
                    let rows = Rows::new(&turned[first * channels..], channels, high, channels);
                    let isa = Isa::best();
                    multiply_panels(isa, rows, &panels, count, Onto::Nothing, &mut sums, WIDE);
                    unfold.add_rows(&sums, WIDE, first..first + high, &runs, &mut padded);
                }
            }
            unfold.unpad(&padded, dx);
        });
    dx
}

/// `dW = dy unfold(x)ᵀ`.
pub(super) fn weight_gradient(unfold: &Unfold, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let (taps, outputs) = (unfold.taps(), unfold.on_grid());
    let pictures = x.len() / unfold.inputs();
    let channels = dy.len() / (pictures * unfold.outputs());
    let dy = unfold.to_grid(dy);
    let padded = unfold.pad(x);
    let blocks: Vec<(Vec<Run>, Vec<Lanes>, usize)> = (0..pictures * outputs)
        .into_par_iter()
        .step_by(DEEP)
        .map(|start| {
            let count = DEEP.min(pictures * outputs - start);
            let mut rows = vec![0.0; channels * count];
            each_piece(channels, outputs, start, count, |channel, at, place, length| {
                rows[channel * count + at..][..length].copy_from_slice(&dy[place..][..length]);
            });
            let mut panels = Vec::new();
            lay_out(Matrix::new(&rows, channels, count).transposed(), &mut panels);
            (unfold.runs(start..start + count), panels, count)
        })
        .collect();
    let mut turned = vec![0.0; taps * channels];
    turned.par_chunks_mut(HIGH * channels).enumerate().for_each(|(part, turned)| {
        let first = part * HIGH;
        let high = turned.len() / channels;
        let mut rows = vec![0.0; high * DEEP];
        for (runs, panels, count) in &blocks {
            unfold.to_rows(&padded, first..first + high, runs, &mut rows, DEEP);
            let rows = Rows::new(&rows, DEEP, high, *count);
            multiply_panels(Isa::best(), rows, panels, channels, Onto::Sum, turned, channels);
        }
    });
    let mut gradient = Vec::new();
    transpose(Matrix::new(&turned, taps, channels).transposed(), &mut gradient);
    gradient
}

/// For each channel, and each picture that some outputs, counted through all pictures, belong to: the
/// channel, the piece's place in the block, its place among all outputs of all channels, its length.
fn each_piece(
    channels: usize,
    outputs: usize,
    start: usize,
    count: usize,
    mut f: impl FnMut(usize, usize, usize, usize),
) {
    let mut at = 0;
    while at < count {
        let (picture, place) = ((start + at) / outputs, (start + at) % outputs);
        let length = (outputs - place).min(count - at);
        for channel in 0..channels {
            f(channel, at, (picture * channels + channel) * outputs + place, length);
        }
        at += length;
    }
}

/// Writes values into the lanes from `at` on, as input number `input` of panels of `inputs`.
fn scatter(values: &[f32], at: usize, panels: &mut [Lanes], inputs: usize, input: usize) {
    let wide = Lanes::default().len();
    let (mut done, mut at) = (0, at);
    while done < values.len() {
        let length = (values.len() - done).min(wide - at % wide);
        panels[at / wide * inputs + input][at % wide..][..length]
            .copy_from_slice(&values[done..][..length]);
        (done, at) = (done + length, at + length);
    }
}
