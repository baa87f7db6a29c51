//! The variables of a network, by name: how they are drawn, kept and taken up again.

use candle_core::{Device, Result, Tensor, Var, bail};

use super::chance::Chance;
use super::model::{Array, State};
use super::net::{Activation, dense};

/// Named variables, in the order in which they were made.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    all: Vec<(String, Var)>,
    seed: u64,
}

impl Parameters {
    /// None yet; chance starts from a seed.
    pub fn new(seed: u64) -> Self {
        Parameters { all: Vec::new(), seed }
    }

    /// Makes one of zeros.
    pub fn zeros(&mut self, name: &str, shape: &[usize]) -> Result<()> {
        let values = vec![0f32; shape.iter().product()];
        self.all.push((name.to_owned(), Var::from_vec(values, shape, &Device::Cpu)?));
        Ok(())
    }

    /// Makes one of values between a bound and its opposite, all alike.
    pub fn drawn(&mut self, name: &str, shape: &[usize], bound: f64) -> Result<()> {
        let mut chance = Chance::new(self.seed, name, 0);
        let count = shape.iter().product();
        let values: Vec<f32> =
            (0..count).map(|_| bound as f32 * (2.0 * chance.unit() - 1.0)).collect();
        self.all.push((name.to_owned(), Var::from_vec(values, shape, &Device::Cpu)?));
        Ok(())
    }

    /// Makes the weight and the bias of a layer, the weight within Glorot's bound for so many inputs and
    /// outputs of each value.
    pub fn layer(
        &mut self,
        name: &str,
        shape: &[usize],
        biases: usize,
        (inputs, outputs): (usize, usize),
    ) -> Result<()> {
        let bound = (6.0 / (inputs + outputs).max(1) as f64).sqrt();
        self.drawn(&format!("{name}.weight"), shape, bound)?;
        self.zeros(&format!("{name}.bias"), &[biases])
    }

    /// Makes a fully connected layer.
    pub fn dense(&mut self, name: &str, inputs: usize, outputs: usize) -> Result<()> {
        self.layer(name, &[outputs, inputs], outputs, (inputs, outputs))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (String, Var)> {
        self.all.iter().cloned()
    }

    /// One of them, with its history where something is to be learned.
    pub fn get(&self, name: &str, learns: bool) -> Result<Tensor> {
        match self.all.iter().find(|(found, _)| found == name) {
            Some((_, var)) if learns => Ok(var.as_tensor().clone()),
            Some((_, var)) => Ok(var.as_detached_tensor()),
            None => bail!("there is no {name}"),
        }
    }

    /// A layer's weight and bias.
    pub fn pair(&self, name: &str, learns: bool) -> Result<(Tensor, Tensor)> {
        let get = |part: &str| self.get(&format!("{name}.{part}"), learns);
        Ok((get("weight")?, get("bias")?))
    }

    /// What a fully connected layer makes of rows.
    pub fn apply(&self, x: &Tensor, name: &str, then: Activation, learns: bool) -> Result<Tensor> {
        let (weight, bias) = self.pair(name, learns)?;
        dense(x, &weight, &bias, then)
    }

    /// Their values.
    pub fn state(&self) -> Result<State> {
        let array = |(name, var): (String, Var)| {
            Ok((name, Array { shape: var.dims().to_vec(), values: var.flatten_all()?.to_vec1()? }))
        };
        self.iter().map(array).collect()
    }

    /// Takes up values that [`state`](Self::state) told.
    pub fn restore(&self, state: &State) -> Result<()> {
        for (name, var) in &self.all {
            match state.get(name) {
                Some(array) if array.shape == var.dims() => {
                    var.set(&Tensor::from_slice(&array.values, var.shape(), &Device::Cpu)?)?;
                }
                _ => bail!("there is no fitting {name}"),
            }
        }
        Ok(())
    }
}
