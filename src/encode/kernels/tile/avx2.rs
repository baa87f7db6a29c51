//! AVX2 with FMA: 6 rows by two registers of 8 are 12 sums; with two of the panel and one of the rows
//! 15 of 16 registers. A panel is gone through twice, half its width at a time.

use std::arch::x86_64::{
    _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps, _mm256_set1_ps,
    _mm256_setzero_ps, _mm256_storeu_ps,
};

use super::by_count;
use crate::encode::kernels::product::{Base, Ending, Rows, WIDTH};

pub(in super::super) const ROWS: usize = 6;

/// `out[i] = bias + rows[i] panel`, `i` by `i` one `stride` further, with its ending.
#[target_feature(enable = "avx2,fma")]
pub(in super::super) fn tile(
    rows: Rows<'_>,
    panel: &[[f32; WIDTH]],
    bias: &[f32; WIDTH],
    out: &mut [f32],
    stride: usize,
    ending: &Ending<'_>,
) {
    for first in [0, WIDTH / 2] {
        by_count!(rows, half(rows, panel, bias, out, stride, first, ending), [1 2 3 4 5 6]);
    }
}

/// The columns from `first` on, which is 0 or 16.
#[target_feature(enable = "avx2,fma")]
fn half<const R: usize>(
    rows: Rows<'_>,
    panel: &[[f32; WIDTH]],
    bias: &[f32; WIDTH],
    out: &mut [f32],
    stride: usize,
    first: usize,
    ending: &Ending<'_>,
) {
    assert!(rows.count() == R && rows.length() == panel.len() && first <= WIDTH / 2);
    let load = |values: &[f32; WIDTH]| {
        // SAFETY: 16 values must stand from `first` on: it is at most 16, and `values` are 32.
        unsafe {
            let at = values.as_ptr().add(first);
            [_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8))]
        }
    };
    let mut sums = [[_mm256_setzero_ps(); 2]; R];
    for (at, columns) in panel.iter().enumerate() {
        let columns = load(columns);
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: row and column must exist, or we would read beyond the matrix. `i` is below `R`,
            // the number of rows, and `at` below the panel's length, which is that of the rows.
            let value = _mm256_set1_ps(unsafe { rows.value(i, at) });
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum = _mm256_fmadd_ps(value, column, *sum);
            }
        }
    }
    let bias = load(bias);
    let (low, high) = (_mm256_set1_ps(ending.low), _mm256_set1_ps(ending.high));
    for (i, sums) in sums.iter().enumerate() {
        let out = &mut out[i * stride + first..][..WIDTH / 2];
        let other: Option<&[f32]> = match ending.onto {
            Base::Nothing => None,
            Base::Written => Some(out),
            Base::Rows(other) => Some(&other[i * stride + first..][..WIDTH / 2]),
        };
        let mut ends = [_mm256_setzero_ps(); 2];
        for (half, (end, (&sum, &bias))) in ends.iter_mut().zip(sums.iter().zip(&bias)).enumerate()
        {
            let mut sum = _mm256_add_ps(sum, bias);
            if let Some(other) = other {
                // SAFETY: 8 values must stand there: `other` is 16 long and `half` 0 or 1.
                sum = _mm256_add_ps(sum, unsafe { _mm256_loadu_ps(other[8 * half..].as_ptr()) });
            }
            // In this order NaN goes through.
            *end = _mm256_min_ps(high, _mm256_max_ps(low, sum));
        }
        for (half, end) in ends.into_iter().enumerate() {
            // SAFETY: there must be room for 8 values, else we would write beyond it: `out` is 16
            // long and `half` 0 or 1.
            unsafe { _mm256_storeu_ps(out[8 * half..].as_mut_ptr(), end) };
        }
    }
}
