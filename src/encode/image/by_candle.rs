//! A convolution by candle's operations, for devices on which ours do not run.

use candle_core::{Result, Tensor};

use super::conv::{Activation, Folded};
use super::geometry::Kernel;
use super::maps::Maps;
use crate::encode::Device;

/// A convolution with its activation.
pub(super) struct ByCandle {
    weight: Tensor,
    /// As maps of one place.
    bias: Tensor,
    depthwise: bool,
    geometry: Kernel,
    activation: Activation,
}

impl ByCandle {
    pub(super) fn new(folded: Folded, device: &Device) -> Result<Self> {
        let Folded { weight, bias, depthwise, geometry, activation } = folded;
        if geometry.down.stride != geometry.across.stride {
            candle_core::bail!("candle knows one stride for both axes");
        }
        let outputs = bias.len();
        let taps = (geometry.down.kernel, geometry.across.kernel);
        let shape = (outputs, weight.len() / (outputs * taps.0 * taps.1), taps.0, taps.1);
        Ok(ByCandle {
            weight: Tensor::from_vec(weight, shape, device.tensors())?,
            bias: Tensor::from_vec(bias, (1, outputs, 1, 1), device.tensors())?,
            depthwise,
            geometry,
            activation,
        })
    }

    pub(super) fn forward(&self, x: &Maps, residual: Option<&Maps>) -> Result<Maps> {
        let Some(tensor) = x.tensor() else { candle_core::bail!("maps of our own") };
        let sum = match self.depthwise {
            true => self.tap_by_tap(x, tensor)?,
            false => {
                let Kernel { down, across } = self.geometry;
                let ((top, bottom), (left, right)) = (down.zeros(x.rows), across.zeros(x.columns));
                let padded =
                    tensor.pad_with_zeros(2, top, bottom)?.pad_with_zeros(3, left, right)?;
                padded.conv2d(&self.weight, 0, down.stride, 1, 1)?
            }
        };
        let mut y = sum.broadcast_add(&self.bias)?;
        if let Some(residual) = residual.and_then(Maps::tensor) {
            y = (y + residual)?;
        }
        Maps::of_tensor(match self.activation {
            Activation::None => y,
            Activation::Relu => y.relu()?,
            Activation::Relu6 => y.clamp(0f32, 6f32)?,
        })
    }

    /// The sum over the taps of a depthwise kernel, all channels and places together: candle itself runs
    /// a convolution of its own for each channel, over a thousand one after the other in the last layers.
    fn tap_by_tap(&self, x: &Maps, tensor: &Tensor) -> Result<Tensor> {
        let Kernel { down, across } = self.geometry;
        let stride = down.stride;
        let (rows, columns) = self.geometry.outputs(x.rows, x.columns);
        // Rows and columns as so many steps of `stride`, so that the places of one tap are a part of it.
        let steps = |kernel: usize, outputs: usize| (kernel - 1) / stride + outputs;
        let (high, wide) = (steps(down.kernel, rows), steps(across.kernel, columns));
        let padded = to_size(tensor, 2, down.zeros(x.rows).0, high * stride)?;
        let padded = to_size(&padded, 3, across.zeros(x.columns).0, wide * stride)?;
        let steps =
            padded.contiguous()?.reshape(&[x.pictures, x.channels, high, stride, wide, stride])?;
        let mut sum: Option<Tensor> = None;
        for tap in 0..down.kernel * across.kernel {
            let (row, column) = (tap / across.kernel, tap % across.kernel);
            let seen = steps
                .narrow(2, row / stride, rows)?
                .narrow(3, row % stride, 1)?
                .narrow(4, column / stride, columns)?
                .narrow(5, column % stride, 1)?;
            let weight = self.weight.narrow(2, row, 1)?.narrow(3, column, 1)?.contiguous()?;
            let weighted = seen.broadcast_mul(&weight.reshape((1, x.channels, 1, 1, 1, 1))?)?;
            sum = Some(match sum {
                Some(sum) => (sum + weighted)?,
                None => weighted,
            });
        }
        let Some(sum) = sum else { candle_core::bail!("a kernel without taps") };
        sum.reshape((x.pictures, x.channels, rows, columns))
    }
}

/// So many zeros before a dimension, and behind it as many, or as much of it left out, as make it `size`.
fn to_size(x: &Tensor, dimension: usize, before: usize, size: usize) -> Result<Tensor> {
    let behind = size.saturating_sub(before + x.dim(dimension)?);
    x.pad_with_zeros(dimension, before, behind)?.narrow(dimension, 0, size)
}
