//! AlexNet as torchvision has it, with another last layer.
//!
//! ```text
//! 64x11x11/4   192x5x5   384x3x3   256x3x3   256x3x3   6x6 means   4096   4096   K
//! pool 3/2     pool 3/2                      pool 3/2  dropout     dropout       linear
//! ```
//!
//! Parameters have torchvision's names, so that its weights fit, all but the last layer's.

use candle_core::Result;

use super::network::Network;
use super::{Activation, Pooling, Shape, Windows};
use crate::encode::image::{Geometry, Padding};

/// The network with its first weights.
pub fn alexnet(shape: Shape, seed: u64) -> Result<Network> {
    let padded = |kernel, stride, zeros| Geometry { kernel, stride, padding: Padding::Each(zeros) };
    let pool = Windows::Sliding(padded(3, 2, 0));
    let relu = Activation::Relu;
    Ok(Network::reading(3, shape.side, seed)
        .conv("features.0", shape.channels(64), padded(11, 4, 2), relu)?
        .pool(Pooling::Max, pool)
        .conv("features.3", shape.channels(192), padded(5, 1, 2), relu)?
        .pool(Pooling::Max, pool)
        .conv("features.6", shape.channels(384), padded(3, 1, 1), relu)?
        .conv("features.8", shape.channels(256), padded(3, 1, 1), relu)?
        .conv("features.10", shape.channels(256), padded(3, 1, 1), relu)?
        .pool(Pooling::Max, pool)
        .pool(Pooling::Mean, Windows::Even(6))
        .flatten()
        .dropout(shape.dropout)
        .dense("classifier.1", shape.channels(4096), relu)?
        .dropout(shape.dropout)
        .dense("classifier.4", shape.channels(4096), relu)?
        .dense("classifier.6", shape.dimension, Activation::None)?
        .build())
}
