//! Opening a picture that somebody else made, without trusting it.
//!
//! Flowing in: a path, or the bytes of a file. Flowing out: upright, opaque 8-bit RGB as a person would
//! see it on a white page, or a [`PictureError`] that says what is wrong with the file and what to do.
//!
//! What counts is the content, never the file's name. The header is read and held against
//! [`PictureLimits`] before any pixel is decoded. Colour profiles are ignored, and 16-bit samples keep
//! their high byte, as Pillow does it, since that is what the encoders' reference pipelines read.

mod kind;
mod scaled;

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageError, ImageReader, Pixel, RgbImage};
use thiserror::Error;

pub use kind::Kind;

/// What we are willing to spend on one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureLimits {
    /// Width times height, read from the header before anything is decoded.
    pub max_pixels: u64,
    /// The size of the file.
    pub max_bytes: u64,
}

impl Default for PictureLimits {
    /// 100 megapixels in 256 MiB: above any product photograph, below what would hurt.
    fn default() -> Self {
        PictureLimits { max_pixels: 100_000_000, max_bytes: 256 << 20 }
    }
}

impl PictureLimits {
    /// What a decoder may allocate besides its input: the widest pixel has 8 bytes and some decoders
    /// hold two copies of it; small pictures need a little room for tables.
    fn max_alloc(&self) -> u64 {
        self.max_pixels.saturating_mul(16).saturating_add(16 << 20)
    }
}

/// Why a file gave no picture. The caller knows and adds which file it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The path cannot be read.
    #[error("cannot read the picture {}: {source}", path.display())]
    Io {
        /// The path that was asked for.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A directory, a pipe or a device: opening it might wait for ever.
    #[error("{} is not a regular file: name a picture file", path.display())]
    NotAFile {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// More bytes than [`PictureLimits::max_bytes`].
    #[error(
        "the picture file has {bytes} bytes, more than the limit of {limit}: raise it with \
         `index --max-picture-bytes` if the file is trusted"
    )]
    TooManyBytes {
        /// The size of the file.
        bytes: u64,
        /// The limit it exceeds.
        limit: u64,
    },
    /// More pixels than [`PictureLimits::max_pixels`].
    #[error(
        "the picture has {width} x {height} pixels, more than the limit of {limit}: shrink it, or raise \
         the limit with `index --max-picture-pixels` if the file is trusted"
    )]
    TooManyPixels {
        /// The width that the header claims.
        width: u32,
        /// The height that the header claims.
        height: u32,
        /// The limit it exceeds.
        limit: u64,
    },
    /// The header claims a width or height of zero.
    #[error("the picture has {width} x {height} pixels: save it again from its source")]
    NoPixels {
        /// The width that the header claims.
        width: u32,
        /// The height that the header claims.
        height: u32,
    },
    /// A picture in a format that is recognised but not decoded.
    #[error("{0} pictures cannot be read: convert it to JPEG, PNG, WebP, GIF or BMP")]
    UnsupportedFormat(&'static str),
    /// Not a picture at all.
    #[error("this is {0}, not a picture: JPEG, PNG, WebP, GIF and BMP can be read")]
    NotAPicture(&'static str),
    /// The data ends before the picture does.
    #[error("the {0} file is cut off before the picture's end: copy or download it again")]
    Truncated(Kind),
    /// The data contradicts itself or uses a feature that the decoder does not know.
    #[error("the {kind} file cannot be decoded ({source}): save it again from its source")]
    Undecodable {
        /// The format that the content claims.
        kind: Kind,
        /// What the decoder found.
        source: ImageError,
    },
    /// The decoder itself failed on this file.
    #[error("the {0} decoder failed on this file: save it again from its source")]
    DecoderFailed(Kind),
}

/// The bytes of the file at `path`, if it is a regular file within the size limit. Never waits on a
/// pipe or a device.
pub fn read_picture(path: &Path, limits: &PictureLimits) -> Result<Vec<u8>, PictureError> {
    let io = |source| PictureError::Io { path: path.to_owned(), source };
    let check = |metadata: std::fs::Metadata| {
        if !metadata.is_file() {
            return Err(PictureError::NotAFile { path: path.to_owned() });
        }
        match metadata.len() {
            bytes if bytes > limits.max_bytes => {
                Err(PictureError::TooManyBytes { bytes, limit: limits.max_bytes })
            }
            bytes => Ok(bytes),
        }
    };
    // Before opening, since opening a pipe waits for its writer; and after, since the path may by now
    // lead elsewhere.
    check(path.metadata().map_err(io)?)?;
    let file = File::open(path).map_err(io)?;
    let expected = check(file.metadata().map_err(io)?)?;

    let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
    // A file can grow while it is read; one byte beyond the limit tells.
    file.take(limits.max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(io)?;
    match bytes.len() as u64 {
        read if read > limits.max_bytes => {
            Err(PictureError::TooManyBytes { bytes: read, limit: limits.max_bytes })
        }
        _ => Ok(bytes),
    }
}

/// The picture in `bytes`: the first frame, turned upright by its EXIF orientation, on white.
pub fn decode_picture(bytes: &[u8], limits: &PictureLimits) -> Result<RgbImage, PictureError> {
    decode_at_least(bytes, limits, u32::MAX)
}

/// As [`decode_picture`], but a large JPEG comes at a half, a quarter or an eighth of its size where its shorter
/// side still has at least `enough` pixels then.
pub fn decode_at_least(
    bytes: &[u8],
    limits: &PictureLimits,
    enough: u32,
) -> Result<RgbImage, PictureError> {
    let kind = Kind::of(bytes)?;
    // The decoders are other people's code reading hostile bytes; they contain assertions, and one bad
    // picture must cost one ledger entry, not the run. Nothing they touched outlives the panic.
    catch_unwind(AssertUnwindSafe(|| decode(bytes, kind, limits, enough)))
        .unwrap_or(Err(PictureError::DecoderFailed(kind)))
}

fn decode(
    bytes: &[u8],
    kind: Kind,
    limits: &PictureLimits,
    enough: u32,
) -> Result<RgbImage, PictureError> {
    let whole = match kind {
        Kind::Jpeg => jpeg_has_end(bytes),
        Kind::WebP => webp_has_end(bytes),
        // These decoders notice missing data themselves.
        Kind::Png | Kind::Gif | Kind::Bmp => true,
    };
    if !whole {
        return Err(PictureError::Truncated(kind));
    }

    let failed = |source| failure(kind, source);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), kind.format());
    let mut allowed = image::Limits::default();
    allowed.max_alloc = Some(limits.max_alloc());
    reader.limits(allowed);
    let mut decoder = reader.into_decoder().map_err(failed)?;

    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(PictureError::NoPixels { width, height });
    }
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        return Err(PictureError::TooManyPixels { width, height, limit: limits.max_pixels });
    }
    let orientation = orientation(&mut decoder);
    let scaled = || scaled::decode(bytes, (width, height), enough, limits.max_alloc());
    let picture = match (kind == Kind::Jpeg).then(scaled).flatten() {
        Some(smaller) => smaller,
        None => on_white(DynamicImage::from_decoder(decoder).map_err(failed)?),
    };
    let mut upright = DynamicImage::ImageRgb8(picture);
    upright.apply_orientation(orientation);
    Ok(upright.into_rgb8())
}

/// Unreadable metadata is no reason to refuse a readable picture: it counts as upright.
fn orientation(decoder: &mut impl ImageDecoder) -> Orientation {
    let exif = decoder.exif_metadata().ok().flatten().unwrap_or_default();
    // Some writers of WebP keep the marker that belongs to JPEG's segment.
    let tiff = exif.strip_prefix(b"Exif\0\0").unwrap_or(&exif);
    Orientation::from_exif_chunk(tiff).unwrap_or(Orientation::NoTransforms)
}

fn failure(kind: Kind, source: ImageError) -> PictureError {
    let cut_off = match &source {
        ImageError::IoError(error) => error.kind() == io::ErrorKind::UnexpectedEof,
        _ => false,
    };
    if cut_off { PictureError::Truncated(kind) } else { PictureError::Undecodable { kind, source } }
}

/// Whether the markers of a JPEG lead to its end-of-image marker.
///
/// The decoder fills what is missing with grey and reports success, as browsers do; a shop is better
/// served by being told. Segments are stepped over by their length, so that the end of an embedded
/// thumbnail does not count; within the entropy-coded data, which has no length, a marker is a 0xFF
/// followed by neither a stuffed zero nor a restart.
fn jpeg_has_end(bytes: &[u8]) -> bool {
    const STUFFED: u8 = 0x00;
    const END: u8 = 0xD9;
    let mut at = 2;
    while let Some(to_marker) = bytes.get(at..).and_then(|b| b.iter().position(|&b| b == 0xFF)) {
        at += to_marker + 1;
        match bytes.get(at) {
            Some(0xFF) => {}
            Some(&END) => return true,
            Some(&STUFFED | 0x01 | 0xD0..=0xD8) => at += 1,
            Some(_) => match bytes.get(at + 1..at + 3) {
                Some(&[high, low]) => at += 1 + usize::from(u16::from_be_bytes([high, low])).max(2),
                _ => return false,
            },
            None => return false,
        }
    }
    false
}

/// Whether every chunk of a WebP ends within the file.
///
/// The orientation comes last in the file: without it the pixels decode, but lie on their side. And the
/// decoder reserves what a chunk of metadata claims, up to 4 GiB, before it looks whether it is there.
fn webp_has_end(bytes: &[u8]) -> bool {
    const RIFF: usize = 12;
    let declared = match bytes {
        &[_, _, _, _, a, b, c, d, ..] => u32::from_le_bytes([a, b, c, d]) as usize + 8,
        _ => return false,
    };
    bytes.get(RIFF..).is_some_and(|chunks| chunks_end_within(chunks, true))
        && declared <= bytes.len()
}

/// `frames`: whether an animation's frames, which hold chunks of their own, may occur at this level.
fn chunks_end_within(mut chunks: &[u8], frames: bool) -> bool {
    const FRAME_HEADER: usize = 16;
    // Fewer bytes than a chunk's header are padding.
    while let Some((&[n, a, m, e, s, i, z, y], rest)) = chunks.split_first_chunk() {
        let size = u32::from_le_bytes([s, i, z, y]) as usize;
        let Some(payload) = rest.get(..size) else { return false };
        if frames && [n, a, m, e] == *b"ANMF" {
            let inner = payload.get(FRAME_HEADER..);
            if !inner.is_some_and(|chunks| chunks_end_within(chunks, false)) {
                return false;
            }
        }
        chunks = rest.get(size + size % 2..).unwrap_or_default();
    }
    true
}

/// Opaque 8-bit RGB, with what is transparent showing white.
fn on_white(picture: DynamicImage) -> RgbImage {
    match picture {
        DynamicImage::ImageRgb8(rgb) => rgb,
        DynamicImage::ImageLuma8(grey) => map(&grey, |&[v]| [v; 3]),
        DynamicImage::ImageLumaA8(grey) => map(&grey, |&[v, a]| [over(v, a); 3]),
        DynamicImage::ImageRgba8(rgba) => map(&rgba, |&[r, g, b, a]| [r, g, b].map(|v| over(v, a))),
        DynamicImage::ImageLuma16(grey) => map(&grey, |&[v]| [high(v); 3]),
        DynamicImage::ImageLumaA16(grey) => map(&grey, |&[v, a]| [over(high(v), high(a)); 3]),
        DynamicImage::ImageRgb16(rgb) => map(&rgb, |samples: &[u16; 3]| samples.map(high)),
        DynamicImage::ImageRgba16(rgba) => {
            map(&rgba, |&[r, g, b, a]| [r, g, b].map(|v| over(high(v), high(a))))
        }
        // Floating-point samples, which none of our formats has.
        other => on_white(DynamicImage::ImageRgba8(other.into_rgba8())),
    }
}

fn map<P: Pixel, const N: usize>(
    picture: &ImageBuffer<P, Vec<P::Subpixel>>,
    rgb: impl Fn(&[P::Subpixel; N]) -> [u8; 3],
) -> RgbImage {
    let mut out = RgbImage::new(picture.width(), picture.height());
    let (samples, _) = picture.as_raw().as_chunks::<N>();
    for (to, from) in out.pixels_mut().zip(samples) {
        to.0 = rgb(from);
    }
    out
}

fn high(sample: u16) -> u8 {
    sample.to_be_bytes()[0]
}

/// `value` with opacity `alpha` over white, rounded to nearest.
fn over(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

#[cfg(test)]
mod tests;
