//! What models may look at, beside who took what: features of pictures, the pictures themselves, the
//! collection. Each part is made when a model first asks for it, and kept for the next one: for the other seeds of
//! a study, and for the run that learns from everything.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::features::Features;
use super::frozen::Frozen;
use super::gallery::Gallery;
use super::interactions::Interactions;
use super::tiles::Tiles;
use super::{Error, ModelError};
use crate::collection::Collection;
use crate::encode::store::ModelStore;

/// What models may look at.
pub struct Material<'a> {
    collection: Option<&'a Collection>,
    /// The collection's numbers of the items, by dense number.
    items: &'a [u32],
    models: Option<ModelStore>,
    features: OnceLock<Option<Arc<Features>>>,
    galleries: Mutex<HashMap<usize, Arc<Gallery>>>,
    /// By the rows of a picture, and the numbers of a tile.
    tiles: Mutex<HashMap<(usize, usize), Arc<Tiles>>>,
    frozen: Mutex<HashMap<String, Arc<Frozen>>>,
    tell: Option<&'a (dyn Fn(&str) + Sync)>,
}

impl<'a> Material<'a> {
    /// All that a collection has to show of the items of its interactions.
    pub fn of(collection: &'a Collection, interactions: &'a Interactions) -> Self {
        Material::stored(collection, &interactions.items)
    }

    /// Features of so many items, and nothing else.
    pub fn bare(items: &'a [u32], features: Option<Features>) -> Self {
        let known = features.map(|features| Some(Arc::new(features)));
        Material {
            collection: None,
            items,
            models: None,
            features: known.map(OnceLock::from).unwrap_or_default(),
            galleries: Mutex::default(),
            tiles: Mutex::default(),
            frozen: Mutex::default(),
            tell: None,
        }
    }

    /// All that a collection has to show of these items.
    pub(super) fn stored(collection: &'a Collection, items: &'a [u32]) -> Self {
        Material { collection: Some(collection), ..Material::bare(items, None) }
    }

    /// Looks for other encoders in this store instead of the default one.
    pub fn with_models(mut self, models: ModelStore) -> Self {
        self.models = Some(models);
        self
    }

    /// Tells of what takes long while it is made.
    pub fn telling(mut self, tell: &'a (dyn Fn(&str) + Sync)) -> Self {
        self.tell = Some(tell);
        self
    }

    pub(super) fn tell(&self, progress: &str) {
        self.tell.iter().for_each(|tell| tell(progress));
    }

    /// The collection, where there is one.
    pub fn collection(&self) -> Option<&'a Collection> {
        self.collection
    }

    /// The collection's numbers of the items, by dense number.
    pub fn items(&self) -> &'a [u32] {
        self.items
    }

    /// Where other encoders than the collection's own are.
    pub(super) fn models(&self) -> Result<ModelStore, Error> {
        match &self.models {
            Some(models) => Ok(models.clone()),
            None => Ok(ModelStore::default_location()?),
        }
    }

    /// The centred features of the pictures, by the collection's own encoder; `None` where there are none.
    pub fn features(&self) -> Option<&Arc<Features>> {
        let make = || {
            let features = Features::of(self.collection?, self.items)?;
            Some(Arc::new(features.centred()))
        };
        self.features.get_or_init(make).as_ref()
    }

    /// The same, for a model that cannot do without.
    pub fn needed_features(&self, model: &str) -> Result<&Arc<Features>, Error> {
        let what = "vectors of pictures";
        Ok(self.features().ok_or_else(|| ModelError::Lacks { model: model.to_owned(), what })?)
    }

    /// The items' pictures, of so many rows and columns.
    pub fn gallery(&self, model: &str, side: usize) -> Result<Arc<Gallery>, Error> {
        let lacks = || ModelError::Lacks { model: model.to_owned(), what: "pictures" };
        let collection = self.collection.ok_or_else(lacks)?;
        kept(&self.galleries, side, || {
            let gallery = Gallery::of(collection, self.items, side, None::<&Path>)?;
            if gallery.items().is_empty() { Err(lacks().into()) } else { Ok(gallery) }
        })
    }

    /// The items' pictures cut into so many rows of as many tiles, of so many numbers each.
    pub(super) fn tiles(&self, model: &str, size: (usize, usize)) -> Result<Arc<Tiles>, Error> {
        kept(&self.tiles, size, || Tiles::of(self, model, size))
    }

    /// Shows these tiles, `side` rows of them a picture, whatever the collection has.
    pub fn showing(self, side: usize, tiles: Tiles) -> Self {
        lock(&self.tiles).insert((side, tiles.dimension()), Arc::new(tiles));
        self
    }

    /// What a frozen network sees, made once under this name.
    pub(super) fn frozen(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Frozen, Error>,
    ) -> Result<Arc<Frozen>, Error> {
        if let Some(frozen) = lock(&self.frozen).get(name) {
            return Ok(Arc::clone(frozen));
        }
        let frozen = Arc::new(make()?);
        lock(&self.frozen).insert(name.to_owned(), Arc::clone(&frozen));
        Ok(frozen)
    }
}

/// What there is under a key, made where it is not there yet; who asks for any meanwhile waits.
fn kept<K: Eq + Hash, V>(
    all: &Mutex<HashMap<K, Arc<V>>>,
    key: K,
    make: impl FnOnce() -> Result<V, Error>,
) -> Result<Arc<V>, Error> {
    Ok(match lock(all).entry(key) {
        Entry::Occupied(found) => Arc::clone(found.get()),
        Entry::Vacant(place) => Arc::clone(place.insert(Arc::new(make()?))),
    })
}

/// What is behind a lock is whole whenever it is free, even where its holder panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
