//! Convolution of each channel with a kernel of its own: there is no product to hide in, and memory sets
//! the pace, so that plain sums over neighbouring channels do.

use std::ops::Range;

use super::{LANES, for_each_isa};

/// One row of outputs, and what it looks at.
pub(in crate::encode) struct Line<'a> {
    /// Rows of the input, one under each tap that is not on padding; its place in a row is its column
    /// times the channels.
    pub rows: &'a [&'a [f32]],
    /// The number of the first of these taps.
    pub first_tap: usize,
    /// For each output its taps along the row that are not on padding, and the column under the first.
    pub columns: &'a [(Range<usize>, usize)],
    /// Taps along the row, counting all.
    pub kernel: usize,
    pub low: f32,
    pub high: f32,
}

for_each_isa! {
    /// `out = high ∧ (low ∨ (bias + Σ weight x))`, place by place; `weight` has a row of all channels a tap.
    ///
    /// # Panics
    /// Where lengths do not go together.
    depthwise(line: &Line<'_>, weight: &[f32], bias: &[f32], out: &mut [f32]) runs depthwise_all
}

#[inline(always)]
fn depthwise_all(line: &Line<'_>, weight: &[f32], bias: &[f32], out: &mut [f32]) {
    let channels = bias.len();
    assert_eq!(out.len(), line.columns.len() * channels, "one place a column");
    for (out, (taps, column)) in out.chunks_exact_mut(channels).zip(line.columns) {
        let (chunks, tail) = out.as_chunks_mut::<LANES>();
        for (chunk, out) in chunks.iter_mut().enumerate() {
            let first = chunk * LANES;
            let mut sums = [0.0; LANES];
            sums.copy_from_slice(&bias[first..first + LANES]);
            for (tap_y, row) in line.rows.iter().enumerate() {
                let tap = (line.first_tap + tap_y) * line.kernel + taps.start;
                let x = &row[column * channels + first..];
                let w = &weight[tap * channels + first..];
                for tap_x in 0..taps.len() {
                    let x = &x[tap_x * channels..][..LANES];
                    let w = &w[tap_x * channels..][..LANES];
                    for lane in 0..LANES {
                        sums[lane] += w[lane] * x[lane];
                    }
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = sum.clamp(line.low, line.high);
            }
        }
        let first = chunks.len() * LANES;
        for (at, out) in tail.iter_mut().enumerate() {
            let mut sum = bias[first + at];
            for (tap_y, row) in line.rows.iter().enumerate() {
                for (tap_x, tap) in taps.clone().enumerate() {
                    let tap = (line.first_tap + tap_y) * line.kernel + tap;
                    sum += weight[tap * channels + first + at]
                        * row[(column + tap_x) * channels + first + at];
                }
            }
            *out = sum.clamp(line.low, line.high);
        }
    }
}
