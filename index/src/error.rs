//! What can go wrong, told apart by what its reader can do about it.

use std::io;
use std::path::PathBuf;

/// Why a segment cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system would not give us the file.
    #[error("cannot read the segment {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// This never was a segment.
    #[error("{} is not a segment of Lookalike: is it the right file?", path.display())]
    NotASegment {
        /// The file.
        path: PathBuf,
    },
    /// A later version of this program wrote the file.
    #[error(
        "the segment {} has format {found}, and this program reads up to {supported}: update it, or index again",
        path.display()
    )]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// The file's format.
        found: u32,
        /// The newest format that is known here.
        supported: u32,
    },
    /// It cannot be searched together with the others.
    #[error(
        "the segment {} has vectors of {found} components beside others of {expected}: were they made by the same \
         encoder?",
        path.display()
    )]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The components of the others' vectors.
        expected: usize,
        /// The components of its own.
        found: usize,
    },
    /// It was a segment once.
    #[error("the segment {} is damaged ({fault}): restore it from a copy, or index again", path.display())]
    Corrupted {
        /// The file.
        path: PathBuf,
        /// The first damage found.
        fault: Fault,
    },
}

/// What is wrong with a damaged segment.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file ends early, or goes on after its end.
    #[error("it should have {expected} bytes and has {found}")]
    FileLength {
        /// By the header.
        expected: u64,
        /// By the file.
        found: u64,
    },
    /// The header is not what was written.
    #[error("its header fails its checksum")]
    HeaderChecksum,
    /// The header says what no writer writes.
    #[error("its header is impossible: {0}")]
    Header(&'static str),
    /// The section table is not what was written.
    #[error("its section table fails its checksum")]
    TableChecksum,
    /// A section lies where none can lie.
    #[error("its section {0:?} is misplaced")]
    Misplaced(String),
    /// A section that must be there once is missing or there twice.
    #[error("its section {0:?} is missing or there twice")]
    SectionCount(&'static str),
    /// A section's length does not follow from the number of rows and the dimension.
    #[error("its section {0:?} has the wrong length")]
    SectionLength(&'static str),
    /// A section is not what was written.
    #[error("its section {0:?} fails its checksum")]
    SectionChecksum(String),
    /// Something stands between the sections.
    #[error("the gap before its section {0:?} is not zero")]
    Gap(String),
    /// The graph says what no writer writes.
    #[error("its graph is impossible: {0}")]
    Graph(&'static str),
    /// An id is not above the one before it.
    #[error("the id of row {0} is not above the one before")]
    IdOrder(u32),
    /// An id is alive in two segments that are searched as one.
    #[error("the id {0} is alive in another segment too")]
    AliveTwice(u32),
    /// A component is NaN or infinite.
    #[error("the vector of row {0} is not finite")]
    NotFinite(u32),
    /// A vector's length is not one.
    #[error("the vector of row {row} has length {norm}, not 1")]
    NotUnit {
        /// The row.
        row: u32,
        /// The length that was found.
        norm: f64,
    },
}

/// Why a segment cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The operating system would not take the file.
    #[error("cannot write the segment {}: is there room, and may we write there?", path.display())]
    Io {
        /// The file that was to be.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is one already, and published files are never rewritten.
    #[error("the segment {} exists already: choose another name", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The caller cancelled; nothing was written.
    #[error("writing the segment {} was cancelled", path.display())]
    Cancelled {
        /// The file that was to be.
        path: PathBuf,
    },
    /// No segment holds vectors of this dimension.
    #[error("a dimension of {0} is outside of 1 to {max}", max = crate::segment::MAX_DIMENSION)]
    Dimension(usize),
    /// The label is too long.
    #[error("a label of {0} bytes is above the limit of {max}", max = crate::segment::MAX_LABEL)]
    Label(usize),
    /// A row was refused; the writer is as it was before.
    #[error("the vector of id {id} was refused: {source}")]
    Row {
        /// The id that it came with.
        id: u32,
        /// Why.
        source: RowError,
    },
}

/// Why a row was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RowError {
    /// The vector has another dimension than the segment.
    #[error("it has {found} components, and the segment's have {expected}")]
    Dimension {
        /// The segment's.
        expected: usize,
        /// The vector's.
        found: usize,
    },
    /// A component is NaN or infinite.
    #[error("a component is not a finite number")]
    NotFinite,
    /// The vector's length is not one.
    #[error("its length is {0}: scale it to 1")]
    NotUnit(f64),
    /// The id is not above the last one.
    #[error("ids must ascend, and the last one was {last}")]
    IdOrder {
        /// The last id that was accepted.
        last: u32,
    },
}

/// Why a question cannot be answered.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The query has another dimension than the vectors.
    #[error(
        "the query has {found} components, and the vectors have {expected}: was it made by the same encoder?"
    )]
    Dimension {
        /// The vectors'.
        expected: usize,
        /// The query's.
        found: usize,
    },
    /// A component of the query is NaN or infinite.
    #[error("a component of the query is not a finite number")]
    NotFinite,
    /// The segment has no such row.
    #[error("there is no row {row} in a segment of {rows}")]
    NoSuchRow {
        /// The row asked for.
        row: u32,
        /// How many there are.
        rows: usize,
    },
    /// There must be one place in the output for every row.
    #[error("an output of {found} places for {expected} rows")]
    OutputLength {
        /// How many rows there are.
        expected: usize,
        /// How many places there are.
        found: usize,
    },
}
