//! What the model sees on every item's picture, whoever asks: worked out once when a model is kept, so that rating
//! candidates is the tower alone.
//!
//! ```text
//! magic "LKLOOKS1" | items u32 | values u32 | items x values f16
//! ```
//!
//! Little-endian; the values are [`RatingNetwork::looks`](super::network::RatingNetwork::looks), 24 KB an item. Halves:
//! what a rating loses by them is far below a hundredth of a star. The file is written beside its place and moved there
//! when it is whole.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use half::f16;
use half::slice::HalfFloatSliceExt;
use memmap2::Mmap;
use sha2::{Digest, Sha256};

use super::learn::Rating;
use crate::collection::Collection;
use crate::hex;
use crate::taste::Error;
use crate::taste::model::State;

const MAGIC: &[u8; 8] = b"LKLOOKS1";
const HEADER: usize = 16;

/// Items whose pictures are seen together.
const TOGETHER: usize = 256;

/// What was seen of all items.
pub(super) struct Looks {
    map: Mmap,
    /// Bytes of an item.
    size: usize,
}

/// By what the file of a model is named: what the model looks with, and at which items.
pub(super) fn digest(state: &State, items: &[u32]) -> String {
    let mut hash = Sha256::new();
    for (name, array) in state {
        if name.starts_with("encoder.") || name.starts_with("look.") {
            array.values.iter().for_each(|x| hash.update(x.to_le_bytes()));
        }
    }
    items.iter().for_each(|id| hash.update(id.to_le_bytes()));
    hex::encode(&hash.finalize()[..8])
}

/// Where the file of that digest is.
pub(super) fn file(collection: &Collection, digest: &str) -> PathBuf {
    collection.models_folder().join(format!("rating.{digest}.looks"))
}

/// Looks at all items and writes down what is there to see.
pub(super) fn write(path: &Path, model: &Rating) -> Result<(), Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(io)?;
    }
    let beside = path.with_extension("partial");
    let items: Vec<u32> = (0..model.items() as u32).collect();
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&beside).map_err(io)?);
    out.write_all(MAGIC).map_err(io)?;
    for number in [items.len(), model.network().look_values()] {
        out.write_all(&(number as u32).to_le_bytes()).map_err(io)?;
    }
    for some in items.chunks(TOGETHER) {
        let values = model.looks(some)?;
        let mut halves = vec![f16::ZERO; values.len()];
        halves.convert_from_f32_slice(&values);
        let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
        out.write_all(&bytes).map_err(io)?;
    }
    out.flush().and_then(|()| out.get_ref().sync_all()).map_err(io)?;
    fs::rename(&beside, path).map_err(io)
}

impl Looks {
    /// Opens the file of a model of so many items and values of each.
    pub fn open(path: &Path, items: usize, values: usize) -> Result<Self, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let damaged = |reason| Error::Damaged { path: path.to_owned(), reason };
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(damaged("it is gone".to_owned()));
            }
            file => file.map_err(io)?,
        };
        // SAFETY: the map is only read. Whoever truncates the file meanwhile ends this process with SIGBUS,
        // whoever writes into it changes what is rated; we only ever replace it by renaming.
        let map = unsafe { Mmap::map(&file) }.map_err(io)?;
        let number = |at: usize| {
            let bytes = map.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map(|bytes| u32::from_le_bytes(bytes) as usize)
        };
        let length = items.checked_mul(2 * values).and_then(|bytes| bytes.checked_add(HEADER));
        let fits = map.starts_with(MAGIC)
            && (number(8), number(12)) == (Some(items), Some(values))
            && length == Some(map.len());
        if !fits {
            return Err(damaged(format!("it is not what a model of {items} items has seen")));
        }
        Ok(Looks { map, size: 2 * values })
    }

    /// What was seen of an item.
    ///
    /// # Panics
    /// Where there is no such item.
    pub fn of(&self, item: u32) -> &[u8] {
        &self.map[HEADER + item as usize * self.size..][..self.size]
    }
}
