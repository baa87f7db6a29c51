//! From a picture to what a network reads, by the rule the network was trained with.
//!
//! Flowing in: a decoded picture. Flowing out: [`Pixels`]. The rule is data, so that it can be read
//! from a model's own files, printed, and made part of the encoder's fingerprint.

use std::fmt;

use image::RgbImage;

use super::resize::{Filter, Window, resize};
use crate::encode::Pixels;

/// How a picture becomes a network's input: resize, crop the centre, then `(value / scale - mean) / std`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Preprocessing {
    pub(super) resize: Resize,
    pub(super) filter: Filter,
    /// The side of the square that is cropped from the middle.
    pub(super) crop: usize,
    pub(super) rounding: Rounding,
    /// 255 where mean and standard deviation are given for values between 0 and 1.
    pub(super) scale: f32,
    pub(super) mean: [f32; 3],
    pub(super) std: [f32; 3],
}

/// No network reads larger pictures; a wild number in a file must not become an allocation.
const LARGEST_SIDE: usize = 4096;

/// What size a picture is given before it is cropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resize {
    /// The shorter side becomes this long, the other one follows, rounded down.
    ShortSide(usize),
    /// Both sides become this long, whatever the picture's proportions.
    Squash(usize),
}

/// Where the crop lies when as many pixels to the left as to the right cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    /// Halves to the even neighbour, as torchvision does.
    HalfToEven,
    /// Halves down, as the processors of Hugging Face do.
    Down,
}

impl Preprocessing {
    /// Prepares one picture. A picture without pixels becomes values that are no numbers, which no
    /// network turns into an embedding.
    pub(super) fn apply(&self, picture: &RgbImage) -> Pixels {
        let side = self.crop;
        if picture.width() == 0 || picture.height() == 0 {
            return Pixels { side, values: vec![f32::NAN; 3 * side * side] };
        }
        let bytes = self.resized(picture);
        let mut values = Vec::with_capacity(bytes.len());
        for channel in 0..3 {
            let (mean, std) = (self.mean[channel], self.std[channel]);
            let table: [f32; 256] =
                std::array::from_fn(|value| (value as f32 / self.scale - mean) / std);
            values.extend(bytes.iter().skip(channel).step_by(3).map(|&b| table[usize::from(b)]));
        }
        Pixels { side, values }
    }

    /// The cropped picture before its values are scaled: RGB bytes, row by row.
    fn resized(&self, picture: &RgbImage) -> Vec<u8> {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let (width, height) = match self.resize {
            Resize::Squash(side) => (side, side),
            Resize::ShortSide(side) if width <= height => (side, side * height / width),
            Resize::ShortSide(side) => (side * width / height, side),
        };
        let window = Window {
            left: self.rounding.half(width - self.crop),
            top: self.rounding.half(height - self.crop),
            side: self.crop,
        };
        resize(picture, (width, height), self.filter, window)
    }

    /// Whether the crop fits into every resized picture, and the arithmetic into its numbers.
    pub(super) fn is_sound(&self) -> bool {
        let (Resize::ShortSide(side) | Resize::Squash(side)) = self.resize;
        let finite = self.mean.iter().chain(&self.std).all(|value| value.is_finite());
        let divisible = |by: &f32| by.is_finite() && *by != 0.0;
        (1..=side).contains(&self.crop)
            && side <= LARGEST_SIDE
            && finite
            && self.std.iter().chain([&self.scale]).all(divisible)
    }
}

impl Rounding {
    fn half(self, margin: usize) -> usize {
        match self {
            Rounding::Down => margin / 2,
            Rounding::HalfToEven if margin % 4 == 3 => margin / 2 + 1,
            Rounding::HalfToEven => margin / 2,
        }
    }
}

/// In words; also hashed into the fingerprint, so every field must show.
impl fmt::Display for Preprocessing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Preprocessing { resize, filter, crop, rounding, scale, mean, std } = self;
        match resize {
            Resize::ShortSide(side) => write!(f, "short side to {side}")?,
            Resize::Squash(side) => write!(f, "squashed to {side}x{side}")?,
        }
        let filter = match filter {
            Filter::Bilinear => "bilinear",
            Filter::Bicubic => "bicubic",
        };
        let rounding = match rounding {
            Rounding::HalfToEven => "half to even",
            Rounding::Down => "down",
        };
        write!(f, ", {filter}, centre {crop} (rounding {rounding}), ")?;
        write!(f, "(value / {scale} - {mean:?}) / {std:?}")
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::encode::image::seeded::{floats, golden, picture, places};

    fn rule(resize: Resize, filter: Filter) -> Preprocessing {
        Preprocessing {
            resize,
            filter,
            crop: 224,
            rounding: Rounding::HalfToEven,
            scale: 255.0,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
        }
    }

    /// Against PIL and torchvision, on sizes that round in every way: the same bytes, not only near.
    #[test]
    fn equals_pil_and_torchvision() {
        let cases = golden("resize.json");
        for case in cases.as_array().unwrap() {
            let (width, height) =
                (case["width"].as_u64().unwrap(), case["height"].as_u64().unwrap());
            let resize = match case["rule"].as_str().unwrap() {
                "squash" => Resize::Squash(224),
                _ => Resize::ShortSide(256),
            };
            let filter = match case["filter"].as_str().unwrap() {
                "bicubic" => Filter::Bicubic,
                _ => Filter::Bilinear,
            };
            let rule = rule(resize, filter);
            let picture = picture(width as u32, height as u32, width * 1000 + height);
            let name = format!("{width}x{height}, {rule}");
            let bytes = rule.resized(&picture);
            let sampled: Vec<f32> = places(bytes.len()).map(|at| bytes[at].into()).collect();
            assert_eq!(sampled, floats(&case["bytes"]), "{name}");
            assert_eq!(crate::hex::encode(Sha256::digest(&bytes)), case["sha256"], "{name}");
            let pixels = rule.apply(&picture);
            for (at, expected) in places(pixels.values.len()).zip(floats(&case["values"])) {
                assert!((pixels.values[at] - expected).abs() < 1e-6, "{name}: {expected} at {at}");
            }
        }
    }

    #[test]
    fn the_two_roundings_differ_where_half_a_pixel_is_odd() {
        let offsets = |rounding: Rounding| [31, 32, 33, 34, 35].map(|m| rounding.half(m));
        assert_eq!(offsets(Rounding::HalfToEven), [16, 16, 16, 17, 18]);
        assert_eq!(offsets(Rounding::Down), [15, 16, 16, 17, 17]);
    }

    #[test]
    fn a_crop_larger_than_the_picture_is_not_sound() {
        assert!(rule(Resize::ShortSide(256), Filter::Bilinear).is_sound());
        assert!(!rule(Resize::ShortSide(223), Filter::Bilinear).is_sound());
        let flat =
            Preprocessing { std: [1.0, 0.0, 1.0], ..rule(Resize::Squash(224), Filter::Bicubic) };
        assert!(!flat.is_sound());
    }

    #[test]
    fn a_picture_without_pixels_is_no_number() {
        let pixels = rule(Resize::ShortSide(256), Filter::Bilinear).apply(&RgbImage::new(0, 9));
        assert!(pixels.values.iter().all(|value| value.is_nan()));
    }
}
