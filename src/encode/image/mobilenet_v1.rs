//! MobileNet-v1 of full width without its last layer (Howard et al. 2017).
//!
//! ```text
//! stem    3x3 / 2                                   32
//! pairs   13 x [depthwise 3x3 / s, 1x1]           1024, then the mean over places
//! ```
//!
//! A ReLU6 follows every convolution. Zeros are padded as TensorFlow does.

use super::conv::{Activation, Conv};
use super::encoder::{Known, Network, Tap};
use super::geometry::{Kernel, Padding};
use super::loader::{Loader, Names};
use super::maps::Maps;
use super::preprocess::{Preprocessing, Resize, Rounding};
use super::resize::Filter;
use crate::encode::{Device, Error, Weights};

/// The hub's own `preprocessor_config.json` tells the same but for the rounding.
pub(super) const KNOWN: Known = Known {
    name: "mobilenet-v1",
    declared: &["mobilenet-v1", "mobilenet_v1"],
    dimension: 1024,
    recognise: |weights| prefix(weights).is_some(),
    load: |weights, device| Ok(Box::new(MobileNetV1::load(weights, device)?)),
    preprocessing: Preprocessing {
        resize: Resize::ShortSide(256),
        filter: Filter::Bilinear,
        crop: 224,
        rounding: Rounding::HalfToEven,
        scale: 255.0,
        mean: [0.5; 3],
        std: [0.5; 3],
    },
};

/// Of its batch norms.
pub(crate) const EPSILON: f64 = 1e-3;

/// The pairs between one halving and the next, the first of which halves but in the first stage, and the
/// channels that they put out.
pub(crate) const STAGES: [(usize, usize); 5] = [(1, 64), (2, 128), (2, 256), (6, 512), (2, 1024)];
const NAMES: [&str; 5] = ["stage1", "stage2", "stage3", "stage4", "stage5"];

/// Stages whose maps are larger than their weights.
const LARGE: usize = 3;

struct MobileNetV1 {
    stem: Conv,
    stages: Vec<Vec<[Conv; 2]>>,
}

/// What stands before the names: the body alone has nothing there.
pub(crate) fn prefix(weights: &Weights) -> Option<&'static str> {
    ["mobilenet_v1.", ""].into_iter().find(|prefix| {
        let last = format!("{prefix}layer.25.convolution.weight");
        let stem = format!("{prefix}conv_stem.convolution.weight");
        weights.shape(&last).is_some() && weights.shape(&stem).is_some()
    })
}

impl MobileNetV1 {
    fn load(weights: &Weights, device: &Device) -> Result<Self, Error> {
        let prefix = prefix(weights).unwrap_or("mobilenet_v1.");
        let loader = Loader::new(weights, EPSILON, device);
        let names = |part: String| Names {
            conv: format!("{prefix}{part}.convolution"),
            norm: format!("{prefix}{part}.normalization"),
        };
        let geometry = |kernel, stride| Kernel::square(kernel, stride, Padding::Same);
        let relu6 = Activation::Relu6;
        let stem = loader.conv(&names("conv_stem".to_owned()), (3, 32), geometry(3, 2), relu6)?;
        let mut inputs = 32;
        let mut number = 0;
        let mut stages = Vec::new();
        for (index, (pairs, outputs)) in STAGES.into_iter().enumerate() {
            let mut stage = Vec::new();
            for pair in 0..pairs {
                let stride = if index > 0 && pair == 0 { 2 } else { 1 };
                let part = |at: usize| names(format!("layer.{}", number + at));
                stage.push([
                    loader.depthwise(&part(0), inputs, geometry(3, stride), relu6)?,
                    loader.conv(&part(1), (inputs, outputs), geometry(1, 1), relu6)?,
                ]);
                inputs = outputs;
                number += 2;
            }
            stages.push(stage);
        }
        loader.finish("MobileNet-v1", &["classifier."])?;
        Ok(MobileNetV1 { stem, stages })
    }
}

impl Network for MobileNetV1 {
    fn forward(&self, x: &Maps, tap: &mut Tap<'_>) -> candle_core::Result<Maps> {
        let (large, small) = self.stages.split_at(LARGE);
        let x = x.one_by_one(|x| {
            let x = self.stem.forward(x)?;
            tap("stem", &x);
            through(large, &NAMES[..LARGE], x, tap)
        })?;
        through(small, &NAMES[LARGE..], x, tap)
    }
}

fn through(
    stages: &[Vec<[Conv; 2]>],
    names: &[&'static str],
    mut x: Maps,
    tap: &mut Tap<'_>,
) -> candle_core::Result<Maps> {
    for (pairs, name) in stages.iter().zip(names) {
        for [depthwise, point] in pairs {
            x = point.forward(&depthwise.forward(&x)?)?;
        }
        tap(name, &x);
    }
    Ok(x)
}
