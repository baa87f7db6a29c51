//! Inner products of 8-bit codes: what a graph is built on.
//!
//! In: signed bytes, each code filled up with zeros to whole [`STEP`]s. Out: sums in 32-bit integers,
//! which are exact, so that every processor builds the same graph.

#[cfg(target_arch = "aarch64")]
use std::arch::aarch64::*;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use super::{Kernels, ahead};

/// Codes are a multiple of so many bytes.
pub(crate) const STEP: usize = 64;

/// Equally long codes, one after another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Codes<'a> {
    pub(crate) bytes: &'a [i8],
    pub(crate) stride: usize,
}

impl<'a> Codes<'a> {
    pub(crate) fn get(&self, row: u32) -> &'a [i8] {
        &self.bytes[row as usize * self.stride..][..self.stride]
    }

    /// Asks for a code that will be needed soon.
    #[inline]
    pub(crate) fn ahead(&self, row: u32) {
        ahead(self.get(row));
    }
}

/// Writes numbers as signed bytes, all in one unit, which it returns. Places without a number become zero.
pub(crate) fn encode(numbers: &[f32], code: &mut [i8]) -> f32 {
    /// Adding it leaves no place for a fraction, and a float's last byte is then the whole number's.
    const WHOLE: f32 = (3u32 << 22) as f32;
    let mut lanes = [0.0f32; 16];
    let (whole, rest) = numbers.as_chunks::<16>();
    for some in whole {
        lanes.iter_mut().zip(some).for_each(|(lane, x)| *lane = lane.max(x.abs()));
    }
    let largest = lanes.iter().copied().chain(rest.iter().map(|x| x.abs())).fold(0.0, f32::max);
    let steps = if largest > 0.0 { (127.0 / largest).min(f32::MAX) } else { 0.0 };
    let (filled, padding) = code.split_at_mut(numbers.len());
    for (code, x) in filled.iter_mut().zip(numbers) {
        *code = (x * steps + WHOLE).to_bits() as i8;
    }
    padding.fill(0);
    largest / 127.0
}

/// Bytes of a file as the signed numbers that they are.
pub(crate) fn signed(bytes: &[u8]) -> &[i8] {
    // SAFETY: both types are one byte at any address, and every byte is a number of either; the slice that
    // comes back is the one that was given, for as long as it lives.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}

impl Kernels {
    /// The products of one code with those of some rows, in their order.
    #[inline]
    pub(crate) fn byte_products(
        self,
        code: &[i8],
        codes: Codes<'_>,
        rows: &[u32],
        mut found: impl FnMut(u32, i32),
    ) {
        for &row in rows.iter().take(AHEAD) {
            codes.ahead(row);
        }
        for (r, &row) in rows.iter().enumerate() {
            if let Some(&next) = rows.get(r + AHEAD) {
                codes.ahead(next);
            }
            found(row, self.byte_product(code, codes.get(row)));
        }
    }

    /// The product of two codes of one length.
    #[inline]
    pub(crate) fn byte_product(self, a: &[i8], b: &[i8]) -> i32 {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: AVX-512F, BW and VNNI must be there: the value says so of the first, and
            // `has_bytes` was asked for the others when it was made.
            Kernels::Avx512(_) if avx512_has_bytes() => unsafe { avx512(a, b) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the processor must have AVX2, and does where either value exists.
            Kernels::Avx2(_) | Kernels::Avx512(_) => unsafe { avx2(a, b) },
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            // SAFETY: the processor must have NEON, and does where the value exists.
            Kernels::Neon(_) => unsafe { neon(a, b) },
            Kernels::Scalar(_) => scalar(a, b),
        }
    }
}

/// Codes that are on their way while one is compared.
const AHEAD: usize = 4;

fn scalar(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum()
}

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
#[target_feature(enable = "neon")]
fn neon(a: &[i8], b: &[i8]) -> i32 {
    let mut sums = [vdupq_n_s32(0); 2];
    for (a, b) in a.as_chunks::<16>().0.iter().zip(b.as_chunks::<16>().0) {
        // SAFETY: each chunk holds the 16 bytes that are read.
        let (a, b) = unsafe { (vld1q_s8(a.as_ptr()), vld1q_s8(b.as_ptr())) };
        // A product fits 16 bits, the sum of two may not: pairs are added in 32.
        sums[0] = vpadalq_s16(sums[0], vmull_s8(vget_low_s8(a), vget_low_s8(b)));
        sums[1] = vpadalq_s16(sums[1], vmull_high_s8(a, b));
    }
    vaddvq_s32(vaddq_s32(sums[0], sums[1]))
}

#[cfg(target_arch = "x86_64")]
#[inline]
pub(super) fn avx512_has_bytes() -> bool {
    is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni")
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn avx512(a: &[i8], b: &[i8]) -> i32 {
    // The instruction wants one side unsigned: a + 128, and 128 times the other side's sum is taken off.
    let flip = _mm512_set1_epi8(-128);
    let (mut sum, mut shift) = (_mm512_setzero_si512(), _mm512_setzero_si512());
    for (a, b) in a.as_chunks::<STEP>().0.iter().zip(b.as_chunks::<STEP>().0) {
        // SAFETY: each chunk holds the 64 bytes that are read.
        let (a, b) = unsafe {
            (_mm512_loadu_si512(a.as_ptr().cast()), _mm512_loadu_si512(b.as_ptr().cast()))
        };
        sum = _mm512_dpbusd_epi32(sum, _mm512_xor_si512(a, flip), b);
        shift = _mm512_dpbusd_epi32(shift, flip, b);
    }
    _mm512_reduce_add_epi32(_mm512_sub_epi32(sum, shift))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(a: &[i8], b: &[i8]) -> i32 {
    let mut sums = [_mm256_setzero_si256(); 4];
    for (a, b) in a.as_chunks::<STEP>().0.iter().zip(b.as_chunks::<STEP>().0) {
        for (part, sum) in sums.iter_mut().enumerate() {
            // SAFETY: each chunk holds 64 bytes, of which 16 are read from a multiple of 16 on.
            let (a, b) = unsafe {
                (
                    _mm_loadu_si128(a.as_ptr().add(part * 16).cast()),
                    _mm_loadu_si128(b.as_ptr().add(part * 16).cast()),
                )
            };
            let pairs = _mm256_madd_epi16(_mm256_cvtepi8_epi16(a), _mm256_cvtepi8_epi16(b));
            *sum = _mm256_add_epi32(*sum, pairs);
        }
    }
    let [a, b, c, d] = sums;
    let sum = _mm256_add_epi32(_mm256_add_epi32(a, b), _mm256_add_epi32(c, d));
    let mut lanes = [0i32; 8];
    // SAFETY: `lanes` has room for the 32 bytes that are stored.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sum) };
    lanes.iter().sum()
}
