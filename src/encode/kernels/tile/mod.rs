//! Tiles of a product: a few rows by one panel, the sums kept in registers until they are whole.
//!
//! Each instruction set has as many rows as its registers hold sums for. Every multiplication waits for
//! a result of some ten instructions before, so both multipliers of a core are busy all the time: the
//! tiles reach what the processor can do at all (AVX-512 at 4 GHz: 255 of 256 GF/s, AVX2 half of that).

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
pub(super) mod portable;

/// Calls `$tile` for the number of rows that there are, which it takes as a constant.
macro_rules! by_count {
    ($rows:expr, $tile:ident $arguments:tt, [$($count:literal)*]) => {
        match $rows.count() {
            $($count => $tile::<$count>$arguments,)*
            count => unreachable!("a tile of {count} rows"),
        }
    };
}
use by_count;
