//! The pictures in a folder and below it, in sorted order.

use std::cmp::Reverse;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::Error;

/// What a picture's name ends with, the likeliest first.
pub(super) const EXTENSIONS: &[&str] = &["jpg", "jpeg", "png", "webp", "gif", "bmp", "jpe", "jfif"];

/// Pictures that we cannot decode but should not pass over in silence.
const FOREIGN: &[&str] = &["avif", "heic", "heif", "tif", "tiff", "jxl", "jp2", "svg", "psd"];

pub(crate) fn is_picture_name(path: &Path) -> bool {
    has_extension(path, EXTENSIONS)
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().unwrap_or_default();
    extensions.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// Yields paths relative to the root, one folder after the other, each in the order of its names. Holds
/// the names of the folders on the way down, not those of all files. Hidden files and folders are passed
/// over, and links to folders are not followed: they may lead in circles.
pub(super) struct Walk {
    root: PathBuf,
    /// What is still to be visited, the next one last.
    pending: Vec<Pending>,
    failed: bool,
}

struct Pending {
    path: PathBuf,
    is_folder: bool,
}

impl Walk {
    pub fn new(root: &Path) -> Self {
        let start = Pending { path: PathBuf::new(), is_folder: true };
        Walk { root: root.to_owned(), pending: vec![start], failed: false }
    }

    fn enter(&mut self, folder: &Path) -> Result<(), Error> {
        let path = self.root.join(folder);
        let io = |source| Error::Io { path: path.clone(), source };
        let mut entries: Vec<(OsString, bool)> = Vec::new();
        for entry in fs::read_dir(&path).map_err(io)? {
            let entry = entry.map_err(io)?;
            let name = entry.file_name();
            let hidden = name.as_encoded_bytes().starts_with(b".");
            let is_folder = entry.file_type().map_err(io)?.is_dir();
            let path = Path::new(&name);
            let wanted = is_folder || is_picture_name(path) || has_extension(path, FOREIGN);
            if !hidden && wanted {
                entries.push((name, is_folder));
            }
        }
        entries.sort_unstable_by_key(|(name, _)| Reverse(name.clone()));
        self.pending.extend(
            entries
                .into_iter()
                .map(|(name, is_folder)| Pending { path: folder.join(name), is_folder }),
        );
        Ok(())
    }
}

impl Iterator for Walk {
    type Item = Result<PathBuf, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(Pending { path, is_folder }) = self.pending.pop() {
            if self.failed {
                return None;
            }
            if !is_folder {
                return Some(Ok(path));
            }
            if let Err(error) = self.enter(&path) {
                self.failed = true;
                return Some(Err(error));
            }
        }
        None
    }
}
