//! The network: BERT; MPNet, which differs from it in how it knows positions; and ALBERT, whose words have
//! shorter vectors than the layers, and whose layers share their weights.
//!
//! Flowing in: token ids, texts one after the other, sorted by length. Flowing out: one vector a token.
//! There is no padding: all texts' tokens are rows of one matrix, so that every product is over real
//! tokens only, and attention, the one place where texts must not mix, goes through the runs of texts
//! of equal length. A text's vectors therefore do not depend on what else is in the batch.
//!
//! Here it stands as tensors, for any device; `fused` takes it over on a CPU.

use candle_core::{D, Result, Tensor};
use candle_nn::{LayerNorm, Linear, Module, ops};
use rayon::prelude::*;
use serde::Serialize;

use super::parameters::Parameters;
use super::positions::{BUCKETS, bucket, position_ids};
use crate::encode::Error;

/// All of the network but its weights.
#[derive(Serialize, Clone, Copy)]
pub(super) struct Shape {
    pub family: Family,
    pub layers: usize,
    pub hidden: usize,
    pub heads: usize,
    pub intermediate: usize,
    pub activation: Activation,
    pub epsilon: f64,
}

/// What tells the networks apart.
#[derive(Serialize, Clone, Copy, PartialEq)]
pub(super) enum Family {
    /// Learned positions from 0, and token types, of which a lone text has the first.
    Bert,
    /// Learned positions from `pad + 1`, and a learned bias between any two tokens by their distance.
    MpNet { pad: u32 },
    /// As BERT, with words and positions of this width, and so many different layers.
    Albert { embedding: usize, groups: usize },
}

impl Family {
    pub fn name(self) -> &'static str {
        match self {
            Family::Bert => "bert",
            Family::MpNet { .. } => "mpnet",
            Family::Albert { .. } => "albert",
        }
    }

    /// The row of the position table that the first token takes.
    pub fn first_position(self) -> usize {
        match self {
            Family::Bert | Family::Albert { .. } => 0,
            Family::MpNet { pad } => pad as usize + 1,
        }
    }
}

#[derive(Serialize, Clone, Copy)]
pub(super) enum Activation {
    Gelu,
    GeluTanh,
    Relu,
}

impl Shape {
    /// The width of words and positions.
    pub fn embedding(&self) -> usize {
        match self.family {
            Family::Albert { embedding, .. } => embedding,
            Family::Bert | Family::MpNet { .. } => self.hidden,
        }
    }

    /// Bytes that a token of a text of this length takes on a GPU: its values on both sides of the widest
    /// step, its row of scores for each head before and after the softmax, and as much again, for freed
    /// memory is not always whole.
    pub fn bytes_a_token(&self, length: usize) -> usize {
        2 * size_of::<f32>() * (6 * self.hidden + 2 * self.intermediate + 2 * self.heads * length)
    }

    /// How many layers have weights of their own.
    pub fn distinct(&self) -> usize {
        match self.family {
            Family::Albert { groups, .. } => groups.min(self.layers),
            Family::Bert | Family::MpNet { .. } => self.layers,
        }
    }

    /// Which of the distinct layers a token passes, one after the other.
    pub fn order(&self) -> Vec<usize> {
        // In floating point, as the reference does.
        let layers_a_group = self.layers as f64 / self.distinct().max(1) as f64;
        (0..self.layers).map(|layer| (layer as f64 / layers_a_group) as usize).collect()
    }
}

/// Texts of equal length, side by side in a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    pub texts: usize,
    pub length: usize,
}

impl Run {
    pub fn tokens(self) -> usize {
        self.texts * self.length
    }
}

#[cfg_attr(test, derive(Clone))]
pub(super) struct Transformer {
    pub shape: Shape,
    pub words: Tensor,
    pub positions: Tensor,
    pub norm: LayerNorm,
    /// From the width of words to that of the layers, where they differ.
    pub widening: Option<Linear>,
    /// The distinct ones.
    pub layers: Vec<Layer>,
    /// Which of them come, one after the other.
    pub order: Vec<usize>,
    /// One row a bucket of distances, one column a head.
    pub distance_bias: Option<Tensor>,
}

#[cfg_attr(test, derive(Clone))]
pub(super) struct Layer {
    /// Queries, already scaled by one over the root of the head's width; keys; values.
    pub query_key_value: Linear,
    pub attention_output: Linear,
    pub attention_norm: LayerNorm,
    pub up: Linear,
    pub down: Linear,
    pub norm: LayerNorm,
}

impl Transformer {
    /// `vocabulary` is the number of ids that the tokenizer may hand out, `length` the longest text.
    pub fn load(
        parameters: &Parameters,
        shape: Shape,
        vocabulary: usize,
        length: usize,
    ) -> std::result::Result<Self, Error> {
        let embeddings = parameters.at("embeddings");
        let width = shape.embedding();
        let words = embeddings.table("word_embeddings.weight", vocabulary, width)?;
        let end = shape.family.first_position() + length;
        let mut positions = embeddings.table("position_embeddings.weight", end, width)?;
        let encoder = parameters.at("encoder");
        let (mut distance_bias, mut widening) = (None, None);
        match shape.family {
            Family::MpNet { .. } => {
                let dims = [BUCKETS, shape.heads];
                distance_bias = Some(encoder.tensor("relative_attention_bias.weight", &dims)?);
            }
            Family::Bert | Family::Albert { .. } => {
                let types = embeddings.table("token_type_embeddings.weight", 1, width)?;
                positions = positions.broadcast_add(&types.narrow(0, 0, 1)?)?;
            }
        }
        if let Family::Albert { .. } = shape.family {
            let name = "embedding_hidden_mapping_in";
            widening = Some(encoder.linear(name, width, shape.hidden)?);
        }
        let place = |layer| match shape.family {
            Family::Albert { .. } => format!("albert_layer_groups.{layer}.albert_layers.0"),
            Family::Bert | Family::MpNet { .. } => format!("layer.{layer}"),
        };
        Ok(Transformer {
            norm: embeddings.norm("LayerNorm", width, shape.epsilon)?,
            widening,
            layers: (0..shape.distinct())
                .into_par_iter()
                .map(|layer| Layer::load(&encoder.at(&place(layer)), &shape))
                .collect::<std::result::Result<_, _>>()?,
            order: shape.order(),
            words,
            positions,
            distance_bias,
            shape,
        })
    }

    /// `ids`: the texts' tokens, one text after the other, as `runs` says.
    pub fn forward(&self, ids: &[u32], runs: &[Run]) -> Result<Tensor> {
        let device = self.words.device();
        let rows = Tensor::new(ids, device)?;
        let positions = Tensor::new(position_ids(self.shape.family, ids, runs), device)?;
        let words = self.words.index_select(&rows, 0)?;
        let mut x = self.norm.forward(&(words + self.positions.index_select(&positions, 0)?)?)?;
        let biases = runs.iter().map(|run| self.bias(run.length)).collect::<Result<Vec<_>>>()?;
        if let Some(widening) = &self.widening {
            x = widening.forward(&x)?;
        }
        for &layer in &self.order {
            x = self.layers[layer].forward(&x, runs, &biases, &self.shape)?;
        }
        Ok(x)
    }

    /// What distance adds to the scores between the tokens of a text: `(1, heads, length, length)`.
    fn bias(&self, length: usize) -> Result<Option<Tensor>> {
        let Some(table) = &self.distance_bias else { return Ok(None) };
        let of = |query: usize| (0..length).map(move |key| bucket(key as i64 - query as i64));
        let buckets: Vec<u32> = (0..length).flat_map(of).collect();
        let buckets = Tensor::new(buckets, table.device())?;
        let bias = table.index_select(&buckets, 0)?.reshape((length, length, self.shape.heads))?;
        bias.permute((2, 0, 1))?.unsqueeze(0)?.contiguous().map(Some)
    }
}

impl Layer {
    fn load(parameters: &Parameters, shape: &Shape) -> std::result::Result<Self, Error> {
        let Shape { hidden, intermediate, epsilon, .. } = *shape;
        // The families name the same parts differently.
        let [query, key, value, output, attention_norm, up, down, norm] = match shape.family {
            Family::Bert => [
                "attention.self.query",
                "attention.self.key",
                "attention.self.value",
                "attention.output.dense",
                "attention.output.LayerNorm",
                "intermediate.dense",
                "output.dense",
                "output.LayerNorm",
            ],
            Family::MpNet { .. } => [
                "attention.attn.q",
                "attention.attn.k",
                "attention.attn.v",
                "attention.attn.o",
                "attention.LayerNorm",
                "intermediate.dense",
                "output.dense",
                "output.LayerNorm",
            ],
            Family::Albert { .. } => [
                "attention.query",
                "attention.key",
                "attention.value",
                "attention.dense",
                "attention.LayerNorm",
                "ffn",
                "ffn_output",
                "full_layer_layer_norm",
            ],
        };
        let scale = 1.0 / ((hidden / shape.heads) as f64).sqrt();
        let query = parameters.linear(query, hidden, hidden)?;
        let key = parameters.linear(key, hidden, hidden)?;
        let value = parameters.linear(value, hidden, hidden)?;
        let bias = [(query.bias(), scale), (key.bias(), 1.0), (value.bias(), 1.0)];
        let bias = bias.into_iter().filter_map(|(b, scale)| b.map(|b| b * scale));
        let bias = Tensor::cat(&bias.collect::<Result<Vec<_>>>()?, 0)?;
        let weight = [&(query.weight() * scale)?, key.weight(), value.weight()];
        Ok(Layer {
            query_key_value: Linear::new(Tensor::cat(&weight, 0)?, Some(bias)),
            attention_output: parameters.linear(output, hidden, hidden)?,
            attention_norm: parameters.norm(attention_norm, hidden, epsilon)?,
            up: parameters.linear(up, hidden, intermediate)?,
            down: parameters.linear(down, intermediate, hidden)?,
            norm: parameters.norm(norm, hidden, epsilon)?,
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        runs: &[Run],
        biases: &[Option<Tensor>],
        shape: &Shape,
    ) -> Result<Tensor> {
        let query_key_value = self.query_key_value.forward(x)?;
        let mut start = 0;
        let mut attended = Vec::with_capacity(runs.len());
        for (&run, bias) in runs.iter().zip(biases) {
            let rows = query_key_value.narrow(0, start, run.tokens())?;
            attended.push(attend(&rows, run, bias.as_ref(), shape)?);
            start += run.tokens();
        }
        let attended = self.attention_output.forward(&Tensor::cat(&attended, 0)?)?;
        let x = self.attention_norm.forward(&(attended + x)?)?;
        let up = self.up.forward(&x)?;
        let up = match shape.activation {
            Activation::Gelu => up.gelu_erf()?,
            Activation::GeluTanh => up.gelu()?,
            Activation::Relu => up.relu()?,
        };
        self.norm.forward(&(self.down.forward(&up)? + x)?)
    }
}

/// `softmax(q k' + bias) v` within each text of a run, head by head.
fn attend(rows: &Tensor, run: Run, bias: Option<&Tensor>, shape: &Shape) -> Result<Tensor> {
    let width = shape.hidden / shape.heads;
    let parts = rows
        .reshape((run.texts, run.length, 3, shape.heads, width))?
        .permute((2, 0, 3, 1, 4))?
        .contiguous()?;
    let (query, key, value) = (parts.get(0)?, parts.get(1)?, parts.get(2)?);
    let mut scores = query.matmul(&key.transpose(D::Minus1, D::Minus2)?)?;
    if let Some(bias) = bias {
        scores = scores.broadcast_add(bias)?;
    }
    let attended = ops::softmax_last_dim(&scores)?.matmul(&value)?;
    attended.transpose(1, 2)?.reshape((run.tokens(), shape.hidden))
}
