//! Which items to fuse, where comparing all of them would take too long.
//!
//! Each part's graph proposes its best, and the union of the proposals is compared exactly in *every*
//! part. How deep must the proposals go? An item that no part proposed is, in each part, no better than
//! the worst proposal there, so its score is at most the weighted sum of those worst proposals (Fagin's
//! threshold). Once the last of the hits is better than that, deeper proposals cannot change anything:
//! the fused order is as exact as the graphs are. Until then the depth is doubled; and where it grows so
//! far that the scan is cheaper, the scan it is.
//!
//! A filter narrows both: a scan looks at nothing but what matches, and a walk goes on past what does not,
//! for as long as it takes to find enough that does. So the fewer match, the more the scan gains upon the
//! walk. Whichever it is, there are always as many hits as are wanted, or as match.

use lookalike_index::{Candidate, Neighbours, QueryError, SearchOptions};

use super::column::{Column, QueryPart};
use super::fusion::{Fused, fuse};
use super::narrowing::Allowed;

/// Proposals a part, to begin with, for each hit that is wanted.
const DEPTH_PER_HIT: usize = 4;
/// A graph's proposal costs as much as scanning so many rows: the walk looks at several rows for each one
/// that it keeps, and at none of them in order.
const SCANNED_PER_PROPOSAL: usize = 16;

/// What a search found, and what that took.
pub(super) struct Found {
    pub(super) fused: Vec<Fused>,
    pub(super) exact: bool,
    pub(super) looked_at: usize,
}

/// Compares everything that matches.
pub(super) fn scan(parts: &[QueryPart], top: usize, among: Allowed) -> Result<Found, QueryError> {
    let column = |part| match among.matching {
        None => Column::of_all(part),
        Some(matching) => Column::of_matching(part, matching),
    };
    let columns = parts.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let looked_at = columns.iter().map(Column::len).sum();
    Ok(Found { fused: fuse(&columns, top, among.excluded), exact: true, looked_at })
}

/// Compares what the parts' graphs propose; or everything, where that is cheaper or the only way.
pub(super) fn propose(
    parts: &[QueryPart],
    top: usize,
    among: Allowed,
    options: &SearchOptions,
) -> Result<Found, QueryError> {
    let excluded = among.excluded;
    let options = &match among.matching {
        Some(matching) => options.clone().within(matching.set.clone()),
        None => options.clone(),
    };
    // Nobody proposes the least similar, which is what a negative weight asks for.
    let askable = parts.iter().all(|part| part.weight > 0.0 && part.vectors.has_graph());
    let wanted = top.saturating_add(excluded.len());
    let mut depth = if parts.len() == 1 { wanted } else { wanted.saturating_mul(DEPTH_PER_HIT) };
    let mut looked_at = 0;
    // Of the rows that a walk meets only some match, so it meets so many more; and so many less a scan
    // would have to look at.
    let cheap = |depth: usize| {
        parts.iter().all(|part| {
            let all = part.vectors.len() as f64;
            let matching = among.matching.map_or(all, |matching| matching.len() as f64);
            (depth * SCANNED_PER_PROPOSAL) as f64 * all < matching * matching
        })
    };
    while askable && depth > 0 && cheap(depth) {
        let mut exact = true;
        let proposals = proposals(parts, depth, options, &mut looked_at, &mut exact)?;
        let mut ids: Vec<u32> = proposals.iter().flatten().map(|candidate| candidate.id).collect();
        ids.sort_unstable();
        ids.dedup();
        let columns = parts
            .iter()
            .map(|part| Column::of_some(part, &ids, depth))
            .collect::<Result<Vec<_>, _>>()?;
        let fused = fuse(&columns, top, excluded);
        let bound = bound(parts, &proposals, depth);
        let certain = fused.len() == top && fused.last().is_some_and(|last| last.score >= bound);
        if parts.len() == 1 || certain {
            return Ok(Found { fused, exact, looked_at });
        }
        depth = depth.saturating_mul(2);
    }
    let found = scan(parts, top, among)?;
    Ok(Found { looked_at: looked_at + found.looked_at, ..found })
}

fn proposals(
    parts: &[QueryPart],
    depth: usize,
    options: &SearchOptions,
    looked_at: &mut usize,
    exact: &mut bool,
) -> Result<Vec<Vec<Candidate>>, QueryError> {
    parts
        .iter()
        .map(|part| {
            let answer = part.vectors.search(&part.embedding, depth, options)?;
            *looked_at += answer.looked_at;
            *exact &= answer.exact;
            Ok(answer.candidates)
        })
        .collect()
}

/// The best score that an item can have which nobody proposed.
fn bound(parts: &[QueryPart], proposals: &[Vec<Candidate>], depth: usize) -> f32 {
    let worst = parts.iter().zip(proposals).map(|(part, proposed)| {
        // It may lack the modality, which counts as 0 and can be better than the worst proposal.
        let worst = if proposed.len() < depth { 0.0 } else { proposed[depth - 1].similarity };
        part.weight * worst.max(0.0)
    });
    worst.sum()
}
