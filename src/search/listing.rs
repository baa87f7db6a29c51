//! The ranking in stages, so that pages continue one another.
//!
//! A graph that is asked for twenty need not give the same first ten as when it is asked for ten: it looks
//! farther, and may find what it had missed. So the order of a query's hits is *defined* by stages: as many
//! as a page holds, then twice as many, and so on, each adding what the stages before it have not found. The
//! first page costs what it would without this, and what a page shows depends on the page's size and nothing
//! else. Where everything is compared, all stages agree, and the rest comes in one.

use std::collections::HashSet;

use super::Error;
use super::candidates::Found;
use super::fusion::Fused;

/// In an exact ranking the next stage goes so much deeper.
const EXACT_STRIDE: usize = 8;

/// What is shown of a ranking, as far as it was wanted.
pub(super) struct Listing {
    pub(super) fused: Vec<Fused>,
    /// Whether every stage was exact.
    pub(super) exact: bool,
    pub(super) looked_at: usize,
}

impl Listing {
    /// At least `wanted` of what `shown` keeps of the ranking, or all of it. A page holds `page`.
    pub(super) fn new(
        page: usize,
        wanted: usize,
        shown: impl Fn(&[Fused]) -> Vec<usize>,
        rank: impl Fn(usize) -> Result<Found, Error>,
    ) -> Result<Self, Error> {
        let mut depth = page.max(1);
        let mut seen = HashSet::new();
        let mut ranked: Vec<Fused> = Vec::new();
        let (mut exact, mut looked_at) = (true, 0);
        loop {
            let found = rank(depth)?;
            let all = found.fused.len() < depth;
            ranked.extend(found.fused.into_iter().filter(|fused| seen.insert(fused.id)));
            exact &= found.exact;
            looked_at += found.looked_at;
            let kept = shown(&ranked);
            if all || kept.len() >= wanted {
                let mut kept = kept.into_iter().peekable();
                let is_kept = |place| kept.next_if_eq(&place).is_some();
                let fused = keep(ranked, is_kept);
                return Ok(Listing { fused, exact, looked_at });
            }
            let deeper = if found.exact { EXACT_STRIDE } else { 2 };
            depth = depth.saturating_mul(deeper);
            if found.exact {
                depth = depth.max(wanted);
            }
        }
    }
}

/// Those at the places that are kept.
fn keep(ranked: Vec<Fused>, mut is_kept: impl FnMut(usize) -> bool) -> Vec<Fused> {
    ranked
        .into_iter()
        .enumerate()
        .filter(|&(place, _)| is_kept(place))
        .map(|(_, fused)| fused)
        .collect()
}
