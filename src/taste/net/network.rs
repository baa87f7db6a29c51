//! A network: layers one after the other.
//!
//! In: pictures, (pictures, channels, rows, columns). Out: what the last layer makes of them. A network
//! file such as `cnn_f` is a list of layers; here is what layers are, how their first weights are
//! drawn, and how they are kept.

use candle_core::{Device, Result, Tensor, Var, bail};

use super::activation::Activation;
use super::conv::{conv_transpose2d, conv2d};
use super::dense::dense;
use super::dropout::dropout;
use super::pool::{Pooling, Windows, pool2d};
use crate::encode::image::{Geometry, Padding};
use crate::taste::chance::Chance;
use crate::taste::model::{Array, State};

/// Why a network runs.
#[derive(Debug)]
pub enum Pass<'a> {
    /// To learn: `backward` will be called, and dropout draws its masks from this.
    Train(&'a mut Chance),
    /// For its result.
    Use,
}

/// A layer's name, weights and biases.
#[derive(Debug, Clone)]
struct Weights {
    name: String,
    weight: Var,
    bias: Var,
}

#[derive(Debug, Clone)]
enum Layer {
    Conv(Weights, Geometry, Activation),
    /// With so many rows and columns beyond the smallest output.
    Transposed(Weights, Geometry, usize, Activation),
    Pool(Pooling, Windows),
    Dense(Weights, Activation),
    Dropout(f32),
    Flatten,
    Sigmoid,
}

impl Layer {
    fn weights(&self) -> Option<&Weights> {
        match self {
            Layer::Conv(weights, ..)
            | Layer::Transposed(weights, ..)
            | Layer::Dense(weights, _) => Some(weights),
            Layer::Pool(..) | Layer::Dropout(_) | Layer::Flatten | Layer::Sigmoid => None,
        }
    }
}

/// Layers one after the other.
#[derive(Debug, Clone)]
pub struct Network(Vec<Layer>);

impl Network {
    /// Begins a network that reads so many channels of pictures of so many rows and columns.
    pub(super) fn reading(channels: usize, side: usize, seed: u64) -> Builder {
        Builder { layers: Vec::new(), shape: (channels, side), seed }
    }

    /// What the last layer makes of the input.
    pub fn forward(&self, x: &Tensor, mut pass: Pass<'_>) -> Result<Tensor> {
        let mut x = x.clone();
        for layer in &self.0 {
            // Without history where nobody asks for gradients, so that nothing is kept for them.
            let values = |weights: &Weights| match pass {
                Pass::Train(_) => {
                    (weights.weight.as_tensor().clone(), weights.bias.as_tensor().clone())
                }
                Pass::Use => {
                    (weights.weight.as_detached_tensor(), weights.bias.as_detached_tensor())
                }
            };
            x = match layer {
                Layer::Conv(weights, geometry, activation) => {
                    let (weight, bias) = values(weights);
                    conv2d(&x, &weight, &bias, *geometry, *activation)?
                }
                Layer::Transposed(weights, geometry, beyond, activation) => {
                    let (weight, bias) = values(weights);
                    conv_transpose2d(&x, &weight, &bias, *geometry, *beyond, *activation)?
                }
                Layer::Pool(pooling, windows) => pool2d(&x, *pooling, *windows)?,
                Layer::Dense(weights, activation) => {
                    let (weight, bias) = values(weights);
                    dense(&x, &weight, &bias, *activation)?
                }
                Layer::Dropout(share) => match &mut pass {
                    Pass::Train(chance) if *share > 0.0 => dropout(&x, *share, chance)?,
                    _ => x,
                },
                Layer::Flatten => x.flatten_from(1)?,
                Layer::Sigmoid => candle_nn::ops::sigmoid(&x)?,
            };
        }
        Ok(x)
    }

    /// The parameters, by the names that PyTorch would give them.
    pub fn parameters(&self) -> impl Iterator<Item = (String, Var)> {
        self.0.iter().filter_map(Layer::weights).flat_map(|Weights { name, weight, bias }| {
            [(format!("{name}.weight"), weight.clone()), (format!("{name}.bias"), bias.clone())]
        })
    }

    /// How many numbers the parameters are.
    pub fn size(&self) -> usize {
        self.parameters().map(|(_, var)| var.elem_count()).sum()
    }

    /// The parameters' values.
    pub fn state(&self) -> Result<State> {
        self.parameters()
            .map(|(name, var)| {
                let values = var.flatten_all()?.to_vec1()?;
                Ok((name, Array { shape: var.dims().to_vec(), values }))
            })
            .collect()
    }

    /// Takes up values that [`Network::state`] told, or a checkpoint's of the same names and shapes.
    pub fn restore(&self, state: &State) -> Result<()> {
        for (name, var) in self.parameters() {
            match state.get(&name) {
                Some(array) if array.shape == var.dims() => {
                    var.set(&Tensor::from_slice(&array.values, var.shape(), &Device::Cpu)?)?;
                }
                Some(array) => {
                    bail!("{name} has the shape {:?}, not {:?}", array.shape, var.dims())
                }
                None => bail!("there is no {name}"),
            }
        }
        Ok(())
    }
}

/// A network that grows layer by layer, and knows what has come out so far.
pub(super) struct Builder {
    layers: Vec<Layer>,
    /// Channels, and rows and columns; once flat, values and 1.
    shape: (usize, usize),
    seed: u64,
}

impl Builder {
    /// Weights whose sums have the variance of the inputs, or twice that before a ReLU, which halves it.
    fn weights(
        &self,
        name: &str,
        shape: &[usize],
        outputs: usize,
        inputs: f64,
        activation: Activation,
    ) -> Result<Weights> {
        let variance = if activation == Activation::Relu { 2.0 } else { 1.0 } / inputs.max(1.0);
        let bound = (3.0 * variance).sqrt() as f32;
        let mut chance = Chance::new(self.seed, name, 0);
        let values = (0..shape.iter().product::<usize>())
            .map(|_| bound * (2.0 * chance.unit() - 1.0))
            .collect();
        Ok(Weights {
            name: name.to_owned(),
            weight: Var::from_vec(values, shape, &Device::Cpu)?,
            bias: Var::from_vec(vec![0f32; outputs], outputs, &Device::Cpu)?,
        })
    }

    pub fn conv(
        mut self,
        name: &str,
        outputs: usize,
        geometry: Geometry,
        activation: Activation,
    ) -> Result<Self> {
        let (inputs, side) = self.shape;
        let taps = geometry.kernel * geometry.kernel;
        let shape = [outputs, inputs, geometry.kernel, geometry.kernel];
        let weights = self.weights(name, &shape, outputs, (inputs * taps) as f64, activation)?;
        self.layers.push(Layer::Conv(weights, geometry, activation));
        self.shape = (outputs, geometry.along(side).1);
        Ok(self)
    }

    /// The transpose of a convolution that would read `side` rows and columns.
    pub fn transposed(
        mut self,
        name: &str,
        outputs: usize,
        side: usize,
        geometry: Geometry,
        activation: Activation,
    ) -> Result<Self> {
        let inputs = self.shape.0;
        let least = (self.shape.1 - 1) * geometry.stride + geometry.kernel;
        let beyond = match geometry.padding {
            Padding::Each(zeros) => (side + 2 * zeros).saturating_sub(least),
            Padding::Same => 0,
        };
        // Each output is under so many taps.
        let taps = (geometry.kernel as f64 / geometry.stride as f64).powi(2);
        let shape = [inputs, outputs, geometry.kernel, geometry.kernel];
        let weights = self.weights(name, &shape, outputs, inputs as f64 * taps, activation)?;
        self.layers.push(Layer::Transposed(weights, geometry, beyond, activation));
        self.shape = (outputs, side);
        Ok(self)
    }

    pub fn pool(mut self, pooling: Pooling, windows: Windows) -> Self {
        self.layers.push(Layer::Pool(pooling, windows));
        self.shape.1 = windows.along(self.shape.1).len();
        self
    }

    pub fn flatten(mut self) -> Self {
        self.layers.push(Layer::Flatten);
        self.shape = (self.shape.0 * self.shape.1 * self.shape.1, 1);
        self
    }

    pub fn dense(mut self, name: &str, outputs: usize, activation: Activation) -> Result<Self> {
        let inputs = self.shape.0;
        let weights = self.weights(name, &[outputs, inputs], outputs, inputs as f64, activation)?;
        self.layers.push(Layer::Dense(weights, activation));
        self.shape = (outputs, 1);
        Ok(self)
    }

    pub fn dropout(mut self, share: f32) -> Self {
        self.layers.push(Layer::Dropout(share));
        self
    }

    pub fn sigmoid(mut self) -> Self {
        self.layers.push(Layer::Sigmoid);
        self
    }

    pub fn build(self) -> Network {
        Network(self.layers)
    }
}
