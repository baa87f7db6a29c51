//! Catalogue rows go in, embedded rows come out in the same order.
//!
//! Three stages overlap, a bounded queue between each: the caller reads rows; a second thread has the
//! pictures read, decoded and resized over all cores; a third runs the networks and hands the rows to
//! the caller's sink. However large the catalogue, a few chunks of it are in memory.

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::sync::mpsc::sync_channel;

use image::{Rgb, RgbImage};
use rayon::prelude::*;

use super::Error;
use super::clock::{Clock, timed};
use super::encoders::Encoders;
use super::freshness::{reliable_change, unchanged};
use super::manifest::{PictureRecord, StoredItem};
use super::report::Busy;
use super::store::{Cached, ContentHash, Store, hash};
use super::work::{Embedded, EmbeddedNow, Outcome, Step, Work};
use crate::catalogue::Rejection;
use crate::catalogue::picture::{PictureError, PictureLimits, decode_at_least, read_picture};
use crate::encode::{self, Embedding, Encoder, NotAnEmbedding, Pixels};

/// Rows that travel together. A prepared picture takes 600 kB, and four chunks can be under way.
const CHUNK: usize = 64;
/// Pictures that go through the network together: more of them gain nothing on a CPU and cost memory.
const IMAGE_BATCH: usize = 16;

/// What the stages share.
pub(super) struct Pipeline<'a> {
    pub(super) store: &'a Store,
    pub(super) encoders: &'a Encoders,
    pub(super) limits: &'a PictureLimits,
    clock: Clock,
}

/// A row on its way, with whatever still has to go through a network.
struct Row {
    work: Work,
    picture: Option<PictureRecord>,
    picture_input: Option<(ContentHash, Pixels)>,
    text_input: Option<ContentHash>,
    picture_refused: Option<String>,
    text_refused: Option<String>,
    embedded: EmbeddedNow,
}

enum Ready {
    Row(Box<Row>),
    Rejected(Rejection),
}

impl Ready {
    fn row(&mut self) -> Option<&mut Row> {
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
                for chunk in embedding {
                    self.embed(chunk)?.into_iter().try_for_each(&mut sink)?;
                }
                Ok(())
            });
            let fed = feed(steps, |chunk| to_prepare.send(chunk).is_ok());
            drop(to_prepare);
            // A stage that fails closes its queue, and those before it stop: the last stage's error is
            // the first cause.
            let prepared = preparer.join();
            let embedded = embedder.join();
            for stage in [embedded, prepared] {
                stage.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            fed
        })
    }

    /// Where the time of all runs so far went.
    pub(super) fn busy(&self) -> Busy {
        self.clock.busy()
    }

    fn prepare(&self, step: Step) -> Result<Ready, Error> {
        let work = match step {
            Step::Item(work) => *work,
            Step::Rejected(rejection) => return Ok(Ready::Rejected(rejection)),
        };
        let mut row = Row {
            work,
            picture: None,
            picture_input: None,
            text_input: None,
            picture_refused: None,
            text_refused: None,
            embedded: EmbeddedNow::default(),
        };
        self.prepare_text(&mut row)?;
        self.prepare_picture(&mut row)?;
        Ok(Ready::Row(Box::new(row)))
    }

    fn prepare_text(&self, row: &mut Row) -> Result<(), Error> {
        let Some((_, encoder)) = &self.encoders.text else { return Ok(()) };
        if row.work.item.text.is_empty() {
            return Ok(());
        }
        let hash = hash(row.work.item.text.as_bytes());
        match self.store.known(&encoder.fingerprint(), &hash)? {
            Some(known) => row.text_refused = known.refusal(),
            None => row.text_input = Some(hash),
        }
        Ok(())
    }

    fn prepare_picture(&self, row: &mut Row) -> Result<(), Error> {
        let Some((_, encoder)) = &self.encoders.image else { return Ok(()) };
        let Some(path) = row.work.item.picture.clone() else { return Ok(()) };
        let fingerprint = encoder.fingerprint();
        if let Some(record) = unchanged(&row.work, &path)
            && let Some(hash) = record.content_hash()
            && let Some(known) = self.store.known(&fingerprint, &hash)?
        {
            row.picture = Some(record);
            row.picture_refused = known.refusal().map(|why| at(&path, why));
            return Ok(());
        }
        // Looked up before the bytes are read: a change in between then shows at the next run.
        let changed = fs::metadata(&path).map_or(0, |metadata| reliable_change(&metadata));
        let bytes = match timed(&self.clock.read, || read_picture(&path, self.limits)) {
            Ok(bytes) => bytes,
            Err(reason) => {
                row.picture_refused = Some(reason.to_string());
                return Ok(());
            }
        };
        let hash = timed(&self.clock.read, || hash(&bytes));
        row.picture = Some(PictureRecord::new(path.clone(), &hash, bytes.len() as u64, changed));
        match self.store.known(&fingerprint, &hash)? {
            Some(known) => row.picture_refused = known.refusal().map(|why| at(&path, why)),
            None => match timed(&self.clock.decode, || {
                decode_at_least(&bytes, self.limits, encoder.enough().unwrap_or(u32::MAX))
            }) {
                Ok(picture) => {
                    let pixels = timed(&self.clock.prepare, || encoder.prepare(&picture));
                    row.picture_input = Some((hash, pixels));
                }
                Err(reason) => {
                    // A limit can be raised for the next run; a broken file stays broken.
                    if !is_limit(&reason) {
                        let refused = Cached::Refused(reason.to_string());
                        self.store.put_cached(&fingerprint, &hash, &refused)?;
                    }
                    row.picture_refused = Some(at(&path, reason));
                }
            },
        }
        Ok(())
    }

    fn embed(&self, mut chunk: Vec<Ready>) -> Result<Vec<Outcome>, Error> {
        self.embed_pictures(&mut chunk)?;
        self.embed_texts(&mut chunk)?;
        let outcomes = chunk.into_iter().map(|ready| match ready {
            Ready::Row(row) => self.outcome(*row),
            Ready::Rejected(rejection) => Outcome::Rejected(rejection),
        });
        Ok(outcomes.collect())
    }

    fn embed_pictures(&self, chunk: &mut [Ready]) -> Result<(), Error> {
        let Some((_, encoder)) = &self.encoders.image else { return Ok(()) };
        let mut waiting: Vec<&mut Row> = chunk
            .iter_mut()
            .filter_map(Ready::row)
            .filter(|row| row.picture_input.is_some())
            .collect();
        for batch in waiting.chunks_mut(IMAGE_BATCH) {
            let (hashes, pixels): (Vec<_>, Vec<_>) =
                batch.iter_mut().filter_map(|row| row.picture_input.take()).unzip();
            let results = timed(&self.clock.image_network, || {
                let plain = || encoder.prepare(&RgbImage::from_pixel(64, 64, Rgb([128; 3])));
                one_by_one_if_need_be(&**encoder, &pixels, plain, |pixels| encoder.encode(pixels))
            })?;
            for ((row, hash), result) in batch.iter_mut().zip(hashes).zip(results) {
                let refused = self.remember(&**encoder, &hash, result)?;
                let path = row.work.item.picture.as_deref().unwrap_or(Path::new(""));
                row.picture_refused = refused.map(|why| at(path, why));
                row.embedded.picture = true;
            }
        }
        Ok(())
    }

    fn embed_texts(&self, chunk: &mut [Ready]) -> Result<(), Error> {
        let Some((_, encoder)) = &self.encoders.text else { return Ok(()) };
        let mut waiting: Vec<&mut Row> = chunk
            .iter_mut()
            .filter_map(Ready::row)
            .filter(|row| row.text_input.is_some())
            .collect();
        let results = {
            let texts: Vec<&str> = waiting.iter().map(|row| row.work.item.text.as_str()).collect();
            timed(&self.clock.text_network, || {
                one_by_one_if_need_be(&**encoder, &texts, || "plain", |texts| encoder.encode(texts))
            })?
        };
        for (row, result) in waiting.iter_mut().zip(results) {
            if let Some(hash) = row.text_input.take() {
                row.text_refused = self.remember(&**encoder, &hash, result)?;
                row.embedded.text = true;
            }
        }
        Ok(())
    }

    /// Writes what an encoder made of an input into the cache; returns its refusal, if it refused.
    fn remember<E: Encoder + ?Sized>(
        &self,
        encoder: &E,
        hash: &ContentHash,
        result: Result<Embedding, NotAnEmbedding>,
    ) -> Result<Option<String>, Error> {
        let (cached, refusal) = match result {
            Ok(embedding) => (Cached::Embedding(embedding.into_inner()), None),
            Err(reason) => (Cached::Refused(reason.to_string()), Some(reason.to_string())),
        };
        self.store.put_cached(&encoder.fingerprint(), hash, &cached)?;
        Ok(refusal)
    }

    fn outcome(&self, row: Row) -> Outcome {
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
                let item = Embedded { id, stored, old, rejection, now: row.embedded };
                Outcome::Item(Box::new(item))
            }
        }
    }
}

/// Cuts the steps into chunks and sends them on until there are no more or nobody takes them.
fn feed(
    steps: impl Iterator<Item = Result<Step, Error>>,
    mut send: impl FnMut(Vec<Step>) -> bool,
) -> Result<(), Error> {
    let mut chunk = Vec::with_capacity(CHUNK);
    for step in steps {
        chunk.push(step?);
        if chunk.len() == CHUNK && !send(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK))) {
            return Ok(());
        }
    }
    send(chunk);
    Ok(())
}

/// Encodes a batch. If one input of it has no embedding, the others are not to suffer: then each goes
/// through the network alone. But where not even a plain input has one, it is not the inputs' fault.
fn one_by_one_if_need_be<T, E: Encoder + ?Sized>(
    encoder: &E,
    batch: &[T],
    plain: impl Fn() -> T,
    encode: impl Fn(&[T]) -> Result<Vec<Embedding>, encode::Error>,
) -> Result<Vec<Result<Embedding, NotAnEmbedding>>, Error> {
    let encode = |batch: &[T]| {
        let embeddings = encode(batch)?;
        let (asked, given) = (batch.len(), embeddings.len());
        if asked == given { Ok(embeddings) } else { Err(encode::Error::Count { asked, given }) }
    };
    match encode(batch) {
        Ok(embeddings) => return Ok(embeddings.into_iter().map(Ok).collect()),
        Err(encode::Error::Embedding(_)) => (),
        Err(error) => return Err(error.into()),
    }
    let mut results = Vec::with_capacity(batch.len());
    for input in batch.chunks(1) {
        match encode(input) {
            Ok(embeddings) => results.extend(embeddings.into_iter().map(Ok)),
            Err(encode::Error::Embedding(reason)) => {
                if reason == NotAnEmbedding::NotFinite
                    && let Err(encode::Error::Embedding(NotAnEmbedding::NotFinite)) =
                        encode(&[plain()])
                {
                    let name = encoder.name().to_owned();
                    return Err(encode::Error::Broken { name }.into());
                }
                results.push(Err(reason));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(results)
}

/// A refusal with the picture's name before it.
fn at(path: &Path, why: impl Display) -> String {
    format!("{}: {why}", path.display())
}

/// Whether a picture was refused for what we are willing to spend, and not for what it is.
fn is_limit(reason: &PictureError) -> bool {
    matches!(reason, PictureError::TooManyBytes { .. } | PictureError::TooManyPixels { .. })
}
