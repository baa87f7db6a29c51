//! Where a collection's files lie, who may write them, and which of them are rubbish.
//!
//! ```text
//! shop.lookalike/
//!   store/                  the database: items, keys, cache, ledger, the current manifest
//!   vectors/7-image.seg     immutable files of vectors, named by the generation that wrote them
//!   words/0a1b2c.idx        immutable files of words, named at random
//!   taste/                  trained models, each published by its file coming into place
//!   writer.lock             held by the one process that writes
//! ```

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Error;
use super::manifest::Manifest;
use super::snapshot::sync;
use crate::encode::Modality;

/// The directory of one collection.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: PathBuf,
}

/// What stands where a collection is to be.
enum State {
    /// Nothing, or an empty directory.
    Absent,
    /// Somebody else's file or directory.
    Foreign,
    /// A run was killed before it had made its store.
    Begun,
    /// Parts of a collection, without the file by which a store is opened.
    Torn,
    /// A store.
    Made,
}

/// Written to the lock's file and taken back: about what a database needs to open.
const ROOM: usize = 1 << 20;

/// Held as long as its process may write.
pub(super) struct WriterLock {
    _file: File,
}

impl Layout {
    /// The collection at `root`, which must be there.
    pub(super) fn open(root: &Path) -> Result<Self, Error> {
        let layout = Layout { root: root.to_owned() };
        match layout.state()? {
            State::Made => Ok(layout),
            State::Begun => Err(Error::Unpublished { path: root.to_owned() }),
            State::Torn => Err(layout.torn()),
            State::Foreign => Err(Error::NotACollection { path: root.to_owned() }),
            State::Absent => Err(Error::NotFound { path: root.to_owned() }),
        }
    }

    /// The collection at `root`, made now if nothing is there. Whatever else stands there is left alone.
    pub(super) fn create(root: &Path) -> Result<Self, Error> {
        let layout = Layout { root: root.to_owned() };
        match layout.state()? {
            State::Foreign => return Err(Error::NotACollection { path: root.to_owned() }),
            State::Torn => return Err(layout.torn()),
            State::Absent | State::Begun | State::Made => (),
        }
        for directory in [layout.store(), layout.vectors(), layout.words()] {
            fs::create_dir_all(&directory)
                .map_err(|source| Error::NotWritable { path: directory.clone(), source })?;
        }
        Ok(layout)
    }

    fn state(&self) -> Result<State, Error> {
        let io_error = |source| Error::Io { path: self.root.clone(), source };
        match self.store().join("CURRENT").try_exists() {
            Ok(true) => return Ok(State::Made),
            Err(e) if e.kind() == io::ErrorKind::NotADirectory => return Ok(State::Foreign),
            result => result.map_err(io_error)?,
        };
        if !self.store().exists() && !self.lock_file().exists() {
            let occupied = occupied(&self.root).map_err(io_error)?;
            return Ok(if occupied { State::Foreign } else { State::Absent });
        }
        // A store has its CURRENT before it has anything to lose.
        let torn = holds(&self.store(), "sst") || holds(&self.vectors(), "seg");
        Ok(if torn { State::Torn } else { State::Begun })
    }

    fn torn(&self) -> Error {
        Error::Damaged { path: self.store(), reason: "its file CURRENT is missing".into() }
    }

    /// Takes the writer's lock, or says that somebody else has it. It ends with the process that holds
    /// it, however that ends. A full disk is told here: a database that finds no room while it opens
    /// can take the process down with it.
    pub(super) fn lock(&self) -> Result<WriterLock, Error> {
        let path = self.lock_file();
        let failed = |source: io::Error| Error::NotWritable { path: path.clone(), source };
        let mut file =
            File::options().create(true).write(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Err(Error::Busy { path: self.root.clone() }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let room = file.write_all(&vec![0; ROOM]);
        file.set_len(0).and(room).map_err(failed)?;
        Ok(WriterLock { _file: file })
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

    /// Where the files of words are.
    pub(super) fn words(&self) -> PathBuf {
        self.root.join("words")
    }

    /// Where models of shoppers' taste are; a collection without one has no such directory.
    pub(super) fn taste(&self) -> PathBuf {
        self.root.join("taste")
    }

    /// The files of trained models, not those of runs that are under way.
    pub(super) fn models(&self) -> Result<Vec<PathBuf>, Error> {
        let folder = self.taste();
        let failed = |source| Error::Io { path: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut models = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let under_way =
                name.contains(".run.") || name.ends_with(".new") || name.ends_with(".partial");
            if !under_way && path.is_file() {
                models.push(path);
            }
        }
        Ok(models)
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

    /// The files that a manifest names, wherever they lie. None of them is ever written again.
    pub(super) fn published(&self, manifest: &Manifest) -> impl Iterator<Item = PathBuf> {
        let vectors = manifest.segments.iter().map(|segment| self.segment(&segment.file));
        let words = manifest.words.iter().flat_map(|words| &words.files);
        vectors.chain(words.map(|file| self.words().join(file)))
    }

    /// Puts the names of all files on the medium.
    pub(super) fn sync(&self) -> Result<(), Error> {
        let taste = Some(self.taste()).filter(|taste| taste.is_dir());
        for directory in [self.vectors(), self.words(), self.root.clone()].into_iter().chain(taste)
        {
            sync(&directory).map_err(|source| Error::NotWritable { path: directory, source })?;
        }
        Ok(())
    }

    /// Removes files of vectors and of words that the published manifest does not name: they are
    /// superseded, or were never published. Whoever still has one of them mapped keeps it until they let
    /// go. What is not named as ours are is left alone.
    pub(super) fn clean(&self, published: Option<&Manifest>) -> Result<(), Error> {
        let segments = published.into_iter().flat_map(|manifest| &manifest.segments);
        let vectors: Vec<&str> = segments.map(|segment| segment.file.as_str()).collect();
        sweep(&self.vectors(), |name| vectors.contains(&name) || !is_ours(name))?;
        let words = published.and_then(|manifest| manifest.words.as_ref());
        let words: HashSet<&str> =
            words.into_iter().flat_map(|words| &words.files).map(String::as_str).collect();
        sweep(&self.words(), |name| words.contains(name) || !is_of_words(name))
    }

    /// The bytes on disk, all files together.
    pub(super) fn size(&self) -> Result<u64, Error> {
        directory_size(&self.root).map_err(|source| Error::Io { path: self.root.clone(), source })
    }
}

fn occupied(root: &Path) -> io::Result<bool> {
    match fs::read_dir(root) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => Ok(true),
        Err(e) => Err(e),
    }
}

/// Whether a directory has a file with this extension.
fn holds(directory: &Path, extension: &str) -> bool {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|e| e == extension))
}

/// Removes the files of a directory that are not to be kept.
fn sweep(directory: &Path, keep: impl Fn(&str) -> bool) -> Result<(), Error> {
    let io_error = |source: io::Error| Error::Io { path: directory.to_owned(), source };
    for entry in fs::read_dir(directory).map_err(io_error)? {
        let entry = entry.map_err(io_error)?;
        if !keep(&entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path()).map_err(io_error)?;
        }
    }
    Ok(())
}

/// Whether a file in `words` is named as ours are: by a number of 32 digits.
fn is_of_words(name: &str) -> bool {
    let number = name.split('.').next().unwrap_or_default();
    number.len() == 32 && number.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// Whether a file in `vectors` is named as ours are, finished (`7-image.seg`) or not
/// (`.7-image.seg.x.partial`).
fn is_ours(name: &str) -> bool {
    let name = name.strip_prefix('.').unwrap_or(name);
    name.split_once('-').is_some_and(|(generation, _)| generation.parse::<u32>().is_ok())
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
