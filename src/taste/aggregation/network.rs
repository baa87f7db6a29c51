//! From a set of pictures to the probability of every category.
//!
//! ```text
//! average   r = mean_m f_m
//! one       r = Σ a_m f_m,   a = softmax_m(q . f_m)
//! two       q1 = tanh(W r + b),   r' = Σ a_m f_m,   a = softmax_m(q1 . f_m)
//! gated     r'' = σ(W' r' + b') ∘ r'
//! head      z = W2 dropout(0 ∨ (W1 √K r + b1)) + b2,   p = σ(z)
//! ```
//!
//! Features `f_m` have length one and K values; times √K, values are about one whatever K, which is what the head's layers
//! are used to. Queries and gates look at the features as they are: a step of Adam moves each weight alike, and K values
//! about one would carry a query from one picture to the next and a gate from open to shut. Both start at zero: every
//! variant begins as the average, and learns what to leave.

use candle_core::{Device, Result, Tensor};
use serde::{Deserialize, Serialize};

use super::attend::{Stretches, attend};
use crate::taste::net::{Activation, Pass, dropout};
use crate::taste::parameters::Parameters;

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
    parameters: Parameters,
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
        let mut parameters = Parameters::new(seed);
        if variant.blocks() > 0 {
            parameters.zeros("query", &[1, features])?;
        }
        for (name, there) in
            [("question", variant.blocks() > 1), ("gate", variant == Variant::Gated)]
        {
            if there {
                parameters.zeros(&format!("{name}.weight"), &[features, features])?;
                parameters.zeros(&format!("{name}.bias"), &[features])?;
            }
        }
        parameters.dense("hidden", features, hidden)?;
        parameters.dense("output", hidden, categories)?;
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

    /// The variables.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The same network with weights of its own, that stay as they are when this one goes on learning.
    pub fn copied(&self) -> Result<Self> {
        let copy = Aggregator::new(self.variant, self.extent, 0)?;
        copy.parameters.restore(&self.parameters.state()?)?;
        Ok(copy)
    }

    /// The same network to be asked of one set at a time: see `Parameters::halved`.
    pub fn halved(self) -> Result<Self> {
        Ok(Aggregator { parameters: self.parameters.halved()?, ..self })
    }

    /// The sets' pictures pooled, before gating. In: a row a picture, as the features are.
    pub fn pool(&self, features: &Tensor, sets: &Stretches, learns: bool) -> Result<Pooled> {
        let shape = (sets.len(), self.extent.features);
        if self.variant == Variant::Average {
            let nothing = Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu)?;
            return Ok(Pooled { rows: attend(features, &nothing, sets)?, queries: None });
        }
        let mut queries =
            self.parameters.get("query", learns)?.broadcast_as(shape)?.contiguous()?;
        let mut rows = attend(features, &queries, sets)?;
        if self.variant.blocks() > 1 {
            queries = self.parameters.apply(&rows, "question", Activation::Tanh, learns)?;
            rows = attend(features, &queries, sets)?;
        }
        Ok(Pooled { rows, queries: Some(queries) })
    }

    /// What is said of every category, before the sigmoid, by what was pooled.
    pub fn head(&self, pooled: &Tensor, pass: Pass<'_>) -> Result<Tensor> {
        let learns = matches!(pass, Pass::Train(_));
        let mut rows = pooled.clone();
        if self.variant == Variant::Gated {
            let gate = self.parameters.apply(&rows, "gate", Activation::Sigmoid, learns)?;
            rows = (gate * rows)?;
        }
        let rows = (rows * (self.extent.features as f64).sqrt())?;
        let mut hidden = self.parameters.apply(&rows, "hidden", Activation::Relu, learns)?;
        if let Pass::Train(chance) = pass
            && self.extent.dropout > 0.0
        {
            hidden = dropout(&hidden, self.extent.dropout, chance)?;
        }
        self.parameters.apply(&hidden, "output", Activation::None, learns)
    }

    /// What is said of every category of each set, before the sigmoid.
    pub fn forward(&self, features: &Tensor, sets: &Stretches, pass: Pass<'_>) -> Result<Tensor> {
        let learns = matches!(pass, Pass::Train(_));
        self.head(&self.pool(features, sets, learns)?.rows, pass)
    }
}
