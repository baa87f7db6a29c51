//! Networks that are trained here, and what training them takes.
//!
//! Flowing in and out: candle's tensors; parameters are its [`Var`](candle_core::Var)s, and its `backward()` gives their
//! gradients. What stands here are the operations between, because several of candle's own gradients are
//! wrong without an error (pooling; strided kernels; softmax and layer norm have none) and its convolution takes
//! five times the processor time of PyTorch's. Each is one of candle's custom operations, with the equation on top of
//! its file, a backward step of its own, and in `tests` a check of that step against finite differences and
//! against PyTorch's numbers.
//!
//! **Why custom operations, and no tape of our own?** Measured on a training step of CNN-F, candle's tape
//! costs a few in a hundred: mostly zeros that it adds the first gradient of a tensor to. For that, whatever
//! candle does right can stand between our operations.
//!
//! [`cnn_f`], [`alexnet`], [`MobileNet`] and [`Autoencoder`] are what taste looks at pictures with, a file each.
//!
//! **Any number of threads makes the same bytes.** Threads share out results, never the terms of a sum.

mod activation;
mod adam;
mod alexnet;
mod autoencoder;
mod batch_norm;
mod cnn_f;
mod conv;
mod dense;
mod depthwise;
mod dropout;
mod gradients;
mod loss;
mod mobilenet;
mod network;
mod norm;
mod pool;
mod sums;
#[cfg(test)]
pub(super) mod tests;
mod unfold;
pub(super) mod values;

pub use activation::{Activation, activate};
pub use adam::{Adam, AdamSettings, Decay};
pub use alexnet::alexnet;
pub use autoencoder::Autoencoder;
pub use batch_norm::{Statistics, batch_norm};
pub use cnn_f::cnn_f;
pub use conv::{conv_transpose2d, conv2d};
pub use dense::{dense, dense_beside};
pub use depthwise::depthwise2d;
pub use dropout::dropout;
pub use gradients::{backward, keep_freed};
pub use loss::log_sigmoid;
pub use mobilenet::MobileNet;
pub use network::{Network, Pass};
pub use norm::{layer_norm, softmax};
pub use pool::{Pooling, Windows, pool2d};

/// How large a network is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Rows and columns of the pictures that it reads; its makers' is 224.
    pub side: usize,
    /// Every hidden layer has one in so many of its makers' channels; 1 for the network as published.
    pub thin: usize,
    /// The length of the vector that comes out.
    pub dimension: usize,
    /// The share of values that dropout drops.
    pub dropout: f32,
}

impl Shape {
    /// The channels that are left of a layer's.
    fn channels(&self, published: usize) -> usize {
        published.div_ceil(self.thin.max(1))
    }
}
