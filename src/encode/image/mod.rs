//! Networks that read pictures, one file each.
//!
//! Flowing in: a model directory, with a weights file and perhaps `config.json` and
//! `preprocessor_config.json`. Flowing out: an [`ImageEncoder`]. Another network is another file that
//! ends in a `KNOWN`, and a line in the table here.

mod alexnet;
mod by_candle;
mod config;
mod conv;
mod dense;
mod depthwise;
mod efficientnet_lite;
mod encoder;
mod frame;
mod geometry;
mod inception_v3;
mod loader;
mod maps;
pub(crate) mod mobilenet_v1;
mod pool;
mod preprocess;
mod resize;
mod resnet;
#[cfg(test)]
pub(crate) mod seeded;
#[cfg(test)]
mod tests;
mod winograd;

use std::path::{Path, PathBuf};

pub use self::geometry::{Geometry, Padding};

use ::image::RgbImage;

use self::config::Config;
use self::encoder::{Known, PictureEncoder};
use super::{Device, Error, ImageEncoder, Weights};

/// A picture at `side` by `side` pixels, whatever its proportions: RGB bytes, row by row. Zeros for a
/// picture without pixels.
pub fn squash(picture: &RgbImage, side: usize) -> Vec<u8> {
    if picture.width() == 0 || picture.height() == 0 {
        return vec![0; 3 * side * side];
    }
    let whole = resize::Window { left: 0, top: 0, side };
    resize::resize(picture, (side, side), resize::Filter::Bilinear, whole)
}

const NETWORKS: [Known; 5] = [
    resnet::KNOWN,
    efficientnet_lite::KNOWN,
    inception_v3::KNOWN,
    mobilenet_v1::KNOWN,
    alexnet::KNOWN,
];

/// Opens a model directory. Which network it holds is read from its `config.json`, else from the names
/// of its weights.
pub fn open(dir: &Path, device: &Device) -> Result<Box<dyn ImageEncoder>, Error> {
    let weights = Weights::open(&find_weights(dir)?)?;
    let config = Config::read(dir)?;
    let declared = config.declared()?;
    let found = match declared {
        Some(declared) => NETWORKS.iter().find(|known| known.declared.contains(&declared)),
        None => NETWORKS.iter().find(|known| (known.recognise)(&weights)),
    };
    let Some(known) = found else {
        let what = match declared {
            Some(declared) => format!("config.json calls it `{declared}`"),
            None => "the names of its weights are none of theirs".to_owned(),
        };
        let names = NETWORKS.map(|known| known.name).join(", ");
        return Err(weights.malformed(format_args!(
            "we know the networks {names}, and {what}; if it is one of them, say so in a config.json \
             beside it: {{\"model_type\": \"{}\"}}",
            NETWORKS[0].name
        )));
    };
    let preprocessing = config.preprocessing(&known.preprocessing)?;
    Ok(Box::new(PictureEncoder::load(known, &weights, preprocessing, device)?))
}

/// The directory's weights: the usual names first, else the only file of a usual kind.
pub(crate) fn find_weights(dir: &Path) -> Result<PathBuf, Error> {
    let malformed = |reason| Error::Malformed { path: dir.to_owned(), reason };
    let usual = ["model.safetensors", "pytorch_model.bin"].map(|name| dir.join(name));
    if usual[0].is_file() {
        return Ok(usual[0].clone());
    }
    let io = |source| Error::Io { path: dir.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io)? {
        files.push(entry.map_err(io)?.path());
    }
    files.sort();
    for kinds in [["safetensors"].as_slice(), &["bin"], &["pth", "pt"]] {
        let of_kind = |file: &&PathBuf| {
            file.extension().is_some_and(|ending| kinds.iter().any(|kind| ending == *kind))
        };
        let mut candidates = files.iter().filter(of_kind);
        match (candidates.next(), candidates.next()) {
            (None, _) => {}
            (Some(only), None) => return Ok(only.clone()),
            (Some(_), Some(_)) if usual[1].is_file() => return Ok(usual[1].clone()),
            (Some(one), Some(other)) => {
                return Err(malformed(format!(
                    "it holds several weights files, {} and {}: name the one to use \
                     model.safetensors",
                    one.display(),
                    other.display()
                )));
            }
        }
    }
    Err(malformed(
        "it holds no weights: a file model.safetensors, or one ending in .safetensors, .bin, .pth or \
         .pt"
            .to_owned(),
    ))
}
