//! From a catalogue to a published generation.
//!
//! Flowing in: the entries of a catalogue, one by one. Flowing out: items, embeddings and a ledger in
//! the store, a file of vectors for each modality, and at the very end the manifest that makes them
//! visible. Whatever is embedded is in the cache at once, so a killed run is taken up where it was.

use std::path::PathBuf;
use std::sync::Arc;

use lookalike_index::{GraphOptions, Precision};
use serde_json::{Map, Value};

use super::commit::VectorOptions;
use super::encoders::{Encoders, Known};
use super::fields::{Declared, FieldReading};
use super::intake::Intake;
use super::manifest::Manifest;
use super::pipeline::Pipeline;
use super::report::{Progress, Report};
use super::revision::Rest;
use super::trust::Reading;
use super::writer::Writer;
use super::{Collection, Error};
use crate::catalogue::picture::PictureLimits;
use crate::catalogue::{self, Entry};
use crate::encode::{ImageEncoder, Modality, TextEncoder};

/// With fewer vectors than these there is no graph. To compare 20,000 of 2048 values takes two or three
/// milliseconds and is exact, whereas a graph would have to be grown anew at every change.
const GRAPH_FROM_ROWS: usize = 20_000;

/// Fills a collection, or brings it up to date.
///
/// Only what is new or has changed since the last run is embedded.
pub struct Indexer<'a> {
    pub(super) path: PathBuf,
    encoders: Encoders,
    limits: PictureLimits,
    pub(super) vectors: VectorOptions<'a>,
    prune: bool,
    change_encoder: bool,
    pub(super) declared: Declared,
    pub(super) notes: Map<String, Value>,
}

impl<'a> Indexer<'a> {
    /// A run over the collection at `path`, which is created if it is not there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Indexer {
            path: path.into(),
            encoders: Encoders::default(),
            limits: PictureLimits::default(),
            vectors: VectorOptions {
                precision: None,
                graph: GraphOptions::default().from_rows(GRAPH_FROM_ROWS),
                progress: Box::new(|_| ()),
            },
            prune: false,
            change_encoder: false,
            declared: Declared::default(),
            notes: Map::new(),
        }
    }

    /// Embeds pictures with this network; `model` is the name that a search will look it up by.
    pub fn image_encoder(mut self, model: &str, encoder: Arc<dyn ImageEncoder>) -> Self {
        self.encoders.image = Some((model.to_owned(), encoder));
        self
    }

    /// Embeds texts with this network; `model` is the name that a search will look it up by.
    pub fn text_encoder(mut self, model: &str, encoder: Arc<dyn TextEncoder>) -> Self {
        self.encoders.text = Some((model.to_owned(), encoder));
        self
    }

    /// Refuses pictures beyond these limits.
    pub fn picture_limits(mut self, limits: PictureLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Stores vectors in this precision, as far as they are written; unless told otherwise in that of the
    /// collection, which is half precision at first.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.vectors.precision = Some(precision);
        self
    }

    /// How the graphs of large collections are built, and from how many vectors on; by default from
    /// 20,000.
    pub fn graph(mut self, options: GraphOptions) -> Self {
        self.vectors.graph = options;
        self
    }

    /// Removes items that this catalogue no longer has. Off by default, so that a catalogue may come in
    /// parts.
    pub fn prune(mut self, prune: bool) -> Self {
        self.prune = prune;
        self
    }

    /// Allows another encoder than the collection was built with; every item is then embedded again.
    pub fn change_encoder(mut self, allow: bool) -> Self {
        self.change_encoder = allow;
        self
    }

    /// Says how a field is to be read, for this run and all later ones; `None` to have it inferred again.
    /// Nothing is embedded anew for it.
    pub fn field(mut self, name: &str, reading: Option<FieldReading>) -> Self {
        self.declared.say(name, reading);
        self
    }

    /// Keeps a remark with the collection, for whoever asks how it was made.
    pub fn note(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.notes.insert(name.to_owned(), value.into());
        self
    }

    /// Calls back as rows are finished and graphs grow, from a thread of the run.
    pub fn progress(mut self, callback: impl FnMut(&Progress) + Send + 'a) -> Self {
        self.vectors.progress = Box::new(callback);
        self
    }

    /// Reads the catalogue to its end, embeds what is new and publishes.
    ///
    /// Until it returns, readers see the collection as it was; if it fails or is killed, they go on
    /// seeing that, and the next run finds what was embedded in the cache.
    pub fn run<I>(mut self, entries: I) -> Result<Report, Error>
    where
        I: IntoIterator<Item = Result<Entry, catalogue::Error>>,
    {
        let mut encoders = self.encoders.all();
        // Vectors that were made elsewhere do without, so a collection that has such can be brought up to date.
        let published = Collection::published(&self.path)?;
        if encoders.is_empty() && published.iter().flat_map(Known::elsewhere).next().is_none() {
            return Err(Error::NoEncoder);
        }
        let writer = Writer::create(&self.path)?;
        let (store, old) = (&writer.store, writer.old.as_ref());
        let others = |known: &Known| self.encoders.known(known.entry.modality).is_none();
        encoders.extend(old.into_iter().flat_map(Known::elsewhere).filter(others));
        let new_encoders = self.check_encoders(old)?;
        let carry_over = !new_encoders.is_empty() && !self.prune;
        let mut commit = writer.begin(Reading::Unknown)?;
        commit.declare(self.declared);
        new_encoders.into_iter().for_each(|modality| commit.rest(modality, Rest::Anew));
        let mut intake = Intake::new(store, old.map_or(0, |manifest| manifest.generation));
        let pipeline = Pipeline::new(store, &self.encoders, &self.limits);
        let mut sink = |outcome| {
            commit.take(outcome)?;
            (self.vectors.progress)(commit.progress());
            Ok(())
        };
        pipeline.run(entries.into_iter().map(|e| intake.step(e)), &mut sink)?;
        if carry_over {
            pipeline.run(intake.carried_over()?, &mut sink)?;
        }
        if self.prune {
            for row in intake.unseen()? {
                let (id, written, item) = row?;
                commit.remove(id, written, &item)?;
            }
        }
        let report = commit.publish(&writer.layout, &encoders, self.notes, &mut self.vectors)?;
        Ok(Report { busy: pipeline.busy(), ..report })
    }

    /// Which modalities are embedded by another function than before; refused unless that is wanted.
    fn check_encoders(&self, old: Option<&Manifest>) -> Result<Vec<Modality>, Error> {
        let mut new = Vec::new();
        for modality in Modality::ALL {
            let now = self.encoders.known(modality);
            let then = old.and_then(|manifest| manifest.encoder(modality));
            match (then, now) {
                (Some(then), Some(now)) if then.is(now.fingerprint) => (),
                (Some(then), Some(now)) if !self.change_encoder => {
                    let (path, then) = (self.path.clone(), Box::new(then.clone()));
                    return Err(if then.model == now.entry.model {
                        Error::ModelChanged { path, then, now: now.fingerprint }
                    } else {
                        Error::OtherEncoder { path, then, now: Box::new(now.entry) }
                    });
                }
                (Some(then), None) if then.is_elsewhere() => (),
                (Some(then), None) => {
                    let (path, then) = (self.path.clone(), then.clone());
                    return Err(Error::MissingEncoder { path, then: Box::new(then) });
                }
                (None, Some(now)) if old.is_some_and(|old| old.idle.contains(&now.entry)) => (),
                (_, Some(_)) => new.push(modality),
                (None, None) => (),
            }
        }
        Ok(new)
    }
}
