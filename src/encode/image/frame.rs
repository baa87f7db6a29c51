//! A part of the input with the zeros around it, so that a kernel need not know where a picture ends.

use std::ops::Range;

use candle_core::Result;

use super::geometry::Kernel;
use super::maps::{Buffer, Maps};

/// Copies some pictures' `rows`, counted from the first row of padding, with `columns` places each, the
/// first ones on padding. What lies beyond the picture is zero.
pub(super) fn framed(
    x: &Maps,
    geometry: &Kernel,
    pictures: Range<usize>,
    rows: Range<usize>,
    columns: usize,
) -> Result<Buffer> {
    let values = x.places()?;
    let (above, _) = geometry.down.along(x.rows);
    let (left, _) = geometry.across.along(x.columns);
    let (length, left, wide) = (columns * x.channels, left * x.channels, x.columns * x.channels);
    let copied = wide.min(length - left);
    let mut frame = values.arena.buffer(pictures.len() * rows.len() * length);
    for (at, framed) in frame.chunks_exact_mut(length).enumerate() {
        let picture = pictures.start + at / rows.len();
        let row = (rows.start + at % rows.len()).checked_sub(above);
        match row.filter(|&row| row < x.rows) {
            Some(row) => {
                let (before, rest) = framed.split_at_mut(left);
                let (within, after) = rest.split_at_mut(copied);
                before.fill(0.0);
                within.copy_from_slice(&values[(picture * x.rows + row) * wide..][..copied]);
                after.fill(0.0);
            }
            None => framed.fill(0.0),
        }
    }
    Ok(frame)
}

/// Rows `first..first + rows` of the outputs of some pictures, in whatever rows are counted.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) picture: usize,
    pub(super) pictures: usize,
    pub(super) first: usize,
    pub(super) rows: usize,
}

impl Block {
    /// Cuts the rows of all pictures into blocks of about so many; none is a part of one picture and the
    /// whole of another.
    pub(super) fn cut(pictures: usize, rows: usize, most: usize) -> impl Iterator<Item = Block> {
        let (together, most) = ((most / rows).max(1), most.clamp(1, rows));
        let parts = rows.div_ceil(most);
        (0..pictures).step_by(together).flat_map(move |picture| {
            (0..parts).map(move |part| {
                let first = part * rows / parts;
                let rows = (part + 1) * rows / parts - first;
                Block { picture, pictures: together.min(pictures - picture), first, rows }
            })
        })
    }

    pub(super) fn pictures(self) -> Range<usize> {
        self.picture..self.picture + self.pictures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_every_row_once() {
        for pictures in 1..6 {
            for rows in 1..9 {
                for most in 1..30 {
                    let mut seen = vec![0; pictures * rows];
                    for block in Block::cut(pictures, rows, most) {
                        assert!(block.pictures == 1 || block.rows == rows);
                        for picture in block.pictures() {
                            let rows = picture * rows + block.first..;
                            rows.take(block.rows).for_each(|row| seen[row] += 1);
                        }
                    }
                    assert!(seen.iter().all(|&times| times == 1), "{pictures} {rows} {most}");
                }
            }
        }
    }
}
