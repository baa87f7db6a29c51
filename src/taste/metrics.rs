//! How well a ranking puts forward what a user took in truth.
//!
//! Flowing in: one user's scores of the whole inventory, the items that were held out, and those that the
//! user is known to have, which are no part of the ranking. Flowing out: a number a [`Metric`].
//!
//! **Ties.** The AUC counts a tie as half: with many equal scores that is the mean over all orders that
//! agree with them. The metrics that need places break ties by a fixed pseudo-random order of the items,
//! which favours nobody; ascending numbers would favour what the shop listed first. A score that is no
//! number counts as the worst.

use std::fmt;

use super::chance::Chance;

/// A measure of a ranking; more is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Metric {
    /// The part of pairs of a held-out item and any other in which the held-out one is ahead.
    Auc,
    /// One over the place of the first held-out item.
    Rr,
    /// The part of the first `k` that was held out.
    Precision(u32),
    /// The part of the held-out items that is among the first `k`.
    Recall(u32),
    /// The discounted gain of the first `k` over what the best ranking would have.
    Ndcg(u32),
    /// The harmonic mean of precision and recall.
    F1(u32),
}

impl Metric {
    /// The AUC, the reciprocal rank, and precision, recall and nDCG at each of the places.
    pub fn usual(places: &[u32]) -> Vec<Metric> {
        let at =
            places.iter().flat_map(|&k| [Metric::Precision(k), Metric::Recall(k), Metric::Ndcg(k)]);
        [Metric::Auc, Metric::Rr].into_iter().chain(at).collect()
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Metric::Auc => f.write_str("auc"),
            Metric::Rr => f.write_str("rr"),
            Metric::Precision(k) => write!(f, "p@{k}"),
            Metric::Recall(k) => write!(f, "r@{k}"),
            Metric::Ndcg(k) => write!(f, "ndcg@{k}"),
            Metric::F1(k) => write!(f, "f1@{k}"),
        }
    }
}

/// Where the held-out items of one user stand.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    auc: f64,
    /// From 1, ascending.
    places: Vec<usize>,
}

impl Standing {
    /// Finds the places of the `held_out` among all items but the `known`. Both ascend and share no
    /// item; `None` where there is nothing to rank.
    pub fn of(scores: &[f32], known: &[u32], held_out: &[u32]) -> Option<Self> {
        Self::among(scores, None, known, held_out)
    }

    /// As [`of`](Self::of), where the held-out items stand among nothing but `rivals`.
    pub fn among_rivals(scores: &[f32], rivals: &[u32], held_out: &[u32]) -> Option<Self> {
        Self::among(scores, Some(rivals), &[], held_out)
    }

    fn among(
        scores: &[f32],
        rivals: Option<&[u32]>,
        known: &[u32],
        held_out: &[u32],
    ) -> Option<Self> {
        let others = match rivals {
            Some(rivals) => rivals.len(),
            None => scores.len().checked_sub(known.len() + held_out.len())?,
        };
        if others == 0 || held_out.is_empty() {
            return None;
        }
        let mut wins = 0.0;
        let mut places = Vec::with_capacity(held_out.len());
        for &item in held_out {
            let ahead = Ahead::of(scores, item, rivals);
            let (known, own) =
                (Ahead::of(scores, item, Some(known)), Ahead::of(scores, item, Some(held_out)));
            // The item itself is among its equals wherever it is counted.
            let (greater, equal, before) = match rivals {
                Some(_) => (ahead.greater, ahead.equal, ahead.before),
                None => (
                    ahead.greater - known.greater - own.greater,
                    ahead.equal - known.equal - own.equal,
                    ahead.before - known.before - own.before,
                ),
            };
            wins += (others - greater) as f64 - equal as f64 / 2.0;
            places.push(1 + greater + before + own.greater + own.before);
        }
        places.sort_unstable();
        Some(Standing { auc: wins / (others * held_out.len()) as f64, places })
    }

    /// The value of a metric.
    pub fn value(&self, metric: Metric) -> f64 {
        let hits =
            |k: u32| self.places.iter().take_while(|&&place| place <= k as usize).count() as f64;
        let held_out = self.places.len();
        match metric {
            Metric::Auc => self.auc,
            Metric::Rr => self.places.first().map_or(0.0, |&first| 1.0 / first as f64),
            Metric::Precision(k) => hits(k) / f64::from(k.max(1)),
            Metric::Recall(k) => hits(k) / held_out as f64,
            Metric::F1(k) => 2.0 * hits(k) / (f64::from(k) + held_out as f64),
            Metric::Ndcg(k) => {
                let gain = |place: usize| 1.0 / ((place + 1) as f64).log2();
                let found = self.places.iter().take_while(|&&place| place <= k as usize);
                let best: f64 = (1..=held_out.min(k as usize)).map(gain).sum();
                if best == 0.0 { 0.0 } else { found.map(|&place| gain(place)).sum::<f64>() / best }
            }
        }
    }
}

/// How many stand before an item.
#[derive(Default)]
struct Ahead {
    greater: usize,
    equal: usize,
    /// Of the equal, those whom the order of ties puts before it.
    before: usize,
}

impl Ahead {
    /// Among the named items, or among all; the item itself is not counted.
    fn of(scores: &[f32], item: u32, among: Option<&[u32]>) -> Self {
        let worth = |score: f32| if score.is_nan() { f32::NEG_INFINITY } else { score };
        let own = worth(scores[item as usize]);
        let tie = tie_break(item);
        let before = |other: u32| other != item && tie_break(other) < tie;
        match among {
            Some(items) => {
                let others = items.iter().filter(|&&other| other != item);
                others.fold(Ahead::default(), |mut ahead, &other| {
                    let score = worth(scores[other as usize]);
                    ahead.greater += usize::from(score > own);
                    ahead.equal += usize::from(score == own);
                    ahead.before += usize::from(score == own && before(other));
                    ahead
                })
            }
            None => {
                let greater = count(scores, |score| score > own);
                // Whatever is no number is as bad as the worst.
                let least = own == f32::NEG_INFINITY;
                let equal =
                    if least { scores.len() - greater } else { count(scores, |s| s == own) };
                let equal = equal - 1;
                let ties = || {
                    let all = scores.iter().enumerate();
                    all.filter(|&(other, &score)| worth(score) == own && before(other as u32))
                        .count()
                };
                Ahead { greater, equal, before: if equal > 0 { ties() } else { 0 } }
            }
        }
    }
}

/// How many scores are so: a plain loop, which the compiler makes vector instructions of.
fn count(scores: &[f32], are: impl Fn(f32) -> bool) -> usize {
    let blocks = scores.chunks(1 << 15);
    blocks.map(|block| block.iter().map(|&s| u32::from(are(s))).sum::<u32>() as usize).sum()
}

/// The order of items among equals.
fn tie_break(item: u32) -> u64 {
    Chance::new(0, "", u64::from(item)).bits()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Metric; 6] = [
        Metric::Auc,
        Metric::Rr,
        Metric::Precision(2),
        Metric::Recall(2),
        Metric::Ndcg(2),
        Metric::F1(2),
    ];

    fn values(scores: &[f32], known: &[u32], held_out: &[u32]) -> [f64; 6] {
        let standing = Standing::of(scores, known, held_out).unwrap();
        ALL.map(|metric| standing.value(metric))
    }

    fn close(found: [f64; 6], expected: [f64; 6]) {
        for ((found, expected), metric) in found.iter().zip(expected).zip(ALL) {
            assert!((found - expected).abs() < 1e-9, "{metric}: {found}, not {expected}");
        }
    }

    /// By hand. Item 0 is known, so four are ranked: 3 (.9), 1 (.8), 4 (.5), 2 (.1). Item 1 is held out,
    /// second, ahead of two of three others.
    #[test]
    fn one_held_out_item() {
        let log3 = 3f64.log2();
        close(
            values(&[1.0, 0.8, 0.1, 0.9, 0.5], &[0], &[1]),
            [2.0 / 3.0, 0.5, 0.5, 1.0, 1.0 / log3, 2.0 / 3.0],
        );
    }

    /// By hand. Ranked: 0, 3, 1, 2, 4 with 3 and 4 held out: places 2 and 5. Item 3 is ahead of 1 and 2,
    /// item 4 of none of 0, 1, 2: two of six pairs.
    #[test]
    fn several_held_out_items() {
        let log3 = 3f64.log2();
        close(
            values(&[0.9, 0.5, 0.4, 0.8, 0.1], &[], &[3, 4]),
            [2.0 / 6.0, 0.5, 0.5, 0.5, (1.0 / log3) / (1.0 + 1.0 / log3), 0.5],
        );
    }

    #[test]
    fn a_tie_is_half_a_win_and_what_is_no_number_is_the_worst() {
        let auc = |scores: &[f32], held_out| values(scores, &[], &[held_out])[0];
        assert_eq!(auc(&[1.0, 1.0, 1.0], 1), 0.5);
        assert_eq!(auc(&[2.0, 1.0, 1.0], 2), 0.25);
        assert_eq!(auc(&[2.0, f32::NAN, 1.0], 1), 0.0);
        assert_eq!(auc(&[2.0, f32::NAN, 1.0], 2), 0.5);
        assert_eq!(auc(&[f32::NAN, f32::NAN, f32::NEG_INFINITY], 2), 0.5);
        assert_eq!(Standing::of(&[1.0], &[], &[0]), None);
        assert_eq!(Standing::of(&[1.0, 2.0], &[], &[]), None);
    }

    #[test]
    fn equal_scores_take_every_place_equally_often() {
        let mut places = [0; 5];
        for shop in 0..400u32 {
            // The same tie among ever other items of a large shop, the rest being worse.
            let mut scores = vec![0.0; 2000];
            (0..5).for_each(|n| scores[(shop * 5 + n) as usize] = 1.0);
            places[Standing::of(&scores, &[], &[shop * 5 + 2]).unwrap().places[0] - 1] += 1;
        }
        assert!(places.iter().all(|count| (50..110).contains(count)), "{places:?}");
    }

    proptest! {
        /// The oracle sorts everything and counts every pair.
        #[test]
        fn equals_what_sorting_and_counting_pairs_give(
            scores in prop::collection::vec((-3i8..3).prop_map(f32::from), 2..60),
            roles in prop::collection::vec(0u8..4, 60),
        ) {
            let with = |role| -> Vec<u32> {
                (0..scores.len() as u32).filter(|&i| roles[i as usize] == role).collect()
            };
            let (known, held_out) = (with(0), with(1));
            let others: Vec<u32> = (0..scores.len() as u32).filter(|&i| roles[i as usize] > 1).collect();
            let standing = Standing::of(&scores, &known, &held_out);
            prop_assert_eq!(standing.is_some(), !others.is_empty() && !held_out.is_empty());
            if let Some(standing) = standing {
                let mut wins = 0.0;
                for &p in &held_out {
                    for &n in &others {
                        let (p, n) = (scores[p as usize], scores[n as usize]);
                        wins += if p > n { 1.0 } else if p == n { 0.5 } else { 0.0 };
                    }
                }
                let auc = wins / (held_out.len() * others.len()) as f64;
                prop_assert!((standing.auc - auc).abs() < 1e-12);
                let mut ranked: Vec<u32> = held_out.iter().chain(&others).copied().collect();
                ranked.sort_by(|&a, &b| {
                    scores[b as usize].total_cmp(&scores[a as usize]).then(tie_break(a).cmp(&tie_break(b)))
                });
                let places = ranked.iter().zip(1..).filter(|(item, _)| held_out.contains(item));
                let places: Vec<usize> = places.map(|(_, place)| place).collect();
                prop_assert_eq!(&standing.places, &places);
                let again = Standing::among_rivals(&scores, &others, &held_out).unwrap();
                prop_assert_eq!(again, standing);
            }
        }
    }
}
