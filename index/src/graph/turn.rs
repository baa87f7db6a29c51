//! Turns vectors so that no component stands out: then one step fits all of them, and few bits tell them well.
//!
//! In: a vector. Out: the same seen from axes turned at random, which changes no inner product. Twice, components change signs by
//! lot, and a run of them (once the first, once the last, as many as the largest power of two) goes through a Hadamard
//! transform: `n log n` additions instead of the `n * n` products of any rotation.

use super::build::Random;
use crate::kernels::halfbytes::RUN;

/// How often signs change, and runs are transformed.
const ROUNDS: usize = 2;

/// The components of a turned vector: those that it has, filled up with zeros.
pub(super) fn width(dimension: usize) -> usize {
    dimension.next_multiple_of(RUN)
}

/// The bytes of all signs of a rotation.
pub(super) fn signs_length(dimension: usize) -> usize {
    ROUNDS * width(dimension) / 8
}

/// Draws signs, a bit a component: one for minus.
pub(super) fn draw_signs(dimension: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed ^ 0x7475_726e);
    (0..signs_length(dimension)).map(|_| random.next() as u8).collect()
}

/// Turns a vector; `turned` becomes as long as a turned vector is.
pub(super) fn turn(signs: &[u8], vector: &[f32], turned: &mut Vec<f32>) {
    turned.clear();
    turned.extend(vector);
    turned.resize(width(vector.len()), 0.0);
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor must have AVX2, and was asked.
        return unsafe { turn_avx2(signs, turned) };
    }
    turn_in_place(signs, turned);
}

/// The same for wider registers: no sum is taken in another order, so the same bits too.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn turn_avx2(signs: &[u8], values: &mut [f32]) {
    turn_in_place(signs, values);
}

#[inline(always)]
fn turn_in_place(signs: &[u8], values: &mut [f32]) {
    let run = 1 << values.len().ilog2();
    let from = [0, values.len() - run];
    for (signs, from) in signs.chunks_exact(values.len() / 8).zip(from) {
        for (eight, signs) in values.as_chunks_mut::<8>().0.iter_mut().zip(signs) {
            for (i, x) in eight.iter_mut().enumerate() {
                *x = f32::from_bits(x.to_bits() ^ u32::from(signs >> i & 1) << 31);
            }
        }
        hadamard(&mut values[from..from + run]);
    }
}

/// The transform of as many values as a power of two, at least 16, scaled so that lengths stay.
#[inline(always)]
fn hadamard(values: &mut [f32]) {
    let scale = 1.0 / (values.len() as f32).sqrt();
    for some in values.as_chunks_mut::<16>().0 {
        for half in [1, 2, 4, 8] {
            let before = *some;
            for (i, x) in some.iter_mut().enumerate() {
                let other = before[i ^ half];
                *x = if i & half == 0 { before[i] + other } else { other - before[i] };
            }
        }
        some.iter_mut().for_each(|x| *x *= scale);
    }
    let mut half = 16;
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (x, y) in low.iter_mut().zip(high) {
                (*x, *y) = (*x + *y, *x - *y);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transform_of_sixteen_by_hand() {
        // Row `i`, column `j` of the matrix is minus one to the number of bits that `i` and `j` share.
        for i in 0..16usize {
            let mut values = [0.0; 16];
            values[i] = 4.0;
            hadamard(&mut values);
            for (j, x) in values.iter().enumerate() {
                assert_eq!(*x, if (i & j).count_ones() % 2 == 0 { 1.0 } else { -1.0 });
            }
        }
    }

    #[test]
    fn products_stay_and_nothing_stands_out() {
        for dimension in [3, 128, 384, 1280, 2048] {
            let signs = draw_signs(dimension, 5);
            let mut random = Random::new(9);
            let mut vector = || (0..dimension).map(|_| random.component()).collect::<Vec<f32>>();
            let (a, b) = (vector(), vector());
            let dot = |a: &[f32], b: &[f32]| -> f64 {
                a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            let turned = |vector: &[f32]| {
                let mut out = Vec::new();
                turn(&signs, vector, &mut out);
                out
            };
            assert!((dot(&turned(&a), &turned(&b)) - dot(&a, &b)).abs() < 1e-4);
            let mut lone = vec![0.0; dimension];
            lone[dimension / 2] = 1.0;
            let largest = turned(&lone).iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
            assert!(largest < 6.0 / (width(dimension) as f32).sqrt(), "{largest}");
        }
    }
}
