//! Reads every byte of a collection and says whether it is sound.

use serde::Serialize;

use super::manifest::StoredItem;
use super::{Collection, Error};

/// What a sound collection was found to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Soundness {
    /// Items read.
    pub items: u64,
    /// Vectors read, over all modalities.
    pub vectors: u64,
    /// Texts read as words.
    pub texts: u64,
    /// Entries of the embedding cache read.
    pub cached: u64,
    /// Entries of the ledger read.
    pub ledger: u64,
}

impl Collection {
    /// Reads everything, checks every checksum and every reference from one part to another.
    ///
    /// An error names the first thing that is not as it was written.
    pub fn verify(&self) -> Result<Soundness, Error> {
        let mut found = Soundness { cached: self.store.check_cache()?, ..Soundness::default() };
        let damaged = |reason: String| Error::Damaged { path: self.path().to_owned(), reason };
        let mut ids = Vec::new();
        for row in self.items()? {
            let (id, StoredItem { key, .. }) = row?;
            if self.store.id_of(&key)? != Some(id) {
                return Err(damaged(format!("item {id} is not where its key \"{key}\" leads")));
            }
            ids.push(id);
            found.items += 1;
        }
        if found.items != self.len() {
            let published = self.len();
            return Err(damaged(format!(
                "{published} items were published, {} are there",
                found.items
            )));
        }
        for (modality, vectors) in &self.vectors {
            vectors.verify()?;
            if let Some(id) = vectors.ids().find(|id| ids.binary_search(id).is_err()) {
                let reason = format!("item {id} has a vector ({modality}) and does not exist");
                return Err(damaged(reason));
            }
            found.vectors += vectors.len() as u64;
        }
        if let Some(words) = &self.words {
            found.texts = self.verify_words(words, &ids)?;
        }
        for entry in self.ledger()? {
            entry?;
            found.ledger += 1;
        }
        if found.ledger != u64::from(self.manifest.ledger) {
            let published = self.manifest.ledger;
            let reason =
                format!("{published} ledger entries were published, {} are there", found.ledger);
            return Err(damaged(reason));
        }
        Ok(found)
    }
}
