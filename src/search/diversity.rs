//! Hits that differ from one another: maximal marginal relevance, over the exact vectors.

use super::Error;
use super::fusion::Fused;
use crate::collection::Collection;
use crate::encode::{Embedding, Modality};

/// Hits are picked from among so many of the best,
pub(super) const POOL: usize = 100;
/// or from so many for each hit of a page, where that is more.
pub(super) const POOL_PER_HIT: usize = 10;

/// Puts a pool, best first, into the order in which its members are picked. Each next one is that of the
/// greatest `(1 - d) * score - d * likeness`, where the likeness is that to the most similar one picked
/// before: the cosines of all modalities, weighted as in the query. Equal ones are picked in their order.
pub(super) fn spread(
    collection: &Collection,
    weights: &[(Modality, f32)],
    diversity: f32,
    pool: &mut [Fused],
) -> Result<(), Error> {
    let mut vectors = Vec::with_capacity(pool.len());
    for fused in pool.iter() {
        let vector = |&(modality, _): &(Modality, f32)| collection.embedding(fused.id, modality);
        vectors.push(weights.iter().map(vector).collect::<Result<Vec<_>, _>>()?);
    }
    let mut likeness = vec![f32::NEG_INFINITY; pool.len()];
    for picked in 0..pool.len() {
        let worth = |place: usize| {
            let like = if picked == 0 { 0.0 } else { likeness[place] };
            (1.0 - diversity) * pool[place].score - diversity * like
        };
        let mut best = picked;
        for place in picked + 1..pool.len() {
            best = if worth(place) > worth(best) { place } else { best };
        }
        // The others stay in their order.
        pool[picked..=best].rotate_right(1);
        vectors[picked..=best].rotate_right(1);
        likeness[picked..=best].rotate_right(1);
        for place in picked + 1..pool.len() {
            let like = alike(&vectors[picked], &vectors[place], weights);
            likeness[place] = likeness[place].max(like);
        }
    }
    Ok(())
}

/// How similar two items are. Where one has nothing of a modality, they are not similar in it.
fn alike(a: &[Option<Embedding>], b: &[Option<Embedding>], weights: &[(Modality, f32)]) -> f32 {
    let cosine =
        |a: &Embedding, b: &Embedding| a.iter().zip(b.iter()).map(|(x, y)| x * y).sum::<f32>();
    let parts = a.iter().zip(b).zip(weights);
    parts
        .map(|((a, b), (_, weight))| {
            a.as_ref().zip(b.as_ref()).map_or(0.0, |(a, b)| weight * cosine(a, b))
        })
        .sum()
}
