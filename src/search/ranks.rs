//! Reciprocal rank fusion: what counts is an item's place in each part of the query, and not by how much it
//! is ahead.
//!
//! Every part ranks its best `depth` items by itself, and an item scores `w / (k + rank)` in each part
//! that ranks it. What is ranked farther back has nothing from that part: at the depths that are asked
//! for, it would have next to nothing. So the sum over the lists is the score, and deeper lists could not
//! change it.

use lookalike_index::{QueryError, SearchOptions};

use super::ask::Ask;
use super::best::Scored;
use super::candidates::Found;
use super::column::{Column, QueryPart};
use super::fusion::{Shares, best, with_receipts};
use super::hit::Part;

/// The first of one part.
struct Ranked<'a> {
    part: &'a QueryPart<'a>,
    k: u32,
    /// Items and their ranks, by ascending item.
    ranks: Vec<(u32, u32)>,
}

impl Ranked<'_> {
    fn share(&self, rank: u32) -> f32 {
        self.part.weight / (self.k as f32 + rank as f32)
    }

    /// This part of the receipts of some items.
    fn parts_for(&self, ids: &[u32]) -> Result<Vec<Part>, QueryError> {
        let mut sorted = ids.to_vec();
        sorted.sort_unstable();
        let mut parts = Column::of_some(self.part, &sorted, 0)?.parts_for(ids);
        for (part, id) in parts.iter_mut().zip(ids) {
            let place = self.ranks.binary_search_by_key(id, |&(id, _)| id).ok();
            part.rank = place.map(|place| self.ranks[place].1);
            part.share = part.rank.map_or(0.0, |rank| self.share(rank));
        }
        Ok(parts)
    }
}

impl Shares for Ranked<'_> {
    fn len(&self) -> usize {
        self.ranks.len()
    }

    fn for_each(&self, mut take: impl FnMut(Scored)) {
        self.ranks.iter().for_each(|&(id, rank)| take((id, self.share(rank))));
    }
}

/// The best by the sum of reciprocal ranks.
pub(super) fn fuse_ranks(
    parts: &[QueryPart],
    (k, depth): (u32, usize),
    top: usize,
    excluded: &[u32],
    options: &SearchOptions,
) -> Result<Found, QueryError> {
    let mut found = Found { fused: Vec::new(), exact: true, looked_at: 0 };
    let mut lists = Vec::with_capacity(parts.len());
    for part in parts {
        let ask = Ask::alone(part);
        let whole = options.clone().exact();
        let proposed = ask.propose(depth, if ask.is_cheap(depth) { options } else { &whole })?;
        found.exact &= proposed.exact;
        found.looked_at += proposed.looked_at;
        let mut ranks: Vec<(u32, u32)> = proposed.ids.into_iter().zip(1..).collect();
        ranks.sort_unstable();
        lists.push(Ranked { part, k, ranks });
    }
    let ranked = best(&lists, top, excluded);
    let ids: Vec<u32> = ranked.iter().map(|&(id, _)| id).collect();
    let receipts = lists.iter().map(|list| list.parts_for(&ids)).collect::<Result<Vec<_>, _>>()?;
    found.fused = with_receipts(ranked, &receipts);
    Ok(found)
}
