//! Matrix products of any orientation, onto zeros or onto what is there.
//!
//! Training multiplies everything by everything's transpose, and each matrix is seen once: nothing is laid
//! out at load. In: two [`Matrix`]es, either way round, of which the left one is read where it lies if
//! its rows lie in order. Out: rows, overwritten or added to.
//!
//! The inner dimension is cut every [`DEEP`] values, whatever the shapes and the threads, so that each
//! result is the same sum in the same order wherever it is computed.

use rayon::prelude::*;

use super::Isa;
use super::product::{Base, Ending, MOST_ROWS, Rows, WIDTH};

/// One input's values in a panel.
pub(crate) type Lanes = [f32; WIDTH];

/// How much of the inner dimension is laid out at once: a panel of it, 64 KB, stays in the second cache.
const DEEP: usize = 512;

/// Columns that are laid out at once: 8 panels.
const WIDE: usize = 256;

/// Rows that pass by those panels before the next ones do: some 200 KB, in the second cache too.
const HIGH: usize = 96;

/// What a product is written onto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Onto {
    /// Whatever is there is forgotten.
    Nothing,
    /// What is there is added to.
    Sum,
}

/// Values as a matrix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    /// From one row to the next, and from one column to the next.
    steps: (usize, usize),
}

impl<'a> Matrix<'a> {
    /// Row after row.
    ///
    /// # Panics
    /// Where the values do not make so many rows.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "values for {rows} x {columns}");
        Matrix { values, rows, columns, steps: (columns, 1) }
    }

    /// The other way round.
    pub fn transposed(self) -> Self {
        let Matrix { values, rows, columns, steps } = self;
        Matrix { values, rows: columns, columns: rows, steps: (steps.1, steps.0) }
    }

    /// Some of the rows.
    fn rows(self, first: usize, count: usize) -> Self {
        let values = &self.values[(first * self.steps.0).min(self.values.len())..];
        Matrix { values, rows: count, ..self }
    }

    /// Some of the columns.
    pub fn columns(self, first: usize, count: usize) -> Self {
        let t = self.transposed().rows(first, count);
        t.transposed()
    }

    /// Its rows: where they lie if they do in order, else as a copy.
    fn in_order<'b>(self, copy: &'b mut Vec<f32>) -> Rows<'b>
    where
        'a: 'b,
    {
        if self.steps.1 == 1 {
            return Rows::new(self.values, self.steps.0, self.rows, self.columns);
        }
        transpose(self, copy);
        Rows::new(copy, self.columns, self.rows, self.columns)
    }
}

/// `out = a b`, or `out += a b`; each row of `out` one `stride` after the one before.
///
/// # Panics
/// Where the shapes do not fit together, or `out` has no room.
pub(crate) fn multiply_onto(
    isa: Isa,
    a: Matrix<'_>,
    b: Matrix<'_>,
    onto: Onto,
    out: &mut [f32],
    stride: usize,
) {
    assert_eq!(a.columns, b.rows, "rows of another length");
    if a.columns == 0 && onto == Onto::Nothing {
        out.chunks_mut(stride).take(a.rows).for_each(|row| row[..b.columns].fill(0.0));
    }
    let mut panels = Vec::new();
    let mut packed = Vec::new();
    for left in (0..b.columns).step_by(WIDE) {
        let b = b.columns(left, WIDE.min(b.columns - left));
        for top in (0..a.columns).step_by(DEEP) {
            let deep = DEEP.min(a.columns - top);
            lay_out(b.rows(top, deep), &mut panels);
            let onto = if top == 0 { onto } else { Onto::Sum };
            for first in (0..a.rows).step_by(HIGH) {
                let count = HIGH.min(a.rows - first);
                let part = a.rows(first, count).columns(top, deep);
                let rows = part.in_order(&mut packed);
                let out = &mut out[first * stride + left..];
                multiply_panels(isa, rows, &panels, b.columns, onto, out, stride);
            }
        }
    }
}

/// The same for rows and panels that lie ready, panel by panel; `columns` of them count.
///
/// # Panics
/// Where the shapes do not fit together, or `out` has no room.
pub(crate) fn multiply_panels(
    isa: Isa,
    rows: Rows<'_>,
    panels: &[Lanes],
    columns: usize,
    onto: Onto,
    out: &mut [f32],
    stride: usize,
) {
    let none = [0.0; WIDTH];
    let tiles = rows.count().div_ceil(isa.tile_rows());
    let bounds = |tile: usize| tile * rows.count() / tiles;
    for (at, panel) in panels.chunks_exact(rows.length()).enumerate() {
        let first = at * WIDTH;
        let columns = WIDTH.min(columns - first);
        for tile in 0..tiles {
            let (start, end) = (bounds(tile), bounds(tile + 1));
            let rows = rows.part(start, end - start);
            let out = &mut out[start * stride + first..];
            if columns == WIDTH {
                let onto = if onto == Onto::Nothing { Base::Nothing } else { Base::Written };
                isa.tile(rows, panel, &none, out, stride, &Ending { onto, ..Ending::PLAIN });
                continue;
            }
            let mut sums = [[0.0; WIDTH]; MOST_ROWS];
            isa.tile(rows, panel, &none, sums.as_flattened_mut(), WIDTH, &Ending::PLAIN);
            for (row, sums) in sums[..rows.count()].iter().enumerate() {
                let out = &mut out[row * stride..][..columns];
                match onto {
                    Onto::Nothing => out.copy_from_slice(&sums[..columns]),
                    Onto::Sum => out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum),
                }
            }
        }
    }
}

/// `out = a b`, row after row, shared among the threads of the pool.
///
/// # Panics
/// Where the shapes do not fit together, or `out` is of another size.
pub(crate) fn multiply_shared(isa: Isa, a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32]) {
    let columns = b.columns;
    assert_eq!(out.len(), a.rows * columns, "an output for {} x {columns}", a.rows);
    if out.is_empty() {
        return;
    }
    if a.rows >= 2 * HIGH || a.rows >= columns {
        multiply_rows(isa, a, b, Onto::Nothing, out, columns);
        return;
    }
    // Columns of several threads lie between each other in `out`, so each writes to a place of its own.
    let wide = columns.div_ceil(16).next_multiple_of(WIDE);
    let parts: Vec<Vec<f32>> = (0..columns.div_ceil(wide))
        .into_par_iter()
        .map(|part| {
            let count = wide.min(columns - part * wide);
            let mut own = vec![0.0; a.rows * count];
            multiply_onto(isa, a, b.columns(part * wide, count), Onto::Nothing, &mut own, count);
            own
        })
        .collect();
    for (part, own) in parts.iter().enumerate() {
        let count = own.len() / a.rows;
        for (out, own) in out.chunks_exact_mut(columns).zip(own.chunks_exact(count)) {
            out[part * wide..][..count].copy_from_slice(own);
        }
    }
}

/// [`multiply_onto`] shared among the threads of the pool: all of `b` is laid out once, and each reads it for rows of its
/// own.
///
/// # Panics
/// Where the shapes do not fit together, or `out` has no room.
pub(crate) fn multiply_rows(
    isa: Isa,
    a: Matrix<'_>,
    b: Matrix<'_>,
    onto: Onto,
    out: &mut [f32],
    stride: usize,
) {
    assert_eq!(a.columns, b.rows, "rows of another length");
    let columns = b.columns;
    if a.rows == 0 || columns == 0 {
        return;
    }
    if a.columns == 0 {
        // Zeros, which nobody has to share.
        return multiply_onto(isa, a, b, onto, out, stride);
    }
    let out = &mut out[..(a.rows - 1) * stride + columns];
    let high = a.rows.div_ceil(16).next_multiple_of(isa.tile_rows());
    let mut blocks = Vec::new();
    for top in (0..a.columns).step_by(DEEP) {
        let deep = DEEP.min(a.columns - top);
        let onto = if top == 0 { onto } else { Onto::Sum };
        let b = b.rows(top, deep);
        blocks.resize_with(columns.div_ceil(WIDE), Vec::new);
        blocks.par_iter_mut().enumerate().for_each(|(block, panels)| {
            lay_out(b.columns(block * WIDE, WIDE.min(columns - block * WIDE)), panels);
        });
        let a = a.columns(top, deep);
        out.par_chunks_mut(high * stride).enumerate().for_each(|(part, out)| {
            let own = a.rows(part * high, high.min(a.rows - part * high));
            let mut packed = Vec::new();
            for first in (0..own.rows).step_by(HIGH) {
                let some = own.rows(first, HIGH.min(own.rows - first));
                let rows = some.in_order(&mut packed);
                for (block, panels) in blocks.iter().enumerate() {
                    let left = block * WIDE;
                    let count = WIDE.min(columns - left);
                    let out = &mut out[first * stride + left..];
                    multiply_panels(isa, rows, panels, count, onto, out, stride);
                }
            }
        });
    }
}

/// Cuts a matrix into panels; columns beyond its own are zero.
pub(crate) fn lay_out(b: Matrix<'_>, panels: &mut Vec<Lanes>) {
    panels.clear();
    panels.resize(b.columns.div_ceil(WIDTH) * b.rows, [0.0; WIDTH]);
    if b.steps.1 == 1 {
        for row in 0..b.rows {
            let values = &b.values[row * b.steps.0..][..b.columns];
            for (panel, values) in values.chunks(WIDTH).enumerate() {
                panels[panel * b.rows + row][..values.len()].copy_from_slice(values);
            }
        }
        return;
    }
    // A cache line of each column at a time, so that what is written stays in the first cache.
    for (at, panel) in panels.chunks_exact_mut(b.rows.max(1)).enumerate() {
        let columns = WIDTH.min(b.columns - at * WIDTH);
        for (part, lanes) in panel.chunks_mut(16).enumerate() {
            for column in 0..columns {
                let start = (at * WIDTH + column) * b.steps.1 + part * 16 * b.steps.0;
                let values = b.values[start..].iter().step_by(b.steps.0);
                lanes.iter_mut().zip(values).for_each(|(lanes, value)| lanes[column] = *value);
            }
        }
    }
}

/// Copies a matrix row after row.
pub(crate) fn transpose(a: Matrix<'_>, rows: &mut Vec<f32>) {
    rows.clear();
    rows.resize(a.rows * a.columns, 0.0);
    for (part, high) in rows.chunks_mut(16 * a.columns).enumerate() {
        for column in 0..a.columns {
            let start = part * 16 * a.steps.0 + column * a.steps.1;
            let values = a.values[start..].iter().step_by(a.steps.0);
            let places = high.iter_mut().skip(column).step_by(a.columns);
            places.zip(values).for_each(|(place, value)| *place = *value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::noise;
    use super::*;

    /// A matrix of the given shape, stored row by row or column by column.
    fn matrix(values: &[f32], rows: usize, columns: usize, by_columns: bool) -> Matrix<'_> {
        match by_columns {
            false => Matrix::new(values, rows, columns),
            true => Matrix::new(values, columns, rows).transposed(),
        }
    }

    fn at(m: Matrix<'_>, row: usize, column: usize) -> f64 {
        f64::from(m.values[row * m.steps.0 + column * m.steps.1])
    }

    #[test]
    fn equals_the_plain_sum_for_every_orientation_and_odd_shapes() {
        for isa in Isa::available() {
            for (m, k, n) in [(1, 1, 1), (13, 7, 33), (97, 530, 5), (5, 20, 300), (100, 0, 40)] {
                let (x, y) = (noise(m * k, 1), noise(k * n, 2));
                for turned in 0..4 {
                    let a = matrix(&x, m, k, turned & 1 > 0);
                    let b = matrix(&y, k, n, turned & 2 > 0);
                    let before = noise(m * n, 3);
                    let (mut fresh, mut sum) = (before.clone(), before.clone());
                    multiply_shared(isa, a, b, &mut fresh);
                    multiply_onto(isa, a, b, Onto::Sum, &mut sum, n);
                    // Of rows that lie apart, what is between them stays.
                    let mut wide = vec![7.0; m * (n + 3)];
                    for onto in [Onto::Nothing, Onto::Sum] {
                        multiply_rows(isa, a, b, onto, &mut wide[2..], n + 3);
                    }
                    for (place, &before) in before.iter().enumerate() {
                        let (row, column) = (place / n, place % n);
                        let theirs: f64 = (0..k).map(|i| at(a, row, i) * at(b, i, column)).sum();
                        let error = (f64::from(fresh[place]) - theirs).abs();
                        assert!(error < 2e-5, "{isa:?} {m} {k} {n} {turned}: {error}");
                        let error = (f64::from(sum[place]) - theirs - f64::from(before)).abs();
                        assert!(error < 2e-5, "{isa:?} {m} {k} {n} {turned}: {error}");
                        let twice = f64::from(wide[row * (n + 3) + 2 + column]);
                        let error = (twice - 2.0 * theirs).abs();
                        assert!(error < 4e-5, "{isa:?} {m} {k} {n} {turned}: {error}");
                    }
                    assert!(wide.chunks(n + 3).all(|row| [row[0], row[1], row[n + 2]] == [7.0; 3]));
                }
            }
        }
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        for (m, k, n) in [(400, 600, 20), (20, 600, 900)] {
            let (x, y) = (noise(m * k, 1), noise(k * n, 2));
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut out = vec![0.0; m * n];
                let (a, b) = (Matrix::new(&x, m, k), Matrix::new(&y, k, n));
                pool.install(|| multiply_shared(Isa::best(), a, b, &mut out));
                out
            };
            let alone = run(1);
            assert!([2, 3].into_iter().all(|threads| run(threads) == alone));
        }
    }
}
