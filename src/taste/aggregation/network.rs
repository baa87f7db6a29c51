//! From a set of pictures to the probability of every category.
//!
//! ```text
//! average   r = mean_m x_m
//! one       r0 = Σ a_m x_m,   a = softmax_m(q . x_m)
//! two       q1 = tanh(W r0 + b),   r = Σ a_m x_m,   a = softmax_m(q1 . x_m)
//! gated     r' = σ(W' r + b') ∘ r
//! head      z = W2 dropout(0 ∨ (W1 r + b1)) + b2,   p = σ(z)
//! ```
//!
//! `x_m = √K f_m` for a feature `f_m` of length one and K values, so that values are about one whatever K.
//! Queries and gates start at zero: every variant begins as the average, and learns what to leave.

use candle_core::{Device, Result, Tensor, Var, bail};
use serde::{Deserialize, Serialize};

use super::attend::{Stretches, attend};
use crate::taste::chance::Chance;
use crate::taste::model::{Array, State};
use crate::taste::net::{Activation, Pass, dense, dropout};

/// How pictures become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Variant {
    /// All count alike.
    Average,
    /// One attention block.
    One,
    /// Two, the second asking what the first answered.
    Two,
    /// Two, and context gating.
    Gated,
}

impl Variant {
    /// In the order of what they can do.
    pub const ALL: [Variant; 4] = [Variant::Average, Variant::One, Variant::Two, Variant::Gated];

    /// The name of the model that pools so.
    pub fn model(self) -> &'static str {
        match self {
            Variant::Average => "aggregation-average",
            Variant::One => "aggregation-1",
            Variant::Two => "aggregation-2",
            Variant::Gated => "aggregation-gated",
        }
    }

    fn blocks(self) -> usize {
        match self {
            Variant::Average => 0,
            Variant::One => 1,
            Variant::Two | Variant::Gated => 2,
        }
    }
}

/// How large a network is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// The length of a picture's feature: `K`.
    pub features: usize,
    /// Values of the hidden layer.
    pub hidden: usize,
    /// How many categories there are.
    pub categories: usize,
    /// The share of hidden values that dropout drops.
    pub dropout: f32,
}

/// The network.
#[derive(Debug, Clone)]
pub struct Aggregator {
    variant: Variant,
    extent: Extent,
    parameters: Vec<(&'static str, Var)>,
}

/// What the last block of a network made of its sets.
pub struct Pooled {
    /// A row a set.
    pub rows: Tensor,
    /// What the last block asked of each set; `None` for the average.
    pub queries: Option<Tensor>,
}

impl Aggregator {
    /// A network with its first weights.
    pub fn new(variant: Variant, extent: Extent, seed: u64) -> Result<Self> {
        let Extent { features, hidden, categories, .. } = extent;
        let zeros = |name, shape: &[usize]| -> Result<(&'static str, Var)> {
            let count = shape.iter().product();
            Ok((name, Var::from_vec(vec![0f32; count], shape, &Device::Cpu)?))
        };
        // Glorot's bound, as Keras draws.
        let drawn = |name, outputs: usize, inputs: usize| -> Result<(&'static str, Var)> {
            let bound = (6.0 / (inputs + outputs) as f64).sqrt() as f32;
            let mut chance = Chance::new(seed, name, 0);
            let values =
                (0..outputs * inputs).map(|_| bound * (2.0 * chance.unit() - 1.0)).collect();
            Ok((name, Var::from_vec(values, (outputs, inputs), &Device::Cpu)?))
        };
        let mut parameters = Vec::new();
        if variant.blocks() > 0 {
            parameters.push(zeros("query", &[1, features])?);
        }
        if variant.blocks() > 1 {
            parameters.push(zeros("second.weight", &[features, features])?);
            parameters.push(zeros("second.bias", &[features])?);
        }
        if variant == Variant::Gated {
            parameters.push(zeros("gate.weight", &[features, features])?);
            parameters.push(zeros("gate.bias", &[features])?);
        }
        parameters.push(drawn("hidden.weight", hidden, features)?);
        parameters.push(zeros("hidden.bias", &[hidden])?);
        parameters.push(drawn("output.weight", categories, hidden)?);
        parameters.push(zeros("output.bias", &[categories])?);
        Ok(Aggregator { variant, extent, parameters })
    }

    /// How large it is.
    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// How it pools.
    pub fn variant(&self) -> Variant {
        self.variant
    }

    /// The parameters by name.
    pub fn parameters(&self) -> impl Iterator<Item = (String, Var)> {
        self.parameters.iter().map(|(name, var)| ((*name).to_owned(), var.clone()))
    }

    /// The parameters' values.
    pub fn state(&self) -> Result<State> {
        let array = |(name, var): (String, Var)| {
            Ok((name, Array { shape: var.dims().to_vec(), values: var.flatten_all()?.to_vec1()? }))
        };
        self.parameters().map(array).collect()
    }

    /// Takes up values that [`state`](Self::state) told.
    pub fn restore(&self, state: &State) -> Result<()> {
        for (name, var) in &self.parameters {
            match state.get(*name) {
                Some(array) if array.shape == var.dims() => {
                    var.set(&Tensor::from_slice(&array.values, var.shape(), &Device::Cpu)?)?;
                }
                _ => bail!("there is no fitting {name}"),
            }
        }
        Ok(())
    }

    fn parameter(&self, name: &str, learns: bool) -> Result<Tensor> {
        match self.parameters.iter().find(|(found, _)| *found == name) {
            Some((_, var)) if learns => Ok(var.as_tensor().clone()),
            Some((_, var)) => Ok(var.as_detached_tensor()),
            None => bail!("there is no {name}"),
        }
    }

    fn layer(&self, x: &Tensor, name: &str, relu: bool, learns: bool) -> Result<Tensor> {
        let weight = self.parameter(&format!("{name}.weight"), learns)?;
        let bias = self.parameter(&format!("{name}.bias"), learns)?;
        dense(x, &weight, &bias, if relu { Activation::Relu } else { Activation::None })
    }

    /// The sets' pictures pooled, before gating. In: a row a picture, as the features are.
    pub fn pool(&self, features: &Tensor, sets: &Stretches, learns: bool) -> Result<Pooled> {
        let scale = (self.extent.features as f64).sqrt();
        let x = (features * scale)?;
        let shape = (sets.len(), self.extent.features);
        if self.variant == Variant::Average {
            let nothing = Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu)?;
            return Ok(Pooled { rows: attend(&x, &nothing, sets)?, queries: None });
        }
        let mut queries = self.parameter("query", learns)?.broadcast_as(shape)?.contiguous()?;
        let mut rows = attend(&x, &queries, sets)?;
        if self.variant.blocks() > 1 {
            queries = self.layer(&rows, "second", false, learns)?.tanh()?;
            rows = attend(&x, &queries, sets)?;
        }
        Ok(Pooled { rows, queries: Some(queries) })
    }

    /// What is said of every category, before the sigmoid, by what was pooled.
    pub fn head(&self, pooled: &Tensor, pass: Pass<'_>) -> Result<Tensor> {
        let learns = matches!(pass, Pass::Train(_));
        let mut rows = pooled.clone();
        if self.variant == Variant::Gated {
            let gate = candle_nn::ops::sigmoid(&self.layer(&rows, "gate", false, learns)?)?;
            rows = (gate * rows)?;
        }
        let mut hidden = self.layer(&rows, "hidden", true, learns)?;
        if let Pass::Train(chance) = pass
            && self.extent.dropout > 0.0
        {
            hidden = dropout(&hidden, self.extent.dropout, chance)?;
        }
        self.layer(&hidden, "output", false, learns)
    }

    /// What is said of every category of each set, before the sigmoid.
    pub fn forward(&self, features: &Tensor, sets: &Stretches, pass: Pass<'_>) -> Result<Tensor> {
        let learns = matches!(pass, Pass::Train(_));
        self.head(&self.pool(features, sets, learns)?.rows, pass)
    }
}
