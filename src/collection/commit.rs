//! What a run changes, written as it goes and published at its end.

use lookalike_index::{GraphOptions, Precision};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::Error;
use super::encoders::Known;
use super::fields::Declared;
use super::layout::Layout;
use super::manifest::{Manifest, SegmentEntry, StoredItem};
use super::postings::Blocks;
use super::report::{Progress, Report};
use super::revision::{Changes, Rest, Revision};
use super::store::Store;
use super::words::Rewording;
use super::work::{Embedded, Outcome};
use crate::catalogue::Rejection;
use crate::encode::Modality;
use crate::hex;

/// How files of vectors are written, and who hears of it.
pub(super) struct VectorOptions<'a> {
    /// As before where it is not said.
    pub(super) precision: Option<Precision>,
    pub(super) graph: GraphOptions,
    pub(super) progress: Box<dyn FnMut(&Progress) + Send + 'a>,
}

/// The generation that a run is writing.
pub(super) struct Commit<'a> {
    store: &'a Store,
    old: Option<Manifest>,
    generation: u32,
    report: Report,
    vectors: [(Modality, Changes); 2],
    rewording: Rewording,
    /// Rows that nobody can see once the generation is published.
    superseded: Vec<(u32, u32)>,
    /// Where postings have to be written.
    blocks: Blocks,
    declared: Declared,
    ledger: Sha256,
}

impl<'a> Commit<'a> {
    /// Begins the generation after `old`; `rewording` says whether all words are written anew.
    pub(super) fn begin(
        store: &'a Store,
        old: Option<Manifest>,
        rewording: Rewording,
    ) -> Result<Self, Error> {
        let base = old.as_ref().map_or(0, |manifest| manifest.generation);
        let mut blocks = Blocks::default();
        if old.as_ref().is_some_and(|old| old.fields.is_none()) {
            blocks.mark_all(store, base)?;
        }
        let generation =
            base.checked_add(1).ok_or_else(|| store.damaged("its generations have run out"))?;
        store.begin(generation)?;
        Ok(Commit {
            store,
            generation,
            report: Report {
                items: old.as_ref().map_or(0, |manifest| manifest.items),
                ..Report::default()
            },
            old,
            vectors: Modality::ALL.map(|modality| (modality, Changes::default())),
            rewording,
            superseded: Vec::new(),
            blocks,
            declared: Declared::default(),
            ledger: Sha256::new(),
        })
    }

    /// Says how some fields are to be read from now on.
    pub(super) fn declare(&mut self, declared: Declared) {
        self.declared = declared;
    }

    /// Says what is to become of the vectors of a modality that do not change.
    pub(super) fn rest(&mut self, modality: Modality, rest: Rest) {
        let changes = self.vectors.iter_mut().filter(|(other, _)| *other == modality);
        changes.for_each(|(_, changes)| changes.rest = rest);
    }

    /// Puts a modality's vectors together into one file, unless all of them are made anew.
    pub(super) fn merge(&mut self, modality: Modality) {
        let changes = self.vectors.iter_mut().filter(|(other, _)| *other == modality);
        changes
            .filter(|(_, changes)| changes.rest == Rest::Kept)
            .for_each(|(_, changes)| changes.rest = Rest::Merged);
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.report.progress
    }

    /// Writes what became of a row.
    pub(super) fn take(&mut self, outcome: Outcome) -> Result<(), Error> {
        self.report.progress.rows += 1;
        match outcome {
            Outcome::Rejected(rejection) => self.reject(&rejection),
            Outcome::Item(embedded) => self.put(*embedded),
        }
    }

    fn reject(&mut self, rejection: &Rejection) -> Result<(), Error> {
        let position = u32::try_from(self.report.progress.rejected).unwrap_or(u32::MAX);
        let entry = self.store.put_ledger(self.generation, position, rejection)?;
        self.ledger.update(&entry);
        self.report.progress.rejected += 1;
        Ok(())
    }

    fn put(&mut self, embedded: Embedded) -> Result<(), Error> {
        let Embedded { id, stored, old, rejection, now } = embedded;
        self.report.progress.rows_embedded += u64::from(now.picture || now.text);
        self.report.progress.pictures_embedded += u64::from(now.picture);
        self.report.progress.texts_embedded += u64::from(now.text);
        if let Some(rejection) = rejection {
            self.reject(&rejection)?;
        }
        if old.as_ref().is_none_or(|(old, _)| old.fields != stored.fields) {
            self.blocks.mark(id);
        }
        match &old {
            Some((old, _)) if *old == stored => return Ok(()),
            Some((old, written)) => {
                self.superseded.push((id, *written));
                self.report.updated += u64::from(!old.same_item(&stored));
            }
            None => {
                self.report.added += 1;
                self.report.items += 1;
            }
        }
        let old_text = old.as_ref().map_or("", |(old, _)| &old.text);
        self.rewording.note(id, old_text, &stored.text);
        for (modality, changes) in &mut self.vectors {
            if !stored.same_vector(old.as_ref().map(|(old, _)| old), *modality) {
                changes.note(id, Some(&stored), *modality);
            }
        }
        self.store.put_item(id, self.generation, Some(&stored))
    }

    /// Removes an item, which the generation `written` wrote.
    pub(super) fn remove(&mut self, id: u32, written: u32, item: &StoredItem) -> Result<(), Error> {
        self.rewording.note(id, &item.text, "");
        self.store.put_item::<StoredItem>(id, self.generation, None)?;
        self.superseded.extend([(id, written), (id, self.generation)]);
        self.blocks.mark(id);
        self.vectors.iter_mut().for_each(|(modality, changes)| changes.note(id, None, *modality));
        self.report.removed += 1;
        self.report.items -= 1;
        Ok(())
    }

    /// Takes over what the published ledger says, for a run that reads no catalogue.
    pub(super) fn keep_ledger(&mut self) -> Result<(), Error> {
        let published = self.old.as_ref().map_or(0, |old| old.generation);
        let store = self.store;
        store.ledger(published)?.try_for_each(|entry| self.reject(&entry?))
    }

    /// Writes the vectors that differ and makes the generation the current one; or gives it up, where
    /// nothing differs.
    pub(super) fn publish(
        mut self,
        layout: &Layout,
        encoders: &[Known],
        notes: Map<String, Value>,
        options: &mut VectorOptions,
    ) -> Result<Report, Error> {
        let ledger_digest = hex::encode(self.ledger.finalize_reset());
        if let Some(old) = &self.old {
            let same = self.vectors.iter().all(|(modality, c)| c.none(&self.published(*modality)))
                && self.rewording.is_empty()
                && self.report.added == 0
                && self.superseded.is_empty()
                && old.ledger_digest == ledger_digest
                && old.notes == notes
                && self.declared.hold_in(old.fields.as_deref());
            if same {
                self.report.generation = old.generation;
                self.store.abandon(self.generation)?;
                return Ok(self.report);
            }
        }
        let (mut segments, mut idle) = (Vec::new(), Vec::new());
        for (modality, changes) in &self.vectors {
            let Some(known) = encoders.iter().find(|known| known.entry.modality == *modality)
            else {
                continue;
            };
            let revision = Revision {
                store: self.store,
                layout,
                generation: self.generation,
                encoder: known.clone(),
                progress: self.report.progress,
                options,
            };
            let written = revision.write(&self.published(*modality), changes)?;
            idle.extend(written.is_empty().then(|| known.entry.clone()));
            segments.extend(written);
        }
        let base = self.old.as_ref().map_or(0, |old| old.generation);
        let fields = self.old.as_mut().and_then(|old| old.fields.take()).unwrap_or_default();
        let postings =
            self.blocks.write(self.store, (base, self.generation), fields, &self.declared)?;
        let old_words = self.old.as_ref().and_then(|old| old.words.as_ref());
        let words = self.rewording.write(self.store, layout, self.generation, old_words)?;
        let manifest = Manifest {
            generation: self.generation,
            items: self.report.items,
            ledger: u32::try_from(self.report.progress.rejected).unwrap_or(u32::MAX),
            ledger_digest,
            segments,
            idle,
            fields: Some(postings.fields),
            words: Some(words),
            notes,
        };
        self.store.publish(&manifest)?;
        self.report.generation = self.generation;
        self.report.published = true;
        // From here on the new generation stands; what follows only tidies up.
        self.store.forget(&self.superseded)?;
        self.store.forget_postings(&postings.superseded)?;
        self.store.drop_ledgers(0, self.generation)?;
        self.store.forget_dead(&manifest)?;
        layout.clean(Some(&manifest))?;
        self.store.settle()?;
        Ok(self.report)
    }

    /// The published segments of a modality.
    fn published(&self, modality: Modality) -> Vec<SegmentEntry> {
        self.old.iter().flat_map(|old| old.segments(modality)).cloned().collect()
    }
}
