//! NEON: the 16 lanes are four registers, and 2 rows by 3 queries fill 24 of the 32.

use std::arch::aarch64::{
    float32x4_t, uint16x4_t, vdupq_n_f32, vfmaq_f32, vld1_u16, vld1q_f32, vst1q_f32,
};
use std::arch::asm;

use super::{Element, Isa, LANES, cover, fold, read_soon, steps, tails};

/// Lanes of one register.
const QUARTER: usize = LANES / 4;

/// Proof that this processor has NEON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neon(());

impl Neon {
    pub(crate) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Neon(()))
    }
}

impl Isa for Neon {
    fn tile<const R: usize, const Q: usize, const AHEAD: bool, E: Element>(
        self,
        rows: [&[E]; R],
        queries: [&[f32]; Q],
    ) -> [[f32; Q]; R] {
        // SAFETY: the processor must have NEON, else it would meet an unknown instruction and the
        // process would end. `self` exists only where `detect` found it.
        unsafe { tile::<R, Q, AHEAD, E>(rows, queries) }
    }

    fn products<E: Element>(self, rows: &[E], queries: &[&[f32]], out: &mut [f32]) {
        cover::<2, 3, Self, E>(self, rows, queries, out);
    }
}

/// Four halves as singles. Written out because the intrinsic asks for a newer compiler than we do.
#[target_feature(enable = "neon")]
pub(super) fn widen(halves: uint16x4_t) -> float32x4_t {
    let singles: float32x4_t;
    // SAFETY: `fcvtl` reads one register and writes another; every processor with NEON has it.
    unsafe {
        asm!(
            "fcvtl {singles:v}.4s, {halves:v}.4h",
            halves = in(vreg) halves,
            singles = lateout(vreg) singles,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    singles
}

#[target_feature(enable = "neon")]
fn tile<const R: usize, const Q: usize, const AHEAD: bool, E: Element>(
    rows: [&[E]; R],
    queries: [&[f32]; Q],
) -> [[f32; Q]; R] {
    let mut sums = [[[vdupq_n_f32(0.0); 4]; Q]; R];
    let steps = steps(&rows, &queries);
    for at in (0..steps).map(|step| step * LANES) {
        for quarter in [0, 1, 2, 3] {
            let at = at + quarter * QUARTER;
            // SAFETY: the 4 components from `at` on must lie inside each slice, or the loads would
            // read beyond it. `steps` counts the whole steps of the shortest. 4 elements of `E` are
            // the 8 or 16 bytes that its load reads, from any alignment.
            unsafe {
                let q: [float32x4_t; Q] =
                    std::array::from_fn(|j| vld1q_f32(queries[j].as_ptr().add(at)));
                for i in 0..R {
                    let row = rows[i].as_ptr().add(at);
                    if AHEAD && quarter == 0 {
                        read_soon(row);
                    }
                    let row = if E::HALF {
                        widen(vld1_u16(row.cast::<u16>()))
                    } else {
                        vld1q_f32(row.cast::<f32>())
                    };
                    for j in 0..Q {
                        sums[i][j][quarter] = vfmaq_f32(sums[i][j][quarter], row, q[j]);
                    }
                }
            }
        }
    }
    if rows.iter().any(|row| row.len() % LANES > 0) {
        let (rows, queries) = (tails(rows, E::to_f32), tails(queries, |x| x));
        for (sums, row) in sums.iter_mut().zip(&rows) {
            for (sum, query) in sums.iter_mut().zip(&queries) {
                for (quarter, sum) in sum.iter_mut().enumerate() {
                    // SAFETY: both arrays hold 16 floats, and a load reads the four of one quarter.
                    let (row, query) = unsafe {
                        (
                            vld1q_f32(row.as_ptr().add(quarter * QUARTER)),
                            vld1q_f32(query.as_ptr().add(quarter * QUARTER)),
                        )
                    };
                    *sum = vfmaq_f32(*sum, row, query);
                }
            }
        }
    }
    sums.map(|sums| {
        sums.map(|sum| {
            let mut lanes = [0.0f32; LANES];
            for (quarter, sum) in sum.into_iter().enumerate() {
                // SAFETY: `lanes` has room for 16 floats, of which a store fills one quarter.
                unsafe { vst1q_f32(lanes.as_mut_ptr().add(quarter * QUARTER), sum) };
            }
            fold(lanes)
        })
    })
}
