//! What BPR learns from: triples of a user, an item that the user took and one that the user did not.
//!
//! An epoch shows every pair of the history once, in an order of its own, each with a negative drawn
//! evenly from whatever somebody has taken, and not the user. Both follow from the seed, the epoch and the
//! pair's place alone, so that any number of threads sees the same triples.
//!
//! What nobody has taken is no negative: it would be one in every triple that it is in, and sink below all the
//! rest for no other reason than being new. So nothing is learned of it, and it is scored as a newcomer is.

use super::chance::Chance;
use super::history::History;

/// `user` took `positive` and not `negative`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Triple {
    /// The user.
    pub user: u32,
    /// An item that the user took.
    pub positive: u32,
    /// An item that the user did not.
    pub negative: u32,
}

/// How often a negative is drawn anew where the user has taken it. Somebody who took nearly everything
/// then trains on a pair that says nothing, instead of waiting for ever.
const TRIES: usize = 64;

/// The triples of one epoch.
pub fn triples(history: &History, seed: u64, epoch: u32) -> Vec<Triple> {
    let mut pairs: Vec<(u32, u32)> = history.pairs().collect();
    let stream = u64::from(epoch) << 32;
    Chance::new(seed, "order", stream).shuffle(&mut pairs);
    let negatives = Chance::new(seed, "negatives", stream).bits();
    let known = history.known();
    let triple = |(place, (user, positive)): (usize, (u32, u32))| {
        let mut chance = Chance::new(negatives, "", place as u64);
        let negative =
            unseen(history, user, &mut chance, |chance| known[chance.below(known.len())]);
        Triple { user, positive, negative }
    };
    pairs.into_iter().enumerate().map(triple).collect()
}

/// Normal numbers of this deviation in rows as long as this, an item a row; zeros for what nobody has taken and
/// which no triple can teach anything of.
pub(super) fn rows_of_known(
    history: &History,
    mut chance: Chance,
    width: usize,
    deviation: f32,
) -> Vec<f32> {
    let mut rows = chance.normals(history.inventory() * width, deviation);
    let takers = history.counts();
    let strangers = rows.chunks_mut(width.max(1)).zip(takers).filter(|&(_, takers)| takers == 0);
    strangers.for_each(|(row, _)| row.fill(0.0));
    rows
}

/// An item that the user has not taken, out of those that `draw` gives.
pub fn unseen(
    history: &History,
    user: u32,
    chance: &mut Chance,
    mut draw: impl FnMut(&mut Chance) -> u32,
) -> u32 {
    let mut item = draw(chance);
    for _ in 1..TRIES {
        if !history.has(user, item) {
            break;
        }
        item = draw(chance);
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History {
        History::new(40, 30, (0..40).flat_map(|u| (0..5).map(move |n| (u, (u * 7 + n * n) % 30))))
    }

    #[test]
    fn an_epoch_shows_every_pair_once_with_something_that_was_not_taken() {
        let history = history();
        let epoch = triples(&history, 1, 0);
        let mut pairs: Vec<_> = epoch.iter().map(|t| (t.user, t.positive)).collect();
        pairs.sort_unstable();
        assert!(pairs.into_iter().eq(history.pairs()));
        assert!(epoch.iter().all(|t| !history.has(t.user, t.negative)));
        assert_eq!(epoch, triples(&history, 1, 0));
        assert_ne!(epoch, triples(&history, 1, 1));
        assert_ne!(epoch, triples(&history, 2, 0));
    }

    #[test]
    fn negatives_are_drawn_evenly() {
        let others = (0..10).filter(|&item| item != 7).map(|item| (1, item));
        let history = History::new(2, 11, [(0, 3), (0, 4)].into_iter().chain(others));
        let mut seen = [0u32; 11];
        for epoch in 0..3500 {
            let triples = triples(&history, 1, epoch);
            let of_first = triples.iter().filter(|t| t.user == 0);
            of_first.for_each(|t| seen[t.negative as usize] += 1);
        }
        // What the user took, and what nobody did.
        assert_eq!((seen[3], seen[4], seen[7], seen[10]), (0, 0, 0, 0));
        let rest = seen.iter().filter(|&&count| count > 0);
        assert!(
            rest.clone().count() == 7 && rest.clone().all(|n| (900..1100).contains(n)),
            "{seen:?}"
        );
    }

    #[test]
    fn somebody_who_took_everything_does_not_hang() {
        let history = History::new(1, 3, [(0, 0), (0, 1), (0, 2)]);
        assert_eq!(triples(&history, 1, 0).len(), 3);
    }
}
