//! Another image encoder than the collection's own, and what it makes of the pictures.

use std::sync::Arc;

use super::features::Features;
use super::frozen::{Eye, Frozen};
use super::material::Material;
use super::model::{Array, Looks, State};
use super::pictures::pictures;
use super::sights::Sights;
use super::{Error, ModelError};
use crate::encode::{Device, Fingerprint, ImageEncoder, Modality, Pixels};

/// An encoder, or the collection's own vectors where it is the one that made them.
pub(super) struct Foreign {
    name: String,
    /// Whether it made the collection's own vectors.
    pub own: bool,
    pub fingerprint: Fingerprint,
    pub encoder: Box<dyn ImageEncoder>,
}

impl Foreign {
    /// The encoder of a name.
    pub(super) fn open(name: &str, material: &Material<'_>) -> Result<Self, Error> {
        let encoder = material.models()?.get(name)?.open_image(&Device::cpu())?;
        let fingerprint = encoder.fingerprint();
        let own = material
            .collection()
            .and_then(|collection| collection.encoder(Modality::Image))
            .is_some_and(|own| own.is(fingerprint));
        Ok(Foreign { name: name.to_owned(), own, fingerprint, encoder })
    }

    /// The encoder of a name, if it still is the one that it was.
    pub(super) fn restored(
        name: &str,
        state: &State,
        material: &Material<'_>,
    ) -> Result<Option<Self>, Error> {
        let Ok(now) = Foreign::open(name, material) else { return Ok(None) };
        let then = state.get("encoder").map(|array| array.values.as_slice());
        let same = then == Some(&bytes(now.fingerprint)[..]);
        Ok(same.then_some(now))
    }

    /// What it makes of all pictures.
    pub(super) fn frozen(self, material: &Material<'_>) -> Result<Frozen, Error> {
        let features = match material.features() {
            Some(features) if self.own => Arc::clone(features),
            _ => Arc::new(self.features(material)?.centred()),
        };
        Ok(Frozen { features, eye: Arc::new(self) })
    }

    fn features(&self, material: &Material<'_>) -> Result<Features, Error> {
        let model = format!("dvbpr-{}", self.name);
        let lacks = || ModelError::Lacks { model, what: "pictures" };
        let collection = material.collection().ok_or_else(lacks)?;
        let pictures = pictures(collection, material.items())?;
        let path = collection.path().join("taste/features");
        let path = path.join(format!("{}.safetensors", self.fingerprint));
        let mut sights = Sights::open(path, self.encoder.dimension());
        let encode = |pixels: &[Pixels]| -> Result<Vec<Vec<f32>>, Error> {
            let vectors = self.encoder.encode(pixels)?;
            Ok(vectors.into_iter().map(|vector| vector.into_inner()).collect())
        };
        sights.look(&sights.missing(&pictures), &*self.encoder, material, encode)?;
        Ok(Features::new(sights.values(&pictures), self.encoder.dimension()))
    }
}

/// A fingerprint as numbers, each of which a float holds.
fn bytes(fingerprint: Fingerprint) -> Vec<f32> {
    fingerprint.as_bytes().iter().map(|&byte| f32::from(byte)).collect()
}

impl Eye for Foreign {
    fn feature(&self, looks: &Looks<'_>) -> Result<Option<Vec<f32>>, Error> {
        if let (true, Some(feature)) = (self.own, looks.feature) {
            return Ok(Some(feature.to_vec()));
        }
        let Some(picture) = (looks.picture)()? else { return Ok(None) };
        let vector = self.encoder.encode(&[self.encoder.prepare(&picture)])?;
        Ok(vector.into_iter().next().map(|vector| vector.into_inner()))
    }

    fn state(&self) -> State {
        State::from([("encoder".to_owned(), Array::rows(1, bytes(self.fingerprint)))])
    }
}
