//! CNN-F, the network that DVBPR's authors train.
//!
//! ```text
//! conv1        conv2       conv3       conv4       conv5       full6    full7    full8
//! 64x11x11     256x5x5     256x3x3     256x3x3     256x3x3     4096     4096     K
//! stride 4     stride 1    stride 1    stride 1    stride 1    dropout  dropout  linear
//! pool 2                                           pool 2
//!              pool 2
//! ```
//!
//! Pictures of 224 rows and columns, values from -1 to 1. Padding is TensorFlow's SAME throughout, as in
//! the authors' code, so that the sides are 56, 28, 28, 14, 14, 14, 14, 7 and `full6` reads 12,544
//! values. ReLU follows every layer but the last.

use candle_core::Result;

use super::network::Network;
use super::{Activation, Pooling, Shape, Windows};
use crate::encode::image::{Geometry, Padding};

/// The network with its first weights.
pub fn cnn_f(shape: Shape, seed: u64) -> Result<Network> {
    let same = |kernel, stride| Geometry { kernel, stride, padding: Padding::Same };
    let halves = Windows::Sliding(same(2, 2));
    let mut network = Network::reading(3, shape.side, seed)
        .conv("conv1", shape.channels(64), same(11, 4), Activation::Relu)?
        .pool(Pooling::Max, halves)
        .conv("conv2", shape.channels(256), same(5, 1), Activation::Relu)?
        .pool(Pooling::Max, halves);
    for name in ["conv3", "conv4", "conv5"] {
        network = network.conv(name, shape.channels(256), same(3, 1), Activation::Relu)?;
    }
    network = network.pool(Pooling::Max, halves).flatten();
    for name in ["full6", "full7"] {
        network =
            network.dense(name, shape.channels(4096), Activation::Relu)?.dropout(shape.dropout);
    }
    Ok(network.dense("full8", shape.dimension, Activation::None)?.build())
}
