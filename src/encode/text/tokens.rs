//! Texts become token ids, by the checkpoint's own tokenizer.
//!
//! `tokenizer.json` says everything; checkpoints older than that format have `vocab.txt`, one word piece
//! a line, from which the same is put together. The padding and truncation that `tokenizer.json` asks
//! for are set aside: all-MiniLM-L6-v2's pads every text to 128 tokens, and cuts there although the
//! model's own limit is 256.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokenizers::{Tokenizer, TruncationParams};

use super::layout::{malformed, read_json_if_any};
use crate::encode::Error;

/// No text is read beyond this many bytes a token of the limit. Word pieces of real text are far
/// shorter; without a bound, one monstrous cell of a catalogue would take memory without end.
const BYTES_PER_TOKEN: usize = 256;

/// Cuts texts into token ids.
pub(super) struct Tokens {
    tokenizer: Tokenizer,
    path: PathBuf,
    max_tokens: usize,
    lowercase: bool,
}

impl Tokens {
    /// Reads the tokenizer of a checkpoint and returns the bytes that define it, for the fingerprint.
    pub fn open(dir: &Path, max_tokens: usize, lowercase: bool) -> Result<(Self, Vec<u8>), Error> {
        let (path, definition) = definition(dir)?;
        let fail = |error: tokenizers::Error| {
            malformed(&path, format!("{error}; fetch the file again from where the model came"))
        };
        let mut tokenizer = Tokenizer::from_bytes(&definition).map_err(fail)?;
        tokenizer.with_padding(None).with_truncation(None).map_err(fail)?;
        let frame = tokenizer.encode_fast("", true).map_err(fail)?.len();
        if frame == 0 || frame >= max_tokens {
            let reason = format!(
                "it frames a text in {frame} tokens of its own; a Sentence-BERT model has a start and an \
                 end token, and room for words within its limit of {max_tokens}"
            );
            return Err(malformed(&path, reason));
        }
        let truncation = TruncationParams { max_length: max_tokens, ..Default::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(fail)?;
        Ok((Tokens { tokenizer, path, max_tokens, lowercase }, definition))
    }

    /// One more than the largest id that can come out.
    pub fn vocabulary(&self) -> Result<usize, Error> {
        // The start and end tokens' ids are written apart from the vocabulary, and may lie beyond it.
        let frame = self.encode(&[""])?.concat();
        let vocabulary = self.tokenizer.get_vocab(true).into_values();
        Ok(vocabulary.chain(frame).max().map_or(0, |id| id as usize + 1))
    }

    /// The ids of each text, start and end tokens included: at least one, at most the limit.
    pub fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<u32>>, Error> {
        let texts = texts.iter().map(|text| self.prepare(text)).collect();
        let encodings = self
            .tokenizer
            .encode_batch_fast::<Cow<str>>(texts, true)
            .map_err(|error| malformed(&self.path, error.to_string()))?;
        Ok(encodings.iter().map(|encoding| encoding.get_ids().to_vec()).collect())
    }

    fn prepare<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let most = self.max_tokens.saturating_mul(BYTES_PER_TOKEN).min(text.len());
        let end = (0..=most).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        let head = &text[..end];
        if self.lowercase { head.to_lowercase().into() } else { head.into() }
    }
}

/// The tokenizer file, and what it says in the terms of `tokenizer.json`.
fn definition(dir: &Path) -> Result<(PathBuf, Vec<u8>), Error> {
    let new = dir.join("tokenizer.json");
    let old = dir.join("vocab.txt");
    let path = if new.exists() || !old.exists() { new } else { old };
    let bytes = std::fs::read(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
    if path.ends_with("tokenizer.json") {
        return Ok((path, bytes));
    }
    let text = String::from_utf8(bytes).map_err(|error| malformed(&path, error.to_string()))?;
    let settings = read_json_if_any::<Settings>(&dir.join("tokenizer_config.json"))?;
    let definition = word_pieces(&text, &settings.unwrap_or_default())
        .map_err(|missing| malformed(&path, format!("it lacks the word piece {missing}")))?;
    Ok((path, definition.to_string().into_bytes()))
}

/// `tokenizer_config.json`, as far as it bears on `vocab.txt`.
#[derive(Deserialize)]
#[serde(default)]
struct Settings {
    do_lower_case: bool,
    strip_accents: Option<bool>,
    tokenize_chinese_chars: bool,
    unk_token: Token,
    cls_token: Token,
    sep_token: Token,
    pad_token: Token,
    mask_token: Token,
}

impl Default for Settings {
    fn default() -> Self {
        let token = |text: &str| Token::Plain(text.into());
        Settings {
            do_lower_case: true,
            strip_accents: None,
            tokenize_chinese_chars: true,
            unk_token: token("[UNK]"),
            cls_token: token("[CLS]"),
            sep_token: token("[SEP]"),
            pad_token: token("[PAD]"),
            mask_token: token("[MASK]"),
        }
    }
}

/// A special token is written as its text, or as an object that has it in `content`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Token {
    Plain(String),
    Object { content: String },
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Token::Plain(text) | Token::Object { content: text } => text,
        }
    }
}

/// What BERT's tokenizer is, for this vocabulary; or the first special token that it lacks.
fn word_pieces(vocabulary: &str, settings: &Settings) -> Result<Value, String> {
    let vocabulary: Map<String, Value> =
        vocabulary.lines().zip(0u32..).map(|(piece, id)| (piece.to_owned(), id.into())).collect();
    let id = |token: &Token| {
        let text = token.text();
        vocabulary.get(text).map(|id| json!([text, id])).ok_or_else(|| text.to_owned())
    };
    let (unknown, start, end) =
        (id(&settings.unk_token)?, id(&settings.cls_token)?, id(&settings.sep_token)?);
    // The others only matter where somebody writes them into a text.
    let rest = [id(&settings.pad_token), id(&settings.mask_token)];
    let special = [&unknown, &start, &end].into_iter().chain(rest.iter().flatten()).map(|token| {
        json!({"content": token[0], "id": token[1], "special": true, "single_word": false,
               "lstrip": false, "rstrip": false, "normalized": false})
    });
    Ok(json!({
        "version": "1.0",
        "added_tokens": special.collect::<Vec<_>>(),
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": true,
            "handle_chinese_chars": settings.tokenize_chinese_chars,
            "strip_accents": settings.strip_accents,
            "lowercase": settings.do_lower_case,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": end, "cls": start},
        "model": {
            "type": "WordPiece",
            "unk_token": unknown[0],
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocabulary,
        },
    }))
}
