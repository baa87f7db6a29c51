//! Streams vectors into a new segment file.
//!
//! In: ids and vectors, one by one. Out: a file under its name, whole and on the medium, or none at
//! all. Memory stays the same however many rows come: vectors go to the file at once, and the
//! ids, whose section follows them, wait in a nameless file beside it.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use half::slice::HalfFloatSliceExt;
use memmap2::Mmap;
use tempfile::NamedTempFile;

use super::Precision;
use super::format::{
    self, ALIGNMENT, GRAPH, IDS, LABEL, MAX_DIMENSION, MAX_LABEL, Section, VECTORS,
};
use super::verify::{NORM_TOLERANCE, norm};
use crate::error::{RowError, WriteError};
use crate::graph::{self, Failure, GraphOptions, OnProgress};
use crate::vectors::Vectors;

/// The sections that we write at most. A table of three ends at the same boundary as one of four, so that
/// the first section starts at the same place with a graph and without.
const SECTIONS: usize = 4;
const _: () = assert!(
    format::table_end(3).next_multiple_of(ALIGNMENT)
        == format::table_end(SECTIONS).next_multiple_of(ALIGNMENT)
);

/// A graph that the caller wants.
type Wanted<'a, 'b> = (&'a GraphOptions, &'a mut OnProgress<'b>);

/// Writes a segment. Dropped before [`finish`](Self::finish), it leaves nothing behind.
///
/// Only a killed process leaves something: a file `.NAME.XXXXXX.partial` beside the one that was to
/// be, which may be deleted whenever no writer is at work.
#[derive(Debug)]
pub struct SegmentWriter {
    path: PathBuf,
    dimension: usize,
    precision: Precision,
    label: Vec<u8>,
    file: Checked<BufWriter<NamedTempFile>>,
    ids: BufWriter<File>,
    rows: usize,
    last_id: Option<u32>,
    /// One row as it is stored.
    row: Vec<u8>,
}

impl SegmentWriter {
    /// Begins a segment that will be called `path`, where no file may be yet.
    ///
    /// The `label` is the owner's own: whatever must be known about all of the vectors.
    pub fn create(
        path: impl AsRef<Path>,
        dimension: usize,
        precision: Precision,
        label: &[u8],
    ) -> Result<Self, WriteError> {
        let path = path.as_ref().to_owned();
        if !(1..=MAX_DIMENSION).contains(&dimension) {
            return Err(WriteError::Dimension(dimension));
        }
        if label.len() > MAX_LABEL {
            return Err(WriteError::Label(label.len()));
        }
        if path.exists() {
            return Err(WriteError::Exists { path });
        }
        let (file, ids) =
            begin(&path).map_err(|source| WriteError::Io { path: path.clone(), source })?;
        Ok(SegmentWriter {
            path,
            dimension,
            precision,
            label: label.to_owned(),
            file,
            ids: BufWriter::new(ids),
            rows: 0,
            last_id: None,
            row: Vec::with_capacity(dimension * precision.bytes()),
        })
    }

    /// Adds a row. Ids must ascend.
    ///
    /// The vector's length must be within 0.001 of one. It is not scaled: an `f32` segment gives back
    /// the very bits it was given.
    pub fn push(&mut self, id: u32, vector: &[f32]) -> Result<(), WriteError> {
        self.check(id, vector).map_err(|source| WriteError::Row { id, source })?;
        self.row.clear();
        match self.precision {
            Precision::F32 => self.row.extend(vector.iter().flat_map(|x| x.to_le_bytes())),
            Precision::F16 => {
                let mut halves = vec![half::f16::ZERO; vector.len()];
                halves.convert_from_f32_slice(vector);
                self.row.extend(halves.iter().flat_map(|x| x.to_le_bytes()));
            }
        }
        let written =
            self.file.write(&self.row).and_then(|()| self.ids.write_all(&id.to_le_bytes()));
        written.map_err(|source| self.io(source))?;
        self.rows += 1;
        self.last_id = Some(id);
        Ok(())
    }

    /// How many rows were added.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether none were.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Publishes the segment: when this returns, the whole file is on the medium under its name.
    pub fn finish(self) -> Result<(), WriteError> {
        self.publish(None)
    }

    /// As [`finish`](Self::finish), with a graph, if there are enough rows for one to pay.
    ///
    /// `on_progress` hears how far the work has come, and cancels it by breaking: then nothing is
    /// left behind.
    pub fn finish_with_graph(
        self,
        options: &GraphOptions,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<(), WriteError> {
        let wanted = self.rows >= options.from_rows.max(1);
        self.publish(wanted.then_some((options, on_progress)))
    }

    fn publish(mut self, graph: Option<Wanted<'_, '_>>) -> Result<(), WriteError> {
        self.complete(graph).map_err(|failure| match failure {
            Failure::Cancelled => WriteError::Cancelled { path: self.path.clone() },
            Failure::Io(source) => self.io(source),
        })?;
        let SegmentWriter { path, file, .. } = self;
        let io = |source| WriteError::Io { path: path.clone(), source };
        let file = file.inner.into_inner().map_err(|error| io(error.into_error()))?;
        file.as_file().sync_all().map_err(io)?;
        match file.persist_noclobber(&path) {
            Ok(_) => {}
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(WriteError::Exists { path });
            }
            Err(error) => return Err(io(error.error)),
        }
        sync_folder(&path).map_err(io)
    }

    fn check(&self, id: u32, vector: &[f32]) -> Result<(), RowError> {
        if vector.len() != self.dimension {
            return Err(RowError::Dimension { expected: self.dimension, found: vector.len() });
        }
        if let Some(last) = self.last_id.filter(|&last| id <= last) {
            return Err(RowError::IdOrder { last });
        }
        if !vector.iter().all(|x| x.is_finite()) {
            return Err(RowError::NotFinite);
        }
        let norm = norm(vector);
        if (norm - 1.0).abs() > NORM_TOLERANCE {
            return Err(RowError::NotUnit(norm));
        }
        Ok(())
    }

    /// Writes what follows the vectors, and then, at the start, where everything lies.
    fn complete(&mut self, graph: Option<Wanted<'_, '_>>) -> Result<(), Failure> {
        let vectors = self.file.section(VECTORS);
        // A write that failed may have left part of a row.
        if vectors.range.len() != self.rows * self.dimension * self.precision.bytes() {
            return Err(io::Error::other("an earlier write failed").into());
        }
        self.file.next_section()?;
        self.ids.flush()?;
        self.ids.get_mut().seek(SeekFrom::Start(0))?;
        let mut ids = BufReader::new(self.ids.get_ref());
        let mut buffer = [0; 1 << 13];
        loop {
            match ids.read(&mut buffer)? {
                0 => break,
                some => self.file.write(&buffer[..some])?,
            }
        }
        let ids = self.file.section(IDS);
        if ids.range.len() != self.rows * 4 {
            return Err(io::Error::other("an earlier write failed").into());
        }
        self.file.next_section()?;
        self.file.write(&self.label)?;
        let mut sections = vec![vectors, ids, self.file.section(LABEL)];
        if let Some((options, on_progress)) = graph {
            self.file.next_section()?;
            self.write_graph(&sections, options, on_progress)?;
            sections.push(self.file.section(GRAPH));
        }
        let header = format::write(self.rows, self.dimension, self.precision, &sections);
        self.file.inner.seek(SeekFrom::Start(0))?;
        self.file.inner.write_all(&header)?;
        Ok(self.file.inner.flush()?)
    }

    /// Writes a graph over the vectors, which are read back from the file.
    fn write_graph(
        &mut self,
        sections: &[Section],
        options: &GraphOptions,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<(), Failure> {
        let map = self.map()?;
        let bytes = |section: &Section| &map[section.range.clone()];
        let vectors =
            Vectors::new(bytes(&sections[1]), self.dimension, self.precision, bytes(&sections[0]));
        let file = &mut self.file;
        graph::write(&vectors, options, on_progress, |bytes| file.write(bytes))?;
        let whole = self.map()?;
        let body = &whole[self.file.start..self.file.end];
        let rest = graph::measure(&vectors, body, options, on_progress)?;
        Ok(self.file.write(&rest)?)
    }

    /// What was written so far.
    fn map(&mut self) -> io::Result<Mmap> {
        self.file.inner.flush()?;
        // SAFETY: nobody may truncate or change what is mapped. The file has a name that nobody else knows,
        // and we only append to it while the map stands. Worst case as for `Segment::open`.
        unsafe { Mmap::map(self.file.inner.get_ref().as_file()) }
    }

    fn io(&self, source: io::Error) -> WriteError {
        WriteError::Io { path: self.path.clone(), source }
    }
}

/// A file that knows where its section began, and the checksum of what was written since.
#[derive(Debug)]
struct Checked<W> {
    inner: W,
    start: usize,
    end: usize,
    checksum: crc32fast::Hasher,
}

impl<W: Write> Checked<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_all(bytes)?;
        self.checksum.update(bytes);
        self.end += bytes.len();
        Ok(())
    }

    /// The section so far.
    fn section(&self, kind: [u8; 4]) -> Section {
        let checksum = self.checksum.clone().finalize();
        Section { kind, checksum, range: self.start..self.end }
    }

    /// Fills the gap up to the next section.
    fn next_section(&mut self) -> io::Result<()> {
        self.start = self.end.next_multiple_of(ALIGNMENT);
        self.inner.write_all(&[0; ALIGNMENT][..self.start - self.end])?;
        self.end = self.start;
        self.checksum.reset();
        Ok(())
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The unfinished file, with room for its header, and one for the ids, both in the folder of the
/// finished one: a rename across file systems would be a copy, and another file system might be full.
fn begin(path: &Path) -> io::Result<(Checked<BufWriter<NamedTempFile>>, File)> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let mut builder = tempfile::Builder::new();
    let prefix = format!(".{}.", name.to_string_lossy());
    builder.prefix(&prefix).suffix(".partial");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As for any new file: what the user's mask leaves, not the owner alone.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut inner = BufWriter::with_capacity(1 << 16, builder.tempfile_in(folder(path))?);
    let start = format::table_end(SECTIONS).next_multiple_of(ALIGNMENT);
    inner.write_all(&vec![0; start])?;
    let file = Checked { inner, start, end: start, checksum: crc32fast::Hasher::new() };
    Ok((file, tempfile::tempfile_in(folder(path))?))
}

/// Puts the folder's new entry on the medium, where the system can.
fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder(path))?.sync_all()?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
