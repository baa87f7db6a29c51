//! Each way in which a checkpoint can be broken is an error that names the file and what is wrong.

use std::path::Path;

use candle_core::{DType, Tensor};
use serde_json::json;

use super::{golden, save, tensors, write_broken_checkpoint, write_checkpoint, write_json};
use crate::encode::Device;

/// The error of opening the small BERT after something was done to it.
fn refusal(spoil: impl Fn(&Path)) -> String {
    let checkpoint = write_checkpoint(&golden("bert"), &["mean_tokens"]);
    spoil(checkpoint.path());
    let error = super::super::open(checkpoint.path(), &Device::cpu()).err();
    error.expect("it must be refused").to_string()
}

fn assert_refused(file: &str, reason: &str, spoil: impl Fn(&Path)) {
    let message = refusal(spoil);
    assert!(message.contains(file), "{message:?} should name {file}");
    assert!(message.contains(reason), "{message:?} should say {reason:?}");
}

/// Sets one field of the checkpoint's `config.json`.
fn configure(dir: &Path, field: &str, value: serde_json::Value) {
    let mut config = golden("bert").config;
    config[field] = value;
    write_json(&dir.join("config.json"), &config);
}

fn replace(dir: &Path, name: &str, tensor: Tensor) {
    let mut tensors = tensors(&golden("bert").config);
    tensors.insert(name.into(), tensor);
    save(&tensors, &dir.join("model.safetensors"));
}

fn zeros(dims: &[usize]) -> Tensor {
    Tensor::zeros(dims, DType::F32, &candle_core::Device::Cpu).unwrap()
}

#[test]
fn missing_files() {
    for file in ["config.json", "model.safetensors", "1_Pooling/config.json"] {
        assert_refused(file, "No such file", |dir| std::fs::remove_file(dir.join(file)).unwrap());
    }
    let remove = |dir: &Path| std::fs::remove_file(dir.join("vocab.txt")).unwrap();
    assert_refused("tokenizer.json", "No such file", remove);
}

#[test]
fn settings_that_are_not_known() {
    let known = "known are bert, mpnet, albert";
    assert_refused("config.json", known, |dir| configure(dir, "model_type", "roberta".into()));
    let act = |dir: &Path| configure(dir, "hidden_act", "silu".into());
    assert_refused("config.json", "hidden_act is silu", act);
    let relative = |dir: &Path| configure(dir, "position_embedding_type", "relative_key".into());
    assert_refused("config.json", "position_embedding_type", relative);
    assert_refused("config.json", "heads", |dir| configure(dir, "num_attention_heads", 5.into()));
    assert_refused("config.json", "heads", |dir| configure(dir, "num_attention_heads", 0.into()));
    assert_refused("1_Pooling", "lasttoken", |dir| {
        let modes = json!({"pooling_mode_mean_tokens": true, "pooling_mode_lasttoken": true});
        write_json(&dir.join("1_Pooling/config.json"), &modes);
    });
    assert_refused("1_Pooling", "no known pooling", |dir| {
        write_json(&dir.join("1_Pooling/config.json"), &json!({}));
    });
    assert_refused("config_sentence_transformers.json", "prompt \"query\"", |dir| {
        let prompts = json!({"prompts": {"query": "query: "}, "default_prompt_name": "query"});
        write_json(&dir.join("config_sentence_transformers.json"), &prompts);
    });
    let modules = |kind: &str, path: &str| {
        json!([{"path": "", "type": "sentence_transformers.models.Transformer"},
               {"path": path, "type": format!("sentence_transformers.models.{kind}")}])
    };
    assert_refused("modules.json", "module 1 is of type LSTM", |dir| {
        write_json(&dir.join("modules.json"), &modules("LSTM", "1_LSTM"));
    });
    assert_refused("modules.json", "leaves the model", |dir| {
        write_json(&dir.join("modules.json"), &modules("Pooling", "../elsewhere"));
    });
    assert_refused("sentence_bert_config.json", "2 tokens hold no text", |dir| {
        write_json(&dir.join("sentence_bert_config.json"), &json!({"max_seq_length": 2}));
    });
}

#[test]
fn weights_of_another_shape() {
    let name = "encoder.layer.1.attention.self.key.weight";
    assert_refused("model.safetensors", name, |dir| replace(dir, name, zeros(&[32, 31])));
    let name = "encoder.layer.0.output.dense.bias";
    assert_refused("model.safetensors", name, |dir| replace(dir, name, zeros(&[1])));
    assert_refused("model.safetensors", "encoder.layer.3", |dir| {
        configure(dir, "num_hidden_layers", 4.into());
    });
    assert_refused("model.safetensors", "no tensor named", |dir| {
        let only = [("other".to_owned(), zeros(&[2]))];
        save(&only.into(), &dir.join("model.safetensors"));
    });
    // A table of words that is smaller than the vocabulary, of positions that is too short.
    let (words, positions) =
        ("embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight");
    let reason = "at least 38 rows of 32";
    assert_refused("model.safetensors", reason, |dir| replace(dir, words, zeros(&[37, 32])));
    let reason = "at least 40 rows of 32";
    assert_refused("model.safetensors", reason, |dir| replace(dir, positions, zeros(&[39, 32])));
}

#[test]
fn weights_that_are_not_numbers() {
    let checkpoint = write_broken_checkpoint();
    let encoder = super::super::open(checkpoint.path(), &Device::cpu()).unwrap();
    let error = encoder.encode(&["red boots"]).unwrap_err().to_string();
    assert!(error.contains("not a finite number"), "{error}");
}

#[test]
fn tokenizers_that_are_broken() {
    let write = |text: &'static str| {
        move |dir: &Path| std::fs::write(dir.join("tokenizer.json"), text).unwrap()
    };
    let remedy = "fetch the file again";
    assert_refused("tokenizer.json", remedy, write(""));
    assert_refused("tokenizer.json", remedy, write("{\"version\":\"1.0\",\"model\":{\"type\":\"W"));
    assert_refused("tokenizer.json", remedy, write("{\"version\":\"1.0\"}"));
    assert_refused("tokenizer.json", "in 0 tokens of its own", |dir| {
        let model = json!({"type": "WordPiece", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]",
                           "continuing_subword_prefix": "##", "max_input_chars_per_word": 9});
        write_json(&dir.join("tokenizer.json"), &json!({"version": "1.0", "model": model}));
    });
    // An id that the vocabulary does not show.
    assert_refused("model.safetensors", "at least 1001 rows", |dir| {
        let model = json!({"type": "WordPiece", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]",
                           "continuing_subword_prefix": "##", "max_input_chars_per_word": 9});
        let frame = json!({"type": "BertProcessing", "cls": ["[CLS]", 0], "sep": ["[SEP]", 1000]});
        let all = json!({"version": "1.0", "model": model, "post_processor": frame});
        write_json(&dir.join("tokenizer.json"), &all);
    });
    assert_refused("vocab.txt", "lacks the word piece [CLS]", |dir| {
        std::fs::write(dir.join("vocab.txt"), "[UNK]\n[SEP]\nred\n").unwrap();
    });
    assert_refused("vocab.txt", "utf-8", |dir| {
        std::fs::write(dir.join("vocab.txt"), b"[UNK]\n\xff\n").unwrap();
    });
}

#[test]
fn no_cut_of_any_file_panics() {
    let checkpoint = write_checkpoint(&golden("bert"), &["mean_tokens"]);
    let dir = checkpoint.path();
    for file in ["config.json", "modules.json", "1_Pooling/config.json", "model.safetensors"] {
        let whole = std::fs::read(dir.join(file)).unwrap();
        for part in 0..16 {
            std::fs::write(dir.join(file), &whole[..whole.len() * part / 16]).unwrap();
            let error = super::super::open(dir, &Device::cpu()).err().expect(file).to_string();
            assert!(error.contains(file), "{error}");
        }
        std::fs::write(dir.join(file), whole).unwrap();
    }
    assert!(super::super::open(dir, &Device::cpu()).is_ok());
}
