//! Which items to fuse, where comparing all of them would take too long.
//!
//! Each aspect that is asked proposes its best, and the union of the proposals is compared exactly in
//! *every* part. How deep must the proposals go? An item that nobody proposed is, in each aspect, no better
//! than the worst proposal there, so its score is at most the sum of those worst proposals (Fagin's
//! threshold). Once the last of the hits is better than that, deeper proposals cannot change anything:
//! the fused order is as exact as the graphs are. Until then the depth is doubled; and where it grows so
//! far that the scan is cheaper, the scan it is.

use lookalike_index::{QueryError, SearchOptions};

use super::ask::{Ask, Proposals};
use super::column::{Column, QueryPart};
use super::fusion::{Fused, Shares, fuse};

/// Proposals an aspect, to begin with, for each hit that is wanted.
const DEPTH_PER_HIT: usize = 4;
/// By how much the sum of several products may differ from the product of the sum.
const ROUNDING: f32 = 1e-6;

/// What a search found, and what that took.
pub(super) struct Found {
    pub(super) fused: Vec<Fused>,
    pub(super) exact: bool,
    pub(super) looked_at: usize,
}

/// Compares everything.
pub(super) fn scan(parts: &[QueryPart], top: usize, excluded: &[u32]) -> Result<Found, QueryError> {
    let columns = parts.iter().map(Column::of_all).collect::<Result<Vec<_>, _>>()?;
    let looked_at = columns.iter().map(Column::len).sum();
    Ok(Found { fused: fuse(&columns, top, excluded), exact: true, looked_at })
}

/// Compares what the aspects propose; or everything, where that is cheaper or the only way.
pub(super) fn propose(
    parts: &[QueryPart],
    top: usize,
    excluded: &[u32],
    options: &SearchOptions,
) -> Result<Found, QueryError> {
    let asks = Ask::of(parts);
    let wanted = top.saturating_add(excluded.len());
    let alone = asks.len() == 1;
    let mut depth = if alone { wanted } else { wanted.saturating_mul(DEPTH_PER_HIT) };
    let mut looked_at = 0;
    let askable = asks.iter().all(Ask::can_propose);
    while askable && depth > 0 && asks.iter().all(|ask| ask.is_cheap(depth)) {
        let proposals = asks.iter().map(|ask| ask.propose(depth, options));
        let proposals = proposals.collect::<Result<Vec<_>, _>>()?;
        looked_at += proposals.iter().map(|proposed| proposed.looked_at).sum::<usize>();
        let ids = union(&proposals);
        // Where several terms were asked for as one, nobody has told which items each of them puts first.
        let ranks_known = |part: &QueryPart| {
            let same = parts.iter().filter(|other| other.aspect == part.aspect).count();
            if same == 1 { depth } else { 0 }
        };
        let columns = parts.iter().map(|part| Column::of_some(part, &ids, ranks_known(part)));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let fused = fuse(&columns, top, excluded);
        let rounding = if asks.len() < parts.len() { ROUNDING } else { 0.0 };
        let bound = proposals.iter().map(|proposed| proposed.bound).sum::<f32>() + rounding;
        let certain = fused.len() == top && fused.last().is_some_and(|last| last.score >= bound);
        if alone || certain {
            let exact = proposals.iter().all(|proposed| proposed.exact);
            return Ok(Found { fused, exact, looked_at });
        }
        depth = depth.saturating_mul(2);
    }
    let found = scan(parts, top, excluded)?;
    Ok(Found { looked_at: looked_at + found.looked_at, ..found })
}

/// Whoever was proposed by anybody, by ascending id.
fn union(proposals: &[Proposals]) -> Vec<u32> {
    let mut ids: Vec<u32> = proposals.iter().flat_map(|proposed| &proposed.ids).copied().collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
