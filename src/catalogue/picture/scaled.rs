//! Large JPEGs at a fraction of their size, for readers who will shrink them anyway.
//!
//! A JPEG is stored as the frequencies of blocks of 8 x 8 pixels. The lowest ones alone make the block at a half,
//! a quarter or an eighth of its side, for less work than decoding all pixels and averaging them; and a quarter of
//! the side takes a sixteenth of the memory.

use image::RgbImage;
use jpeg_decoder::{Decoder, PixelFormat};

/// The picture at the smallest fraction whose shorter side has at least `enough` pixels. `None` where that is
/// the whole, and for whatever the ordinary decoder should judge.
pub(super) fn decode(
    bytes: &[u8],
    (width, height): (u32, u32),
    enough: u32,
    max_alloc: u64,
) -> Option<RgbImage> {
    let fits = |fraction: &u32| width.min(height) / fraction >= enough.max(1);
    let fraction = [8, 4, 2].into_iter().find(fits)?;
    let side = |whole: u32| u16::try_from(whole.div_ceil(fraction)).ok();
    let mut decoder = Decoder::new(bytes);
    decoder.set_max_decoding_buffer_size(usize::try_from(max_alloc).unwrap_or(usize::MAX));
    let (columns, rows) = decoder.scale(side(width)?, side(height)?).ok()?;
    let samples = decoder.decode().ok()?;
    let samples = match decoder.info()?.pixel_format {
        PixelFormat::RGB24 => samples,
        PixelFormat::L8 => samples.into_iter().flat_map(|grey| [grey; 3]).collect(),
        // Inks and deep greys are rare, and need care.
        PixelFormat::CMYK32 | PixelFormat::L16 => return None,
    };
    RgbImage::from_raw(columns.into(), rows.into(), samples)
}
