//! The networks that a run embeds with, and what is known of those that it does not need.

use std::sync::Arc;

use super::manifest::{EncoderEntry, Manifest};
use crate::encode::{Encoder, Fingerprint, ImageEncoder, Modality, TextEncoder};

/// The networks of a run, each with the name by which a search will find it again.
#[derive(Default)]
pub(super) struct Encoders {
    pub(super) image: Option<(String, Arc<dyn ImageEncoder>)>,
    pub(super) text: Option<(String, Arc<dyn TextEncoder>)>,
}

/// What there is to know of an encoder without it: enough to write its vectors, not to make any.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// What a collection remembers of it.
    pub(super) entry: EncoderEntry,
    /// The function that it is.
    pub(super) fingerprint: Fingerprint,
}

impl Known {
    /// What a published manifest remembers of the encoders that made its vectors.
    pub(super) fn of(manifest: &Manifest) -> impl Iterator<Item = Known> {
        let used = Modality::ALL.into_iter().filter_map(|modality| manifest.encoder(modality));
        used.chain(&manifest.idle).filter_map(|entry| {
            let fingerprint = Fingerprint::from_hex(&entry.fingerprint)?;
            Some(Known { entry: entry.clone(), fingerprint })
        })
    }

    /// Those of them whose vectors come from elsewhere, and stay without an encoder.
    pub(super) fn elsewhere(manifest: &Manifest) -> impl Iterator<Item = Known> {
        Known::of(manifest).filter(|known| known.entry.is_elsewhere())
    }
}

impl Encoders {
    /// What there is to know of the encoder for a modality.
    pub(super) fn known(&self, modality: Modality) -> Option<Known> {
        let (model, encoder): (_, &dyn Encoder) = match modality {
            Modality::Image => self.image.as_ref().map(|(model, e)| (model, &**e as _))?,
            Modality::Text => self.text.as_ref().map(|(model, e)| (model, &**e as _))?,
        };
        let entry = EncoderEntry::new(modality, model, encoder);
        Some(Known { entry, fingerprint: encoder.fingerprint() })
    }

    /// The same of all of them.
    pub(super) fn all(&self) -> Vec<Known> {
        Modality::ALL.into_iter().filter_map(|modality| self.known(modality)).collect()
    }
}
