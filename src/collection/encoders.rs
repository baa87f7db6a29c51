//! The networks that a run embeds with.

use std::sync::Arc;

use super::manifest::EncoderEntry;
use crate::encode::{Encoder, Fingerprint, ImageEncoder, Modality, TextEncoder};

/// The networks of a run, each with the name by which a search will find it again.
#[derive(Default)]
pub(super) struct Encoders {
    pub(super) image: Option<(String, Arc<dyn ImageEncoder>)>,
    pub(super) text: Option<(String, Arc<dyn TextEncoder>)>,
}

impl Encoders {
    /// What a collection remembers of the encoder for a modality, and the function that it is.
    pub(super) fn entry(&self, modality: Modality) -> Option<(EncoderEntry, Fingerprint)> {
        let (model, encoder): (_, &dyn Encoder) = match modality {
            Modality::Image => self.image.as_ref().map(|(model, e)| (model, &**e as _))?,
            Modality::Text => self.text.as_ref().map(|(model, e)| (model, &**e as _))?,
        };
        Some((EncoderEntry::new(modality, model, encoder), encoder.fingerprint()))
    }
}
