//! The numbers inside candle's tensors, for operations that do their own arithmetic.

use candle_core::{CpuStorage, Layout, Result, Shape, Storage, Tensor, bail};

use crate::encode::kernels::exp;

/// Values that are added up side by side.
const LANES: usize = 16;

/// The elements of a contiguous `f32` tensor on the CPU.
pub(in crate::taste) fn elements<'a>(
    storage: &'a CpuStorage,
    layout: &Layout,
) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("expected a contiguous tensor"),
    }
}

/// Calls `f` with the elements of some tensors, row after row.
pub(in crate::taste) fn with<const N: usize, T>(
    tensors: [&Tensor; N],
    f: impl FnOnce([&[f32]; N]) -> T,
) -> Result<T> {
    let tensors = tensors.map(Tensor::contiguous);
    let mut held = Vec::with_capacity(N);
    for tensor in &tensors {
        match tensor {
            Ok(tensor) => held.push(tensor.storage_and_layout()),
            Err(error) => bail!("{error}"),
        }
    }
    let mut slices = [[].as_slice(); N];
    for (slice, (storage, layout)) in slices.iter_mut().zip(&held) {
        match &**storage {
            Storage::Cpu(storage) => *slice = elements(storage, layout)?,
            _ => bail!("taste is trained on the CPU, and this tensor is elsewhere"),
        }
    }
    Ok(f(slices))
}

/// Values as candle's operations return them.
pub(in crate::taste) fn stored(values: Vec<f32>, shape: impl Into<Shape>) -> (CpuStorage, Shape) {
    (CpuStorage::F32(values), shape.into())
}

/// Values as a tensor without history.
pub(in crate::taste) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(values, shape.into(), &candle_core::Device::Cpu)
}

/// The sum of `f` over pairs of values, in lanes that are added up at the end: quick, always in the
/// same order, and more exact than one running sum.
#[inline(always)]
pub(in crate::taste) fn sum_of(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut sums = [0.0; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f(a, b);
        }
    }
    for ((sum, &a), &b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
        *sum += f(a, b);
    }
    sums.iter().sum()
}

/// The sum of values.
pub(in crate::taste) fn sum(values: &[f32]) -> f32 {
    sum_of(values, values, |value, _| value)
}

/// Softmax in place: what some values count for beside each other, one in all.
#[inline(always)]
pub(in crate::taste) fn weigh(values: &mut [f32]) {
    let most = values.iter().fold(f32::NEG_INFINITY, |most, x| if *x > most { *x } else { most });
    values.iter_mut().for_each(|x| *x = exp(*x - most));
    let scale = 1.0 / sum(values);
    values.iter_mut().for_each(|x| *x *= scale);
}
