//! Candle's `backward` without a copy of every parameter's gradient.
//!
//! In: a loss. Out: the gradients of what it was made of. Candle adds the first gradient of a tensor to zeros of
//! its size: of CNN-F's 69 million parameters those are 560 MB that every step writes for nothing. So while
//! [`backward`] runs, our operations set the gradients of parameters aside, and they join candle's at the
//! end.
//!
//! A large gradient's memory goes from step to step: new memory comes page by page from the system, which
//! takes longer than computing what is written there.

use std::cell::RefCell;
use std::collections::HashMap;

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor, TensorId};
use rayon::prelude::*;

use super::values::tensor;

/// Gradients by the parameter that they are of.
type Aside = HashMap<TensorId, (Tensor, Vec<f32>)>;

thread_local! {
    /// Only while [`backward`] runs on this thread.
    static ASIDE: RefCell<Option<Aside>> = const { RefCell::new(None) };
}

/// Gradients of this many values are worth keeping the memory of.
const LARGE: usize = 1 << 20;

thread_local! {
    /// The memory of gradients that were used up.
    static SPARE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Room for so many values, to be overwritten: it is not cleared.
pub(super) fn room(count: usize) -> Vec<f32> {
    SPARE.with_borrow_mut(|spare| match spare.iter().position(|values| values.len() == count) {
        Some(at) => spare.swap_remove(at),
        None => vec![0.0; count],
    })
}

fn keep(values: Vec<f32>) {
    if values.len() >= LARGE {
        SPARE.with_borrow_mut(|spare| spare.push(values));
    }
}

/// Takes a gradient's memory away from it: nobody may read it any more.
pub(super) fn give_back(gradient: &Tensor) -> Result<()> {
    match gradient.elem_count() {
        LARGE.. => gradient.inplace_op1(&Taking),
        _ => Ok(()),
    }
}

/// Gives the memory of used gradients back to the system.
pub(super) fn forget() {
    SPARE.take();
}

/// Has the system's allocator keep what a step frees for the next one. Glibc keeps twice the largest block that it has
/// seen freed, and gives what is beyond back to the system, from which it comes anew page by page: in a network of small
/// layers that is a tenth of a step. Nothing is written here, so that no page is taken.
pub fn keep_freed() {
    drop(std::hint::black_box(vec![0u8; 16 << 20]));
}

struct Taking;

impl InplaceOp1 for Taking {
    fn name(&self) -> &'static str {
        "taking memory away"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, _: &Layout) -> Result<()> {
        if let CpuStorage::F32(values) = storage {
            keep(std::mem::take(values));
        }
        Ok(())
    }
}

/// Puts back what was set aside before, also where `backward` fails: a thread that waits for others
/// may meanwhile be lent to another `backward`.
struct Outer(Option<Aside>);

impl Drop for Outer {
    fn drop(&mut self) {
        ASIDE.set(self.0.take());
    }
}

/// The gradients that candle's own `backward` gives, for less time and memory.
pub fn backward(loss: &Tensor) -> Result<GradStore> {
    let outer = Outer(ASIDE.replace(Some(Aside::new())));
    let mut gradients = loss.backward()?;
    let aside = ASIDE.take().unwrap_or_default();
    drop(outer);
    for (parameter, values) in aside.into_values() {
        let gradient = tensor(values, parameter.shape())?;
        let gradient = match gradients.remove(&parameter) {
            // Of operations that are candle's own.
            Some(other) => (other + gradient)?,
            None => gradient,
        };
        gradients.insert(&parameter, gradient);
    }
    Ok(gradients)
}

/// What an operation tells candle of an argument's gradient: nothing, if it was set aside.
pub(super) fn told(argument: &Tensor, gradient: Vec<f32>) -> Result<Option<Tensor>> {
    if !argument.is_variable() || ASIDE.with_borrow(Option::is_none) {
        return tensor(gradient, argument.shape()).map(Some);
    }
    let take = || ASIDE.with_borrow_mut(|aside| aside.as_mut()?.remove(&argument.id()));
    let sum = match take() {
        Some((_, mut sum)) => {
            let parts = sum.par_chunks_mut(1 << 16).zip(gradient.par_chunks(1 << 16));
            parts.for_each(|(sum, part)| sum.iter_mut().zip(part).for_each(|(sum, x)| *sum += x));
            keep(gradient);
            sum
        }
        None => gradient,
    };
    ASIDE.with_borrow_mut(|aside| {
        aside.get_or_insert_default().insert(argument.id(), (argument.clone(), sum))
    });
    Ok(None)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::super::{Activation, conv2d, dense};
    use super::*;
    use crate::encode::image::{Geometry, Padding};

    fn var(shape: &[usize], step: usize) -> Var {
        let count = shape.iter().product::<usize>();
        let values = (0..count).map(|n| (n * step % 19) as f32 / 8.0 - 1.0);
        let values = Tensor::from_iter(values, &Device::Cpu).unwrap().reshape(shape).unwrap();
        Var::from_tensor(&values).unwrap()
    }

    /// Two arms that share their weights, and a penalty on these that is candle's own operation.
    #[test]
    fn equals_candles_where_a_parameter_is_used_several_times() {
        let (kernel, bias) = (var(&[3, 2, 3, 3], 7), var(&[3], 5));
        let (weight, shift) = (var(&[4, 48], 11), var(&[4], 3));
        let geometry = Geometry { kernel: 3, stride: 1, padding: Padding::Same };
        let arm = |x: &Var| {
            let y = conv2d(x, &kernel, &bias, geometry, Activation::Relu).unwrap();
            dense(&y.flatten_from(1).unwrap(), &weight, &shift, Activation::None).unwrap()
        };
        let (left, right) = (var(&[1, 2, 4, 4], 13), var(&[1, 2, 4, 4], 2));
        let score = (arm(&left) - arm(&right)).unwrap().sqr().unwrap().sum_all().unwrap();
        let penalty = kernel.sqr().unwrap().sum_all().unwrap();
        let (ours, candles) = ((&score + &penalty).unwrap(), (&score + &penalty).unwrap());
        let (ours, candles) = (backward(&ours).unwrap(), candles.backward().unwrap());
        for (name, var) in [
            ("kernel", &kernel),
            ("bias", &bias),
            ("weight", &weight),
            ("shift", &shift),
            ("input", &left),
        ] {
            let values = |gradients: &GradStore| -> Vec<f32> {
                gradients.get(var).unwrap().flatten_all().unwrap().to_vec1().unwrap()
            };
            for (ours, candles) in values(&ours).iter().zip(values(&candles)) {
                assert!((ours - candles).abs() <= 1e-5 * candles.abs().max(1.0), "{name}");
            }
        }
        assert!(ASIDE.with_borrow(Option::is_none));
    }
}
