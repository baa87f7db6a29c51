//! Equal to PyTorch: layer by layer, pooled, truncated, in any company.

use candle_core::Tensor;
use serde::Deserialize;
use serde_json::json;

use super::super::fused::Fused;
use super::super::layout::Layout;
use super::super::parameters::Parameters;
use super::super::positions::bucket;
use super::super::tokens::Tokens;
use super::super::transformer::{Run, Transformer};
use super::{fixture, golden, save, seeded, tensors, write_checkpoint, write_json};
use crate::encode::device::others;
use crate::encode::kernels::Isa;
use crate::encode::store::ModelStore;
use crate::encode::{Device, Embedding, TextEncoder, Weights};

fn assert_close(ours: &[f32], theirs: &[f32], most: f32, what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let difference = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference < most, "{what}: the largest difference is {difference}");
}

fn encode(encoder: &dyn TextEncoder, texts: &[String]) -> Vec<Embedding> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    encoder.encode(&texts).unwrap()
}

fn assert_embeddings(ours: &[Embedding], theirs: &[Vec<f32>], most: f32, what: &str) {
    assert_eq!(ours.len(), theirs.len());
    for (n, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert_close(ours, theirs, most, &format!("{what}, text {n}"));
        let cosine: f32 = ours.iter().zip(theirs).map(|(a, b)| a * b).sum();
        assert!(cosine >= 0.99999, "{what}, text {n}: cosine {cosine}");
    }
}

/// What a network makes of some texts as tensors, and fused for each instruction set of this processor.
fn every_way(network: Transformer, ids: &[u32], runs: &[Run]) -> Vec<(String, Vec<f32>)> {
    let values = |tokens: Tensor| tokens.flatten_all().unwrap().to_vec1().unwrap();
    let mut results = vec![("tensors".into(), values(network.forward(ids, runs).unwrap()))];
    for isa in Isa::available() {
        let fused = Fused::new(network.clone(), isa).unwrap();
        results.push((format!("{isa:?}"), values(fused.forward(ids, runs).unwrap())));
    }
    results
}

#[test]
fn all_ways_agree_on_texts_of_many_lengths_together() {
    for name in ["bert", "mpnet", "albert", "bert-gelu-new", "bert-minilm-size"] {
        let golden = golden(name);
        let checkpoint = write_checkpoint(&golden, &["mean_tokens"]);
        let shape = Layout::read(checkpoint.path()).unwrap().recipe.shape;
        let weights = Weights::open(&checkpoint.path().join("model.safetensors")).unwrap();
        let landmark = "embeddings.word_embeddings.weight";
        let parameters = Parameters::find(&weights, &candle_core::Device::Cpu, landmark).unwrap();
        let network = Transformer::load(&parameters, shape, 5, 33).unwrap();
        let runs = [(3, 1), (2, 5), (1, 16), (4, 17), (1, 33)];
        let runs = runs.map(|(texts, length)| Run { texts, length });
        let ids: Vec<u32> = (0..runs.iter().map(|run| run.tokens() as u32).sum())
            .map(|n| n * 7 % golden.vocabulary.len() as u32)
            .collect();
        let ways = every_way(network, &ids, &runs);
        for (way, ours) in &ways[1..] {
            assert_close(ours, &ways[0].1, 2e-5, &format!("{name}, {way}"));
        }
    }
}

#[test]
fn any_number_of_threads_makes_the_same_bits() {
    for name in ["bert", "mpnet", "albert"] {
        let golden = golden(name);
        let checkpoint = write_checkpoint(&golden, &["mean_tokens", "max_tokens"]);
        let encoder = super::super::open(checkpoint.path(), &Device::cpu()).unwrap();
        let by_threads = [1, 2, 3, 8].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| encode(&*encoder, &golden.texts))
        });
        assert!(by_threads.iter().all(|embeddings| *embeddings == by_threads[0]), "{name}");
    }
}

#[test]
fn tokens_and_every_layer_equal_the_reference() {
    for name in ["bert", "mpnet", "albert"] {
        let golden = golden(name);
        let checkpoint = write_checkpoint(&golden, &["mean_tokens"]);
        let recipe = Layout::read(checkpoint.path()).unwrap().recipe;
        let (tokens, _) = Tokens::open(checkpoint.path(), recipe.max_tokens, false).unwrap();
        let texts: Vec<&str> = golden.texts.iter().map(String::as_str).collect();
        assert_eq!(tokens.encode(&texts).unwrap(), golden.ids);

        let weights = Weights::open(&checkpoint.path().join("model.safetensors")).unwrap();
        let landmark = "embeddings.word_embeddings.weight";
        let parameters = Parameters::find(&weights, &candle_core::Device::Cpu, landmark).unwrap();
        for (text, states) in golden.states.iter().enumerate() {
            let ids = &golden.ids[text];
            for (layers, state) in states.iter().enumerate() {
                let shape = Layout::read(checkpoint.path()).unwrap().recipe.shape;
                let mut network = Transformer::load(&parameters, shape, 5, ids.len()).unwrap();
                network.order.truncate(layers);
                let runs = [Run { texts: 1, length: ids.len() }];
                for (way, ours) in every_way(network, ids, &runs) {
                    let what = format!("{way}, {name}, text {text} after {layers} layers");
                    assert_close(&ours, &state.concat(), 1e-4, &what);
                }
            }
        }
    }
}

#[test]
fn every_pooling_equals_the_reference() {
    for name in ["bert", "mpnet", "albert"] {
        let golden = golden(name);
        for (pooled, modes) in [
            ("cls", &["cls_token"][..]),
            ("max", &["max_tokens"]),
            ("mean", &["mean_tokens"]),
            ("mean_sqrt_len", &["mean_sqrt_len_tokens"]),
            ("joined", &["mean_tokens", "max_tokens", "cls_token"]),
        ] {
            let checkpoint = write_checkpoint(&golden, modes);
            for device in [vec![Device::cpu()], others()].concat() {
                let encoder = super::super::open(checkpoint.path(), &device).unwrap();
                let ours = encode(&*encoder, &golden.texts);
                assert_eq!((encoder.name(), encoder.dimension()), (name, ours[0].len()));
                let what = format!("{name} {pooled}, {device:?}");
                assert_embeddings(&ours, &golden.pooled[pooled], 1e-5, &what);
            }
        }
    }
}

#[test]
fn other_activations_and_real_sizes_equal_the_reference() {
    for name in ["bert-gelu-new", "bert-minilm-size", "mpnet-base-size", "albert-base-size"] {
        let golden = golden(name);
        let checkpoint = write_checkpoint(&golden, &["mean_tokens"]);
        for device in [vec![Device::cpu()], others()].concat() {
            let encoder = super::super::open(checkpoint.path(), &device).unwrap();
            let (ours, what) = (encode(&*encoder, &golden.texts), format!("{name}, {device:?}"));
            assert_embeddings(&ours, &golden.pooled["mean"], 1e-5, &what);
        }
    }
}

#[test]
fn normalize_and_dense_modules_equal_the_reference() {
    let golden = golden("bert");
    let checkpoint = write_checkpoint(&golden, &["mean_tokens"]);
    let dir = checkpoint.path();
    write_json(
        &dir.join("modules.json"),
        &json!([
            {"path": "", "type": "sentence_transformers.models.Transformer"},
            {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
            {"path": "3_Dense", "type": "sentence_transformers.models.Dense"},
        ]),
    );
    write_json(
        &dir.join("3_Dense/config.json"),
        &json!({"in_features": 32, "out_features": 24, "bias": true,
                "activation_function": "torch.nn.modules.activation.Tanh"}),
    );
    let linear = ["linear.weight", "linear.bias"];
    let dims = [&[24, 32][..], &[24]];
    let dense = linear.iter().zip(dims).map(|(&name, dims)| (name.into(), seeded(name, dims)));
    save(&dense.collect(), &dir.join("3_Dense/model.safetensors"));
    let encoder = super::super::open(dir, &Device::cpu()).unwrap();
    assert_eq!(encoder.dimension(), 24);
    assert_embeddings(&encode(&*encoder, &golden.texts), &golden.pooled["dense"], 1e-5, "dense");
}

#[test]
fn distances_fall_into_the_reference_s_buckets() {
    let golden = golden("mpnet");
    assert_eq!(golden.buckets.len(), 601);
    for (distance, theirs) in golden.buckets {
        assert_eq!(bucket(distance), theirs, "{distance}");
    }
}

#[test]
fn a_text_s_vector_does_not_depend_on_its_company() {
    for name in ["bert", "mpnet", "albert"] {
        let golden = golden(name);
        let checkpoint = write_checkpoint(&golden, &["mean_tokens"]);
        let encoder = super::super::open(checkpoint.path(), &Device::cpu()).unwrap();
        let alone: Vec<Embedding> =
            golden.texts.iter().flat_map(|text| encoder.encode(&[text]).unwrap()).collect();
        // More than go through at once, of all lengths, in an order that is not that of length.
        let many: Vec<String> =
            (0..5000).map(|n| golden.texts[n * 7 % golden.texts.len()].clone()).collect();
        for (n, embedding) in encode(&*encoder, &many).iter().enumerate() {
            let alone = &alone[n * 7 % golden.texts.len()];
            assert_eq!(embedding, alone, "{name}, text {n}");
        }
    }
}

#[test]
fn no_text_and_texts_without_words_are_defined() {
    let golden = golden("bert");
    let checkpoint = write_checkpoint(&golden, &["mean_tokens"]);
    let encoder = super::super::open(checkpoint.path(), &Device::cpu()).unwrap();
    assert_eq!(encoder.encode(&[]).unwrap(), []);
    let empty = golden.texts.iter().position(String::is_empty).unwrap();
    let theirs = vec![golden.pooled["mean"][empty].clone(); 4];
    let ours = encoder.encode(&["", " ", "\t\n\u{a0}", "\0\u{ad}"]).unwrap();
    assert_embeddings(&ours, &theirs, 1e-5, "no words");
}

#[test]
fn a_monstrous_text_is_read_as_far_as_the_limit() {
    let golden = golden("bert");
    let checkpoint = write_checkpoint(&golden, &["mean_tokens"]);
    let encoder = super::super::open(checkpoint.path(), &Device::cpu()).unwrap();
    let monster = "dress ".repeat(5_000_000);
    let ours = encoder.encode(&[&monster, &"裙".repeat(100_000)]).unwrap();
    let truncated = golden.texts.iter().position(|text| text.len() > 1000).unwrap();
    assert_close(&ours[0], &golden.pooled["mean"][truncated], 1e-5, "monster");
}

/// A checkpoint under other names, in another format, has the same vectors.
#[test]
fn names_and_formats_of_other_programs_are_read() {
    let golden = golden("bert");
    let checkpoint = write_checkpoint(&golden, &["mean_tokens"]);
    let path = checkpoint.path().join("model.safetensors");
    for prefix in ["bert.", "0.auto_model."] {
        let rename = |name: &str| {
            let old = name.replace("LayerNorm.weight", "LayerNorm.gamma");
            format!("{prefix}{}", old.replace("LayerNorm.bias", "LayerNorm.beta"))
        };
        let renamed = tensors(&golden.config).into_iter().map(|(name, t)| (rename(&name), t));
        save(&renamed.collect(), &path);
        let encoder = super::super::open(checkpoint.path(), &Device::cpu()).unwrap();
        assert_embeddings(&encode(&*encoder, &golden.texts), &golden.pooled["mean"], 1e-5, prefix);
    }
}

#[test]
fn old_layouts_with_the_transformer_in_a_folder_are_read() {
    let golden = golden("bert");
    let checkpoint = write_checkpoint(&golden, &["mean_tokens"]);
    let dir = checkpoint.path();
    std::fs::create_dir(dir.join("0_BERT")).unwrap();
    for file in ["config.json", "vocab.txt", "model.safetensors", "sentence_bert_config.json"] {
        std::fs::rename(dir.join(file), dir.join("0_BERT").join(file)).unwrap();
    }
    write_json(
        &dir.join("modules.json"),
        &json!([
            {"path": "0_BERT", "type": "sentence_transformers.models.BERT"},
            {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        ]),
    );
    let mut config = golden.config.clone();
    config["architectures"] = json!(["BertModel"]);
    config.as_object_mut().unwrap().remove("model_type");
    write_json(&dir.join("0_BERT/config.json"), &config);
    let encoder = super::super::open(dir, &Device::cpu()).unwrap();
    assert_embeddings(&encode(&*encoder, &golden.texts), &golden.pooled["mean"], 1e-5, "0_BERT");
}

#[test]
fn the_fingerprint_names_the_function_and_not_its_place() {
    let golden = golden("bert");
    let fingerprint = |dir: &std::path::Path| {
        super::super::open(dir, &Device::cpu()).unwrap().fingerprint().to_string()
    };
    let mean = write_checkpoint(&golden, &["mean_tokens"]);
    let again = write_checkpoint(&golden, &["mean_tokens"]);
    assert_eq!(fingerprint(mean.path()), fingerprint(again.path()));

    let mut all = vec![fingerprint(mean.path())];
    all.push(fingerprint(write_checkpoint(&golden, &["max_tokens"]).path()));
    write_json(&again.path().join("sentence_bert_config.json"), &json!({"max_seq_length": 39}));
    all.push(fingerprint(again.path()));
    write_json(&again.path().join("tokenizer_config.json"), &json!({"do_lower_case": false}));
    all.push(fingerprint(again.path()));
    let mut tensors = tensors(&golden.config);
    let bias = tensors.get_mut("encoder.layer.2.output.dense.bias").unwrap();
    *bias = (&*bias + 1e-3).unwrap();
    save(&tensors, &again.path().join("model.safetensors"));
    all.push(fingerprint(again.path()));
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
}

#[test]
fn real_checkpoints_equal_the_reference_on_odd_titles() {
    #[derive(Deserialize)]
    struct Real {
        texts: Vec<String>,
        ids: Vec<Vec<u32>>,
        embeddings: Vec<Vec<f32>>,
    }
    for name in ["all-minilm-l6-v2", "all-mpnet-base-v2"] {
        let dir = match ModelStore::default_location().and_then(|store| store.get(name)) {
            Ok(model) => model.dir,
            Err(error) => {
                eprintln!("skipped: {error}");
                continue;
            }
        };
        let real: Real = fixture(name);
        let recipe = Layout::read(&dir).unwrap().recipe;
        let (tokens, _) = Tokens::open(&dir, recipe.max_tokens, recipe.lowercase).unwrap();
        let texts: Vec<&str> = real.texts.iter().map(String::as_str).collect();
        for (ours, (theirs, text)) in
            tokens.encode(&texts).unwrap().iter().zip(real.ids.iter().zip(&texts))
        {
            assert_eq!(ours, theirs, "{name}: {text:?}");
        }
        let encoder = super::super::open(&dir, &Device::cpu()).unwrap();
        assert_embeddings(&encode(&*encoder, &real.texts), &real.embeddings, 1e-5, name);
    }
}
