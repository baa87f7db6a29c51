//! The directions in which neighbours differ most: codes spend their bits there.

use rayon::prelude::*;

use crate::graph::build::Random;
use crate::kernels::Kernels;

/// Rounds of the iteration. The order of nearly equal axes does not matter, so that few will do.
const ROUNDS: usize = 8;

/// The first `count` principal axes of these rows (each of `dimension` components), one after another, by
/// orthogonal iteration: `V <- orthonormal(R' R V)`.
pub(super) fn principal(rows: &[f32], dimension: usize, count: usize, seed: u64) -> Vec<f32> {
    let samples = rows.len() / dimension;
    let stored = bytes(rows);
    let mut turned = vec![0.0f32; rows.len()];
    for (s, row) in rows.chunks(dimension).enumerate() {
        for (d, &x) in row.iter().enumerate() {
            turned[d * samples + s] = x;
        }
    }
    let turned = bytes(&turned);
    let mut random = Random::new(seed);
    let mut axes: Vec<f32> = (0..count * dimension).map(|_| random.component()).collect();
    orthonormalise(&mut axes, dimension);
    for _ in 0..ROUNDS {
        let seen = products(&stored, &axes, dimension, samples);
        axes = products(&turned, &seen, samples, dimension);
        orthonormalise(&mut axes, dimension);
    }
    axes
}

fn bytes(values: &[f32]) -> Vec<[u8; 4]> {
    values.iter().map(|x| x.to_le_bytes()).collect()
}

/// The product of each of `count` rows with each query: for each query, `count` numbers.
fn products(rows: &[[u8; 4]], queries: &[f32], length: usize, count: usize) -> Vec<f32> {
    let mut out = vec![0.0; queries.len() / length * count];
    out.par_chunks_mut(count * 16).zip(queries.par_chunks(length * 16)).for_each(
        |(out, queries)| {
            let queries: Vec<&[f32]> = queries.chunks(length).collect();
            Kernels::best().products(rows, &queries, out);
        },
    );
    out
}

/// Gram-Schmidt, twice, since once leaves what rounding left.
fn orthonormalise(axes: &mut [f32], dimension: usize) {
    for at in 0..axes.len() / dimension {
        let (before, rest) = axes.split_at_mut(at * dimension);
        let axis = &mut rest[..dimension];
        for _ in 0..2 {
            for other in before.chunks(dimension) {
                let along = dot(axis, other);
                for (x, o) in axis.iter_mut().zip(other) {
                    *x -= along * o;
                }
            }
        }
        let norm = dot(axis, axis).sqrt();
        let scale = if norm > 1e-12 { 1.0 / norm } else { 0.0 };
        axis.iter_mut().for_each(|x| *x *= scale);
    }
}

/// In 8 sums side by side, in one order everywhere.
pub(in crate::graph) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (mut sums, (a8, at), (b8, bt)) = ([0.0f32; 8], a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a8.iter().zip(b8) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f32>() + at.iter().zip(bt).map(|(a, b)| a * b).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_axes_of_an_ellipsoid() {
        // Spread 4 along (3, 4, 0) / 5, 2 along (4, -3, 0) / 5, and 1 along the last.
        let mut random = Random::new(3);
        let mut rows = Vec::new();
        for _ in 0..4000 {
            let [a, b, c] = [4.0, 2.0, 1.0].map(|spread| spread * random.component());
            rows.extend([(3.0 * a + 4.0 * b) / 5.0, (4.0 * a - 3.0 * b) / 5.0, c]);
        }
        let axes = principal(&rows, 3, 2, 1);
        assert!(dot(&axes[..3], &[0.6, 0.8, 0.0]).abs() > 0.999, "{axes:?}");
        assert!(dot(&axes[3..], &[0.8, -0.6, 0.0]).abs() > 0.999, "{axes:?}");
    }
}
