//! Learns axes and points from a sample of links.

use rayon::prelude::*;

use super::axes::{dot, principal};
use super::{Axes, Codebook, Coder, Correction, codebook, sketched};
use crate::graph::build::{Links, Random};
use crate::graph::sketch::Sketcher;
use crate::graph::turn::{draw_signs, width};
use crate::kernels::Kernels;
use crate::vectors::Vectors;

/// Links that the points are learned from, and the axes from the first half of them.
const SAMPLES: usize = 8192;

/// Learns to encode the links of these vectors.
pub(in crate::graph) fn learn(
    vectors: &Vectors<'_>,
    links: &Links,
    slots: usize,
    axes: usize,
    seed: u64,
) -> Coder {
    let dimension = vectors.dimension;
    let residuals = sample(vectors, links, seed);
    let directions = principal(&residuals[..residuals.len() / 2], dimension, axes, seed);
    let seen = on_axes(&residuals, &directions, dimension);

    let mut variances = vec![0.0f32; axes];
    for sample in seen.chunks(axes) {
        for (variance, x) in variances.iter_mut().zip(sample) {
            *variance += x * x;
        }
    }
    let dealt = codebook::deal(&variances, slots);
    let mut starts = vec![0u16];
    for slot in &dealt {
        starts.push(starts.last().unwrap_or(&0) + slot.len() as u16);
    }
    let order = dealt.concat();
    let seen: Vec<f32> = seen.chunks(axes).flat_map(|s| order.iter().map(|&a| s[a])).collect();
    let axis = |&a: &usize| &directions[a * dimension..][..dimension];
    let signs = draw_signs(dimension, seed);
    Coder {
        axes: Axes::new(&signs, &order.iter().map(axis).collect::<Vec<_>>()),
        codebook: Codebook::learn(&seen, starts),
        sketcher: sketched(dimension).then(|| Sketcher::learn(vectors, width(dimension))),
        signs,
        correction: Correction::default(),
    }
}

/// Residuals of some links, each scaled to length one.
fn sample(vectors: &Vectors<'_>, links: &Links, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed);
    let mut residuals = Vec::with_capacity(SAMPLES * vectors.dimension);
    for _ in 0..SAMPLES {
        let row = random.below(vectors.len());
        let list = links.of(row as u32);
        let to = if list.is_empty() { row } else { list[random.below(list.len())] as usize };
        let (from, to) = (vectors.row(row), vectors.row(to));
        let mut residual: Vec<f32> = to.iter().zip(&from).map(|(to, from)| to - from).collect();
        let length = dot(&residual, &residual).sqrt();
        let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
        residual.iter_mut().for_each(|x| *x *= scale);
        residuals.extend(residual);
    }
    residuals
}

/// Every sample on every axis.
fn on_axes(samples: &[f32], axes: &[f32], dimension: usize) -> Vec<f32> {
    let stored: Vec<[u8; 4]> = axes.iter().map(|x| x.to_le_bytes()).collect();
    let count = axes.len() / dimension;
    let mut out = vec![0.0; samples.len() / dimension * count];
    out.par_chunks_mut(count).zip(samples.par_chunks(dimension)).for_each(|(out, sample)| {
        Kernels::best().products(&stored, &[sample], out);
    });
    out
}
