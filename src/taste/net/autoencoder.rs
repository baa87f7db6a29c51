//! A convolutional autoencoder: pictures to codes and back.
//!
//! ```text
//! encoder   16x3x3/2   8x3x3/2   8x3x3/2          8 (side/8)² values, ReLU throughout
//! decoder   8x3x3/2    16x3x3/2  3x3x3/2          transposed; sigmoid at the end
//! loss      mean (x - decoder(encoder(x)))²
//! ```
//!
//! Pictures with values from 0 to 1. Padding is SAME; the side is a multiple of 8.

use candle_core::{Result, Tensor, bail};

use super::network::{Network, Pass};
use super::{Activation, adam::Adam, gradients::backward};
use crate::encode::image::{Geometry, Padding};
use crate::taste::chance::Chance;
use crate::taste::model::State;

/// The rule by which each layer halves, or doubles, the sides.
const HALVING: Geometry = Geometry { kernel: 3, stride: 2, padding: Padding::Same };

/// An encoder and its decoder.
#[derive(Debug, Clone)]
pub struct Autoencoder {
    encoder: Network,
    decoder: Network,
    side: usize,
}

impl Autoencoder {
    /// Both with their first weights.
    pub fn new(side: usize, seed: u64) -> Result<Self> {
        if side == 0 || !side.is_multiple_of(8) {
            bail!(
                "the autoencoder halves its pictures three times: a side of {side} is no multiple of 8"
            );
        }
        let relu = Activation::Relu;
        let encoder = Network::reading(3, side, seed)
            .conv("encoder.0", 16, HALVING, relu)?
            .conv("encoder.1", 8, HALVING, relu)?
            .conv("encoder.2", 8, HALVING, relu)?
            .build();
        let decoder = Network::reading(8, side / 8, seed)
            .transposed("decoder.0", 8, side / 4, HALVING, relu)?
            .transposed("decoder.1", 16, side / 2, HALVING, relu)?
            .transposed("decoder.2", 3, side, HALVING, Activation::None)?
            .sigmoid()
            .build();
        Ok(Autoencoder { encoder, decoder, side })
    }

    /// The length of a code.
    pub fn dimension(&self) -> usize {
        8 * (self.side / 8).pow(2)
    }

    /// All parameters.
    pub fn parameters(&self) -> impl Iterator<Item = (String, candle_core::Var)> {
        self.encoder.parameters().chain(self.decoder.parameters())
    }

    /// The parameters' values.
    pub fn state(&self) -> Result<State> {
        Ok(self.encoder.state()?.into_iter().chain(self.decoder.state()?).collect())
    }

    /// Takes up values that [`Autoencoder::state`] told.
    pub fn restore(&self, state: &State) -> Result<()> {
        self.encoder.restore(state)?;
        self.decoder.restore(state)
    }

    /// One step on a batch of pictures; returns the loss as it was before.
    pub fn step(&self, pictures: &Tensor, adam: &mut Adam) -> Result<f32> {
        // There is no dropout in it, so nothing is drawn.
        let chance = &mut Chance::new(0, "autoencoder", 0);
        let loss = (self.both(pictures, chance)? - pictures)?.sqr()?.mean_all()?;
        adam.step(&mut backward(&loss)?)?;
        loss.to_scalar()
    }

    /// There and back, with what it takes to learn.
    pub(super) fn both(&self, pictures: &Tensor, chance: &mut Chance) -> Result<Tensor> {
        let code = self.encoder.forward(pictures, Pass::Train(chance))?;
        self.decoder.forward(&code, Pass::Train(chance))
    }

    /// The codes of pictures, a row each.
    pub fn encode(&self, pictures: &Tensor) -> Result<Tensor> {
        self.encoder.forward(pictures, Pass::Use)?.flatten_from(1)
    }

    /// What is left of pictures after encoding and decoding.
    pub fn reconstruct(&self, pictures: &Tensor) -> Result<Tensor> {
        self.decoder.forward(&self.encoder.forward(pictures, Pass::Use)?, Pass::Use)
    }
}
