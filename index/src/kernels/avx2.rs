//! AVX2 with FMA and F16C: the 16 lanes are two registers, and 2 rows by 3 queries fill 12 of the 16.

use std::arch::x86_64::{
    __m128i, __m256, _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_loadu_si128, _mm_movehdup_ps,
    _mm_movehl_ps, _mm256_add_ps, _mm256_castps256_ps128, _mm256_cvtph_ps, _mm256_extractf128_ps,
    _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps,
};

use super::{Element, Isa, LANES, cover, positive_zero, read_soon, steps, tails};

/// Lanes of one register.
const HALF: usize = LANES / 2;

/// Proof that this processor has AVX2, FMA and F16C.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c"))
        .then_some(Avx2(()))
    }
}

impl Isa for Avx2 {
    fn tile<const R: usize, const Q: usize, const AHEAD: bool, E: Element>(
        self,
        rows: [&[E]; R],
        queries: [&[f32]; Q],
    ) -> [[f32; Q]; R] {
        // SAFETY: the processor must have AVX2, FMA and F16C, else it would meet an unknown
        // instruction and the process would end. `self` exists only where `detect` found them.
        unsafe { tile::<R, Q, AHEAD, E>(rows, queries) }
    }

    fn products<E: Element>(self, rows: &[E], queries: &[&[f32]], out: &mut [f32]) {
        cover::<2, 3, Self, E>(self, rows, queries, out);
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn tile<const R: usize, const Q: usize, const AHEAD: bool, E: Element>(
    rows: [&[E]; R],
    queries: [&[f32]; Q],
) -> [[f32; Q]; R] {
    let mut sums = [[[_mm256_setzero_ps(); 2]; Q]; R];
    let steps = steps(&rows, &queries);
    for at in (0..steps).map(|step| step * LANES) {
        for half in [0, 1] {
            let at = at + half * HALF;
            // SAFETY: the 8 components from `at` on must lie inside each slice, or the loads would
            // read beyond it. `steps` counts the whole steps of the shortest. 8 elements of `E` are
            // the 16 or 32 bytes that its load reads, from any alignment.
            unsafe {
                let q: [__m256; Q] =
                    std::array::from_fn(|j| _mm256_loadu_ps(queries[j].as_ptr().add(at)));
                for i in 0..R {
                    let row = rows[i].as_ptr().add(at);
                    if AHEAD && half == 0 {
                        read_soon(row);
                    }
                    let row = if E::HALF {
                        _mm256_cvtph_ps(_mm_loadu_si128(row.cast::<__m128i>()))
                    } else {
                        _mm256_loadu_ps(row.cast::<f32>())
                    };
                    for j in 0..Q {
                        sums[i][j][half] = _mm256_fmadd_ps(row, q[j], sums[i][j][half]);
                    }
                }
            }
        }
    }
    if rows.iter().any(|row| row.len() % LANES > 0) {
        let (rows, queries) = (tails(rows, E::to_f32), tails(queries, |x| x));
        for (sums, row) in sums.iter_mut().zip(&rows) {
            for (sum, query) in sums.iter_mut().zip(&queries) {
                for (half, sum) in sum.iter_mut().enumerate() {
                    // SAFETY: both arrays hold 16 floats, and a load reads 8 from the first or the
                    // ninth on.
                    let (row, query) = unsafe {
                        (
                            _mm256_loadu_ps(row.as_ptr().add(half * HALF)),
                            _mm256_loadu_ps(query.as_ptr().add(half * HALF)),
                        )
                    };
                    *sum = _mm256_fmadd_ps(row, query, *sum);
                }
            }
        }
    }
    reduce(sums)
}

/// Adds up the lanes of each sum; apart and by value for the reason given in [`super::avx512`].
#[target_feature(enable = "avx2")]
#[inline(never)]
fn reduce<const R: usize, const Q: usize>(sums: [[[__m256; 2]; Q]; R]) -> [[f32; Q]; R] {
    let mut similarities = [[0.0; Q]; R];
    for (similarities, sums) in similarities.iter_mut().zip(sums) {
        for (similarity, [low, high]) in similarities.iter_mut().zip(sums) {
            *similarity = fold(low, high);
        }
    }
    similarities
}

/// Adds the lanes in halves.
#[target_feature(enable = "avx2")]
pub(super) fn fold(low: __m256, high: __m256) -> f32 {
    let eight = _mm256_add_ps(low, high);
    let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    let one = _mm_add_ss(two, _mm_movehdup_ps(two));
    positive_zero(_mm_cvtss_f32(one))
}
