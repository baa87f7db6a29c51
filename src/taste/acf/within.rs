//! Attention within pictures: of each item that somebody took, what its tiles come to, each counting as much as that user
//! cares for it.
//!
//! ```text
//! z_m = 0 ∨ (q_u + k_m)      e_m = w . z_m      a = softmax_m(e)      y = Σ_m a_m c_m
//! de_m = a_m (dy . c_m - Σ a (dy . c))      dk_m = de_m w where z_m > 0      dc_m = a_m dy
//! dq_u = Σ dk      dw = Σ de_m z_m
//! ```
//!
//! In: a question `q` a user; the tiles of some items, a row `[k; c]` each, one item after the other; `w`; and who looks at
//! which item. A tile's keys and contents come of the picture alone, and so once for however many users.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::encode::kernels::{Isa, for_each_isa};
use crate::taste::net::values::{elements, stored, sum_of, tensor, weigh, with};

/// Somebody's look at an item, by their places among the questions and among the items.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub user: u32,
    pub item: u32,
}

/// What each look comes to: (users, K), (items x `count`, K + C) and (K) make (looks, C).
pub(super) fn within(
    questions: &Tensor,
    tiles: &Tensor,
    w: &Tensor,
    looks: Vec<Look>,
    count: usize,
) -> Result<Tensor> {
    let op = Within { looks, count };
    questions.contiguous()?.apply_op3(&tiles.contiguous()?, &w.contiguous()?, op)
}

struct Within {
    looks: Vec<Look>,
    /// Tiles an item.
    count: usize,
}

/// How many values keys and contents have.
#[derive(Clone, Copy)]
struct Size {
    keys: usize,
    contents: usize,
}

impl Within {
    fn size(&self, questions: &Shape, tiles: &Shape, w: &Shape) -> Result<Size> {
        let ((users, keys), (rows, wide)) = (questions.dims2()?, tiles.dims2()?);
        let there = |look: &Look| {
            (look.user as usize) < users && (look.item as usize + 1) * self.count <= rows
        };
        if w.dims1()? != keys
            || wide <= keys
            || keys * self.count == 0
            || !self.looks.iter().all(there)
        {
            bail!("{} looks by {questions:?} with {w:?} at {tiles:?}", self.looks.len());
        }
        Ok(Size { keys, contents: wide - keys })
    }

    /// The tiles of an item.
    fn tiles(&self, look: Look, size: Size) -> std::ops::Range<usize> {
        let item = self.count * (size.keys + size.contents);
        look.item as usize * item..(look.item as usize + 1) * item
    }
}

fn question(look: Look, size: Size) -> std::ops::Range<usize> {
    look.user as usize * size.keys..(look.user as usize + 1) * size.keys
}

for_each_isa! {
    /// What each tile counts for.
    count(tiles: &[f32], q: &[f32], w: &[f32], counts: &mut [f32]) runs count_all
}

#[inline(always)]
fn count_all(tiles: &[f32], q: &[f32], w: &[f32], counts: &mut [f32]) {
    let wide = tiles.len() / counts.len();
    let mut z = vec![0.0; q.len()];
    for (count, tile) in counts.iter_mut().zip(tiles.chunks_exact(wide)) {
        z.iter_mut().zip(q.iter().zip(tile)).for_each(|(z, (q, k))| *z = (q + k).max(0.0));
        *count = sum_of(&z, w, |z, w| z * w);
    }
    weigh(counts);
}

for_each_isa! {
    /// Adds contents, each counting so much.
    gather(tiles: &[f32], counts: &[f32], y: &mut [f32]) runs gather_all
}

#[inline(always)]
fn gather_all(tiles: &[f32], counts: &[f32], y: &mut [f32]) {
    let wide = tiles.len() / counts.len();
    let keys = wide - y.len();
    for (a, tile) in counts.iter().zip(tiles.chunks_exact(wide)) {
        y.iter_mut().zip(&tile[keys..]).for_each(|(y, c)| *y += a * c);
    }
}

/// A look, and the gradient of what it came to.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    tiles: &'a [f32],
    q: &'a [f32],
    w: &'a [f32],
    dy: &'a [f32],
}

for_each_isa! {
    /// Adds to the gradients; `counts` become `de`.
    trace(seen: Seen<'_>, counts: &mut [f32], dtiles: &mut [f32], dq: &mut [f32], dw: &mut [f32]) runs trace_all
}

#[inline(always)]
fn trace_all(
    seen: Seen<'_>,
    counts: &mut [f32],
    dtiles: &mut [f32],
    dq: &mut [f32],
    dw: &mut [f32],
) {
    let Seen { tiles, q, w, dy } = seen;
    let (keys, wide) = (q.len(), q.len() + dy.len());
    let mut mean = 0.0;
    let mut along = vec![0.0; counts.len()];
    for ((along, a), (tile, dtile)) in along
        .iter_mut()
        .zip(&*counts)
        .zip(tiles.chunks_exact(wide).zip(dtiles.chunks_exact_mut(wide)))
    {
        *along = sum_of(&tile[keys..], dy, |c, dy| c * dy);
        mean += a * *along;
        dtile[keys..].iter_mut().zip(dy).for_each(|(dc, dy)| *dc += a * dy);
    }
    counts.iter_mut().zip(&along).for_each(|(a, along)| *a *= along - mean);
    let rows = tiles.chunks_exact(wide).zip(dtiles.chunks_exact_mut(wide));
    for (&de, (tile, dtile)) in counts.iter().zip(rows) {
        let sums = dq.iter_mut().zip(dw.iter_mut()).zip(&mut dtile[..keys]);
        for (((dq, dw), dk), ((q, k), w)) in sums.zip(q.iter().zip(tile).zip(w)) {
            let z = q + k;
            let (own, slope) = if z > 0.0 { (de * z, de * w) } else { (0.0, 0.0) };
            *dw += own;
            *dk += slope;
            *dq += slope;
        }
    }
}

impl CustomOp3 for Within {
    fn name(&self) -> &'static str {
        "attention within pictures"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        tiles: &CpuStorage,
        tiles_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let size = self.size(q_layout.shape(), tiles_layout.shape(), w_layout.shape())?;
        let (q, tiles) = (elements(q, q_layout)?, elements(tiles, tiles_layout)?);
        let (w, isa) = (elements(w, w_layout)?, Isa::best());
        let mut y = vec![0.0; self.looks.len() * size.contents];
        let looks = y.par_chunks_mut(size.contents).zip(&self.looks).with_min_len(64);
        looks.for_each_init(
            || vec![0.0; self.count],
            |counts, (y, &look)| {
                let tiles = &tiles[self.tiles(look, size)];
                count(isa, tiles, &q[question(look, size)], w, counts);
                gather(isa, tiles, counts, y);
            },
        );
        Ok(stored(y, (self.looks.len(), size.contents)))
    }

    fn bwd(
        &self,
        q: &Tensor,
        tiles: &Tensor,
        w: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let size = self.size(q.shape(), tiles.shape(), w.shape())?;
        let isa = Isa::best();
        let [dq, dtiles, dw] = with([q, tiles, w, dy], |[q, tiles, w, dy]| {
            let [mut dq, mut dtiles, mut dw] = [q, tiles, w].map(|x| vec![0.0; x.len()]);
            let mut counts = vec![0.0; self.count];
            for (&look, dy) in self.looks.iter().zip(dy.chunks_exact(size.contents)) {
                let (item, user) = (self.tiles(look, size), question(look, size));
                let seen = Seen { tiles: &tiles[item.clone()], q: &q[user.clone()], w, dy };
                count(isa, seen.tiles, seen.q, w, &mut counts);
                trace(isa, seen, &mut counts, &mut dtiles[item], &mut dq[user], &mut dw);
            }
            [dq, dtiles, dw]
        })?;
        let like = |values, x: &Tensor| tensor(values, x.shape()).map(Some);
        Ok((like(dq, q)?, like(dtiles, tiles)?, like(dw, w)?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::taste::net::tests::slopes::check;

    /// Three users, two items of four tiles; the second item is looked at twice, the first once, by users 2, 0 and 0.
    fn looks() -> Vec<Look> {
        [(2, 1), (0, 0), (0, 1)].map(|(user, item)| Look { user, item }).to_vec()
    }

    /// By hand: questions and keys of one value. The tiles count e^0, e^2, e^0 and e^4 of their sum.
    #[test]
    fn tiles_count_as_their_user_cares() {
        let of = |values: &[f32], shape: &[usize]| {
            Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
        };
        let (q, w) = (of(&[1.0], &[1, 1]), of(&[2.0], &[1]));
        let tiles = of(&[-1.0, 1.0, 0.0, 10.0, -5.0, 100.0, 1.0, 1000.0], &[4, 2]);
        let y = within(&q, &tiles, &w, vec![Look { user: 0, item: 0 }], 4).unwrap();
        let [one, two, four] = [0f32, 2.0, 4.0].map(f32::exp);
        let expected = (one + 10.0 * two + 100.0 * one + 1000.0 * four) / (2.0 * one + two + four);
        let y: Vec<f32> = y.flatten_all().unwrap().to_vec1().unwrap();
        assert!((y[0] / expected - 1.0).abs() < 1e-6, "{y:?} {expected}");
        for (user, item) in [(1, 0), (0, 1)] {
            assert!(within(&q, &tiles, &w, vec![Look { user, item }], 4).is_err());
        }
    }

    #[test]
    fn gradients_are_the_slopes_of_what_they_are_of() {
        check("within", &[&[3, 5], &[8, 12], &[5]], 1e-3, |t| {
            within(&t[0], &t[1], &t[2], looks(), 4)
        });
    }
}
