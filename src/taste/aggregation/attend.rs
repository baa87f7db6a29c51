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

use crate::taste::net::values::{elements, stored, sum_of, tensor, with};

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
    fn rows(&self) -> usize {
        self.0[self.len()]
    }

    /// The numbers of a set's pictures.
    fn of_set<'a>(&self, set: usize, x: &'a [f32], width: usize) -> &'a [f32] {
        &x[self.0[set] * width..self.0[set + 1] * width]
    }
}

/// What each picture of a set counts for to a query; the counts sum to one.
pub fn attention(pictures: &[f32], query: &[f32]) -> Vec<f32> {
    let rows = pictures.chunks_exact(query.len().max(1));
    let mut weights: Vec<f32> = rows.map(|x| sum_of(x, query, |x, q| x * q)).collect();
    let largest = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    weights.iter_mut().for_each(|weight| *weight = (*weight - largest).exp());
    let all: f32 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= all);
    weights
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
            for (a, x) in attention(x, q).into_iter().zip(x.chunks_exact(width)) {
                y.iter_mut().zip(x).for_each(|(y, x)| *y += a * x);
            }
        });
        y
    }

    /// The gradients of the pictures and of the queries.
    fn back(&self, x: &[f32], q: &[f32], dy: &[f32], width: usize) -> (Vec<f32>, Vec<f32>) {
        let both: Vec<(Vec<f32>, Vec<f32>)> = (q.par_chunks(width).zip(dy.par_chunks(width)))
            .enumerate()
            .map(|(set, (q, dy))| {
                let x = self.0.of_set(set, x, width);
                let weights = attention(x, q);
                let worth: Vec<f32> =
                    x.chunks_exact(width).map(|x| sum_of(x, dy, |x, dy| x * dy)).collect();
                let mean = sum_of(&weights, &worth, |a, da| a * da);
                let (mut dx, mut dq) = (vec![0.0; x.len()], vec![0.0; width]);
                let rows = dx.chunks_exact_mut(width).zip(x.chunks_exact(width));
                for ((dx, x), (a, da)) in rows.zip(weights.iter().zip(worth)) {
                    let slope = a * (da - mean);
                    for (((dx, dq), (x, q)), dy) in
                        dx.iter_mut().zip(&mut dq).zip(x.iter().zip(q)).zip(dy)
                    {
                        *dx = a * dy + slope * q;
                        *dq += slope * x;
                    }
                }
                (dx, dq)
            })
            .collect();
        let (dx, dq): (Vec<_>, Vec<_>) = both.into_iter().unzip();
        (dx.concat(), dq.concat())
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
        let (dx, dq) = with([x, q, dy], |[x, q, dy]| self.back(x, q, dy, width))?;
        Ok((Some(tensor(dx, x.shape())?), Some(tensor(dq, q.shape())?)))
    }
}
