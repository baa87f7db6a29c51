//! AlexNet without its last layer, in the form of "one weird trick" (Krizhevsky 2014) that torchvision has.
//!
//! ```text
//! 11x11 / 4 -> 64, max 3x3 / 2,  5x5 -> 192, max 3x3 / 2,
//! 3x3 -> 384,  3x3 -> 256,  3x3 -> 256, max 3x3 / 2,  all places -> 4096,  -> 4096
//! ```
//!
//! A ReLU follows every layer. The vector is what the classifier reads, not a mean over places, so pictures
//! of another side than 224 do not fit.

use super::conv::{Activation, Conv};
use super::encoder::{Known, Network, Tap};
use super::geometry::{Kernel, Padding};
use super::loader::Loader;
use super::maps::Maps;
use super::pool;
use super::preprocess::Preprocessing;
use super::resnet;
use crate::encode::{Device, Error, Weights};

pub(super) const KNOWN: Known = Known {
    name: "alexnet",
    declared: &["alexnet"],
    dimension: 4096,
    recognise: |weights| weights.shape("features.0.weight") == Some(&[64, 3, 11, 11]),
    load: |weights, device| Ok(Box::new(AlexNet::load(weights, device)?)),
    preprocessing: Preprocessing { ..resnet::KNOWN.preprocessing },
};

struct AlexNet {
    convs: [Conv; 5],
    /// Over the 6x6 places that remain, and over the one that is left then.
    whole: [Conv; 2],
}

impl AlexNet {
    fn load(weights: &Weights, device: &Device) -> Result<Self, Error> {
        // It has no batch norms, so their epsilon plays no part.
        let loader = Loader::new(weights, 0.0, device);
        let conv = |number, shape, kernel, stride, zeros| {
            let geometry = Kernel::square(kernel, stride, Padding::Each(zeros));
            loader.biased(&format!("features.{number}"), shape, geometry, Activation::Relu)
        };
        let convs = [
            conv(0, (3, 64), 11, 4, 2)?,
            conv(3, (64, 192), 5, 1, 2)?,
            conv(6, (192, 384), 3, 1, 1)?,
            conv(8, (384, 256), 3, 1, 1)?,
            conv(10, (256, 256), 3, 1, 1)?,
        ];
        let linear = |number, shape, side| {
            loader.linear(&format!("classifier.{number}"), shape, side, Activation::Relu)
        };
        let whole = [linear(1, (256, 4096), 6)?, linear(4, (4096, 4096), 1)?];
        loader.finish("AlexNet", &["classifier.6."])?;
        Ok(AlexNet { convs, whole })
    }
}

impl Network for AlexNet {
    fn forward(&self, x: &Maps, tap: &mut Tap<'_>) -> candle_core::Result<Maps> {
        let halving = Kernel::square(3, 2, Padding::Each(0));
        let mut halved = |x: Maps, name| {
            let x = pool::largest(&x, &halving)?;
            tap(name, &x);
            candle_core::Result::Ok(x)
        };
        let [first, second, third, fourth, fifth] = &self.convs;
        let x = halved(first.forward(x)?, "pool1")?;
        let x = halved(second.forward(&x)?, "pool2")?;
        let x = fifth.forward(&fourth.forward(&third.forward(&x)?)?)?;
        let x = halved(x, "pool3")?;
        let [places, channels] = &self.whole;
        channels.forward(&places.forward(&x)?)
    }
}
