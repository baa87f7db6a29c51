//! Plain Rust, for processors that have no tile of their own: 4 rows by 8 columns are what 16 registers
//! of four values hold, and the compiler keeps them there.

use super::by_count;
use crate::encode::kernels::product::{Base, Ending, Rows, WIDTH};

pub(in super::super) const ROWS: usize = 4;

/// The columns whose sums are kept at once.
const COLUMNS: usize = 8;

/// `out[i] = bias + rows[i] panel`, `i` by `i` one `stride` further, with its ending.
pub(in super::super) fn tile(
    rows: Rows<'_>,
    panel: &[[f32; WIDTH]],
    bias: &[f32; WIDTH],
    out: &mut [f32],
    stride: usize,
    ending: &Ending<'_>,
) {
    for first in (0..WIDTH).step_by(COLUMNS) {
        by_count!(rows, part(rows, panel, bias, out, stride, first, ending), [1 2 3 4]);
    }
}

fn part<const R: usize>(
    rows: Rows<'_>,
    panel: &[[f32; WIDTH]],
    bias: &[f32; WIDTH],
    out: &mut [f32],
    stride: usize,
    first: usize,
    ending: &Ending<'_>,
) {
    let rows: [&[f32]; R] = std::array::from_fn(|i| rows.row(i));
    let mut sums = [[0.0; COLUMNS]; R];
    for (at, columns) in panel.iter().enumerate() {
        let columns = &columns[first..first + COLUMNS];
        for (row, sums) in rows.iter().zip(&mut sums) {
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum += row[at] * column;
            }
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        let place = i * stride + first;
        let out = &mut out[place..][..COLUMNS];
        for (at, out) in out.iter_mut().enumerate() {
            let sum = sums[at] + bias[first + at];
            let sum = match ending.onto {
                Base::Nothing => sum,
                Base::Written => sum + *out,
                Base::Rows(other) => sum + other[place + at],
            };
            *out = sum.clamp(ending.low, ending.high);
        }
    }
}
