//! The words of a collection's texts, kept in step with its items: whatever publishes the ones publishes
//! the others.

use std::path::PathBuf;

use super::layout::Layout;
use super::manifest::{Manifest, StoredItem};
use super::store::Store;
use super::{Collection, Error};
use crate::words::{self, Matches, Spelling, WordsEntry, WordsIndex, WordsWriter};

/// What a run changes in the words.
#[derive(Default)]
pub(super) struct Rewording {
    /// Whether all of them are written anew.
    anew: bool,
    /// Items whose text is not what it was.
    changed: Vec<u32>,
}

impl Rewording {
    /// Nothing yet; or everything, where the published words are missing or not as they were written.
    pub(super) fn of(layout: &Layout, old: Option<&Manifest>) -> Self {
        let entry = old.and_then(|manifest| manifest.words.as_ref());
        let sound = |entry| WordsIndex::open(&layout.words(), entry)?.verify();
        Rewording { anew: entry.is_none_or(|entry| sound(entry).is_err()), changed: Vec::new() }
    }

    /// Whether what is published will do.
    pub(super) fn is_empty(&self) -> bool {
        !self.anew && self.changed.is_empty()
    }

    /// Takes note of an item's text, as it was and as it is; empty where there is none.
    pub(super) fn note(&mut self, id: u32, old: &str, new: &str) {
        if !self.anew && old != new {
            self.changed.push(id);
        }
    }

    /// Writes the words as `generation` has them, beside those that are published.
    pub(super) fn write(
        &self,
        store: &Store,
        layout: &Layout,
        generation: u32,
        old: Option<&WordsEntry>,
    ) -> Result<WordsEntry, Error> {
        let failed = |source| failed(layout.words(), source);
        let old = old.filter(|_| !self.anew);
        if let Some(old) = old.filter(|_| self.changed.is_empty()) {
            return Ok(old.clone());
        }
        let mut writer = WordsWriter::open(&layout.words(), old).map_err(failed)?;
        if old.is_some() {
            self.changed.iter().for_each(|&id| writer.remove(id));
        }
        let mut put = |id, item: StoredItem| match item.text.is_empty() {
            true => Ok(()),
            false => writer.put(id, &item.text).map_err(failed),
        };
        if self.anew {
            for row in store.items::<StoredItem>(generation)? {
                let (id, _, item) = row?;
                put(id, item)?;
            }
        } else {
            for &id in &self.changed {
                if let Some((item, _)) = store.item::<StoredItem>(id, generation)? {
                    put(id, item)?;
                }
            }
        }
        writer.finish().map_err(failed)
    }
}

/// The words that a generation published, if it had any.
pub(super) fn open_words(
    layout: &Layout,
    manifest: &Manifest,
) -> Result<Option<WordsIndex>, Error> {
    let Some(entry) = &manifest.words else { return Ok(None) };
    WordsIndex::open(&layout.words(), entry).map(Some).map_err(|e| failed(layout.words(), e))
}

fn failed(path: PathBuf, source: words::Error) -> Error {
    Error::Words { path, source }
}

impl Collection {
    /// Every item that has one of these words, and how well it matches.
    pub(crate) fn matches(&self, words: &str, spelling: Spelling) -> Result<Matches, Error> {
        let index = self.words.as_ref();
        let index = index.ok_or_else(|| Error::NoWords { path: self.path().to_owned() })?;
        index.matches(words, spelling).map_err(|source| failed(self.layout.words(), source))
    }

    /// Reads all words, and says how many items have any; `ids` are those that there are.
    pub(super) fn verify_words(&self, words: &WordsIndex, ids: &[u32]) -> Result<u64, Error> {
        let failed = |source| failed(self.layout.words(), source);
        words.verify().map_err(failed)?;
        let found = words.ids().map_err(failed)?;
        match found.iter().find(|id| ids.binary_search(id).is_err()) {
            Some(id) => Err(self.store.damaged(format!("item {id} has words and does not exist"))),
            None => Ok(found.len() as u64),
        }
    }
}
