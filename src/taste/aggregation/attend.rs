//! One attention block: a set of pictures becomes one, each counting as much as a query says.
//!
//! ```text
//! y_s = Σ_m a_m x_m,   a = softmax_m(q_s . x_m),   m over the pictures of set s
//! da_m = dy_s . x_m    dl_m = a_m (da_m - Σ a da)    dq_s = Σ_m dl_m x_m    dx_m = a_m dy_s + dl_m q_s
//! ```
//!
//! In: the pictures of all sets, one after the other, and a query a set. Sets are stretches of those rows, of
//! any length: nothing is padded, so nothing needs a mask and a set's answer cannot depend on what stands beside
//! it.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::encode::kernels::{Isa, for_each_isa};
use crate::taste::net::values::{elements, stored, sum_of, tensor, weigh, with};

/// Where sets begin among the rows of their pictures, and where the last one ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretches(Arc<[usize]>);

impl Stretches {
    /// Sets of these lengths, one after the other.
    pub fn of(lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut end = 0;
        let ends = lengths.into_iter().map(|length| {
            end += length;
            end
        });
        Stretches(std::iter::once(0).chain(ends).collect())
    }

    /// How many sets there are.
    pub fn len(&self) -> usize {
        self.0.len() - 1
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows of a set.
    pub fn range(&self, set: usize) -> std::ops::Range<usize> {
        self.0[set]..self.0[set + 1]
    }

    /// The rows of all sets.
    pub fn rows(&self) -> usize {
        self.0[self.len()]
    }

    /// The numbers of a set's pictures.
    fn of_set<'a>(&self, set: usize, x: &'a [f32], width: usize) -> &'a [f32] {
        &x[self.0[set] * width..self.0[set + 1] * width]
    }
}

/// What each picture of a set counts for to a query; the counts sum to one.
pub fn attention(pictures: &[f32], query: &[f32]) -> Vec<f32> {
    let mut weights = vec![0.0; pictures.len() / query.len().max(1)];
    products(Isa::best(), pictures, query, &mut weights);
    weigh(&mut weights);
    weights
}

for_each_isa! {
    /// The product of each picture with a vector.
    products(pictures: &[f32], vector: &[f32], products: &mut [f32]) runs products_all
}

#[inline(always)]
fn products_all(pictures: &[f32], vector: &[f32], products: &mut [f32]) {
    for (product, x) in products.iter_mut().zip(pictures.chunks_exact(vector.len().max(1))) {
        *product = sum_of(x, vector, |x, q| x * q);
    }
}

for_each_isa! {
    /// Adds pictures, each so many times, to a vector.
    add(pictures: &[f32], times: &[f32], sum: &mut [f32]) runs add_all
}

#[inline(always)]
fn add_all(pictures: &[f32], times: &[f32], sum: &mut [f32]) {
    for (x, times) in pictures.chunks_exact(sum.len().max(1)).zip(times) {
        sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += times * x);
    }
}

/// The pictures of each set, weighed by its query: (pictures, K) and (sets, K) make (sets, K). A set without
/// pictures makes zeros.
pub fn attend(pictures: &Tensor, queries: &Tensor, sets: &Stretches) -> Result<Tensor> {
    pictures.contiguous()?.apply_op2(&queries.contiguous()?, Attend(sets.clone()))
}

struct Attend(Stretches);

impl Attend {
    fn pool(&self, x: &[f32], q: &[f32], width: usize) -> Vec<f32> {
        let mut y = vec![0.0; self.0.len() * width];
        let rows = y.par_chunks_mut(width).zip(q.par_chunks(width)).enumerate();
        rows.for_each(|(set, (y, q))| {
            let x = self.0.of_set(set, x, width);
            add(Isa::best(), x, &attention(x, q), y);
        });
        y
    }

    /// The gradients of the queries, and those of the pictures where they are asked for.
    fn back(
        &self,
        [x, q, dy]: [&[f32]; 3],
        width: usize,
        has_learners: bool,
    ) -> (Option<Vec<f32>>, Vec<f32>) {
        let isa = Isa::best();
        let mut dq = vec![0.0; q.len()];
        let both = q.par_chunks(width).zip(dy.par_chunks(width));
        let dx: Vec<Vec<f32>> = (dq.par_chunks_mut(width).zip(both).enumerate())
            .map(|(set, (dq, (q, dy)))| {
                let x = self.0.of_set(set, x, width);
                let weights = attention(x, q);
                let mut slopes = vec![0.0; weights.len()];
                products(isa, x, dy, &mut slopes);
                let mean = sum_of(&weights, &slopes, |a, da| a * da);
                slopes.iter_mut().zip(&weights).for_each(|(da, a)| *da = a * (*da - mean));
                add(isa, x, &slopes, dq);
                if !has_learners {
                    return Vec::new();
                }
                let mut dx = vec![0.0; x.len()];
                for (dx, (a, slope)) in dx.chunks_exact_mut(width).zip(weights.iter().zip(slopes)) {
                    let to = dx.iter_mut().zip(dy.iter().zip(q));
                    to.for_each(|(dx, (dy, q))| *dx = a * dy + slope * q);
                }
                dx
            })
            .collect();
        (has_learners.then(|| dx.concat()), dq)
    }
}

impl CustomOp2 for Attend {
    fn name(&self) -> &'static str {
        "attention block"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        q: &CpuStorage,
        q_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((rows, width), (sets, wide)) = (x_layout.shape().dims2()?, q_layout.shape().dims2()?);
        if wide != width || rows != self.0.rows() || sets != self.0.len() || width == 0 {
            bail!("{rows} pictures of {width} values for {sets} queries of {wide}");
        }
        let y = self.pool(elements(x, x_layout)?, elements(q, q_layout)?, width);
        Ok(stored(y, (sets, width)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        q: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let width = q.dim(1)?;
        let (dx, dq) = with([x, q, dy], |all| self.back(all, width, x.track_op()))?;
        let dx = dx.map(|dx| tensor(dx, x.shape()));
        Ok((dx.transpose()?, Some(tensor(dq, q.shape())?)))
    }
}
