//! What every model of the BPR family comes down to: `x_ui = p_u . q_i`.
//!
//! Biases are folded in: the user's side of an item bias is 1. The components are cut into named blocks,
//! so that a score can say how much of it came from what.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::history::History;
use super::ranker::Ranker;
use crate::encode::kernels::{Isa, Panels, Rows, multiply};

/// Components that mean one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// What it is called in a receipt.
    pub name: String,
    /// Which components.
    pub range: Range<usize>,
    /// Whether the users' side is ones: what every user thinks of an item.
    pub common: bool,
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
            let range = width..width + part.width;
            let common = part.users.is_empty();
            blocks.push(Block { name: part.name.to_owned(), range, common });
            width += part.width;
        }
        let side = |count: usize, of: fn(&Part<'_>) -> usize, side: fn(&Part<'_>, usize) -> f32| {
            let mut values = Vec::with_capacity(count * width);
            for part in parts {
                let length = of(part);
                assert!(
                    part.width == 0 || length == 0 || length == count * part.width,
                    "a side of another length"
                );
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

    /// The same as they were; `None` where the sides are no whole vectors.
    pub(super) fn restored(blocks: Vec<Block>, users: Vec<f32>, items: Vec<f32>) -> Option<Self> {
        let mut width = 0;
        for block in &blocks {
            if block.range.start != width || block.range.end <= width {
                return None;
            }
            width = block.range.end;
        }
        let whole = |side: &[f32]| width > 0 && side.len().is_multiple_of(width);
        (whole(&users) && whole(&items)).then_some(Factors { blocks, width, users, items })
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

    /// By block, what users' vectors are to the mean of their items': the factor that fits best. It makes a
    /// taste of any set of items, as if they were a user's (see [`fold`]).
    pub fn folding(&self, history: &History) -> Vec<f32> {
        let factor = |block: &Block| {
            if block.common {
                return 1.0;
            }
            let (mut along, mut squares) = (0.0f64, 0.0f64);
            for user in 0..history.users() as u32 {
                let items =
                    history.of(user).iter().map(|&item| &self.item(item)[block.range.clone()]);
                let mean = mean(items, block.range.len());
                for (p, m) in self.user(user)[block.range.clone()].iter().zip(mean) {
                    along += f64::from(p * m);
                    squares += f64::from(m * m);
                }
            }
            if squares > 0.0 { (along / squares) as f32 } else { 0.0 }
        };
        self.blocks.iter().map(factor).collect()
    }

    /// Readies the items for scoring many users.
    pub fn ranker(&self) -> FactorRanker<'_> {
        let count = self.items.len() / self.width.max(1);
        let mut panels = Panels::default();
        panels.set_transposed(Rows::new(&self.items, self.width, count, self.width));
        FactorRanker { factors: self, panels }
    }
}

/// The mean of vectors of this length; zeros where there are none.
fn mean<'a>(vectors: impl Iterator<Item = &'a [f32]>, length: usize) -> Vec<f32> {
    let mut sum = vec![0.0; length];
    let mut count = 0.0f32;
    for vector in vectors {
        count += 1.0;
        sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
    }
    sum.iter_mut().for_each(|sum| *sum /= count.max(1.0));
    sum
}

/// The user vector of somebody who likes these items: their mean, each block times what users' vectors
/// were found to be to such means; ones where the block is common to all users.
pub fn fold(blocks: &[Block], folding: &[f32], liked: &[Vec<f32>]) -> Vec<f32> {
    let width = blocks.iter().map(|block| block.range.end).max().unwrap_or(0);
    let mut vector = vec![0.0; width];
    for (block, factor) in blocks.iter().zip(folding) {
        let part = &mut vector[block.range.clone()];
        if block.common {
            part.fill(1.0);
            continue;
        }
        let items = liked.iter().map(|item| &item[block.range.clone()]);
        let mean = mean(items, part.len());
        part.iter_mut().zip(mean).for_each(|(p, m)| *p = factor * m);
    }
    vector
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

    /// By hand: user 0 is twice, user 1 four times the mean of their items; the best factor is
    /// (2 * 1 + 4 * 4) / (1 + 4) = 3.6.
    #[test]
    fn a_set_of_items_folds_in_as_users_stand_to_theirs() {
        let parts = [
            Part { name: "bias", width: 1, users: &[], items: &[5.0, 6.0, 7.0] },
            Part { name: "taste", width: 1, users: &[2.0, 8.0], items: &[1.0, 3.0, 1.0] },
        ];
        let factors = Factors::new(2, 3, &parts);
        let history = History::new(2, 3, [(0, 0), (1, 1), (1, 2)]);
        let folding = factors.folding(&history);
        assert_eq!(folding, [1.0, 3.6]);
        let liked = [factors.item(0).to_vec(), factors.item(1).to_vec()];
        assert_eq!(fold(factors.blocks(), &folding, &liked), [1.0, 7.2]);
        assert_eq!(fold(factors.blocks(), &folding, &[]), [1.0, 0.0]);
    }

    #[test]
    fn blocks_stand_side_by_side_and_an_empty_side_is_ones() {
        let parts = [
            Part { name: "bias", width: 1, users: &[], items: &[0.5, -1.0, 2.0] },
            Part { name: "none", width: 0, users: &[], items: &[9.0; 3] },
            Part { name: "taste", width: 2, users: &[1.0, 2.0, 3.0, 4.0], items: &[1.0; 6] },
        ];
        let factors = Factors::new(2, 3, &parts);
        assert_eq!(factors.user(1), [1.0, 3.0, 4.0]);
        assert_eq!(factors.item(1), [-1.0, 1.0, 1.0]);
        let names: Vec<_> =
            factors.blocks().iter().map(|b| (b.name.as_str(), b.range.clone(), b.common)).collect();
        assert_eq!(names, [("bias", 0..1, true), ("taste", 1..3, false)]);
        let mut scores = [0.0; 6];
        factors.ranker().score(&[1, 0], &mut scores);
        assert_eq!(scores, [7.5, 6.0, 9.0, 3.5, 2.0, 5.0]);
    }
}
