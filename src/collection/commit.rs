//! What a run changes, written as it goes and published at its end.

use std::ops::ControlFlow;

use lookalike_index::{GraphOptions, Precision, SegmentWriter};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::Error;
use super::encoders::Encoders;
use super::intake::Intake;
use super::layout::Layout;
use super::manifest::{EncoderEntry, Manifest, SegmentEntry, StoredItem};
use super::pipeline::hash;
use super::report::{GraphProgress, Progress, Report};
use super::store::{Cached, ContentHash, Store};
use super::words::Rewording;
use super::work::{Embedded, Outcome};
use crate::catalogue::Rejection;
use crate::encode::{Fingerprint, Modality};

/// How files of vectors are written, and who hears of it.
pub(super) struct VectorOptions<'a> {
    pub(super) precision: Precision,
    pub(super) graph: GraphOptions,
    pub(super) progress: Box<dyn FnMut(&Progress) + Send + 'a>,
}

/// The generation that a run is writing.
pub(super) struct Commit<'a> {
    store: &'a Store,
    old: Option<Manifest>,
    generation: u32,
    report: Report,
    /// Modalities of which at least one vector differs from the published ones.
    stale: Vec<Modality>,
    rewording: Rewording,
    /// Rows that nobody can see once the generation is published.
    superseded: Vec<(u32, u32)>,
    ledger: Sha256,
}

impl<'a> Commit<'a> {
    /// Begins the generation after `old`; `stale` names the modalities whose vectors are
    /// written anew whatever becomes of the rows, `rewording` says the same of the words.
    pub(super) fn begin(
        store: &'a Store,
        old: Option<Manifest>,
        stale: Vec<Modality>,
        rewording: Rewording,
    ) -> Result<Self, Error> {
        let base = old.as_ref().map_or(0, |manifest| manifest.generation);
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
            stale,
            rewording,
            superseded: Vec::new(),
            ledger: Sha256::new(),
        })
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
        self.report.progress.pictures_embedded += u64::from(now.picture);
        self.report.progress.texts_embedded += u64::from(now.text);
        if let Some(rejection) = rejection {
            self.reject(&rejection)?;
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
        for modality in Modality::ALL {
            if !same_vector(old.as_ref().map(|(old, _)| old), &stored, modality) {
                self.mark_stale(modality);
            }
        }
        self.store.put_item(id, self.generation, Some(&stored))
    }

    fn mark_stale(&mut self, modality: Modality) {
        if !self.stale.contains(&modality) {
            self.stale.push(modality);
        }
    }

    /// Removes the items that the catalogue no longer has.
    pub(super) fn prune(&mut self, intake: &Intake) -> Result<(), Error> {
        for row in intake.unseen()? {
            let (id, written, item) = row?;
            self.rewording.note(id, &item.text, "");
            self.store.put_item::<StoredItem>(id, self.generation, None)?;
            self.superseded.extend([(id, written), (id, self.generation)]);
            self.report.removed += 1;
            self.report.items -= 1;
        }
        if self.report.removed > 0 {
            Modality::ALL.into_iter().for_each(|modality| self.mark_stale(modality));
        }
        Ok(())
    }

    /// Writes the vectors that differ and makes the generation the current one; or gives it up, where
    /// nothing differs.
    pub(super) fn publish(
        mut self,
        layout: &Layout,
        encoders: &Encoders,
        notes: Map<String, Value>,
        vectors: &mut VectorOptions,
    ) -> Result<Report, Error> {
        let ledger_digest = format!("{:x}", self.ledger.finalize_reset());
        if let Some(old) = &self.old {
            let same = self.stale.is_empty()
                && self.rewording.is_empty()
                && self.report.added == 0
                && self.superseded.is_empty()
                && old.ledger_digest == ledger_digest
                && old.notes == notes;
            if same {
                self.report.generation = old.generation;
                self.store.abandon(self.generation)?;
                return Ok(self.report);
            }
        }
        let mut segments = Vec::new();
        for modality in Modality::ALL {
            let Some((encoder, fingerprint)) = encoders.entry(modality) else { continue };
            match &self.old {
                Some(old) if !self.stale.contains(&modality) => {
                    segments.extend(old.segments(modality).cloned());
                }
                _ => segments.extend(self.write_segment(layout, encoder, fingerprint, vectors)?),
            }
        }
        let old_words = self.old.as_ref().and_then(|old| old.words.as_ref());
        let words = self.rewording.write(self.store, layout, self.generation, old_words)?;
        let manifest = Manifest {
            generation: self.generation,
            items: self.report.items,
            ledger: u32::try_from(self.report.progress.rejected).unwrap_or(u32::MAX),
            ledger_digest,
            segments,
            words: Some(words),
            notes,
        };
        self.store.publish(&manifest)?;
        self.report.generation = self.generation;
        self.report.published = true;
        // From here on the new generation stands; what follows only tidies up.
        self.store.forget(&self.superseded)?;
        self.store.drop_ledgers(0, self.generation)?;
        layout.clean(Some(&manifest))?;
        self.store.settle()?;
        Ok(self.report)
    }

    /// Writes the vectors of one modality; `None` where no item has one.
    fn write_segment(
        &self,
        layout: &Layout,
        encoder: EncoderEntry,
        fingerprint: Fingerprint,
        options: &mut VectorOptions,
    ) -> Result<Option<SegmentEntry>, Error> {
        let file = Layout::segment_name(self.generation, encoder.modality);
        let path = layout.segment(&file);
        let label = encoder.label();
        let mut writer =
            SegmentWriter::create(&path, encoder.dimension, options.precision, label.as_bytes())?;
        let mut vectors = 0;
        for row in self.store.items::<StoredItem>(self.generation)? {
            let (id, _, stored) = row?;
            let Some(content) = content(&stored, encoder.modality) else { continue };
            if let Some(Cached::Embedding(vector)) = self.store.cached(&fingerprint, &content)? {
                writer.push(id, &vector)?;
                vectors += 1;
            }
        }
        if vectors == 0 {
            return Ok(None);
        }
        let mut progress = self.report.progress;
        writer.finish_with_graph(&options.graph, &mut |built| {
            let (modality, stage) = (encoder.modality, built.stage);
            let graph = GraphProgress { modality, stage, done: built.done, of: built.total };
            progress.graph = Some(graph);
            (options.progress)(&progress);
            ControlFlow::Continue(())
        })?;
        Ok(Some(SegmentEntry { file, vectors, encoder }))
    }
}

/// The hash of what an encoder of this modality reads of an item.
fn content(stored: &StoredItem, modality: Modality) -> Option<ContentHash> {
    match modality {
        Modality::Image => stored.picture.as_ref().and_then(|picture| picture.content_hash()),
        Modality::Text => (!stored.text.is_empty()).then(|| hash(stored.text.as_bytes())),
    }
}

/// Whether an item's vector of this modality is what it was.
fn same_vector(old: Option<&StoredItem>, new: &StoredItem, modality: Modality) -> bool {
    match modality {
        Modality::Text => old.map_or("", |old| &old.text) == new.text,
        Modality::Image => match (old.and_then(|old| old.picture.as_ref()), &new.picture) {
            (None, None) => true,
            (Some(old), Some(new)) => old.same_vector(new),
            _ => false,
        },
    }
}
