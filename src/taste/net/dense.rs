//! The fully connected layer, with its gradients.
//!
//! ```text
//! y = x Wᵀ + b        or        y = 0 ∨ (x Wᵀ + b)
//! ```
//!
//! In: (rows, inputs) and PyTorch's layout of the weights, (outputs, inputs). `W` is often hundreds of
//! megabytes and the rows are a handful, so every product here reads or writes `W` once, where it lies.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::activation::Activation;
use super::gradients::{room, told};
use super::values::{elements, stored, sum_of, tensor, with};
use crate::encode::kernels::{Isa, Matrix, multiply_shared};

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
            for ((y, weight), bias) in y.iter_mut().zip(weight.chunks_exact(x.len())).zip(bias) {
                *y = sum_of(weight, x, |w, x| w * x);
                self.0.apply(std::slice::from_mut(y), *bias);
            }
        });
        y
    }
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
        let (weight, x) = (elements(weight, weight_layout)?, elements(x, x_layout)?);
        let bias = elements(bias, bias_layout)?;
        if rows == 1 && inputs > 0 {
            return Ok(stored(self.of_one(x, weight, bias), (1, outputs)));
        }
        let weight = Matrix::new(weight, outputs, inputs);
        let x = Matrix::new(x, rows, inputs);
        let mut turned = vec![0.0; rows * outputs];
        multiply_shared(Isa::best(), weight, x.transposed(), &mut turned);
        let mut y = vec![0.0; rows * outputs];
        if rows > 0 {
            for ((output, sums), bias) in turned.chunks_exact_mut(rows).enumerate().zip(bias) {
                self.0.apply(sums, *bias);
                let places = y.iter_mut().skip(output).step_by(outputs);
                places.zip(sums).for_each(|(y, sum)| *y = *sum);
            }
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
        let db = bias.track_op().then(|| {
            let mut db = vec![0.0; outputs];
            for dz in dz.chunks_exact(outputs) {
                db.iter_mut().zip(dz).for_each(|(db, dz)| *db += dz);
            }
            told(bias, db)
        });
        Ok((dx.transpose()?, dw.transpose()?.flatten(), db.transpose()?.flatten()))
    }
}
