//! All pictures of a shop, decoded once: small, square, one byte a value.
//!
//! Flowing in: the pictures of a collection's items, as files. Flowing out: batches for a network that is
//! trained on them, which asks for each picture many times an epoch. A JPEG takes milliseconds to decode; here it
//! takes a copy.
//!
//! ```text
//! magic "LKPICTS1" | side u32 | count u32 | count x SHA-256 of the picture's file, ascending | count x pixels
//! ```
//!
//! Little-endian; pixels are `3 side side` bytes, channel by channel. The file is a cache: what does not fit
//! together is made again, and a changed catalogue costs only its new pictures. It is replaced by renaming, never
//! written in place.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use memmap2::Mmap;
use rayon::prelude::*;

use super::Error;
use super::pictures::{Hash, Picture, decode, pictures};
use crate::collection::Collection;
use crate::encode::image::squash;

const MAGIC: &[u8; 8] = b"LKPICTS1";
const HEADER: usize = 16;
const HASH: usize = 32;

/// Pictures decoded side by side before they are written: what is held in memory.
const TOGETHER: usize = 256;

/// How bytes become numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// From -1 to 1: `(byte - 127.5) / 127.5`.
    Signed,
    /// From 0 to 1: `byte / 255`.
    Unit,
}

impl Scale {
    /// What each byte becomes.
    fn table(self) -> [f32; 256] {
        std::array::from_fn(|byte| match self {
            Scale::Signed => (byte as f32 - 127.5) / 127.5,
            Scale::Unit => byte as f32 / 255.0,
        })
    }
}

enum Pixels {
    Owned(Vec<u8>),
    Mapped(Mmap),
}

/// A square picture an item, for those that have one.
pub struct Gallery {
    side: usize,
    pixels: Pixels,
    /// By the item's dense number, where its pixels start.
    starts: Vec<Option<usize>>,
}

impl Gallery {
    /// Pictures of `side` rows and columns, 3 x side x side bytes each, channel by channel, by the item's dense number.
    ///
    /// # Panics
    /// Where a picture has another size.
    pub fn new(side: usize, pictures: Vec<Option<Vec<u8>>>) -> Self {
        let mut pixels = Vec::new();
        let place = |picture: Option<Vec<u8>>| {
            picture.map(|picture| {
                assert_eq!(picture.len(), 3 * side * side, "a picture of another size");
                pixels.extend(picture);
                pixels.len() - 3 * side * side
            })
        };
        let starts = pictures.into_iter().map(place).collect();
        Gallery { side, pixels: Pixels::Owned(pixels), starts }
    }

    /// The pictures of some of a collection's items; `folder` is where they are kept, the collection's own
    /// where it is `None`.
    pub fn of(
        collection: &Collection,
        items: &[u32],
        side: usize,
        folder: Option<&Path>,
    ) -> Result<Self, Error> {
        let wanted = pictures(collection, items)?;
        let own = collection.path().join("pictures");
        let folder = folder.unwrap_or(&own);
        Gallery::kept(&wanted, side, &folder.join(format!("{side}.pixels")))
    }

    fn kept(wanted: &[Picture], side: usize, path: &Path) -> Result<Self, Error> {
        let size = 3 * side * side;
        let files: BTreeMap<Hash, &Path> =
            wanted.iter().flatten().map(|(hash, path)| (*hash, path.as_path())).collect();
        let mut kept = Kept::open(path, side);
        if kept.as_ref().is_none_or(|kept| files.keys().any(|hash| kept.find(hash).is_none())) {
            write(path, side, &files, kept.as_ref())
                .map_err(|source| Error::Io { path: path.to_owned(), source })?;
            kept = Kept::open(path, side);
        }
        let Some(kept) = kept else {
            let reason = "it is not what was just written".to_owned();
            return Err(Error::Damaged { path: path.to_owned(), reason });
        };
        let start = |hash: &Hash| {
            let place = kept.find(hash).filter(|place| kept.is_there(*place, size))?;
            Some(kept.pixels() + place * size)
        };
        let starts =
            wanted.iter().map(|wanted| wanted.as_ref().and_then(|(hash, _)| start(hash))).collect();
        Ok(Gallery { side, starts, pixels: Pixels::Mapped(kept.map) })
    }

    /// Rows, and columns, of every picture.
    pub fn side(&self) -> usize {
        self.side
    }

    /// How many items there are, with a picture or without.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Whether an item has a picture.
    pub fn has(&self, item: u32) -> bool {
        self.starts[item as usize].is_some()
    }

    /// The items that have one, ascending.
    pub fn items(&self) -> Vec<u32> {
        (0..self.len() as u32).filter(|&item| self.has(item)).collect()
    }

    /// The bytes of an item's picture, channel by channel.
    pub fn picture(&self, item: u32) -> Option<&[u8]> {
        let all: &[u8] = match &self.pixels {
            Pixels::Owned(pixels) => pixels,
            Pixels::Mapped(map) => map,
        };
        self.starts[item as usize].map(|start| &all[start..start + 3 * self.side * self.side])
    }

    /// The pictures of some items, one after the other, as numbers; zeros where there is none.
    pub fn batch(&self, items: &[u32], scale: Scale) -> Vec<f32> {
        let table = scale.table();
        let size = 3 * self.side * self.side;
        let mut values = vec![0.0; items.len() * size];
        for (values, &item) in values.chunks_exact_mut(size.max(1)).zip(items) {
            if let Some(picture) = self.picture(item) {
                values.iter_mut().zip(picture).for_each(|(v, &byte)| *v = table[byte as usize]);
            }
        }
        values
    }
}

/// A file of pixels whose parts fit together.
struct Kept {
    map: Mmap,
    count: usize,
}

impl Kept {
    /// `None` where there is no such file, or it is no such file.
    fn open(path: &Path, side: usize) -> Option<Self> {
        let file = File::open(path).ok()?;
        // SAFETY: the map is only read. Whoever truncates the file meanwhile ends this process with
        // SIGBUS, whoever writes into it changes what networks see; we only ever replace it by renaming.
        let map = unsafe { Mmap::map(&file) }.ok()?;
        let number = |at: usize| -> Option<u32> {
            Some(u32::from_le_bytes(map.get(at..at + 4)?.try_into().ok()?))
        };
        let count = number(12)? as usize;
        let length = count.checked_mul(HASH + 3 * side * side)?.checked_add(HEADER)?;
        let fits = map.get(..8)? == MAGIC && number(8)? as usize == side && map.len() == length;
        let kept = fits.then_some(Kept { map, count })?;
        kept.hashes().is_sorted().then_some(kept)
    }

    fn hashes(&self) -> impl Iterator<Item = &[u8]> {
        self.map[HEADER..self.pixels()].chunks_exact(HASH)
    }

    /// Where the first pixel stands.
    fn pixels(&self) -> usize {
        HEADER + self.count * HASH
    }

    fn find(&self, hash: &Hash) -> Option<usize> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = (low + high) / 2;
            match self.map[HEADER + middle * HASH..][..HASH].cmp(hash) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    /// A picture that could not be decoded is kept as a checkerboard of bytes that no picture is, so that it is
    /// not tried again at every start.
    fn is_there(&self, place: usize, size: usize) -> bool {
        self.map[self.pixels() + place * size..][..size] != missing(size)
    }
}

/// Stands for a picture that cannot be read.
fn missing(size: usize) -> Vec<u8> {
    (0..size).map(|at| if at % 2 == 0 { 0 } else { 255 }).collect()
}

/// Writes the file anew, taking over what is kept already.
fn write(
    path: &Path,
    side: usize,
    files: &BTreeMap<Hash, &Path>,
    kept: Option<&Kept>,
) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let temporary = tempfile::NamedTempFile::new_in(folder)?;
    let mut out = BufWriter::new(temporary.as_file());
    out.write_all(MAGIC)?;
    out.write_all(&(side as u32).to_le_bytes())?;
    out.write_all(&(files.len() as u32).to_le_bytes())?;
    for hash in files.keys() {
        out.write_all(hash)?;
    }
    let files: Vec<(&Hash, &&Path)> = files.iter().collect();
    let size = 3 * side * side;
    for some in files.chunks(TOGETHER) {
        let pictures: Vec<Vec<u8>> = some
            .par_iter()
            .map(|(hash, path)| match kept.and_then(|kept| Some((kept, kept.find(hash)?))) {
                Some((kept, place)) => kept.map[kept.pixels() + place * size..][..size].to_vec(),
                None => decode(hash, path)
                    .map_or_else(|| missing(size), |picture| planes(&squash(&picture, side))),
            })
            .collect();
        for picture in pictures {
            out.write_all(&picture)?;
        }
    }
    out.flush()?;
    drop(out);
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// RGB bytes, channel by channel.
pub(super) fn planes(rgb: &[u8]) -> Vec<u8> {
    (0..3).flat_map(|channel| rgb.iter().skip(channel).step_by(3).copied()).collect()
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn picture(folder: &Path, name: &str, shade: u8) -> Picture {
        let path = folder.join(name);
        let image = image::RgbImage::from_fn(20, 12, |x, y| image::Rgb([shade, x as u8, y as u8]));
        image.save(&path).unwrap();
        let hash = Sha256::digest(fs::read(&path).unwrap()).into();
        Some((hash, path))
    }

    #[test]
    fn pictures_are_decoded_once_and_only_what_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache/4.pixels");
        let mut wanted = vec![picture(folder.path(), "a.png", 10), None];
        let gallery = Gallery::kept(&wanted, 4, &cache).unwrap();
        assert_eq!((gallery.len(), gallery.items()), (2, vec![0]));
        assert_eq!(gallery.picture(0).unwrap()[..16], [10; 16], "the red channel");
        // 20 columns, 5 to a pixel of the result: the middle of the first is column 2.
        assert!((2..4).contains(&gallery.picture(0).unwrap()[16]));
        // Without the first file: it is not needed any more. The second is.
        fs::remove_file(&wanted[0].as_ref().unwrap().1).unwrap();
        wanted[1] = picture(folder.path(), "b.png", 20);
        let gallery = Gallery::kept(&wanted, 4, &cache).unwrap();
        assert_eq!(gallery.items(), [0, 1]);
        assert_eq!(gallery.picture(1).unwrap()[0], 20);
        assert_eq!(gallery.batch(&[1], Scale::Signed)[0], (20.0 - 127.5) / 127.5);
        assert_eq!(gallery.batch(&[0], Scale::Unit)[0], 10.0 / 255.0);
    }

    #[test]
    fn what_changed_since_it_was_indexed_counts_as_missing() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = vec![picture(folder.path(), "a.png", 10), picture(folder.path(), "b.png", 9)];
        picture(folder.path(), "a.png", 30);
        let gallery = Gallery::kept(&wanted, 4, &folder.path().join("4.pixels")).unwrap();
        assert_eq!(gallery.items(), [1]);
        assert!(gallery.batch(&[0], Scale::Unit).iter().all(|value| *value == 0.0));
    }

    #[test]
    fn a_damaged_file_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("4.pixels");
        let wanted = vec![picture(folder.path(), "a.png", 10), picture(folder.path(), "b.png", 9)];
        Gallery::kept(&wanted, 4, &cache).unwrap();
        let whole = fs::read(&cache).unwrap();
        let mut unsorted = whole.clone();
        unsorted[HEADER..HEADER + 2 * HASH].rotate_left(HASH);
        let mut huge = whole.clone();
        huge[12..16].fill(255);
        for damaged in [&whole[..whole.len() - 1], &whole[..10], &[], &unsorted, &huge, b"LKPICTS2"]
        {
            fs::write(&cache, damaged).unwrap();
            assert_eq!(Gallery::kept(&wanted, 4, &cache).unwrap().items(), [0, 1]);
            assert_eq!(fs::read(&cache).unwrap(), whole);
        }
    }
}
