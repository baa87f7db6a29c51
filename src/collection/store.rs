//! The only file that knows RocksDB: column families, keys and batches, behind a dozen verbs.
//!
//! Rows of items carry the generation that wrote them, and a reader takes the newest one that its
//! generation may see. So a run writes as it goes, in bounded memory and in any number of batches, and
//! publishing all of it is the one small batch that moves the current generation. What a killed run
//! left behind is of a generation that nobody reads; the next writer sweeps it away.

use std::path::{Path, PathBuf};

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, Direction,
    IteratorMode, Options, ReadOptions, WriteBatch, WriteOptions,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;
use crate::encode::Fingerprint;

/// Items by `(id, generation)`; an empty value says that the item is gone.
const ITEMS: &str = "items";
/// The shop's keys to our ids. An id once given is never given to another key.
const KEYS: &str = "keys";
/// Embeddings, and refusals to embed, by `(fingerprint, content hash)`.
const CACHE: &str = "cache";
/// What could not be used, by `(generation, position)`.
const LEDGER: &str = "ledger";
/// Single values: see the constants below.
const SETTINGS: &str = "settings";
const FAMILIES: [&str; 5] = [ITEMS, KEYS, CACHE, LEDGER, SETTINGS];

const FORMAT: &[u8] = b"format";
const CURRENT: &[u8] = b"current";
const NEXT_ID: &[u8] = b"next-id";
const WRITING: &[u8] = b"writing";

/// The version of everything in the store: key layouts and values.
pub(super) const FORMAT_VERSION: u32 = 1;

/// SHA-256 of a picture's bytes or of a sentence.
pub(super) type ContentHash = [u8; 32];

/// What the cache knows of an input that an encoder has seen before.
pub(super) enum Cached {
    Embedding(Vec<f32>),
    /// It cannot be embedded, for this reason; trying again unchanged would fail again.
    Refused(String),
}

/// As [`Cached`], where the vector itself is not needed.
pub(super) enum Known {
    Embedded,
    Refused(String),
}

impl Known {
    pub(super) fn refusal(self) -> Option<String> {
        match self {
            Known::Embedded => None,
            Known::Refused(reason) => Some(reason),
        }
    }
}

/// The database of one collection.
pub(super) struct Store {
    db: DB,
    path: PathBuf,
}

impl Store {
    /// Opens for writing, creating what is not there. The caller holds the collection's writer lock.
    pub(super) fn open_for_writing(path: &Path) -> Result<Self, Error> {
        let mut options = options();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        let db =
            DB::open_cf_descriptors(&options, path, families()).map_err(|e| failed(path, e))?;
        let store = Store { db, path: path.to_owned() };
        match store.format()? {
            None => store.put_setting(FORMAT, &FORMAT_VERSION)?,
            Some(version) => store.accept_format(version)?,
        }
        Ok(store)
    }

    /// Opens what stands published now; a writer may go on beside it.
    pub(super) fn open_for_reading(path: &Path) -> Result<Self, Error> {
        let db = DB::open_cf_descriptors_read_only(&options(), path, families(), false)
            .map_err(|e| if is_unfinished(path) { unpublished(path) } else { failed(path, e) })?;
        let store = Store { db, path: path.to_owned() };
        let version = store.format()?.ok_or_else(|| unpublished(path))?;
        store.accept_format(version).map(|()| store)
    }

    fn format(&self) -> Result<Option<u32>, Error> {
        self.setting(FORMAT)
    }

    fn accept_format(&self, found: u32) -> Result<(), Error> {
        if found > FORMAT_VERSION {
            return Err(Error::NewerVersion {
                path: self.path.clone(),
                found,
                known: FORMAT_VERSION,
            });
        }
        Ok(())
    }

    // The current generation.

    /// What is published, in full; `None` before the first publication.
    pub(super) fn current<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        self.setting(CURRENT)
    }

    /// Publishes: from here on every new reader sees the generation that `manifest` describes.
    pub(super) fn publish<T: Serialize>(&self, manifest: &T) -> Result<(), Error> {
        let mut batch = WriteBatch::default();
        let settings = self.family(SETTINGS)?;
        batch.put_cf(settings, CURRENT, self.encode(manifest)?);
        batch.delete_cf(settings, WRITING);
        let mut durable = WriteOptions::default();
        durable.set_sync(true);
        self.db.write_opt(batch, &durable).map_err(|e| self.failed(e))
    }

    /// Marks a generation as being written, after sweeping away what an earlier run left unpublished.
    pub(super) fn begin(&self, generation: u32) -> Result<(), Error> {
        if self.setting::<u32>(WRITING)?.is_some() {
            self.sweep(generation)?;
        }
        self.put_setting(WRITING, &generation)
    }

    /// Gives a generation up before it was published.
    pub(super) fn abandon(&self, generation: u32) -> Result<(), Error> {
        self.sweep(generation)?;
        let settings = self.family(SETTINGS)?;
        self.db.delete_cf(settings, WRITING).map_err(|e| self.failed(e))
    }

    /// Removes the rows of `generation` and of later ones: they were never published.
    fn sweep(&self, generation: u32) -> Result<(), Error> {
        let items = self.family(ITEMS)?;
        for row in self.db.iterator_cf(items, IteratorMode::Start) {
            let (key, _) = row.map_err(|e| self.failed(e))?;
            if self.item_key(&key)?.1 >= generation {
                self.db.delete_cf(items, &key).map_err(|e| self.failed(e))?;
            }
        }
        self.drop_ledgers(generation, u32::MAX)
    }

    // Keys and ids.

    /// The id that a key was given, if it ever was.
    pub(super) fn id_of(&self, key: &str) -> Result<Option<u32>, Error> {
        let value = self.get(KEYS, key.as_bytes())?;
        value.map(|bytes| self.u32_from(&bytes)).transpose()
    }

    /// The id of a key, given now if the key is new.
    pub(super) fn id_for(&self, key: &str) -> Result<u32, Error> {
        if let Some(id) = self.id_of(key)? {
            return Ok(id);
        }
        let id: u32 = self.setting(NEXT_ID)?.unwrap_or(0);
        let next = id.checked_add(1).ok_or_else(|| Error::Full { path: self.path.clone() })?;
        let mut batch = WriteBatch::default();
        batch.put_cf(self.family(KEYS)?, key, id.to_be_bytes());
        batch.put_cf(self.family(SETTINGS)?, NEXT_ID, self.encode(&next)?);
        self.db.write(batch).map_err(|e| self.failed(e))?;
        Ok(id)
    }

    // Items.

    /// The item's record as `generation` sees it, with the generation that wrote it.
    pub(super) fn item<T: DeserializeOwned>(
        &self,
        id: u32,
        generation: u32,
    ) -> Result<Option<(T, u32)>, Error> {
        // No further back than the item's own first row: otherwise a look at an item that has no row
        // yet would wade through whatever stands before it.
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(item_key(id, 0));
        let mode = IteratorMode::From(&item_key(id, generation), Direction::Reverse);
        let mut rows = self.db.iterator_cf_opt(self.family(ITEMS)?, options, mode);
        let Some(row) = rows.next() else { return Ok(None) };
        let (key, value) = row.map_err(|e| self.failed(e))?;
        if value.is_empty() {
            return Ok(None);
        }
        Ok(Some((self.decode(&value)?, self.item_key(&key)?.1)))
    }

    /// Writes an item's record; `None` says that the item is gone from this generation on.
    pub(super) fn put_item<T: Serialize>(
        &self,
        id: u32,
        generation: u32,
        record: Option<&T>,
    ) -> Result<(), Error> {
        let value = record.map(|r| self.encode(r)).transpose()?.unwrap_or_default();
        self.put(ITEMS, &item_key(id, generation), &value)
    }

    /// Every item that `generation` sees, by ascending id: its id, the generation that wrote it, and
    /// its record.
    pub(super) fn items<T: DeserializeOwned>(
        &self,
        generation: u32,
    ) -> Result<impl Iterator<Item = Result<(u32, u32, T), Error>> + use<'_, T>, Error> {
        let mut rows = self.db.iterator_cf(self.family(ITEMS)?, IteratorMode::Start).peekable();
        Ok(std::iter::from_fn(move || {
            loop {
                let (key, value) = match rows.next()? {
                    Ok(row) => row,
                    Err(e) => return Some(Err(self.failed(e))),
                };
                let (id, written) = match self.item_key(&key) {
                    Ok(parts) => parts,
                    Err(e) => return Some(Err(e)),
                };
                let visible = |g: u32| g <= generation;
                let superseded = matches!(rows.peek(), Some(Ok((next, _)))
                    if self.item_key(next).is_ok_and(|(i, g)| i == id && visible(g)));
                if visible(written) && !superseded && !value.is_empty() {
                    return Some(self.decode(&value).map(|record| (id, written, record)));
                }
            }
        }))
    }

    /// Forgets versions of items that a publication has made invisible.
    pub(super) fn forget(&self, superseded: &[(u32, u32)]) -> Result<(), Error> {
        let items = self.family(ITEMS)?;
        for chunk in superseded.chunks(10_000) {
            let mut batch = WriteBatch::default();
            for &(id, generation) in chunk {
                batch.delete_cf(items, item_key(id, generation));
            }
            self.db.write(batch).map_err(|e| self.failed(e))?;
        }
        Ok(())
    }

    // The embedding cache.

    pub(super) fn cached(
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
    pub(super) fn known(
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

    pub(super) fn put_cached(
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

    /// How many entries the cache holds, each looked at.
    pub(super) fn check_cache(&self) -> Result<u64, Error> {
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

    // The ledger.

    /// Writes an entry; returns it as it was written.
    pub(super) fn put_ledger<T: Serialize>(
        &self,
        generation: u32,
        position: u32,
        entry: &T,
    ) -> Result<Vec<u8>, Error> {
        let bytes = self.encode(entry)?;
        self.put(LEDGER, &item_key(generation, position), &bytes)?;
        Ok(bytes)
    }

    /// The ledger of one generation, in the order in which it was written.
    pub(super) fn ledger<T: DeserializeOwned>(
        &self,
        generation: u32,
    ) -> Result<impl Iterator<Item = Result<T, Error>>, Error> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(item_key(generation, 0));
        if let Some(next) = generation.checked_add(1) {
            options.set_iterate_upper_bound(item_key(next, 0));
        }
        let rows = self.db.iterator_cf_opt(self.family(LEDGER)?, options, IteratorMode::Start);
        Ok(rows.map(|row| {
            let (_, value) = row.map_err(|e| self.failed(e))?;
            self.decode(&value)
        }))
    }

    /// Removes the ledgers of a range of generations.
    pub(super) fn drop_ledgers(&self, from: u32, to: u32) -> Result<(), Error> {
        let ledger = self.family(LEDGER)?;
        self.db
            .delete_range_cf(ledger, item_key(from, 0), item_key(to, 0))
            .map_err(|e| self.failed(e))
    }

    /// Moves everything from the log into sorted files, so that the next open has nothing to replay.
    pub(super) fn settle(&self) -> Result<(), Error> {
        for family in FAMILIES {
            self.db.flush_cf(self.family(family)?).map_err(|e| self.failed(e))?;
        }
        Ok(())
    }

    // Plumbing.

    fn family(&self, name: &str) -> Result<&rocksdb::ColumnFamily, Error> {
        self.db.cf_handle(name).ok_or_else(|| self.damaged("a table is missing"))
    }

    fn get(&self, family: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.db.get_cf(self.family(family)?, key).map_err(|e| self.failed(e))
    }

    fn get_pinned(
        &self,
        family: &str,
        key: &[u8],
    ) -> Result<Option<rocksdb::DBPinnableSlice<'_>>, Error> {
        self.db.get_pinned_cf(self.family(family)?, key).map_err(|e| self.failed(e))
    }

    fn put(&self, family: &str, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.db.put_cf(self.family(family)?, key, value).map_err(|e| self.failed(e))
    }

    fn setting<T: DeserializeOwned>(&self, name: &[u8]) -> Result<Option<T>, Error> {
        self.get(SETTINGS, name)?.map(|bytes| self.decode(&bytes)).transpose()
    }

    fn put_setting<T: Serialize>(&self, name: &[u8], value: &T) -> Result<(), Error> {
        self.put(SETTINGS, name, &self.encode(value)?)
    }

    fn encode<T: Serialize>(&self, value: &T) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(value)
            .map_err(|e| self.damaged(format!("a value cannot be written: {e}")))
    }

    fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(bytes)
            .map_err(|e| self.damaged(format!("a stored value cannot be read: {e}")))
    }

    fn item_key(&self, key: &[u8]) -> Result<(u32, u32), Error> {
        match key.split_at_checked(4) {
            Some((id, generation)) => Ok((self.u32_from(id)?, self.u32_from(generation)?)),
            None => Err(self.damaged("an item's key has the wrong length")),
        }
    }

    fn u32_from(&self, bytes: &[u8]) -> Result<u32, Error> {
        let bytes: [u8; 4] =
            bytes.try_into().map_err(|_| self.damaged("a number has the wrong length"))?;
        Ok(u32::from_be_bytes(bytes))
    }

    pub(super) fn damaged(&self, reason: impl Into<String>) -> Error {
        Error::Damaged { path: self.path.clone(), reason: reason.into() }
    }

    fn failed(&self, error: rocksdb::Error) -> Error {
        failed(&self.path, error)
    }
}

/// Whether a run was killed before it had made all of its tables, let alone published anything.
fn is_unfinished(path: &Path) -> bool {
    DB::list_cf(&options(), path)
        .is_ok_and(|made| FAMILIES.iter().any(|&family| !made.iter().any(|name| name == family)))
}

fn unpublished(path: &Path) -> Error {
    Error::Unpublished { path: path.parent().unwrap_or(path).to_owned() }
}

fn failed(path: &Path, error: rocksdb::Error) -> Error {
    let missing = error.as_ref().contains("No such file or directory");
    match error.kind() {
        rocksdb::ErrorKind::Corruption => {
            let reason = error.as_ref().replace("Corruption: ", "");
            Error::Damaged { path: path.to_owned(), reason }
        }
        _ if missing => Error::Damaged { path: path.to_owned(), reason: error.into_string() },
        _ => Error::Database { path: path.to_owned(), source: Box::new(error) },
    }
}

/// Big-endian, so that RocksDB's order of bytes is the order of numbers.
fn item_key(id: u32, generation: u32) -> [u8; 8] {
    let mut key = [0; 8];
    key[..4].copy_from_slice(&id.to_be_bytes());
    key[4..].copy_from_slice(&generation.to_be_bytes());
    key
}

fn cache_key(encoder: &Fingerprint, content: &ContentHash) -> [u8; 64] {
    let mut key = [0; 64];
    key[..32].copy_from_slice(encoder.as_bytes());
    key[32..].copy_from_slice(content);
    key
}

fn options() -> Options {
    let mut options = Options::default();
    // Its own log is for people who debug RocksDB: one small file is plenty.
    options.set_keep_log_file_num(1);
    options.set_max_log_file_size(1 << 20);
    options.set_log_level(rocksdb::LogLevel::Warn);
    options
}

fn families() -> impl Iterator<Item = ColumnFamilyDescriptor> {
    FAMILIES.into_iter().map(|name| {
        let mut options = Options::default();
        let mut blocks = BlockBasedOptions::default();
        // The default grows with the number of column families; ours are read once each, mostly.
        if let Ok(cache) = Cache::new_lru_cache(8 << 20) {
            blocks.set_block_cache(&cache);
        }
        blocks.set_bloom_filter(10.0, false);
        options.set_block_based_table_factory(&blocks);
        // Vectors do not compress; everything else is JSON and does.
        options.set_compression_type(match name {
            CACHE => DBCompressionType::None,
            _ => DBCompressionType::Lz4,
        });
        ColumnFamilyDescriptor::new(name, options)
    })
}
