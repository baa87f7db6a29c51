//! Inner products of stored rows with queries, as fast as the processor allows and the same bits on
//! every processor.
//!
//! In: rows as they lie in a segment (little-endian, wherever they happen to start in memory) and
//! `f32` queries. Out: one similarity per row and query.
//!
//! **One order of summation for all.** Lane `l` of 16 sums the products of the components `l`,
//! `l + 16`, `l + 32`, ... with fused multiply-adds, in that order; then the lanes are added in halves:
//! `l` with `l + 8`, with `l + 4`, with `l + 2`, with `l + 1`. AVX-512 keeps the 16 lanes in one register, AVX2
//! in two, NEON in four, and [`scalar`] in an array. Since each of these steps is rounded as IEEE 754
//! says, they agree to the last bit, and so do one query and a batch, one thread and many, this
//! machine and the next. Rankings follow.
//!
//! **Tiles.** In a batch, several rows and several queries are walked together: a multiplier waits for
//! nobody's result, and what is loaded once serves many products. A query alone takes row after row,
//! since then memory decides, and that is fastest when read from front to back.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod bytes;
pub(crate) mod halfbytes;
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod neon;
pub(crate) mod nibbles;
mod scalar;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_graph;

use std::sync::LazyLock;

/// The lanes that a sum is kept in.
const LANES: usize = 16;

/// How far ahead of the scan memory is asked.
///
/// The processor's own prefetching starts anew in each page, and a row of halves is a page or less. Against
/// four rows at a time, one row with 16 KiB of foresight brought 100,000 x 2048 halves from 14.7 to 11.3 CPU ms,
/// and singles from 29 to 23; 4 KiB is too short for halves, beyond 8 KiB little changes.
#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little")))]
const AHEAD_BYTES: usize = 16 << 10;

/// Asks memory for the values that will be needed soon.
#[inline]
pub(crate) fn ahead<T>(values: &[T]) {
    let start = values.as_ptr().cast::<u8>();
    (0..size_of_val(values)).step_by(64).for_each(|line| prefetch(start.wrapping_add(line)));
}

/// Asks memory for what a scan that reads here will read soon. It may lie past the last row and even past the map.
#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little")))]
#[inline(always)]
fn read_soon<T>(reading: *const T) {
    prefetch(reading.cast::<u8>().wrapping_add(AHEAD_BYTES));
}

#[inline(always)]
fn prefetch(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint, which neither faults nor changes anything at any address. Every x86-64 has it.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the same of every AArch64.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) at, options(nostack, readonly, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = at;
}

/// A stored component: its bytes in little-endian order, so that any address will do.
pub(crate) trait Element: Copy + Send + Sync + 'static {
    /// Whether this is half precision (else it is single).
    const HALF: bool = size_of::<Self>() == 2;

    /// The value, which both precisions hold without rounding.
    fn to_f32(self) -> f32;
}

impl Element for [u8; 4] {
    fn to_f32(self) -> f32 {
        f32::from_le_bytes(self)
    }
}

impl Element for [u8; 2] {
    fn to_f32(self) -> f32 {
        half::f16::from_le_bytes(self).to_f32()
    }
}

/// An instruction set. A value of an implementing type proves that this processor has it.
trait Isa: Copy {
    /// The similarities of `R` rows with `Q` queries, all of one length. With `AHEAD`, memory is asked
    /// for what stands [`AHEAD_BYTES`] further on.
    fn tile<const R: usize, const Q: usize, const AHEAD: bool, E: Element>(
        self,
        rows: [&[E]; R],
        queries: [&[f32]; Q],
    ) -> [[f32; Q]; R];

    /// As [`Kernels::products`], in tiles that fill this instruction set's registers.
    fn products<E: Element>(self, rows: &[E], queries: &[&[f32]], out: &mut [f32]);
}

/// The fastest kernels that this processor runs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kernels {
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
    #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
    Neon(neon::Neon),
    Scalar(scalar::Scalar),
}

impl Kernels {
    /// Asks the processor once, and answers from memory ever after.
    pub(crate) fn best() -> Self {
        static BEST: LazyLock<Kernels> = LazyLock::new(|| {
            Kernels::available().next().unwrap_or(Kernels::Scalar(scalar::Scalar))
        });
        *BEST
    }

    /// All that this processor runs, fastest first.
    pub(crate) fn available() -> impl Iterator<Item = Self> {
        [
            #[cfg(target_arch = "x86_64")]
            avx512::Avx512::detect().map(Kernels::Avx512),
            #[cfg(target_arch = "x86_64")]
            avx2::Avx2::detect().map(Kernels::Avx2),
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            neon::Neon::detect().map(Kernels::Neon),
            Some(Kernels::Scalar(scalar::Scalar)),
        ]
        .into_iter()
        .flatten()
    }

    /// What to call these kernels in a report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Kernels::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Kernels::Avx2(_) => "avx2",
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Kernels::Neon(_) => "neon",
            Kernels::Scalar(_) => "scalar",
        }
    }

    /// The similarity of every row with every query: `out[q * rows + r]`. Never NaN: a sum that
    /// is none (a query or a damaged file may make infinities meet) counts as the worst there is.
    ///
    /// # Panics
    /// Where the rows are no whole number of the queries' length, or `out` has not a place for each.
    pub(crate) fn products<E: Element>(self, rows: &[E], queries: &[&[f32]], out: &mut [f32]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Kernels::Avx512(isa) => isa.products(rows, queries, out),
            #[cfg(target_arch = "x86_64")]
            Kernels::Avx2(isa) => isa.products(rows, queries, out),
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Kernels::Neon(isa) => isa.products(rows, queries, out),
            Kernels::Scalar(isa) => isa.products(rows, queries, out),
        }
        for similarity in out {
            *similarity = if similarity.is_nan() { f32::NEG_INFINITY } else { *similarity };
        }
    }
}

/// Covers rows and queries with tiles of `R` by `Q`, and the edges with narrower ones.
///
/// Rows are the outer loop: those of a tile stay in the first cache while the queries, which all
/// rows share, come by from the second.
fn cover<const R: usize, const Q: usize, I: Isa, E: Element>(
    isa: I,
    rows: &[E],
    queries: &[&[f32]],
    out: &mut [f32],
) {
    let Some(dimension) = queries.first().map(|query| query.len()) else { return };
    assert!(dimension > 0 && rows.len().is_multiple_of(dimension), "rows of another length");
    let count = rows.len() / dimension;
    assert_eq!(out.len(), count * queries.len(), "one place for each similarity");
    if let [query] = queries {
        return pass_by(isa, rows, query, out);
    }
    let row = |r: usize| &rows[r * dimension..][..dimension];

    let mut r = 0;
    while r + R <= count {
        let tile_rows: [&[E]; R] = std::array::from_fn(|i| row(r + i));
        strip::<R, Q, I, E>(isa, tile_rows, queries, out, count, r);
        r += R;
    }
    for r in r..count {
        strip::<1, Q, I, E>(isa, [row(r)], queries, out, count, r);
    }
}

/// The similarities of all rows with one query.
fn pass_by<I: Isa, E: Element>(isa: I, rows: &[E], query: &[f32], out: &mut [f32]) {
    if let [similarity] = out {
        // A row alone: what follows it will not be asked for.
        [[*similarity]] = isa.tile::<1, 1, false, E>([rows], [query]);
        return;
    }
    for (row, similarity) in rows.chunks_exact(query.len()).zip(out) {
        [[*similarity]] = isa.tile::<1, 1, true, E>([row], [query]);
    }
}

/// The similarities of `R` rows, the first of which is row `r` of `count`, with all queries.
fn strip<const R: usize, const Q: usize, I: Isa, E: Element>(
    isa: I,
    rows: [&[E]; R],
    queries: &[&[f32]],
    out: &mut [f32],
    count: usize,
    r: usize,
) {
    let (wide, rest) = queries.as_chunks::<Q>();
    let (narrow, single) = rest.as_chunks::<2>();
    let mut q = 0;
    for queries in wide {
        put(isa.tile::<R, Q, false, E>(rows, *queries), &mut out[q * count..], count, r);
        q += Q;
    }
    for queries in narrow {
        put(isa.tile::<R, 2, false, E>(rows, *queries), &mut out[q * count..], count, r);
        q += 2;
    }
    for query in single {
        put(isa.tile::<R, 1, false, E>(rows, [*query]), &mut out[q * count..], count, r);
        q += 1;
    }
}

/// Puts the sums of a tile, whose first row is row `r` of `count`, where they belong.
fn put<const R: usize, const Q: usize>(
    sums: [[f32; Q]; R],
    out: &mut [f32],
    count: usize,
    r: usize,
) {
    for (i, sums) in sums.iter().enumerate() {
        for (j, &sum) in sums.iter().enumerate() {
            out[j * count + r + i] = sum;
        }
    }
}

/// The whole steps that every one of these vectors has.
fn steps<const R: usize, const Q: usize, E>(rows: &[&[E]; R], queries: &[&[f32]; Q]) -> usize {
    let rows = rows.iter().map(|row| row.len()).min().unwrap_or(0);
    let queries = queries.iter().map(|query| query.len()).min().unwrap_or(0);
    rows.min(queries) / LANES
}

/// The components after the last whole step, padded with zeros: these add nothing to their lanes.
fn tails<const N: usize, T: Copy>(
    vectors: [&[T]; N],
    value: impl Fn(T) -> f32,
) -> [[f32; LANES]; N] {
    vectors.map(|vector| {
        let mut padded = [0.0; LANES];
        for (padded, component) in padded.iter_mut().zip(vector.as_chunks::<LANES>().1) {
            *padded = value(*component);
        }
        padded
    })
}

/// Adds the lanes in halves.
fn fold(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    positive_zero(lanes[0])
}

/// Negative zero is equal to zero, but would rank below it by its bits.
fn positive_zero(sum: f32) -> f32 {
    sum + 0.0
}
