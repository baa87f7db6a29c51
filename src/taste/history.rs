//! Who took what: a row of items a user, in numbers that run from 0 without gaps.

/// The items of each user, ascending and each once, as one list cut into rows.
///
/// Users and items are the *dense* numbers of an [`Interactions`](super::Interactions).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Where each user's row starts; one more than there are users.
    starts: Vec<usize>,
    items: Vec<u32>,
    /// How many items there are to take.
    inventory: usize,
}

impl History {
    /// Groups pairs of user and item; a pair that comes twice counts once.
    ///
    /// # Panics
    /// Where a pair names a user or an item beyond the given numbers of them.
    pub fn new(
        users: usize,
        inventory: usize,
        pairs: impl IntoIterator<Item = (u32, u32)>,
    ) -> Self {
        let mut pairs: Vec<(u32, u32)> = pairs.into_iter().collect();
        pairs.sort_unstable();
        pairs.dedup();
        let mut starts = vec![0; users + 1];
        for &(user, item) in &pairs {
            assert!((item as usize) < inventory, "an item beyond the inventory");
            starts[user as usize + 1] += 1;
        }
        for user in 0..users {
            starts[user + 1] += starts[user];
        }
        History { starts, items: pairs.into_iter().map(|(_, item)| item).collect(), inventory }
    }

    /// How many users there are, with items or without.
    pub fn users(&self) -> usize {
        self.starts.len() - 1
    }

    /// How many items there are, taken or not.
    pub fn inventory(&self) -> usize {
        self.inventory
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nobody took anything.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// What a user took, ascending.
    #[inline]
    pub fn of(&self, user: u32) -> &[u32] {
        &self.items[self.starts[user as usize]..self.starts[user as usize + 1]]
    }

    /// Whether a user took an item.
    #[inline]
    pub fn has(&self, user: u32, item: u32) -> bool {
        let row = self.of(user);
        // Most rows are short, and then looking is faster than halving.
        if row.len() <= 16 { row.contains(&item) } else { row.binary_search(&item).is_ok() }
    }

    /// All pairs, by user and then by item.
    pub fn pairs(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        (0..self.users() as u32)
            .flat_map(|user| self.of(user).iter().map(move |&item| (user, item)))
    }

    /// How many users took each item.
    pub fn counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.inventory];
        self.items.iter().for_each(|&item| counts[item as usize] += 1);
        counts
    }

    /// The items that somebody took, ascending.
    pub fn known(&self) -> Vec<u32> {
        let counts = self.counts();
        (0..self.inventory as u32).filter(|&item| counts[item as usize] > 0).collect()
    }

    /// Both histories in one.
    pub fn with(&self, other: &History) -> History {
        History::new(self.users(), self.inventory, self.pairs().chain(other.pairs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_grouped_sorted_and_counted_once() {
        let history = History::new(3, 5, [(2, 4), (0, 3), (2, 1), (0, 3)]);
        assert_eq!(history.of(0), [3]);
        assert_eq!(history.of(1), [0u32; 0]);
        assert_eq!(history.of(2), [1, 4]);
        assert_eq!((history.users(), history.inventory(), history.len()), (3, 5, 3));
        assert_eq!(history.counts(), [0, 1, 0, 1, 1]);
        assert_eq!(history.known(), [1, 3, 4]);
        assert!(history.has(2, 4) && !history.has(2, 3) && !history.has(1, 1));
        assert_eq!(history.pairs().collect::<Vec<_>>(), [(0, 3), (2, 1), (2, 4)]);
        let both = history.with(&History::new(3, 5, [(1, 0), (2, 4)]));
        assert_eq!(both.pairs().collect::<Vec<_>>(), [(0, 3), (1, 0), (2, 1), (2, 4)]);
    }

    #[test]
    fn a_long_row_is_searched_as_well() {
        let history = History::new(1, 100, (0..40).map(|n| (0, 2 * n)));
        assert!((0..100).all(|item| history.has(0, item) == (item < 80 && item % 2 == 0)));
    }
}
