//! Adam and AdamW, each parameter in one pass.
//!
//! ```text
//! m = β₁ m + (1 - β₁) g        v = β₂ v + (1 - β₂) g²
//! Θ = Θ - lr (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + ε)
//! ```
//!
//! In: the gradients that candle's `backward` left. Changed: the parameters, where they lie. Seven reads and
//! writes a value, instead of candle's some thirty.

use std::cell::RefCell;

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Var, bail};
use rayon::prelude::*;

use super::gradients::{forget, give_back};
use super::values::elements;
use crate::encode::kernels::{Isa, for_each_isa};
use crate::taste::model::{Array, State};

/// How the optimiser steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamSettings {
    /// The step's length.
    pub rate: f32,
    /// How long the mean gradient is remembered, and how long the mean square.
    pub betas: (f32, f32),
    /// What keeps the division sane.
    pub epsilon: f32,
    /// How parameters are kept small.
    pub decay: Decay,
}

impl Default for AdamSettings {
    fn default() -> Self {
        AdamSettings { rate: 1e-3, betas: (0.9, 0.999), epsilon: 1e-8, decay: Decay::None }
    }
}

/// How parameters are kept small.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decay {
    /// They are not.
    None,
    /// The objective has a term `λ |Θ|²`, whose gradient `2 λ Θ` goes through the moments.
    Penalty(f32),
    /// Each step first shortens the parameters by this share of the rate (AdamW).
    Shrink(f32),
}

/// One over what the moments lack of their full size after `step` steps.
fn corrections(betas: (f32, f32), step: u64) -> (f32, f32) {
    let lack = |beta: f32| 1.0 - f64::from(beta).powi(step.min(1 << 30) as i32);
    ((1.0 / lack(betas.0)) as f32, (1.0 / lack(betas.1)) as f32)
}

/// The parameters' moments.
#[derive(Debug)]
pub struct Adam {
    settings: AdamSettings,
    step: u64,
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    name: String,
    parameter: Var,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Adam {
    /// An optimiser of named parameters, before its first step.
    pub fn new(
        parameters: impl IntoIterator<Item = (String, Var)>,
        settings: AdamSettings,
    ) -> Self {
        let slots = parameters.into_iter().map(|(name, parameter)| {
            let zeros = || vec![0.0; parameter.elem_count()];
            Slot { name, first: zeros(), second: zeros(), parameter }
        });
        Adam { settings, step: 0, slots: slots.collect() }
    }

    /// One step along the gradients, which are used up: their memory serves the next step's. A parameter
    /// without gradient stays as it is.
    pub fn step(&mut self, gradients: &mut GradStore) -> Result<()> {
        self.step += 1;
        for slot in &mut self.slots {
            if let Some(gradient) = gradients.remove(&slot.parameter) {
                let moments = RefCell::new((&mut slot.first[..], &mut slot.second[..]));
                let update = Update { settings: self.settings, step: self.step, moments };
                slot.parameter.inplace_op2(&gradient.contiguous()?, &update)?;
                give_back(&gradient)?;
            }
        }
        Ok(())
    }

    /// One step along what the parts of a batch have found, summed up in their order.
    pub fn step_along(&mut self, parts: Vec<GradStore>) -> Result<()> {
        let mut parts = parts.into_iter();
        let Some(mut sum) = parts.next() else { return Ok(()) };
        for mut part in parts {
            for Slot { parameter, .. } in &self.slots {
                if let Some(found) = part.remove(parameter) {
                    let found = match sum.remove(parameter) {
                        Some(others) => (others + found)?,
                        None => found,
                    };
                    sum.insert(parameter, found);
                }
            }
        }
        self.step(&mut sum)
    }

    /// Steps taken so far.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// The moments by name, so that training can go on where it was; see [`Adam::restore`].
    pub fn state(&self) -> State {
        let slots = self.slots.iter().flat_map(|slot| {
            let array = |values: &[f32]| Array {
                shape: slot.parameter.dims().to_vec(),
                values: values.to_vec(),
            };
            [
                (format!("{}.m", slot.name), array(&slot.first)),
                (format!("{}.v", slot.name), array(&slot.second)),
            ]
        });
        slots.collect()
    }

    /// Takes up the moments that [`Adam::state`] told after so many steps.
    pub fn restore(&mut self, step: u64, state: &State) -> Result<()> {
        for slot in &mut self.slots {
            for (which, values) in [("m", &mut slot.first), ("v", &mut slot.second)] {
                let name = format!("{}.{which}", slot.name);
                match state.get(&name) {
                    Some(array) if array.values.len() == values.len() => {
                        values.copy_from_slice(&array.values);
                    }
                    _ => bail!("there is no fitting {name}: it is of another run, start anew"),
                }
            }
        }
        self.step = step;
        Ok(())
    }
}

impl Drop for Adam {
    fn drop(&mut self) {
        forget();
    }
}

struct Update<'a> {
    settings: AdamSettings,
    step: u64,
    /// In a cell, because candle's operations on tensors may not change themselves.
    moments: RefCell<(&'a mut [f32], &'a mut [f32])>,
}

impl InplaceOp2 for Update<'_> {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(
        &self,
        parameter: &mut CpuStorage,
        layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<()> {
        let gradient = elements(gradient, gradient_layout)?;
        let (CpuStorage::F32(values), Some((start, end))) =
            (parameter, layout.contiguous_offsets())
        else {
            bail!("a parameter must be a contiguous tensor of f32")
        };
        let moves = Moves::of(self.settings, self.step);
        let mut moments = self.moments.borrow_mut();
        let (first, second) = &mut *moments;
        const PART: usize = 1 << 16;
        let moments = first.par_chunks_mut(PART).zip(second.par_chunks_mut(PART));
        let values = values[start..end].par_chunks_mut(PART).zip(gradient.par_chunks(PART));
        values.zip(moments).for_each(|((values, gradient), (first, second))| {
            descend(Isa::best(), moves, values, gradient, first, second);
        });
        Ok(())
    }
}

/// What a step's arithmetic takes, the same for all values.
#[derive(Clone, Copy)]
pub(super) struct Moves {
    betas: (f32, f32),
    epsilon: f32,
    /// The rate, with what the first moment lacks.
    length: f32,
    second_scale: f32,
    penalty: f32,
    shrink: f32,
}

impl Moves {
    fn of(settings: AdamSettings, step: u64) -> Self {
        let AdamSettings { rate, betas, epsilon, decay } = settings;
        let (first_scale, second_scale) = corrections(betas, step);
        let (penalty, shrink) = match decay {
            Decay::None => (0.0, 1.0),
            Decay::Penalty(lambda) => (2.0 * lambda, 1.0),
            Decay::Shrink(share) => (0.0, 1.0 - rate * share),
        };
        Moves { betas, epsilon, length: rate * first_scale, second_scale, penalty, shrink }
    }
}

for_each_isa! {
    /// Moves values down their gradient, and the moments with them.
    descend(
        moves: Moves, values: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]
    ) runs descend_all
}

#[inline(always)]
fn descend_all(
    moves: Moves,
    values: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    let Moves { betas, epsilon, length, second_scale, penalty, shrink } = moves;
    let moments = first.iter_mut().zip(second);
    for ((value, gradient), (first, second)) in values.iter_mut().zip(gradient).zip(moments) {
        let gradient = gradient + penalty * *value;
        *first = betas.0 * *first + (1.0 - betas.0) * gradient;
        *second = betas.1 * *second + (1.0 - betas.1) * gradient * gradient;
        let root = (second_scale * *second).sqrt() + epsilon;
        *value = shrink * *value - length * *first / root;
    }
}
