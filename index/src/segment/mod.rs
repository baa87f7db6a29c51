//! The segment: an immutable file of ids and vectors, used where it lies.
//!
//! `FORMAT.md` beside this crate's sources is the specification; [`format`] reads and writes
//! the header it draws, [`writer`] makes a file, [`verify`] reads all of one.

mod format;
mod verify;
mod writer;

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::error::{Error, Fault, QueryError};
use crate::exact::Exact;
use crate::graph::Graph;
use crate::neighbours::{Neighbours, SearchOptions};
use crate::pages::Pages;
use crate::vectors::Vectors;
use format::Layout;

pub(crate) use format::{MAX_DIMENSION, MAX_LABEL};
pub use writer::SegmentWriter;

/// How the components of the vectors are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32 bits: as they came.
    F32,
    /// 16 bits: half the bytes, so half the time of a scan, for similarities that move by some
    /// 0.0001 at most.
    F16,
}

impl Precision {
    /// The bits of one component.
    pub fn bits(self) -> u32 {
        match self {
            Precision::F32 => 32,
            Precision::F16 => 16,
        }
    }

    /// The bytes of one component.
    fn bytes(self) -> usize {
        self.bits() as usize / 8
    }
}

/// An open segment, over a mapped file or any other bytes.
///
/// Opening checks the header, the section table and the label, and nothing else: it costs the same
/// however many vectors there are. What lies in the sections is checked where it is used, so that a
/// damaged file may give wrong answers but never a wrong read; [`verify`](Self::verify) tells.
#[derive(Debug)]
pub struct Segment<B = Mmap> {
    bytes: B,
    path: PathBuf,
    layout: Layout,
}

impl Segment<Mmap> {
    /// Opens and maps a segment file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let io = |source| Error::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        // SAFETY: nobody may truncate or change the file while it is mapped. Our own writer upholds
        // that: it publishes a finished file by renaming it, and never opens one for writing again.
        // The operating system cannot hold others to it. If somebody truncates the file, the next
        // read beyond its end kills the process with SIGBUS; if somebody changes it, similarities
        // come out wrong, but no index or length is ever read from the map after it was checked,
        // so that no read goes astray.
        let bytes = unsafe { Mmap::map(&file) }.map_err(io)?;
        Self::new(bytes, path.to_owned())
    }
}

impl<B: AsRef<[u8]>> Segment<B> {
    /// Reads a segment from bytes, wherever they come from. They must stay the same.
    pub fn from_bytes(bytes: B) -> Result<Self, Error> {
        Self::new(bytes, PathBuf::from("(in memory)"))
    }

    fn new(bytes: B, path: PathBuf) -> Result<Self, Error> {
        match Layout::read(bytes.as_ref()) {
            Ok(layout) => Ok(Segment { bytes, path, layout }),
            Err(format::Refusal::NotASegment) => Err(Error::NotASegment { path }),
            Err(format::Refusal::NewerVersion(found)) => {
                Err(Error::NewerVersion { path, found, supported: format::VERSION })
            }
            Err(format::Refusal::Corrupted(fault)) => Err(Error::Corrupted { path, fault }),
        }
    }

    /// Reads every byte and says whether the segment is sound: checksums, gaps, ids in order,
    /// vectors finite and of length one.
    pub fn verify(&self) -> Result<(), Error> {
        verify::verify(self.bytes.as_ref(), &self.layout, &self.vectors())
            .map_err(|fault: Fault| Error::Corrupted { path: self.path.clone(), fault })
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.layout.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The components of each vector.
    pub fn dimension(&self) -> usize {
        self.layout.dimension
    }

    /// How they are stored.
    pub fn precision(&self) -> Precision {
        self.layout.precision
    }

    /// What the owner wrote beside the vectors. This crate never looks into it.
    pub fn label(&self) -> &[u8] {
        self.section(&self.layout.label)
    }

    /// Where it lies; `(in memory)` where that is no file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The size of the file in bytes.
    pub fn size(&self) -> usize {
        self.bytes.as_ref().len()
    }

    /// The id of a row.
    pub fn id(&self, row: u32) -> Option<u32> {
        self.vectors().ids.get(row as usize).map(|id| u32::from_le_bytes(*id))
    }

    /// The row of an id, found by halving.
    pub fn row_of(&self, id: u32) -> Option<u32> {
        let (ids, number) = (self.vectors().ids, |id: &[u8; 4]| u32::from_le_bytes(*id));
        // Most often no number is left out.
        let guess = id.checked_sub(number(ids.first()?))?;
        match ids.get(guess as usize) {
            Some(found) if number(found) == id => Some(guess),
            _ => ids.binary_search_by(|probe| number(probe).cmp(&id)).ok().map(|row| row as u32),
        }
    }

    /// All ids, by row.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = u32> {
        self.vectors().ids.iter().map(|id| u32::from_le_bytes(*id))
    }

    /// The vector of a row, as it is stored.
    pub fn vector(&self, row: u32) -> Option<Vec<f32>> {
        ((row as usize) < self.len()).then(|| self.vectors().row(row as usize))
    }

    /// The graph of this segment, if it was written with one.
    pub fn graph(&self) -> Option<Graph<'_>> {
        let (range, layout) = self.layout.graph.as_ref()?;
        Some(Graph::new(self.vectors(), layout, self.section(range)))
    }

    /// Whoever is the fastest to find neighbours in this segment.
    pub fn neighbours(&self) -> Box<dyn Neighbours + '_> {
        match self.graph() {
            Some(graph) => Box::new(graph),
            None => Box::new(self.exact()),
        }
    }

    /// As [`Neighbours::pages`] of [`neighbours`](Self::neighbours), for as long as the segment is open.
    pub(crate) fn pages(
        &self,
        query: &[f32],
        options: &SearchOptions,
    ) -> Result<Pages<'_>, QueryError> {
        match self.graph() {
            Some(graph) => graph.hand_out(query, options),
            None => self.exact().hand_out(query, options),
        }
    }

    /// The exact scan over this segment.
    pub fn exact(&self) -> Exact<'_> {
        Exact::new(self.vectors())
    }

    /// The exact similarities of some rows, in their order: to score anew what a coarser search
    /// proposed.
    pub fn similarities(&self, query: &[f32], rows: &[u32]) -> Result<Vec<f32>, QueryError> {
        let vectors = self.vectors();
        vectors.check(query)?;
        let mut similarities = vec![0.0; rows.len()];
        for (&row, similarity) in rows.iter().zip(&mut similarities) {
            if row as usize >= vectors.len() {
                return Err(QueryError::NoSuchRow { row, rows: vectors.len() });
            }
            vectors.products(row as usize, 1, &[query], std::slice::from_mut(similarity));
        }
        Ok(similarities)
    }

    /// The exact similarity of every row, by row: for an owner who ranks by more than this
    /// segment knows. `similarities` must have [`len`](Self::len) places.
    pub fn scan(&self, query: &[f32], similarities: &mut [f32]) -> Result<(), QueryError> {
        self.vectors().scan(query, similarities)
    }

    fn section(&self, range: &Range<usize>) -> &[u8] {
        &self.bytes.as_ref()[range.clone()]
    }

    pub(crate) fn vectors(&self) -> Vectors<'_> {
        let components = self.section(&self.layout.vectors);
        let ids = self.section(&self.layout.ids);
        Vectors::new(ids, self.layout.dimension, self.layout.precision, components)
    }
}
