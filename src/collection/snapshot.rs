//! A copy of a collection that is whole, whoever writes to the original meanwhile.
//!
//! Flowing in: a published generation. Flowing out: a collection of its own under another name, which appears
//! there once it is complete. Files that are never rewritten are linked, where the file system can: they take
//! no room until one of the two goes on without the other. The database does change its files,
//! so its tables are copied row by row, as they stood when it was opened for reading.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::layout::Layout;
use super::{Collection, Error, again};

impl Collection {
    /// Copies what is published at `path` now to `to`, where nothing may be yet. A writer may go on meanwhile.
    pub fn snapshot(path: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<Collection, Error> {
        let (layout, to) = (Layout::open(path.as_ref())?, to.as_ref());
        if fs::symlink_metadata(to).is_ok() {
            return Err(Error::Exists { path: to.to_owned() });
        }
        // A writer may supersede files just before they are linked: then its generation is the one to copy.
        again(|| Collection::open_once(&layout)?.copy_to(to))?;
        Collection::open(to)
    }

    fn copy_to(&self, to: &Path) -> Result<(), Error> {
        let not_writable = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::NotWritable { path, source }
        };
        let parent =
            to.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = to.file_name().ok_or_else(|| Error::Exists { path: to.to_owned() })?;
        let partial = partial(parent, &name.to_string_lossy()).map_err(not_writable(parent))?;
        let copy = Layout::create(partial.path())?;
        let models = self.layout.models()?;
        if !models.is_empty() {
            fs::create_dir_all(copy.taste()).map_err(not_writable(&copy.taste()))?;
        }
        let places = models.iter().filter_map(|path| Some(copy.taste().join(path.file_name()?)));
        let published = self.layout.published(&self.manifest).zip(copy.published(&self.manifest));
        for (from, to) in published.chain(models.iter().cloned().zip(places)) {
            link(&from, &to).map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => Error::MissingVectors { path: from },
                _ => Error::NotWritable { path: to, source },
            })?;
        }
        self.store.copy_to(&copy.store())?;
        copy.sync()?;
        fs::rename(partial.path(), to).map_err(not_writable(to))?;
        // It has another name now.
        let _ = partial.keep();
        sync(parent).map_err(not_writable(parent))
    }
}

/// A directory that goes away with all that is in it, unless it is kept.
fn partial(parent: &Path, name: &str) -> io::Result<tempfile::TempDir> {
    let prefix = format!(".{name}.");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".partial");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As for any new directory: what the user's mask leaves, not the owner alone.
        builder.permissions(fs::Permissions::from_mode(0o777));
    }
    builder.tempdir_in(parent)
}

/// A second name for the same file, or a copy where there can be none.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            fs::copy(from, to)?;
            File::open(to)?.sync_all()
        }
        done => done,
    }
}

/// Puts a directory's entries on the medium, where the system can.
pub(super) fn sync(directory: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(directory)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = directory;
    Ok(())
}
