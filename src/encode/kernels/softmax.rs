//! Softmax over the rows of a matrix.

use super::exp::exp;
use super::{LANES, for_each_isa};

for_each_isa! {
    /// In place, over the first `length` values of each row of `stride`, which is a multiple of [`LANES`];
    /// what is beyond them in a row is overwritten.
    ///
    /// # Panics
    /// Where a row is too short for its values, or its stride is no multiple.
    softmax(rows: &mut [f32], stride: usize, length: usize) runs softmax_all
}

#[inline(always)]
fn softmax_all(rows: &mut [f32], stride: usize, length: usize) {
    assert!(stride.is_multiple_of(LANES) && length <= stride && stride > 0, "rows too short");
    for row in rows.chunks_exact_mut(stride) {
        // The rest of the last chunk goes along, and must not count.
        row[length..].fill(f32::NEG_INFINITY);
        let (chunks, _) = row[..length.next_multiple_of(LANES)].as_chunks_mut::<LANES>();
        let mut largest = [f32::NEG_INFINITY; LANES];
        for chunk in chunks.iter() {
            for (largest, &x) in largest.iter_mut().zip(chunk) {
                *largest = if x > *largest { x } else { *largest };
            }
        }
        let largest = largest.into_iter().fold(f32::NEG_INFINITY, f32::max);
        let mut sums = [0.0; LANES];
        for chunk in chunks.iter_mut() {
            for (sum, x) in sums.iter_mut().zip(chunk) {
                // At least e^-87, which beside the largest value's 1 adds nothing to an `f32`.
                *x = exp(*x - largest);
                *sum += *x;
            }
        }
        let scale = 1.0 / sums.iter().sum::<f32>();
        for x in chunks.as_flattened_mut() {
            *x *= scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Isa, noise};
    use super::*;

    #[test]
    fn equals_its_definition_on_every_instruction_set() {
        for isa in Isa::available() {
            for length in [1usize, 2, 15, 16, 17, 33, 64, 511] {
                let stride = length.next_multiple_of(LANES) + LANES;
                let scores: Vec<f32> = noise(3 * stride, 1).iter().map(|x| x * 20.0).collect();
                let mut ours = scores.clone();
                softmax(isa, &mut ours, stride, length);
                for (ours, scores) in ours.chunks(stride).zip(scores.chunks(stride)) {
                    let scores = &scores[..length];
                    let sum: f64 = scores.iter().map(|&x| f64::from(x).exp()).sum();
                    for (&ours, &score) in ours.iter().zip(scores) {
                        let theirs = f64::from(score).exp() / sum;
                        assert!((f64::from(ours) - theirs).abs() < 5e-7, "{isa:?}, {length}");
                    }
                }
            }
        }
    }

    #[test]
    fn large_scores_do_not_overflow_and_nan_shows() {
        for isa in Isa::available() {
            let mut row = [0.0; LANES];
            row[..3].copy_from_slice(&[3e38, 3e38, -3e38]);
            softmax(isa, &mut row, LANES, 3);
            assert!((row[0] - 0.5).abs() < 1e-6 && row[2] < 1e-30, "{row:?}");
            for broken in [f32::NAN, f32::INFINITY] {
                row[1] = broken;
                softmax(isa, &mut row, LANES, 3);
                assert!(row[..3].iter().any(|x| x.is_nan()), "{isa:?}: {row:?}");
            }
        }
    }
}
