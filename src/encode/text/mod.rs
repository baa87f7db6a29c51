//! Texts become unit vectors: the Sentence-BERT family.
//!
//! Flowing in: the directory of a checkpoint as Hugging Face and sentence-transformers lay it out, then
//! sentences. Flowing out: one [`Embedding`](super::Embedding) a sentence. Everything that decides the
//! vector (architecture, pooling, longest input, lower-casing) is read from the checkpoint's own files;
//! what we do not know how to honour is an error, never ignored.
//!
//! The way of a sentence: `tokens` cuts it into word pieces, `network` makes one vector a piece, be it as
//! the tensors of `transformer` or in the `fused` passes of a CPU, `pooling` makes one of them all. `layout`
//! reads the files, `parameters` finds the weights in them.

mod fused;
mod layout;
mod network;
mod parameters;
mod pooling;
mod positions;
mod sentence_bert;
#[cfg(test)]
pub(super) mod tests;
mod tokens;
mod transformer;

use std::path::Path;

use super::{Device, Error, TextEncoder};

/// Opens a Sentence-BERT checkpoint: a directory with `config.json` (`bert`, `mpnet` or `albert`), weights in
/// `model.safetensors` or `pytorch_model.bin`, `tokenizer.json` or `vocab.txt`, and, where
/// sentence-transformers wrote it, `modules.json` with the modules that it names.
///
/// Text without words, the empty text included, has a vector as every other text has: that of the bare
/// start and end tokens, as in the reference. It means nothing, so callers should not search with it.
pub fn open(dir: &Path, device: &Device) -> Result<Box<dyn TextEncoder>, Error> {
    Ok(Box::new(sentence_bert::SentenceBert::open(dir, device)?))
}
