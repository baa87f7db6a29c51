//! ResNet-50 without its last layer (He et al. 2015, in the form that strides in the 3x3).
//!
//! ```text
//! stem    7x7 / 2, max 3x3 / 2                                  64
//! layer1  3 x [1x1 -> 3x3 -> 1x1, + shortcut]                  256
//! layer2  4 x [same, the first one / 2]                        512
//! layer3  6 x [same, the first one / 2]                       1024
//! layer4  3 x [same, the first one / 2]                       2048, then the mean over places
//! ```
//!
//! A ReLU follows every convolution, in a branch's last one after the shortcut is added; the shortcut is
//! a 1x1 where the shape changes.

use super::conv::{Activation, Conv};
use super::encoder::{Known, Network, Tap};
use super::geometry::{Kernel, Padding};
use super::loader::{Loader, Names};
use super::maps::Maps;
use super::pool;
use super::preprocess::{Preprocessing, Resize, Rounding};
use super::resize::Filter;
use crate::encode::{Device, Error, Weights};

pub(super) const KNOWN: Known = Known {
    name: "resnet50",
    declared: &["resnet50", "tv_resnet50", "resnet"],
    dimension: 2048,
    recognise: |weights| Layout::of(weights).is_some(),
    load: |weights, device| Ok(Box::new(ResNet50::load(weights, device)?)),
    preprocessing: Preprocessing {
        resize: Resize::ShortSide(256),
        filter: Filter::Bilinear,
        crop: 224,
        rounding: Rounding::HalfToEven,
        scale: 255.0,
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
    },
};

const EPSILON: f64 = 1e-5;

/// Blocks of each layer.
const DEPTHS: [usize; 4] = [3, 4, 6, 3];

/// A branch puts out this many times the channels that its 3x3 has.
const EXPANSION: usize = 4;

struct ResNet50 {
    stem: Conv,
    layers: [Vec<Block>; 4],
}

struct Block {
    branch: [Conv; 3],
    shortcut: Option<Conv>,
}

impl ResNet50 {
    fn load(weights: &Weights, device: &Device) -> Result<Self, Error> {
        let layout = Layout::of(weights).unwrap_or(Layout::Torchvision);
        let loader = Loader::new(weights, EPSILON, device);
        let wide = Kernel::square(7, 2, Padding::Each(3));
        let stem = loader.conv(&layout.stem(), (3, 64), wide, Activation::Relu)?;
        let mut layers = [const { Vec::new() }; 4];
        let mut inputs = 64;
        for (layer, blocks) in layers.iter_mut().enumerate() {
            let middle = 64 << layer;
            for block in 0..DEPTHS[layer] {
                let stride = if layer > 0 && block == 0 { 2 } else { 1 };
                let names = |part| layout.part(layer, block, part);
                blocks.push(Block::load(&loader, names, (inputs, middle), stride)?);
                inputs = middle * EXPANSION;
            }
        }
        loader.finish("ResNet-50", &["fc.", "classifier."])?;
        Ok(ResNet50 { stem, layers })
    }
}

impl Network for ResNet50 {
    fn forward(&self, x: &Maps, tap: &mut Tap<'_>) -> candle_core::Result<Maps> {
        let halved = Kernel::square(3, 2, Padding::Each(1));
        let [first, second, third, fourth] = &self.layers;
        let mut x = x.one_by_one(|x| {
            let x = pool::largest(&self.stem.forward(x)?, &halved)?;
            tap("stem", &x);
            let x = through(first, x, "layer1", tap)?;
            through(second, x, "layer2", tap)
        })?;
        x = through(third, x, "layer3", tap)?;
        through(fourth, x, "layer4", tap)
    }
}

fn through(
    blocks: &[Block],
    mut x: Maps,
    name: &'static str,
    tap: &mut Tap<'_>,
) -> candle_core::Result<Maps> {
    for block in blocks {
        x = block.forward(&x)?;
    }
    tap(name, &x);
    Ok(x)
}

impl Block {
    fn load(
        loader: &Loader<'_>,
        names: impl Fn(Part) -> Names,
        (inputs, middle): (usize, usize),
        stride: usize,
    ) -> Result<Self, Error> {
        let outputs = middle * EXPANSION;
        let point = |stride| Kernel::square(1, stride, Padding::Each(0));
        let around = Kernel::square(3, stride, Padding::Each(1));
        let relu = Activation::Relu;
        let branch = [
            loader.conv(&names(Part::Conv(1)), (inputs, middle), point(1), relu)?,
            loader.conv(&names(Part::Conv(2)), (middle, middle), around, relu)?,
            loader.conv(&names(Part::Conv(3)), (middle, outputs), point(1), relu)?,
        ];
        let shortcut = (inputs != outputs).then(|| {
            let names = names(Part::Shortcut);
            loader.conv(&names, (inputs, outputs), point(stride), Activation::None)
        });
        Ok(Block { branch, shortcut: shortcut.transpose()? })
    }

    fn forward(&self, x: &Maps) -> candle_core::Result<Maps> {
        let [first, second, third] = &self.branch;
        let y = second.forward(&first.forward(x)?)?;
        match &self.shortcut {
            Some(shortcut) => third.forward_onto(&y, &shortcut.forward(x)?),
            None => third.forward_onto(&y, x),
        }
    }
}

/// How a library names the weights.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Layout {
    /// torchvision and timm: `layer1.0.conv1.weight`.
    Torchvision,
    /// Hugging Face: `encoder.stages.0.layers.0.layer.0.convolution.weight`, behind this prefix.
    HuggingFace(&'static str),
}

/// A convolution of a block.
enum Part {
    /// Counted from 1.
    Conv(usize),
    Shortcut,
}

impl Layout {
    fn of(weights: &Weights) -> Option<Self> {
        let candidates =
            [Layout::Torchvision, Layout::HuggingFace("resnet."), Layout::HuggingFace("")];
        candidates.into_iter().find(|layout| {
            let deep = layout.part(0, 0, Part::Conv(3)).conv;
            weights.shape(&format!("{deep}.weight")).is_some()
        })
    }

    fn stem(self) -> Names {
        match self {
            Layout::Torchvision => Names { conv: "conv1".to_owned(), norm: "bn1".to_owned() },
            Layout::HuggingFace(prefix) => hugging_face(format!("{prefix}embedder.embedder")),
        }
    }

    fn part(self, layer: usize, block: usize, part: Part) -> Names {
        match (self, part) {
            (Layout::Torchvision, Part::Conv(number)) => Names {
                conv: format!("layer{}.{block}.conv{number}", layer + 1),
                norm: format!("layer{}.{block}.bn{number}", layer + 1),
            },
            (Layout::Torchvision, Part::Shortcut) => Names {
                conv: format!("layer{}.{block}.downsample.0", layer + 1),
                norm: format!("layer{}.{block}.downsample.1", layer + 1),
            },
            (Layout::HuggingFace(prefix), part) => {
                let block = format!("{prefix}encoder.stages.{layer}.layers.{block}");
                hugging_face(match part {
                    Part::Conv(number) => format!("{block}.layer.{}", number - 1),
                    Part::Shortcut => format!("{block}.shortcut"),
                })
            }
        }
    }
}

fn hugging_face(part: String) -> Names {
    Names { conv: format!("{part}.convolution"), norm: format!("{part}.normalization") }
}
