//! Convolution as matrix products, without copying neighbourhoods together.
//!
//! With the channels of a place side by side, what one row of a kernel sees is one stretch of memory, and
//! moving the kernel along moves that stretch. So each row of the kernel is a product of its own, whose
//! rows overlap in memory, and the sums of the first are what the next ones add to:
//!
//! ```text
//! y[p] = Σ_k  x[p + k, 0 .. width · inputs]  W_k
//! ```
//!
//! Where there is padding, the part of the input at hand is first copied into a frame of zeros. The work
//! is cut into blocks of places that stay in a core's second cache from the first product to the last.

use candle_core::Result;

use super::conv::Folded;
use super::frame::{Block, framed};
use super::geometry::Kernel;
use super::maps::Maps;
use crate::encode::kernels::{Base, Ending, Grid, Isa, Panels, Rows, Steps, multiply_grid};

/// Bytes of input and output that a block may touch: half of a second cache of 1 MB.
const BLOCK_BYTES: usize = 1 << 19;
/// Places that a block has if there are so many, however large they are: fewer would not be worth
/// reading the weights for.
const LEAST_PLACES: usize = 96;

/// A convolution whose weights are laid out for a CPU.
pub(super) struct Dense {
    isa: Isa,
    /// One row of the kernel after the other; the bias is the first one's.
    kernel: Vec<Panels>,
    inputs: usize,
    outputs: usize,
    geometry: Kernel,
    bounds: (f32, f32),
}

impl Dense {
    pub(super) fn new(folded: &Folded) -> Self {
        let Folded { weight, bias, geometry, activation, .. } = folded;
        let (rows, columns) = (geometry.down.kernel, geometry.across.kernel);
        let outputs = bias.len();
        let inputs = weight.len() / (outputs * rows * columns);
        let length = columns * inputs;
        let kernel = (0..rows).map(|row| {
            // Outputs, inputs, rows, columns become outputs, columns, inputs.
            let mut of_row = vec![0.0; outputs * length];
            for (to, from) in
                of_row.chunks_exact_mut(length).zip(weight.chunks_exact(rows * length))
            {
                for (at, to) in to.iter_mut().enumerate() {
                    *to = from[(at % inputs * rows + row) * columns + at / inputs];
                }
            }
            let zeros = vec![0.0; outputs];
            let bias = if row == 0 { bias } else { &zeros };
            Panels::of_linear(Rows::new(&of_row, length, outputs, length), bias)
        });
        let kernel = kernel.collect();
        let bounds = activation.bounds();
        Dense { isa: Isa::best(), kernel, inputs, outputs, geometry: *geometry, bounds }
    }

    pub(super) fn forward(&self, x: &Maps, residual: Option<&Maps>) -> Result<Maps> {
        if x.channels != self.inputs {
            candle_core::bail!("{} channels where {} were expected", x.channels, self.inputs);
        }
        let (rows, columns) = self.geometry.outputs(x.rows, x.columns);
        let mut y = x.unwritten(rows, columns, self.outputs)?;
        let residual = residual.map(Maps::places).transpose()?;
        if residual
            .is_some_and(|residual| residual.len() != x.pictures * rows * columns * self.outputs)
        {
            candle_core::bail!("what is added has another shape");
        }
        let row = columns * self.outputs;
        for block in Block::cut(x.pictures, rows, self.rows_of_block(columns)) {
            let start = (block.picture * rows + block.first) * row;
            let size = block.pictures * block.rows * row;
            let onto = residual.map_or(Base::Nothing, |all| Base::Rows(&all[start..start + size]));
            let out = &mut y.places_mut()?[start..start + size];
            self.sum(x, block, columns, onto, out)?;
        }
        Ok(y)
    }

    /// The rows of outputs that a block should have.
    fn rows_of_block(&self, columns: usize) -> usize {
        let stride = self.geometry.down.stride * self.geometry.across.stride;
        let row_bytes = 4 * columns * (self.inputs * stride + self.outputs);
        (BLOCK_BYTES / row_bytes).max(LEAST_PLACES.div_ceil(columns))
    }

    /// One block of outputs.
    fn sum(
        &self,
        x: &Maps,
        block: Block,
        columns: usize,
        onto: Base<'_>,
        out: &mut [f32],
    ) -> Result<()> {
        let Kernel { down, across } = self.geometry;
        let padded = down.zeros(x.rows) != (0, 0) || across.zeros(x.columns) != (0, 0);
        let frame;
        // The input that the block looks at, and how far apart its pictures, rows and places are.
        let (input, picture, row) = if padded {
            let (rows, columns) = (down.span(block.rows), across.span(columns));
            let first = block.first * down.stride;
            frame = framed(x, &self.geometry, block.pictures(), first..first + rows, columns)?;
            let row = columns * self.inputs;
            (&frame[..], rows * row, row)
        } else {
            let row = x.columns * self.inputs;
            let start = (block.picture * x.rows + block.first * down.stride) * row;
            (&x.places()?[start..], x.rows * row, row)
        };
        let pictures = Steps { count: block.pictures, stride: picture };
        let rows = Steps { count: block.rows, stride: row * down.stride };
        let columns = Steps { count: columns, stride: self.inputs * across.stride };
        let length = across.kernel * self.inputs;
        let (low, high) = self.bounds;
        let last = self.kernel.len() - 1;
        for (at, panels) in self.kernel.iter().enumerate() {
            let grid = Grid::new(&input[at * row..], pictures, rows, columns, length);
            let onto = if at == 0 { onto } else { Base::Written };
            let ending = match at == last {
                true => Ending { onto, low, high },
                false => Ending { onto, ..Ending::PLAIN },
            };
            multiply_grid(self.isa, grid, panels, out, self.outputs, &ending);
        }
        Ok(())
    }
}
