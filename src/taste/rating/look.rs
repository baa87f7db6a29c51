//! Looking at a picture with a question in mind: additive attention over the pixels of a feature map.
//!
//! ```text
//! e_p = w . tanh(k_p + q)      a = softmax_p(e)      c = Σ_p a_p x_p
//! ```
//!
//! `k = U x` are the keys, a convolution of 1 x 1 over the map `x`; `q = W h + b` is the question. Both operations
//! here work on maps as convolutions leave them, channel after channel.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::encode::kernels::{Isa, exp, for_each_isa};
use crate::taste::net::values::{elements, stored, sum, sum_of, tensor, with};

/// What each pixel is worth to a question: keys (maps, A, pixels), questions (maps, A) and `w` (A) make
/// (maps, pixels).
pub fn worth(keys: &Tensor, questions: &Tensor, w: &Tensor) -> Result<Tensor> {
    keys.contiguous()?.apply_op3(&questions.contiguous()?, &w.contiguous()?, Worth)
}

/// The pixels of a map, weighed: (maps, channels, pixels) and (maps, pixels) make (maps, channels).
pub fn gather(map: &Tensor, weights: &Tensor) -> Result<Tensor> {
    map.contiguous()?.apply_op2(&weights.contiguous()?, Gather)
}

struct Worth;

for_each_isa! {
    /// `tanh(x + shift)`, value by value.
    shifted_tanh(x: &[f32], shift: f32, out: &mut [f32]) runs shifted_tanh_all
}

/// `tanh x = 1 - 2 / (e^2x + 1)`, within some 1e-7 of the truth.
#[inline(always)]
fn shifted_tanh_all(x: &[f32], shift: f32, out: &mut [f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = 1.0 - 2.0 / (exp(2.0 * (x + shift)) + 1.0);
    }
}

impl CustomOp3 for Worth {
    fn name(&self) -> &'static str {
        "additive attention"
    }

    fn cpu_fwd(
        &self,
        k: &CpuStorage,
        k_layout: &Layout,
        q: &CpuStorage,
        q_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (maps, units, pixels) = k_layout.shape().dims3()?;
        if q_layout.shape().dims2()? != (maps, units) || w_layout.shape().dims1()? != units {
            bail!("{:?} asked by {:?}", k_layout.shape(), q_layout.shape());
        }
        let (k, q, w) = (elements(k, k_layout)?, elements(q, q_layout)?, elements(w, w_layout)?);
        let mut e = vec![0.0; maps * pixels];
        let rows =
            e.par_chunks_mut(pixels).zip(k.par_chunks(units * pixels)).zip(q.par_chunks(units));
        rows.for_each(|((e, k), q)| {
            let mut t = vec![0.0; pixels];
            for ((k, &q), &w) in k.chunks_exact(pixels).zip(q).zip(w) {
                shifted_tanh(Isa::best(), k, q, &mut t);
                e.iter_mut().zip(&t).for_each(|(e, t)| *e += w * t);
            }
        });
        Ok(stored(e, (maps, pixels)))
    }

    fn bwd(
        &self,
        k: &Tensor,
        q: &Tensor,
        w: &Tensor,
        _: &Tensor,
        de: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (maps, units, pixels) = k.dims3()?;
        let (dk, dq, dw) = with([k, q, w, de], |[k, q, w, de]| {
            let mut dk = vec![0.0; k.len()];
            let mut dq = vec![0.0; maps * units];
            let mut parts = vec![0.0; maps * units];
            let rows = dk.par_chunks_mut(units * pixels).zip(k.par_chunks(units * pixels));
            let rows = rows.zip(dq.par_chunks_mut(units).zip(parts.par_chunks_mut(units)));
            let rows = rows.zip(q.par_chunks(units)).zip(de.par_chunks(pixels));
            rows.for_each(|((((dk, k), (dq, dw)), q), de)| {
                let mut t = vec![0.0; pixels];
                for (unit, (dk, k)) in
                    dk.chunks_exact_mut(pixels).zip(k.chunks_exact(pixels)).enumerate()
                {
                    shifted_tanh(Isa::best(), k, q[unit], &mut t);
                    for ((dk, t), de) in dk.iter_mut().zip(&t).zip(de) {
                        *dk = de * w[unit] * (1.0 - t * t);
                    }
                    dq[unit] = sum(dk);
                    dw[unit] = sum_of(&t, de, |t, de| t * de);
                }
            });
            let mut dw = vec![0.0; units];
            for part in parts.chunks_exact(units) {
                dw.iter_mut().zip(part).for_each(|(dw, part)| *dw += part);
            }
            (dk, dq, dw)
        })?;
        Ok((
            Some(tensor(dk, k.shape())?),
            Some(tensor(dq, q.shape())?),
            Some(tensor(dw, w.shape())?),
        ))
    }
}

struct Gather;

impl CustomOp2 for Gather {
    fn name(&self) -> &'static str {
        "weighted pixels"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        a: &CpuStorage,
        a_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (maps, channels, pixels) = x_layout.shape().dims3()?;
        if a_layout.shape().dims2()? != (maps, pixels) {
            bail!("{:?} weighed by {:?}", x_layout.shape(), a_layout.shape());
        }
        let (x, a) = (elements(x, x_layout)?, elements(a, a_layout)?);
        let planes = x.par_chunks(pixels).enumerate();
        let c = planes.map(|(n, x)| sum_of(x, &a[n / channels * pixels..][..pixels], |x, a| x * a));
        Ok(stored(c.collect(), (maps, channels)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        a: &Tensor,
        _: &Tensor,
        dc: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (maps, channels, pixels) = x.dims3()?;
        let (dx, da) = with([x, a, dc], |[x, a, dc]| {
            let (mut dx, mut da) = (vec![0.0; x.len()], vec![0.0; maps * pixels]);
            let rows = dx.par_chunks_mut(channels * pixels).zip(x.par_chunks(channels * pixels));
            let rows = rows.zip(da.par_chunks_mut(pixels).zip(a.par_chunks(pixels)));
            rows.zip(dc.par_chunks(channels)).for_each(|(((dx, x), (da, a)), dc)| {
                let planes = dx.chunks_exact_mut(pixels).zip(x.chunks_exact(pixels));
                for ((dx, x), dc) in planes.zip(dc) {
                    dx.iter_mut().zip(a).for_each(|(dx, a)| *dx = a * dc);
                    da.iter_mut().zip(x).for_each(|(da, x)| *da += x * dc);
                }
            });
            (dx, da)
        })?;
        Ok((Some(tensor(dx, x.shape())?), Some(tensor(da, a.shape())?)))
    }
}
