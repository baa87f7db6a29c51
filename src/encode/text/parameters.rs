//! Finds a network's parameters among a checkpoint's tensors, under whatever names it was saved.
//!
//! The same BERT is saved as `embeddings...`, `bert.embeddings...` or `0.auto_model.embeddings...`, by
//! the program that wrote it; old ones call a layer norm's weight and bias gamma and beta. Every shape
//! is checked, so that a foreign file is an error that names the tensor.

use candle_core::{Device, Tensor};
use candle_nn::{LayerNorm, Linear};

use crate::encode::{Error, Weights};

/// A place in a tree of named tensors.
pub(super) struct Parameters<'a> {
    weights: &'a Weights,
    device: &'a Device,
    prefix: String,
}

impl<'a> Parameters<'a> {
    /// The place below which lies `landmark`, the name of a tensor that every such network has.
    pub fn find(weights: &'a Weights, device: &'a Device, landmark: &str) -> Result<Self, Error> {
        let mut prefixes = weights
            .names()
            .filter_map(|name| name.strip_suffix(landmark))
            .filter(|prefix| prefix.is_empty() || prefix.ends_with('.'));
        match (prefixes.next(), prefixes.next()) {
            (Some(prefix), None) => Ok(Parameters { weights, device, prefix: prefix.into() }),
            (None, _) => Err(weights.malformed(format!("it holds no tensor named `{landmark}`"))),
            _ => Err(weights.malformed(format!("it holds several tensors named `{landmark}`"))),
        }
    }

    /// The top of the tree.
    pub fn root(weights: &'a Weights, device: &'a Device) -> Self {
        Parameters { weights, device, prefix: String::new() }
    }

    /// A place below this one.
    pub fn at(&self, name: &str) -> Parameters<'a> {
        Parameters { prefix: format!("{}{name}.", self.prefix), ..*self }
    }

    /// A tensor of exactly this shape.
    pub fn tensor(&self, name: &str, dims: &[usize]) -> Result<Tensor, Error> {
        self.weights.tensor_of(&format!("{}{name}", self.prefix), dims, self.device)
    }

    /// A table of at least so many rows.
    pub fn table(&self, name: &str, rows: usize, columns: usize) -> Result<Tensor, Error> {
        let name = format!("{}{name}", self.prefix);
        match self.weights.shape(&name) {
            Some(&[r, c]) if r < rows || c != columns => Err(self.weights.malformed(format!(
                "`{name}` has the shape [{r}, {c}] where config.json and the tokenizer ask for at \
                 least {rows} rows of {columns}: they are of different models"
            ))),
            _ => self.weights.tensor(&name, self.device),
        }
    }

    /// A linear layer with a bias.
    pub fn linear(&self, name: &str, inputs: usize, outputs: usize) -> Result<Linear, Error> {
        let weight = self.tensor(&format!("{name}.weight"), &[outputs, inputs])?;
        let bias = self.tensor(&format!("{name}.bias"), &[outputs])?;
        Ok(Linear::new(weight, Some(bias)))
    }

    /// A layer norm.
    pub fn norm(&self, name: &str, width: usize, epsilon: f64) -> Result<LayerNorm, Error> {
        let old = self.weights.shape(&format!("{}{name}.gamma", self.prefix)).is_some();
        let (weight, bias) = if old { ("gamma", "beta") } else { ("weight", "bias") };
        let weight = self.tensor(&format!("{name}.{weight}"), &[width])?;
        let bias = self.tensor(&format!("{name}.{bias}"), &[width])?;
        Ok(LayerNorm::new(weight, bias, epsilon))
    }
}
