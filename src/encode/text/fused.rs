//! The network as a CPU runs it: the same sums as `transformer`, in passes over memory that are few.
//!
//! Flowing in: a [`Transformer`], whose weights are laid out anew, then token vectors. Flowing out: one
//! vector a token, with the same bits whatever texts stand around it.
//!
//! A piece of work is some texts on one thread: their tokens' values stay in that core's cache from layer
//! to layer, and two threads do twice the work of one, which operators that share all threads do not.
//! Heads are read where they stand among queries, keys and values, so nothing is transposed but the
//! keys. On a MiniLM, 32 texts of 16 tokens, one thread: 150 CPU ms as candle's
//! own operators, 53 so, of which the products, at the processor's limit, are 45.

use candle_core::{Result, Tensor};
use candle_nn::{LayerNorm, Linear};
use rayon::prelude::*;

use super::positions::{bucket, position_ids};
use super::transformer::{Activation, Layer, Run, Shape, Transformer};
use crate::encode::kernels::{
    Isa, LANES, Panels, Rows, add_norm, gelu, gelu_tanh, multiply, softmax,
};

/// A transformer whose weights are laid out for the CPU.
pub(super) struct Fused {
    isa: Isa,
    shape: Shape,
    words: Tensor,
    positions: Tensor,
    norm: Norm,
    widening: Option<Panels>,
    layers: Vec<FusedLayer>,
    order: Vec<usize>,
    /// One row a bucket of distances, one column a head.
    distance_bias: Option<Vec<f32>>,
}

struct FusedLayer {
    query_key_value: Panels,
    attention_output: Panels,
    attention_norm: Norm,
    up: Panels,
    down: Panels,
    norm: Norm,
}

struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    epsilon: f32,
}

/// The values between the steps, kept from layer to layer.
#[derive(Default)]
struct Scratch {
    query_key_value: Vec<f32>,
    attended: Vec<f32>,
    update: Vec<f32>,
    up: Vec<f32>,
    scores: Vec<f32>,
    keys: Panels,
    values: Panels,
}

impl Fused {
    /// Takes the network over; each layer's tensors are freed as soon as they are laid out.
    pub fn new(network: Transformer, isa: Isa) -> Result<Self> {
        let Transformer { shape, words, positions, norm, widening, layers, order, distance_bias } =
            network;
        Ok(Fused {
            order,
            isa,
            shape,
            words,
            positions,
            norm: Norm::new(&norm)?,
            widening: widening.as_ref().map(panels).transpose()?,
            layers: layers.into_par_iter().map(FusedLayer::new).collect::<Result<_>>()?,
            distance_bias: distance_bias.map(|table| values(&table)).transpose()?,
        })
    }

    /// As [`Transformer::forward`].
    pub fn forward(&self, ids: &[u32], runs: &[Run]) -> Result<Tensor> {
        let device = self.words.device();
        let positions = position_ids(self.shape.family, ids, runs);
        let mut x = values(&self.words.index_select(&Tensor::new(ids, device)?, 0)?)?;
        let positions = self.positions.index_select(&Tensor::new(positions, device)?, 0)?;
        self.norm.add_to(&mut x, &values(&positions)?, self.isa);
        let biases: Vec<_> = runs.iter().map(|run| self.distance_bias(run.length)).collect();
        if let Some(widening) = &self.widening {
            let mut wider = vec![0.0; ids.len() * self.shape.hidden];
            self.linear(&x, self.shape.embedding(), widening, &mut wider);
            x = wider;
        }
        let mut scratch = Scratch::default();
        for &layer in &self.order {
            self.apply(&self.layers[layer], &mut x, runs, &biases, &mut scratch);
        }
        Tensor::from_vec(x, (ids.len(), self.shape.hidden), device)
    }

    /// One layer: `x` becomes the next layer's `x`.
    fn apply(
        &self,
        layer: &FusedLayer,
        x: &mut [f32],
        runs: &[Run],
        biases: &[Option<DistanceBias>],
        scratch: &mut Scratch,
    ) {
        let Shape { hidden, intermediate, activation, .. } = self.shape;
        let tokens = x.len() / hidden;
        resize(&mut scratch.query_key_value, tokens * 3 * hidden);
        resize(&mut scratch.attended, tokens * hidden);
        resize(&mut scratch.update, tokens * hidden);
        resize(&mut scratch.up, tokens * intermediate);

        self.linear(x, hidden, &layer.query_key_value, &mut scratch.query_key_value);
        let mut start = 0;
        for (run, bias) in runs.iter().zip(biases) {
            for _ in 0..run.texts {
                self.attend(start, run.length, bias.as_ref(), scratch);
                start += run.length;
            }
        }
        self.linear(&scratch.attended, hidden, &layer.attention_output, &mut scratch.update);
        layer.attention_norm.add_to(x, &scratch.update, self.isa);
        self.linear(x, hidden, &layer.up, &mut scratch.up);
        match activation {
            Activation::Gelu => gelu(self.isa, &mut scratch.up),
            Activation::GeluTanh => gelu_tanh(self.isa, &mut scratch.up),
            Activation::Relu => scratch.up.iter_mut().for_each(relu),
        }
        self.linear(&scratch.up, intermediate, &layer.down, &mut scratch.update);
        layer.norm.add_to(x, &scratch.update, self.isa);
    }

    fn linear(&self, x: &[f32], inputs: usize, panels: &Panels, out: &mut [f32]) {
        let rows = Rows::new(x, inputs, x.len() / inputs, inputs);
        multiply(self.isa, rows, panels, out, panels.outputs());
    }

    /// `softmax(q k' + bias) v` for the text whose first token is row `start`, head by head.
    fn attend(
        &self,
        start: usize,
        length: usize,
        bias: Option<&DistanceBias>,
        scratch: &mut Scratch,
    ) {
        let Scratch { query_key_value, attended, scores, keys, values, .. } = scratch;
        let hidden = self.shape.hidden;
        let width = hidden / self.shape.heads;
        let text = &query_key_value[start * 3 * hidden..];
        let part = |first: usize| Rows::new(&text[first..], 3 * hidden, length, width);
        let stride = length.next_multiple_of(LANES);
        resize(scores, length * stride);
        for head in 0..self.shape.heads {
            let first = head * width;
            keys.set_transposed(part(hidden + first));
            multiply(self.isa, part(first), keys, scores, stride);
            if let Some(bias) = bias {
                bias.add_to(head, scores, stride);
            }
            softmax(self.isa, scores, stride, length);
            values.set(part(2 * hidden + first));
            let weights = Rows::new(scores, stride, length, length);
            let out = &mut attended[start * hidden + first..];
            multiply(self.isa, weights, values, out, hidden);
        }
    }

    fn distance_bias(&self, length: usize) -> Option<DistanceBias> {
        let table = self.distance_bias.as_deref()?;
        let heads = self.shape.heads;
        let distances = 1 - length as i64..length as i64;
        let by_head = (0..heads).map(|head| {
            distances.clone().map(|d| table[bucket(d) as usize * heads + head]).collect()
        });
        Some(DistanceBias { length, by_head: by_head.collect() })
    }
}

/// What distance adds to the scores of a text.
struct DistanceBias {
    length: usize,
    /// For each head, one value a distance from query to key, that of the farthest key before first: a
    /// query's row of biases is a part of it.
    by_head: Vec<Vec<f32>>,
}

impl DistanceBias {
    fn add_to(&self, head: usize, scores: &mut [f32], stride: usize) {
        for (query, scores) in scores.chunks_exact_mut(stride).enumerate() {
            let biases = &self.by_head[head][self.length - 1 - query..];
            for (score, bias) in scores[..self.length].iter_mut().zip(biases) {
                *score += bias;
            }
        }
    }
}

impl FusedLayer {
    fn new(layer: Layer) -> Result<Self> {
        Ok(FusedLayer {
            query_key_value: panels(&layer.query_key_value)?,
            attention_output: panels(&layer.attention_output)?,
            attention_norm: Norm::new(&layer.attention_norm)?,
            up: panels(&layer.up)?,
            down: panels(&layer.down)?,
            norm: Norm::new(&layer.norm)?,
        })
    }
}

impl Norm {
    fn new(norm: &LayerNorm) -> Result<Self> {
        let weight = values(norm.weight())?;
        let bias = norm.bias().map_or_else(|| Ok(vec![0.0; weight.len()]), values)?;
        Ok(Norm { weight, bias, epsilon: norm.eps() as f32 })
    }

    /// `x = norm(x + update)`.
    fn add_to(&self, x: &mut [f32], update: &[f32], isa: Isa) {
        add_norm(isa, x, update, &self.weight, &self.bias, self.epsilon);
    }
}

fn panels(linear: &Linear) -> Result<Panels> {
    let (outputs, inputs) = linear.weight().dims2()?;
    let weight = values(linear.weight())?;
    let bias = linear.bias().map_or_else(|| Ok(vec![0.0; outputs]), values)?;
    Ok(Panels::of_linear(Rows::new(&weight, inputs, outputs, inputs), &bias))
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

/// Not `max`, which would hide NaN.
fn relu(x: &mut f32) {
    *x = if *x < 0.0 { 0.0 } else { *x };
}

/// Gives a buffer its length for this piece; what is in it will be overwritten.
fn resize(buffer: &mut Vec<f32>, length: usize) {
    buffer.resize(length, 0.0);
}
