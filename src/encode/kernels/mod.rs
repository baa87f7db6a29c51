//! The inner loops of the networks on a CPU, compiled once for each instruction set.
//!
//! Flowing in: slices of `f32`, row after row. Flowing out: the same, or written in place. Nothing here
//! knows of models or texts, takes a thread of its own, or allocates while it runs.
//!
//! **One row does not feel the next.** Each result is a sum in an order that depends on the row's own
//! length alone, so that a row has the same bits whatever stands beside it and however many threads
//! share the work. Instruction sets may differ in the last bits: some have fused multiply-adds.
//!
//! [`product`] multiplies matrices, in register tiles that `tile` writes by hand, because compilers do not find them;
//! [`strided`] does the same for matrices of any orientation that are seen once, as training has them.
//! [`gelu`], [`softmax`], [`norm`], [`depthwise`], [`winograd`] and, of bytes, [`resample`] are plain loops over chunks of [`LANES`],
//! which the compiler makes vector instructions of.

mod depthwise;
mod exp;
mod gelu;
mod norm;
mod product;
mod resample;
mod softmax;
mod strided;
mod tile;
pub(super) mod winograd;

use std::sync::LazyLock;

pub(super) use depthwise::{Line, depthwise};
pub(crate) use exp::exp;
pub(super) use gelu::{gelu, gelu_tanh};
pub(super) use norm::add_norm;
pub(super) use product::{Base, Ending, Grid, Steps, multiply_grid};
pub(crate) use product::{Panels, Rows, multiply};
pub(super) use resample::{PIXELS, PRECISION, Pixel, Weights, weigh_pixels, weigh_rows};
pub(super) use softmax::softmax;
pub(crate) use strided::{
    Lanes, Matrix, Onto, lay_out, multiply_onto, multiply_panels, multiply_rows, multiply_shared,
    transpose,
};

/// Values that go through a loop side by side: one AVX-512 register, two of AVX2, four of NEON.
pub(super) const LANES: usize = 16;

/// An instruction set. A value proves that this processor has it: [`Isa::available`] alone makes them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Isa(pub(crate) Set);

#[derive(Debug, Clone, Copy)]
pub(crate) enum Set {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Isa {
    /// The widest that this processor has. It is asked once.
    pub fn best() -> Self {
        static BEST: LazyLock<Isa> =
            LazyLock::new(|| Isa::available().next().unwrap_or(Isa(Set::Portable)));
        *BEST
    }

    /// All that this processor has, widest first.
    pub fn available() -> impl Iterator<Item = Self> {
        [
            #[cfg(target_arch = "x86_64")]
            is_x86_feature_detected!("avx512f").then_some(Isa(Set::Avx512)),
            #[cfg(target_arch = "x86_64")]
            (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"))
                .then_some(Isa(Set::Avx2)),
            Some(Isa(Set::Portable)),
        ]
        .into_iter()
        .flatten()
    }
}

/// Defines a function that runs `$body`, an `#[inline(always)]` function, compiled for the instruction
/// set that its first argument names.
macro_rules! for_each_isa {
    ($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) runs $body:path) => {
        $(#[$doc])*
        pub(crate) fn $name(isa: $crate::encode::kernels::Isa, $($argument: $type),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f")]
            fn avx512($($argument: $type),*) {
                $body($($argument),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($argument: $type),*) {
                $body($($argument),*)
            }
            match isa.0 {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the processor must have AVX-512F, else it would meet an unknown instruction
                // and the process would end. This `Isa` exists only where `available` found it.
                $crate::encode::kernels::Set::Avx512 => unsafe { avx512($($argument),*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above, for AVX2 and FMA.
                $crate::encode::kernels::Set::Avx2 => unsafe { avx2($($argument),*) },
                $crate::encode::kernels::Set::Portable => $body($($argument),*),
            }
        }
    };
}
pub(crate) use for_each_isa;

/// Pseudo-random values from -1 to 1, for tests.
#[cfg(test)]
fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}
