//! The fully connected layer, with its gradients.
//!
//! ```text
//! y = x Wᵀ + b        or        y = 0 ∨ (x Wᵀ + b)
//! ```
//!
//! In: (rows, inputs) and PyTorch's layout of the weights, (outputs, inputs). `W` is often hundreds of
//! megabytes and the rows are a handful, so every product here reads or writes `W` once, where it lies. Where nothing is
//! learned, `W` may be of halves.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use half::f16;
use rayon::prelude::*;

use super::activation::Activation;
use super::gradients::{room, told};
use super::values::{elements, stored, sum_of, tensor, with};
use crate::encode::kernels::{
    Isa, Matrix, Onto, for_each_isa, multiply_rows, multiply_shared, transpose,
};

/// `y = activation(x Wᵀ + b)`.
pub fn dense(x: &Tensor, weight: &Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, Dense(activation))
}

struct Dense(Activation);

/// Outputs of a single row that one thread takes at a time.
const PART: usize = 256;

impl Dense {
    /// The outputs of one row: the panels of a product would be all but empty.
    fn of_one(&self, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        let mut y = vec![0.0; bias.len()];
        let parts = y.par_chunks_mut(PART).zip(weight.par_chunks(PART * x.len()));
        parts.zip(bias.par_chunks(PART)).for_each(|((y, weight), bias)| {
            products(Isa::best(), weight, x, y);
            self.0.apply_rows(y, bias);
        });
        y
    }

    /// The outputs of a few rows where weights are kept as halves, which are half as much to read.
    fn of_halves(&self, x: &[f32], weight: &[f16], bias: &[f32]) -> Vec<f32> {
        let inputs = weight.len() / bias.len().max(1);
        let mut y = vec![0.0; x.len() / inputs.max(1) * bias.len()];
        let rows = y.chunks_exact_mut(bias.len().max(1)).zip(x.chunks_exact(inputs.max(1)));
        for (y, x) in rows {
            let parts = y.par_chunks_mut(PART).zip(weight.par_chunks(PART * inputs));
            parts.zip(bias.par_chunks(PART)).for_each(|((y, weight), bias)| {
                products_of_halves(Isa::best(), weight, x, y);
                self.0.apply_rows(y, bias);
            });
        }
        y
    }
}

for_each_isa! {
    /// The product of each row of weights with `x`.
    products(weight: &[f32], x: &[f32], y: &mut [f32]) runs products_all
}

#[inline(always)]
fn products_all(weight: &[f32], x: &[f32], y: &mut [f32]) {
    for (y, weight) in y.iter_mut().zip(weight.chunks_exact(x.len())) {
        *y = sum_of(weight, x, |w, x| w * x);
    }
}

for_each_isa! {
    /// The same for weights that are kept as halves, all of them finite.
    products_of_halves(weight: &[f16], x: &[f32], y: &mut [f32]) runs products_of_halves_all
}

#[inline(always)]
fn products_of_halves_all(weight: &[f16], x: &[f32], y: &mut [f32]) {
    for (y, weight) in y.iter_mut().zip(weight.chunks_exact(x.len().max(1))) {
        let mut sums = [0.0; 32];
        let ((weight, rest), (x, x_rest)) = (weight.as_chunks::<32>(), x.as_chunks::<32>());
        for (weight, x) in weight.iter().zip(x) {
            for ((sum, &w), &x) in sums.iter_mut().zip(weight).zip(x) {
                *sum += widened(w) * x;
            }
        }
        let rest = rest.iter().zip(x_rest).map(|(&w, &x)| widened(w) * x).sum::<f32>();
        *y = sums.iter().sum::<f32>() + rest;
    }
}

/// A finite half as a single, in operations that every instruction set has for many values at once: the bits are brought
/// where a single has them, and the exponent, which counts from 15 and not from 127, is put right by a product.
#[inline(always)]
fn widened(half: f16) -> f32 {
    const BETWEEN: f32 = f32::from_bits((127 + 127 - 15) << 23);
    let bits = u32::from(half.to_bits());
    f32::from_bits((bits & 0x8000) << 16 | (bits & 0x7fff) << 13) * BETWEEN
}

impl CustomOp3 for Dense {
    fn name(&self) -> &'static str {
        "fully connected layer"
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
        let (rows, inputs) = x_layout.shape().dims2()?;
        let (outputs, width) = weight_layout.shape().dims2()?;
        if width != inputs || bias_layout.shape().dims1()? != outputs {
            bail!("{:?} by a layer of {:?}", x_layout.shape(), weight_layout.shape());
        }
        let (x, bias) = (elements(x, x_layout)?, elements(bias, bias_layout)?);
        if let (CpuStorage::F16(weight), Some((start, end))) =
            (weight, weight_layout.contiguous_offsets())
        {
            return Ok(stored(self.of_halves(x, &weight[start..end], bias), (rows, outputs)));
        }
        let weight = elements(weight, weight_layout)?;
        if rows == 1 && inputs > 0 {
            return Ok(stored(self.of_one(x, weight, bias), (1, outputs)));
        }
        let weight = Matrix::new(weight, outputs, inputs);
        let x = Matrix::new(x, rows, inputs);
        let mut y = vec![0.0; rows * outputs];
        if 2 * rows >= outputs {
            // The smaller side is the one that is laid out.
            multiply_shared(Isa::best(), x, weight.transposed(), &mut y);
            self.0.apply_rows(&mut y, bias);
            return Ok(stored(y, (rows, outputs)));
        }
        let mut turned = vec![0.0; rows * outputs];
        multiply_shared(Isa::best(), weight, x.transposed(), &mut turned);
        if rows > 0 {
            let sides = Matrix::new(&turned, outputs, rows);
            transpose(sides.transposed(), &mut y);
            self.0.apply_rows(&mut y, bias);
        }
        Ok(stored(y, (rows, outputs)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let ((rows, inputs), outputs) = (x.dims2()?, bias.dims1()?);
        let dz = with([y, dy], |[y, dy]| self.0.gradient(y, dy))?;
        let product = |a: Matrix<'_>, b: Matrix<'_>, values: usize| {
            let mut out = room(values);
            multiply_shared(Isa::best(), a, b, &mut out);
            out
        };
        let gradient = Matrix::new(&dz, rows, outputs);
        let dx = x.track_op().then(|| {
            let dx = with([weight], |[weight]| {
                product(gradient, Matrix::new(weight, outputs, inputs), rows * inputs)
            });
            tensor(dx?, (rows, inputs))
        });
        let dw = weight.track_op().then(|| {
            let dw = with([x], |[x]| {
                product(gradient.transposed(), Matrix::new(x, rows, inputs), outputs * inputs)
            });
            told(weight, dw?)
        });
        let db = bias.track_op().then(|| told(bias, sums_of_columns(&dz, outputs)));
        Ok((dx.transpose()?, dw.transpose()?.flatten(), db.transpose()?.flatten()))
    }
}

/// `y = activation([x; c] Wᵀ + b)`, with rows `c` beside those of `x` of which nothing is learned: they are copied nowhere,
/// and have no gradient.
pub fn dense_beside(
    x: &Tensor,
    beside: Vec<f32>,
    weight: &Tensor,
    bias: &Tensor,
    activation: Activation,
) -> Result<Tensor> {
    let op = Beside { activation, beside };
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op)
}

struct Beside {
    activation: Activation,
    beside: Vec<f32>,
}

impl Beside {
    /// How many rows, values of `x`, values beside and outputs there are.
    fn sizes(&self, x: &Shape, weight: &Shape, bias: &Shape) -> Result<[usize; 4]> {
        let ((rows, inputs), (outputs, all)) = (x.dims2()?, weight.dims2()?);
        if all < inputs || self.beside.len() != rows * (all - inputs) || bias.dims1()? != outputs {
            bail!("{x:?} with {} values beside by a layer of {weight:?}", self.beside.len());
        }
        Ok([rows, inputs, all - inputs, outputs])
    }
}

impl CustomOp3 for Beside {
    fn name(&self) -> &'static str {
        "fully connected layer with constants"
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
        let shapes = [x_layout, weight_layout, bias_layout].map(Layout::shape);
        let [rows, inputs, others, outputs] = self.sizes(shapes[0], shapes[1], shapes[2])?;
        let (x, weight) = (elements(x, x_layout)?, elements(weight, weight_layout)?);
        let weight = Matrix::new(weight, outputs, inputs + others);
        let (own, beside) = (weight.columns(0, inputs), weight.columns(inputs, others));
        let mut y = vec![0.0; rows * outputs];
        let x = Matrix::new(x, rows, inputs);
        multiply_rows(Isa::best(), x, own.transposed(), Onto::Nothing, &mut y, outputs);
        let c = Matrix::new(&self.beside, rows, others);
        multiply_rows(Isa::best(), c, beside.transposed(), Onto::Sum, &mut y, outputs);
        self.activation.apply_rows(&mut y, elements(bias, bias_layout)?);
        Ok(stored(y, (rows, outputs)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [rows, inputs, others, outputs] =
            self.sizes(x.shape(), weight.shape(), bias.shape())?;
        let isa = Isa::best();
        let dz = with([y, dy], |[y, dy]| self.activation.gradient(y, dy))?;
        let gradient = Matrix::new(&dz, rows, outputs);
        let dx = with([weight], |[weight]| {
            let own = Matrix::new(weight, outputs, inputs + others).columns(0, inputs);
            let mut dx = vec![0.0; rows * inputs];
            multiply_rows(isa, gradient, own, Onto::Nothing, &mut dx, inputs);
            dx
        })?;
        let dw = with([x], |[x]| {
            let mut dw = room(outputs * (inputs + others));
            let x = Matrix::new(x, rows, inputs);
            let c = Matrix::new(&self.beside, rows, others);
            for (first, values) in [(0, x), (inputs, c)] {
                let out = &mut dw[first..];
                let stride = inputs + others;
                multiply_rows(isa, gradient.transposed(), values, Onto::Nothing, out, stride);
            }
            dw
        })?;
        let db = sums_of_columns(&dz, outputs);
        Ok((Some(tensor(dx, (rows, inputs))?), told(weight, dw)?, told(bias, db)?))
    }
}

fn sums_of_columns(rows: &[f32], columns: usize) -> Vec<f32> {
    let mut sums = vec![0.0; columns];
    for row in rows.chunks_exact(columns.max(1)) {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }
    sums
}
