//! Convolution and transposed convolution, with their gradients.
//!
//! ```text
//! y = W * x + b        or        y = 0 ∨ (W * x + b)
//! ```
//!
//! In: (pictures, channels, rows, columns) and PyTorch's layouts of the weights: (outputs, inputs, k, k) and,
//! transposed, (inputs, outputs, k, k). The ReLU is applied while the sums are in the cache, and its
//! gradient needs nothing but `y`.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::activation::Activation;
use super::gradients::told;
use super::sums::{forward, input_gradient, weight_gradient};
use super::unfold::Unfold;
use super::values::{elements, stored, sum, tensor, with};
use crate::encode::image::{Geometry, Padding};

/// `y = activation(W * x + b)`, with `W` of (outputs, inputs, k, k).
pub fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    geometry: Geometry,
    activation: Activation,
) -> Result<Tensor> {
    let op = Conv { geometry, activation };
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op)
}

/// The convolution's transpose: the same `y` has a convolution of this geometry make something of the
/// size of `x`; `W` of (inputs, outputs, k, k). Where several sizes of `y` would do, `beyond` adds
/// rows and columns to the smallest.
pub fn conv_transpose2d(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    geometry: Geometry,
    beyond: usize,
    activation: Activation,
) -> Result<Tensor> {
    let op = Transposed { geometry, beyond, activation };
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op)
}

/// The sums over all pictures and places of each channel.
pub(super) fn bias_gradient(dy: &[f32], channels: usize, size: usize) -> Vec<f32> {
    let mut gradient = vec![0f64; channels];
    for picture in dy.chunks_exact(channels * size) {
        for (gradient, plane) in gradient.iter_mut().zip(picture.chunks_exact(size)) {
            *gradient += f64::from(sum(plane));
        }
    }
    gradient.into_iter().map(|gradient| gradient as f32).collect()
}

struct Conv {
    geometry: Geometry,
    activation: Activation,
}

impl Conv {
    fn unfold(&self, x: &Shape, weight: &Shape, bias: &Shape) -> Result<Unfold> {
        let (pictures, channels, rows, columns) = x.dims4()?;
        let (outputs, inputs, k1, k2) = weight.dims4()?;
        let Geometry { kernel, stride, padding } = self.geometry;
        let zeros = if let Padding::Each(zeros) = padding { 2 * zeros } else { kernel };
        if inputs != channels || k1 != kernel || k2 != kernel || bias.dims1()? != outputs {
            bail!("a {kernel}x{kernel} convolution of {channels} channels by {weight:?}, {bias:?}");
        }
        if pictures * channels * outputs * kernel * stride == 0
            || rows.min(columns) + zeros < kernel
            || rows.min(columns) == 0
        {
            bail!("a {kernel}x{kernel} convolution has no output on {x:?}");
        }
        Ok(Unfold::new(self.geometry, channels, outputs, (rows, columns)))
    }
}

impl CustomOp3 for Conv {
    fn name(&self) -> &'static str {
        "convolution"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let unfold = self.unfold(x_layout.shape(), weight_layout.shape(), bias_layout.shape())?;
        let bias = elements(bias, bias_layout)?;
        let (x, w) = (elements(x, x_layout)?, elements(weight, weight_layout)?);
        let y = forward(&unfold, w, x, |channel, y| self.activation.apply(y, bias[channel]));
        let (rows, columns) = unfold.output();
        Ok(stored(y, (x_layout.dims()[0], bias.len(), rows, columns)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let unfold = self.unfold(x.shape(), weight.shape(), bias.shape())?;
        let dz = with([y, dy], |[y, dy]| self.activation.gradient(y, dy))?;
        let dx = x.track_op().then(|| {
            let dx = with([weight], |[weight]| input_gradient(&unfold, weight, &dz))?;
            tensor(dx, x.shape())
        });
        let dw = weight
            .track_op()
            .then(|| told(weight, with([x], |[x]| weight_gradient(&unfold, x, &dz))?));
        let db = bias
            .track_op()
            .then(|| told(bias, bias_gradient(&dz, bias.elem_count(), unfold.outputs())));
        Ok((dx.transpose()?, dw.transpose()?.flatten(), db.transpose()?.flatten()))
    }
}

struct Transposed {
    geometry: Geometry,
    beyond: usize,
    activation: Activation,
}

impl Transposed {
    /// The convolution that leads back.
    fn unfold(&self, x: &Shape, weight: &Shape, bias: &Shape) -> Result<Unfold> {
        let (pictures, channels, rows, columns) = x.dims4()?;
        let (inputs, outputs, k1, k2) = weight.dims4()?;
        let Geometry { kernel, stride, padding } = self.geometry;
        if inputs != channels || k1 != kernel || k2 != kernel || bias.dims1()? != outputs {
            bail!("a {kernel}x{kernel} transposed convolution of {x:?} by {weight:?}, {bias:?}");
        }
        let size = |inputs: usize| match padding {
            Padding::Each(zeros) => {
                (inputs.saturating_sub(1) * stride + kernel + self.beyond).saturating_sub(2 * zeros)
            }
            // The largest that shrinks to `inputs`, as TensorFlow has it.
            Padding::Same => inputs * stride,
        };
        let output = (size(rows), size(columns));
        let back = (self.geometry.along(output.0).1, self.geometry.along(output.1).1);
        if pictures * channels * outputs * kernel * stride * output.0 * output.1 == 0
            || back != (rows, columns)
        {
            bail!("no {kernel}x{kernel} convolution of stride {stride} makes {x:?} of {output:?}");
        }
        Ok(Unfold::new(self.geometry, outputs, inputs, output))
    }
}

impl CustomOp3 for Transposed {
    fn name(&self) -> &'static str {
        "transposed convolution"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let unfold = self.unfold(x_layout.shape(), weight_layout.shape(), bias_layout.shape())?;
        let bias = elements(bias, bias_layout)?;
        let (x, w) = (elements(x, x_layout)?, elements(weight, weight_layout)?);
        let mut y = input_gradient(&unfold, w, x);
        let (rows, columns) = unfold.input();
        let planes = y.par_chunks_mut(rows * columns).enumerate();
        planes.for_each(|(plane, y)| self.activation.apply(y, bias[plane % bias.len()]));
        Ok(stored(y, (x_layout.dims()[0], bias.len(), rows, columns)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let unfold = self.unfold(x.shape(), weight.shape(), bias.shape())?;
        let dz = with([y, dy], |[y, dy]| self.activation.gradient(y, dy))?;
        let dx = x.track_op().then(|| {
            let dx = with([weight], |[weight]| forward(&unfold, weight, &dz, |_, _| {}))?;
            tensor(dx, x.shape())
        });
        let dw = weight
            .track_op()
            .then(|| told(weight, with([x], |[x]| weight_gradient(&unfold, &dz, x))?));
        let (rows, columns) = unfold.input();
        let db = bias
            .track_op()
            .then(|| told(bias, bias_gradient(&dz, bias.elem_count(), rows * columns)));
        Ok((dx.transpose()?, dw.transpose()?.flatten(), db.transpose()?.flatten()))
    }
}
