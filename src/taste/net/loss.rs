//! The logarithm of the sigmoid, which ranking by pairs maximises, without overflow.
//!
//! ```text
//! y = ln σ(x) = -ln(1 + e^-x)                                          dx = σ(-x) dy
//! ```

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::values::{elements, stored, tensor, with};

/// `ln σ(x)`, value by value.
pub fn log_sigmoid(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(LogSigmoid)
}

struct LogSigmoid;

impl CustomOp1 for LogSigmoid {
    fn name(&self) -> &'static str {
        "log sigmoid"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let y = elements(x, layout)?.iter().map(|&x| x.min(0.0) - (-x.abs()).exp().ln_1p());
        Ok(stored(y.collect(), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let dx = with([x, dy], |[x, dy]| {
            x.iter().zip(dy).map(|(&x, dy)| dy / (1.0 + x.exp())).collect()
        })?;
        Ok(Some(tensor(dx, x.shape())?))
    }
}
