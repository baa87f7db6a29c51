//! Whether a model in the store is sound: its files are those that were put there, and it answers as it
//! is known to answer.

use image::{Rgb, RgbImage};

use super::known::Known;
use super::model::sha256_of;
use super::{Model, StoreError};
use crate::encode::{self, Device, Embedding, Identity, Modality};

const SENTENCE: &str = "That is a happy person";
/// What [`SENTENCE`] is compared with in [`Known::cosines`].
pub(super) const OTHERS: [&str; 3] =
    ["That is a happy dog", "That is a very happy person", "Today is a sunny day"];

/// What a check found to be right.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Checked {
    /// How many files have the hash that was recorded for them.
    pub files: usize,
    /// The length of a vector that the network made.
    pub dimension: usize,
    /// Whether the network's answer was compared with a published one.
    pub answer_known: bool,
}

/// Hashes every file, loads the network and lets it encode.
pub(super) fn check(model: &Model) -> Result<Checked, StoreError> {
    let mut files = 0;
    if let Some(record) = &model.record {
        for (file, sha256) in &record.files {
            let path = model.dir.join(file);
            if sha256_of(&path)? != *sha256 {
                return Err(StoreError::Altered { path });
            }
            files += 1;
        }
    }
    let Answer { dimension, known: answer_known, .. } = answer(model)?;
    if let Some(record) = model.record.as_ref().filter(|record| record.dimension != dimension) {
        let wrong = format!("{dimension} values a vector, not {}", record.dimension);
        return Err(StoreError::WrongAnswer { name: model.name.clone(), wrong });
    }
    Ok(Checked { files, dimension, answer_known })
}

/// What a network made of something that every network can read.
pub(super) struct Answer {
    /// The architecture's name.
    pub(super) architecture: String,
    /// The length of a vector.
    pub(super) dimension: usize,
    /// Whether it was compared with a published one.
    known: bool,
}

/// Loads a network and lets it encode; an error if that is not what it is known to make.
pub(super) fn answer(model: &Model) -> Result<Answer, StoreError> {
    let (embeddings, identity) = match model.modality {
        Modality::Text => {
            let encoder = model.open_text(&Device::cpu())?;
            let texts = [SENTENCE, OTHERS[0], OTHERS[1], OTHERS[2]];
            (encoder.encode(&texts), encoder.identity().clone())
        }
        Modality::Image => {
            let encoder = model.open_image(&Device::cpu())?;
            let embeddings = encoder.encode(&[encoder.prepare(&gradient())]);
            (embeddings, encoder.identity().clone())
        }
    };
    let wrong = |wrong| StoreError::WrongAnswer { name: model.name.clone(), wrong };
    let embeddings = embeddings.map_err(|error| match error {
        encode::Error::Embedding(reason) => wrong(reason.to_string()),
        error => error.into(),
    })?;
    let cosines = Known::find(&model.name).and_then(|known| known.cosines);
    if let Some(expected) = cosines {
        let found = [1, 2, 3].map(|other| cosine(&embeddings[0], &embeddings[other]));
        if found.iter().zip(expected).any(|(found, expected)| (found - expected).abs() > 1e-3) {
            return Err(wrong(format!("cosines {found:.3?}, not {expected:?}")));
        }
    }
    let Identity { name: architecture, .. } = identity;
    Ok(Answer { architecture, dimension: embeddings[0].len(), known: cosines.is_some() })
}

fn cosine(a: &Embedding, b: &Embedding) -> f64 {
    a.iter().zip(b.iter()).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

fn gradient() -> RgbImage {
    RgbImage::from_fn(256, 256, |x, y| Rgb([x as u8, y as u8, 128]))
}
