//! From changed items to the postings of their blocks, and to what all of it says of the fields.

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::block::{Block, IDS, NOT_AS_WRITTEN, tally};
use crate::collection::Error;
use crate::collection::fields::{Declared, FieldEntry, Tally, texts};
use crate::collection::store::{Place, Store};

/// The blocks in which a run has changed an item.
#[derive(Debug, Default, Clone)]
pub(in crate::collection) struct Blocks(BTreeSet<u32>);

/// What the writing of postings has led to.
pub(in crate::collection) struct Written {
    /// What is known of the fields now.
    pub(in crate::collection) fields: Vec<FieldEntry>,
    /// Rows that nobody can see once the generation is published.
    pub(in crate::collection) superseded: Vec<Place>,
}

/// Of an item's record, what postings are made of.
#[derive(Deserialize)]
struct Fields {
    fields: Map<String, Value>,
}

impl Blocks {
    /// Marks an item that is new, differs or is gone.
    pub(in crate::collection) fn mark(&mut self, id: u32) {
        self.0.insert(id / IDS);
    }

    /// Marks all items that a generation sees.
    pub(in crate::collection) fn mark_all(
        &mut self,
        store: &Store,
        generation: u32,
    ) -> Result<(), Error> {
        for row in store.items::<IgnoredAny>(generation)? {
            self.mark(row?.0);
        }
        Ok(())
    }

    /// Writes the postings of the marked blocks for `generation`, from its items. `fields` is what the
    /// published generation `base` knows, and `declared` what was told of fields.
    pub(in crate::collection) fn write(
        &self,
        store: &Store,
        (base, generation): (u32, u32),
        fields: Vec<FieldEntry>,
        declared: &Declared,
    ) -> Result<Written, Error> {
        let mut writing = Writing {
            store,
            base,
            generation,
            written: Written { fields, superseded: Vec::new() },
        };
        self.0.iter().try_for_each(|&block| writing.write(block))?;
        let mut written = writing.written;
        written.fields.retain(|field| field.items() > 0);
        declared.settle(&mut written.fields)?;
        Ok(written)
    }
}

/// What the items of a block have.
pub(super) struct Now {
    /// The items themselves.
    pub(super) items: Block,
    /// By field, in the order in which the items first name them.
    fields: Vec<(String, Block)>,
}

impl Now {
    pub(super) fn read(store: &Store, block: u32, generation: u32) -> Result<Self, Error> {
        let first = block * IDS;
        let mut now = Now { items: Block::default(), fields: Vec::new() };
        let mut known: HashMap<String, usize> = HashMap::new();
        for row in store.items_of::<Fields>(first..first.saturating_add(IDS), generation)? {
            let (id, _, item) = row?;
            let place = (id - first) as u16;
            now.items.add("", place);
            for (name, value) in item.fields {
                let field = known.get(&name).copied().unwrap_or(now.fields.len());
                if field == now.fields.len() {
                    known.insert(name.clone(), field);
                    now.fields.push((name, Block::default()));
                }
                texts(&value, &mut |text| now.fields[field].1.add(text, place));
            }
        }
        Ok(now)
    }

    /// What they have of one field.
    pub(super) fn take(&mut self, name: &str) -> Block {
        let found = self.fields.iter_mut().find(|(field, _)| field == name);
        found.map(|(_, block)| std::mem::take(block)).unwrap_or_default()
    }

    /// Whether nothing is left that was not taken.
    pub(super) fn is_spent(&self) -> bool {
        self.fields.iter().all(|(_, block)| *block == Block::default())
    }
}

struct Writing<'a> {
    store: &'a Store,
    base: u32,
    generation: u32,
    written: Written,
}

impl Writing<'_> {
    /// Writes what a block has of each field now, where that is not what it had.
    fn write(&mut self, block: u32) -> Result<(), Error> {
        let mut now = Now::read(self.store, block, self.generation)?;
        self.replace(None, block, &now.items.to_bytes())?;
        for (name, _) in &now.fields {
            if self.written.fields.iter().all(|field| field.name != *name) {
                self.written.fields.push(FieldEntry::new(name));
            }
        }
        for place in 0..self.written.fields.len() {
            let name = self.written.fields[place].name.clone();
            let bytes = now.take(&name).to_bytes();
            if let Some((old, new)) = self.replace(Some(name), block, &bytes)? {
                let field = &mut self.written.fields[place];
                field.tally = field.tally.minus(old).plus(new);
            }
        }
        Ok(())
    }

    /// Writes a row where it differs from the published one; then returns what both say of the field.
    fn replace(
        &mut self,
        field: Option<String>,
        block: u32,
        bytes: &[u8],
    ) -> Result<Option<(Tally, Tally)>, Error> {
        let old = self.store.postings_of_block(field.as_deref(), block, self.base)?;
        let (old, written) = old.map_or((None, None), |(old, written)| (Some(old), Some(written)));
        let old = old.as_deref().unwrap_or_default();
        if old == bytes {
            return Ok(None);
        }
        let damaged = || self.store.damaged(NOT_AS_WRITTEN);
        let tallies = (tally(old).ok_or_else(damaged)?, tally(bytes).ok_or_else(damaged)?);
        let place = (field, block, self.generation);
        self.store.put_postings(&place, bytes)?;
        let (field, ..) = &place;
        let superseded = written.map(|written| (field.clone(), block, written));
        self.written.superseded.extend(superseded);
        if bytes.is_empty() {
            self.written.superseded.push(place);
        }
        Ok(Some(tallies))
    }
}
