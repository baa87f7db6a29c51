//! Convolution of each channel with a kernel of its own, on a CPU.

use candle_core::Result;

use super::conv::Folded;
use super::geometry::Kernel;
use super::maps::Maps;
use crate::encode::kernels::{Isa, Line, depthwise};

/// A depthwise convolution whose weights are laid out for a CPU.
pub(super) struct Depthwise {
    isa: Isa,
    /// All channels of one tap after those of the tap before.
    weight: Vec<f32>,
    bias: Vec<f32>,
    geometry: Kernel,
    bounds: (f32, f32),
}

impl Depthwise {
    pub(super) fn new(folded: &Folded) -> Self {
        let Folded { weight, bias, geometry, activation, .. } = folded;
        let taps = geometry.down.kernel * geometry.across.kernel;
        let by_tap = |tap| weight.iter().skip(tap).step_by(taps).copied();
        Depthwise {
            isa: Isa::best(),
            weight: (0..taps).flat_map(by_tap).collect(),
            bias: bias.clone(),
            geometry: *geometry,
            bounds: activation.bounds(),
        }
    }

    pub(super) fn forward(&self, x: &Maps) -> Result<Maps> {
        let channels = self.bias.len();
        if x.channels != channels {
            candle_core::bail!("{} channels where {channels} were expected", x.channels);
        }
        let Kernel { down, across } = self.geometry;
        let (rows, columns) = self.geometry.outputs(x.rows, x.columns);
        let columns: Vec<_> = (0..columns).map(|at| across.taps(at, x.columns)).collect();
        let mut y = x.unwritten(rows, columns.len(), channels)?;
        let values = x.places()?;
        let wide = x.columns * channels;
        let mut under = Vec::with_capacity(down.kernel);
        for (at, out) in y.places_mut()?.chunks_exact_mut(columns.len() * channels).enumerate() {
            let (picture, row) = (at / rows, at % rows);
            let (taps, row) = down.taps(row, x.rows);
            under.clear();
            let first = (picture * x.rows + row) * wide;
            under.extend(values[first..].chunks_exact(wide).take(taps.len()));
            let line = Line {
                rows: &under,
                first_tap: taps.start,
                columns: &columns,
                kernel: across.kernel,
                low: self.bounds.0,
                high: self.bounds.1,
            };
            depthwise(self.isa, &line, &self.weight, &self.bias, out);
        }
        Ok(y)
    }
}
