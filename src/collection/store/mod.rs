//! The only folder that knows RocksDB: column families, keys and batches, behind a few verbs a table.
//!
//! Rows of items carry the generation that wrote them, and a reader takes the newest one that its
//! generation may see. So a run writes as it goes, in bounded memory and in any number of batches, and
//! publishing all of it is the one small batch that moves the current generation. What a killed run
//! left behind is of a generation that nobody reads; the next writer sweeps it away.

mod cache;
mod dead;
mod generations;
mod interactions;
mod items;
mod ledger;
mod postings;

use std::path::{Path, PathBuf};

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType,
    DBPinnableSlice, IteratorMode, Options, ReadOptions,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;
use super::trust::Checked;
pub(super) use cache::{Cached, ContentHash, hash};

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
/// The tables that every store has had from the beginning.
const FAMILIES: [&str; 5] = [ITEMS, KEYS, CACHE, LEDGER, SETTINGS];

/// Which items have which values, by `(field, block of ids, generation)`.
const POSTINGS: &str = "postings";
/// Which rows of which file of vectors are dead, by `(file, generation)`.
const DEAD: &str = "dead";
/// Who took what, and what of that could not be used.
const INTERACTIONS: &str = "interactions";
/// The tables that came later. A store that was made before one of them reads as if it were empty; it is
/// made when the store is next opened for writing. A new table is added here and needs nothing else.
const LATER: [&str; 3] = [POSTINGS, DEAD, INTERACTIONS];

const FORMAT: &[u8] = b"format";
const CURRENT: &[u8] = b"current";
const NEXT_ID: &[u8] = b"next-id";
const WRITING: &[u8] = b"writing";
const CHECKED: &[u8] = b"checked";

/// The version of everything in the store: key layouts and values. From 2 on a modality may have several
/// segments, and some of their vectors may be dead: a program that knows of neither would find too much.
pub(super) const FORMAT_VERSION: u32 = 2;

/// A key and its value, as RocksDB hands them over.
type Pair = (Box<[u8]>, Box<[u8]>);

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
        let db = DB::open_cf_descriptors(&options, path, families(&LATER))
            .map_err(|e| failed(path, e))?;
        let store = Store { db, path: path.to_owned() };
        match store.format()? {
            None => store.put_setting(FORMAT, &FORMAT_VERSION)?,
            Some(version) => store.accept_format(version)?,
        }
        Ok(store)
    }

    /// Opens what stands published now; a writer may go on beside it.
    pub(super) fn open_for_reading(path: &Path) -> Result<Self, Error> {
        let made = DB::list_cf(&options(), path).unwrap_or_default();
        let later: Vec<&str> =
            LATER.into_iter().filter(|&name| made.iter().any(|other| other == name)).collect();
        let db = DB::open_cf_descriptors_read_only(&options(), path, families(&later), false)
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

    /// Moves everything from the log into sorted files, so that the next open has nothing to replay.
    pub(super) fn settle(&self) -> Result<(), Error> {
        for family in FAMILIES.into_iter().chain(LATER) {
            self.db.flush_cf(self.family(family)?).map_err(|e| self.failed(e))?;
        }
        Ok(())
    }

    /// Has the database rewrite its files without what was deleted.
    pub(super) fn compact(&self) -> Result<(), Error> {
        self.settle()?;
        for family in FAMILIES.into_iter().chain(LATER) {
            self.db.compact_range_cf(self.family(family)?, None::<&[u8]>, None::<&[u8]>);
        }
        Ok(())
    }

    /// Files of vectors that a run has found sound.
    pub(super) fn checked(&self) -> Result<Checked, Error> {
        Ok(self.setting(CHECKED)?.unwrap_or_default())
    }

    pub(super) fn put_checked(&self, checked: &Checked) -> Result<(), Error> {
        self.put_setting(CHECKED, checked)
    }

    fn family(&self, name: &str) -> Result<&ColumnFamily, Error> {
        self.db.cf_handle(name).ok_or_else(|| self.damaged("a table is missing"))
    }

    /// The table to read from; `None` where it is a later one that this store does not have yet.
    fn readable(&self, name: &str) -> Result<Option<&ColumnFamily>, Error> {
        match self.db.cf_handle(name) {
            None if LATER.contains(&name) => Ok(None),
            _ => self.family(name).map(Some),
        }
    }

    /// The rows of a table within the bounds that `options` set, by ascending key.
    fn rows(
        &self,
        family: &str,
        options: ReadOptions,
    ) -> Result<impl Iterator<Item = Result<Pair, Error>> + use<'_>, Error> {
        let table = self.readable(family)?;
        let rows = table.map(|table| self.db.iterator_cf_opt(table, options, IteratorMode::Start));
        Ok(rows.into_iter().flatten().map(|row| row.map_err(|e| self.failed(e))))
    }

    fn get(&self, family: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let Some(table) = self.readable(family)? else { return Ok(None) };
        self.db.get_cf(table, key).map_err(|e| self.failed(e))
    }

    fn get_pinned(&self, family: &str, key: &[u8]) -> Result<Option<DBPinnableSlice<'_>>, Error> {
        let Some(table) = self.readable(family)? else { return Ok(None) };
        self.db.get_pinned_cf(table, key).map_err(|e| self.failed(e))
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
fn numbered(id: u32, generation: u32) -> [u8; 8] {
    let mut key = [0; 8];
    key[..4].copy_from_slice(&id.to_be_bytes());
    key[4..].copy_from_slice(&generation.to_be_bytes());
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

fn families(later: &[&'static str]) -> impl Iterator<Item = ColumnFamilyDescriptor> {
    FAMILIES.into_iter().chain(later.iter().copied()).map(|name| {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_from_before_a_table_reads_it_as_empty_and_gets_it_when_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let mut options = options();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        let old = DB::open_cf_descriptors(&options, &path, families(&[])).unwrap();
        old.put_cf(old.cf_handle(SETTINGS).unwrap(), FORMAT, b"1").unwrap();
        drop(old);

        let store = Store::open_for_reading(&path).unwrap();
        for table in LATER {
            assert!(store.get(table, b"key").unwrap().is_none());
            assert_eq!(store.rows(table, ReadOptions::default()).unwrap().count(), 0);
        }
        assert!(store.db.cf_handle(LATER[0]).is_none(), "the test made what should be lacking");
        drop(store);

        let store = Store::open_for_writing(&path).unwrap();
        LATER.into_iter().for_each(|table| store.put(table, b"key", b"value").unwrap());
        store.settle().unwrap();
        drop(store);
        let store = Store::open_for_reading(&path).unwrap();
        for table in LATER {
            assert_eq!(store.get(table, b"key").unwrap().as_deref(), Some(&b"value"[..]));
            assert_eq!(store.rows(table, ReadOptions::default()).unwrap().count(), 1);
        }
    }
}
