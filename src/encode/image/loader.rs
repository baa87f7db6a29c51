//! Hands a network its weights, and sees to it that the file holds that network and no other.
//!
//! Many networks differ from a relative only by something more (a squeeze, a deeper stage), and such
//! a file has every tensor that the relative asks for. So what is not asked for counts as well.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::conv::{Activation, Conv, Folded, Norm};
use super::geometry::{Kernel, Padding};
use crate::encode::{Device, Error, Weights};

/// The names of a convolution's weight, and of its batch norm without `.weight` and the like.
pub(super) struct Names {
    pub(super) conv: String,
    pub(super) norm: String,
}

/// Reads convolutions and remembers which tensors were read.
pub(super) struct Loader<'a> {
    weights: &'a Weights,
    device: &'a Device,
    /// The `ε` of the network's batch norms.
    epsilon: f64,
    used: RefCell<BTreeSet<String>>,
}

impl<'a> Loader<'a> {
    pub(super) fn new(weights: &'a Weights, epsilon: f64, device: &'a Device) -> Self {
        Loader { weights, device, epsilon, used: RefCell::default() }
    }

    /// A convolution from `inputs` to `outputs` channels.
    pub(super) fn conv(
        &self,
        names: &Names,
        (inputs, outputs): (usize, usize),
        geometry: Kernel,
        activation: Activation,
    ) -> Result<Conv, Error> {
        self.normed(names, (inputs, outputs), false, geometry, activation)
    }

    /// A convolution of each channel by itself.
    pub(super) fn depthwise(
        &self,
        names: &Names,
        channels: usize,
        geometry: Kernel,
        activation: Activation,
    ) -> Result<Conv, Error> {
        self.normed(names, (1, channels), true, geometry, activation)
    }

    /// A convolution with a bias and without a batch norm.
    pub(super) fn biased(
        &self,
        name: &str,
        (inputs, outputs): (usize, usize),
        geometry: Kernel,
        activation: Activation,
    ) -> Result<Conv, Error> {
        let kernel = (geometry.down.kernel, geometry.across.kernel);
        self.with_bias(name, &[outputs, inputs, kernel.0, kernel.1], geometry, activation)
    }

    /// A linear layer over all channels of `side` by `side` places: a convolution that fits once.
    pub(super) fn linear(
        &self,
        name: &str,
        (inputs, outputs): (usize, usize),
        side: usize,
        activation: Activation,
    ) -> Result<Conv, Error> {
        let geometry = Kernel::square(side, 1, Padding::Each(0));
        self.with_bias(name, &[outputs, inputs * side * side], geometry, activation)
    }

    fn with_bias(
        &self,
        name: &str,
        shape: &[usize],
        geometry: Kernel,
        activation: Activation,
    ) -> Result<Conv, Error> {
        let weight = self.read(format!("{name}.weight"), shape)?;
        let bias = self.read(format!("{name}.bias"), &shape[..1])?;
        let folded = Folded { weight, bias, depthwise: false, geometry, activation };
        Ok(Conv::new(folded, self.device)?)
    }

    fn normed(
        &self,
        names: &Names,
        (inputs, outputs): (usize, usize),
        depthwise: bool,
        geometry: Kernel,
        activation: Activation,
    ) -> Result<Conv, Error> {
        let kernel = (geometry.down.kernel, geometry.across.kernel);
        let shape = [outputs, inputs, kernel.0, kernel.1];
        let mut weight = self.read(format!("{}.weight", names.conv), &shape)?;
        let norm = |part: &str| self.read(format!("{}.{part}", names.norm), &[outputs]);
        let norm = Norm {
            gamma: norm("weight")?,
            beta: norm("bias")?,
            mean: norm("running_mean")?,
            variance: norm("running_var")?,
            epsilon: self.epsilon,
        };
        let bias = norm.fold(&mut weight);
        let folded = Folded { weight, bias, depthwise, geometry, activation };
        Ok(Conv::new(folded, self.device)?)
    }

    /// Refuses a file that holds more than was read, but for the classifier under one of `heads`.
    pub(super) fn finish(&self, network: &str, heads: &[&str]) -> Result<(), Error> {
        let used = self.used.borrow();
        let known = |name: &str| {
            used.contains(name)
                || name.ends_with(".num_batches_tracked")
                || heads.iter().any(|head| name.starts_with(head))
        };
        match self.weights.names().find(|name| !known(name)) {
            None => Ok(()),
            Some(name) => Err(self.weights.malformed(format_args!(
                "it holds `{name}`, which {network} has not: it is another network's"
            ))),
        }
    }

    fn read(&self, name: String, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let tensor = self.weights.tensor_of(&name, shape, &candle_core::Device::Cpu)?;
        self.used.borrow_mut().insert(name);
        Ok(tensor.flatten_all()?.to_vec1()?)
    }
}
