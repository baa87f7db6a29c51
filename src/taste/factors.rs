//! What every model of the BPR family comes down to: `x_ui = p_u . q_i`.
//!
//! Biases are folded in: the user's side of an item bias is 1. The components are cut into named blocks,
//! so that a score can say how much of it came from what.

use std::ops::Range;

use super::ranker::Ranker;
use crate::encode::kernels::{Isa, Panels, Rows, multiply};

/// Components that mean one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What it is called in a receipt.
    pub name: String,
    /// Which components.
    pub range: Range<usize>,
}

/// A vector a user and a vector an item, by dense number.
#[derive(Debug, Clone, PartialEq)]
pub struct Factors {
    blocks: Vec<Block>,
    width: usize,
    users: Vec<f32>,
    items: Vec<f32>,
}

/// One block of a model: its name, its width, and both sides of it. An empty side stands for ones.
pub struct Part<'a> {
    /// What it is called in a receipt.
    pub name: &'a str,
    /// How many components.
    pub width: usize,
    /// The users' side.
    pub users: &'a [f32],
    /// The items' side.
    pub items: &'a [f32],
}

impl Factors {
    /// Puts the blocks of a model side by side. Blocks of no width are left out.
    ///
    /// # Panics
    /// Where a side has another length than its block asks for.
    pub fn new(users: usize, items: usize, parts: &[Part<'_>]) -> Self {
        let mut blocks = Vec::new();
        let mut width = 0;
        for part in parts.iter().filter(|part| part.width > 0) {
            blocks.push(Block { name: part.name.to_owned(), range: width..width + part.width });
            width += part.width;
        }
        let side = |count: usize, of: fn(&Part<'_>) -> usize, side: fn(&Part<'_>, usize) -> f32| {
            let mut values = Vec::with_capacity(count * width);
            for part in parts {
                let length = of(part);
                assert!(length == 0 || length == count * part.width, "a side of another length");
            }
            for row in 0..count {
                for part in parts {
                    values.extend(
                        (row * part.width..(row + 1) * part.width).map(|at| side(part, at)),
                    );
                }
            }
            values
        };
        let users = side(users, |p| p.users.len(), |p, at| p.users.get(at).copied().unwrap_or(1.0));
        let items = side(items, |p| p.items.len(), |p, at| p.items.get(at).copied().unwrap_or(1.0));
        Factors { blocks, width, users, items }
    }

    /// Both sides as they were stored.
    pub(super) fn from_parts(
        blocks: Vec<Block>,
        width: usize,
        users: Vec<f32>,
        items: Vec<f32>,
    ) -> Self {
        Factors { blocks, width, users, items }
    }

    /// The named blocks, in order.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// How many components a vector has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// A user's vector.
    pub fn user(&self, user: u32) -> &[f32] {
        &self.users[user as usize * self.width..][..self.width]
    }

    /// An item's vector.
    pub fn item(&self, item: u32) -> &[f32] {
        &self.items[item as usize * self.width..][..self.width]
    }

    /// All users' vectors.
    pub fn users(&self) -> &[f32] {
        &self.users
    }

    /// All items' vectors.
    pub fn items(&self) -> &[f32] {
        &self.items
    }

    /// Readies the items for scoring many users.
    pub fn ranker(&self) -> FactorRanker<'_> {
        let count = self.items.len() / self.width.max(1);
        let mut panels = Panels::default();
        panels.set_transposed(Rows::new(&self.items, self.width, count, self.width));
        FactorRanker { factors: self, panels }
    }
}

/// [`Factors`] whose items are laid out for the product kernel.
pub struct FactorRanker<'a> {
    factors: &'a Factors,
    panels: Panels,
}

impl Ranker for FactorRanker<'_> {
    fn score(&self, users: &[u32], scores: &mut [f32]) {
        let width = self.factors.width;
        let rows: Vec<f32> =
            users.iter().flat_map(|&user| self.factors.user(user)).copied().collect();
        let rows = Rows::new(&rows, width, users.len(), width);
        multiply(Isa::best(), rows, &self.panels, scores, self.panels.outputs());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_stand_side_by_side_and_an_empty_side_is_ones() {
        let parts = [
            Part { name: "bias", width: 1, users: &[], items: &[0.5, -1.0, 2.0] },
            Part { name: "none", width: 0, users: &[], items: &[] },
            Part { name: "taste", width: 2, users: &[1.0, 2.0, 3.0, 4.0], items: &[1.0; 6] },
        ];
        let factors = Factors::new(2, 3, &parts);
        assert_eq!(factors.user(1), [1.0, 3.0, 4.0]);
        assert_eq!(factors.item(1), [-1.0, 1.0, 1.0]);
        let names: Vec<_> =
            factors.blocks().iter().map(|b| (b.name.as_str(), b.range.clone())).collect();
        assert_eq!(names, [("bias", 0..1), ("taste", 1..3)]);
        let mut scores = [0.0; 6];
        factors.ranker().score(&[1, 0], &mut scores);
        assert_eq!(scores, [7.5, 6.0, 9.0, 3.5, 2.0, 5.0]);
    }
}
