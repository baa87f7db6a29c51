//! Where a collection's files lie, who may write them, and which of them are rubbish.
//!
//! ```text
//! shop.lookalike/
//!   store/                  the database: items, keys, cache, ledger, the current manifest
//!   vectors/7-image.seg     immutable files of vectors, named by the generation that wrote them
//!   writer.lock             held by the one process that writes
//! ```

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::Error;
use super::manifest::Manifest;
use crate::encode::Modality;

/// The directory of one collection.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: PathBuf,
}

/// Held as long as its process may write.
pub(super) struct WriterLock {
    _file: File,
}

impl Layout {
    /// The collection at `root`, which must be there.
    pub(super) fn open(root: &Path) -> Result<Self, Error> {
        let layout = Layout { root: root.to_owned() };
        match layout.store().join("CURRENT").try_exists() {
            Ok(true) => Ok(layout),
            Ok(false) if root.exists() => Err(Error::NotACollection { path: root.to_owned() }),
            Ok(false) => Err(Error::NotFound { path: root.to_owned() }),
            Err(source) => Err(Error::Io { path: root.to_owned(), source }),
        }
    }

    /// The collection at `root`, made now if nothing is there. Whatever else stands there is left alone.
    pub(super) fn create(root: &Path) -> Result<Self, Error> {
        let layout = Layout { root: root.to_owned() };
        let ours = layout.store().exists() || layout.lock_file().exists();
        if !ours && occupied(root)? {
            return Err(Error::NotACollection { path: root.to_owned() });
        }
        for directory in [layout.store(), layout.vectors()] {
            fs::create_dir_all(&directory)
                .map_err(|source| Error::Io { path: directory.clone(), source })?;
        }
        Ok(layout)
    }

    /// Takes the writer's lock, or says that somebody else has it. It ends with the process that holds
    /// it, however that ends.
    pub(super) fn lock(&self) -> Result<WriterLock, Error> {
        let path = self.lock_file();
        let io_error = |source: io::Error| Error::Io { path: path.clone(), source };
        let file = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(io_error)?;
        match file.try_lock() {
            Ok(()) => Ok(WriterLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::Busy { path: self.root.clone() }),
            Err(TryLockError::Error(source)) => Err(io_error(source)),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    fn vectors(&self) -> PathBuf {
        self.root.join("vectors")
    }

    fn lock_file(&self) -> PathBuf {
        self.root.join("writer.lock")
    }

    pub(super) fn segment(&self, file: &str) -> PathBuf {
        self.vectors().join(file)
    }

    pub(super) fn segment_name(generation: u32, modality: Modality) -> String {
        format!("{generation}-{modality}.seg")
    }

    /// Removes files of vectors that the published manifest does not name: they are superseded, or were
    /// never published. Whoever still has one of them mapped keeps it until they let go.
    pub(super) fn clean(&self, published: Option<&Manifest>) -> Result<(), Error> {
        let vectors = self.vectors();
        let io_error = |source: io::Error| Error::Io { path: vectors.clone(), source };
        for entry in fs::read_dir(&vectors).map_err(io_error)? {
            let entry = entry.map_err(io_error)?;
            let named = published.is_some_and(|manifest| {
                manifest.segments.iter().any(|s| entry.file_name() == s.file.as_str())
            });
            if !named {
                fs::remove_file(entry.path()).map_err(io_error)?;
            }
        }
        Ok(())
    }

    /// The bytes on disk, all files together.
    pub(super) fn size(&self) -> Result<u64, Error> {
        directory_size(&self.root).map_err(|source| Error::Io { path: self.root.clone(), source })
    }
}

fn occupied(root: &Path) -> Result<bool, Error> {
    match fs::read_dir(root) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => Ok(true),
        Err(source) => Err(Error::Io { path: root.to_owned(), source }),
    }
}

fn directory_size(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // A file may go away while we look: it then takes no room.
        bytes += match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => directory_size(&entry.path())?,
            Ok(metadata) => metadata.len(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
            Err(e) => return Err(e),
        };
    }
    Ok(bytes)
}
