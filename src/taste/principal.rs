//! The directions in which pictures differ most: principal components, by subspace iteration.

use rayon::prelude::*;

use super::chance::Chance;
use super::features::Features;
use crate::encode::kernels::{Isa, Panels, Rows, multiply};

/// How often the subspace is turned towards the main directions. Neighbouring directions of nearly equal
/// strength may still be mixed after so many turns; their span is right, and no more is asked of them.
const TURNS: usize = 12;

/// Items that are looked at, evenly spread, where there are more.
const SAMPLE: usize = 20_000;

/// Directions, strongest first, and their standard deviations.
pub struct Principal {
    /// A row a direction, each of length one and at right angles to the others.
    pub directions: Vec<f32>,
    /// By direction.
    pub deviations: Vec<f32>,
}

impl Principal {
    /// The first `count` directions of centred features.
    pub fn of(features: &Features, count: usize, seed: u64) -> Self {
        let d = features.dimension();
        let count = count.min(d);
        let covariance = covariance(features);
        let mut panels = Panels::default();
        panels.set(Rows::new(&covariance, d, d, d));
        let mut directions = Chance::new(seed, "principal", 0).normals(count * d, 1.0);
        let mut lengths = orthonormalise(&mut directions, d);
        for _ in 0..TURNS {
            let mut turned = vec![0.0; directions.len()];
            turned.par_chunks_mut(8 * d).zip(directions.par_chunks(8 * d)).for_each(
                |(out, rows)| {
                    multiply(Isa::best(), Rows::new(rows, d, rows.len() / d, d), &panels, out, d);
                },
            );
            directions = turned;
            lengths = orthonormalise(&mut directions, d);
        }
        let deviations = lengths.into_iter().map(|length| length.max(0.0).sqrt()).collect();
        Principal { directions, deviations }
    }
}

/// The mean of `f f^T`.
fn covariance(features: &Features) -> Vec<f32> {
    let d = features.dimension();
    let every = features.len().div_ceil(SAMPLE).max(1);
    let sample: Vec<u32> = (0..features.len() as u32).step_by(every).collect();
    let mut columns = vec![0.0; d * sample.len()];
    columns.par_chunks_mut(sample.len().max(1)).enumerate().for_each(|(at, column)| {
        column.iter_mut().zip(&sample).for_each(|(x, &item)| *x = features.row(item)[at]);
    });
    let mut panels = Panels::default();
    panels.set_transposed(Rows::new(&columns, sample.len(), d, sample.len()));
    let mut out = vec![0.0; d * d];
    out.par_chunks_mut(16 * d).zip(columns.par_chunks(16 * sample.len().max(1))).for_each(
        |(out, rows)| {
            let rows = Rows::new(rows, sample.len(), out.len() / d, sample.len());
            multiply(Isa::best(), rows, &panels, out, d);
        },
    );
    out.iter_mut().for_each(|x| *x /= sample.len().max(1) as f32);
    out
}

/// Gram and Schmidt, twice for the sake of rounding; returns what was left of each row's length.
fn orthonormalise(rows: &mut [f32], width: usize) -> Vec<f32> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let mut lengths = Vec::new();
    for at in 0..rows.len() / width {
        let (before, row) = rows.split_at_mut(at * width);
        let row = &mut row[..width];
        for _ in 0..2 {
            for other in before.chunks(width) {
                let along = dot(row, other);
                row.iter_mut().zip(other).for_each(|(x, o)| *x -= along * o);
            }
        }
        let length = dot(row, row).sqrt();
        row.iter_mut().for_each(|x| *x /= length.max(f32::MIN_POSITIVE));
        lengths.push(length);
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The oracle is the sample itself: drawn with deviations 4, 2, 1 along three known directions and .1
    /// elsewhere.
    #[test]
    fn the_main_directions_of_a_known_cloud_are_found() {
        let d = 24;
        let mut axes = Chance::new(2, "axes", 0).normals(3 * d, 1.0);
        orthonormalise(&mut axes, d);
        let mut chance = Chance::new(2, "cloud", 0);
        let mut values = Vec::new();
        for _ in 0..4000 {
            let mut row = chance.normals(d, 0.1);
            for (axis, deviation) in axes.chunks(d).zip([4.0, 2.0, 1.0]) {
                let along = chance.normal() * deviation;
                row.iter_mut().zip(axis).for_each(|(x, a)| *x += along * a);
            }
            values.extend(row);
        }
        let found = Principal::of(&Features::new(values, d), 4, 1);
        for (n, expected) in [4.0, 2.0, 1.0, 0.1].into_iter().enumerate() {
            assert!((found.deviations[n] / expected - 1.0).abs() < 0.1, "{:?}", found.deviations);
        }
        for (direction, axis) in found.directions.chunks(d).zip(axes.chunks(d)) {
            let cosine: f32 = direction.iter().zip(axis).map(|(a, b)| a * b).sum();
            assert!(cosine.abs() > 0.99, "{cosine}");
        }
    }
}
