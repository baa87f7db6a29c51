//! MobileNet-v1 as it is while it learns: batch norms stand by themselves, and its first layers can be frozen.
//!
//! ```text
//! learning   y = 0 ∨ BN(W * x) ∧ 6            over the batch's statistics, which the running ones follow
//! frozen     y = 0 ∨ (W' * x + b') ∧ 6        the running ones folded in, as the encoder has them
//! ```
//!
//! In: pictures from -1 to 1. Out: the mean over places of the last maps. Layers are counted from the pictures: the
//! stem, then 13 pairs of a depthwise and a pointwise convolution. Names are the model hub's, so that published weights
//! are taken up as they are; `tests` compares with PyTorch.

use candle_core::{DType, Device, Result, Tensor, Var, bail};

use super::activation::Activation;
use super::activation::activate;
use super::batch_norm::{Statistics, batch_norm};
use super::conv::conv2d;
use super::depthwise::depthwise2d;
use super::values::{tensor, with};
use crate::encode::image::mobilenet_v1::{EPSILON, STAGES};
use crate::encode::image::{Geometry, Padding};
use crate::taste::chance::Chance;
use crate::taste::model::{Array, State};

/// How much of a batch's statistics the running ones take over.
const MOMENTUM: f32 = 0.1;

/// The network.
#[derive(Debug, Clone)]
pub struct MobileNet {
    layers: Vec<Layer>,
    dimension: usize,
}

/// A convolution, its batch norm, and a ReLU6.
#[derive(Debug, Clone)]
struct Layer {
    name: String,
    depthwise: bool,
    geometry: Geometry,
    weight: Var,
    gamma: Var,
    beta: Var,
    running: Vec<Statistics>,
}

impl MobileNet {
    /// How many layers there are.
    pub const LAYERS: usize = 27;

    /// A network with its first weights; every layer has one in `thin` of the published channels.
    pub fn new(thin: usize, seed: u64) -> Result<Self> {
        let channels = |published: usize| published.div_ceil(thin.max(1));
        let mut layers = vec![Layer::new("conv_stem".to_owned(), (3, channels(32)), 3, 2, seed)?];
        let mut inputs = channels(32);
        for (stage, (pairs, outputs)) in STAGES.into_iter().enumerate() {
            for pair in 0..pairs {
                let stride = if stage > 0 && pair == 0 { 2 } else { 1 };
                let name = |layers: &Vec<Layer>| format!("layer.{}", layers.len() - 1);
                layers.push(Layer::new(name(&layers), (1, inputs), 3, stride, seed)?);
                let outputs = channels(outputs);
                layers.push(Layer::new(name(&layers), (inputs, outputs), 1, 1, seed)?);
                inputs = outputs;
            }
        }
        Ok(MobileNet { layers, dimension: inputs })
    }

    /// The length of the vector that comes out.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// What it makes of pictures, to learn from: all but the first `frozen` layers learn.
    pub fn learn(&mut self, x: &Tensor, frozen: usize) -> Result<Tensor> {
        let mut x = x.clone();
        for (number, layer) in self.layers.iter_mut().enumerate() {
            x = if number < frozen { layer.frozen(&x)? } else { layer.learning(&x)? };
        }
        pooled(&x)
    }

    /// What it makes of pictures.
    pub fn look(&self, x: &Tensor) -> Result<Tensor> {
        pooled(&self.layers.iter().try_fold(x.clone(), |x, layer| layer.frozen(&x))?)
    }

    /// The parameters of all but the first `frozen` layers.
    pub fn parameters(&self, frozen: usize) -> impl Iterator<Item = (String, Var)> {
        self.layers.iter().skip(frozen).flat_map(Layer::parameters)
    }

    /// All that learning changes.
    pub fn state(&self) -> Result<State> {
        let mut state = State::new();
        for layer in &self.layers {
            for (name, var) in layer.parameters() {
                let values = var.flatten_all()?.to_vec1()?;
                state.insert(name, Array { shape: var.dims().to_vec(), values });
            }
            for (part, of) in STATISTICS {
                let values = layer.running.iter().map(of).collect();
                let array = Array { shape: vec![layer.running.len()], values };
                state.insert(layer.norm(part), array);
            }
        }
        Ok(state)
    }

    /// Takes up values that [`state`](Self::state) told, or a file's of the same names and shapes.
    pub fn restore(&mut self, state: &State) -> Result<()> {
        for layer in &mut self.layers {
            for (name, var) in layer.parameters() {
                let array = fitting(state, &name, var.dims())?;
                var.set(&Tensor::from_slice(&array.values, var.shape(), &Device::Cpu)?)?;
            }
            let count = [layer.running.len()];
            let [means, variances] = STATISTICS.map(|(part, _)| layer.norm(part));
            let means = &fitting(state, &means, &count)?.values;
            let variances = &fitting(state, &variances, &count)?.values;
            let pairs = means.iter().zip(variances);
            layer.running = pairs.map(|(&mean, &variance)| Statistics { mean, variance }).collect();
        }
        Ok(())
    }

    /// The names and shapes of all that [`restore`](Self::restore) asks for.
    pub fn shapes(&self) -> impl Iterator<Item = (String, Vec<usize>)> {
        self.layers.iter().flat_map(|layer| {
            let learned = layer.parameters().map(|(name, var)| (name, var.dims().to_vec()));
            let count = layer.running.len();
            learned.chain(STATISTICS.map(|(part, _)| (layer.norm(part), vec![count])))
        })
    }
}

/// What the running statistics are called, and where they stand.
type Running = (&'static str, fn(&Statistics) -> f32);
const STATISTICS: [Running; 2] = [("running_mean", |s| s.mean), ("running_var", |s| s.variance)];

/// The mean over places.
fn pooled(x: &Tensor) -> Result<Tensor> {
    x.mean((2, 3))
}

fn fitting<'a>(state: &'a State, name: &str, shape: &[usize]) -> Result<&'a Array> {
    match state.get(name) {
        Some(array) if array.shape == shape => Ok(array),
        Some(array) => bail!("{name} has the shape {:?}, not {shape:?}", array.shape),
        None => bail!("there is no {name}"),
    }
}

impl Layer {
    /// A layer from so many inputs to so many outputs; from one, it is depthwise. Its first weights keep the variance of
    /// what goes through, of which the ReLU takes half.
    fn new(
        name: String,
        (inputs, outputs): (usize, usize),
        kernel: usize,
        stride: usize,
        seed: u64,
    ) -> Result<Self> {
        let shape = [outputs, inputs, kernel, kernel];
        let bound = (6.0 / (inputs * kernel * kernel) as f64).sqrt() as f32;
        let mut chance = Chance::new(seed, &name, 0);
        let count = shape.iter().product::<usize>();
        let values = (0..count).map(|_| bound * (2.0 * chance.unit() - 1.0)).collect();
        Ok(Layer {
            depthwise: name != "conv_stem" && kernel > 1,
            geometry: Geometry { kernel, stride, padding: Padding::Same },
            weight: Var::from_vec(values, &shape, &Device::Cpu)?,
            gamma: Var::ones(outputs, DType::F32, &Device::Cpu)?,
            beta: Var::zeros(outputs, DType::F32, &Device::Cpu)?,
            running: vec![Statistics { mean: 0.0, variance: 1.0 }; outputs],
            name,
        })
    }

    fn norm(&self, part: &str) -> String {
        format!("{}.normalization.{part}", self.name)
    }

    fn parameters(&self) -> impl Iterator<Item = (String, Var)> + use<> {
        let (weight, gamma, beta) = (self.weight.clone(), self.gamma.clone(), self.beta.clone());
        let named = format!("{}.convolution.weight", self.name);
        [(named, weight), (self.norm("weight"), gamma), (self.norm("bias"), beta)].into_iter()
    }

    fn convolved(&self, x: &Tensor, w: &Tensor, b: &Tensor, then: Activation) -> Result<Tensor> {
        match self.depthwise {
            true => depthwise2d(x, w, b, self.geometry, then),
            false => conv2d(x, w, b, self.geometry, then),
        }
    }

    fn learning(&mut self, x: &Tensor) -> Result<Tensor> {
        let nothing = Tensor::zeros(self.running.len(), DType::F32, &Device::Cpu)?;
        let sums = self.convolved(x, &self.weight, &nothing, Activation::None)?;
        let count = sums.elem_count() / self.running.len();
        let (normed, found) = batch_norm(&sums, &self.gamma, &self.beta, EPSILON as f32)?;
        // Running variances are of the whole from which the batch is drawn.
        let drawn = count as f32 / count.saturating_sub(1).max(1) as f32;
        for (running, found) in self.running.iter_mut().zip(found) {
            running.mean += MOMENTUM * (found.mean - running.mean);
            running.variance += MOMENTUM * (drawn * found.variance - running.variance);
        }
        activate(&normed, Activation::Relu6)
    }

    fn frozen(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = with([&self.weight, &self.gamma, &self.beta], |[w, gamma, beta]| {
            let scale = |at: usize| {
                let spread = (f64::from(self.running[at].variance) + EPSILON).sqrt();
                (f64::from(gamma[at]) / spread) as f32
            };
            let taps = w.len() / gamma.len();
            let weight = w.iter().enumerate().map(|(at, w)| w * scale(at / taps)).collect();
            let bias = (0..gamma.len()).map(|at| beta[at] - self.running[at].mean * scale(at));
            (weight, bias.collect())
        })?;
        let weight = tensor(weight, self.weight.shape())?;
        self.convolved(x, &weight, &tensor(bias, self.running.len())?, Activation::Relu6)
    }
}
