//! AVX-512F: the 16 lanes are one register, and 4 rows by 6 queries fill 24 of the 32.

use std::arch::x86_64::{
    __m256i, __m512, _mm256_loadu_si256, _mm512_castps512_ps256, _mm512_cvtph_ps, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_setzero_ps, _mm512_shuffle_f32x4,
};

use super::{Element, Isa, LANES, avx2, cover, read_soon, steps, tails};

/// Proof that this processor has AVX-512F.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(crate) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx512f").then_some(Avx512(()))
    }
}

impl Isa for Avx512 {
    fn tile<const R: usize, const Q: usize, const AHEAD: bool, E: Element>(
        self,
        rows: [&[E]; R],
        queries: [&[f32]; Q],
    ) -> [[f32; Q]; R] {
        // SAFETY: the processor must have AVX-512F, else it would meet an unknown instruction and
        // the process would end. `self` exists only where `detect` found it.
        unsafe { tile::<R, Q, AHEAD, E>(rows, queries) }
    }

    fn products<E: Element>(self, rows: &[E], queries: &[&[f32]], out: &mut [f32]) {
        cover::<4, 6, Self, E>(self, rows, queries, out);
    }
}

#[target_feature(enable = "avx512f")]
fn tile<const R: usize, const Q: usize, const AHEAD: bool, E: Element>(
    rows: [&[E]; R],
    queries: [&[f32]; Q],
) -> [[f32; Q]; R] {
    let mut sums = [[_mm512_setzero_ps(); Q]; R];
    let steps = steps(&rows, &queries);
    for at in (0..steps).map(|step| step * LANES) {
        // SAFETY: the 16 components from `at` on must lie inside each slice, or the loads would read
        // beyond it. `steps` counts the whole steps of the shortest. 16 elements of `E` are the 32 or
        // 64 bytes that its load reads, from any alignment.
        unsafe {
            let q: [_; Q] = std::array::from_fn(|j| _mm512_loadu_ps(queries[j].as_ptr().add(at)));
            for i in 0..R {
                let row = rows[i].as_ptr().add(at);
                if AHEAD {
                    read_soon(row);
                }
                let row = if E::HALF {
                    _mm512_cvtph_ps(_mm256_loadu_si256(row.cast::<__m256i>()))
                } else {
                    _mm512_loadu_ps(row.cast::<f32>())
                };
                for j in 0..Q {
                    sums[i][j] = _mm512_fmadd_ps(row, q[j], sums[i][j]);
                }
            }
        }
    }
    if rows.iter().any(|row| row.len() % LANES > 0) {
        let (rows, queries) = (tails(rows, E::to_f32), tails(queries, |x| x));
        for (sums, row) in sums.iter_mut().zip(&rows) {
            for (sum, query) in sums.iter_mut().zip(&queries) {
                // SAFETY: both arrays hold 16 floats, which is what a load reads.
                let (row, query) =
                    unsafe { (_mm512_loadu_ps(row.as_ptr()), _mm512_loadu_ps(query.as_ptr())) };
                *sum = _mm512_fmadd_ps(row, query, *sum);
            }
        }
    }
    reduce(sums)
}

/// Adds up the lanes of each sum. Apart from the loop above, and by value, so that the compiler keeps the
/// sums in registers there: with this inlined it stored them at every step, at a third of the speed.
#[target_feature(enable = "avx512f")]
#[inline(never)]
fn reduce<const R: usize, const Q: usize>(sums: [[__m512; Q]; R]) -> [[f32; Q]; R] {
    let mut similarities = [[0.0; Q]; R];
    for (similarities, sums) in similarities.iter_mut().zip(sums) {
        for (similarity, sum) in similarities.iter_mut().zip(sums) {
            *similarity = fold(sum);
        }
    }
    similarities
}

/// Adds the lanes in halves: the first step here, the others as AVX2 does.
#[target_feature(enable = "avx512f")]
fn fold(sum: __m512) -> f32 {
    let high = _mm512_shuffle_f32x4::<0b11_10_11_10>(sum, sum);
    avx2::fold(_mm512_castps512_ps256(sum), _mm512_castps512_ps256(high))
}
