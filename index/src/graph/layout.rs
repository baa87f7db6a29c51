//! The section `GRPH`, byte by byte as FORMAT.md draws it.
//!
//! In: any bytes at all. Out: views of them whose lengths fit together. Links are only checked when followed,
//! so that opening costs the same for any number of rows.

use std::ops::Range;

use super::codes::{Coder, MAX_AXES};
use super::curve::Curve;
use super::sketch::{self, Shared};
use super::turn;
use crate::error::Fault;
use crate::kernels::bytes::{Codes, signed};
use crate::kernels::nibbles::{Factors, MAX_SLOTS, NEIGHBOURS, SLOT, SLOT_GROUP};

/// The graph's own version, at the start of its section.
const VERSION: u32 = 2;
/// The one before, with axes in half precision and without sketches.
const FIRST_VERSION: u32 = 1;
const HEADER: usize = 64;
/// Blocks start at a multiple of this.
const ALIGNMENT: usize = 64;
/// The bits of a component in a sketch.
const SKETCH_BITS: u32 = 4;

/// Where in a block the scales start, behind the links.
pub(super) const SCALES: usize = 4 * NEIGHBOURS;
/// Where the offsets start.
pub(super) const OFFSETS: usize = SCALES + 2 * NEIGHBOURS;
/// Where the codes start, in the first version in the place of the offsets.
pub(super) const CODES: usize = OFFSETS + 2 * NEIGHBOURS;
/// What the first version's offsets were.
const NO_OFFSETS: [[u8; 2]; NEIGHBOURS] = [[0; 2]; NEIGHBOURS];

/// A row's links, their factors and codes, and the row's sketch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'a> {
    pub(super) links: &'a [[u8; 4]; NEIGHBOURS],
    pub(super) factors: Factors<'a>,
    pub(super) codes: &'a [u8],
    /// Empty where rows have none.
    pub(super) sketch: &'a [u8],
}

/// The bytes of a block's parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BlockLength {
    /// Links and their factors.
    head: usize,
    codes: usize,
    sketch: usize,
}

impl BlockLength {
    pub(super) fn new(slots: usize, sketch: usize) -> Self {
        BlockLength { head: CODES, codes: slots * SLOT, sketch }
    }

    fn of_the_first_version(slots: usize) -> Self {
        BlockLength { head: OFFSETS, codes: slots * SLOT, sketch: 0 }
    }

    pub(super) fn whole(self) -> usize {
        self.head + self.codes + self.sketch
    }
}

/// Where everything lies in a graph's section.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GraphLayout {
    rows: usize,
    dimension: usize,
    entry: u32,
    block: BlockLength,
    /// For each slot its axes.
    starts: Vec<usize>,
    points: Range<usize>,
    axes: Range<usize>,
    /// The signs that turn a query. Empty in the first version.
    signs: Range<usize>,
    /// What a unit of each axis is worth. Empty in the first version.
    units: Range<usize>,
    /// The mean and the step of sketches. Empty where there are none.
    sketches: Range<usize>,
    blocks: Range<usize>,
    curve: Option<Curve>,
}

/// What stands before the blocks.
pub(super) fn head(entry: u32, coder: &Coder) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(entry.to_le_bytes());
    bytes.extend((NEIGHBOURS as u32).to_le_bytes());
    bytes.extend((coder.codebook.slots() as u32).to_le_bytes());
    bytes.extend((coder.codebook.axes() as u32).to_le_bytes());
    bytes.extend(coder.sketcher.as_ref().map_or(0, |_| SKETCH_BITS).to_le_bytes());
    bytes.resize(HEADER, 0);
    let mut numbers = |numbers: &[f32]| bytes.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
    numbers(coder.codebook.points.as_flattened());
    numbers(&coder.axes.units);
    if let Some(sketcher) = &coder.sketcher {
        numbers(&sketcher.mean);
        numbers(&[sketcher.step]);
    }
    bytes.extend(&coder.signs);
    bytes.extend(coder.axes.codes.iter().map(|code| code.cast_unsigned()));
    bytes.extend(coder.codebook.starts.iter().flat_map(|start| start.to_le_bytes()));
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
    bytes
}

/// The numbers of a header, each within its bounds.
struct Header {
    version: u32,
    entry: u32,
    slots: usize,
    axes: usize,
    sketched: bool,
}

impl Header {
    fn read(header: &[u8; HEADER], rows: usize, dimension: usize) -> Result<Self, Fault> {
        let number = |i: usize| u32::from_le_bytes(header.as_chunks().0[i]);
        let version = number(0);
        if !(FIRST_VERSION..=VERSION).contains(&version) || number(2) != NEIGHBOURS as u32 {
            return Err(Fault::Graph("its version or degree is unknown"));
        }
        let entry = number(1);
        let (slots, axes) = (number(3) as usize, number(4) as usize);
        if entry as usize >= rows {
            return Err(Fault::Graph("its entry is no row"));
        }
        if !(1..=MAX_SLOTS).contains(&slots) || slots % SLOT_GROUP > 0 {
            return Err(Fault::Graph("no such number of slots"));
        }
        if !(1..=MAX_AXES.min(dimension)).contains(&axes) {
            return Err(Fault::Graph("no such number of axes"));
        }
        let sketched = match number(5) {
            0 => false,
            SKETCH_BITS if version > FIRST_VERSION => true,
            _ => return Err(Fault::Graph("no such sketches")),
        };
        Ok(Header { version, entry, slots, axes, sketched })
    }
}

impl GraphLayout {
    /// Reads a whole section.
    pub(crate) fn read(section: &[u8], rows: usize, dimension: usize) -> Result<Self, Fault> {
        let (body, curve) =
            section.split_last_chunk::<{ Curve::LENGTH }>().ok_or(Fault::SectionLength("GRPH"))?;
        let mut layout = Self::read_body(body, rows, dimension)?;
        layout.curve = Some(Curve::read(curve)?);
        Ok(layout)
    }

    /// Reads all but the curve, which is measured last.
    pub(super) fn read_body(body: &[u8], rows: usize, dimension: usize) -> Result<Self, Fault> {
        let header = body.first_chunk::<HEADER>().ok_or(Fault::SectionLength("GRPH"))?;
        let Header { version, entry, slots, axes, sketched } =
            Header::read(header, rows, dimension)?;
        // None of these products can overflow: the factors are bounded above.
        let mut end = HEADER;
        let mut next = |length: usize| {
            end += length;
            end - length..end
        };
        let points = next(axes * 16 * 4);
        let first = version == FIRST_VERSION;
        let units = next(if first { 0 } else { axes * 4 });
        let sketches = next(if sketched { (dimension + 1) * 4 } else { 0 });
        let signs = next(if first { 0 } else { turn::signs_length(dimension) });
        let width = turn::width(dimension);
        let axis = if first { dimension * 2 } else { width };
        let axes_range = next(axes * axis);
        let starts = next((slots + 1) * 2);
        let block = match first {
            true => BlockLength::of_the_first_version(slots),
            false => BlockLength::new(slots, if sketched { sketch::length(width) } else { 0 }),
        };
        let blocks_at = starts.end.next_multiple_of(ALIGNMENT);
        let end = rows.checked_mul(block.whole()).and_then(|len| len.checked_add(blocks_at));
        if end != Some(body.len()) {
            return Err(Fault::SectionLength("GRPH"));
        }
        let starts: Vec<usize> = body[starts]
            .as_chunks()
            .0
            .iter()
            .map(|start| usize::from(u16::from_le_bytes(*start)))
            .collect();
        if starts[0] != 0 || starts[slots] != axes || !starts.is_sorted() {
            return Err(Fault::Graph("its slots do not share out its axes"));
        }
        Ok(GraphLayout {
            rows,
            dimension,
            entry,
            block,
            starts,
            points,
            axes: axes_range,
            signs,
            units,
            sketches,
            blocks: blocks_at..body.len(),
            curve: None,
        })
    }

    pub(super) fn view<'a>(&'a self, section: &'a [u8]) -> View<'a> {
        let axes = &section[self.axes.clone()];
        let stride = turn::width(self.dimension);
        let shared = |(step, mean): (&[u8; 4], &'a [[u8; 4]])| Shared {
            mean,
            step: f32::from_le_bytes(*step),
        };
        View {
            entry: self.entry,
            rows: self.rows,
            starts: &self.starts,
            points: section[self.points.clone()].as_chunks().0.as_chunks().0,
            axes: match section[self.units.clone()].as_chunks().0 {
                [] => Axes::Halves(axes.as_chunks().0),
                units => Axes::Turned {
                    signs: &section[self.signs.clone()],
                    codes: Codes { bytes: signed(axes), stride },
                    units,
                },
            },
            sketches: section[self.sketches.clone()].as_chunks().0.split_last().map(shared),
            blocks: &section[self.blocks.clone()],
            block_length: self.block,
            curve: self.curve.as_ref(),
        }
    }

    /// The slack between head and blocks, which is zero.
    pub(super) fn gap(&self) -> Range<usize> {
        self.axes.end + self.starts.len() * 2..self.blocks.start
    }
}

/// The axes, on which a query is seen before its walk.
#[derive(Debug, Clone, Copy)]
pub(super) enum Axes<'a> {
    /// One after another in half precision, as the first version had them.
    Halves(&'a [[u8; 2]]),
    /// Turned as these signs do, a code each, and what a unit of it is worth.
    Turned { signs: &'a [u8], codes: Codes<'a>, units: &'a [[u8; 4]] },
}

/// A graph's section, typed.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) entry: u32,
    pub(super) rows: usize,
    pub(super) starts: &'a [usize],
    pub(super) points: &'a [[[u8; 4]; 16]],
    pub(super) axes: Axes<'a>,
    /// What sketches share, if rows have any.
    pub(super) sketches: Option<Shared<'a>>,
    pub(super) curve: Option<&'a Curve>,
    blocks: &'a [u8],
    block_length: BlockLength,
}

impl<'a> View<'a> {
    /// The block of a row. Panics where there is no such row.
    #[inline]
    pub(super) fn block(&self, row: u32) -> Block<'a> {
        let (head, rest) = self.block_bytes(row).split_at(self.block_length.head);
        let (links, factors) = head.split_at(SCALES);
        let (codes, sketch) = rest.split_at(self.block_length.codes);
        let (scales, offsets) = factors.as_chunks().0.split_at(NEIGHBOURS);
        Block {
            links: links.as_chunks().0.first_chunk().unwrap_or(&[[0; 4]; NEIGHBOURS]),
            factors: Factors {
                scales: scales.first_chunk().unwrap_or(&NO_OFFSETS),
                offsets: offsets.first_chunk().unwrap_or(&NO_OFFSETS),
            },
            codes,
            sketch,
        }
    }

    /// The bytes of a row's block, for a prefetch.
    #[inline]
    pub(super) fn block_bytes(&self, row: u32) -> &'a [u8] {
        let length = self.block_length.whole();
        &self.blocks[row as usize * length..][..length]
    }
}
