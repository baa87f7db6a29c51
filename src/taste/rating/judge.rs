//! What a trained model tells: ratings, with or without another look at the pictures, and pictures from memory.

use rayon::prelude::*;

use super::ground::Ground;
use super::learn::{PART, Rating};
use super::looks::Looks;
use super::network::{Judged, Sight};
use crate::taste::Error;
use crate::taste::error::failed;

/// Ratings from -1 to 1, and what each pixel of both maps counted for, pair after pair; nothing where the model does not
/// look at pictures.
pub type Verdicts = (Vec<f32>, [Vec<f32>; 2]);

fn verdicts(judged: &Judged, ground: &[f32]) -> candle_core::Result<Verdicts> {
    let flat = |n: usize| match &judged.attention {
        Some(attention) => attention[n].flatten_all()?.to_vec1(),
        None => Ok(Vec::new()),
    };
    Ok((judged.ratings(ground)?.to_vec1()?, [flat(0)?, flat(1)?]))
}

impl Rating {
    /// What the tower builds on, pair by pair; nothing where it builds on nothing.
    fn grounds(&self, pairs: &[(u32, u32)]) -> Vec<f32> {
        let tell = |ground: &Ground| pairs.iter().map(|&(u, i)| ground.tell(u, i)).collect();
        self.ground().map(tell).unwrap_or_default()
    }

    /// What users will think of items.
    pub fn judge(&self, pairs: &[(u32, u32)]) -> Result<Verdicts, Error> {
        let part = |part: &[(u32, u32)]| {
            let rows = self.rows(part.iter().copied())?;
            let judge = |sight: Sight<'_>| self.network().judge(&rows, sight, false);
            let judged = self.seeing(part.iter().map(|pair| pair.1), false, judge)?;
            verdicts(&judged, &self.grounds(part))
        };
        let parts = pairs.par_chunks(PART).map(part);
        let parts: Vec<_> = parts.collect::<candle_core::Result<_>>().map_err(failed)?;
        let mut all = (Vec::new(), [Vec::new(), Vec::new()]);
        for (ratings, attention) in parts {
            all.0.extend(ratings);
            all.1.iter_mut().zip(attention).for_each(|(all, part)| all.extend(part));
        }
        Ok(all)
    }

    /// The same by what was kept of the pictures.
    pub(super) fn judge_kept(
        &self,
        pairs: &[(u32, u32)],
        looks: &Looks,
    ) -> Result<Verdicts, Error> {
        let kept: Vec<&[u8]> = pairs.iter().map(|pair| looks.of(pair.1)).collect();
        let judged = self.rows(pairs.iter().copied()).and_then(|rows| {
            let judged = self.network().judge(&rows, Sight::Kept(&kept), false)?;
            verdicts(&judged, &self.grounds(pairs))
        });
        judged.map_err(failed)
    }

    /// What there is to see on some items' pictures, to be kept.
    pub(super) fn looks(&self, items: &[u32]) -> Result<Vec<f32>, Error> {
        let part = |part: &[u32]| self.network().looks(&self.pictures(part)?);
        let parts = items.par_chunks(PART).map(part);
        let parts: Vec<Vec<f32>> = parts.collect::<candle_core::Result<_>>().map_err(failed)?;
        Ok(parts.concat())
    }

    /// What is left of some items' pictures after encoding and decoding: values from 0 to 1.
    pub fn reconstruct(&self, items: &[u32]) -> Result<Vec<f32>, Error> {
        let made = self.pictures(items).and_then(|pictures| {
            let [_, map] = self.network().encode(&pictures, false)?;
            self.network().decode(&map, false)?.flatten_all()?.to_vec1()
        });
        made.map_err(failed)
    }
}
