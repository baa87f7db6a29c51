//! The transforms of Winograd's convolution F(4x4, 3x3) (Lavin and Gray 2015): sixteen sums of nine products
//! each come of 36 products instead of 144.
//!
//! ```text
//! y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A
//! ```
//!
//! with `d` the 6x6 places under 4x4 outputs and `g` the kernel. Summed over the input channels, each of
//! the 36 elements of ⊙ is a matrix product over all tiles. What rounding does is some ten times what it
//! does to plain sums: about 1e-6 of the largest value.

use super::{LANES, for_each_isa};

/// Places along a side of what a tile looks at.
pub(in crate::encode) const SEEN: usize = 6;
/// Places along a side of what it gives.
pub(in crate::encode) const MADE: usize = 4;
/// Elements of a transformed tile.
pub(in crate::encode) const ELEMENTS: usize = SEEN * SEEN;

/// `G g Gᵀ` of one kernel's nine weights, row by row.
pub(in crate::encode) fn weights(kernel: [f32; 9]) -> [f32; ELEMENTS] {
    const G: [[f64; 3]; SEEN] = [
        [1.0 / 4.0, 0.0, 0.0],
        [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
        [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
        [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
        [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
        [0.0, 0.0, 1.0],
    ];
    std::array::from_fn(|at| {
        let (down, across) = (&G[at / SEEN], &G[at % SEEN]);
        let term = |tap: usize| f64::from(kernel[tap]) * down[tap / 3] * across[tap % 3];
        (0..9).map(term).sum::<f64>() as f32
    })
}

for_each_isa! {
    /// `Bᵀ d B`: from the 6x6 places at the beginning of `input`, whose rows are `row` values apart, to the
    /// elements of a tile, each `apart` values after the one before. A place has `channels` values, a
    /// multiple of [`LANES`].
    ///
    /// # Panics
    /// Where a slice is too short.
    see(input: &[f32], row: usize, channels: usize, elements: &mut [f32], apart: usize) runs see_all
}

for_each_isa! {
    /// `high ∧ (low ∨ (Aᵀ m A + bias))`: from the elements of a tile, each `apart` values after the one
    /// before, to 4x4 places, whose rows are `row` values apart. A place has as many values as the bias, a
    /// multiple of [`LANES`].
    ///
    /// # Panics
    /// Where a slice is too short.
    make(
        elements: &[f32],
        apart: usize,
        bias: &[f32],
        bounds: (f32, f32),
        places: &mut [f32],
        row: usize
    ) runs make_all
}

type Lanes = [f32; LANES];

#[inline(always)]
fn see_all(input: &[f32], row: usize, channels: usize, elements: &mut [f32], apart: usize) {
    assert!(channels.is_multiple_of(LANES), "channels in whole lanes");
    for first in (0..channels).step_by(LANES) {
        let mut half = [[[0.0; LANES]; SEEN]; SEEN];
        for column in 0..SEEN {
            let mut d = [[0.0; LANES]; SEEN];
            for (at, d) in d.iter_mut().enumerate() {
                d.copy_from_slice(&input[at * row + column * channels + first..][..LANES]);
            }
            let seen = seen(&d);
            for (half, seen) in half.iter_mut().zip(seen) {
                half[column] = seen;
            }
        }
        for (down, half) in half.iter().enumerate() {
            for (across, lanes) in seen(half).iter().enumerate() {
                let at = (down * SEEN + across) * apart + first;
                elements[at..at + LANES].copy_from_slice(lanes);
            }
        }
    }
}

#[inline(always)]
fn make_all(
    elements: &[f32],
    apart: usize,
    bias: &[f32],
    (low, high): (f32, f32),
    places: &mut [f32],
    row: usize,
) {
    let channels = bias.len();
    let (bias, tail) = bias.as_chunks::<LANES>();
    assert!(tail.is_empty(), "channels in whole lanes");
    for (chunk, bias) in bias.iter().enumerate() {
        let first = chunk * LANES;
        let mut half = [[[0.0; LANES]; SEEN]; MADE];
        for column in 0..SEEN {
            let mut m = [[0.0; LANES]; SEEN];
            for (at, m) in m.iter_mut().enumerate() {
                m.copy_from_slice(&elements[(at * SEEN + column) * apart + first..][..LANES]);
            }
            let made = made(&m);
            for (half, made) in half.iter_mut().zip(made) {
                half[column] = made;
            }
        }
        for (down, half) in half.iter().enumerate() {
            for (across, lanes) in made(half).iter().enumerate() {
                let place = &mut places[down * row + across * channels + first..][..LANES];
                for ((place, made), bias) in place.iter_mut().zip(lanes).zip(bias) {
                    *place = (made + bias).clamp(low, high);
                }
            }
        }
    }
}

/// `Bᵀ d` for one column.
#[inline(always)]
fn seen(d: &[Lanes; SEEN]) -> [Lanes; SEEN] {
    let mut seen = [[0.0; LANES]; SEEN];
    for lane in 0..LANES {
        let [d0, d1, d2, d3, d4, d5] =
            [d[0][lane], d[1][lane], d[2][lane], d[3][lane], d[4][lane], d[5][lane]];
        let (even, odd) = (d4 - 4.0 * d2, d3 - 4.0 * d1);
        let (near, far) = (d4 - d2, 2.0 * (d3 - d1));
        seen[0][lane] = 4.0 * d0 - 5.0 * d2 + d4;
        seen[1][lane] = even + odd;
        seen[2][lane] = even - odd;
        seen[3][lane] = near + far;
        seen[4][lane] = near - far;
        seen[5][lane] = 4.0 * d1 - 5.0 * d3 + d5;
    }
    seen
}

/// `Aᵀ m` for one column.
#[inline(always)]
fn made(m: &[Lanes; SEEN]) -> [Lanes; MADE] {
    let mut made = [[0.0; LANES]; MADE];
    for lane in 0..LANES {
        let [m0, m1, m2, m3, m4, m5] =
            [m[0][lane], m[1][lane], m[2][lane], m[3][lane], m[4][lane], m[5][lane]];
        let (sum, difference) = (m1 + m2, m1 - m2);
        let (far_sum, far_difference) = (m3 + m4, m3 - m4);
        made[0][lane] = m0 + sum + far_sum;
        made[1][lane] = difference + 2.0 * far_difference;
        made[2][lane] = sum + 4.0 * far_sum;
        made[3][lane] = difference + 8.0 * far_difference + m5;
    }
    made
}

#[cfg(test)]
mod tests {
    use super::super::{Isa, noise};
    use super::*;

    /// One channel among many, convolved by the definition.
    #[test]
    fn transforms_and_products_are_a_convolution() {
        let channels = 2 * LANES;
        let input = noise(SEEN * SEEN * channels, 1);
        let kernel: [f32; 9] = noise(9, 2).try_into().unwrap();
        let transformed = weights(kernel);
        for isa in Isa::available() {
            let mut elements = vec![0.0; ELEMENTS * channels];
            see(isa, &input, SEEN * channels, channels, &mut elements, channels);
            for (element, weight) in elements.chunks_exact_mut(channels).zip(transformed) {
                element.iter_mut().for_each(|x| *x *= weight);
            }
            let mut places = vec![0.0; MADE * MADE * channels];
            let (bias, bounds) = (noise(channels, 3), (-0.5, 0.75));
            make(isa, &elements, channels, &bias, bounds, &mut places, MADE * channels);
            for (place, found) in places.chunks_exact(channels).enumerate() {
                let (y, x) = (place / MADE, place % MADE);
                for (channel, &found) in found.iter().enumerate() {
                    let term = |tap: usize| {
                        let at = (y + tap / 3) * SEEN + x + tap % 3;
                        f64::from(kernel[tap]) * f64::from(input[at * channels + channel])
                    };
                    let sum = (0..9).map(term).sum::<f64>() + f64::from(bias[channel]);
                    let expected = sum.clamp(-0.5, 0.75);
                    assert!((f64::from(found) - expected).abs() < 1e-5, "{isa:?}, {place}");
                }
            }
        }
    }
}
