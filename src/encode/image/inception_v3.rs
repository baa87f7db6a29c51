//! InceptionV3 without its last layer and its auxiliary one (Szegedy et al. 2015).
//!
//! ```text
//! stem     3x3 / 2, 3x3, 3x3, max 3x3 / 2, 1x1, 3x3, max 3x3 / 2     192
//! mixed5   3 x [1x1 | 5x5 | 3x3, 3x3 | mean, 1x1]                     288
//! mixed6   / 2, then 4 x [1x1 | 1x7, 7x1 | twice that | mean, 1x1]    768
//! mixed7   / 2, then 2 x [1x1 | 1x3 and 3x1 | 3x3, the same | ...]   2048, then the mean over places
//! ```
//!
//! Within the brackets, branches whose channels are laid end to end. A ReLU follows every convolution.
//! torchvision's own weights want their pictures from -1 to 1: it makes that of pictures that were scaled
//! otherwise (`transform_input`), here the preprocessing does.

use candle_core::Result as Computed;

use super::conv::{Activation, Conv};
use super::encoder::{Known, Network, Tap};
use super::geometry::{Geometry, Kernel, Padding};
use super::loader::{Loader, Names};
use super::maps::Maps;
use super::pool;
use super::preprocess::{Preprocessing, Resize, Rounding};
use super::resize::Filter;
use crate::encode::{Device, Error, Weights};

/// torchvision's rule; timm's own `config.json` tells another.
pub(super) const KNOWN: Known = Known {
    name: "inceptionv3",
    declared: &[
        "inceptionv3",
        "inception_v3",
        "tf_inception_v3",
        "adv_inception_v3",
        "gluon_inception_v3",
    ],
    dimension: 2048,
    recognise: |weights| weights.shape("Mixed_7c.branch3x3dbl_3b.conv.weight").is_some(),
    load: |weights, device| Ok(Box::new(InceptionV3::load(weights, device)?)),
    preprocessing: Preprocessing {
        resize: Resize::ShortSide(342),
        filter: Filter::Bilinear,
        crop: 299,
        rounding: Rounding::HalfToEven,
        scale: 255.0,
        mean: [0.5; 3],
        std: [0.5; 3],
    },
};

const EPSILON: f64 = 1e-3;

/// Halves what it pools, without padding.
const HALVING: Kernel = Kernel::square(3, 2, Padding::Each(0));
const AROUND: Kernel = Kernel::square(3, 1, Padding::Each(1));

/// A part of a branch, as the tables below tell it.
enum Part {
    /// A convolution of this name to so many channels; rows and columns of its kernel. It keeps the size.
    Conv(&'static str, usize, (usize, usize)),
    /// A 3x3 that halves the size.
    Halving(&'static str, usize),
    /// A 1x3 and a 3x1 beside each other, to so many channels each.
    Cross([&'static str; 2], usize),
    /// The mean of 3x3.
    Mean,
    /// The largest of 3x3, which halves the size.
    Largest,
}

use Part::{Conv as C, Cross, Halving, Largest, Mean};

const ONE: (usize, usize) = (1, 1);
const THREE: (usize, usize) = (3, 3);
const FIVE: (usize, usize) = (5, 5);
const FLAT: (usize, usize) = (1, 7);
const TALL: (usize, usize) = (7, 1);

fn mixed5(pooled: usize) -> Vec<Vec<Part>> {
    vec![
        vec![C("branch1x1", 64, ONE)],
        vec![C("branch5x5_1", 48, ONE), C("branch5x5_2", 64, FIVE)],
        vec![
            C("branch3x3dbl_1", 64, ONE),
            C("branch3x3dbl_2", 96, THREE),
            C("branch3x3dbl_3", 96, THREE),
        ],
        vec![Mean, C("branch_pool", pooled, ONE)],
    ]
}

fn mixed6a() -> Vec<Vec<Part>> {
    vec![
        vec![Halving("branch3x3", 384)],
        vec![
            C("branch3x3dbl_1", 64, ONE),
            C("branch3x3dbl_2", 96, THREE),
            Halving("branch3x3dbl_3", 96),
        ],
        vec![Largest],
    ]
}

fn mixed6(within: usize) -> Vec<Vec<Part>> {
    vec![
        vec![C("branch1x1", 192, ONE)],
        vec![
            C("branch7x7_1", within, ONE),
            C("branch7x7_2", within, FLAT),
            C("branch7x7_3", 192, TALL),
        ],
        vec![
            C("branch7x7dbl_1", within, ONE),
            C("branch7x7dbl_2", within, TALL),
            C("branch7x7dbl_3", within, FLAT),
            C("branch7x7dbl_4", within, TALL),
            C("branch7x7dbl_5", 192, FLAT),
        ],
        vec![Mean, C("branch_pool", 192, ONE)],
    ]
}

fn mixed7a() -> Vec<Vec<Part>> {
    vec![
        vec![C("branch3x3_1", 192, ONE), Halving("branch3x3_2", 320)],
        vec![
            C("branch7x7x3_1", 192, ONE),
            C("branch7x7x3_2", 192, FLAT),
            C("branch7x7x3_3", 192, TALL),
            Halving("branch7x7x3_4", 192),
        ],
        vec![Largest],
    ]
}

fn mixed7() -> Vec<Vec<Part>> {
    vec![
        vec![C("branch1x1", 320, ONE)],
        vec![C("branch3x3_1", 384, ONE), Cross(["branch3x3_2a", "branch3x3_2b"], 384)],
        vec![
            C("branch3x3dbl_1", 448, ONE),
            C("branch3x3dbl_2", 384, THREE),
            Cross(["branch3x3dbl_3a", "branch3x3dbl_3b"], 384),
        ],
        vec![Mean, C("branch_pool", 192, ONE)],
    ]
}

struct InceptionV3 {
    /// With a pooling after the third and the fifth.
    stem: [Conv; 5],
    mixed5: Vec<Mixed>,
    mixed6: Vec<Mixed>,
    mixed7: Vec<Mixed>,
}

/// Branches side by side.
struct Mixed(Vec<Vec<Step>>);

enum Step {
    Conv(Conv),
    Cross([Conv; 2]),
    Mean,
    Largest,
}

impl InceptionV3 {
    fn load(weights: &Weights, device: &Device) -> Result<Self, Error> {
        let loader = &Loader::new(weights, EPSILON, device);
        let stem = |name, shape, geometry| conv(loader, name, shape, geometry);
        let within = |kernel| Kernel::square(kernel, 1, Padding::Each(0));
        let stem = [
            stem("Conv2d_1a_3x3", (3, 32), HALVING)?,
            stem("Conv2d_2a_3x3", (32, 32), within(3))?,
            stem("Conv2d_2b_3x3", (32, 64), AROUND)?,
            stem("Conv2d_3b_1x1", (64, 80), within(1))?,
            stem("Conv2d_4a_3x3", (80, 192), within(3))?,
        ];
        let mut inputs = 192;
        let mut stage = |blocks: Vec<(&str, Vec<Vec<Part>>)>| -> Result<Vec<Mixed>, Error> {
            let load = |(name, branches)| Mixed::load(loader, name, branches, &mut inputs);
            blocks.into_iter().map(load).collect()
        };
        let found = InceptionV3 {
            stem,
            mixed5: stage(vec![
                ("Mixed_5b", mixed5(32)),
                ("Mixed_5c", mixed5(64)),
                ("Mixed_5d", mixed5(64)),
            ])?,
            mixed6: stage(vec![
                ("Mixed_6a", mixed6a()),
                ("Mixed_6b", mixed6(128)),
                ("Mixed_6c", mixed6(160)),
                ("Mixed_6d", mixed6(160)),
                ("Mixed_6e", mixed6(192)),
            ])?,
            mixed7: stage(vec![
                ("Mixed_7a", mixed7a()),
                ("Mixed_7b", mixed7()),
                ("Mixed_7c", mixed7()),
            ])?,
        };
        loader.finish("InceptionV3", &["fc.", "AuxLogits."])?;
        Ok(found)
    }
}

impl Network for InceptionV3 {
    fn forward(&self, x: &Maps, tap: &mut Tap<'_>) -> Computed<Maps> {
        let [first, second, third, fourth, fifth] = &self.stem;
        let mut x = x.one_by_one(|x| {
            let x = third.forward(&second.forward(&first.forward(x)?)?)?;
            let x = fifth.forward(&fourth.forward(&pool::largest(&x, &HALVING)?)?)?;
            tap("stem", &x);
            pool::largest(&x, &HALVING)
        })?;
        let stages = [&self.mixed5, &self.mixed6, &self.mixed7];
        for (blocks, name) in stages.into_iter().zip(["mixed5", "mixed6", "mixed7"]) {
            for block in blocks {
                x = block.forward(&x)?;
            }
            tap(name, &x);
        }
        Ok(x)
    }
}

impl Mixed {
    /// `inputs` becomes what the next block has.
    fn load(
        loader: &Loader<'_>,
        block: &str,
        branches: Vec<Vec<Part>>,
        inputs: &mut usize,
    ) -> Result<Self, Error> {
        let mut outputs = 0;
        let mut loaded = Vec::new();
        for branch in branches {
            let mut channels = *inputs;
            let mut steps = Vec::new();
            for part in branch {
                let load = |name: &str, outputs, geometry| {
                    conv(loader, &format!("{block}.{name}"), (channels, outputs), geometry)
                };
                let (step, now) = match part {
                    C(name, to, kernel) => (Step::Conv(load(name, to, keeping(kernel))?), to),
                    Halving(name, to) => (Step::Conv(load(name, to, HALVING)?), to),
                    Cross([flat, tall], to) => {
                        let flat = load(flat, to, keeping((1, 3)))?;
                        (Step::Cross([flat, load(tall, to, keeping((3, 1)))?]), 2 * to)
                    }
                    Mean => (Step::Mean, channels),
                    Largest => (Step::Largest, channels),
                };
                steps.push(step);
                channels = now;
            }
            outputs += channels;
            loaded.push(steps);
        }
        *inputs = outputs;
        Ok(Mixed(loaded))
    }

    fn forward(&self, x: &Maps) -> Computed<Maps> {
        let mut ends = Vec::with_capacity(self.0.len());
        for branch in &self.0 {
            let mut end = None;
            for step in branch {
                end = Some(step.forward(end.as_ref().unwrap_or(x))?);
            }
            ends.extend(end);
        }
        Maps::end_to_end(&ends)
    }
}

impl Step {
    fn forward(&self, x: &Maps) -> Computed<Maps> {
        match self {
            Step::Conv(conv) => conv.forward(x),
            Step::Cross([flat, tall]) => Maps::end_to_end(&[flat.forward(x)?, tall.forward(x)?]),
            Step::Mean => pool::mean_around(x, &AROUND),
            Step::Largest => pool::largest(x, &HALVING),
        }
    }
}

/// A kernel with as many zeros around as it takes to keep the size.
fn keeping((rows, columns): (usize, usize)) -> Kernel {
    let axis = |kernel: usize| Geometry { kernel, stride: 1, padding: Padding::Each(kernel / 2) };
    Kernel { down: axis(rows), across: axis(columns) }
}

fn conv(
    loader: &Loader<'_>,
    name: &str,
    shape: (usize, usize),
    geometry: Kernel,
) -> Result<Conv, Error> {
    let names = Names { conv: format!("{name}.conv"), norm: format!("{name}.bn") };
    loader.conv(&names, shape, geometry, Activation::Relu)
}
