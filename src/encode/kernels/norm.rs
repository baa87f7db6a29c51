//! Layer norm, in one pass with the sum before it: the rows are in the first cache for all of it.

use super::{LANES, for_each_isa};

for_each_isa! {
    /// `x = (y - mean y) / sqrt(var y + epsilon) * weight + bias` with `y = x + update`, row by row; the
    /// weight's length is a row's.
    ///
    /// # Panics
    /// Where the other lengths do not go with the weight's.
    add_norm(x: &mut [f32], update: &[f32], weight: &[f32], bias: &[f32], epsilon: f32)
        runs add_norm_all
}

#[inline(always)]
fn add_norm_all(x: &mut [f32], update: &[f32], weight: &[f32], bias: &[f32], epsilon: f32) {
    let width = weight.len();
    assert!(width > 0 && x.len().is_multiple_of(width), "rows of another length");
    assert!(
        x.len() == update.len() && width == bias.len(),
        "one update a value, one bias a weight"
    );
    for (row, update) in x.chunks_exact_mut(width).zip(update.chunks_exact(width)) {
        for (x, update) in row.iter_mut().zip(update) {
            *x += update;
        }
        let mean = sum(row, |x| x) / width as f32;
        let variance = sum(row, |x| (x - mean) * (x - mean)) / width as f32;
        let scale = 1.0 / (variance + epsilon).sqrt();
        for ((x, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
            *x = (*x - mean) * scale * weight + bias;
        }
    }
}

/// The sum of `f` over a row, in lanes that are added up at the end.
#[inline(always)]
fn sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0; LANES];
    let (chunks, tail) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for (sum, &x) in sums.iter_mut().zip(chunk) {
            *sum += f(x);
        }
    }
    for (sum, &x) in sums.iter_mut().zip(tail) {
        *sum += f(x);
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::super::{Isa, noise};
    use super::*;

    #[test]
    fn equals_its_definition_on_every_instruction_set() {
        for isa in Isa::available() {
            for width in [1, 8, 16, 30, 384] {
                let (x, update) = (noise(3 * width, 1), noise(3 * width, 2));
                let (weight, bias) = (noise(width, 3), noise(width, 4));
                let mut ours = x.clone();
                add_norm(isa, &mut ours, &update, &weight, &bias, 1e-5);
                for row in 0..3 {
                    let y = |n: usize| f64::from(x[row * width + n] + update[row * width + n]);
                    let mean = (0..width).map(y).sum::<f64>() / width as f64;
                    let variance = (0..width).map(|n| (y(n) - mean).powi(2)).sum::<f64>();
                    let scale = 1.0 / (variance / width as f64 + 1e-5).sqrt();
                    for n in 0..width {
                        let theirs =
                            (y(n) - mean) * scale * f64::from(weight[n]) + f64::from(bias[n]);
                        let ours = f64::from(ours[row * width + n]);
                        assert!((ours - theirs).abs() < 2e-6, "{isa:?}, {width}");
                    }
                }
            }
        }
    }
}
