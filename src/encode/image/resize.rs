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

/// Bits after the point: 32 less 8 for the pixel and 2 for the overshoot of the cubic.
const PRECISION: u32 = 22;
const HALF: i32 = 1 << (PRECISION - 1);

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
    (width, height): (usize, usize),
    filter: Filter,
    window: Window,
) -> Vec<u8> {
    let (columns, rows) = (picture.width() as usize, picture.height() as usize);
    let Window { left, top, side } = window;
    let across = Taps::new(filter, columns, width, left..left + side);
    let down = Taps::new(filter, rows, height, top..top + side);
    let needed = down.reach();
    let narrow = filter_columns(picture.as_raw(), columns, needed.clone(), &across);
    filter_rows(&narrow, side * 3, needed.start, &down)
}

/// Filters the rows in `needed` along x.
fn filter_columns(pixels: &[u8], columns: usize, needed: Range<usize>, across: &Taps) -> Vec<u8> {
    let mut narrow = Vec::with_capacity(needed.len() * across.spans.len() * 3);
    for row in pixels[needed.start * columns * 3..needed.end * columns * 3].chunks(columns * 3) {
        for (start, weights) in across.iter() {
            let mut sums = [HALF; 3];
            for (pixel, weight) in row[start * 3..].chunks_exact(3).zip(weights) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(value) * weight;
                }
            }
            narrow.extend(sums.map(to_byte));
        }
    }
    narrow
}

/// Filters along y; the first row of `narrow` is the picture's row `first`.
fn filter_rows(narrow: &[u8], stride: usize, first: usize, down: &Taps) -> Vec<u8> {
    let mut window = Vec::with_capacity(down.spans.len() * stride);
    let mut sums = vec![0; stride];
    for (start, weights) in down.iter() {
        sums.fill(HALF);
        for (row, weight) in narrow[(start - first) * stride..].chunks_exact(stride).zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += i32::from(value) * weight;
            }
        }
        window.extend(sums.iter().map(|&sum| to_byte(sum)));
    }
    window
}

fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
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
