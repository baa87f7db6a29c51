//! Where tantivy's files stand: immutable ones in a directory, the two that change in memory.
//!
//! tantivy lists its segments in `meta.json` and its files in `.managed.json`, both rewritten at every
//! change. Here neither touches the disk: a reader is given the list of the generation that it opens, a
//! writer's is taken from it at the end and published with everything else. Nor is any file deleted here,
//! since an older generation may still name it; whoever publishes sweeps.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    DirectoryLock, FileHandle, Lock, MmapDirectory, WatchCallback, WatchHandle, WritePtr,
};
use tantivy::{Directory, TantivyError};

use super::Error;

const META: &str = "meta.json";

/// A directory as tantivy wants it.
#[derive(Debug, Clone)]
pub(super) struct Files {
    files: MmapDirectory,
    changing: Arc<Mutex<HashMap<PathBuf, Vec<u8>>>>,
}

impl Files {
    /// The files in `directory`, of which `segments` lists the ones that matter; without a list, none.
    pub(super) fn open(directory: &Path, segments: Option<&str>) -> Result<Self, Error> {
        let files = MmapDirectory::open(directory).map_err(TantivyError::from)?;
        let meta = segments.map(|list| (PathBuf::from(META), list.as_bytes().to_vec()));
        Ok(Files { files, changing: Arc::new(Mutex::new(meta.into_iter().collect())) })
    }

    /// The list of segments as it stands now.
    pub(super) fn segments(&self) -> Option<String> {
        let list = self.changing().get(Path::new(META))?.clone();
        String::from_utf8(list).ok()
    }

    fn changing(&self) -> MutexGuard<'_, HashMap<PathBuf, Vec<u8>>> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory for Files {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.files.get_file_handle(path)
    }

    fn delete(&self, _: &Path) -> Result<(), DeleteError> {
        Ok(())
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        Ok(self.changing().contains_key(path) || self.files.exists(path)?)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        self.files.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let missing = || OpenReadError::FileDoesNotExist(path.to_owned());
        self.changing().get(path).cloned().ok_or_else(missing)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        self.changing().insert(path.to_owned(), data.to_vec());
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.files.sync_directory()
    }

    /// Nothing needs locking: the collection has one writer, and no file that a reader opens changes.
    fn acquire_lock(&self, _: &Lock) -> Result<DirectoryLock, LockError> {
        Ok(DirectoryLock::from(Box::new(())))
    }

    fn watch(&self, _: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}
