//! The networks against PyTorch, and model directories that are not what they should be.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::maps::{Arena, Maps};
use super::*;
use crate::encode::Pixels;
use crate::encode::device::others;
use crate::encode::image::seeded::{floats, golden, model, picture, places};

fn shapes(golden: &Value) -> Vec<(String, Vec<usize>)> {
    let shape = |shape: &Value| serde_json::from_value(shape.clone()).unwrap();
    golden["shapes"].as_object().unwrap().iter().map(|(n, s)| (n.clone(), shape(s))).collect()
}

/// The golden file's pictures, as the encoder reads them.
fn prepared(encoder: &dyn ImageEncoder, golden: &Value) -> Vec<Pixels> {
    let prepare = |size: &Value| {
        let [width, height, seed]: [u64; 3] = serde_json::from_value(size.clone()).unwrap();
        encoder.prepare(&picture(width as u32, height as u32, seed))
    };
    golden["pictures"].as_array().unwrap().iter().map(prepare).collect()
}

fn open_cpu(dir: &Path) -> Result<Box<dyn ImageEncoder>, Error> {
    open(dir, &Device::cpu())
}

fn refusal(dir: &Path) -> String {
    match open_cpu(dir) {
        Ok(encoder) => panic!("opened as {}", encoder.name()),
        Err(error @ (Error::Malformed { .. } | Error::Io { .. })) => error.to_string(),
        Err(error) => panic!("{error:?}"),
    }
}

/// Opens the model and holds its embeddings against PyTorch's; returns them.
fn embeds_as_pytorch(dir: &Path, golden: &Value) -> Vec<f32> {
    embeds_as_pytorch_on(&Device::cpu(), dir, golden)
}

fn embeds_as_pytorch_on(device: &Device, dir: &Path, golden: &Value) -> Vec<f32> {
    let encoder = open(dir, device).unwrap();
    let embeddings = encoder.encode(&prepared(&*encoder, golden)).unwrap();
    let expected = golden["embeddings"].as_array().unwrap();
    assert_eq!(embeddings.len(), expected.len());
    for (embedding, expected) in embeddings.iter().zip(expected) {
        let expected = floats(expected);
        assert_eq!(embedding.len(), expected.len());
        assert_eq!(embedding.len(), encoder.dimension());
        let cosine: f64 =
            embedding.iter().zip(&expected).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        let apart = embedding.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        eprintln!(
            "{}: 1 - cosine {:.1e}, largest difference {apart:.1e}",
            encoder.name(),
            1.0 - cosine
        );
        assert!(cosine > 1.0 - 1e-6 && apart < 1e-6, "cosine {cosine}, apart {apart}");
    }
    embeddings.iter().flat_map(|embedding| embedding.to_vec()).collect()
}

/// Embeddings and tiles on every other device.
fn embeds_as_pytorch_elsewhere(dir: &Path, golden: &Value) {
    for device in others() {
        eprint!("{device:?}: ");
        embeds_as_pytorch_on(&device, dir, golden);
        tiles_as_pytorch(&*open(dir, &device).unwrap(), golden);
    }
}

/// Holds three rows of as many tiles against PyTorch's at the sampled places.
fn tiles_as_pytorch(encoder: &dyn ImageEncoder, golden: &Value) {
    let tiles = encoder.tiles(&prepared(encoder, golden), 3).unwrap().unwrap();
    let expected = golden["tiles"].as_array().unwrap();
    assert_eq!(tiles.len(), expected.len());
    for (tiles, expected) in tiles.iter().zip(expected) {
        assert_eq!(tiles.len(), 9 * encoder.dimension());
        let largest = tiles.iter().fold(0f32, |largest, x| largest.max(x.abs()));
        for (at, expected) in places(tiles.len()).zip(floats(expected)) {
            let apart = (tiles[at] - expected).abs();
            assert!(apart < 3e-5 * largest, "tiles, element {at}: {} for {expected}", tiles[at]);
        }
    }
}

/// Holds the activations after each stage, and tiles, against PyTorch's at the sampled places.
fn stages_as_pytorch(dir: &Path, known: &Known, golden: &Value) {
    let encoder = open_cpu(dir).unwrap();
    let weights = Weights::open(&dir.join("model.safetensors")).unwrap();
    let network = (known.load)(&weights, &Device::cpu()).unwrap();
    let mut seen = 0;
    for (picture, pixels) in prepared(&*encoder, golden).into_iter().enumerate() {
        let (side, values) = (pixels.side, [&pixels.values[..]]);
        let x = Maps::of_pictures(&values, side, &Device::cpu(), &Arena::default()).unwrap();
        let mut compare = |stage: &'static str, x: &Maps| {
            let x = x.planes().unwrap().concat();
            let expected = floats(&golden["stages"][stage][picture]);
            let largest = expected.iter().fold(0f32, |largest, x| largest.max(x.abs()));
            for (at, expected) in places(x.len()).zip(expected) {
                let apart = (x[at] - expected).abs();
                assert!(apart < 3e-5 * largest, "{stage}, element {at}: {} for {expected}", x[at]);
            }
            seen += 1;
        };
        network.forward(&x, &mut compare).unwrap();
    }
    tiles_as_pytorch(&*encoder, golden);
    let stages = golden["stages"].as_object().unwrap().len();
    assert_eq!(seen, stages * golden["pictures"].as_array().unwrap().len());
}

/// torchvision's name as Hugging Face spells it.
fn hugging_face(name: &str) -> String {
    if let Some(part) = name.strip_prefix("fc.") {
        return format!("classifier.1.{part}");
    }
    let mut name = name.replace("downsample.0", "shortcut.convolution");
    name = name.replace("downsample.1", "shortcut.normalization");
    for number in 1..=3 {
        name = name
            .replace(&format!(".conv{number}."), &format!(".layer.{}.convolution.", number - 1));
        name = name
            .replace(&format!(".bn{number}."), &format!(".layer.{}.normalization.", number - 1));
    }
    for layer in 1..=4 {
        let start = format!("layer{layer}.");
        if let Some(rest) = name.strip_prefix(&start) {
            return format!("resnet.encoder.stages.{}.layers.{rest}", layer - 1);
        }
    }
    name = name.replace("conv1.", "embedder.embedder.convolution.");
    format!("resnet.{}", name.replace("bn1.", "embedder.embedder.normalization."))
}

/// The port's name as timm spells it.
fn timm(name: &str) -> String {
    // Where each stage begins.
    let starts = [0, 1, 3, 5, 8, 11, 15];
    let Some(rest) = name.strip_prefix("_blocks.") else {
        let name = name.replace("_conv_stem", "conv_stem").replace("_conv_head", "conv_head");
        let name = name.replace("_bn1.", "bn2.").replace("_bn0.", "bn1.");
        return name.replace("_fc", "classifier");
    };
    let (number, part) = rest.split_once('.').unwrap();
    let number: usize = number.parse().unwrap();
    let stage = starts.iter().rposition(|&start| start <= number).unwrap();
    let part = if number == 0 {
        part.replace("_project_conv", "conv_pw").replace("_bn", "bn")
    } else {
        let part = part.replace("_project_conv", "conv_pwl").replace("_expand_conv", "conv_pw");
        part.replace("_bn2.", "bn3.").replace("_bn1.", "bn2.").replace("_bn0.", "bn1.")
    };
    let part = part.replace("_depthwise_conv", "conv_dw");
    format!("blocks.{stage}.{}.{part}", number - starts[stage])
}

#[test]
fn resnet50_is_pytorchs_under_every_naming() {
    let golden = golden("resnet50.json");
    let torchvision = model(&shapes(&golden), str::to_owned);
    stages_as_pytorch(torchvision.path(), &resnet::KNOWN, &golden);
    let embeddings = embeds_as_pytorch(torchvision.path(), &golden);
    embeds_as_pytorch_elsewhere(torchvision.path(), &golden);
    for prefix in ["resnet.", ""] {
        let renamed = model(&shapes(&golden), |name| hugging_face(name).replace("resnet.", prefix));
        assert_eq!(embeds_as_pytorch(renamed.path(), &golden), embeddings);
    }
}

#[test]
fn efficientnet_lite0_is_pytorchs_under_every_naming() {
    let golden = golden("efficientnet-lite0.json");
    let port = model(&shapes(&golden), str::to_owned);
    stages_as_pytorch(port.path(), &efficientnet_lite::KNOWN, &golden);
    let embeddings = embeds_as_pytorch(port.path(), &golden);
    embeds_as_pytorch_elsewhere(port.path(), &golden);
    let renamed = model(&shapes(&golden), timm);
    assert!(refusal(renamed.path()).contains("none of theirs"));
    let config = r#"{"architecture": "tf_efficientnet_lite0"}"#;
    fs::write(renamed.path().join("config.json"), config).unwrap();
    assert_eq!(embeds_as_pytorch(renamed.path(), &golden), embeddings);
}

#[test]
fn inception_v3_is_pytorchs() {
    let golden = golden("inceptionv3.json");
    let folder = model(&shapes(&golden), str::to_owned);
    stages_as_pytorch(folder.path(), &inception_v3::KNOWN, &golden);
    embeds_as_pytorch(folder.path(), &golden);
    embeds_as_pytorch_elsewhere(folder.path(), &golden);
}

#[test]
fn mobilenet_v1_is_pytorchs_with_and_without_its_head() {
    let golden = golden("mobilenet-v1.json");
    let folder = model(&shapes(&golden), str::to_owned);
    stages_as_pytorch(folder.path(), &mobilenet_v1::KNOWN, &golden);
    let embeddings = embeds_as_pytorch(folder.path(), &golden);
    embeds_as_pytorch_elsewhere(folder.path(), &golden);
    let shapes: Vec<_> = shapes(&golden);
    let body: Vec<_> =
        shapes.into_iter().filter(|(name, _)| !name.starts_with("classifier")).collect();
    let body = model(&body, |name| name.replace("mobilenet_v1.", ""));
    assert_eq!(embeds_as_pytorch(body.path(), &golden), embeddings);
    let config = r#"{"model_type": "mobilenet_v1", "tf_padding": false}"#;
    fs::write(body.path().join("config.json"), config).unwrap();
    assert!(refusal(body.path()).contains("tf_padding"));
}

#[test]
fn alexnet_is_pytorchs() {
    let golden = golden("alexnet.json");
    let shapes: Vec<_> = shapes(&golden);
    // Its head is of no use, and its other weights are many enough.
    let body: Vec<_> =
        shapes.into_iter().filter(|(name, _)| !name.starts_with("classifier.6")).collect();
    let folder = model(&body, str::to_owned);
    stages_as_pytorch(folder.path(), &alexnet::KNOWN, &golden);
    embeds_as_pytorch(folder.path(), &golden);
    embeds_as_pytorch_elsewhere(folder.path(), &golden);
}

#[test]
fn a_picture_has_the_same_embedding_in_any_batch_and_on_any_thread() {
    let golden = golden("efficientnet-lite0.json");
    let folder = model(&shapes(&golden), str::to_owned);
    let encoder = open_cpu(folder.path()).unwrap();
    let pair = prepared(&*encoder, &golden);
    let alone: Vec<_> =
        pair.iter().map(|p| encoder.encode(std::slice::from_ref(p)).unwrap()).collect();
    let batch: Vec<_> = pair.iter().cycle().take(11).cloned().collect();
    let batches = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(|| encoder.encode(&batch))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect::<Vec<_>>()
    });
    for embeddings in batches {
        for (embedding, alone) in embeddings.iter().zip(alone.iter().cycle()) {
            let apart = embedding.iter().zip(alone[0].iter()).map(|(a, b)| (a - b).abs());
            assert!(apart.fold(0.0, f32::max) < 1e-6);
        }
    }
    assert!(encoder.encode(&[]).unwrap().is_empty());
}

#[test]
fn what_cannot_be_embedded_is_an_error() {
    let golden = golden("efficientnet-lite0.json");
    let folder = model(&shapes(&golden), str::to_owned);
    let encoder = open_cpu(folder.path()).unwrap();
    let nothing = encoder.prepare(&image::RgbImage::new(0, 0));
    assert!(matches!(encoder.encode(&[nothing]), Err(Error::Embedding(_))));
    let small = Pixels { side: 100, values: vec![0.0; 30_000] };
    let error = encoder.encode(&[small]).unwrap_err().to_string();
    assert!(error.contains("224") && error.contains("100"), "{error}");
}

#[test]
fn the_fingerprint_follows_weights_and_rule_and_nothing_else() {
    let golden = golden("efficientnet-lite0.json");
    let shapes = shapes(&golden);
    let fingerprint = |dir: &Path| open_cpu(dir).unwrap().fingerprint();
    let (one, same) = (model(&shapes, str::to_owned), model(&shapes, str::to_owned));
    let first = fingerprint(one.path());
    assert_eq!(fingerprint(same.path()), first);
    fs::rename(same.path().join("model.safetensors"), same.path().join("other.safetensors"))
        .unwrap();
    assert_eq!(fingerprint(same.path()), first);
    let config = r#"{"architecture": "tf_efficientnet_lite0", "crop_pct": 1.0, "mean": [0, 0, 0], "std": [1, 1, 1]}"#;
    fs::write(same.path().join("config.json"), config).unwrap();
    assert_ne!(fingerprint(same.path()), first);
    let renamed = model(&shapes, timm);
    fs::write(renamed.path().join("config.json"), r#"{"architecture": "tf_efficientnet_lite0"}"#)
        .unwrap();
    assert_ne!(fingerprint(renamed.path()), first);
}

#[test]
fn other_networks_weights_are_refused_by_name() {
    let golden = golden("resnet50.json");
    let shapes = shapes(&golden);

    let wrong: Vec<_> = shapes
        .iter()
        .map(|(name, shape)| match name.as_str() {
            "layer2.0.conv2.weight" => (name.clone(), vec![128, 4, 3, 3]),
            _ => (name.clone(), shape.clone()),
        })
        .collect();
    let said = refusal(model(&wrong, str::to_owned).path());
    for part in ["model.safetensors", "layer2.0.conv2.weight", "[128, 4, 3, 3]", "[128, 128, 3, 3]"]
    {
        assert!(said.contains(part), "{said}");
    }

    let missing: Vec<_> =
        shapes.iter().filter(|(name, _)| name != "layer4.2.bn3.running_var").cloned().collect();
    let said = refusal(model(&missing, str::to_owned).path());
    assert!(said.contains("no tensor `layer4.2.bn3.running_var`"), "{said}");

    let mut deeper = shapes.clone();
    deeper.push(("layer3.6.conv1.weight".to_owned(), vec![256, 1024, 1, 1]));
    let said = refusal(model(&deeper, str::to_owned).path());
    assert!(said.contains("`layer3.6.conv1.weight`, which ResNet-50 has not"), "{said}");

    let said = refusal(model(&[("lstm.weight".to_owned(), vec![4, 4])], str::to_owned).path());
    assert!(said.contains("resnet50, efficientnet-lite0, inceptionv3"), "{said}");
}

#[test]
fn a_directory_without_usable_files_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    assert!(refusal(dir).contains("it holds no weights"));
    assert!(refusal(&dir.join("nowhere")).contains("nowhere"));
    fs::write(dir.join("a.pth"), "x").unwrap();
    assert!(refusal(dir).contains("neither safetensors nor"));
    fs::write(dir.join("b.pth"), "x").unwrap();
    assert!(refusal(dir).contains("several weights files"));
    let golden = golden("efficientnet-lite0.json");
    let folder = model(&shapes(&golden), str::to_owned);
    for (config, said) in [
        ("{", "not JSON"),
        (r#"{"model_type": "vit"}"#, "calls it `vit`"),
        (r#"{"model_type": "resnet", "downsample_in_bottleneck": true}"#, "bottleneck` is true"),
        (r#"{"architecture": "tf_efficientnet_lite0", "crop_pct": 1.5}"#, "cannot be done"),
        (r#"{"architecture": "tf_efficientnet_lite0", "interpolation": "random"}"#, "\"random\""),
        (r#"{"architecture": "tf_efficientnet_lite0", "input_size": 9}"#, "input_size"),
    ] {
        fs::write(folder.path().join("config.json"), config).unwrap();
        let refusal = refusal(folder.path());
        assert!(refusal.contains(said) && refusal.contains("config.json"), "{refusal}");
    }
}

/// The folder in which the model store keeps a model, where the environment names a home for it.
fn cached(model: &str) -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let cache = variable("LOOKALIKE_CACHE")
        .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("lookalike")))
        .or_else(|| Some(variable("HOME")?.join(".cache/lookalike")))?;
    Some(cache.join("models").join(model))
}

#[test]
fn efficientnet_lite0_with_its_real_weights_is_pytorchs() {
    let folder = cached("efficientnet-lite0").filter(|dir| dir.join("model.safetensors").is_file());
    let Some(folder) = folder else {
        eprintln!("skipped: efficientnet-lite0 is not in the model cache");
        return;
    };
    embeds_as_pytorch(&folder, &golden("efficientnet-lite0-real.json"));
}
