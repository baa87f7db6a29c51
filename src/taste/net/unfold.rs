//! Which input lies under which tap of which output: the copying that makes a convolution a product.
//!
//! In: pictures, channel by channel. Out: blocks of the matrix that has a row for each tap of the kernel
//! and a column for each output, never the whole of it; and back again, where blocks are added onto the
//! inputs that they came from.
//!
//! Pictures are padded first, so that no copy asks where the border is, and outputs that lie side by side
//! are copied together. Where a stride of 1 makes few channels, outputs are counted on a grid as wide as the padded
//! picture: all of a picture's then lie side by side, for the price of some sums at the ends of rows that nobody wants.
//! Of a map of 13 by 13 that goes by a 3x3 kernel to 16 channels, copying took as long as multiplying.

use std::borrow::Cow;
use std::ops::Range;

use crate::encode::image::Geometry;
use crate::encode::kernels::Lanes;

/// A convolution's geometry on inputs of a certain size.
#[derive(Debug, Clone)]
pub(super) struct Unfold {
    geometry: Geometry,
    channels: usize,
    /// Rows and columns, of the pictures, of the padded ones and of the outputs.
    input: (usize, usize),
    padded: (usize, usize),
    output: (usize, usize),
    /// Columns of the grid on which outputs are counted.
    pitch: usize,
    /// Zeros above and to the left.
    before: (usize, usize),
    /// Where each tap of the first output lies in the padded picture.
    taps: Vec<usize>,
}

/// Outputs side by side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// The first one's place in the block.
    at: usize,
    /// Its first tap's place among the padded pictures.
    from: usize,
    length: usize,
}

/// What sums that nobody wants may cost, in channels times columns: as much as shorter copies would.
const UNWANTED: usize = 256;

impl Unfold {
    /// Of pictures of so many channels and of this size, by so many kernels.
    pub fn new(geometry: Geometry, channels: usize, kernels: usize, input: (usize, usize)) -> Self {
        let (top, rows) = geometry.along(input.0);
        let (left, columns) = geometry.along(input.1);
        let span = |outputs: usize| (outputs - 1) * geometry.stride + geometry.kernel;
        let padded = (span(rows), span(columns));
        let taps = (0..channels).flat_map(|channel| {
            (0..geometry.kernel * geometry.kernel).map(move |tap| {
                let (y, x) = (tap / geometry.kernel, tap % geometry.kernel);
                (channel * padded.0 + y) * padded.1 + x
            })
        });
        let unwanted = kernels * (padded.1 - columns);
        let is_wide = geometry.stride == 1 && unwanted <= UNWANTED;
        Unfold {
            geometry,
            channels,
            input,
            padded,
            output: (rows, columns),
            pitch: if is_wide { padded.1 } else { columns },
            before: (top, left),
            taps: taps.collect(),
        }
    }

    /// Rows and columns of the pictures.
    pub fn input(&self) -> (usize, usize) {
        self.input
    }

    /// Rows and columns of the output.
    pub fn output(&self) -> (usize, usize) {
        self.output
    }

    /// Outputs of a picture, in each of its channels.
    pub fn outputs(&self) -> usize {
        self.output.0 * self.output.1
    }

    /// The same on the grid.
    pub fn on_grid(&self) -> usize {
        (self.output.0 - 1) * self.pitch + self.output.1
    }

    /// Brings planes of outputs onto the grid, zeros between the rows.
    pub fn to_grid<'a>(&self, planes: &'a [f32]) -> Cow<'a, [f32]> {
        if self.pitch == self.output.1 {
            return Cow::Borrowed(planes);
        }
        let mut grid = vec![0.0; planes.len() / self.outputs() * self.on_grid()];
        let both = grid.chunks_exact_mut(self.on_grid()).zip(planes.chunks_exact(self.outputs()));
        for (grid, plane) in both {
            for (to, from) in grid.chunks_mut(self.pitch).zip(plane.chunks_exact(self.output.1)) {
                to[..from.len()].copy_from_slice(from);
            }
        }
        Cow::Owned(grid)
    }

    /// Takes planes of outputs off the grid.
    pub fn off_grid(&self, grid: &[f32], planes: &mut [f32]) {
        let both = planes.chunks_exact_mut(self.outputs()).zip(grid.chunks_exact(self.on_grid()));
        for (plane, grid) in both {
            for (to, from) in plane.chunks_exact_mut(self.output.1).zip(grid.chunks(self.pitch)) {
                to.copy_from_slice(&from[..to.len()]);
            }
        }
    }

    /// Taps of an output, all channels together.
    pub fn taps(&self) -> usize {
        self.taps.len()
    }

    /// Values of a picture.
    pub fn inputs(&self) -> usize {
        self.channels * self.input.0 * self.input.1
    }

    /// Values of a padded picture.
    pub fn padded(&self) -> usize {
        self.channels * self.padded.0 * self.padded.1
    }

    /// The columns of a row that are read, in the picture and in the padded one.
    fn window(&self) -> (Range<usize>, Range<usize>) {
        let length = self.input.1.min(self.padded.1 - self.before.1);
        (0..length, self.before.1..self.before.1 + length)
    }

    /// For each row of a picture that is read: its number, and its number in the padded one.
    fn rows(&self) -> impl Iterator<Item = (usize, usize)> {
        let (above, padded, rows) = (self.before.0, self.padded.0, self.input.0);
        (0..self.channels).flat_map(move |channel| {
            let read = rows.min(padded - above);
            (0..read).map(move |row| (channel * rows + row, channel * padded + above + row))
        })
    }

    /// Surrounds pictures with the zeros that they ask for.
    pub fn pad<'a>(&self, pictures: &'a [f32]) -> Cow<'a, [f32]> {
        if self.input == self.padded && self.before == (0, 0) {
            return Cow::Borrowed(pictures);
        }
        let count = pictures.len() / self.inputs();
        let mut padded = vec![0.0; count * self.padded()];
        let (from, to) = self.window();
        for (picture, padded) in
            pictures.chunks_exact(self.inputs()).zip(padded.chunks_exact_mut(self.padded()))
        {
            for (row, place) in self.rows() {
                padded[place * self.padded.1..][to.clone()]
                    .copy_from_slice(&picture[row * self.input.1..][from.clone()]);
            }
        }
        Cow::Owned(padded)
    }

    /// Takes the padding off again.
    pub fn unpad(&self, padded: &[f32], pictures: &mut [f32]) {
        let (to, from) = self.window();
        for (picture, padded) in
            pictures.chunks_exact_mut(self.inputs()).zip(padded.chunks_exact(self.padded()))
        {
            for (row, place) in self.rows() {
                picture[row * self.input.1..][to.clone()]
                    .copy_from_slice(&padded[place * self.padded.1..][from.clone()]);
            }
        }
    }

    /// Some outputs on the grid, counted through all pictures, as runs.
    pub fn runs(&self, outputs: Range<usize>) -> Vec<Run> {
        let mut runs = Vec::new();
        let mut output = outputs.start;
        // A grid as wide as the picture has one row.
        let is_wide = self.pitch == self.padded.1 && self.geometry.stride == 1;
        let all = self.on_grid();
        let width = if is_wide { all } else { self.output.1 };
        while output < outputs.end {
            let (picture, place) = (output / all, output % all);
            let (y, x) = (place / width, place % width);
            let length = (width - x).min(outputs.end - output);
            let row = y * self.geometry.stride * self.padded.1;
            let from = picture * self.padded() + row + x * self.geometry.stride;
            runs.push(Run { at: output - outputs.start, from, length });
            output += length;
        }
        runs
    }

    /// A block as rows of `stride`: some taps of the outputs in `runs`.
    pub fn to_rows(
        &self,
        padded: &[f32],
        taps: Range<usize>,
        runs: &[Run],
        rows: &mut [f32],
        stride: usize,
    ) {
        for (&tap, row) in self.taps[taps].iter().zip(rows.chunks_mut(stride)) {
            for run in runs {
                self.gather(&padded[run.from + tap..], &mut row[run.at..][..run.length]);
            }
        }
    }

    /// A block as panels, one after the other: some taps of the `count` outputs in `runs`.
    pub fn to_panels(
        &self,
        padded: &[f32],
        taps: Range<usize>,
        runs: &[Run],
        count: usize,
        panels: &mut Vec<Lanes>,
    ) {
        let wide = Lanes::default().len();
        let deep = taps.len();
        panels.resize(count.div_ceil(wide) * deep, Lanes::default());
        if !count.is_multiple_of(wide) {
            let last = panels.len() - deep;
            panels[last..].fill(Lanes::default());
        }
        for run in runs {
            let (mut done, mut at) = (0, run.at);
            while done < run.length {
                let length = (run.length - done).min(wide - at % wide);
                let from = run.from + done * self.geometry.stride;
                let panel = &mut panels[at / wide * deep..][..deep];
                for (&tap, lanes) in self.taps[taps.clone()].iter().zip(panel) {
                    self.gather(&padded[from + tap..], &mut lanes[at % wide..][..length]);
                }
                (done, at) = (done + length, at + length);
            }
        }
    }

    #[inline(always)]
    fn gather(&self, from: &[f32], to: &mut [f32]) {
        match self.geometry.stride {
            1 => to.copy_from_slice(&from[..to.len()]),
            stride => to.iter_mut().zip(from.iter().step_by(stride)).for_each(|(to, from)| {
                *to = *from;
            }),
        }
    }

    /// Adds a block of rows, laid out as by [`Unfold::to_rows`], onto the inputs that it came from.
    pub fn add_rows(
        &self,
        rows: &[f32],
        stride: usize,
        taps: Range<usize>,
        runs: &[Run],
        padded: &mut [f32],
    ) {
        for (&tap, row) in self.taps[taps].iter().zip(rows.chunks(stride)) {
            for run in runs {
                let values = &row[run.at..][..run.length];
                let places = &mut padded[run.from + tap..];
                match self.geometry.stride {
                    1 => places.iter_mut().zip(values).for_each(|(place, value)| *place += value),
                    stride => places
                        .iter_mut()
                        .step_by(stride)
                        .zip(values)
                        .for_each(|(place, value)| *place += value),
                }
            }
        }
    }
}
