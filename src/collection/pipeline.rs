//! Catalogue rows go in, embedded rows come out in the same order.
//!
//! Four stages overlap, a bounded queue between each: the caller reads rows; a second thread has the pictures
//! read, decoded and resized over all cores (`prepare`); a third runs the networks over all cores (`embed`);
//! a fourth writes what they made into the cache and hands the rows to the caller's sink, so that no
//! network waits for the disk. However large the catalogue, a few chunks of it are in memory.

use std::fmt::Display;
use std::path::Path;
use std::sync::mpsc::sync_channel;

use rayon::prelude::*;

use super::Error;
use super::clock::Clock;
use super::encoders::Encoders;
use super::manifest::{PictureRecord, StoredItem};
use super::report::Busy;
use super::store::{Cached, ContentHash, Store};
use super::work::{Embedded, EmbeddedNow, Outcome, Step, Work};
use crate::catalogue::Rejection;
use crate::catalogue::picture::PictureLimits;
use crate::encode::{Embedding, Encoder, NotAnEmbedding, Pixels};

/// Rows that travel together, and go through a network together. A prepared picture takes 600 kB, and
/// four chunks of them can be under way.
const CHUNK: usize = 64;
/// The same without pictures: at the end of each chunk a core may wait for another, so fewer ends are better.
const TEXT_CHUNK: usize = 256;

/// What the stages share.
pub(super) struct Pipeline<'a> {
    pub(super) store: &'a Store,
    pub(super) encoders: &'a Encoders,
    pub(super) limits: &'a PictureLimits,
    pub(super) clock: Clock,
}

/// A row on its way, with whatever still has to go through a network and whatever has come out of one.
pub(super) struct Row {
    pub(super) work: Work,
    pub(super) picture: Option<PictureRecord>,
    pub(super) picture_input: Option<(ContentHash, Pixels)>,
    pub(super) text_input: Option<ContentHash>,
    pub(super) picture_made: Option<Made>,
    pub(super) text_made: Option<Made>,
    pub(super) picture_refused: Option<String>,
    pub(super) text_refused: Option<String>,
}

/// What a network made of an input.
pub(super) type Made = (ContentHash, Result<Embedding, NotAnEmbedding>);

pub(super) enum Ready {
    Row(Box<Row>),
    Rejected(Rejection),
}

impl Ready {
    pub(super) fn row(&mut self) -> Option<&mut Row> {
        match self {
            Ready::Row(row) => Some(row),
            Ready::Rejected(_) => None,
        }
    }
}

impl<'a> Pipeline<'a> {
    pub(super) fn new(store: &'a Store, encoders: &'a Encoders, limits: &'a PictureLimits) -> Self {
        Pipeline { store, encoders, limits, clock: Clock::default() }
    }

    /// Takes every step through the stages; `sink` sees the outcomes in the same order.
    pub(super) fn run(
        &self,
        steps: impl Iterator<Item = Result<Step, Error>>,
        mut sink: impl FnMut(Outcome) -> Result<(), Error> + Send,
    ) -> Result<(), Error> {
        let (to_prepare, preparing) = sync_channel::<Vec<Step>>(1);
        let (to_embed, embedding) = sync_channel::<Vec<Ready>>(1);
        let (to_finish, finishing) = sync_channel::<Vec<Ready>>(1);
        std::thread::scope(|scope| {
            let preparer = scope.spawn(move || -> Result<(), Error> {
                for chunk in preparing {
                    let ready = chunk
                        .into_par_iter()
                        .map(|step| self.prepare(step))
                        .collect::<Result<_, _>>()?;
                    if to_embed.send(ready).is_err() {
                        break;
                    }
                }
                Ok(())
            });
            let embedder = scope.spawn(move || -> Result<(), Error> {
                for mut chunk in embedding {
                    self.embed_pictures(&mut chunk)?;
                    self.embed_texts(&mut chunk)?;
                    if to_finish.send(chunk).is_err() {
                        break;
                    }
                }
                Ok(())
            });
            let finisher = scope.spawn(move || -> Result<(), Error> {
                for ready in finishing.into_iter().flatten() {
                    sink(self.finish(ready)?)?;
                }
                Ok(())
            });
            let rows = if self.encoders.image.is_some() { CHUNK } else { TEXT_CHUNK };
            let fed = feed(steps, rows, |chunk| to_prepare.send(chunk).is_ok());
            drop(to_prepare);
            // A stage that fails closes its queue, and those before it stop: the last stage's error is
            // the first cause.
            let prepared = preparer.join();
            let embedded = embedder.join();
            let finished = finisher.join();
            for stage in [finished, embedded, prepared] {
                stage.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            fed
        })
    }

    /// Where the time of all runs so far went.
    pub(super) fn busy(&self) -> Busy {
        self.clock.busy()
    }

    /// Keeps what the networks made of a row.
    fn finish(&self, ready: Ready) -> Result<Outcome, Error> {
        let mut row = match ready {
            Ready::Row(row) => row,
            Ready::Rejected(rejection) => return Ok(Outcome::Rejected(rejection)),
        };
        let mut now = EmbeddedNow::default();
        if let (Some((_, encoder)), Some(made)) = (&self.encoders.image, row.picture_made.take()) {
            let path = row.work.item.picture.as_deref().unwrap_or(Path::new(""));
            row.picture_refused = self.remember(&**encoder, made)?.map(|why| at(path, why));
            now.picture = true;
        }
        if let (Some((_, encoder)), Some(made)) = (&self.encoders.text, row.text_made.take()) {
            row.text_refused = self.remember(&**encoder, made)?;
            now.text = true;
        }
        Ok(self.outcome(*row, now))
    }

    /// Writes what an encoder made of an input into the cache; returns its refusal, if it refused.
    fn remember<E: Encoder + ?Sized>(
        &self,
        encoder: &E,
        (hash, made): Made,
    ) -> Result<Option<String>, Error> {
        let (cached, refusal) = match made {
            Ok(embedding) => (Cached::Embedding(embedding.into_inner()), None),
            Err(reason) => (Cached::Refused(reason.to_string()), Some(reason.to_string())),
        };
        self.store.put_cached(&encoder.fingerprint(), &hash, &cached)?;
        Ok(refusal)
    }

    fn outcome(&self, row: Row, now: EmbeddedNow) -> Outcome {
        let Work { id, mut item, rejection, old } = row.work;
        let by_picture = row.picture.is_some() && row.picture_refused.is_none();
        let by_text =
            self.encoders.text.is_some() && !item.text.is_empty() && row.text_refused.is_none();
        let picture = row
            .picture
            .map(|record| PictureRecord { refused: row.picture_refused.clone(), ..record });
        let (key, number, path) = (item.key.clone(), item.row, item.picture.take());
        let mut stored = StoredItem::new(item, picture);
        if let Some((old, _)) = &old {
            stored.keep_imported(old, path, |modality| self.encoders.known(modality).is_some());
        }
        let kept = by_picture || by_text || !stored.imported.is_empty();
        let refusals: Vec<String> = [
            row.picture_refused,
            row.text_refused.map(|why| format!("the text cannot be embedded: {why}")),
            rejection.map(|rejection| rejection.reason),
        ]
        .into_iter()
        .flatten()
        .collect();
        let reason = match refusals.is_empty() {
            true if kept => None,
            true => Some("the row has neither a picture nor a text to index".to_owned()),
            false => Some(refusals.join("; ")),
        };
        let rejection =
            reason.map(|reason| Rejection { row: number, key: Some(key), reason, kept });
        match rejection {
            Some(rejection) if !kept => Outcome::Rejected(rejection),
            rejection => {
                let item = Embedded { id, stored, old, rejection, now };
                Outcome::Item(Box::new(item))
            }
        }
    }
}

/// Cuts the steps into chunks and sends them on until there are no more or nobody takes them.
fn feed(
    steps: impl Iterator<Item = Result<Step, Error>>,
    rows: usize,
    mut send: impl FnMut(Vec<Step>) -> bool,
) -> Result<(), Error> {
    let mut chunk = Vec::with_capacity(rows);
    for step in steps {
        chunk.push(step?);
        if chunk.len() == rows && !send(std::mem::replace(&mut chunk, Vec::with_capacity(rows))) {
            return Ok(());
        }
    }
    send(chunk);
    Ok(())
}

/// A refusal with the picture's name before it.
pub(super) fn at(path: &Path, why: impl Display) -> String {
    format!("{}: {why}", path.display())
}
