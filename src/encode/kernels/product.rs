//! Matrix products whose right side is laid out for them beforehand.
//!
//! In: [`Rows`] of a matrix, wherever they stand, or a [`Grid`] of them, and [`Panels`], the other matrix
//! cut into strips of [`WIDTH`] columns that lie in the order in which they are read. Out: one row a row,
//! bias added, and whatever else an [`Ending`] asks for while the sums are in registers.
//!
//! Weights are laid out once, at load. Against the crate `gemm`, which lays out both sides at every
//! call, the products of a MiniLM over 128 tokens run 1.3 to 2.6 times as fast (250 to 264 GF/s against 101 to 191,
//! AVX-512 in both, one thread).

use super::tile;
use super::{Isa, Set};
use std::ops::Range;

/// Columns of a panel: two AVX-512 registers.
pub(super) const WIDTH: usize = 32;

/// Rows of equal length, some distance apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// Long enough for all that follows: `new` sees to it, and `value` relies on it.
    values: &'a [f32],
    stride: usize,
    count: usize,
    length: usize,
}

impl<'a> Rows<'a> {
    /// `count` rows of `length` values, each `stride` after the one before.
    ///
    /// # Panics
    /// Where `values` does not hold them.
    pub fn new(values: &'a [f32], stride: usize, count: usize, length: usize) -> Self {
        let last = count.checked_sub(1).map(|last| last.checked_mul(stride));
        let end = last.map_or(Some(0), |last| last?.checked_add(length));
        assert!(end.is_some_and(|end| end <= values.len()), "fewer values than the rows have");
        Rows { values, stride, count, length }
    }

    pub fn count(self) -> usize {
        self.count
    }

    pub fn length(self) -> usize {
        self.length
    }

    /// One of them.
    pub fn row(self, row: usize) -> &'a [f32] {
        &self.values[row * self.stride..][..self.length]
    }

    /// Some of them.
    pub(super) fn part(self, first: usize, count: usize) -> Self {
        Rows::new(&self.values[first * self.stride..], self.stride, count, self.length)
    }

    /// One value.
    ///
    /// # Safety
    /// `row` is below the count and `column` below the length.
    #[inline(always)]
    pub unsafe fn value(self, row: usize, column: usize) -> f32 {
        // SAFETY: the index must be within `values`, or we would read beyond them. `new` made sure that
        // the last value of the last row is, and the caller that this one is no later.
        unsafe { *self.values.get_unchecked(row * self.stride + column) }
    }
}

/// A matrix and a bias, laid out as the right side of a product.
#[derive(Debug, Default, Clone)]
pub(crate) struct Panels {
    inputs: usize,
    outputs: usize,
    /// Panel by panel, input by input; columns beyond the outputs are zero.
    values: Vec<[f32; WIDTH]>,
    /// Panel by panel.
    bias: Vec<[f32; WIDTH]>,
}

impl Panels {
    /// A linear layer as networks store it: one row of weights an output, one bias an output.
    pub fn of_linear(weight: Rows<'_>, bias: &[f32]) -> Self {
        assert_eq!(weight.count(), bias.len(), "one bias an output");
        let mut panels = Panels::default();
        panels.set_transposed(weight);
        for (panel, bias) in panels.bias.iter_mut().zip(bias.chunks(WIDTH)) {
            panel[..bias.len()].copy_from_slice(bias);
        }
        panels
    }

    /// Becomes the matrix that has these rows as its columns, without bias.
    pub fn set_transposed(&mut self, columns: Rows<'_>) {
        self.clear(columns.length(), columns.count());
        for output in 0..self.outputs {
            let panel = &mut self.values[output / WIDTH * self.inputs..][..self.inputs];
            for (values, &value) in panel.iter_mut().zip(columns.row(output)) {
                values[output % WIDTH] = value;
            }
        }
    }

    /// Becomes the matrix that has these rows, without bias.
    pub fn set(&mut self, rows: Rows<'_>) {
        self.clear(rows.count(), rows.length());
        for input in 0..self.inputs {
            for (panel, values) in rows.row(input).chunks(WIDTH).enumerate() {
                self.values[panel * self.inputs + input][..values.len()].copy_from_slice(values);
            }
        }
    }

    fn clear(&mut self, inputs: usize, outputs: usize) {
        (self.inputs, self.outputs) = (inputs, outputs);
        let panels = outputs.div_ceil(WIDTH);
        for (values, count) in [(&mut self.values, panels * inputs), (&mut self.bias, panels)] {
            values.clear();
            values.resize(count, [0.0; WIDTH]);
        }
    }

    pub fn outputs(&self) -> usize {
        self.outputs
    }
}

/// Rows at the places of some pictures: what a kernel sees as it moves over them.
#[derive(Debug, Clone, Copy)]
pub(in crate::encode) struct Grid<'a> {
    values: &'a [f32],
    /// How many pictures, rows of each, columns of each, and how far apart they stand.
    pictures: Steps,
    rows: Steps,
    columns: Steps,
    length: usize,
}

/// So many things, one `stride` after the other.
#[derive(Debug, Clone, Copy)]
pub(in crate::encode) struct Steps {
    pub count: usize,
    pub stride: usize,
}

impl<'a> Grid<'a> {
    /// `length` values from every place.
    pub fn new(
        values: &'a [f32],
        pictures: Steps,
        mut rows: Steps,
        mut columns: Steps,
        length: usize,
    ) -> Self {
        // Where a row ends as the next begins, they are one: tiles need not end there.
        if columns.count * columns.stride == rows.stride {
            columns.count *= rows.count;
            rows = Steps { count: 1, stride: 0 };
        }
        let alone = pictures.count == 1 || columns.count * columns.stride == pictures.stride;
        if rows.count == 1 && alone {
            columns.count *= pictures.count;
            return Grid { values, pictures: rows, rows, columns, length };
        }
        Grid { values, pictures, rows, columns, length }
    }

    fn count(self) -> usize {
        self.pictures.count * self.rows.count * self.columns.count
    }

    /// Calls `each` with tiles of at most so many rows, and the number of each tile's first row.
    #[inline(always)]
    fn tiles(self, most: usize, mut each: impl FnMut(Rows<'a>, usize)) {
        let Steps { count, stride } = self.columns;
        // Tiles of even height: 16 rows as 8 and 8 keep the multipliers busier than 12 and 4.
        let tiles = count.div_ceil(most);
        let bounds = |tile: usize| tile * count / tiles;
        let mut first = 0;
        for picture in 0..self.pictures.count {
            for row in 0..self.rows.count {
                let start = picture * self.pictures.stride + row * self.rows.stride;
                for tile in 0..tiles {
                    let Range { start: from, end: to } = bounds(tile)..bounds(tile + 1);
                    let values = &self.values[start + from * stride..];
                    each(Rows::new(values, stride, to - from, self.length), first + from);
                }
                first += count;
            }
        }
    }
}

impl<'a> From<Rows<'a>> for Grid<'a> {
    fn from(rows: Rows<'a>) -> Self {
        let one = Steps { count: 1, stride: 0 };
        let columns = Steps { count: rows.count, stride: rows.stride };
        Grid { values: rows.values, pictures: one, rows: one, columns, length: rows.length }
    }
}

/// What is done with a sum, its bias added, before it is written: `high ∧ (low ∨ (sum + onto))`.
#[derive(Debug, Clone, Copy)]
pub(in crate::encode) struct Ending<'a> {
    pub onto: Base<'a>,
    /// NaN is within all bounds.
    pub low: f32,
    pub high: f32,
}

/// What a sum is added to.
#[derive(Debug, Clone, Copy)]
pub(in crate::encode) enum Base<'a> {
    Nothing,
    /// What stands where it will be written.
    Written,
    /// Other rows, as far apart as those that are written.
    Rows(&'a [f32]),
}

impl Ending<'_> {
    /// Writes the sum as it is.
    pub const PLAIN: Ending<'static> =
        Ending { onto: Base::Nothing, low: f32::NEG_INFINITY, high: f32::INFINITY };
}

impl<'a> Base<'a> {
    /// The same for what is written from this place on.
    fn from(self, place: usize) -> Self {
        match self {
            Base::Rows(rows) => Base::Rows(&rows[place..]),
            other => other,
        }
    }
}

/// `out = rows panels + bias`, each row of `out` one `stride` after the one before.
///
/// # Panics
/// Where the rows are not as long as the panels ask, or `out` has no room.
pub(crate) fn multiply(isa: Isa, rows: Rows<'_>, panels: &Panels, out: &mut [f32], stride: usize) {
    multiply_grid(isa, rows.into(), panels, out, stride, &Ending::PLAIN);
}

/// The same for the rows at all places of a grid, with an ending.
///
/// # Panics
/// As above, or where what it is added to is not as large as `out`.
pub(in crate::encode) fn multiply_grid(
    isa: Isa,
    grid: Grid<'_>,
    panels: &Panels,
    out: &mut [f32],
    stride: usize,
    ending: &Ending<'_>,
) {
    assert_eq!(grid.length, panels.inputs, "rows of another length");
    if grid.count() == 0 || panels.inputs == 0 {
        return;
    }
    let most = isa.tile_rows();
    // Panels are the outer loop: one stays in the first or second cache while all rows come by.
    for (panel, bias) in panels.bias.iter().enumerate() {
        let first = panel * WIDTH;
        let columns = WIDTH.min(panels.outputs - first);
        let panel = &panels.values[panel * panels.inputs..][..panels.inputs];
        grid.tiles(most, |rows, row| {
            let place = row * stride + first;
            let ending = Ending { onto: ending.onto.from(place), ..*ending };
            let out = &mut out[place..];
            if columns == WIDTH {
                isa.tile(rows, panel, bias, out, stride, &ending);
            } else {
                isa.narrow_tile(rows, panel, bias, &mut out[..], stride, columns, &ending);
            }
        });
    }
}

/// The most rows that any tile has.
pub(super) const MOST_ROWS: usize = 12;

impl Isa {
    /// The rows of a whole tile.
    pub(super) fn tile_rows(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => tile::avx512::ROWS,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => tile::avx2::ROWS,
            Set::Portable => tile::portable::ROWS,
        }
    }

    /// `out = rows panel + bias`, each row of `out` one `stride` after the one before, with an ending.
    pub(super) fn tile(
        self,
        rows: Rows<'_>,
        panel: &[[f32; WIDTH]],
        bias: &[f32; WIDTH],
        out: &mut [f32],
        stride: usize,
        ending: &Ending<'_>,
    ) {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the processor must have AVX-512F, else it would meet an unknown instruction and
            // the process would end. This `Isa` exists only where `available` found it.
            Set::Avx512 => unsafe { tile::avx512::tile(rows, panel, bias, out, stride, ending) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above, for AVX2 and FMA.
            Set::Avx2 => unsafe { tile::avx2::tile(rows, panel, bias, out, stride, ending) },
            Set::Portable => tile::portable::tile(rows, panel, bias, out, stride, ending),
        }
    }

    /// A tile of a panel of which only the first `columns` are meant.
    #[expect(clippy::too_many_arguments, reason = "those of a tile, and how wide it is")]
    fn narrow_tile(
        self,
        rows: Rows<'_>,
        panel: &[[f32; WIDTH]],
        bias: &[f32; WIDTH],
        out: &mut [f32],
        stride: usize,
        columns: usize,
        ending: &Ending<'_>,
    ) {
        let mut whole = [[0.0; WIDTH]; MOST_ROWS];
        self.tile(rows, panel, bias, whole.as_flattened_mut(), WIDTH, &Ending::PLAIN);
        for (row, whole) in whole[..rows.count()].iter().enumerate() {
            let place = row * stride;
            let out = &mut out[place..][..columns];
            match ending.onto {
                Base::Nothing => out.copy_from_slice(&whole[..columns]),
                Base::Written => out.iter_mut().zip(whole).for_each(|(out, sum)| *out += sum),
                Base::Rows(other) => {
                    for ((out, sum), other) in out.iter_mut().zip(whole).zip(&other[place..]) {
                        *out = sum + other;
                    }
                }
            }
            out.iter_mut().for_each(|out| *out = out.clamp(ending.low, ending.high));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::noise;
    use super::*;

    /// `rows` by a matrix with the rows `weight`, in `f64`.
    fn naive(rows: Rows<'_>, weight: Rows<'_>, bias: &[f32]) -> Vec<f64> {
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
        };
        (0..rows.count())
            .flat_map(|r| {
                (0..weight.count())
                    .map(move |o| dot(rows.row(r), weight.row(o)) + f64::from(bias[o]))
            })
            .collect()
    }

    #[test]
    fn equals_the_plain_sum_for_odd_shapes_on_every_instruction_set() {
        for isa in Isa::available() {
            for (count, inputs, outputs) in
                [(1, 1, 1), (5, 7, 31), (11, 33, 32), (13, 16, 33), (25, 100, 96), (40, 3, 70)]
            {
                let (stride, out_stride) = (inputs + 3, outputs + 5);
                let x = noise(count * stride, 1);
                let rows = Rows::new(&x, stride, count, inputs);
                let w = noise(outputs * inputs, 2);
                let weight = Rows::new(&w, inputs, outputs, inputs);
                let bias = noise(outputs, 3);
                let theirs = naive(rows, weight, &bias);

                let mut out = vec![9.0; count * out_stride];
                multiply(isa, rows, &Panels::of_linear(weight, &bias), &mut out, out_stride);
                for (row, (ours, theirs)) in
                    out.chunks(out_stride).zip(theirs.chunks(outputs)).enumerate()
                {
                    for (&ours, theirs) in ours.iter().zip(theirs) {
                        let error = (f64::from(ours) - theirs).abs();
                        assert!(error < 1e-5, "{isa:?} {count}x{inputs}x{outputs} row {row}");
                    }
                    assert_eq!(ours[outputs..], [9.0; 5], "written beyond the row");
                }
            }
        }
    }

    #[test]
    fn a_row_has_the_same_bits_alone_and_among_others() {
        for isa in Isa::available() {
            let (inputs, outputs) = (50, 64);
            let x = noise(40 * inputs, 1);
            let w = noise(outputs * inputs, 2);
            let panels =
                Panels::of_linear(Rows::new(&w, inputs, outputs, inputs), &noise(outputs, 3));
            let mut all = vec![0.0; 40 * outputs];
            multiply(isa, Rows::new(&x, inputs, 40, inputs), &panels, &mut all, outputs);
            for (x, together) in x.chunks(inputs).zip(all.chunks(outputs)) {
                let mut alone = vec![0.0; outputs];
                multiply(isa, Rows::new(x, inputs, 1, inputs), &panels, &mut alone, outputs);
                assert_eq!(alone, together, "{isa:?}");
            }
        }
    }

    #[test]
    fn a_matrix_by_rows_equals_its_transpose_by_columns() {
        let (inputs, outputs) = (9, 40);
        let by_rows = noise(inputs * outputs, 1);
        let by_columns: Vec<f32> =
            (0..outputs * inputs).map(|n| by_rows[n % inputs * outputs + n / inputs]).collect();
        // What was there before must not shine through.
        let mut panels = [Panels::default(), Panels::default()];
        panels[0].set(Rows::new(&[1.0; 500], 50, 10, 50));
        panels[0].set(Rows::new(&by_rows, outputs, inputs, outputs));
        panels[1].set_transposed(Rows::new(&by_columns, inputs, outputs, inputs));
        let x = noise(inputs, 2);
        let [a, b] = panels.map(|panels| {
            let mut out = vec![0.0; outputs];
            multiply(Isa::best(), Rows::new(&x, inputs, 1, inputs), &panels, &mut out, outputs);
            out
        });
        assert_eq!(a, b);
    }

    /// Two pictures of three rows of five columns, each row of it starting a value after the one before.
    #[test]
    fn a_grid_with_an_ending_equals_the_plain_sum() {
        let (inputs, pictures, rows, columns) = (7, 2, 3, 5);
        let steps = |count, stride| Steps { count, stride };
        for (column, row, picture, outputs) in [(3, 20, 90, 32), (2, 10, 30, 40), (7, 35, 105, 16)]
        {
            let x = &noise(pictures * 105 + 7, 1)[..];
            let grid = Grid::new(
                x,
                steps(pictures, picture),
                steps(rows, row),
                steps(columns, column),
                inputs,
            );
            let w = noise(outputs * inputs, 2);
            let weight = Rows::new(&w, inputs, outputs, inputs);
            let bias = noise(outputs, 3);
            let panels = Panels::of_linear(weight, &bias);
            let places = pictures * rows * columns;
            let before = noise(places * outputs, 4);
            for isa in Isa::available() {
                for onto in [Base::Nothing, Base::Written, Base::Rows(&before)] {
                    let mut out = before.clone();
                    let ending = Ending { onto, low: -0.5, high: 0.75 };
                    multiply_grid(isa, grid, &panels, &mut out, outputs, &ending);
                    for place in 0..places {
                        let (p, r, c) =
                            (place / (rows * columns), place / columns % rows, place % columns);
                        let start = p * picture + r * row + c * column;
                        let sums = naive(Rows::new(&x[start..], inputs, 1, inputs), weight, &bias);
                        for (at, sum) in sums.into_iter().enumerate() {
                            let at = place * outputs + at;
                            let other = match onto {
                                Base::Nothing => 0.0,
                                _ => f64::from(before[at]),
                            };
                            let error = f64::from(out[at]) - (sum + other).clamp(-0.5, 0.75);
                            assert!(error.abs() < 1e-5, "{isa:?} {onto:?} place {place}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn bounds_let_through_what_is_not_a_number() {
        for isa in Isa::available() {
            for outputs in [32, 5] {
                let w = vec![1.0; outputs];
                let panels = Panels::of_linear(Rows::new(&w, 1, outputs, 1), &w);
                let mut out = vec![0.0; outputs];
                let ending = Ending { onto: Base::Nothing, low: 0.0, high: 6.0 };
                let rows = Rows::new(&[f32::NAN], 1, 1, 1);
                multiply_grid(isa, rows.into(), &panels, &mut out, outputs, &ending);
                assert!(out.iter().all(|x| x.is_nan()), "{isa:?}: {out:?}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "fewer values")]
    fn rows_that_are_not_there_are_refused() {
        Rows::new(&[0.0; 11], 4, 3, 4);
    }

    #[test]
    #[should_panic(expected = "fewer values")]
    fn rows_beyond_all_counting_are_refused() {
        Rows::new(&[0.0; 11], usize::MAX / 2, 4, 4);
    }
}
