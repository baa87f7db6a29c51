//! Proves that a walk from the entry can reach every row, and ties on those that it cannot.
//!
//! A breadth-first walk marks what it reaches, and by which link it reached it first. Those links are a
//! tree; while none of them is cut, nothing that was reached is lost. So an unreached row is tied to one of
//! its reached neighbours by a free place or in the place of a link that is not of the tree.

use std::collections::VecDeque;

use super::DEGREE;
use super::bytes::Bytes;
use super::insert::Desk;
use super::links::Links;

/// Rows near an unreached one that are asked for a place before all others are.
const BREADTH: usize = 64;

/// No row.
const NONE: u32 = u32::MAX;

/// Ties on all that is unreached; says how many rows had to be tied. (What hangs on them comes along.)
pub(super) fn tie_on_the_unreached(bytes: &Bytes, entry: u32, links: &mut Links) -> usize {
    let mut tree = Tree { parents: vec![NONE; links.rows()] };
    tree.reach(entry, entry, links);
    let mut desk = Desk::new(bytes);
    let mut tied = 0;
    for row in 0..links.rows() as u32 {
        if tree.reached(row) {
            continue;
        }
        // A walk only ever finds reached rows.
        desk.search(links, entry, row, BREADTH);
        let near = desk.pool.iter().map(|near| near.row);
        let tie = near.chain(0..links.rows() as u32).find(|&to| tree.tie(to, row, links));
        if let Some(parent) = tie {
            tree.reach(row, parent, links);
            tied += 1;
        }
    }
    tied
}

/// By which row each row was reached first; the entry by itself.
struct Tree {
    parents: Vec<u32>,
}

impl Tree {
    fn reached(&self, row: u32) -> bool {
        self.parents[row as usize] != NONE
    }

    /// Marks all that can be reached from here.
    fn reach(&mut self, from: u32, parent: u32, links: &Links) {
        self.parents[from as usize] = parent;
        let mut open = VecDeque::from([from]);
        while let Some(row) = open.pop_front() {
            for &next in links.of(row) {
                if !self.reached(next) {
                    self.parents[next as usize] = row;
                    open.push_back(next);
                }
            }
        }
    }

    /// Links a reached row with one that is not, if it has a place for it. The last link is the first to go.
    fn tie(&self, row: u32, to: u32, links: &mut Links) -> bool {
        if !self.reached(row) {
            return false;
        }
        let mut list = links.of(row).to_vec();
        if list.len() < DEGREE {
            list.push(to);
        } else if let Some(place) =
            list.iter_mut().rev().find(|link| self.parents[**link as usize] != row)
        {
            *place = to;
        } else {
            return false;
        }
        links.set(row, &list);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{Rows, Vectors};

    #[test]
    fn every_row_is_reached_and_none_is_lost() {
        // Rows that know only the next one in rings of 50: no ring knows another.
        let rows = 400u32;
        let turn = |row: u32| {
            let angle = f64::from(row) / f64::from(rows) * std::f64::consts::TAU;
            [(angle.cos() as f32).to_le_bytes(), (angle.sin() as f32).to_le_bytes()]
        };
        let components: Vec<[u8; 4]> = (0..rows).flat_map(turn).collect();
        let ids: Vec<[u8; 4]> = (0..rows).map(u32::to_le_bytes).collect();
        let vectors = Vectors { ids: &ids, dimension: 2, rows: Rows::F32(&components) };
        let bytes = Bytes::of(&vectors);
        for full in [false, true] {
            let mut links = Links::new(rows as usize, DEGREE);
            for row in 0..rows {
                let ring = row / 50 * 50;
                let count = if full { DEGREE as u32 } else { 1 };
                let list: Vec<u32> = (1..=count).map(|i| ring + (row + i) % 50).collect();
                links.set(row, &list);
            }
            let tied = tie_on_the_unreached(&bytes, 120, &mut links);
            assert_eq!(tied, 7, "one row of each other ring");
            let mut tree = Tree { parents: vec![NONE; rows as usize] };
            tree.reach(120, 120, &links);
            assert!((0..rows).all(|row| tree.reached(row)));
            assert_eq!(tie_on_the_unreached(&bytes, 120, &mut links), 0);
        }
    }
}
