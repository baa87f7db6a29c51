//! Everything that users took, as numbers: what models are trained on and judged by.
//!
//! Flowing in: [`Interaction`]s as a collection keeps them, and the collection's items. Flowing out:
//! [`Interactions`], in which users and items have *dense* numbers, from 0 without gaps. Items that
//! nobody took have theirs too, for a ranking is over the whole inventory.

use std::collections::BTreeMap;

pub use crate::collection::{Interaction, Purpose};

use super::Error;
use super::history::History;
use crate::collection::Collection;

/// Users, the inventory, and what was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Interactions {
    /// The users' keys, ascending: a user's dense number is the place here.
    pub users: Vec<String>,
    /// The collection's numbers of all of its items, ascending: an item's dense number is the place here.
    pub items: Vec<u32>,
    /// By user, and then by item; no pair twice.
    pub events: Vec<Event>,
}

/// Somebody took something.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The user's dense number.
    pub user: u32,
    /// The item's dense number.
    pub item: u32,
    /// When, in seconds since 1970, where that is known.
    pub time: Option<i64>,
    /// Where it stood in its file: what is earlier among equal times.
    pub row: u64,
    /// How well it was liked, where that is known.
    pub rating: Option<f32>,
    /// How much it counts.
    pub weight: f32,
    /// What a column said that it is for.
    pub purpose: Option<Purpose>,
    /// What the user wrote about it.
    pub review: Option<String>,
}

impl Interactions {
    /// Numbers users and items. What concerns none of the `items` is left out.
    pub fn new(mut items: Vec<u32>, rows: impl IntoIterator<Item = Interaction>) -> Self {
        items.sort_unstable();
        let mut by_user: BTreeMap<String, Vec<Event>> = BTreeMap::new();
        for row in rows {
            let Ok(item) = items.binary_search(&row.item) else { continue };
            by_user.entry(row.user).or_default().push(Event {
                user: 0,
                item: item as u32,
                time: row.time,
                row: row.row,
                rating: row.rating,
                weight: row.weight,
                purpose: row.purpose,
                review: row.review,
            });
        }
        let (mut users, mut events) = (Vec::new(), Vec::new());
        for (user, mut taken) in by_user {
            taken.sort_by_key(|event| event.item);
            taken.dedup_by_key(|event| event.item);
            let number = users.len() as u32;
            users.push(user);
            events.extend(taken.into_iter().map(|event| Event { user: number, ..event }));
        }
        Interactions { users, items, events }
    }

    /// All that a collection knows, of the items that it has now.
    pub fn of(collection: &Collection) -> Result<Self, Error> {
        let items: Result<Vec<u32>, _> = collection.item_numbers()?.collect();
        let rows: Result<Vec<Interaction>, _> = collection.interactions()?.collect();
        let interactions = Interactions::new(items?, rows?);
        if interactions.events.is_empty() {
            return Err(Error::NoInteractions { path: collection.path().to_owned() });
        }
        Ok(interactions)
    }

    /// The dense number of a user.
    pub fn user(&self, key: &str) -> Option<u32> {
        self.users.binary_search_by(|user| user.as_str().cmp(key)).ok().map(|place| place as u32)
    }

    /// The dense number of an item, by the collection's.
    pub fn item(&self, id: u32) -> Option<u32> {
        self.items.binary_search(&id).ok().map(|place| place as u32)
    }

    /// All of it as a history.
    pub fn history(&self) -> History {
        self.history_of(|_| true)
    }

    /// Some of it as a history.
    pub fn history_of(&self, wanted: impl Fn(&Event) -> bool) -> History {
        let pairs = self.events.iter().filter(|event| wanted(event));
        let pairs = pairs.map(|event| (event.user, event.item));
        History::new(self.users.len(), self.items.len(), pairs)
    }

    /// Leaves out what was liked less than this. What was not rated stays: to take it was the praise.
    pub fn liked_at_least(self, rating: f32) -> Self {
        self.retain(|event| event.rating.is_none_or(|found| found >= rating))
    }

    /// The `k`-core: leaves out users who took fewer than `k` items, and items that fewer than `k` users
    /// took, until nobody is left to leave out. Such items stay in the inventory.
    pub fn core(mut self, k: usize) -> Self {
        loop {
            let before = self.events.len();
            let history = self.history();
            let takers = history.counts();
            self = self.retain(|event| {
                history.of(event.user).len() >= k && takers[event.item as usize] as usize >= k
            });
            if self.events.len() == before {
                return self;
            }
        }
    }

    /// Keeps some events, and the users who still have any.
    fn retain(mut self, keep: impl Fn(&Event) -> bool) -> Self {
        self.events.retain(|event| keep(event));
        let mut numbers = vec![None; self.users.len()];
        let mut users = Vec::new();
        for event in &mut self.events {
            let number = numbers[event.user as usize].get_or_insert_with(|| {
                users.push(std::mem::take(&mut self.users[event.user as usize]));
                users.len() as u32 - 1
            });
            event.user = *number;
        }
        Interactions { users, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(user: &str, item: u32) -> Interaction {
        Interaction { weight: 1.0, ..Interaction::new(user, item) }
    }

    #[test]
    fn users_and_items_are_numbered_in_order_and_strangers_left_out() {
        let rows = [took("b", 30), took("a", 10), took("b", 10), took("a", 99), took("b", 30)];
        let interactions = Interactions::new(vec![30, 20, 10], rows);
        assert_eq!(interactions.users, ["a", "b"]);
        assert_eq!(interactions.items, [10, 20, 30]);
        let pairs: Vec<_> = interactions.history().pairs().collect();
        assert_eq!(pairs, [(0, 0), (1, 0), (1, 2)]);
        assert_eq!((interactions.user("b"), interactions.user("c")), (Some(1), None));
        assert_eq!((interactions.item(20), interactions.item(21)), (Some(1), None));
    }

    /// By hand: `c` has one item, and goes; item 2 then has one taker, and goes; with it `b` has one.
    #[test]
    fn a_core_is_cut_until_nothing_more_falls() {
        let rows = [("a", 0), ("a", 1), ("b", 0), ("b", 2), ("c", 2), ("d", 0), ("d", 1)];
        let rows = rows.map(|(user, item)| took(user, item));
        let core = Interactions::new(vec![0, 1, 2], rows).core(2);
        assert_eq!(core.users, ["a", "d"]);
        assert_eq!(core.items.len(), 3);
        assert_eq!(core.history().pairs().collect::<Vec<_>>(), [(0, 0), (0, 1), (1, 0), (1, 1)]);
    }

    #[test]
    fn what_was_disliked_is_left_out_and_what_was_not_rated_is_not() {
        let rated = |item, rating| Interaction { rating, ..took("a", item) };
        let rows = [rated(0, Some(2.0)), rated(1, Some(4.0)), rated(2, None)];
        let liked = Interactions::new(vec![0, 1, 2], rows).liked_at_least(3.0);
        assert_eq!(liked.history().of(0), [1, 2]);
    }
}
