//! What keeps a collection in shape without a catalogue: single items leave it, and what it has outgrown is
//! cleared away. Neither needs an encoder.

use std::collections::HashSet;

use super::Error;
use super::encoders::Known;
use super::indexer::Indexer;
use super::manifest::{Manifest, StoredItem};
use super::report::{Compaction, Removal};
use super::store::{ContentHash, Store};
use super::trust::Reading;
use super::writer::Writer;
use crate::encode::Modality;

impl Indexer<'_> {
    /// Removes the items with these keys and publishes that. Keys that no item has are handed back.
    ///
    /// From then on nobody finds the items. Their vectors stay in their files until these are merged.
    pub fn remove<K: AsRef<str>>(
        mut self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Removal, Error> {
        let writer = Writer::open(&self.path)?;
        let (store, old) = (&writer.store, writer.published()?);
        let mut commit = writer.begin(Reading::Unknown)?;
        let (mut unknown, mut removed) = (Vec::new(), HashSet::new());
        for key in keys {
            let key = key.as_ref();
            let id = store.id_of(key)?;
            let item = id.map(|id| store.item::<StoredItem>(id, old.generation)).transpose()?;
            match (id, item.flatten()) {
                (Some(id), Some((item, written))) => {
                    if removed.insert(id) {
                        commit.remove(id, written, &item)?;
                    }
                }
                _ => unknown.push(key.to_owned()),
            }
        }
        commit.keep_ledger()?;
        let encoders: Vec<Known> = Known::of(old).collect();
        let notes = old.notes.clone();
        let report = commit.publish(&writer.layout, &encoders, notes, &mut self.vectors)?;
        Ok(Removal { report, unknown })
    }

    /// Writes the vectors of each modality into one file, without the dead; forgets embeddings that no item
    /// refers to; has the database clear its own files. Vectors that were damaged are made anew. Nothing is
    /// embedded, and what is found stays the same.
    pub fn compact(mut self) -> Result<Compaction, Error> {
        let writer = Writer::open(&self.path)?;
        let (store, layout, old) = (&writer.store, &writer.layout, writer.published()?);
        let (bytes_before, segments_before) = (layout.size()?, old.segments.len());
        let mut commit = writer.begin(Reading::Everything)?;
        Modality::ALL.into_iter().for_each(|modality| commit.merge(modality));
        commit.keep_ledger()?;
        let encoders: Vec<Known> = Known::of(old).collect();
        let report = commit.publish(layout, &encoders, old.notes.clone(), &mut self.vectors)?;
        let forgotten = forget_unused(store, &encoders, report.generation)?;
        store.compact()?;
        let segments = store.current::<Manifest>()?.map_or(0, |now| now.segments.len());
        Ok(Compaction {
            generation: report.generation,
            segments_before,
            segments,
            forgotten,
            bytes_before,
            bytes: layout.size()?,
        })
    }
}

/// Removes embeddings that the items of this generation do not refer to, and everything that other
/// encoders made. What the present ones refused is kept: it may be in the next catalogue again.
fn forget_unused(store: &Store, encoders: &[Known], generation: u32) -> Result<u64, Error> {
    // The beginning of a hash is enough to tell: at worst an embedding too many stays.
    let mut used: Vec<HashSet<u64>> = vec![HashSet::new(); encoders.len()];
    for row in store.items::<StoredItem>(generation)? {
        let (_, _, stored) = row?;
        for (known, used) in encoders.iter().zip(&mut used) {
            used.extend(stored.content(known.entry.modality).map(|hash| beginning(&hash)));
        }
    }
    let place = |fingerprint: &[u8; 32]| {
        encoders.iter().position(|known| known.fingerprint.as_bytes() == fingerprint)
    };
    store.retain_cached(|fingerprint, content, is_refusal| {
        place(fingerprint).is_some_and(|at| is_refusal || used[at].contains(&beginning(content)))
    })
}

fn beginning(hash: &ContentHash) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}
