//! Embeddings, and refusals to embed, by encoder and content.

use rocksdb::{IteratorMode, ReadOptions};
use sha2::{Digest, Sha256};

use super::{CACHE, Store};
use crate::collection::Error;
use crate::encode::Fingerprint;

/// SHA-256 of a picture's bytes or of a sentence.
pub(in crate::collection) type ContentHash = [u8; 32];

/// The hash under which an input is remembered.
pub(in crate::collection) fn hash(bytes: &[u8]) -> ContentHash {
    Sha256::digest(bytes).into()
}

/// What the cache knows of an input that an encoder has seen before.
pub(in crate::collection) enum Cached {
    Embedding(Vec<f32>),
    /// It cannot be embedded, for this reason; trying again unchanged would fail again.
    Refused(String),
}

/// As [`Cached`], where the vector itself is not needed.
pub(in crate::collection) enum Known {
    Embedded,
    Refused(String),
}

impl Known {
    pub(in crate::collection) fn refusal(self) -> Option<String> {
        match self {
            Known::Embedded => None,
            Known::Refused(reason) => Some(reason),
        }
    }
}

impl Store {
    pub(in crate::collection) fn cached(
        &self,
        encoder: &Fingerprint,
        content: &ContentHash,
    ) -> Result<Option<Cached>, Error> {
        let Some(value) = self.get(CACHE, &cache_key(encoder, content))? else { return Ok(None) };
        match value.split_first() {
            Some((0, floats)) if floats.len() % 4 == 0 => {
                let floats = floats.chunks_exact(4);
                let vector = floats.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
                Ok(Some(Cached::Embedding(vector)))
            }
            Some((1, reason)) => {
                Ok(Some(Cached::Refused(String::from_utf8_lossy(reason).into_owned())))
            }
            _ => Err(self.damaged("the embedding cache holds an entry of no known kind")),
        }
    }

    /// What the cache knows of an input, without fetching the vector.
    pub(in crate::collection) fn known(
        &self,
        encoder: &Fingerprint,
        content: &ContentHash,
    ) -> Result<Option<Known>, Error> {
        let value = self.get_pinned(CACHE, &cache_key(encoder, content))?;
        Ok(match value.as_deref().and_then(<[u8]>::split_first) {
            None => None,
            Some((0, _)) => Some(Known::Embedded),
            Some((_, reason)) => Some(Known::Refused(String::from_utf8_lossy(reason).into_owned())),
        })
    }

    pub(in crate::collection) fn put_cached(
        &self,
        encoder: &Fingerprint,
        content: &ContentHash,
        cached: &Cached,
    ) -> Result<(), Error> {
        let value = match cached {
            Cached::Embedding(vector) => {
                std::iter::once(0).chain(vector.iter().flat_map(|x| x.to_le_bytes())).collect()
            }
            Cached::Refused(reason) => [&[1], reason.as_bytes()].concat(),
        };
        self.put(CACHE, &cache_key(encoder, content), &value)
    }

    /// Forgets the entries for which `keep` is not true: of an encoder, of an input, a refusal or not.
    /// Returns how many they were.
    pub(in crate::collection) fn retain_cached(
        &self,
        keep: impl Fn(&[u8; 32], &ContentHash, bool) -> bool,
    ) -> Result<u64, Error> {
        let cache = self.family(CACHE)?;
        let mut forgotten = 0;
        for row in self.rows(CACHE, ReadOptions::default())? {
            let (key, value) = row?;
            let parts = key.as_chunks::<32>();
            let kept = match parts {
                ([encoder, content], []) => keep(encoder, content, value.first() == Some(&1)),
                _ => false,
            };
            if !kept {
                self.db.delete_cf(cache, &key).map_err(|e| self.failed(e))?;
                forgotten += 1;
            }
        }
        Ok(forgotten)
    }

    /// How many entries the cache holds, each looked at.
    pub(in crate::collection) fn check_cache(&self) -> Result<u64, Error> {
        let mut entries = 0;
        for row in self.db.iterator_cf(self.family(CACHE)?, IteratorMode::Start) {
            let (key, value) = row.map_err(|e| self.failed(e))?;
            let floats = value.first() == Some(&0) && value.len() % 4 == 1;
            if key.len() != 64 || !(floats || value.first() == Some(&1)) {
                return Err(self.damaged("the embedding cache holds an entry of no known kind"));
            }
            entries += 1;
        }
        Ok(entries)
    }
}

fn cache_key(encoder: &Fingerprint, content: &ContentHash) -> [u8; 64] {
    let mut key = [0; 64];
    key[..32].copy_from_slice(encoder.as_bytes());
    key[32..].copy_from_slice(content);
    key
}
