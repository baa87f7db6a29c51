//! Dropout whose every mask can be drawn again.
//!
//! ```text
//! y = x m / (1 - p),   m = 1 with probability 1 - p, else 0
//! ```

use candle_core::{Result, Tensor};

use super::values::tensor;
use crate::taste::chance::Chance;

/// Drops a share of the values and strengthens the others, so that the sum stays what it was on average.
pub fn dropout(x: &Tensor, share: f32, chance: &mut Chance) -> Result<Tensor> {
    let kept = 1.0 / (1.0 - share);
    let mask = (0..x.elem_count()).map(|_| if chance.unit() < share { 0.0 } else { kept });
    x * tensor(mask.collect(), x.shape())?
}
