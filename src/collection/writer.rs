//! A collection in the hands of the one process that may write to it.

use std::path::Path;

use super::Error;
use super::commit::Commit;
use super::layout::{Layout, WriterLock};
use super::manifest::Manifest;
use super::revision::Rest;
use super::store::Store;
use super::trust::{Reading, unsound};
use super::words::Rewording;

/// The collection as it was found, locked until this is dropped.
pub(super) struct Writer {
    pub(super) layout: Layout,
    pub(super) store: Store,
    /// What is published; `None` before the first publication.
    pub(super) old: Option<Manifest>,
    _lock: WriterLock,
}

impl Writer {
    /// The collection at `path`, made now if nothing is there.
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let layout = Layout::create(path)?;
        let lock = layout.lock()?;
        let store = Store::open_for_writing(&layout.store())?;
        let old: Option<Manifest> = store.current()?;
        layout.clean(old.as_ref())?;
        Ok(Writer { layout, store, old, _lock: lock })
    }

    /// The collection at `path`, which must be there.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        Layout::open(path)?;
        // An old one may lack folders that came later.
        Self::create(path)
    }

    /// What is published.
    pub(super) fn published(&self) -> Result<&Manifest, Error> {
        let unpublished = || Error::Unpublished { path: self.layout.root().to_owned() };
        self.old.as_ref().ok_or_else(unpublished)
    }

    /// Begins the next generation. Published vectors that turn out to be damaged are made anew in it.
    pub(super) fn begin(&self, reading: Reading) -> Result<Commit<'_>, Error> {
        let rewording = Rewording::of(&self.layout, self.old.as_ref());
        let mut commit = Commit::begin(&self.store, self.old.clone(), rewording)?;
        if let Some(old) = &self.old {
            for modality in unsound(&self.layout, &self.store, old, reading)? {
                commit.rest(modality, Rest::Anew);
            }
        }
        Ok(commit)
    }
}
