//! What is for training, what for validation and what for the final test.

use super::chance::Chance;
use super::history::History;
use super::interactions::{Event, Interactions, Purpose};

/// How interactions are divided.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum SplitRule {
    /// Each user's last item is for the test and the last but one for validation.
    Last,
    /// One random item of each user for the test and another for validation.
    One,
    /// This part of each user's items, chosen at random, for the test, and as many for validation.
    Part(f32),
    /// As a column of the interactions says.
    Column,
}

/// Users with fewer items are not judged by: all that is known of them is for training.
const JUDGED_FROM: usize = 3;

/// Three histories that share no pair.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// What models learn from.
    pub train: History,
    /// What decides when to stop and which settings are the best.
    pub validation: History,
    /// What is looked at once, at the end.
    pub test: History,
}

impl Split {
    /// Divides interactions. The seed decides where chance does.
    pub fn new(interactions: &Interactions, rule: SplitRule, seed: u64) -> Self {
        let mut purposes = vec![Purpose::Train; interactions.events.len()];
        let mut start = 0;
        for events in interactions.events.chunk_by(|a, b| a.user == b.user) {
            let purposes = &mut purposes[start..start + events.len()];
            start += events.len();
            assign(events, rule, seed, purposes);
        }
        let history = |wanted| {
            let chosen = interactions.events.iter().zip(&purposes);
            let chosen = chosen.filter(|&(_, &purpose)| purpose == wanted);
            let pairs = chosen.map(|(event, _)| (event.user, event.item));
            History::new(interactions.users.len(), interactions.items.len(), pairs)
        };
        Split {
            train: history(Purpose::Train),
            validation: history(Purpose::Validation),
            test: history(Purpose::Test),
        }
    }

    /// The split as if some items had only just come in, this part of the inventory for the test and as large a
    /// one for validation, chosen at random: of the former nothing is known but what is held out for the test,
    /// of the latter nothing before validation. It shows what a model makes of items that nobody has taken.
    pub fn with_arrivals(&self, part: f32, seed: u64) -> Split {
        let inventory = self.train.inventory();
        // Below 1 arrives with the test, below 2 with validation.
        let arrival: Vec<f32> = (0..inventory as u64)
            .map(|item| Chance::new(seed, "arrivals", item).unit() / part.max(f32::MIN_POSITIVE))
            .collect();
        let known = |history: &History, from: f32| {
            let pairs = history.pairs().filter(|&(_, item)| arrival[item as usize] >= from);
            History::new(history.users(), inventory, pairs)
        };
        Split {
            train: known(&self.train, 2.0),
            validation: known(&self.validation, 1.0),
            test: self.test.clone(),
        }
    }

    /// The split of a model that is to be used and not judged: what the test would hold out decides when
    /// to stop, and everything else is for training.
    pub fn for_serving(&self) -> Split {
        Split {
            train: self.train.with(&self.validation),
            validation: self.test.clone(),
            test: History::new(self.train.users(), self.train.inventory(), []),
        }
    }

    /// The split for the last look: trained on everything but the test.
    pub fn without_validation(&self) -> Split {
        Split {
            train: self.train.with(&self.validation),
            validation: History::new(self.train.users(), self.train.inventory(), []),
            test: self.test.clone(),
        }
    }
}

/// Says what each of one user's events is for.
fn assign(events: &[Event], rule: SplitRule, seed: u64, purposes: &mut [Purpose]) {
    if rule == SplitRule::Column {
        for (purpose, event) in purposes.iter_mut().zip(events) {
            *purpose = event.purpose.unwrap_or(Purpose::Train);
        }
        return;
    }
    if events.len() < JUDGED_FROM {
        return;
    }
    let mut order: Vec<usize> = (0..events.len()).collect();
    if rule == SplitRule::Last {
        order.sort_by_key(|&place| (events[place].time, events[place].row));
    } else {
        Chance::new(seed, "split", u64::from(events[0].user)).shuffle(&mut order);
    }
    let held_out = match rule {
        SplitRule::Part(part) => {
            // One at least, and one at least stays for training.
            let wanted = (events.len() as f32 * part.clamp(0.0, 1.0)).round() as usize;
            wanted.clamp(1, (events.len() - 1) / 2)
        }
        _ => 1,
    };
    let from_end = |skipped: usize| order.iter().rev().skip(skipped).take(held_out);
    from_end(0).for_each(|&place| purposes[place] = Purpose::Test);
    from_end(held_out).for_each(|&place| purposes[place] = Purpose::Validation);
}

#[cfg(test)]
mod tests {
    use super::super::interactions::Interaction;
    use super::*;

    fn interactions() -> Interactions {
        let times =
            [("a", 0, 50), ("a", 1, 10), ("a", 2, 50), ("a", 3, 20), ("b", 0, 1), ("b", 1, 2)];
        let row = |(row, (user, item, time)): (usize, (&str, u32, i64))| Interaction {
            time: Some(time),
            row: row as u64,
            purpose: (item == 3).then_some(Purpose::Test),
            ..Interaction::new(user, item)
        };
        Interactions::new((0..5).collect(), times.into_iter().enumerate().map(row))
    }

    /// By hand: `a` took 1, 3, 0, 2 in this order, 0 and 2 at the same time; `b` took too little.
    #[test]
    fn the_last_is_for_the_test_and_the_last_but_one_for_validation() {
        let split = Split::new(&interactions(), SplitRule::Last, 1);
        assert_eq!(split.test.pairs().collect::<Vec<_>>(), [(0, 2)]);
        assert_eq!(split.validation.pairs().collect::<Vec<_>>(), [(0, 0)]);
        assert_eq!(split.train.pairs().collect::<Vec<_>>(), [(0, 1), (0, 3), (1, 0), (1, 1)]);
        let last = split.without_validation();
        assert_eq!((last.train.len(), last.validation.len(), last.test), (5, 0, split.test));
    }

    #[test]
    fn a_column_decides_where_it_is_asked() {
        let split = Split::new(&interactions(), SplitRule::Column, 1);
        assert_eq!(split.test.pairs().collect::<Vec<_>>(), [(0, 3)]);
        assert!(split.validation.is_empty());
    }

    #[test]
    fn nothing_is_known_of_an_arrival_before_it_comes() {
        let rows = (0..60u32).flat_map(|u| {
            (0..9).map(move |n| Interaction::new(&format!("user {u:02}"), (u * 7 + n * n) % 90))
        });
        let split = Split::new(&Interactions::new((0..90).collect(), rows), SplitRule::One, 1);
        let arrived = split.with_arrivals(0.2, 1);
        assert_eq!(arrived.test, split.test);
        let last = arrived.without_validation();
        // Items that were taken before and are not any more: a fifth twice, and then a fifth.
        let hidden = |before: &History, after: &History| {
            let (before, after) = (before.counts(), after.counts());
            before.iter().zip(&after).filter(|&(&before, &after)| before > 0 && after == 0).count()
        };
        let all = split.without_validation().train;
        let (first, second) = (hidden(&split.train, &arrived.train), hidden(&all, &last.train));
        assert!((25..48).contains(&first) && (10..27).contains(&second), "{first} {second}");
        // What is still known is known in full.
        for (before, after) in [(&split.train, &arrived.train), (&all, &last.train)] {
            let counts = before.counts().into_iter().zip(after.counts());
            let dropped = counts.filter(|&(before, after)| after != before);
            assert!(dropped.clone().count() > 0);
            assert!(after.pairs().all(|(user, item)| before.has(user, item)));
        }
        assert_eq!(split.with_arrivals(0.0, 1), split);
        assert_eq!(arrived, split.with_arrivals(0.2, 1));
        assert_ne!(arrived, split.with_arrivals(0.2, 2));
    }

    #[test]
    fn chance_divides_everything_and_follows_the_seed() {
        let rows = (0..30u32).flat_map(|u| {
            (0..u % 12).map(move |item| Interaction::new(&format!("user {u:02}"), item * 3 + u % 3))
        });
        let interactions = Interactions::new((0..40).collect(), rows);
        for rule in [SplitRule::One, SplitRule::Part(0.3), SplitRule::Part(1.0)] {
            let split = Split::new(&interactions, rule, 1);
            let all = split.train.with(&split.validation).with(&split.test);
            assert_eq!(all, interactions.history());
            let counts = [&split.train, &split.validation, &split.test].map(History::len);
            assert_eq!(counts.iter().sum::<usize>(), interactions.events.len());
            for user in 0..split.train.users() as u32 {
                let (test, all) = (split.test.of(user).len(), all.of(user).len());
                assert_eq!(test, split.validation.of(user).len());
                assert!(!split.train.of(user).is_empty());
                let wanted = match rule {
                    SplitRule::Part(part) => ((all as f32 * part).round() as usize).max(1),
                    _ => 1,
                };
                assert_eq!(test, if all < 3 { 0 } else { wanted.min((all - 1) / 2) });
            }
            assert_eq!(split, Split::new(&interactions, rule, 1));
            assert_ne!(split.test, Split::new(&interactions, rule, 2).test);
        }
    }
}
