//! The networks through which a collection's queries go: loaded when first needed, and only the very
//! ones that made its vectors.

use std::sync::{Arc, OnceLock};

use image::RgbImage;

use super::{Collection, Error};
use crate::encode::store::{Model, ModelStore};
use crate::encode::{self, Device, Embedding, Fingerprint, ImageEncoder, Modality, TextEncoder};

/// Encoders that a reader has loaded or was given.
#[derive(Default)]
pub(super) struct Readers {
    models: Option<ModelStore>,
    device: Device,
    image: OnceLock<Arc<dyn ImageEncoder>>,
    text: OnceLock<Arc<dyn TextEncoder>>,
}

impl Collection {
    /// Looks for models in this store instead of the default one.
    pub fn with_models(mut self, models: ModelStore) -> Self {
        self.readers.models = Some(models);
        self
    }

    /// Embeds queries on this device instead of the CPU, which serves one at a time best.
    pub fn with_device(mut self, device: Device) -> Self {
        self.readers.device = device;
        self
    }

    /// Embeds queries by picture with this encoder, which must be the one that made the vectors.
    pub fn with_image_encoder(mut self, encoder: Arc<dyn ImageEncoder>) -> Result<Self, Error> {
        self.check(Modality::Image, encoder.fingerprint())?;
        self.readers.image = OnceLock::from(encoder);
        Ok(self)
    }

    /// Embeds queries by text with this encoder, which must be the one that made the vectors.
    pub fn with_text_encoder(mut self, encoder: Arc<dyn TextEncoder>) -> Result<Self, Error> {
        self.check(Modality::Text, encoder.fingerprint())?;
        self.readers.text = OnceLock::from(encoder);
        Ok(self)
    }
}

impl Collection {
    /// Embeds a picture as the collection's own were.
    pub fn embed_image(&self, picture: &RgbImage) -> Result<Embedding, Error> {
        let encoder = self.image_encoder()?;
        only(encoder.encode(&[encoder.prepare(picture)])?)
    }

    /// The pixels that the shorter side of a picture needs, for [`Collection::embed_image`] to make what
    /// indexing its file makes.
    pub(crate) fn enough(&self) -> Result<Option<u32>, Error> {
        Ok(self.image_encoder()?.enough())
    }

    /// Embeds words as the collection's own texts were.
    pub fn embed_text(&self, words: &str) -> Result<Embedding, Error> {
        only(self.text_encoder()?.encode(&[words])?)
    }

    fn image_encoder(&self) -> Result<&dyn ImageEncoder, Error> {
        if let Some(encoder) = self.readers.image.get() {
            return Ok(&**encoder);
        }
        let encoder = self.model(Modality::Image)?.open_image(&self.readers.device)?;
        self.check(Modality::Image, encoder.fingerprint())?;
        Ok(&**self.readers.image.get_or_init(|| encoder.into()))
    }

    fn text_encoder(&self) -> Result<&dyn TextEncoder, Error> {
        if let Some(encoder) = self.readers.text.get() {
            return Ok(&**encoder);
        }
        let encoder = self.model(Modality::Text)?.open_text(&self.readers.device)?;
        self.check(Modality::Text, encoder.fingerprint())?;
        Ok(&**self.readers.text.get_or_init(|| encoder.into()))
    }

    /// The model that made the vectors of a modality.
    fn model(&self, modality: Modality) -> Result<Model, Error> {
        let no_vectors = || Error::NoVectors { path: self.path().to_owned(), modality };
        let encoder = self.encoder(modality).ok_or_else(no_vectors)?;
        if encoder.is_elsewhere() {
            let (path, encoder) = (self.path().to_owned(), Box::new(encoder.clone()));
            return Err(Error::MadeElsewhere { path, encoder });
        }
        let name = &encoder.model;
        let store = match &self.readers.models {
            Some(store) => store,
            None => &ModelStore::default_location()?,
        };
        Ok(store.get(name)?)
    }

    /// Refuses an encoder whose vectors cannot be compared with the collection's.
    fn check(&self, modality: Modality, fingerprint: Fingerprint) -> Result<(), Error> {
        match self.encoder(modality) {
            Some(then) if !then.is(fingerprint) => {
                let (path, then) = (self.path().to_owned(), Box::new(then.clone()));
                Err(Error::ModelChanged { path, then, now: fingerprint })
            }
            _ => Ok(()),
        }
    }
}

/// The one embedding of a batch of one.
fn only(batch: Vec<Embedding>) -> Result<Embedding, Error> {
    let given = batch.len();
    match batch.into_iter().next() {
        Some(embedding) if given == 1 => Ok(embedding),
        _ => Err(encode::Error::Count { asked: 1, given }.into()),
    }
}
