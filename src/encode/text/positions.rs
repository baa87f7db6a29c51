//! Where a token stands in its text, and how far two of them are from each other, as the families count.

use super::transformer::{Family, Run};

/// The row of the position table for each token.
///
/// Counts from the family's first position; MPNet does not count padding tokens, which can stand in a
/// text if somebody writes `<pad>`.
pub(super) fn position_ids(family: Family, ids: &[u32], runs: &[Run]) -> Vec<u32> {
    let mut positions = Vec::with_capacity(ids.len());
    let lengths = runs.iter().flat_map(|run| std::iter::repeat_n(run.length, run.texts));
    let mut rest = ids;
    for length in lengths {
        let (text, others) = rest.split_at(length);
        rest = others;
        let mut next = family.first_position() as u32;
        for &id in text {
            match family {
                Family::MpNet { pad } if id == pad => positions.push(pad),
                _ => {
                    positions.push(next);
                    next += 1;
                }
            }
        }
    }
    positions
}

/// The buckets into which distances fall.
pub(super) const BUCKETS: usize = 32;

/// The bucket of a distance from query to key: one for each distance below 8, then wider and wider
/// ones up to 128, and one for all beyond; keys after the query have the upper half.
pub(super) fn bucket(distance: i64) -> u32 {
    const HALF: u32 = BUCKETS as u32 / 2;
    const EXACT: u32 = HALF / 2;
    let after = if distance > 0 { HALF } else { 0 };
    let far = u32::try_from(distance.unsigned_abs()).unwrap_or(u32::MAX);
    if far < EXACT {
        return after + far;
    }
    // In f32, as the reference does.
    let octaves = (far as f32 / EXACT as f32).ln() / 16f32.ln();
    let wider = EXACT + (octaves * (HALF - EXACT) as f32) as u32;
    after + wider.min(HALF - 1)
}
