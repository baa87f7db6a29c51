//! Convolution with its batch norm folded in.
//!
//! ```text
//! y = hi ∧ (0 ∨ (W' * x + b' [+ residual])),   W' = W γ / √(var + ε),   b' = β - mean γ / √(var + ε)
//! ```
//!
//! Activations lie as channels, pictures, rows, columns, so that a 1x1 convolution over a whole batch
//! is one matrix product, and any other one is a product after [`Unfold`] has copied each output's
//! neighbourhood into a column. Depthwise convolutions have no product to hide in and are summed
//! directly.

use candle_core::{
    CpuStorage, CustomOp1, Device, InplaceOp2, InplaceOp3, Layout, Result, Shape, Tensor,
};

use super::depthwise::Depthwise;

/// A convolution's geometry.
#[derive(Debug, Clone, Copy)]
pub struct Geometry {
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Steps between outputs.
    pub stride: usize,
    /// What surrounds the input.
    pub padding: Padding,
}

/// How many rows and columns of zeros surround the input.
#[derive(Debug, Clone, Copy)]
pub enum Padding {
    /// As many on every side.
    Each(usize),
    /// TensorFlow's rule: as many as it takes for `ceil(input / stride)` outputs, the odd one below
    /// and to the right.
    Same,
}

impl Geometry {
    /// Zeros before the first input, and the number of outputs, along an axis of `input`.
    pub fn along(&self, input: usize) -> (usize, usize) {
        match self.padding {
            Padding::Each(zeros) => {
                (zeros, ((input + 2 * zeros).saturating_sub(self.kernel)) / self.stride + 1)
            }
            Padding::Same => {
                let output = input.div_ceil(self.stride);
                let span = (output - 1) * self.stride + self.kernel;
                (span.saturating_sub(input) / 2, output)
            }
        }
    }

    /// The outputs whose tap number `tap` lies on the input, not on padding, along an axis.
    fn inside(&self, tap: usize, input: usize) -> std::ops::Range<usize> {
        let (before, output) = self.along(input);
        let start = before.saturating_sub(tap).div_ceil(self.stride);
        let end = (input + before).saturating_sub(tap).div_ceil(self.stride).min(output);
        start..end.max(start)
    }

    /// The input under tap number `tap` of an output that is [inside](Self::inside).
    fn under(&self, tap: usize, output: usize, before: usize) -> usize {
        output * self.stride + tap - before
    }
}

/// What follows the sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Activation {
    None,
    Relu,
    Relu6,
}

/// A convolution, its batch norm and its activation.
pub(super) struct Conv {
    /// Outputs by inputs and taps.
    weight: Tensor,
    bias: Tensor,
    geometry: Geometry,
    depthwise: bool,
    activation: Activation,
}

/// What a convolution is made of, before folding. One input per output means depthwise.
pub(super) struct Parts {
    /// Outputs, inputs, rows, columns.
    pub(super) weight: Vec<f32>,
    pub(super) gamma: Vec<f32>,
    pub(super) beta: Vec<f32>,
    pub(super) mean: Vec<f32>,
    pub(super) variance: Vec<f32>,
    pub(super) epsilon: f64,
}

impl Conv {
    /// Folds the batch norm into weight and bias.
    pub(super) fn new(
        mut parts: Parts,
        depthwise: bool,
        geometry: Geometry,
        activation: Activation,
        device: &Device,
    ) -> Result<Self> {
        let outputs = parts.gamma.len();
        let taps = parts.weight.len() / outputs;
        let mut bias = Vec::with_capacity(outputs);
        for (output, row) in parts.weight.chunks_exact_mut(taps).enumerate() {
            let spread = (f64::from(parts.variance[output]) + parts.epsilon).sqrt();
            let scale = f64::from(parts.gamma[output]) / spread;
            row.iter_mut().for_each(|weight| *weight = (f64::from(*weight) * scale) as f32);
            let shift = f64::from(parts.mean[output]) * scale;
            bias.push((f64::from(parts.beta[output]) - shift) as f32);
        }
        Ok(Conv {
            weight: Tensor::from_vec(parts.weight, (outputs, taps), device)?,
            bias: Tensor::from_vec(bias, outputs, device)?,
            geometry,
            depthwise,
            activation,
        })
    }

    /// Maps (inputs, pictures, rows, columns) to the same of the outputs.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.sum(x)?;
        if !y.device().is_cpu() {
            return self.bounded(&y.broadcast_add(&self.bias.reshape(((), 1, 1, 1))?)?);
        }
        y.inplace_op2(&self.bias, &Finish(self.activation))?;
        Ok(y)
    }

    /// The same, with another tensor added before the activation.
    pub(super) fn forward_onto(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        let y = self.sum(x)?;
        if !y.device().is_cpu() {
            let y = y.broadcast_add(&self.bias.reshape(((), 1, 1, 1))?)?;
            return self.bounded(&(y + residual)?);
        }
        y.inplace_op3(&self.bias, residual, &Finish(self.activation))?;
        Ok(y)
    }

    fn bounded(&self, y: &Tensor) -> Result<Tensor> {
        match self.activation {
            Activation::None => Ok(y.clone()),
            Activation::Relu => y.relu(),
            Activation::Relu6 => y.clamp(0f32, 6f32),
        }
    }

    /// The convolution alone.
    fn sum(&self, x: &Tensor) -> Result<Tensor> {
        let (inputs, pictures, rows, columns) = x.dims4()?;
        let outputs = self.weight.dim(0)?;
        let (_, out_rows) = self.geometry.along(rows);
        let (_, out_columns) = self.geometry.along(columns);
        if !x.device().is_cpu() {
            return self.sum_by_candle(x);
        }
        if self.depthwise {
            return x.apply_op2_no_bwd(&self.weight, &Depthwise(self.geometry));
        }
        let columns_of_taps =
            if self.geometry.kernel == 1 && (out_rows, out_columns) == (rows, columns) {
                x.reshape((inputs, pictures * rows * columns))?
            } else {
                x.apply_op1_no_bwd(&Unfold(self.geometry))?
            };
        self.weight.matmul(&columns_of_taps)?.reshape((outputs, pictures, out_rows, out_columns))
    }

    /// Where our own operations do not run: candle's, between two changes of layout.
    fn sum_by_candle(&self, x: &Tensor) -> Result<Tensor> {
        let (inputs, _, rows, columns) = x.dims4()?;
        let Geometry { kernel, stride, .. } = self.geometry;
        let groups = if self.depthwise { inputs } else { 1 };
        let weight = self.weight.reshape(((), inputs / groups, kernel, kernel))?;
        let zeros = |input: usize| {
            let (before, output) = self.geometry.along(input);
            let span = (output - 1) * stride + kernel;
            (before, span.saturating_sub(input + before))
        };
        let ((top, bottom), (left, right)) = (zeros(rows), zeros(columns));
        let x = x.pad_with_zeros(2, top, bottom)?.pad_with_zeros(3, left, right)?;
        let y = x.transpose(0, 1)?.contiguous()?.conv2d(&weight, 0, stride, 1, groups)?;
        y.transpose(0, 1)?.contiguous()
    }
}

/// The elements of a contiguous `f32` tensor on the CPU.
pub(super) fn elements<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => candle_core::bail!("expected a contiguous tensor"),
    }
}

/// Copies each output's neighbourhood into a column: (inputs, pictures, rows, columns) to (inputs x
/// taps, pictures x outputs).
struct Unfold(Geometry);

impl CustomOp1 for Unfold {
    fn name(&self) -> &'static str {
        "unfold"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Unfold(geometry) = self;
        let (inputs, pictures, rows, columns) = layout.shape().dims4()?;
        let x = elements(storage, layout)?;
        let (top, out_rows) = geometry.along(rows);
        let (left, out_columns) = geometry.along(columns);
        let (kernel, stride) = (geometry.kernel, geometry.stride);
        let size = out_rows * out_columns;
        let mut unfolded = vec![0f32; inputs * kernel * kernel * pictures * size];
        let mut targets = unfolded.chunks_exact_mut(size);
        for channel in x.chunks_exact(pictures * rows * columns) {
            for (tap_y, tap_x) in taps(kernel) {
                let inside = geometry.inside(tap_x, columns);
                for (plane, target) in
                    channel.chunks_exact(rows * columns).zip(targets.by_ref().take(pictures))
                {
                    for y in geometry.inside(tap_y, rows) {
                        let row = &plane[geometry.under(tap_y, y, top) * columns..][..columns];
                        let target = &mut target[y * out_columns..][inside.clone()];
                        if target.is_empty() {
                            continue;
                        }
                        let from = &row[geometry.under(tap_x, inside.start, left)..];
                        if stride == 1 {
                            target.copy_from_slice(&from[..target.len()]);
                        } else {
                            target.iter_mut().zip(from.iter().step_by(stride)).for_each(
                                |(to, from)| {
                                    *to = *from;
                                },
                            );
                        }
                    }
                }
            }
        }
        let shape = Shape::from((inputs * kernel * kernel, pictures * size));
        Ok((CpuStorage::F32(unfolded), shape))
    }
}

/// A kernel's taps in row-major order.
fn taps(kernel: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..kernel).flat_map(move |y| (0..kernel).map(move |x| (y, x)))
}

/// Adds the bias, and a residual if there is one, and applies the activation, in one pass.
struct Finish(Activation);

impl Finish {
    fn run(&self, y: &mut [f32], bias: &[f32], residual: Option<&[f32]>) {
        let size = y.len() / bias.len().max(1);
        let (low, high) = match self.0 {
            Activation::None => (f32::NEG_INFINITY, f32::INFINITY),
            Activation::Relu => (0.0, f32::INFINITY),
            Activation::Relu6 => (0.0, 6.0),
        };
        // `clamp` lets what is not a number through, so that it reaches the embedding and is refused.
        for (channel, (y, bias)) in y.chunks_exact_mut(size).zip(bias).enumerate() {
            match residual {
                Some(residual) => {
                    let residual = &residual[channel * size..][..size];
                    for (y, residual) in y.iter_mut().zip(residual) {
                        *y = (*y + bias + residual).clamp(low, high);
                    }
                }
                None => y.iter_mut().for_each(|y| *y = (*y + bias).clamp(low, high)),
            }
        }
    }
}

/// The elements of a contiguous tensor that an operation may change.
fn elements_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => candle_core::bail!("expected a contiguous tensor of f32"),
    }
}

impl InplaceOp2 for Finish {
    fn name(&self) -> &'static str {
        "finish"
    }

    fn cpu_fwd(
        &self,
        y: &mut CpuStorage,
        y_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<()> {
        self.run(elements_mut(y, y_layout)?, elements(bias, bias_layout)?, None);
        Ok(())
    }
}

impl InplaceOp3 for Finish {
    fn name(&self) -> &'static str {
        "finish onto"
    }

    fn cpu_fwd(
        &self,
        y: &mut CpuStorage,
        y_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> Result<()> {
        let residual = elements(residual, residual_layout)?;
        self.run(elements_mut(y, y_layout)?, elements(bias, bias_layout)?, Some(residual));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(shape: &[usize], step: f32) -> Tensor {
        let count = shape.iter().product::<usize>();
        let values = (0..count).map(|i| ((i * 37 % 101) as f32 - 50.0) * step);
        Tensor::from_iter(values, &Device::Cpu).unwrap().reshape(shape).unwrap()
    }

    fn conv(weight: &Tensor, geometry: Geometry, depthwise: bool) -> Conv {
        let outputs = weight.dim(0).unwrap();
        Conv {
            weight: weight.reshape((outputs, ())).unwrap(),
            bias: ramp(&[outputs], 0.01),
            geometry,
            depthwise,
            activation: Activation::Relu6,
        }
    }

    /// The largest difference between our sums and candle's own convolution of the same.
    fn difference(conv: &Conv, x: &Tensor) -> f32 {
        let (ours, candles) = (conv.sum(x).unwrap(), conv.sum_by_candle(x).unwrap());
        assert_eq!(ours.dims(), candles.dims(), "{:?}", conv.geometry);
        (ours - candles).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    /// Candle's convolution is slow but right; every geometry agrees with it, on sides that the
    /// strides divide and on sides that they do not.
    #[test]
    fn sums_as_candle_does() {
        for padding in [Padding::Each(0), Padding::Each(1), Padding::Each(3), Padding::Same] {
            for (kernel, stride) in [(1, 1), (1, 2), (3, 1), (3, 2), (5, 1), (5, 2), (7, 2)] {
                let geometry = Geometry { kernel, stride, padding };
                for (rows, columns) in [(8, 8), (7, 9), (12, 7)] {
                    let x = ramp(&[4, 3, rows, columns], 0.1);
                    let dense = conv(&ramp(&[5, 4, kernel, kernel], 0.02), geometry, false);
                    assert!(difference(&dense, &x) < 1e-3, "{geometry:?} on {rows}x{columns}");
                    let depthwise = conv(&ramp(&[4, 1, kernel, kernel], 0.02), geometry, true);
                    assert!(difference(&depthwise, &x) < 1e-3, "{geometry:?} on {rows}x{columns}");
                }
            }
        }
    }

    #[test]
    fn same_padding_puts_the_odd_zero_last() {
        let geometry = Geometry { kernel: 3, stride: 2, padding: Padding::Same };
        assert_eq!(geometry.along(224), (0, 112));
        assert_eq!(geometry.along(7), (1, 4));
        assert_eq!(Geometry { kernel: 5, ..geometry }.along(28), (1, 14));
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        let conv = conv(
            &ramp(&[2, 2, 1, 1], 1.0),
            Geometry { kernel: 1, stride: 1, padding: Padding::Same },
            false,
        );
        let x = Tensor::new(&[[[[f32::NAN]]], [[[1.0]]]], &Device::Cpu).unwrap();
        let y: Vec<f32> = conv.forward(&x).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert!(y.iter().all(|y| y.is_nan()), "{y:?}");
        let residual = Tensor::zeros((2, 1, 1, 1), candle_core::DType::F32, &Device::Cpu).unwrap();
        let y: Vec<f32> =
            conv.forward_onto(&x, &residual).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert!(y.iter().all(|y| y.is_nan()), "{y:?}");
    }
}
