//! Checkpoints with seeded weights, written as real ones are, and what PyTorch computes from them.
//!
//! The golden files and the weights' rule are those of tools/golden/text.py.

mod malformed;
mod parity;

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
pub(in crate::encode) struct Golden {
    config: Value,
    limit: usize,
    /// As `tokenizer.json` has it, for those whose `vocab.txt` would not do.
    tokenizer: Option<Value>,
    vocabulary: Vec<String>,
    texts: Vec<String>,
    ids: Vec<Vec<u32>>,
    /// For the first texts, each hidden state: one row a token.
    states: Vec<Vec<Vec<Vec<f32>>>>,
    /// One row a text, by the name of the pooling.
    pooled: HashMap<String, Vec<Vec<f32>>>,
    #[serde(default)]
    buckets: Vec<(i64, u32)>,
}

fn fixture<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = format!("{}/fixtures/golden/text/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub(in crate::encode) fn golden(name: &str) -> Golden {
    fixture(name)
}

/// Uniform values that depend on the tensor's name alone.
fn seeded(name: &str, dims: &[usize]) -> Tensor {
    let fnv = |seed: u64, byte: u8| (seed ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325, fnv);
    let last = dims[dims.len() - 1] as f32;
    let norm = ["LayerNorm.weight", "layer_norm.weight"];
    let (offset, scale) = if norm.iter().any(|norm| name.contains(norm)) {
        (1.0, 0.25)
    } else if name.ends_with(".bias") {
        (0.0, 0.25)
    } else if name.contains("embeddings.") || name.contains("relative") {
        (0.0, 1.0)
    } else {
        (0.0, 2f32.powf(-(last.log2() / 2.0).floor()))
    };
    let value = |n: u64| {
        let mut z = seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        offset + scale * ((z >> 40) as f32 / 2f32.powi(23) - 1.0)
    };
    let values: Vec<f32> = (1..=dims.iter().product::<usize>() as u64).map(value).collect();
    Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
}

/// The tensors of a checkpoint, under their plain names.
fn tensors(config: &Value) -> HashMap<String, Tensor> {
    let number = |name: &str| config[name].as_u64().unwrap() as usize;
    let (h, i) = (number("hidden_size"), number("intermediate_size"));
    let e = config["embedding_size"].as_u64().map_or(h, |size| size as usize);
    let (mpnet, albert) = (config["model_type"] == "mpnet", config["model_type"] == "albert");
    let mut shapes = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![number("vocab_size"), e]),
        (
            "embeddings.position_embeddings.weight".to_owned(),
            vec![number("max_position_embeddings"), e],
        ),
    ];
    shapes.push(if mpnet {
        let heads = number("num_attention_heads");
        ("encoder.relative_attention_bias.weight".to_owned(), vec![32, heads])
    } else {
        ("embeddings.token_type_embeddings.weight".to_owned(), vec![2, e])
    });
    let mut norms = vec![("embeddings.LayerNorm".to_owned(), e)];
    let mut linears = Vec::new();
    let mut layers = number("num_hidden_layers");
    if albert {
        linears.push(("encoder.embedding_hidden_mapping_in".to_owned(), e, h));
        layers = number("num_hidden_groups");
    }
    for n in 0..layers {
        let layer = match albert {
            true => format!("encoder.albert_layer_groups.{n}.albert_layers.0"),
            false => format!("encoder.layer.{n}"),
        };
        let (square, rest) = if albert {
            (["query", "key", "value", "dense"], ["ffn", "ffn_output", "full_layer_layer_norm"])
        } else {
            let rest = ["intermediate.dense", "output.dense", "output.LayerNorm"];
            match mpnet {
                true => (["attn.q", "attn.k", "attn.v", "attn.o"], rest),
                false => (["self.query", "self.key", "self.value", "output.dense"], rest),
            }
        };
        let norm = if mpnet || albert { "LayerNorm" } else { "output.LayerNorm" };
        norms.push((format!("{layer}.attention.{norm}"), h));
        norms.push((format!("{layer}.{}", rest[2]), h));
        linears.extend(square.map(|part| (format!("{layer}.attention.{part}"), h, h)));
        linears.push((format!("{layer}.{}", rest[0]), h, i));
        linears.push((format!("{layer}.{}", rest[1]), i, h));
    }
    for (norm, width) in norms {
        shapes.push((format!("{norm}.weight"), vec![width]));
        shapes.push((format!("{norm}.bias"), vec![width]));
    }
    for (name, inputs, outputs) in linears {
        shapes.push((format!("{name}.weight"), vec![outputs, inputs]));
        shapes.push((format!("{name}.bias"), vec![outputs]));
    }
    shapes.into_iter().map(|(name, dims)| (name.clone(), seeded(&name, &dims))).collect()
}

fn write_json(path: &Path, value: &Value) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, value.to_string()).unwrap();
}

/// Writes the golden's checkpoint with the poolings asked for.
pub(in crate::encode) fn write_checkpoint(golden: &Golden, pooling: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    write_json(&dir.join("config.json"), &golden.config);
    write_json(
        &dir.join("sentence_bert_config.json"),
        &json!({"max_seq_length": golden.limit, "do_lower_case": false}),
    );
    write_json(
        &dir.join("modules.json"),
        &json!([
            {"path": "", "type": "sentence_transformers.models.Transformer"},
            {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        ]),
    );
    let mut modes = json!({"word_embedding_dimension": golden.config["hidden_size"]});
    for mode in ["cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens"] {
        modes[format!("pooling_mode_{mode}")] = pooling.contains(&mode).into();
    }
    write_json(&dir.join("1_Pooling/config.json"), &modes);
    if golden.config["model_type"] == "mpnet" {
        write_json(
            &dir.join("tokenizer_config.json"),
            &json!({"cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>",
                    "mask_token": {"content": "<mask>", "lstrip": true}}),
        );
    }
    match &golden.tokenizer {
        Some(tokenizer) => write_json(&dir.join("tokenizer.json"), tokenizer),
        None => {
            let vocabulary = golden.vocabulary.join("\n") + "\n";
            std::fs::write(dir.join("vocab.txt"), vocabulary).unwrap();
        }
    }
    save(&tensors(&golden.config), &dir.join("model.safetensors"));
    folder
}

/// One whose weights are damaged: its vectors are no numbers.
pub(in crate::encode) fn write_broken_checkpoint() -> tempfile::TempDir {
    let golden = golden("bert");
    let checkpoint = write_checkpoint(&golden, &["mean_tokens"]);
    let mut tensors = tensors(&golden.config);
    let norm = tensors.get_mut("encoder.layer.2.output.LayerNorm.weight").unwrap();
    *norm = (&*norm * f64::NAN).unwrap();
    save(&tensors, &checkpoint.path().join("model.safetensors"));
    checkpoint
}

fn save(tensors: &HashMap<String, Tensor>, path: &Path) {
    candle_core::safetensors::save(tensors, path).unwrap();
}
