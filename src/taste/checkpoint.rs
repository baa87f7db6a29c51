//! Arrays with a description, in one safetensors file: a model to be served, or a run to be taken up again.
//!
//! A file is written beside its place and moved there when it is whole and on the medium, so that
//! whoever has the old one mapped keeps it, and a killed writer leaves nothing half done.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize_to_file};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;
use super::model::{Array, State};

/// Under this name the description stands in the file's metadata.
const ABOUT: &str = "lookalike-taste";

/// An array to be written.
pub(super) enum Column<'a> {
    Floats(&'a Array),
    Numbers(&'a [u32]),
    Bytes(&'a [u8]),
}

/// Writes a file.
pub(super) fn write(
    path: &Path,
    about: &impl Serialize,
    columns: &[(String, Column<'_>)],
) -> Result<(), Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let bytes: Vec<(Dtype, Vec<usize>, Vec<u8>)> = columns
        .iter()
        .map(|(_, column)| match column {
            Column::Floats(array) => {
                let bytes = array.values.iter().flat_map(|x| x.to_le_bytes()).collect();
                (Dtype::F32, array.shape.clone(), bytes)
            }
            Column::Numbers(numbers) => {
                let bytes = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
                (Dtype::U32, vec![numbers.len()], bytes)
            }
            Column::Bytes(bytes) => (Dtype::U8, vec![bytes.len()], bytes.to_vec()),
        })
        .collect();
    let views = columns.iter().zip(&bytes).map(|((name, _), (dtype, shape, bytes))| {
        TensorView::new(*dtype, shape.clone(), bytes).map(|view| (name.clone(), view))
    });
    let failed = |e: &dyn std::fmt::Display| io(std::io::Error::other(e.to_string()));
    let views: Vec<_> = views.collect::<Result<_, _>>().map_err(|e| failed(&e))?;
    let about = serde_json::to_string(about).map_err(|e| failed(&e))?;
    let metadata = HashMap::from([(ABOUT.to_owned(), about)]);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io)?;
    }
    let beside = path.with_extension("partial");
    serialize_to_file(views, Some(metadata), &beside).map_err(|e| failed(&e))?;
    File::open(&beside).and_then(|file| file.sync_all()).map_err(io)?;
    fs::rename(&beside, path).map_err(io)
}

/// A file that has been opened: mapped, and checked as far as its header goes.
pub(super) struct Checkpoint {
    path: PathBuf,
    map: Mmap,
    arrays: HashMap<String, (Dtype, Vec<usize>, Range<usize>)>,
    about: String,
}

impl Checkpoint {
    /// Opens a file; `None` where there is none.
    pub fn open(path: &Path) -> Result<Option<Self>, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let damaged = |reason: String| Error::Damaged { path: path.to_owned(), reason };
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file.map_err(io)?,
        };
        // SAFETY: nobody may truncate or change the file while it is mapped. `write` never does: it moves
        // a new file into the old one's place. Somebody else who truncates it ends this process by
        // SIGBUS; one who changes it makes scores wrong, but ranges were checked against the map's own
        // length and no other index is ever taken from it unchecked.
        let map = unsafe { Mmap::map(&file) }.map_err(io)?;
        let (_, metadata) = SafeTensors::read_metadata(&map).map_err(|e| damaged(e.to_string()))?;
        let about = metadata.metadata().as_ref().and_then(|all| all.get(ABOUT)).cloned();
        let about = about.ok_or_else(|| damaged("it is no model of this program".to_owned()))?;
        let tensors = SafeTensors::deserialize(&map).map_err(|e| damaged(e.to_string()))?;
        let start = map.as_ptr() as usize;
        let arrays = tensors.iter().map(|(name, view)| {
            let first = view.data().as_ptr() as usize - start;
            let range = first..first + view.data().len();
            (name.to_owned(), (view.dtype(), view.shape().to_vec(), range))
        });
        let arrays = arrays.collect();
        Ok(Some(Checkpoint { path: path.to_owned(), map, arrays, about }))
    }

    pub fn damaged(&self, reason: impl Into<String>) -> Error {
        Error::Damaged { path: self.path.clone(), reason: reason.into() }
    }

    /// What was written about it.
    pub fn about<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.about)
            .map_err(|e| self.damaged(format!("its description cannot be read: {e}")))
    }

    /// Where an array lies, if it is there and is of this type.
    pub fn range(&self, name: &str, dtype: Dtype) -> Result<Range<usize>, Error> {
        match self.arrays.get(name) {
            Some((found, _, range)) if *found == dtype => Ok(range.clone()),
            _ => Err(self.damaged(format!("it lacks \"{name}\""))),
        }
    }

    /// Some of its bytes; none where they would lie beyond it.
    pub fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.map.get(range).unwrap_or_default()
    }

    /// `count` floats from the `first` on, of an array that begins at `range`.
    pub fn floats(&self, range: &Range<usize>, first: usize, count: usize) -> Vec<f32> {
        let start = range.start + first * 4;
        let bytes = self.bytes(start..(start + count * 4).min(range.end)).as_chunks::<4>().0;
        bytes.iter().map(|b| f32::from_le_bytes(*b)).collect()
    }

    /// A whole array of floats.
    pub fn array(&self, name: &str) -> Result<Array, Error> {
        let range = self.range(name, Dtype::F32)?;
        let shape = self.arrays.get(name).map(|(_, shape, _)| shape.clone()).unwrap_or_default();
        Ok(Array { shape, values: self.floats(&range, 0, range.len() / 4) })
    }

    /// All arrays of floats whose names begin so, by what follows.
    pub fn arrays(&self, prefix: &str) -> Result<State, Error> {
        let names = self.arrays.keys().filter_map(|name| Some((name, name.strip_prefix(prefix)?)));
        names.map(|(name, rest)| Ok((rest.to_owned(), self.array(name)?))).collect()
    }

    /// A whole array of numbers.
    pub fn numbers(&self, name: &str) -> Result<Vec<u32>, Error> {
        let range = self.range(name, Dtype::U32)?;
        Ok(self.bytes(range).as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect())
    }
}
