//! Resizing as the Python imaging library (PIL) does it, bit for bit on 8-bit RGB.
//!
//! Flowing in: a picture, the size to give it, and the window of the result that is wanted. Flowing
//! out: that window; rows and columns outside it are never computed. The networks were trained behind
//! this filter, so an embedding is only as faithful as its pixels.
//!
//! Along each axis, output pixel `o` is the weighted mean of the input pixels around its own centre
//! `c = (o + 1/2) r`, with `r` the ratio of input to output size:
//!
//! ```text
//! weight(i) = f((i + 1/2 - c) / max(r, 1)),  normalised to sum 1
//! ```
//!
//! so that the filter `f` widens with the ratio when shrinking. The weights are rounded to 22-bit fixed
//! point; columns are filtered first, rounded to 8 bits, then rows.

use std::ops::Range;

use image::RgbImage;

use crate::encode::kernels::{Isa, PIXELS, PRECISION, Pixel, Weights, weigh_pixels, weigh_rows};

/// The filter `f` of the module's equation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// The triangle: `1 - |x|` within 1.
    Bilinear,
    /// Keys' cubic with `a = -1/2`, within 2.
    Bicubic,
}

impl Filter {
    /// How far from its centre the filter reaches.
    fn support(self) -> f64 {
        match self {
            Filter::Bilinear => 1.0,
            Filter::Bicubic => 2.0,
        }
    }

    fn at(self, x: f64) -> f64 {
        let x = x.abs();
        match self {
            Filter::Bilinear if x < 1.0 => 1.0 - x,
            Filter::Bicubic if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            Filter::Bicubic if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
            _ => 0.0,
        }
    }
}

/// The part of a resized picture that is wanted: `side` by `side` pixels from `(left, top)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) side: usize,
}

/// Resizes the picture to `width` by `height` and returns the window of it, row by row, as RGB bytes.
pub(super) fn resize(
    picture: &RgbImage,
    size: (usize, usize),
    filter: Filter,
    window: Window,
) -> Vec<u8> {
    resize_with(Isa::best(), picture, size, filter, window)
}

fn resize_with(
    isa: Isa,
    picture: &RgbImage,
    (width, height): (usize, usize),
    filter: Filter,
    window: Window,
) -> Vec<u8> {
    let (columns, rows) = (picture.width() as usize, picture.height() as usize);
    let Window { left, top, side } = window;
    let across = Taps::new(filter, columns, width, left..left + side);
    let down = Taps::new(filter, rows, height, top..top + side);
    let needed = down.reach();
    let narrow = filter_columns(isa, picture.as_raw(), columns, needed.clone(), &across);
    filter_rows(isa, &narrow, side * 3, needed.start, &down)
}

/// Filters the rows in `needed` along x.
fn filter_columns(
    isa: Isa,
    bytes: &[u8],
    columns: usize,
    needed: Range<usize>,
    across: &Taps,
) -> Vec<u8> {
    let (spans, weights) = across.by_pixels();
    let mut narrow = vec![0; needed.len() * spans.len() * 3];
    let mut pixels: Vec<Pixel> = vec![[0; 4]; columns + PIXELS - 1];
    let rows = bytes[needed.start * columns * 3..].chunks_exact(columns * 3);
    for (row, out) in rows.zip(narrow.chunks_exact_mut(spans.len() * 3)) {
        for (pixel, bytes) in pixels.iter_mut().zip(row.as_chunks::<3>().0) {
            pixel[..3].copy_from_slice(bytes);
        }
        weigh_pixels(isa, &pixels, &spans, &weights, out);
    }
    narrow
}

/// Filters along y; the first row of `narrow` is the picture's row `first`.
fn filter_rows(isa: Isa, narrow: &[u8], stride: usize, first: usize, down: &Taps) -> Vec<u8> {
    let mut window = vec![0; down.spans.len() * stride];
    for ((start, weights), out) in down.iter().zip(window.chunks_exact_mut(stride)) {
        weigh_rows(isa, &narrow[(start - first) * stride..], stride, weights, out);
    }
    window
}

/// Which input pixels make each output pixel of one axis, and by how much.
struct Taps {
    /// For each output pixel: its first input pixel, and where its weights lie.
    spans: Vec<(usize, Range<usize>)>,
    weights: Vec<i32>,
}

impl Taps {
    fn new(filter: Filter, input: usize, output: usize, wanted: Range<usize>) -> Self {
        let ratio = input as f64 / output as f64;
        let widening = ratio.max(1.0);
        let support = filter.support() * widening;
        let mut taps = Taps { spans: Vec::with_capacity(wanted.len()), weights: Vec::new() };
        let mut exact = Vec::new();
        for at in wanted {
            let centre = (at as f64 + 0.5) * ratio;
            let start = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(input);
            exact.clear();
            exact.extend(
                // The order of these operations decides the last bit.
                (start..end).map(|i| filter.at((i as f64 - centre + 0.5) * (1.0 / widening))),
            );
            let sum: f64 = exact.iter().sum();
            let first = taps.weights.len();
            taps.weights.extend(exact.iter().map(|&weight| fixed(weight / sum)));
            taps.spans.push((start, first..taps.weights.len()));
        }
        taps
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.spans.iter().map(|(start, range)| (*start, &self.weights[range.clone()]))
    }

    /// For each output pixel its first input pixel and its weights, those of several pixels together.
    fn by_pixels(&self) -> (Vec<(usize, Range<usize>)>, Vec<Weights>) {
        let mut together = Vec::new();
        let spans = self.iter().map(|(start, weights)| {
            let first = together.len();
            together.extend(weights.chunks(PIXELS).map(|weights| -> Weights {
                std::array::from_fn(|lane| weights.get(lane / 4).copied().unwrap_or(0))
            }));
            (start, first..together.len())
        });
        (spans.collect(), together)
    }

    /// The input pixels that any output pixel needs.
    fn reach(&self) -> Range<usize> {
        let start = self.spans.iter().map(|(start, _)| *start).min().unwrap_or(0);
        let end = self.spans.iter().map(|(start, range)| start + range.len()).max().unwrap_or(0);
        start..end
    }
}

/// Rounds to fixed point, halves away from zero.
fn fixed(weight: f64) -> i32 {
    let scaled = weight * f64::from(1 << PRECISION);
    (if weight < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::image::seeded::picture;

    /// The module's equation in 64 bits, pixel by pixel.
    fn plain(picture: &RgbImage, (width, height): (usize, usize), filter: Filter) -> Vec<u8> {
        let (columns, rows) = (picture.width() as usize, picture.height() as usize);
        let across = Taps::new(filter, columns, width, 0..width);
        let down = Taps::new(filter, rows, height, 0..height);
        let mean = |terms: &mut dyn Iterator<Item = (u8, i32)>| {
            let sum: i64 = terms.map(|(value, weight)| i64::from(value) * i64::from(weight)).sum();
            ((sum + (1 << (PRECISION - 1))) >> PRECISION).clamp(0, 255) as u8
        };
        let narrow = |row: usize, (start, weights): (usize, &[i32]), channel: usize| {
            let value = |(n, &weight): (usize, &i32)| {
                (picture.get_pixel((start + n) as u32, row as u32)[channel], weight)
            };
            mean(&mut weights.iter().enumerate().map(value))
        };
        let mut out = Vec::new();
        for (start, weights) in down.iter() {
            for span in across.iter() {
                for channel in 0..3 {
                    let value = |(n, &weight)| (narrow(start + n, span, channel), weight);
                    out.push(mean(&mut weights.iter().enumerate().map(value)));
                }
            }
        }
        out
    }

    #[test]
    fn every_instruction_set_makes_the_bytes_of_the_plain_sum() {
        for ((columns, rows), side) in [((61, 47), 13), ((9, 90), 22), ((5, 3), 8), ((1, 1), 3)] {
            let picture = picture(columns, rows, 7);
            for filter in [Filter::Bilinear, Filter::Bicubic] {
                let theirs = plain(&picture, (side, side), filter);
                for isa in Isa::available() {
                    let whole = Window { left: 0, top: 0, side };
                    let ours = resize_with(isa, &picture, (side, side), filter, whole);
                    assert_eq!(ours, theirs, "{columns} x {rows} to {side}, {filter:?}, {isa:?}");
                }
            }
        }
    }
}
