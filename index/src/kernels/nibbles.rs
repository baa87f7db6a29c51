//! Estimates for all neighbours of a node at once, from codes of four bits.
//!
//! In: for each of 32 neighbours one code of four bits a slot, a table of 16 bytes a slot that the query
//! has made, and a scale for each neighbour. Out: 32 estimated similarities.
//!
//! A slot's codes are 16 bytes: byte `i` holds neighbour `i` in its low half and neighbour `i + 16` in its
//! high half. So one byte shuffle looks up 16 neighbours (32 with AVX2, for two slots; 64 with AVX-512, for
//! four), and a hop reads its codes as one run of bytes. Sums are kept in 16 bits, which hold 257 slots.

#[cfg(target_arch = "aarch64")]
use std::arch::aarch64::*;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use super::Kernels;
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
use super::neon::widen;

/// Neighbours that are estimated together.
pub(crate) const NEIGHBOURS: usize = 32;
/// The bytes of a slot, in the codes as in the table.
pub(crate) const SLOT: usize = 16;
/// Slots come in whole groups of so many.
pub(crate) const SLOT_GROUP: usize = 4;
/// More slots would overflow the sums.
pub(crate) const MAX_SLOTS: usize = 256;

/// What a query makes once, to look up in ever after.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// 16 bytes a slot.
    pub(crate) bytes: Vec<u8>,
    /// What a unit of a sum is worth.
    pub(crate) unit: f32,
    /// What a sum of zero is worth.
    pub(crate) base: f32,
    /// The length of the query, for which offsets are meant to be one.
    pub(crate) length: f32,
}

/// What a neighbour's sum is scaled by, and what is added to it, in half precision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Factors<'a> {
    pub(crate) scales: &'a [[u8; 2]; NEIGHBOURS],
    pub(crate) offsets: &'a [[u8; 2]; NEIGHBOURS],
}

impl Kernels {
    /// Estimates `(centre + length * offset) + scale * (base + unit * sum)` for each neighbour.
    #[inline]
    pub(crate) fn estimates(
        self,
        table: &Table,
        codes: &[u8],
        factors: Factors<'_>,
        centre: f32,
        out: &mut [f32; NEIGHBOURS],
    ) {
        assert!(
            codes.len() == table.bytes.len() && codes.len().is_multiple_of(SLOT * SLOT_GROUP),
            "codes of another length"
        );
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the processor must have AVX-512F and BW: asked for here.
            Kernels::Avx512(_) if is_x86_feature_detected!("avx512bw") => unsafe {
                avx512(table, codes, factors, centre, out)
            },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the processor must have AVX2, FMA and F16C, and does where either value exists.
            Kernels::Avx2(_) | Kernels::Avx512(_) => unsafe {
                avx2(table, codes, factors, centre, out)
            },
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            // SAFETY: the processor must have NEON, and does where the value exists.
            Kernels::Neon(_) => unsafe { neon(table, codes, factors, centre, out) },
            Kernels::Scalar(_) => scalar(table, codes, factors, centre, out),
        }
    }
}

fn scalar(
    table: &Table,
    codes: &[u8],
    factors: Factors<'_>,
    centre: f32,
    out: &mut [f32; NEIGHBOURS],
) {
    let mut sums = [0u16; NEIGHBOURS];
    for (codes, table) in codes.as_chunks::<SLOT>().0.iter().zip(table.bytes.as_chunks::<SLOT>().0)
    {
        for (i, code) in codes.iter().enumerate() {
            sums[i] += u16::from(table[usize::from(code & 15)]);
            sums[i + SLOT] += u16::from(table[usize::from(code >> 4)]);
        }
    }
    let single = |half: [u8; 2]| half::f16::from_le_bytes(half).to_f32();
    for (i, (out, sum)) in out.iter_mut().zip(sums).enumerate() {
        let product = f32::from(sum).mul_add(table.unit, table.base);
        let offset = single(factors.offsets[i]).mul_add(table.length, centre);
        *out = single(factors.scales[i]).mul_add(product, offset);
    }
}

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
#[target_feature(enable = "neon")]
fn neon(
    table: &Table,
    codes: &[u8],
    factors: Factors<'_>,
    centre: f32,
    out: &mut [f32; NEIGHBOURS],
) {
    let low = vdupq_n_u8(15);
    let mut sums = [vdupq_n_u16(0); 4];
    for (codes, table) in codes.as_chunks::<SLOT>().0.iter().zip(table.bytes.as_chunks::<SLOT>().0)
    {
        // SAFETY: both chunks hold the 16 bytes that are read.
        let (codes, table) = unsafe { (vld1q_u8(codes.as_ptr()), vld1q_u8(table.as_ptr())) };
        let first = vqtbl1q_u8(table, vandq_u8(codes, low));
        let second = vqtbl1q_u8(table, vshrq_n_u8::<4>(codes));
        sums[0] = vaddw_u8(sums[0], vget_low_u8(first));
        sums[1] = vaddw_high_u8(sums[1], first);
        sums[2] = vaddw_u8(sums[2], vget_low_u8(second));
        sums[3] = vaddw_high_u8(sums[3], second);
    }
    let (unit, base) = (vdupq_n_f32(table.unit), vdupq_n_f32(table.base));
    let (length, centre) = (vdupq_n_f32(table.length), vdupq_n_f32(centre));
    for (eighth, sums) in sums.into_iter().enumerate() {
        for (half, sums) in
            [vmovl_u16(vget_low_u16(sums)), vmovl_high_u16(sums)].into_iter().enumerate()
        {
            let at = eighth * 8 + half * 4;
            let product = vfmaq_f32(base, vcvtq_f32_u32(sums), unit);
            // SAFETY: scales, offsets and `out` hold 32 values, of which 4 are read and written from a multiple
            // of 4 on.
            unsafe {
                let read = |halves: &[[u8; 2]; NEIGHBOURS]| {
                    widen(vld1_u16(halves.as_ptr().add(at).cast()))
                };
                let offsets = vfmaq_f32(centre, read(factors.offsets), length);
                let estimates = vfmaq_f32(offsets, read(factors.scales), product);
                vst1q_f32(out.as_mut_ptr().add(at), estimates);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx2")]
fn avx512(
    table: &Table,
    codes: &[u8],
    factors: Factors<'_>,
    centre: f32,
    out: &mut [f32; NEIGHBOURS],
) {
    let low = _mm512_set1_epi8(15);
    let mut sums = [[_mm512_setzero_si512(); 2]; 2];
    for (codes, table) in codes.as_chunks::<64>().0.iter().zip(table.bytes.as_chunks::<64>().0) {
        // SAFETY: both chunks hold the 64 bytes that are read.
        let (codes, table) = unsafe {
            (_mm512_loadu_si512(codes.as_ptr().cast()), _mm512_loadu_si512(table.as_ptr().cast()))
        };
        let halves =
            [_mm512_and_si512(codes, low), _mm512_and_si512(_mm512_srli_epi16::<4>(codes), low)];
        for (sums, half) in sums.iter_mut().zip(halves) {
            let found = _mm512_shuffle_epi8(table, half);
            // Even bytes carry the odd ones on their backs, to be taken off in the end.
            sums[0] = _mm512_add_epi16(sums[0], found);
            sums[1] = _mm512_add_epi16(sums[1], _mm512_srli_epi16::<8>(found));
        }
    }
    for (half, [both, odd]) in sums.into_iter().enumerate() {
        let even = _mm512_sub_epi16(both, _mm512_slli_epi16::<8>(odd));
        let [even, odd] = [even, odd].map(|sums| {
            let sums = _mm256_add_epi16(
                _mm512_castsi512_si256(sums),
                _mm512_extracti64x4_epi64::<1>(sums),
            );
            _mm_add_epi16(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums))
        });
        let sums = _mm256_set_m128i(_mm_unpackhi_epi16(even, odd), _mm_unpacklo_epi16(even, odd));
        let sums = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(sums));
        let product = _mm512_fmadd_ps(sums, _mm512_set1_ps(table.unit), _mm512_set1_ps(table.base));
        let at = half * 16;
        // SAFETY: scales, offsets and `out` hold 32 values, of which 16 are read and written from the first or
        // the 17th on.
        unsafe {
            let read = |halves: &[[u8; 2]; NEIGHBOURS]| {
                _mm512_cvtph_ps(_mm256_loadu_si256(halves.as_ptr().add(at).cast()))
            };
            let (length, centre) = (_mm512_set1_ps(table.length), _mm512_set1_ps(centre));
            let offsets = _mm512_fmadd_ps(read(factors.offsets), length, centre);
            let estimates = _mm512_fmadd_ps(read(factors.scales), product, offsets);
            _mm512_storeu_ps(out.as_mut_ptr().add(at), estimates);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn avx2(
    table: &Table,
    codes: &[u8],
    factors: Factors<'_>,
    centre: f32,
    out: &mut [f32; NEIGHBOURS],
) {
    let low = _mm256_set1_epi8(15);
    let mut sums = [[_mm256_setzero_si256(); 2]; 2];
    for (codes, table) in codes.as_chunks::<32>().0.iter().zip(table.bytes.as_chunks::<32>().0) {
        // SAFETY: both chunks hold the 32 bytes that are read.
        let (codes, table) = unsafe {
            (_mm256_loadu_si256(codes.as_ptr().cast()), _mm256_loadu_si256(table.as_ptr().cast()))
        };
        let halves =
            [_mm256_and_si256(codes, low), _mm256_and_si256(_mm256_srli_epi16::<4>(codes), low)];
        for (sums, half) in sums.iter_mut().zip(halves) {
            let found = _mm256_shuffle_epi8(table, half);
            sums[0] = _mm256_add_epi16(sums[0], found);
            sums[1] = _mm256_add_epi16(sums[1], _mm256_srli_epi16::<8>(found));
        }
    }
    for (half, [both, odd]) in sums.into_iter().enumerate() {
        let even = _mm256_sub_epi16(both, _mm256_slli_epi16::<8>(odd));
        let [even, odd] = [even, odd].map(|sums| {
            _mm_add_epi16(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums))
        });
        for (quarter, sums) in
            [_mm_unpacklo_epi16(even, odd), _mm_unpackhi_epi16(even, odd)].into_iter().enumerate()
        {
            let at = half * 16 + quarter * 8;
            let sums = _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(sums));
            let product =
                _mm256_fmadd_ps(sums, _mm256_set1_ps(table.unit), _mm256_set1_ps(table.base));
            // SAFETY: scales, offsets and `out` hold 32 values, of which 8 are read and written from a multiple
            // of 8 on.
            unsafe {
                let read = |halves: &[[u8; 2]; NEIGHBOURS]| {
                    _mm256_cvtph_ps(_mm_loadu_si128(halves.as_ptr().add(at).cast()))
                };
                let (length, centre) = (_mm256_set1_ps(table.length), _mm256_set1_ps(centre));
                let offsets = _mm256_fmadd_ps(read(factors.offsets), length, centre);
                let estimates = _mm256_fmadd_ps(read(factors.scales), product, offsets);
                _mm256_storeu_ps(out.as_mut_ptr().add(at), estimates);
            }
        }
    }
}
