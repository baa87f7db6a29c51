//! Which rows a walk has met. Forgetting costs as much as remembering did, not as much as there are rows.

/// A set of rows.
#[derive(Debug, Default)]
pub(super) struct Seen {
    bits: Vec<u64>,
    rows: Vec<u32>,
}

impl Seen {
    /// Forgets all, and makes room for rows below `rows`.
    pub(super) fn clear(&mut self, rows: usize) {
        for row in self.rows.drain(..) {
            self.bits[row as usize / 64] = 0;
        }
        let words = rows.div_ceil(64);
        if self.bits.len() < words {
            self.bits.resize(words, 0);
        }
    }

    /// Remembers a row; says whether it is new.
    #[inline]
    pub(super) fn insert(&mut self, row: u32) -> bool {
        let (word, bit) = (&mut self.bits[row as usize / 64], 1 << (row % 64));
        let new = *word & bit == 0;
        if new {
            *word |= bit;
            self.rows.push(row);
        }
        new
    }
}
