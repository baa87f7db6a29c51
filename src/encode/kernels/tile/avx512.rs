//! AVX-512F: 12 rows by two registers of 16 are 24 sums; with two of the panel 26 of 32 registers.

use std::arch::x86_64::{
    _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_max_ps, _mm512_min_ps, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_storeu_ps,
};

use super::by_count;
use crate::encode::kernels::product::{Base, Ending, Rows, WIDTH};

pub(in super::super) const ROWS: usize = 12;

/// `out[i] = bias + rows[i] panel`, `i` by `i` one `stride` further, with its ending.
#[target_feature(enable = "avx512f")]
pub(in super::super) fn tile(
    rows: Rows<'_>,
    panel: &[[f32; WIDTH]],
    bias: &[f32; WIDTH],
    out: &mut [f32],
    stride: usize,
    ending: &Ending<'_>,
) {
    by_count!(rows, some(rows, panel, bias, out, stride, ending), [1 2 3 4 5 6 7 8 9 10 11 12]);
}

#[target_feature(enable = "avx512f")]
fn some<const R: usize>(
    rows: Rows<'_>,
    panel: &[[f32; WIDTH]],
    bias: &[f32; WIDTH],
    out: &mut [f32],
    stride: usize,
    ending: &Ending<'_>,
) {
    assert!(rows.count() == R && rows.length() == panel.len());
    // SAFETY: 32 values must stand at the pointer, and `bias` has them.
    let bias = unsafe { [_mm512_loadu_ps(bias.as_ptr()), _mm512_loadu_ps(bias[16..].as_ptr())] };
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    for (at, columns) in panel.iter().enumerate() {
        // SAFETY: as above, for the 32 values of `columns`.
        let columns =
            unsafe { [_mm512_loadu_ps(columns.as_ptr()), _mm512_loadu_ps(columns[16..].as_ptr())] };
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: row and column must exist, or we would read beyond the matrix. `i` is below `R`,
            // the number of rows, and `at` below the panel's length, which is that of the rows.
            let value = _mm512_set1_ps(unsafe { rows.value(i, at) });
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum = _mm512_fmadd_ps(value, column, *sum);
            }
        }
    }
    let (low, high) = (_mm512_set1_ps(ending.low), _mm512_set1_ps(ending.high));
    for (i, sums) in sums.iter().enumerate() {
        let out = &mut out[i * stride..][..WIDTH];
        let other: Option<&[f32]> = match ending.onto {
            Base::Nothing => None,
            Base::Written => Some(out),
            Base::Rows(other) => Some(&other[i * stride..][..WIDTH]),
        };
        let mut ends = [_mm512_setzero_ps(); 2];
        for (half, (end, (&sum, &bias))) in ends.iter_mut().zip(sums.iter().zip(&bias)).enumerate()
        {
            let mut sum = _mm512_add_ps(sum, bias);
            if let Some(other) = other {
                // SAFETY: 16 values must stand there: `other` is 32 long and `half` 0 or 1.
                sum = _mm512_add_ps(sum, unsafe { _mm512_loadu_ps(other[16 * half..].as_ptr()) });
            }
            // In this order NaN goes through.
            *end = _mm512_min_ps(high, _mm512_max_ps(low, sum));
        }
        for (half, end) in ends.into_iter().enumerate() {
            // SAFETY: there must be room for 16 values, else we would write beyond it: `out` is 32
            // long and `half` 0 or 1.
            unsafe { _mm512_storeu_ps(out[16 * half..].as_mut_ptr(), end) };
        }
    }
}
