//! Looking at a picture with a question in mind: additive attention over the pixels of a feature map.
//!
//! ```text
//! k = U x      e_p = w . tanh(k_p + q)      a = softmax_p(e)      c = Σ_p a_p x_p
//! da_p = dc . x_p      de = a (da - a . da)      dk_p = de_p w (1 - t_p²),  t = tanh(k + q)
//! dq = Σ_p dk_p      dw = Σ_p de_p t_p      dU = dk xᵀ      dx_p = Uᵀ dk_p + a_p dc
//! ```
//!
//! One operation instead of six, so that a map is read while it is in the cache: between small operations most of the
//! time went into memory. Maps lie as convolutions leave them, channel after channel; several questions may be
//! about one map.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use crate::encode::kernels::{Isa, Matrix, Onto, exp, for_each_isa, multiply_onto};
use crate::taste::net::values::{elements, stored, sum_of, tensor, weigh, with};

/// Asks maps (maps, channels, pixels) questions (questions, A): the question's place in `places` says of which map.
/// `keys` are (A, channels), `w` (A). Returns what was found, (questions, channels), and what each pixel counted for,
/// (questions, pixels).
pub fn look(
    maps: &Tensor,
    questions: &Tensor,
    (keys, w): (&Tensor, &Tensor),
    places: Vec<u32>,
) -> Result<[Tensor; 2]> {
    let (_, channels, pixels) = maps.dims3()?;
    // Of one operation's arguments there can be three.
    let how = Tensor::cat(&[&keys.flatten_all()?, w], 0)?;
    let op = Look { places, mixed: OnceLock::new() };
    let found = maps.contiguous()?.apply_op3(&questions.contiguous()?, &how, op)?;
    Ok([found.narrow(1, 0, channels)?, found.narrow(1, channels, pixels)?])
}

/// The same where keys and maps of so many channels and pixels are kept as halves, a picture a question; nothing is
/// learned.
pub(super) fn look_kept(
    kept: &[&[u8]],
    (channels, pixels): (usize, usize),
    questions: &Tensor,
    w: &Tensor,
) -> Result<[Tensor; 2]> {
    let (asked, units) = questions.dims2()?;
    let wide = channels + pixels;
    if asked != kept.len() || kept.iter().any(|kept| kept.len() != 2 * (units + channels) * pixels)
    {
        bail!("{asked} questions of {units} values about {} pictures", kept.len());
    }
    let found = with([questions, w], |[q, w]| {
        let mut found = vec![0.0; asked * wide];
        let rows = found.par_chunks_mut(wide).zip(q.par_chunks(units)).zip(kept);
        rows.for_each(|((found, q), kept)| {
            let halves = kept.as_chunks::<2>().0.iter().map(|half| f16::from_le_bytes(*half));
            let mut values = vec![0.0; kept.len() / 2];
            halves.collect::<Vec<f16>>().convert_to_f32_slice(&mut values);
            let (keys, map) = values.split_at_mut(units * pixels);
            mix(Isa::best(), keys, q);
            find(Isa::best(), keys, w, map, found);
        });
        found
    })?;
    let found = tensor(found, (asked, wide))?;
    Ok([found.narrow(1, 0, channels)?, found.narrow(1, channels, pixels)?])
}

/// `U x` of a map.
pub(super) fn keys_of(u: &[f32], map: &[f32], channels: usize) -> Vec<f32> {
    let mut keys = vec![0.0; u.len() / channels * (map.len() / channels)];
    write_keys(u, map, channels, &mut keys);
    keys
}

fn write_keys(u: &[f32], map: &[f32], channels: usize, keys: &mut [f32]) {
    let (units, pixels) = (u.len() / channels, map.len() / channels);
    let (u, map) = (Matrix::new(u, units, channels), Matrix::new(map, channels, pixels));
    multiply_onto(Isa::best(), u, map, Onto::Nothing, keys, pixels);
}

for_each_isa! {
    /// `t` of a question: `keys` become `tanh(keys + q)`.
    mix(keys: &mut [f32], q: &[f32]) runs mix_all
}

/// `tanh x = 1 - 2 / (e^2x + 1)`, within some 1e-7 of the truth.
#[inline(always)]
fn mix_all(keys: &mut [f32], q: &[f32]) {
    let pixels = keys.len() / q.len();
    for (keys, &q) in keys.chunks_exact_mut(pixels).zip(q) {
        keys.iter_mut().for_each(|t| *t = 1.0 - 2.0 / (exp(2.0 * (*t + q)) + 1.0));
    }
}

for_each_isa! {
    /// What is found: `c`, and then `a`.
    find(t: &[f32], w: &[f32], map: &[f32], found: &mut [f32]) runs find_all
}

#[inline(always)]
fn find_all(t: &[f32], w: &[f32], map: &[f32], found: &mut [f32]) {
    let pixels = t.len() / w.len();
    let (c, a) = found.split_at_mut(map.len() / pixels);
    a.fill(0.0);
    for (t, &w) in t.chunks_exact(pixels).zip(w) {
        a.iter_mut().zip(t).for_each(|(a, t)| *a += w * t);
    }
    weigh(a);
    for (c, x) in c.iter_mut().zip(map.chunks_exact(pixels)) {
        *c = sum_of(x, a, |x, a| x * a);
    }
}

/// A question's answer, and the gradient of that.
#[derive(Clone, Copy)]
pub(super) struct Answer<'a> {
    w: &'a [f32],
    map: &'a [f32],
    found: &'a [f32],
    dfound: &'a [f32],
}

for_each_isa! {
    /// The gradients of what a question found: `t` becomes `dk`, and `dq` is overwritten; the others are added to.
    trace(answer: Answer<'_>, t: &mut [f32], dq: &mut [f32], dw: &mut [f32], dx: &mut [f32]) runs trace_all
}

#[inline(always)]
fn trace_all(answer: Answer<'_>, t: &mut [f32], dq: &mut [f32], dw: &mut [f32], dx: &mut [f32]) {
    let Answer { w, map, found, dfound } = answer;
    let pixels = t.len() / w.len();
    let channels = map.len() / pixels;
    let (dc, da) = dfound.split_at(channels);
    let a = &found[channels..];
    let mut de = da.to_vec();
    for ((x, dx), dc) in map.chunks_exact(pixels).zip(dx.chunks_exact_mut(pixels)).zip(dc) {
        de.iter_mut().zip(x).for_each(|(de, x)| *de += x * dc);
        dx.iter_mut().zip(a).for_each(|(dx, a)| *dx += a * dc);
    }
    let mean = sum_of(a, &de, |a, de| a * de);
    de.iter_mut().zip(a).for_each(|(de, a)| *de = a * (*de - mean));
    for (unit, t) in t.chunks_exact_mut(pixels).enumerate() {
        dw[unit] += sum_of(t, &de, |t, de| t * de);
        t.iter_mut().zip(&de).for_each(|(t, de)| *t = de * w[unit] * (1.0 - *t * *t));
        dq[unit] = sum_of(t, t, |dk, _| dk);
    }
}

struct Look {
    places: Vec<u32>,
    /// `t` of every question, from the way there for the way back.
    mixed: OnceLock<Vec<f32>>,
}

/// How large everything is.
#[derive(Clone, Copy)]
struct Size {
    channels: usize,
    pixels: usize,
    units: usize,
}

impl Look {
    fn size(&self, maps: &Shape, questions: &Shape, how: &Shape) -> Result<Size> {
        let (count, channels, pixels) = maps.dims3()?;
        let (asked, units) = questions.dims2()?;
        if asked != self.places.len()
            || how.dims1()? != units * (channels + 1)
            || self.places.iter().any(|&place| place as usize >= count)
            || channels * pixels * units == 0
        {
            bail!("{maps:?} asked by {questions:?} with {how:?}");
        }
        Ok(Size { channels, pixels, units })
    }
}

impl CustomOp3 for Look {
    fn name(&self) -> &'static str {
        "additive attention"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        q: &CpuStorage,
        q_layout: &Layout,
        how: &CpuStorage,
        how_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let size = self.size(x_layout.shape(), q_layout.shape(), how_layout.shape())?;
        let Size { channels, pixels, units } = size;
        let (x, q) = (elements(x, x_layout)?, elements(q, q_layout)?);
        let (u, w) = elements(how, how_layout)?.split_at(units * channels);
        let mut found = vec![0.0; self.places.len() * (channels + pixels)];
        let mut mixed = vec![0.0; self.places.len() * units * pixels];
        let asked = self.places.iter().zip(q.chunks_exact(units));
        let answers = found.chunks_exact_mut(channels + pixels);
        for ((t, found), (&place, q)) in
            mixed.chunks_exact_mut(units * pixels).zip(answers).zip(asked)
        {
            let map = &x[place as usize * channels * pixels..][..channels * pixels];
            write_keys(u, map, channels, t);
            mix(Isa::best(), t, q);
            find(Isa::best(), t, w, map, found);
        }
        // Only here is it set, and this runs once.
        let _ = self.mixed.set(mixed);
        Ok(stored(found, (self.places.len(), channels + pixels)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        q: &Tensor,
        how: &Tensor,
        found: &Tensor,
        dfound: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Size { channels, pixels, units } = self.size(x.shape(), q.shape(), how.shape())?;
        let (isa, size, wide) = (Isa::best(), channels * pixels, channels + pixels);
        let Some(mixed) = self.mixed.get() else { bail!("nobody has asked yet") };
        let (dx, dq, dhow) = with([x, q, how, found, dfound], |[x, q, how, found, dfound]| {
            let (u, w) = how.split_at(units * channels);
            let (mut dx, mut dq) = (vec![0.0; x.len()], vec![0.0; q.len()]);
            let mut dhow = vec![0.0; how.len()];
            let mut t = vec![0.0; units * pixels];
            for (n, &place) in self.places.iter().enumerate() {
                let map = &x[place as usize * size..][..size];
                let dx = &mut dx[place as usize * size..][..size];
                t.copy_from_slice(&mixed[n * units * pixels..][..units * pixels]);
                let own = n * wide..(n + 1) * wide;
                let answer = Answer { w, map, found: &found[own.clone()], dfound: &dfound[own] };
                let (du, dw) = dhow.split_at_mut(units * channels);
                trace(isa, answer, &mut t, &mut dq[n * units..][..units], dw, dx);
                let dk = Matrix::new(&t, units, pixels);
                let turned = Matrix::new(map, channels, pixels).transposed();
                multiply_onto(isa, dk, turned, Onto::Sum, du, channels);
                let u = Matrix::new(u, units, channels).transposed();
                multiply_onto(isa, u, dk, Onto::Sum, dx, pixels);
            }
            (dx, dq, dhow)
        })?;
        let to = |values, like: &Tensor| tensor(values, like.shape()).map(Some);
        Ok((to(dx, x)?, to(dq, q)?, to(dhow, how)?))
    }
}
