//! What an encoder sees in the pictures of a collection's items: made once, and kept in the collection by the hash of
//! the picture's file.
//!
//! The file is a cache. What is damaged is made again, a changed catalogue costs only its new pictures, and
//! of a long run that is cut off no more than half is lost.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use safetensors::tensor::Dtype;

use super::Error;
use super::checkpoint::{Checkpoint, Column, write};
use super::material::Material;
use super::model::{Array, State};
use super::pictures::{Hash, Picture, decode};
use crate::encode::{ImageEncoder, Pixels};

/// Pictures that are decoded and encoded at once.
const TOGETHER: usize = 64;

/// So many new pictures are worth writing the file for, where it is not larger.
const WORTH_WRITING: usize = 2048;

/// Rows of numbers of one length, by the picture that they were made of.
pub(super) struct Sights {
    path: PathBuf,
    length: usize,
    rows: BTreeMap<Hash, Vec<f32>>,
    /// By what the rows were made, beside the encoder.
    pub basis: State,
    unwritten: usize,
}

impl Sights {
    /// The file's, as far as its rows have this length; none where it is not there or damaged.
    pub fn open(path: PathBuf, length: usize) -> Self {
        let (rows, basis) = read(&path, length).unwrap_or_default();
        Sights { path, length, rows, basis, unwritten: 0 }
    }

    /// Begins anew.
    pub fn forget(&mut self) {
        self.rows.clear();
        self.basis.clear();
    }

    /// The pictures of which nothing is known yet, each once.
    pub fn missing<'a>(&self, pictures: &'a [Picture]) -> Vec<(Hash, &'a Path)> {
        let pictures = pictures.iter().flatten();
        let missing = pictures.filter(|(hash, _)| !self.rows.contains_key(hash));
        let missing: BTreeMap<Hash, &Path> =
            missing.map(|(hash, path)| (*hash, path.as_path())).collect();
        missing.into_iter().collect()
    }

    /// Has an encoder look at pictures; `see` makes rows of what it reads, one each. Pictures that cannot be read are
    /// left out.
    pub fn look(
        &mut self,
        missing: &[(Hash, &Path)],
        encoder: &dyn ImageEncoder,
        material: &Material<'_>,
        see: impl Fn(&[Pixels]) -> Result<Vec<Vec<f32>>, Error>,
    ) -> Result<(), Error> {
        let (mut looked, all) = (0, missing.len());
        for some in missing.chunks(TOGETHER) {
            let (hashes, pixels) = prepared(some, encoder);
            let rows = see(&pixels)?;
            self.rows.extend(hashes.into_iter().zip(rows));
            self.unwritten += some.len();
            let tenths = looked * 10 / all;
            looked += some.len();
            if looked * 10 / all > tenths {
                material.tell(&format!("{} has seen {looked} of {all} pictures", encoder.name()));
            }
            if self.unwritten >= WORTH_WRITING.max(self.rows.len() / 2) {
                self.write()?;
            }
        }
        if self.unwritten > 0 { self.write() } else { Ok(()) }
    }

    /// The rows of pictures one after the other, zeros where there is none.
    pub fn values(&self, pictures: &[Picture]) -> Vec<f32> {
        let mut values = vec![0.0; pictures.len() * self.length];
        for (row, picture) in values.chunks_mut(self.length.max(1)).zip(pictures) {
            if let Some(found) = picture.as_ref().and_then(|(hash, _)| self.rows.get(hash)) {
                row.copy_from_slice(found);
            }
        }
        values
    }

    fn write(&mut self) -> Result<(), Error> {
        let hashes = self.rows.keys().flatten().copied().collect::<Vec<u8>>();
        let rows = self.rows.values().flatten().copied().collect();
        let rows = Array::rows(self.rows.len(), rows);
        let mut columns = vec![
            ("hashes".to_owned(), Column::Bytes(&hashes)),
            ("rows".to_owned(), Column::Floats(&rows)),
        ];
        let basis = self.basis.iter();
        columns
            .extend(basis.map(|(name, array)| (format!("{BASIS}{name}"), Column::Floats(array))));
        write(&self.path, &self.length, &columns)?;
        self.unwritten = 0;
        Ok(())
    }
}

/// Stands before the names of the basis' arrays.
const BASIS: &str = "basis ";

/// Pictures as an encoder reads them, and their hashes.
pub(super) fn prepared(
    some: &[(Hash, &Path)],
    encoder: &dyn ImageEncoder,
) -> (Vec<Hash>, Vec<Pixels>) {
    let read = |(hash, path): &(Hash, &Path)| Some((*hash, encoder.prepare(&decode(hash, path)?)));
    some.par_iter().filter_map(read).unzip()
}

fn read(path: &Path, length: usize) -> Option<(BTreeMap<Hash, Vec<f32>>, State)> {
    let file = Checkpoint::open(path).ok()??;
    if file.about::<usize>().ok()? != length || length == 0 {
        return None;
    }
    let hashes = file.range("hashes", Dtype::U8).ok()?;
    let hashes = file.bytes(hashes).as_chunks::<32>().0;
    let rows = file.array("rows").ok()?.values;
    let basis = file.arrays(BASIS).ok()?;
    let rows = rows.chunks_exact(length).map(<[f32]>::to_vec);
    Some((hashes.iter().copied().zip(rows).collect(), basis))
}
