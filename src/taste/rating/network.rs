//! The networks: pictures to maps and back, and the tower that looks at the maps on its way to a rating.
//!
//! ```text
//! encoder   x1 = 32@4x4/3   x2 = 16@3x3/1      no padding, ReLU; of 40 x 40 pixels 13 x 13, then 11 x 11
//! decoder   32@3x3/1        3@4x4/3            transposed; sigmoid at the end
//! tower     h1 = 0 ∨ (W1 [u; i] + b1)          h2 = 0 ∨ (W2 [h1; look(h1, x1)] + b2)
//!           r = tanh(w . h3 + b + ground)      h3 = [h2; look(h2, x2)]
//! review    W3 h3 + b3                         in training only
//! look      Σ_p a_p x_p,  a = softmax_p(w . tanh(W q + b + U x_p))
//! ```
//!
//! What a look brings back joins the *next* dense layer's input; the last one's joins what the rating and the review are
//! told from.

use candle_core::{Result, Tensor};

use super::look::{keys_of, look, look_kept};
use crate::encode::image::{Geometry, Padding};
use crate::taste::net::{Activation, conv_transpose2d, conv2d};
use crate::taste::parameters::Parameters;

const CHANNELS: [usize; 2] = [32, 16];
/// Of both maps of a picture of 40 x 40.
const PIXELS: [usize; 2] = [13 * 13, 11 * 11];
const FIRST: Geometry = Geometry { kernel: 4, stride: 3, padding: Padding::Each(0) };
const SECOND: Geometry = Geometry { kernel: 3, stride: 1, padding: Padding::Each(0) };

/// The parts of the network that phase I trains; phase II trains the encoder and all the rest.
const PICTURES: [&str; 2] = ["encoder.", "decoder."];

/// How large the tower is; as published but for the attention's, of which nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Values of a user, and of an item.
    pub embedding: usize,
    /// Values of the first dense layer.
    pub first: usize,
    /// Values of the second.
    pub second: usize,
    /// Values in which questions and keys meet.
    pub attention: usize,
    /// Values of a review's vector; 0 leaves the branch out.
    pub review: usize,
    /// Whether it looks at pictures.
    pub pictures: bool,
}

impl Default for Sizes {
    fn default() -> Self {
        Sizes { embedding: 16, first: 50, second: 30, attention: 16, review: 768, pictures: true }
    }
}

/// The networks.
#[derive(Debug, Clone)]
pub struct RatingNetwork {
    sizes: Sizes,
    parameters: Parameters,
}

/// What the tower made of some pairs of user and item.
pub struct Judged {
    /// What the tower adds to the ground.
    pub added: Tensor,
    /// What ratings and reviews are told from.
    pub last: Tensor,
    /// What each pixel of both maps counted for, if it looked.
    pub attention: Option<[Tensor; 2]>,
}

impl Judged {
    /// From -1 to 1, on the ground of each pair; on none where there are no values.
    pub fn ratings(&self, ground: &[f32]) -> Result<Tensor> {
        match ground {
            [] => self.added.tanh(),
            ground => (&self.added + Tensor::new(ground, self.added.device())?)?.tanh(),
        }
    }
}

/// Where the tower looks.
#[derive(Clone, Copy)]
pub enum Sight<'a> {
    /// Nowhere: it was built without pictures.
    Nowhere,
    /// At maps; the pair's place in `places` says at which.
    Maps {
        /// As [`RatingNetwork::encode`] gives them.
        maps: &'a [Tensor; 2],
        /// By pair.
        places: &'a [u32],
    },
    /// At what was kept of each pair's picture: [`RatingNetwork::looks`] as halves.
    Kept(&'a [&'a [u8]]),
}

impl RatingNetwork {
    /// Networks with their first weights.
    pub fn new(sizes: Sizes, seed: u64) -> Result<Self> {
        let Sizes { embedding, first, second, review, .. } = sizes;
        let mut parameters = Parameters::new(seed);
        if sizes.pictures {
            see(&mut parameters, sizes)?;
        }
        let [wide, narrow] = if sizes.pictures { CHANNELS } else { [0, 0] };
        parameters.dense("first", 2 * embedding, first)?;
        parameters.dense("second", first + wide, second)?;
        parameters.dense("rating", second + narrow, 1)?;
        if review > 0 {
            parameters.dense("review", second + narrow, review)?;
        }
        Ok(RatingNetwork { sizes, parameters })
    }

    /// How large it is.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// The variables.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The variables that learn from pictures alone, or else those that learn from ratings.
    pub fn of_phase(&self, pictures: bool) -> impl Iterator<Item = (String, candle_core::Var)> {
        self.parameters.iter().filter(move |(name, _)| match pictures {
            true => PICTURES.iter().any(|part| name.starts_with(part)),
            false => !name.starts_with(PICTURES[1]),
        })
    }

    /// Both maps of some pictures, (pictures, 3, rows, columns) with values from 0 to 1.
    pub fn encode(&self, pictures: &Tensor, learns: bool) -> Result<[Tensor; 2]> {
        let (weight, bias) = self.parameters.pair("encoder.0", learns)?;
        let first = conv2d(pictures, &weight, &bias, FIRST, Activation::Relu)?;
        let (weight, bias) = self.parameters.pair("encoder.1", learns)?;
        let second = conv2d(&first, &weight, &bias, SECOND, Activation::Relu)?;
        Ok([first, second])
    }

    /// Pictures again, from the second map.
    pub fn decode(&self, map: &Tensor, learns: bool) -> Result<Tensor> {
        let (weight, bias) = self.parameters.pair("decoder.0", learns)?;
        let wide = conv_transpose2d(map, &weight, &bias, SECOND, 0, Activation::Relu)?;
        let (weight, bias) = self.parameters.pair("decoder.1", learns)?;
        let logits = conv_transpose2d(&wide, &weight, &bias, FIRST, 0, Activation::None)?;
        candle_nn::ops::sigmoid(&logits)
    }

    /// How many values [`looks`](Self::looks) gives of a picture.
    pub fn look_values(&self) -> usize {
        let of = |(channels, pixels)| (self.sizes.attention + channels) * pixels;
        CHANNELS.into_iter().zip(PIXELS).map(of).sum()
    }

    /// What there is to see on pictures whoever asks, picture after picture: for each map its keys and itself.
    pub fn looks(&self, pictures: &Tensor) -> Result<Vec<f32>> {
        let maps = self.encode(pictures, false)?;
        let flat = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let keys = |n: usize| flat(&self.parameters.get(&format!("look.{n}.key"), false)?);
        let (keys, maps) = ([keys(0)?, keys(1)?], [flat(&maps[0])?, flat(&maps[1])?]);
        let mut looks = Vec::with_capacity(pictures.dim(0)? * self.look_values());
        for picture in 0..pictures.dim(0)? {
            for (n, (channels, pixels)) in CHANNELS.into_iter().zip(PIXELS).enumerate() {
                let map = &maps[n][picture * channels * pixels..][..channels * pixels];
                looks.extend(keys_of(&keys[n], map, channels));
                looks.extend_from_slice(map);
            }
        }
        Ok(looks)
    }

    /// Looks with a layer's values in mind: these with what that brings back, and what each pixel counted for.
    fn look(
        &self,
        n: usize,
        hidden: Tensor,
        sight: Sight<'_>,
        learns: bool,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let get = |part: &str| self.parameters.get(&format!("look.{n}.{part}"), learns);
        let ask = || {
            let layer = format!("look.{n}.question");
            self.parameters.apply(&hidden, &layer, Activation::None, learns)
        };
        let [found, counted] = match sight {
            Sight::Nowhere => return Ok((hidden, None)),
            Sight::Maps { maps, places } => {
                let how = (&get("key")?, &get("worth")?);
                look(&maps[n].flatten_from(2)?, &ask()?, how, places.to_vec())?
            }
            Sight::Kept(kept) => {
                // Of numbers of two bytes.
                let first = 2 * (self.sizes.attention + CHANNELS[0]) * PIXELS[0];
                let both = kept.iter().map(|kept| kept.split_at(first));
                let own: Vec<&[u8]> = match n {
                    0 => both.map(|(near, _)| near).collect(),
                    _ => both.map(|(_, far)| far).collect(),
                };
                look_kept(&own, (CHANNELS[n], PIXELS[n]), &ask()?, &get("worth")?)?
            }
        };
        Ok((Tensor::cat(&[&hidden, &found], 1)?, Some(counted)))
    }

    /// Rates pairs: a row of user and item side by side each, and the items' pictures.
    pub fn judge(&self, pairs: &Tensor, sight: Sight<'_>, learns: bool) -> Result<Judged> {
        let relu = Activation::Relu;
        let first = self.parameters.apply(pairs, "first", relu, learns)?;
        let (joined, near) = self.look(0, first, sight, learns)?;
        let second = self.parameters.apply(&joined, "second", relu, learns)?;
        let (last, far) = self.look(1, second, sight, learns)?;
        let rating = self.parameters.apply(&last, "rating", Activation::None, learns)?;
        let attention = near.zip(far).map(|(near, far)| [near, far]);
        Ok(Judged { added: rating.flatten_all()?, last, attention })
    }

    /// Makes the tower begin with nothing to add.
    pub fn hush(&self) -> Result<()> {
        let rating = self.parameters.iter().find(|(name, _)| name == "rating.weight");
        rating.map_or(Ok(()), |(_, weight)| weight.set(&weight.zeros_like()?))
    }

    /// The vectors that the reviews of some pairs would have.
    pub fn review(&self, last: &Tensor, learns: bool) -> Result<Tensor> {
        self.parameters.apply(last, "review", Activation::None, learns)
    }
}

/// The encoder, the decoder and how maps are looked at.
fn see(parameters: &mut Parameters, sizes: Sizes) -> Result<()> {
    let [wide, narrow] = CHANNELS;
    let taps = |geometry: Geometry| geometry.kernel * geometry.kernel;
    let mut conv = |name: &str, shape: [usize; 2], outputs: usize, geometry: Geometry| {
        let k = geometry.kernel;
        let fans = (shape[1] * taps(geometry), shape[0] * taps(geometry));
        parameters.layer(name, &[shape[0], shape[1], k, k], outputs, fans)
    };
    conv("encoder.0", [wide, 3], wide, FIRST)?;
    conv("encoder.1", [narrow, wide], narrow, SECOND)?;
    conv("decoder.0", [narrow, wide], wide, SECOND)?;
    conv("decoder.1", [wide, 3], 3, FIRST)?;
    let units = sizes.attention;
    for (n, (question, channels)) in
        [(sizes.first, wide), (sizes.second, narrow)].into_iter().enumerate()
    {
        let bound = (6.0 / (channels + units) as f64).sqrt();
        parameters.drawn(&format!("look.{n}.key"), &[units, channels, 1, 1], bound)?;
        parameters.dense(&format!("look.{n}.question"), question, units)?;
        let bound = (6.0 / (units + 1) as f64).sqrt();
        parameters.drawn(&format!("look.{n}.worth"), &[units], bound)?;
    }
    Ok(())
}
