//! The vectors of what users wrote, made once: by the collection's text encoder, kept by the encoder and the text.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::collection::Collection;
use crate::encode::Modality;
use crate::taste::Error;
use crate::taste::checkpoint::{Checkpoint, Column, write};
use crate::taste::features::Features;
use crate::taste::model::Array;

/// What stands in the file of vectors about them.
#[derive(Serialize, Deserialize)]
struct About {
    /// Of the encoder.
    fingerprint: String,
}

/// Bytes of a text's hash.
const HASH: usize = 32;

/// The vectors of some texts; `None` where the collection has no text encoder. `tell` hears how many are new.
pub fn embed(
    collection: &Collection,
    texts: &[String],
    tell: &mut dyn FnMut(usize),
) -> Result<Option<Features>, Error> {
    let Some(encoder) = collection.encoder(Modality::Text) else { return Ok(None) };
    let fingerprint = encoder.fingerprint.clone();
    let path = collection.models_folder().join("reviews.vectors");
    let mut known: HashMap<[u8; HASH], Vec<f32>> = HashMap::new();
    if let Some(file) = Checkpoint::open(&path)?
        && file.about::<About>().is_ok_and(|about| about.fingerprint == fingerprint)
    {
        let hashes = file.range("hashes", safetensors::tensor::Dtype::U8)?;
        let vectors = file.array("vectors")?;
        let width = vectors.shape.get(1).copied().unwrap_or(1).max(1);
        let hashes = file.bytes(hashes).as_chunks::<HASH>().0;
        let rows = vectors.values.chunks_exact(width).map(<[f32]>::to_vec);
        known.extend(hashes.iter().copied().zip(rows));
    }
    let hash = |text: &String| -> [u8; HASH] { Sha256::digest(text.as_bytes()).into() };
    let hashes: Vec<[u8; HASH]> = texts.iter().map(hash).collect();
    let missing = hashes.iter().filter(|hash| !known.contains_key(*hash)).count();
    if missing > 0 {
        tell(missing);
        for (hash, text) in hashes.iter().zip(texts) {
            if !known.contains_key(hash) {
                known.insert(*hash, collection.embed_text(text)?.into_inner());
            }
        }
        let mut rows: Vec<(&[u8; HASH], &Vec<f32>)> = known.iter().collect();
        rows.sort_by_key(|(hash, _)| **hash);
        let vectors = rows.iter().flat_map(|(_, row)| row.iter().copied()).collect();
        let vectors = Array::rows(rows.len(), vectors);
        let all: Vec<u8> = rows.iter().flat_map(|(hash, _)| hash.iter().copied()).collect();
        let columns = [
            ("hashes".to_owned(), Column::Bytes(&all)),
            ("vectors".to_owned(), Column::Floats(&vectors)),
        ];
        write(&path, &About { fingerprint }, &columns)?;
    }
    let width = known.values().next().map_or(0, Vec::len);
    if width == 0 {
        return Ok(None);
    }
    let values = hashes.iter().flat_map(|hash| known[hash].iter().copied()).collect();
    Ok(Some(Features::new(values, width)))
}
