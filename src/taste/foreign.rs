//! Another image encoder than the collection's own, and what it makes of the pictures: encoded once, and kept in
//! the collection by the hash of the picture's file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::checkpoint::{Checkpoint, Column, write};
use super::features::Features;
use super::frozen::{Eye, Frozen};
use super::material::Material;
use super::model::{Array, Looks, State};
use super::{Error, ModelError};
use crate::catalogue::picture::{PictureLimits, decode_picture, read_picture};
use crate::encode::{Device, Fingerprint, ImageEncoder, Modality};

/// Pictures that are decoded and encoded at once.
const TOGETHER: usize = 64;

type Hash = [u8; 32];

/// An encoder, or the collection's own vectors where it is the one that made them.
pub(super) struct Foreign {
    name: String,
    own: bool,
    fingerprint: Fingerprint,
    encoder: Box<dyn ImageEncoder>,
}

/// What stands in the file of features.
#[derive(Serialize, Deserialize)]
struct About {
    encoder: String,
    dimension: usize,
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
        let mut wanted: Vec<Option<(Hash, PathBuf)>> = Vec::new();
        for &id in material.items() {
            let record = collection.item(id)?.and_then(|item| item.picture);
            let record = record.filter(|record| record.refused.is_none());
            wanted.push(record.and_then(|r| Some((r.content_hash()?, r.path))));
        }
        let path = collection.path().join("taste/features");
        let path = path.join(format!("{}.safetensors", self.fingerprint));
        let mut known = read(&path)?;
        let missing: BTreeMap<Hash, &PathBuf> = wanted
            .iter()
            .flatten()
            .filter(|(hash, _)| !known.contains_key(hash))
            .map(|(hash, path)| (*hash, path))
            .collect();
        let missing: Vec<(Hash, &PathBuf)> = missing.into_iter().collect();
        for some in missing.chunks(TOGETHER) {
            known.extend(self.encode(some)?);
        }
        let dimension = self.encoder.dimension();
        if !missing.is_empty() {
            let about = About { encoder: self.name.clone(), dimension };
            let hashes = known.keys().flatten().copied().collect::<Vec<u8>>();
            let rows = Array::rows(known.len(), known.values().flatten().copied().collect());
            let columns = [
                ("hashes".to_owned(), Column::Bytes(&hashes)),
                ("vectors".to_owned(), Column::Floats(&rows)),
            ];
            write(&path, &about, &columns)?;
        }
        let mut values = vec![0.0; wanted.len() * dimension];
        for (row, wanted) in values.chunks_mut(dimension).zip(&wanted) {
            let found = wanted.as_ref().and_then(|(hash, _)| known.get(hash));
            if let Some(found) = found.filter(|found| found.len() == dimension) {
                row.copy_from_slice(found);
            }
        }
        Ok(Features::new(values, dimension))
    }

    /// The vectors of some pictures; those that cannot be read are left out.
    fn encode(&self, some: &[(Hash, &PathBuf)]) -> Result<Vec<(Hash, Vec<f32>)>, Error> {
        let limits = PictureLimits::default();
        let decoded = some.par_iter().filter_map(|(hash, path)| {
            let bytes = read_picture(path, &limits).ok()?;
            Some((*hash, self.encoder.prepare(&decode_picture(&bytes, &limits).ok()?)))
        });
        let (hashes, pixels): (Vec<Hash>, Vec<_>) = decoded.unzip();
        let vectors = self.encoder.encode(&pixels)?;
        Ok(hashes.into_iter().zip(vectors.into_iter().map(|vector| vector.into_inner())).collect())
    }
}

/// What was encoded before, by the picture's hash.
fn read(path: &std::path::Path) -> Result<BTreeMap<Hash, Vec<f32>>, Error> {
    let Some(file) = Checkpoint::open(path)? else { return Ok(BTreeMap::new()) };
    let About { dimension, .. } = file.about()?;
    let hashes = file.range("hashes", safetensors::tensor::Dtype::U8)?;
    let hashes = file.bytes(hashes).as_chunks::<32>().0;
    let vectors = file.array("vectors")?.values;
    Ok(hashes.iter().copied().zip(vectors.chunks(dimension.max(1)).map(<[f32]>::to_vec)).collect())
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
