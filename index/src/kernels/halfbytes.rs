//! Products of a query with sketches: rows in four bits a component.
//!
//! In: a sketch, whose whole numbers from 0 to 15 stand two to a byte, and a query in signed bytes. Out: the sum of
//! products, which is exact, so that every processor walks the same way.
//!
//! Of each [`RUN`] components, the first half lies in the low halves of the bytes and the second half in the high ones:
//! one `and` and one shift bring out each half in the order of the query.

#[cfg(target_arch = "aarch64")]
use std::arch::aarch64::*;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use super::Kernels;
#[cfg(target_arch = "x86_64")]
use super::bytes::avx512_has_bytes;

/// Components that are unpacked together.
pub(crate) const RUN: usize = 128;
/// The bytes of a run in a sketch.
pub(crate) const RUN_BYTES: usize = RUN / 2;

impl Kernels {
    /// The product of a sketch with a query of as many runs.
    #[inline]
    pub(crate) fn sketch_product(self, sketch: &[u8], query: &[i8]) -> i32 {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: AVX-512F, BW and VNNI must be there: the value says so of the first, and the others
            // are asked for here.
            Kernels::Avx512(_) if avx512_has_bytes() => unsafe { avx512(sketch, query) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the processor must have AVX2, and does where either value exists.
            Kernels::Avx2(_) | Kernels::Avx512(_) => unsafe { avx2(sketch, query) },
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            // SAFETY: the processor must have NEON, and does where the value exists.
            Kernels::Neon(_) => unsafe { neon(sketch, query) },
            Kernels::Scalar(_) => scalar(sketch, query),
        }
    }
}

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
#[target_feature(enable = "neon")]
fn neon(sketch: &[u8], query: &[i8]) -> i32 {
    let mask = vdupq_n_u8(15);
    let mut sums = [vdupq_n_s32(0); 2];
    for (sketch, query) in sketch.as_chunks::<RUN_BYTES>().0.iter().zip(query.as_chunks::<RUN>().0)
    {
        for part in (0..RUN_BYTES).step_by(16) {
            // SAFETY: 16 bytes are read from a multiple of 16 on, of the 64 of a sketch's run and of either
            // half of the query's 128.
            let (both, low, high) = unsafe {
                (
                    vld1q_u8(sketch.as_ptr().add(part)),
                    vld1q_s8(query.as_ptr().add(part)),
                    vld1q_s8(query.as_ptr().add(RUN_BYTES + part)),
                )
            };
            let lower = vreinterpretq_s8_u8(vandq_u8(both, mask));
            let upper = vreinterpretq_s8_u8(vshrq_n_u8::<4>(both));
            // Two products of 15 by 128 at most: far from the end of 16 bits.
            let first = vmull_s8(vget_low_s8(lower), vget_low_s8(low));
            let first = vmlal_s8(first, vget_low_s8(upper), vget_low_s8(high));
            let second = vmlal_high_s8(vmull_high_s8(lower, low), upper, high);
            sums[0] = vpadalq_s16(sums[0], first);
            sums[1] = vpadalq_s16(sums[1], second);
        }
    }
    vaddvq_s32(vaddq_s32(sums[0], sums[1]))
}

fn scalar(sketch: &[u8], query: &[i8]) -> i32 {
    let runs = sketch.as_chunks::<RUN_BYTES>().0.iter().zip(query.as_chunks::<RUN>().0);
    let product = |(sketch, query): (&[u8; RUN_BYTES], &[i8; RUN])| -> i32 {
        let (low, high) = query.split_at(RUN_BYTES);
        let both = sketch.iter().zip(low.iter().zip(high));
        both.map(|(&byte, (&low, &high))| {
            i32::from(byte & 15) * i32::from(low) + i32::from(byte >> 4) * i32::from(high)
        })
        .sum()
    };
    runs.map(product).sum()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn avx512(sketch: &[u8], query: &[i8]) -> i32 {
    let mask = _mm512_set1_epi8(15);
    let mut sums = [_mm512_setzero_si512(); 2];
    for (sketch, query) in sketch.as_chunks::<RUN_BYTES>().0.iter().zip(query.as_chunks::<RUN>().0)
    {
        // SAFETY: the chunks hold the 64 bytes, and the twice 64 bytes, that are read.
        let (both, low, high) = unsafe {
            (
                _mm512_loadu_si512(sketch.as_ptr().cast()),
                _mm512_loadu_si512(query.as_ptr().cast()),
                _mm512_loadu_si512(query.as_ptr().add(RUN_BYTES).cast()),
            )
        };
        sums[0] = _mm512_dpbusd_epi32(sums[0], _mm512_and_si512(both, mask), low);
        let upper = _mm512_and_si512(_mm512_srli_epi16::<4>(both), mask);
        sums[1] = _mm512_dpbusd_epi32(sums[1], upper, high);
    }
    _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1]))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(sketch: &[u8], query: &[i8]) -> i32 {
    let (mask, ones) = (_mm256_set1_epi8(15), _mm256_set1_epi16(1));
    let mut sum = _mm256_setzero_si256();
    for (sketch, query) in sketch.as_chunks::<RUN_BYTES>().0.iter().zip(query.as_chunks::<RUN>().0)
    {
        for half in [0, RUN_BYTES / 2] {
            // SAFETY: 32 bytes are read from the first or the 33rd of the 64 of a sketch's run on, and of
            // either half of the query's 128.
            let (both, low, high) = unsafe {
                (
                    _mm256_loadu_si256(sketch.as_ptr().add(half).cast()),
                    _mm256_loadu_si256(query.as_ptr().add(half).cast()),
                    _mm256_loadu_si256(query.as_ptr().add(RUN_BYTES + half).cast()),
                )
            };
            let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(both), mask);
            // Two products of 15 by 128 at most, twice: far from the end of 16 bits.
            let pairs = _mm256_add_epi16(
                _mm256_maddubs_epi16(_mm256_and_si256(both, mask), low),
                _mm256_maddubs_epi16(upper, high),
            );
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
        }
    }
    let mut lanes = [0i32; 8];
    // SAFETY: `lanes` has room for the 32 bytes that are stored.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sum) };
    lanes.iter().sum()
}
