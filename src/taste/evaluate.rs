//! A ranker is judged: every user's held-out items against the whole inventory.
//!
//! Flowing in: a [`Ranker`], what is known of the users and what was held out. Flowing out: a
//! [`Judgement`]: each metric of each user, so that two rankers can be compared user by user, and over
//! slices in which they differ most.

use rayon::prelude::*;

use super::chance::Chance;
use super::history::History;
use super::metrics::{Metric, Standing};
use super::ranker::Ranker;

/// Users who are scored together: enough for the product kernel, few enough that the scores of 33,000
/// items stay in the second cache.
const TOGETHER: usize = 8;

/// Against what a held-out item is ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Protocol {
    /// The whole inventory without what the user is known to have.
    #[default]
    Exact,
    /// So many items drawn at random from it, once for each user, as the original code of DVBPR does
    /// with 100. Quicker, and not comparable with the exact figures.
    Sampled(u32),
}

/// Which held-out items of which users count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Slice {
    /// All.
    All,
    /// Items that somebody took in training.
    Warm,
    /// Items that nobody took in training.
    Cold,
    /// Users with at most so many items in training.
    Few(u32),
}

/// How to judge.
#[derive(Debug, Clone)]
pub struct Judge {
    /// Against what.
    pub protocol: Protocol,
    /// By what.
    pub metrics: Vec<Metric>,
    /// On whom.
    pub slices: Vec<Slice>,
    /// Where chance starts from in a sampled protocol.
    pub seed: u64,
}

impl Default for Judge {
    fn default() -> Self {
        Judge {
            protocol: Protocol::Exact,
            metrics: Metric::usual(&[20, 100]),
            slices: vec![Slice::All, Slice::Warm, Slice::Cold, Slice::Few(5)],
            seed: 1,
        }
    }
}

/// The metrics of every user of a slice who has anything to be judged by.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Which slice.
    pub slice: Slice,
    /// The users' dense numbers, ascending.
    pub users: Vec<u32>,
    /// By metric, in the judge's order, and then by user.
    pub values: Vec<Vec<f64>>,
}

impl Judged {
    /// The mean of a metric over the users; `None` where there are none.
    pub fn mean(&self, metric: usize) -> Option<f64> {
        let values = &self.values[metric];
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }
}

impl Judge {
    /// The AUC of all users and nothing else: what validation asks for.
    pub fn auc() -> Self {
        Judge { metrics: vec![Metric::Auc], slices: vec![Slice::All], ..Judge::default() }
    }

    /// Ranks the inventory for every user of whom something was held out. `known` is left out of the
    /// rankings, and says which items and users are cold.
    pub fn judge(&self, ranker: &dyn Ranker, known: &History, held_out: &History) -> Vec<Judged> {
        let users: Vec<u32> =
            (0..held_out.users() as u32).filter(|&user| !held_out.of(user).is_empty()).collect();
        let takers = known.counts();
        let rows: Vec<Vec<(Slice, u32, Vec<f64>)>> = users
            .par_chunks(TOGETHER)
            .map(|users| {
                let mut scores = vec![0.0; users.len() * known.inventory()];
                ranker.score(users, &mut scores);
                let scores = scores.chunks(known.inventory().max(1));
                let judged = users.iter().zip(scores).flat_map(|(&user, scores)| {
                    self.slices.iter().filter_map({
                        let takers = &takers;
                        move |&slice| self.one(slice, user, scores, known, held_out, takers)
                    })
                });
                judged.collect()
            })
            .collect();
        let mut judged: Vec<Judged> = self
            .slices
            .iter()
            .map(|&slice| Judged {
                slice,
                users: Vec::new(),
                values: vec![Vec::new(); self.metrics.len()],
            })
            .collect();
        for (slice, user, values) in rows.into_iter().flatten() {
            let of_slice = judged.iter_mut().filter(|judged| judged.slice == slice);
            for judged in of_slice {
                judged.users.push(user);
                judged.values.iter_mut().zip(&values).for_each(|(all, &value)| all.push(value));
            }
        }
        judged
    }

    /// One user in one slice.
    fn one(
        &self,
        slice: Slice,
        user: u32,
        scores: &[f32],
        known: &History,
        held_out: &History,
        takers: &[u32],
    ) -> Option<(Slice, u32, Vec<f64>)> {
        let (owned, all) = (known.of(user), held_out.of(user));
        let cold = |item: &u32| takers[*item as usize] == 0;
        let wanted: Vec<u32> = match slice {
            Slice::All => all.to_vec(),
            Slice::Few(most) if owned.len() > most as usize => return None,
            Slice::Few(_) => all.to_vec(),
            Slice::Cold => all.iter().copied().filter(cold).collect(),
            Slice::Warm => all.iter().copied().filter(|item| !cold(item)).collect(),
        };
        // Items that are held out but not asked for in this slice are no rivals either.
        let mut aside: Vec<u32> =
            all.iter().copied().filter(|item| !wanted.contains(item)).collect();
        aside.extend(owned.iter().copied().filter(|item| !all.contains(item)));
        aside.sort_unstable();
        let standing = match self.protocol {
            Protocol::Exact => Standing::of(scores, &aside, &wanted),
            Protocol::Sampled(count) => {
                let rivals = self.rivals(user, count, known.inventory(), &aside, all);
                Standing::among_rivals(scores, &rivals, &wanted)
            }
        }?;
        Some((slice, user, self.metrics.iter().map(|&metric| standing.value(metric)).collect()))
    }

    /// Items drawn at random from what the user is not known to have and that was not held out. An item
    /// may come twice, as it may in the original code.
    fn rivals(
        &self,
        user: u32,
        count: u32,
        inventory: usize,
        known: &[u32],
        own: &[u32],
    ) -> Vec<u32> {
        let mut chance = Chance::new(self.seed, "rivals", u64::from(user));
        if known.len() + own.len() >= inventory {
            return Vec::new();
        }
        let mut rivals = Vec::with_capacity(count as usize);
        while rivals.len() < count as usize {
            let item = chance.below(inventory) as u32;
            if known.binary_search(&item).is_err() && !own.contains(&item) {
                rivals.push(item);
            }
        }
        rivals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everybody likes high numbers best.
    struct Ascending;

    impl Ranker for Ascending {
        fn score(&self, users: &[u32], scores: &mut [f32]) {
            let items = scores.len() / users.len();
            scores
                .iter_mut()
                .enumerate()
                .for_each(|(place, score)| *score = (place % items) as f32);
        }
    }

    /// By hand, over items 0 to 9. User 0 knows 9 and misses 8: the best of nine. User 1 knows 0, 1, 2 and
    /// misses 5 and 3, of which 3 is cold: ahead of 4, 4 places of 6, 7, 8, 9 lie before them. Nothing of
    /// user 2 was held out.
    #[test]
    fn users_are_judged_in_their_slices() {
        let known = History::new(3, 10, [(0, 9), (1, 0), (1, 1), (1, 2), (2, 5), (2, 8)]);
        let held_out = History::new(3, 10, [(0, 8), (1, 5), (1, 3)]);
        let judge = Judge {
            slices: vec![Slice::All, Slice::Warm, Slice::Cold, Slice::Few(1)],
            ..Judge::auc()
        };
        let judged = judge.judge(&Ascending, &known, &held_out);
        assert_eq!(judged[0].users, [0, 1]);
        // Of user 1: 5 is ahead of 4 alone, 3 of none, among the five 4, 6, 7, 8, 9.
        assert_eq!(judged[0].values, [[1.0, 0.1]]);
        assert_eq!(judged[0].mean(0), Some(0.55));
        assert_eq!(
            (judged[1].users.as_slice(), &judged[1].values[0][..]),
            (&[0, 1][..], &[1.0, 0.2][..])
        );
        assert_eq!((judged[2].users.as_slice(), &judged[2].values[0][..]), (&[1][..], &[0.0][..]));
        assert_eq!((judged[3].users.as_slice(), &judged[3].values[0][..]), (&[0][..], &[1.0][..]));
    }

    #[test]
    fn a_sample_estimates_the_exact_figure_and_repeats() {
        let known = History::new(300, 500, (0..300).map(|u| (u, u)));
        let held_out = History::new(300, 500, (0..300).map(|u| (u, (u * 7 + 13) % 500)));
        let mean = |protocol| {
            let judge = Judge { protocol, ..Judge::auc() };
            judge.judge(&Ascending, &known, &held_out)[0].mean(0).unwrap()
        };
        let (exact, sampled) = (mean(Protocol::Exact), mean(Protocol::Sampled(100)));
        assert!(exact != sampled && (exact - sampled).abs() < 0.01, "{exact} {sampled}");
        assert_eq!(sampled, mean(Protocol::Sampled(100)));
    }

    #[test]
    fn any_number_of_threads_judges_alike() {
        let known = History::new(50, 40, (0..50).map(|u| (u, u % 40)));
        let held_out = History::new(50, 40, (0..50).map(|u| (u, (u + 1) % 40)));
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Judge::default().judge(&Ascending, &known, &held_out))
        };
        assert_eq!(on(1), on(4));
    }
}
