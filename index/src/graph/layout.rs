//! The section `GRPH`, byte by byte as FORMAT.md draws it.
//!
//! In: any bytes at all. Out: views of them whose lengths fit together. Links are only checked when followed,
//! so that opening costs the same for any number of rows.

use std::ops::Range;

use super::codes::{Codebook, MAX_AXES};
use super::curve::Curve;
use crate::error::Fault;
use crate::kernels::nibbles::{MAX_SLOTS, NEIGHBOURS, SLOT, SLOT_GROUP};

/// The graph's own version, at the start of its section.
const VERSION: u32 = 1;
const HEADER: usize = 64;
/// Blocks start at a multiple of this.
const ALIGNMENT: usize = 64;

/// Where in a block the scales start, behind the links.
pub(super) const SCALES: usize = 4 * NEIGHBOURS;

/// A row's links, scales and codes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'a> {
    pub(super) links: &'a [[u8; 4]; NEIGHBOURS],
    pub(super) scales: &'a [[u8; 2]; NEIGHBOURS],
    pub(super) codes: &'a [u8],
}

impl Block<'_> {
    /// Where in a block the codes start.
    pub(super) const HEAD: usize = SCALES + 2 * NEIGHBOURS;
}

/// Where everything lies in a graph's section.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GraphLayout {
    rows: usize,
    dimension: usize,
    entry: u32,
    slots: usize,
    /// For each slot its axes.
    starts: Vec<usize>,
    points: Range<usize>,
    axes: Range<usize>,
    blocks: Range<usize>,
    curve: Option<Curve>,
}

/// What stands before the blocks.
pub(super) fn head(entry: u32, axes: &[[u8; 2]], codebook: &Codebook) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(entry.to_le_bytes());
    bytes.extend((NEIGHBOURS as u32).to_le_bytes());
    bytes.extend((codebook.slots() as u32).to_le_bytes());
    bytes.extend((codebook.axes() as u32).to_le_bytes());
    bytes.resize(HEADER, 0);
    bytes.extend(codebook.points.as_flattened().iter().flat_map(|x| x.to_le_bytes()));
    bytes.extend(axes.as_flattened());
    bytes.extend(codebook.starts.iter().flat_map(|start| start.to_le_bytes()));
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
    bytes
}

/// The bytes of one block.
pub(super) fn block_length(slots: usize) -> usize {
    Block::HEAD + slots * SLOT
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
        let number = |i: usize| u32::from_le_bytes(header.as_chunks().0[i]);
        if number(0) != VERSION || number(2) != NEIGHBOURS as u32 {
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
        // None of these products can overflow: the factors are bounded above.
        let points = HEADER..HEADER + axes * 16 * 4;
        let axes_range = points.end..points.end + axes * dimension * 2;
        let starts = axes_range.end..axes_range.end + (slots + 1) * 2;
        let blocks_at = starts.end.next_multiple_of(ALIGNMENT);
        let end = rows.checked_mul(block_length(slots)).and_then(|len| len.checked_add(blocks_at));
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
            slots,
            starts,
            points,
            axes: axes_range,
            blocks: blocks_at..body.len(),
            curve: None,
        })
    }

    pub(super) fn view<'a>(&'a self, section: &'a [u8]) -> View<'a> {
        View {
            entry: self.entry,
            rows: self.rows,
            starts: &self.starts,
            points: section[self.points.clone()].as_chunks().0.as_chunks().0,
            axes: section[self.axes.clone()].as_chunks().0,
            blocks: &section[self.blocks.clone()],
            block_length: block_length(self.slots),
            curve: self.curve.as_ref(),
        }
    }

    /// The slack between head and blocks, which is zero.
    pub(super) fn gap(&self) -> Range<usize> {
        self.axes.end + self.starts.len() * 2..self.blocks.start
    }
}

/// A graph's section, typed.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) entry: u32,
    pub(super) rows: usize,
    pub(super) starts: &'a [usize],
    pub(super) points: &'a [[[u8; 4]; 16]],
    pub(super) axes: &'a [[u8; 2]],
    pub(super) curve: Option<&'a Curve>,
    blocks: &'a [u8],
    block_length: usize,
}

impl<'a> View<'a> {
    /// The block of a row. Panics where there is no such row.
    #[inline]
    pub(super) fn block(&self, row: u32) -> Block<'a> {
        let block = &self.blocks[row as usize * self.block_length..][..self.block_length];
        let (head, codes) = block.split_at(Block::HEAD);
        let (links, scales) = head.split_at(SCALES);
        let none = (&[[0; 4]; NEIGHBOURS], &[[0; 2]; NEIGHBOURS]);
        Block {
            links: links.as_chunks().0.first_chunk().unwrap_or(none.0),
            scales: scales.as_chunks().0.first_chunk().unwrap_or(none.1),
            codes,
        }
    }

    /// The bytes of a row's block, for a prefetch.
    #[inline]
    pub(super) fn block_bytes(&self, row: u32) -> &'a [u8] {
        &self.blocks[row as usize * self.block_length..][..self.block_length]
    }
}
