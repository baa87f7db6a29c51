//! What a file is, told from its first bytes.

use std::fmt;

use image::ImageFormat;

use super::PictureError;

/// A format that can be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Joint Photographic Experts Group.
    Jpeg,
    /// Portable Network Graphics.
    Png,
    /// WebP, lossy or lossless.
    WebP,
    /// Graphics Interchange Format; its first frame counts.
    Gif,
    /// Windows bitmap.
    Bmp,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Jpeg => "JPEG",
            Kind::Png => "PNG",
            Kind::WebP => "WebP",
            Kind::Gif => "GIF",
            Kind::Bmp => "BMP",
        })
    }
}

impl Kind {
    /// The format of `bytes`, or an error that names what they are instead.
    pub(in crate::catalogue) fn of(bytes: &[u8]) -> Result<Kind, PictureError> {
        match bytes {
            [0xFF, 0xD8, 0xFF, ..] => Ok(Kind::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Ok(Kind::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(Kind::WebP),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(Kind::Gif),
            // Two letters alone could begin any text; the header's size follows at 14.
            [b'B', b'M', rest @ ..] if matches!(rest.get(12..16), Some([12..=124, 0, 0, 0])) => {
                Ok(Kind::Bmp)
            }
            _ => Err(foreign(bytes)),
        }
    }

    /// What its files' names end with.
    pub(in crate::catalogue) fn extension(self) -> &'static str {
        match self {
            Kind::Jpeg => "jpg",
            Kind::Png => "png",
            Kind::WebP => "webp",
            Kind::Gif => "gif",
            Kind::Bmp => "bmp",
        }
    }

    pub(super) fn format(self) -> ImageFormat {
        match self {
            Kind::Jpeg => ImageFormat::Jpeg,
            Kind::Png => ImageFormat::Png,
            Kind::WebP => ImageFormat::WebP,
            Kind::Gif => ImageFormat::Gif,
            Kind::Bmp => ImageFormat::Bmp,
        }
    }
}

/// Names what is none of ours, so that the remedy fits.
fn foreign(bytes: &[u8]) -> PictureError {
    use PictureError::{NotAPicture, UnsupportedFormat};
    match bytes {
        [] => NotAPicture("an empty file"),
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => match brand.get(..4) {
            Some(b"avif" | b"avis") => UnsupportedFormat("AVIF"),
            Some(b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1") => {
                UnsupportedFormat("HEIC")
            }
            _ => NotAPicture("a video or another MP4 container"),
        },
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => UnsupportedFormat("TIFF"),
        [0xFF, 0x0A, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => {
            UnsupportedFormat("JPEG XL")
        }
        [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] | [0xFF, 0x4F, 0xFF, 0x51, ..] => {
            UnsupportedFormat("JPEG 2000")
        }
        [b'8', b'B', b'P', b'S', ..] => UnsupportedFormat("Photoshop"),
        [0, 0, 1, 0, ..] => UnsupportedFormat("icon (ICO)"),
        [b'%', b'P', b'D', b'F', ..] => NotAPicture("a PDF document"),
        [b'P', b'K', 3, 4, ..] => NotAPicture("a ZIP archive"),
        _ => foreign_text(bytes),
    }
}

fn foreign_text(bytes: &[u8]) -> PictureError {
    const HEAD: usize = 1024;
    let head = &bytes[..bytes.len().min(HEAD)];
    if head.iter().any(|&b| b < b' ' && !b.is_ascii_whitespace()) {
        return PictureError::NotAPicture("a file of unknown kind");
    }
    let text = String::from_utf8_lossy(head).to_lowercase();
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if start.starts_with("<svg") || start.starts_with("<?xml") && text.contains("<svg") {
        PictureError::UnsupportedFormat("SVG")
    } else if start.starts_with("<!doctype html") || start.starts_with("<html") {
        PictureError::NotAPicture("a web page (an error page saved in the picture's place?)")
    } else if start.starts_with("version https://git-lfs") {
        PictureError::NotAPicture("a Git LFS pointer (fetch the files with `git lfs pull`)")
    } else {
        PictureError::NotAPicture("a text file")
    }
}
