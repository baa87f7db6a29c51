//! The header and the section table, byte by byte as FORMAT.md draws them.
//!
//! In: any bytes at all. Out: a [`Layout`] whose every range lies inside of them, or the reason why not.

use std::ops::Range;

use super::Precision;
use crate::error::Fault;
use crate::graph::GraphLayout;

/// The newest format that we read, and the one that we write.
pub(crate) const VERSION: u32 = 1;
/// No vector has more components.
pub(crate) const MAX_DIMENSION: usize = 1 << 16;
/// No label has more bytes.
pub(crate) const MAX_LABEL: usize = 1 << 16;
/// No section table has more entries.
const MAX_SECTIONS: usize = 64;
/// Where a section may start.
pub(super) const ALIGNMENT: usize = 64;

/// As in PNG: a byte that no text has, a name, and a line end that a transfer as text would alter.
const MAGIC: [u8; 8] = *b"\x8fLKSEG\r\n";
const HEADER: usize = 64;
const ENTRY: usize = 32;

pub(super) const VECTORS: [u8; 4] = *b"VECS";
pub(super) const IDS: [u8; 4] = *b"IDS ";
pub(super) const LABEL: [u8; 4] = *b"LABL";
pub(super) const GRAPH: [u8; 4] = *b"GRPH";

/// Why bytes are not a segment of ours.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    NotASegment,
    NewerVersion(u32),
    Corrupted(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Refusal::Corrupted(fault)
    }
}

/// A section: what it is, where it lies, and the checksum of its bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Section {
    pub(super) kind: [u8; 4],
    pub(super) checksum: u32,
    pub(super) range: Range<usize>,
}

impl Section {
    pub(super) fn name(&self) -> String {
        String::from_utf8_lossy(&self.kind).trim_end().to_owned()
    }
}

/// Where everything lies in a file whose header is sound.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    pub(super) rows: usize,
    pub(super) dimension: usize,
    pub(super) precision: Precision,
    pub(super) vectors: Range<usize>,
    pub(super) ids: Range<usize>,
    pub(super) label: Range<usize>,
    /// The graph, if there is one.
    pub(super) graph: Option<(Range<usize>, GraphLayout)>,
    /// All sections, also those that only a later version knows, in the order of the file.
    pub(super) sections: Vec<Section>,
}

/// Where the table of so many sections ends. The first of them starts at the next boundary.
pub(super) const fn table_end(sections: usize) -> usize {
    HEADER + sections * ENTRY
}

/// The header and the section table of a file that ends with the last of these sections.
pub(super) fn write(
    rows: usize,
    dimension: usize,
    precision: Precision,
    sections: &[Section],
) -> Vec<u8> {
    let mut table = Vec::with_capacity(sections.len() * ENTRY);
    for section in sections {
        table.extend(section.kind);
        table.extend(section.checksum.to_le_bytes());
        table.extend((section.range.start as u64).to_le_bytes());
        table.extend((section.range.len() as u64).to_le_bytes());
        table.extend([0; 8]);
    }
    let file_length = sections.last().map_or(HEADER, |last| last.range.end);

    let mut bytes = Vec::with_capacity(HEADER + table.len());
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((sections.len() as u32).to_le_bytes());
    bytes.extend((rows as u64).to_le_bytes());
    bytes.extend((dimension as u32).to_le_bytes());
    bytes.extend(precision.bits().to_le_bytes());
    bytes.extend((file_length as u64).to_le_bytes());
    bytes.extend(crc32fast::hash(&table).to_le_bytes());
    bytes.extend([0; 16]);
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes.extend(table);
    bytes
}

impl Layout {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        if !bytes.starts_with(&MAGIC) {
            return Err(Refusal::NotASegment);
        }
        let length = bytes.len() as u64;
        let cut_at = |expected| Fault::FileLength { expected, found: length };
        let header = bytes.get(..HEADER).ok_or(cut_at(HEADER as u64))?;
        if crc32fast::hash(&header[..60]) != u32_at(header, 60) {
            return Err(Fault::HeaderChecksum.into());
        }
        // Every version keeps what stands above: see "What never changes" in FORMAT.md.
        match u32_at(header, 8) {
            0 => return Err(Fault::Header("there is no version 0").into()),
            VERSION => {}
            newer => return Err(Refusal::NewerVersion(newer)),
        }
        if u64_at(header, 32) != length {
            return Err(cut_at(u64_at(header, 32)).into());
        }
        let rows = usize::try_from(u64_at(header, 16)).unwrap_or(usize::MAX);
        if rows as u64 > 1 << 32 {
            return Err(Fault::Header("it counts more rows than there are ids").into());
        }
        let dimension = u32_at(header, 24) as usize;
        if !(1..=MAX_DIMENSION).contains(&dimension) {
            return Err(Fault::Header("no such dimension").into());
        }
        let precision = match u32_at(header, 28) {
            32 => Precision::F32,
            16 => Precision::F16,
            _ => return Err(Fault::Header("no such precision").into()),
        };
        let sections = sections(bytes, header)?;
        let mut layout = Layout {
            rows,
            dimension,
            precision,
            vectors: find(&sections, VECTORS, "VECS")?.range.clone(),
            ids: find(&sections, IDS, "IDS")?.range.clone(),
            label: find(&sections, LABEL, "LABL")?.range.clone(),
            graph: None,
            sections,
        };
        layout.check_lengths()?;
        layout.graph = layout.read_graph(bytes)?;
        let label = find(&layout.sections, LABEL, "LABL")?;
        if crc32fast::hash(&bytes[layout.label.clone()]) != label.checksum {
            return Err(Fault::SectionChecksum(label.name()).into());
        }
        Ok(layout)
    }

    /// The graph's layout: the one section that may be missing.
    fn read_graph(&self, bytes: &[u8]) -> Result<Option<(Range<usize>, GraphLayout)>, Fault> {
        if self.sections.iter().all(|section| section.kind != GRAPH) {
            return Ok(None);
        }
        let range = find(&self.sections, GRAPH, "GRPH")?.range.clone();
        let graph = GraphLayout::read(&bytes[range.clone()], self.rows, self.dimension)?;
        Ok(Some((range, graph)))
    }

    fn check_lengths(&self) -> Result<(), Fault> {
        let vectors = self
            .rows
            .checked_mul(self.dimension)
            .and_then(|components| components.checked_mul(self.precision.bytes()));
        if vectors != Some(self.vectors.len()) {
            return Err(Fault::SectionLength("VECS"));
        }
        if self.rows.checked_mul(4) != Some(self.ids.len()) {
            return Err(Fault::SectionLength("IDS"));
        }
        if self.label.len() > MAX_LABEL {
            return Err(Fault::SectionLength("LABL"));
        }
        Ok(())
    }
}

/// The section table, each entry inside of the file and behind the one before.
fn sections(bytes: &[u8], header: &[u8]) -> Result<Vec<Section>, Fault> {
    let count = u32_at(header, 12) as usize;
    if count > MAX_SECTIONS {
        return Err(Fault::Header("it counts too many sections"));
    }
    let end = table_end(count);
    let table = bytes
        .get(HEADER..end)
        .ok_or(Fault::FileLength { expected: end as u64, found: bytes.len() as u64 })?;
    if crc32fast::hash(table) != u32_at(header, 40) {
        return Err(Fault::TableChecksum);
    }
    let mut sections: Vec<Section> = Vec::with_capacity(count);
    for entry in table.as_chunks::<ENTRY>().0 {
        let mut section = Section {
            kind: [entry[0], entry[1], entry[2], entry[3]],
            checksum: u32_at(entry, 4),
            range: 0..0,
        };
        let free = sections.last().map_or(end, |before| before.range.end);
        let range = usize::try_from(u64_at(entry, 8)).ok().and_then(|start| {
            let length = usize::try_from(u64_at(entry, 16)).ok()?;
            Some(start..start.checked_add(length)?)
        });
        match range {
            // Exactly at the next boundary: no byte of the file is without a meaning.
            Some(range)
                if range.start == free.next_multiple_of(ALIGNMENT) && range.end <= bytes.len() =>
            {
                section.range = range;
            }
            _ => return Err(Fault::Misplaced(section.name())),
        }
        sections.push(section);
    }
    match sections.last() {
        Some(last) if last.range.end != bytes.len() => Err(Fault::Misplaced(last.name())),
        _ => Ok(sections),
    }
}

/// The one section of a kind.
fn find<'a>(
    sections: &'a [Section],
    kind: [u8; 4],
    name: &'static str,
) -> Result<&'a Section, Fault> {
    let mut found = sections.iter().filter(|section| section.kind == kind);
    match (found.next(), found.next()) {
        (Some(section), None) => Ok(section),
        _ => Err(Fault::SectionCount(name)),
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
