//! The encoder: tokenizer, transformer, pooling and what follows it, in one.

use std::cmp::Reverse;
use std::path::Path;

use candle_core::{Result as Computed, Tensor};
use candle_nn::{Linear, Module};

use super::layout::{Dense, Layout, Tail, malformed};
use super::network::Network;
use super::parameters::Parameters;
use super::pooling::{Pooling, pool};
use super::tokens::Tokens;
use super::transformer::{Run, Transformer};
use crate::encode::device::in_parts_that_fit;
use crate::encode::shares::shared;
use crate::encode::{
    Device, Embedding, Encoder, Error, Fingerprint, Identity, TextEncoder, Weights,
};

/// Texts that are tokenised at once: bounds the memory that a long list takes.
const TEXTS_AT_ONCE: usize = 4096;

/// A text encoder of the Sentence-BERT family.
pub(super) struct SentenceBert {
    identity: Identity,
    tokens: Tokens,
    network: Network,
    pooling: Vec<Pooling>,
    tail: Vec<TailModule>,
}

enum TailModule {
    Dense { linear: Linear, tanh: bool },
    Normalize,
}

impl SentenceBert {
    pub fn open(dir: &Path, device: &Device) -> Result<Self, Error> {
        let Layout { transformer: dir, recipe } = Layout::read(dir)?;
        let described = serde_json::to_vec(&recipe)
            .map_err(|error| malformed(&dir.join("config.json"), error.to_string()))?;
        let (tokens, tokenizer) = Tokens::open(&dir, recipe.max_tokens, recipe.lowercase)?;
        let weights = open_weights(&dir)?;
        let name = recipe.shape.family.name();
        let mut dimension = recipe.shape.hidden * recipe.pooling.len();
        let parameters =
            Parameters::find(&weights, device.tensors(), "embeddings.word_embeddings.weight")?;
        let (vocabulary, longest) = (tokens.vocabulary()?, recipe.max_tokens);
        let load = || -> Result<_, Error> {
            let network = Transformer::load(&parameters, recipe.shape, vocabulary, longest)?;
            Ok(Network::new(network, device)?)
        };
        let (network, hash) = rayon::join(load, || weights.sha256());
        let (network, mut hashes) = (network?, hash.to_vec());
        let mut tail = Vec::with_capacity(recipe.tail.len());
        for module in recipe.tail {
            tail.push(match module {
                Tail::Normalize => TailModule::Normalize,
                Tail::Dense(dense) => {
                    let weights = open_weights(&dense.folder)?;
                    hashes.extend(weights.sha256());
                    let linear = load_dense(&dense, &weights, dimension, device)?;
                    dimension = dense.outputs;
                    TailModule::Dense { linear, tanh: dense.tanh }
                }
            });
        }
        // Raised when the same files come to give other vectors.
        let version = b"sentence-bert 1";
        let fingerprint = Fingerprint::of(&[version, &described, &tokenizer, &hashes]);
        let identity = Identity { name: name.to_owned(), dimension, fingerprint };
        Ok(SentenceBert { identity, tokens, network, pooling: recipe.pooling, tail })
    }

    /// One row a text of a batch, as the last module gives it.
    fn forward(&self, ids: &[u32], runs: &[Run]) -> Computed<Tensor> {
        let tokens = self.network.forward(ids, runs)?;
        let mut x = pool(&tokens, runs, &self.pooling)?;
        for module in &self.tail {
            x = match module {
                TailModule::Dense { linear, tanh: true } => linear.forward(&x)?.tanh()?,
                TailModule::Dense { linear, tanh: false } => linear.forward(&x)?,
                TailModule::Normalize => {
                    x.broadcast_div(&x.sqr()?.sum_keepdim(1)?.sqrt()?.maximum(1e-12)?)?
                }
            };
        }
        Ok(x)
    }

    fn encode_some(&self, texts: &[&str]) -> Result<Vec<Embedding>, Error> {
        let tokenised = self.tokens.encode(texts)?;
        let mut order: Vec<usize> = (0..texts.len()).collect();
        // The longest first, which take the most time a token: the last piece is then soon done.
        order.sort_by_key(|&text| Reverse(tokenised[text].len()));
        let tokens = tokenised.iter().map(Vec::len).sum();
        let longest = order.first().map_or(0, |&text| tokenised[text].len());
        let pieces = pieces(&order, &tokenised, |left| self.network.piece(left, tokens, longest));
        let encode = |texts: &[usize]| self.encode_piece(texts, &tokenised);
        let rows: Vec<Vec<Vec<f32>>> = if self.network.is_per_core() {
            shared(pieces, encode)?
        } else {
            let encode = |piece| in_parts_that_fit(piece, &encode);
            pieces.into_iter().map(encode).collect::<Computed<_>>()?
        };
        let mut embeddings: Vec<Option<Embedding>> = vec![None; texts.len()];
        for (text, row) in order.into_iter().zip(rows.into_iter().flatten()) {
            embeddings[text] = Some(Embedding::new(row)?);
        }
        Ok(embeddings.into_iter().flatten().collect())
    }

    /// One row a text; `texts` are in the order of their lengths.
    fn encode_piece(&self, texts: &[usize], tokenised: &[Vec<u32>]) -> Computed<Vec<Vec<f32>>> {
        let ids: Vec<u32> = texts.iter().flat_map(|&text| &tokenised[text]).copied().collect();
        let runs: Vec<Run> = texts
            .chunk_by(|&a, &b| tokenised[a].len() == tokenised[b].len())
            .map(|run| Run { texts: run.len(), length: tokenised[run[0]].len() })
            .collect();
        self.forward(&ids, &runs)?.to_vec2()
    }
}

/// Cuts a list of texts into pieces of at most so many tokens as `most` says of those that are left, or of one
/// text that has more.
fn pieces<'a>(
    texts: &'a [usize],
    tokenised: &[Vec<u32>],
    most: impl Fn(usize) -> usize,
) -> Vec<&'a [usize]> {
    let mut pieces = Vec::new();
    let mut rest = texts;
    while !rest.is_empty() {
        let mut room = most(rest.iter().map(|&text| tokenised[text].len()).sum());
        let fits = |&&text: &&usize| {
            let left = room.checked_sub(tokenised[text].len());
            room = left.unwrap_or(room);
            left.is_some()
        };
        let (piece, others) = rest.split_at(rest.iter().take_while(fits).count().max(1));
        pieces.push(piece);
        rest = others;
    }
    pieces
}

impl Encoder for SentenceBert {
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl TextEncoder for SentenceBert {
    fn encode(&self, batch: &[&str]) -> Result<Vec<Embedding>, Error> {
        let mut embeddings = Vec::with_capacity(batch.len());
        for texts in batch.chunks(TEXTS_AT_ONCE) {
            embeddings.extend(self.encode_some(texts)?);
        }
        Ok(embeddings)
    }
}

/// The weights of a module: safetensors, or the format before it.
fn open_weights(dir: &Path) -> Result<Weights, Error> {
    let new = dir.join("model.safetensors");
    let old = dir.join("pytorch_model.bin");
    Weights::open(if new.exists() || !old.exists() { &new } else { &old })
}

fn load_dense(
    dense: &Dense,
    weights: &Weights,
    inputs: usize,
    device: &Device,
) -> Result<Linear, Error> {
    if dense.inputs != inputs {
        let reason = format!("in_features is {}, but {inputs} values come in", dense.inputs);
        return Err(malformed(&dense.folder.join("config.json"), reason));
    }
    let linear = Parameters::root(weights, device.tensors()).at("linear");
    let weight = linear.tensor("weight", &[dense.outputs, inputs])?;
    let bias = dense.bias.then(|| linear.tensor("bias", &[dense.outputs])).transpose()?;
    Ok(Linear::new(weight, bias))
}
