//! From catalogue entries to numbered work: gives every key its id and finds keys that come twice.

use std::collections::HashSet;

use super::Error;
use super::manifest::StoredItem;
use super::store::Store;
use super::work::{Step, Work};
use crate::catalogue::{self, Entry, Item, Rejection};

/// What a run has seen of the catalogue so far.
pub(super) struct Intake<'a> {
    store: &'a Store,
    /// The published generation, which the run builds upon; 0 where there is none.
    base: u32,
    /// By id, the row on which the key first stood; 0 where it has not been seen.
    first_rows: Vec<u32>,
    /// Items whose row was refused: they are in the catalogue all the same.
    spared: HashSet<u32>,
}

impl<'a> Intake<'a> {
    pub(super) fn new(store: &'a Store, base: u32) -> Self {
        Intake { store, base, first_rows: Vec::new(), spared: HashSet::new() }
    }

    /// The work that an entry makes.
    pub(super) fn step(&mut self, entry: Result<Entry, catalogue::Error>) -> Result<Step, Error> {
        match entry? {
            Entry::Item(item, rejection) => self.work(item, rejection),
            Entry::Rejected(rejection) => {
                if let Some(key) = &rejection.key {
                    self.spared.extend(self.store.id_of(key)?);
                }
                Ok(Step::Rejected(rejection))
            }
        }
    }

    fn work(&mut self, item: Item, rejection: Option<Rejection>) -> Result<Step, Error> {
        let id = self.store.id_for(&item.key)?;
        let slot = id as usize;
        if self.first_rows.len() <= slot {
            self.first_rows.resize(slot + 1, 0);
        }
        if self.first_rows[slot] != 0 {
            let reason = format!(
                "the key \"{}\" stood on row {} already; every item needs a key of its own",
                item.key, self.first_rows[slot]
            );
            let (row, key) = (item.row, Some(item.key));
            return Ok(Step::Rejected(Rejection { row, key, reason, kept: false }));
        }
        self.first_rows[slot] = u32::try_from(item.row).unwrap_or(u32::MAX).max(1);
        let old = self.store.item(id, self.base)?;
        Ok(Step::Item(Box::new(Work { id, item, rejection, old })))
    }

    /// Whether the catalogue has mentioned the item.
    pub(super) fn has_seen(&self, id: u32) -> bool {
        self.first_rows.get(id as usize).is_some_and(|&row| row != 0) || self.spared.contains(&id)
    }

    /// The items of the collection that the catalogue has not mentioned, with the generation that wrote
    /// each.
    pub(super) fn unseen(
        &self,
    ) -> Result<impl Iterator<Item = Result<(u32, u32, StoredItem), Error>>, Error> {
        let all = self.store.items(self.base)?;
        Ok(all.filter(|row| !row.as_ref().is_ok_and(|&(id, _, _)| self.has_seen(id))))
    }

    /// The same as work to be done over, for a network that has not seen them.
    pub(super) fn carried_over(&self) -> Result<impl Iterator<Item = Result<Step, Error>>, Error> {
        Ok(self.unseen()?.map(|row| {
            let (id, written, stored) = row?;
            let old = Some((stored.clone(), written));
            Ok(Step::Item(Box::new(Work { id, item: stored.into_item(), rejection: None, old })))
        }))
    }
}
