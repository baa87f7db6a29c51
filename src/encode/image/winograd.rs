//! A 3x3 convolution of stride 1 by Winograd's transforms: a quarter of the products that
//! [`dense`](super::dense) needs, for two passes over the maps more.
//!
//! A block of tiles is transformed, multiplied element by element, and transformed back while it is in a
//! core's second cache. The weights become four times as large; where that is more than the work saved
//! (the widest layers see few places, and their weights come from memory), the plain product is taken.

use candle_core::Result;

use super::conv::Folded;
use super::frame::{Block, framed};
use super::geometry::Kernel;
use super::maps::Maps;
use crate::encode::kernels::winograd::{ELEMENTS, MADE, SEEN, make, see, weights};
use crate::encode::kernels::{Isa, LANES, Panels, Rows, multiply};

/// Bytes of transformed inputs and outputs of a block.
const BLOCK_BYTES: usize = 1 << 19;
/// Tiles that a block has if there are so many: fewer would not be worth reading the weights for.
const LEAST_TILES: usize = 48;
/// The most weights, inputs times outputs, that are worth transforming.
const MOST_WEIGHTS: usize = 256 * 256;

/// A convolution with transformed weights, laid out for a CPU.
pub(super) struct Winograd {
    isa: Isa,
    elements: Vec<Panels>,
    inputs: usize,
    bias: Vec<f32>,
    geometry: Kernel,
    bounds: (f32, f32),
}

impl Winograd {
    pub(super) fn suits(folded: &Folded) -> bool {
        let Kernel { down, across } = folded.geometry;
        let outputs = folded.bias.len();
        let inputs = folded.weight.len() / (outputs * down.kernel * across.kernel);
        [down, across].iter().all(|axis| (axis.kernel, axis.stride) == (3, 1))
            && inputs.is_multiple_of(LANES)
            && outputs.is_multiple_of(LANES)
            && inputs * outputs <= MOST_WEIGHTS
    }

    pub(super) fn new(folded: &Folded) -> Self {
        let Folded { weight, bias, geometry, activation, .. } = folded;
        let outputs = bias.len();
        let inputs = weight.len() / (outputs * 9);
        let (kernels, _) = weight.as_chunks::<9>();
        let transformed: Vec<_> = kernels.iter().map(|&kernel| weights(kernel)).collect();
        let zeros = vec![0.0; outputs];
        let elements = (0..ELEMENTS).map(|element| {
            let of_element: Vec<f32> = transformed.iter().map(|kernel| kernel[element]).collect();
            Panels::of_linear(Rows::new(&of_element, inputs, outputs, inputs), &zeros)
        });
        let (isa, elements) = (Isa::best(), elements.collect());
        let (bias, geometry, bounds) = (bias.clone(), *geometry, activation.bounds());
        Winograd { isa, elements, inputs, bias, geometry, bounds }
    }

    pub(super) fn forward(&self, x: &Maps, residual: Option<&Maps>) -> Result<Maps> {
        let (inputs, outputs) = (self.inputs, self.bias.len());
        if x.channels != inputs {
            candle_core::bail!("{} channels where {inputs} were expected", x.channels);
        }
        let (rows, columns) = self.geometry.outputs(x.rows, x.columns);
        let mut y = x.unwritten(rows, columns, outputs)?;
        let across = columns.div_ceil(MADE);
        let tiles = BLOCK_BYTES / (4 * ELEMENTS * (inputs + outputs));
        let most = tiles.max(LEAST_TILES).div_ceil(across);
        let arena = &x.places()?.arena;
        for block in Block::cut(x.pictures, rows.div_ceil(MADE), most) {
            let tiles = block.pictures * block.rows * across;
            let mut seen = arena.buffer(ELEMENTS * tiles * inputs);
            self.see(x, block, across, &mut seen)?;
            let mut made = arena.buffer(ELEMENTS * tiles * outputs);
            let pairs =
                seen.chunks_exact(tiles * inputs).zip(made.chunks_exact_mut(tiles * outputs));
            for (panels, (seen, made)) in self.elements.iter().zip(pairs) {
                multiply(self.isa, Rows::new(seen, inputs, tiles, inputs), panels, made, outputs);
            }
            self.make(&made, block, across, residual.is_none(), &mut y)?;
        }
        if let Some(residual) = residual {
            let (low, high) = self.bounds;
            for (y, residual) in y.places_mut()?.iter_mut().zip(residual.places()?.iter()) {
                *y = (*y + residual).clamp(low, high);
            }
        }
        Ok(y)
    }

    /// Transforms what the tiles of a block look at.
    fn see(&self, x: &Maps, block: Block, across: usize, seen: &mut [f32]) -> Result<()> {
        let inputs = self.inputs;
        let (rows, columns) = (block.rows * MADE + SEEN - MADE, across * MADE + SEEN - MADE);
        let first = block.first * MADE;
        let frame = framed(x, &self.geometry, block.pictures(), first..first + rows, columns)?;
        let tiles = block.pictures * block.rows * across;
        for tile in 0..tiles {
            let (picture, row) = (tile / (block.rows * across), tile / across % block.rows);
            let place = (picture * rows + row * MADE) * columns + tile % across * MADE;
            let seen = &mut seen[tile * inputs..];
            see(self.isa, &frame[place * inputs..], columns * inputs, inputs, seen, tiles * inputs);
        }
        Ok(())
    }

    /// Transforms the tiles of a block back, adds the bias, and writes what lies on the maps.
    fn make(
        &self,
        made: &[f32],
        block: Block,
        across: usize,
        bounded: bool,
        y: &mut Maps,
    ) -> Result<()> {
        let outputs = self.bias.len();
        let (rows, columns) = (y.rows, y.columns);
        let wide = columns * outputs;
        let bounds = if bounded { self.bounds } else { (f32::NEG_INFINITY, f32::INFINITY) };
        let mut broken = vec![0.0; MADE * MADE * outputs];
        let tiles = block.pictures * block.rows * across;
        let y = y.places_mut()?;
        for tile in 0..tiles {
            let picture = block.picture + tile / (block.rows * across);
            let row = (block.first + tile / across % block.rows) * MADE;
            let column = tile % across * MADE;
            let made = &made[tile * outputs..];
            let y = &mut y[((picture * rows + row) * columns + column) * outputs..];
            let (tall, broad) = ((rows - row).min(MADE), (columns - column).min(MADE));
            if (tall, broad) == (MADE, MADE) {
                make(self.isa, made, tiles * outputs, &self.bias, bounds, y, wide);
                continue;
            }
            let row = MADE * outputs;
            make(self.isa, made, tiles * outputs, &self.bias, bounds, &mut broken, row);
            for (at, broken) in broken.chunks_exact(row).take(tall).enumerate() {
                y[at * wide..][..broad * outputs].copy_from_slice(&broken[..broad * outputs]);
            }
        }
        Ok(())
    }
}
