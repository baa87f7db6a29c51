//! Weighted means of bytes in fixed point: the two passes of resizing a picture.
//!
//! All sums are of integers, so that every instruction set makes the same bytes.

use std::ops::Range;

use super::{LANES, for_each_isa};

/// Bits of a weight after the point: 32 less 8 for the byte and 2 for the overshoot of a cubic filter.
pub(in crate::encode) const PRECISION: u32 = 22;
const HALF: i32 = 1 << (PRECISION - 1);

/// A pixel's red, green and blue, and a byte that does not count.
pub(in crate::encode) type Pixel = [u8; 4];

/// Pixels that go through a loop side by side.
pub(in crate::encode) const PIXELS: usize = LANES / 4;

/// The weights of so many pixels, each four times, as the pixels' bytes lie.
pub(in crate::encode) type Weights = [i32; LANES];

/// For each output its first input, and where its weights lie.
pub(in crate::encode) type Spans = [(usize, Range<usize>)];

for_each_isa! {
    /// Each output pixel, three bytes, from its span of a row. Spans end in weights of zero, so the row ends in
    /// at least `PIXELS - 1` pixels of padding.
    ///
    /// # Panics
    /// Where a span leaves the row or the weights.
    weigh_pixels(row: &[Pixel], spans: &Spans, weights: &[Weights], out: &mut [u8]) runs pixels_all
}

for_each_isa! {
    /// `out = Σ weight row`, byte by byte; each row one `stride` after the one before.
    ///
    /// # Panics
    /// Where there are fewer rows than weights.
    weigh_rows(rows: &[u8], stride: usize, weights: &[i32], out: &mut [u8]) runs rows_all
}

#[inline(always)]
fn pixels_all(row: &[Pixel], spans: &Spans, weights: &[Weights], out: &mut [u8]) {
    for (out, (start, span)) in out.chunks_exact_mut(3).zip(spans) {
        let weights = &weights[span.clone()];
        let pixels = &row[*start..][..weights.len() * PIXELS];
        let mut sums = [0; LANES];
        for (weights, pixels) in weights.iter().zip(pixels.as_chunks::<PIXELS>().0) {
            let bytes = pixels.as_flattened();
            for lane in 0..LANES {
                sums[lane] += i32::from(bytes[lane]) * weights[lane];
            }
        }
        let mut means = [HALF; 4];
        for pixel in sums.as_chunks::<4>().0 {
            for (mean, sum) in means.iter_mut().zip(pixel) {
                *mean += sum;
            }
        }
        out.copy_from_slice(&means.map(byte)[..3]);
    }
}

#[inline(always)]
fn rows_all(rows: &[u8], stride: usize, weights: &[i32], out: &mut [u8]) {
    assert!(out.len() <= stride && rows.len() >= stride * weights.len(), "a row a weight");
    let (chunks, tail) = out.as_chunks_mut::<LANES>();
    for (chunk, out) in chunks.iter_mut().enumerate() {
        let mut sums = [HALF; LANES];
        for (row, weight) in rows.chunks_exact(stride).zip(weights) {
            let bytes = &row[chunk * LANES..][..LANES];
            for lane in 0..LANES {
                sums[lane] += i32::from(bytes[lane]) * weight;
            }
        }
        *out = sums.map(byte);
    }
    let first = chunks.len() * LANES;
    for (at, out) in tail.iter_mut().enumerate() {
        let values = rows.chunks_exact(stride).zip(weights);
        *out =
            byte(values.fold(HALF, |sum, (row, weight)| sum + i32::from(row[first + at]) * weight));
    }
}

#[inline(always)]
fn byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}
