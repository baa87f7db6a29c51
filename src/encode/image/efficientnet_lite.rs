//! EfficientNet-Lite0 without its last layer (Tan and Le 2019; the Lite variants have ReLU6 and no
//! squeeze-and-excitation).
//!
//! ```text
//! stem    3x3 / 2                                      32
//! stages  inverted residuals: 1x1 widening by e, depthwise k x k / s, 1x1 narrowing without activation
//! head    1x1                                        1280, then the mean over places
//! ```
//!
//! The input is added where a block keeps its shape. Zeros are padded as TensorFlow does.

use super::conv::{Activation, Conv};
use super::encoder::{Known, Network, Tap};
use super::geometry::{Kernel, Padding};
use super::loader::{Loader, Names};
use super::maps::Maps;
use super::preprocess::{Preprocessing, Resize, Rounding};
use super::resize::Filter;
use crate::encode::{Device, Error, Weights};

/// The rule of the PyTorch ports. TensorFlow's own crops `224/256` of the shorter side first and resizes
/// then, which shows the network the same part of the picture.
pub(super) const KNOWN: Known = Known {
    name: "efficientnet-lite0",
    declared: &["efficientnet-lite0", "tf_efficientnet_lite0"],
    dimension: 1280,
    // timm's names do not tell the TensorFlow port from a network with other padding, so a file with
    // those needs its config.json.
    recognise: |weights| Layout::of(weights) == Some(Layout::TensorFlowPort),
    load: |weights, device| Ok(Box::new(EfficientNetLite0::load(weights, device)?)),
    preprocessing: Preprocessing {
        resize: Resize::ShortSide(256),
        filter: Filter::Bicubic,
        crop: 224,
        rounding: Rounding::HalfToEven,
        scale: 1.0,
        mean: [127.0; 3],
        std: [128.0; 3],
    },
};

const EPSILON: f64 = 1e-3;

/// One row of the network's table.
struct Stage {
    blocks: usize,
    kernel: usize,
    stride: usize,
    widening: usize,
    outputs: usize,
}

const STAGES: [Stage; 7] = [
    Stage { blocks: 1, kernel: 3, stride: 1, widening: 1, outputs: 16 },
    Stage { blocks: 2, kernel: 3, stride: 2, widening: 6, outputs: 24 },
    Stage { blocks: 2, kernel: 5, stride: 2, widening: 6, outputs: 40 },
    Stage { blocks: 3, kernel: 3, stride: 2, widening: 6, outputs: 80 },
    Stage { blocks: 3, kernel: 5, stride: 1, widening: 6, outputs: 112 },
    Stage { blocks: 4, kernel: 5, stride: 2, widening: 6, outputs: 192 },
    Stage { blocks: 1, kernel: 3, stride: 1, widening: 6, outputs: 320 },
];

const NAMES: [&str; 7] = ["stage1", "stage2", "stage3", "stage4", "stage5", "stage6", "stage7"];

/// Stages whose maps are larger than their weights.
const LARGE: usize = 4;

struct EfficientNetLite0 {
    stem: Conv,
    stages: Vec<Vec<Block>>,
    head: Conv,
}

struct Block {
    widen: Option<Conv>,
    depthwise: Conv,
    narrow: Conv,
    residual: bool,
}

impl EfficientNetLite0 {
    fn load(weights: &Weights, device: &Device) -> Result<Self, Error> {
        let layout = Layout::of(weights).unwrap_or(Layout::TensorFlowPort);
        let loader = Loader::new(weights, EPSILON, device);
        let first = Kernel::square(3, 2, Padding::Same);
        let stem = loader.conv(&layout.stem(), (3, 32), first, Activation::Relu6)?;
        let mut inputs = 32;
        let mut number = 0;
        let mut stages = Vec::new();
        for (index, stage) in STAGES.iter().enumerate() {
            let mut blocks = Vec::new();
            for block in 0..stage.blocks {
                let place = Place { stage: index, block, number, widens: stage.widening > 1 };
                let names = |part| layout.part(&place, part);
                let stride = if block == 0 { stage.stride } else { 1 };
                blocks.push(Block::load(&loader, names, stage, inputs, stride)?);
                inputs = stage.outputs;
                number += 1;
            }
            stages.push(blocks);
        }
        let head = loader.conv(&layout.head(), (inputs, 1280), POINT, Activation::Relu6)?;
        loader.finish("EfficientNet-Lite0", &["_fc.", "classifier."])?;
        Ok(EfficientNetLite0 { stem, stages, head })
    }
}

const POINT: Kernel = Kernel::square(1, 1, Padding::Same);

impl Network for EfficientNetLite0 {
    fn forward(&self, x: &Maps, tap: &mut Tap<'_>) -> candle_core::Result<Maps> {
        let (large, small) = self.stages.split_at(LARGE);
        let (large_names, small_names) = NAMES.split_at(LARGE);
        let mut x = x.one_by_one(|x| {
            let mut x = self.stem.forward(x)?;
            tap("stem", &x);
            for (blocks, name) in large.iter().zip(large_names) {
                x = through(blocks, x)?;
                tap(name, &x);
            }
            Ok(x)
        })?;
        for (blocks, name) in small.iter().zip(small_names) {
            x = through(blocks, x)?;
            tap(name, &x);
        }
        self.head.forward(&x)
    }
}

fn through(blocks: &[Block], mut x: Maps) -> candle_core::Result<Maps> {
    for block in blocks {
        x = block.forward(&x)?;
    }
    Ok(x)
}

impl Block {
    fn load(
        loader: &Loader<'_>,
        names: impl Fn(Part) -> Names,
        stage: &Stage,
        inputs: usize,
        stride: usize,
    ) -> Result<Self, Error> {
        let middle = inputs * stage.widening;
        let (relu6, none) = (Activation::Relu6, Activation::None);
        let widen = (stage.widening > 1)
            .then(|| loader.conv(&names(Part::Widen), (inputs, middle), POINT, relu6))
            .transpose()?;
        let around = Kernel::square(stage.kernel, stride, Padding::Same);
        Ok(Block {
            widen,
            depthwise: loader.depthwise(&names(Part::Depthwise), middle, around, relu6)?,
            narrow: loader.conv(&names(Part::Narrow), (middle, stage.outputs), POINT, none)?,
            residual: stride == 1 && inputs == stage.outputs,
        })
    }

    fn forward(&self, x: &Maps) -> candle_core::Result<Maps> {
        let y = match &self.widen {
            Some(widen) => self.depthwise.forward(&widen.forward(x)?)?,
            None => self.depthwise.forward(x)?,
        };
        if self.residual { self.narrow.forward_onto(&y, x) } else { self.narrow.forward(&y) }
    }
}

/// How a library names the weights.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Layout {
    /// The first PyTorch port of the EfficientNets: `_blocks.0._depthwise_conv.weight`.
    TensorFlowPort,
    /// timm: `blocks.0.0.conv_dw.weight`.
    Timm,
}

enum Part {
    Widen,
    Depthwise,
    Narrow,
}

/// Which block it is: `block` counts within its stage, `number` throughout.
struct Place {
    stage: usize,
    block: usize,
    number: usize,
    widens: bool,
}

impl Layout {
    fn of(weights: &Weights) -> Option<Self> {
        if weights.shape("_blocks.0._depthwise_conv.weight").is_some() {
            Some(Layout::TensorFlowPort)
        } else if weights.shape("blocks.0.0.conv_dw.weight").is_some() {
            Some(Layout::Timm)
        } else {
            None
        }
    }

    fn stem(self) -> Names {
        match self {
            Layout::TensorFlowPort => names("", "_conv_stem", "_bn0"),
            Layout::Timm => names("", "conv_stem", "bn1"),
        }
    }

    fn head(self) -> Names {
        match self {
            Layout::TensorFlowPort => names("", "_conv_head", "_bn1"),
            Layout::Timm => names("", "conv_head", "bn2"),
        }
    }

    fn part(self, place: &Place, part: Part) -> Names {
        match self {
            Layout::TensorFlowPort => {
                let block = format!("_blocks.{}.", place.number);
                match part {
                    Part::Widen => names(&block, "_expand_conv", "_bn0"),
                    Part::Depthwise => names(&block, "_depthwise_conv", "_bn1"),
                    Part::Narrow => names(&block, "_project_conv", "_bn2"),
                }
            }
            Layout::Timm => {
                let block = format!("blocks.{}.{}.", place.stage, place.block);
                match (part, place.widens) {
                    (Part::Widen, _) => names(&block, "conv_pw", "bn1"),
                    (Part::Depthwise, true) => names(&block, "conv_dw", "bn2"),
                    (Part::Narrow, true) => names(&block, "conv_pwl", "bn3"),
                    (Part::Depthwise, false) => names(&block, "conv_dw", "bn1"),
                    (Part::Narrow, false) => names(&block, "conv_pw", "bn2"),
                }
            }
        }
    }
}

fn names(block: &str, conv: &str, norm: &str) -> Names {
    Names { conv: format!("{block}{conv}"), norm: format!("{block}{norm}") }
}
