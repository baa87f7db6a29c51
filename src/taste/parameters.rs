//! The variables of a network, by name: how they are drawn, kept and taken up again.

use candle_core::{DType, Device, Result, Tensor, Var, bail};
use half::f16;

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

    /// The same with the layers' weights as halves, of which nothing is learned any more: what serves one visitor reads
    /// every weight once, and half as much is read in half the time. Weights that no half can hold stay as they are.
    pub fn halved(&self) -> Result<Self> {
        let fits = |var: &Var| -> Result<bool> {
            let values = var.flatten_all()?.to_vec1::<f32>()?;
            Ok(values.iter().all(|x| x.abs() <= f16::MAX.to_f32()))
        };
        let halved = |(name, var): &(String, Var)| {
            let is_weight = name.ends_with(".weight") && var.rank() == 2 && fits(var)?;
            let dtype = if is_weight { DType::F16 } else { DType::F32 };
            Ok((name.clone(), Var::from_tensor(&var.to_dtype(dtype)?)?))
        };
        let all = self.all.iter().map(halved).collect::<Result<_>>()?;
        Ok(Parameters { all, seed: self.seed })
    }

    /// Their values.
    pub fn state(&self) -> Result<State> {
        let floats = |var: &Var| var.to_dtype(DType::F32)?.flatten_all()?.to_vec1();
        let array = |(name, var): (String, Var)| {
            Ok((name, Array { shape: var.dims().to_vec(), values: floats(&var)? }))
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
                _ => bail!("there is no fitting {name}: it is another network's, train it anew"),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a sum of 300 terms, each off by a part in 4096 at most, little is off; what no half can hold stays exact.
    #[test]
    fn halves_say_what_singles_say() {
        let mut parameters = Parameters::new(3);
        parameters.dense("layer", 300, 270).unwrap();
        parameters.drawn("tiny.weight", &[5, 300], 1e-6).unwrap();
        parameters.zeros("tiny.bias", &[5]).unwrap();
        parameters.drawn("huge.weight", &[5, 300], 1e6).unwrap();
        parameters.zeros("huge.bias", &[5]).unwrap();
        let halved = parameters.halved().unwrap();
        let x: Vec<f32> = Chance::new(4, "rows", 0).normals(2 * 300, 1.0);
        for rows in [1, 2] {
            let x = Tensor::from_slice(&x[..rows * 300], (rows, 300), &Device::Cpu).unwrap();
            let said = |by: &Parameters, name| -> Vec<f32> {
                let said = by.apply(&x, name, Activation::None, false).unwrap();
                said.flatten_all().unwrap().to_vec1().unwrap()
            };
            for (name, tolerance) in [("layer", 1e-3), ("tiny", 1e-6), ("huge", 0.0)] {
                let (whole, half) = (said(&parameters, name), said(&halved, name));
                assert!(whole.iter().any(|x| x.abs() > 5.0 * tolerance), "{name}");
                for (a, b) in whole.iter().zip(half) {
                    assert!((a - b).abs() <= tolerance, "{name}: {a} {b}");
                }
            }
        }
        let (state, again) = (parameters.state().unwrap(), halved.state().unwrap());
        assert_eq!(state["huge.weight"], again["huge.weight"]);
        assert_ne!(state["layer.weight"], again["layer.weight"]);
        assert_eq!(again["layer.weight"].values.len(), 300 * 270);
    }
}
