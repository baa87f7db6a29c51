//! Vectors that were made elsewhere become a published generation.
//!
//! Flowing in: items, each with the vectors that somebody has made of it. Flowing out: what a run of the
//! [`Indexer`] leaves, but nothing is embedded: the vectors are checked, scaled to length one and put into the
//! embedding cache under their own hash. What an import does not say of an item that is there already stays
//! as it was.

use half::f16;

use super::Error;
use super::encoders::Known;
use super::indexer::Indexer;
use super::intake::Intake;
use super::manifest::{EncoderEntry, ImportedVector, StoredItem};
use super::report::Report;
use super::store::{Cached, ContentHash, Store, hash};
use super::trust::Reading;
use super::work::{Embedded, EmbeddedNow, Outcome, Step, Work};
use super::writer::Writer;
use crate::catalogue::{Entry, Item, Rejection};
use crate::encode::{Embedding, Fingerprint, Modality};
use crate::hex;

/// Vectors in half precision whose length differs from one by less were of length one before they were
/// stored so. To scale them would change them.
const HALF_UNIT: f64 = 1e-3;
/// As much may the length of any vector differ that was scaled to one.
const UNIT: f64 = 1e-6;

/// An item with vectors that were made elsewhere; or a row of which nothing can be used.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // They are read one at a time.
pub enum Import {
    /// An item and its vectors.
    Item {
        /// The item.
        item: StoredItem,
        /// One for each modality that it has.
        vectors: Vec<(Modality, Vec<f32>)>,
    },
    /// A row for the ledger.
    Rejected(Rejection),
}

impl Indexer<'_> {
    /// Takes in items with vectors that were made elsewhere, by these encoders, and publishes them. Rows
    /// that cannot be used go into the ledger.
    ///
    /// Until it returns, readers see the collection as it was.
    pub fn import<E: From<Error>>(
        mut self,
        encoders: &[EncoderEntry],
        entries: impl IntoIterator<Item = Result<Import, E>>,
    ) -> Result<Report, E> {
        let writer = Writer::create(&self.path)?;
        let old = writer.old.as_ref();
        let mut known: Vec<Known> = old.into_iter().flat_map(Known::of).collect();
        for entry in encoders {
            self.admit(entry, &mut known)?;
        }
        let mut commit = writer.begin(Reading::Unknown)?;
        commit.declare(self.declared);
        let mut intake = Intake::new(&writer.store, old.map_or(0, |manifest| manifest.generation));
        for entry in entries {
            let outcome = match entry? {
                Import::Rejected(rejection) => Outcome::Rejected(rejection),
                Import::Item { item, vectors } => {
                    let bare = Item {
                        key: item.key.clone(),
                        row: item.row,
                        fields: Default::default(),
                        text: String::new(),
                        picture: None,
                    };
                    match intake.step(Ok(Entry::Item(bare, None)))? {
                        Step::Rejected(rejection) => Outcome::Rejected(rejection),
                        Step::Item(work) => take(&writer.store, &known, *work, item, vectors)?,
                    }
                }
            };
            commit.take(outcome)?;
            (self.vectors.progress)(commit.progress());
        }
        let mut notes = old.map(|old| old.notes.clone()).unwrap_or_default();
        notes.extend(self.notes);
        Ok(commit.publish(&writer.layout, &known, notes, &mut self.vectors)?)
    }

    /// Lets an encoder's vectors in, unless others are there of the same modality.
    fn admit(&self, entry: &EncoderEntry, known: &mut Vec<Known>) -> Result<(), Error> {
        match known.iter().find(|known| known.entry.modality == entry.modality) {
            Some(then) if then.entry.fingerprint == entry.fingerprint => Ok(()),
            Some(then) => Err(Error::OtherVectors {
                path: self.path.clone(),
                then: Box::new(then.entry.clone()),
                now: Box::new(entry.clone()),
            }),
            None => {
                let garbled = || Error::Damaged {
                    path: self.path.clone(),
                    reason: format!("{:?} is no fingerprint", entry.fingerprint),
                };
                let fingerprint = Fingerprint::from_hex(&entry.fingerprint).ok_or_else(garbled)?;
                known.push(Known { entry: entry.clone(), fingerprint });
                Ok(())
            }
        }
    }
}

/// What becomes of an item: its vectors are in the cache, and the record says where.
fn take(
    store: &Store,
    known: &[Known],
    work: Work,
    item: StoredItem,
    vectors: Vec<(Modality, Vec<f32>)>,
) -> Result<Outcome, Error> {
    let Work { id, old, .. } = work;
    let (key, row) = (item.key.clone(), item.row);
    let has = |modality| vectors.iter().any(|(other, _)| *other == modality);
    let mut stored = completed(item, old.as_ref().map(|(old, _)| old), known, has(Modality::Text));
    let (mut reasons, mut taken) = (Vec::new(), Vec::new());
    for (modality, vector) in vectors {
        let Some(encoder) = known.iter().find(|known| known.entry.modality == modality) else {
            reasons.push(format!("nobody says what made its {modality} vector"));
            continue;
        };
        match content(&mut stored, encoder, vector) {
            Ok((content, vector)) => {
                let cached = Cached::Embedding(vector);
                store.put_cached(&encoder.fingerprint, &content, &cached)?;
                taken.push(modality);
            }
            Err(reason) => reasons.push(format!("its {modality} vector {reason}")),
        }
    }
    for modality in Modality::ALL {
        let before = old.as_ref().and_then(|(old, _)| old.content(modality));
        let now = stored.content(modality);
        if now.is_some() && now != before && !taken.contains(&modality) {
            stored.unread.push(modality);
        }
    }
    // An item without a vector can be found by its words.
    let kept = !taken.is_empty() || old.is_some() || !stored.text.is_empty();
    if !kept && reasons.is_empty() {
        reasons.push("the row has neither a vector nor a text".to_owned());
    }
    let rejection = (!reasons.is_empty()).then(|| Rejection {
        row,
        key: Some(key),
        reason: reasons.join("; "),
        kept,
    });
    Ok(match rejection {
        Some(rejection) if !kept => Outcome::Rejected(rejection),
        rejection => {
            let now = EmbeddedNow::default();
            Outcome::Item(Box::new(Embedded { id, stored, old, rejection, now }))
        }
    })
}

/// The item with whatever the import does not say, as it was before. A text that is embedded here stays too,
/// unless another one comes `with_text_vector`.
fn completed(
    mut item: StoredItem,
    old: Option<&StoredItem>,
    known: &[Known],
    with_text_vector: bool,
) -> StoredItem {
    item.unread.clear();
    item.imported = old.map(|old| old.imported.clone()).unwrap_or_default();
    let Some(old) = old else { return item };
    for (name, value) in &old.fields {
        item.fields.entry(name).or_insert_with(|| value.clone());
    }
    let texts = known.iter().find(|known| known.entry.modality == Modality::Text);
    let embedded_here = texts.is_some_and(|texts| !texts.entry.is_elsewhere());
    if item.text.is_empty() || embedded_here && !with_text_vector && !old.text.is_empty() {
        item.text.clone_from(&old.text);
    }
    let was_read = old.picture.as_ref().is_some_and(|picture| picture.is_read());
    let is_read = item.picture.as_ref().map(|picture| picture.is_read());
    if is_read.is_none() || is_read == Some(false) && was_read {
        item.picture.clone_from(&old.picture);
    }
    item
}

/// A vector as it is kept, and the hash under which it is: its own, or where the encoder is one that works
/// here that of what it has read. Otherwise what is wrong with it.
fn content(
    stored: &mut StoredItem,
    encoder: &Known,
    vector: Vec<f32>,
) -> Result<(ContentHash, Vec<f32>), String> {
    let EncoderEntry { modality, dimension, .. } = encoder.entry;
    if vector.len() != dimension {
        let (found, entry) = (vector.len(), &encoder.entry);
        return Err(format!("has {found} components, where {entry} has {dimension}"));
    }
    let vector = match is_unit(&vector) {
        true => vector,
        false => {
            Embedding::new(vector).map_err(|why| format!("cannot be used: {why}"))?.into_inner()
        }
    };
    if !encoder.entry.is_elsewhere() {
        let content = stored.content(modality);
        return content.map(|content| (content, vector)).ok_or_else(|| {
            format!("was made by {}, but of no {modality} that the item has", encoder.entry)
        });
    }
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    let content = hash(&bytes);
    stored.imported.retain(|other| other.modality != modality);
    stored.imported.push(ImportedVector { modality, hash: hex::encode(content) });
    Ok((content, vector))
}

/// Whether a vector is of length one, as far as the precision goes in which it was kept.
fn is_unit(vector: &[f32]) -> bool {
    let length = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    let half = vector.iter().all(|&x| f16::from_f32(x).to_f32() == x);
    (length - 1.0).abs() < if half { HALF_UNIT } else { UNIT }
}
