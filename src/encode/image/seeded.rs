//! Pictures and weights that the tests make again from nothing, so that neither need be kept.
//!
//! The counterpart in Python is `tools/golden/seeded.py`; both must give the same bits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use image::RgbImage;

/// A file of `fixtures/golden/image`.
pub(super) fn golden(name: &str) -> serde_json::Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path: PathBuf = root.join("fixtures/golden/image").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub(crate) fn floats(value: &serde_json::Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32).collect()
}

/// Output `index` of the splitmix64 generator.
fn splitmix(seed: u64, index: u64) -> u64 {
    let mut z = seed.wrapping_add((index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// FNV-1a, 64 bits: a seed for a name.
fn fnv(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A gradient, coarse blocks and noise.
pub(super) fn picture(width: u32, height: u32, seed: u64) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let gradient = [x * 255 / (width - 1).max(1), y * 255 / (height - 1).max(1), (x + y) % 256];
        let first = u64::from(y * width + x) * 3;
        image::Rgb(std::array::from_fn(|channel| {
            let noise = splitmix(seed, first + channel as u64) >> 56;
            let block = u64::from(y / 32 * 64 + x / 32) * 3 + channel as u64;
            let block = splitmix(seed + 1000, block) >> 56;
            ((gradient[channel] + 2 * block as u32 + noise as u32) / 4) as u8
        }))
    })
}

/// The places at which the golden files sample an array of `length` values.
pub(crate) fn places(length: usize) -> impl Iterator<Item = usize> {
    (0..32).map(move |index| (splitmix(0, index) % length as u64) as usize)
}

/// One tensor of a network, by its name and shape.
pub(crate) fn parameter(name: &str, shape: &[usize]) -> Tensor {
    let seed = fnv(name);
    let last_of_its_branch = name.ends_with("bn3.weight");
    let values = (0..shape.iter().product::<usize>()).map(|index| {
        let u = (splitmix(seed, index as u64) >> 40) as f32 / (1u32 << 23) as f32 - 1.0;
        if shape.len() >= 2 {
            u * (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt() as f32
        } else if name.ends_with("running_var") {
            1.0 + 0.5 * u
        } else if name.ends_with("weight") {
            (if last_of_its_branch { 0.5 } else { 1.0 }) * (1.0 + 0.25 * u)
        } else {
            0.0625 * u
        }
    });
    Tensor::from_iter(values, &Device::Cpu).unwrap().reshape(shape).unwrap()
}

/// Writes a model directory with seeded weights, each under the name that `rename` gives it.
pub(super) fn model(
    shapes: &[(String, Vec<usize>)],
    rename: impl Fn(&str) -> String,
) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let tensors: BTreeMap<String, Tensor> =
        shapes.iter().map(|(name, shape)| (rename(name), parameter(name, shape))).collect();
    safetensors::serialize_to_file(&tensors, None, &folder.path().join("model.safetensors"))
        .unwrap();
    folder
}
