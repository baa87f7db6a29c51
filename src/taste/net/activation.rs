//! An activation by itself, where something stands between it and the sums: a batch norm.
//!
//! ```text
//! y = 0 ∨ x [∧ 6]        dx = dy where 0 < y [< 6], else 0
//! ```

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::conv::Activation;
use super::values::{elements, stored, tensor, with};

/// `y = activation(x)`.
pub fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Activate(activation))
}

struct Activate(Activation);

impl CustomOp1 for Activate {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut y = elements(x, layout)?.to_vec();
        y.par_chunks_mut(1 << 16).for_each(|y| self.0.apply(y, 0.0));
        Ok(stored(y, layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let dx = with([y, dy], |[y, dy]| self.0.gradient(y, dy))?;
        Ok(Some(tensor(dx, x.shape())?))
    }
}
