//! Binary cross-entropy in which a category that is there weighs more than one that is not.
//!
//! ```text
//! l = w y ln(1 + e^-z) + (1 - y) ln(1 + e^z)              dz = (1 - y) σ(z) - w y σ(-z)
//! ```
//!
//! `z` is what the last layer says before its sigmoid, `y` is 1 or 0. A user's pictures belong to a few
//! of a thousand categories; with `w` = 36 the few are not drowned by the many.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use crate::taste::net::values::{elements, stored, tensor, with};

/// The loss of each value; `labels` are no variables.
pub fn weighted_cross_entropy(logits: &Tensor, labels: &Tensor, weight: f32) -> Result<Tensor> {
    logits.contiguous()?.apply_op2(&labels.contiguous()?, CrossEntropy(weight))
}

struct CrossEntropy(f32);

/// `ln(1 + e^x)`, without overflow.
fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

impl CustomOp2 for CrossEntropy {
    fn name(&self) -> &'static str {
        "weighted cross-entropy"
    }

    fn cpu_fwd(
        &self,
        z: &CpuStorage,
        z_layout: &Layout,
        y: &CpuStorage,
        y_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if z_layout.shape() != y_layout.shape() {
            bail!("{:?} to be judged by {:?}", z_layout.shape(), y_layout.shape());
        }
        let pairs = elements(z, z_layout)?.iter().zip(elements(y, y_layout)?);
        let losses =
            pairs.map(|(&z, &y)| self.0 * y * softplus(-z) + (1.0 - y) * softplus(z)).collect();
        Ok(stored(losses, z_layout.shape().clone()))
    }

    fn bwd(
        &self,
        z: &Tensor,
        y: &Tensor,
        _: &Tensor,
        dl: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dz = with([z, y, dl], |[z, y, dl]| {
            let slope = |z: f32, y: f32| (1.0 - y) * sigmoid(z) - self.0 * y * sigmoid(-z);
            z.iter().zip(y).zip(dl).map(|((&z, &y), dl)| dl * slope(z, y)).collect()
        })?;
        Ok((Some(tensor(dz, z.shape())?), None))
    }
}
