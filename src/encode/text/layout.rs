//! What a checkpoint's own JSON files say of it.
//!
//! Flowing in: the checkpoint's directory. Flowing out: a [`Layout`], in which every setting is known to
//! be one that we honour.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::pooling::Pooling;
use super::transformer::{Activation, Family, Shape};
use crate::encode::Error;

/// Where the transformer's files lie, and what is done with its output.
pub(super) struct Layout {
    /// The directory of `config.json`, the weights and the tokenizer.
    pub transformer: PathBuf,
    pub recipe: Recipe,
}

/// The settings that, beside weights and tokenizer, decide the vector; serialised for the fingerprint.
#[derive(Serialize)]
pub(super) struct Recipe {
    pub shape: Shape,
    /// The most tokens a text may have, start and end tokens included; the rest is cut off.
    pub max_tokens: usize,
    /// Whether texts are lower-cased before the tokenizer sees them.
    pub lowercase: bool,
    pub pooling: Vec<Pooling>,
    /// What follows the pooling.
    pub tail: Vec<Tail>,
}

/// A module after the pooling.
#[derive(Serialize)]
pub(super) enum Tail {
    /// A linear layer and its activation.
    Dense(Dense),
    /// Scaling to length one.
    Normalize,
}

#[derive(Serialize)]
pub(super) struct Dense {
    /// Where its weights are; they are fingerprinted themselves.
    #[serde(skip)]
    pub folder: PathBuf,
    pub inputs: usize,
    pub outputs: usize,
    pub bias: bool,
    /// Whether tanh follows, or nothing.
    pub tanh: bool,
}

impl Layout {
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let path = dir.join("modules.json");
        // A checkpoint without modules is a bare transformer; sentence-transformers pools it by the mean.
        let modules = read_json_if_any::<Vec<Module>>(&path)?.unwrap_or_default();
        let mut transformer = dir.to_path_buf();
        let mut pooling = vec![Pooling::Mean];
        let mut tail = Vec::new();
        for (at, module) in modules.iter().enumerate() {
            let folder = module.folder(dir, &path)?;
            match (at, module.kind()) {
                (0, "Transformer" | "BERT") => transformer = folder,
                (1, "Pooling") => pooling = read_pooling(&folder)?,
                (2.., "Dense") => tail.push(Tail::Dense(read_dense(folder)?)),
                (2.., "Normalize") => tail.push(Tail::Normalize),
                (_, other) => {
                    let known = "a Transformer, a Pooling, then Dense and Normalize";
                    return Err(malformed(
                        &path,
                        format!("module {at} is of type {other}; known are {known}"),
                    ));
                }
            }
        }
        refuse_prompts(dir)?;
        let shape = read_shape(&transformer)?;
        let (max_tokens, lowercase) = read_limits(&transformer, &shape)?;
        let recipe = Recipe { shape, max_tokens, lowercase, pooling, tail };
        Ok(Layout { transformer, recipe })
    }
}

#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    path: String,
    r#type: String,
}

impl Module {
    /// The last part of the Python class's name.
    fn kind(&self) -> &str {
        self.r#type.rsplit('.').next().unwrap_or_default()
    }

    fn folder(&self, dir: &Path, file: &Path) -> Result<PathBuf, Error> {
        let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !Path::new(&self.path).components().all(inside) {
            return Err(malformed(file, format!("the path {} leaves the model", self.path)));
        }
        Ok(dir.join(&self.path))
    }
}

#[derive(Deserialize)]
struct NetworkConfig {
    model_type: Option<String>,
    #[serde(default)]
    architectures: Vec<String>,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: String,
    layer_norm_eps: Option<f64>,
    position_embedding_type: Option<String>,
    embedding_size: Option<usize>,
    num_hidden_groups: Option<usize>,
    inner_group_num: Option<usize>,
    pad_token_id: Option<u32>,
}

fn read_shape(dir: &Path) -> Result<Shape, Error> {
    let path = dir.join("config.json");
    let config: NetworkConfig = read_json(&path)?;
    // Checkpoints older than `model_type` name the class only.
    let class = config.architectures.first().map(String::as_str).unwrap_or_default();
    let model_type = config.model_type.as_deref().unwrap_or(match class {
        name if name.starts_with("Bert") => "bert",
        name if name.starts_with("MPNet") => "mpnet",
        name if name.starts_with("Albert") => "albert",
        _ => "not given",
    });
    let family = match model_type {
        "bert" => Family::Bert,
        "mpnet" => Family::MpNet { pad: config.pad_token_id.unwrap_or(1) },
        "albert" => read_albert(&config, &path)?,
        other => {
            let reason = format!("model_type is {other}; known are bert, mpnet, albert");
            return Err(malformed(&path, reason));
        }
    };
    let activation = match config.hidden_act.as_str() {
        "gelu" => Activation::Gelu,
        "gelu_new" | "gelu_pytorch_tanh" => Activation::GeluTanh,
        "relu" => Activation::Relu,
        other => {
            let reason = format!("hidden_act is {other}; known are gelu, gelu_new, relu");
            return Err(malformed(&path, reason));
        }
    };
    if let Some(other) = config.position_embedding_type.filter(|kind| kind != "absolute") {
        let reason = format!("position_embedding_type is {other}; only absolute is known");
        return Err(malformed(&path, reason));
    }
    let (hidden, heads) = (config.hidden_size, config.num_attention_heads);
    if hidden == 0 || heads == 0 || hidden % heads != 0 || config.intermediate_size == 0 {
        let reason = format!("hidden_size {hidden} is not a multiple of {heads} attention heads");
        return Err(malformed(&path, reason));
    }
    Ok(Shape {
        family,
        layers: config.num_hidden_layers,
        hidden,
        heads,
        intermediate: config.intermediate_size,
        activation,
        epsilon: config.layer_norm_eps.unwrap_or(1e-12),
    })
}

fn read_albert(config: &NetworkConfig, path: &Path) -> Result<Family, Error> {
    let (groups, inner) =
        (config.num_hidden_groups.unwrap_or(1), config.inner_group_num.unwrap_or(1));
    if inner != 1 || groups == 0 || groups > config.num_hidden_layers.max(1) {
        let reason = format!(
            "num_hidden_groups is {groups} and inner_group_num {inner}; known are groups of one layer, no \
             more than there are layers"
        );
        return Err(malformed(path, reason));
    }
    match config.embedding_size.unwrap_or(128) {
        0 => Err(malformed(path, "embedding_size is 0".into())),
        embedding => Ok(Family::Albert { embedding, groups }),
    }
}

#[derive(Deserialize, Default)]
struct Limits {
    max_seq_length: Option<usize>,
    #[serde(default)]
    do_lower_case: bool,
}

/// The longest input and the lower-casing. Where sentence-transformers sets no length, the tokenizer
/// does; the table of positions, whose length `config.json` gives, bounds both.
fn read_limits(dir: &Path, shape: &Shape) -> Result<(usize, bool), Error> {
    #[derive(Deserialize)]
    struct Positions {
        max_position_embeddings: usize,
    }
    #[derive(Deserialize, Default)]
    struct TokenizerLength {
        // Written as 1e30 where there is no limit.
        model_max_length: Option<f64>,
    }
    let path = dir.join("sentence_bert_config.json");
    let limits = read_json_if_any::<Limits>(&path)?.unwrap_or_default();
    let positions: Positions = read_json(&dir.join("config.json"))?;
    let usable = positions.max_position_embeddings.saturating_sub(shape.family.first_position());
    let wanted = match limits.max_seq_length {
        Some(length) => length,
        None => read_json_if_any::<TokenizerLength>(&dir.join("tokenizer_config.json"))?
            .and_then(|tokenizer| tokenizer.model_max_length)
            .map_or(usable, |length| length as usize),
    };
    // Room for the start and the end token, and one between them.
    match wanted.min(usable) {
        0..3 => Err(malformed(&path, format!("{} tokens hold no text", wanted.min(usable)))),
        length => Ok((length, limits.do_lower_case)),
    }
}

/// In the order in which sentence-transformers joins several.
const POOLINGS: [(&str, Pooling); 4] = [
    ("pooling_mode_cls_token", Pooling::First),
    ("pooling_mode_max_tokens", Pooling::Max),
    ("pooling_mode_mean_tokens", Pooling::Mean),
    ("pooling_mode_mean_sqrt_len_tokens", Pooling::MeanSqrt),
];

fn read_pooling(dir: &Path) -> Result<Vec<Pooling>, Error> {
    let path = dir.join("config.json");
    let config: serde_json::Map<String, serde_json::Value> = read_json(&path)?;
    let asked = |name: &str| config.get(name).and_then(|on| on.as_bool()).unwrap_or(false);
    let unknown = config.keys().find(|name| {
        name.starts_with("pooling_mode") && !POOLINGS.iter().any(|(k, _)| k == name) && asked(name)
    });
    if let Some(name) = unknown {
        return Err(malformed(&path, format!("{name} is not known to this version")));
    }
    let pooling: Vec<_> =
        POOLINGS.iter().filter(|(name, _)| asked(name)).map(|&(_, pooling)| pooling).collect();
    if pooling.is_empty() {
        return Err(malformed(&path, "no known pooling mode is true".into()));
    }
    Ok(pooling)
}

fn read_dense(folder: PathBuf) -> Result<Dense, Error> {
    #[derive(Deserialize)]
    struct Config {
        in_features: usize,
        out_features: usize,
        bias: Option<bool>,
        activation_function: String,
    }
    let path = folder.join("config.json");
    let config: Config = read_json(&path)?;
    let tanh = match config.activation_function.rsplit('.').next().unwrap_or_default() {
        "Tanh" => true,
        "Identity" => false,
        other => {
            let reason = format!("activation_function is {other}; known are Tanh, Identity");
            return Err(malformed(&path, reason));
        }
    };
    Ok(Dense {
        folder,
        inputs: config.in_features,
        outputs: config.out_features,
        bias: config.bias.unwrap_or(true),
        tanh,
    })
}

/// Some checkpoints want words before each text. Without them the vectors would be wrong unnoticed.
fn refuse_prompts(dir: &Path) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Prompts {
        default_prompt_name: Option<String>,
    }
    let path = dir.join("config_sentence_transformers.json");
    match read_json_if_any::<Prompts>(&path)?.and_then(|prompts| prompts.default_prompt_name) {
        Some(name) => Err(malformed(
            &path,
            format!("it puts the prompt {name:?} before each text, which is not supported"),
        )),
        None => Ok(()),
    }
}

pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
    serde_json::from_slice(&text).map_err(|error| malformed(path, error.to_string()))
}

pub(super) fn read_json_if_any<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    match read_json(path) {
        Ok(value) => Ok(Some(value)),
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn malformed(path: &Path, reason: String) -> Error {
    Error::Malformed { path: path.into(), reason }
}
