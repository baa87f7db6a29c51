//! Which of a checkpoint's many files belong to the model that we open.

use std::path::{Component, Path, PathBuf};

use super::model::{read_error, write_error};
use super::{SourceError, StoreError};
use crate::encode::Weights;

/// What weights are called once they are in the store.
pub(super) const WEIGHTS: &str = "model.safetensors";

const SETTINGS: [&str; 8] = [
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "preprocessor_config.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
];

/// Whether a file, by its path within the checkpoint, is part of the model: settings, vocabulary and
/// weights, at the top or in the folder of a module (`1_Pooling`). Not the same weights for other
/// programs, training logs and papers.
pub(super) fn belongs(path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let module = match folder.split_once('_') {
        None => folder.is_empty(),
        Some((number, _)) => {
            !folder.contains('/')
                && !number.is_empty()
                && number.bytes().all(|c| c.is_ascii_digit())
        }
    };
    module && (SETTINGS.contains(&name) || is_weights(name))
}

pub(super) fn is_weights(name: &str) -> bool {
    let extension = Path::new(name).extension().unwrap_or_default();
    name == WEIGHTS
        || name == "pytorch_model.bin"
        || (extension == "safetensors" || extension == "pth" || extension == "pt")
}

/// Leaves out the second of two files of the same weights.
pub(super) fn without_doubles(mut paths: Vec<String>) -> Vec<String> {
    let folder = |path: &str| path.rsplit_once('/').map_or(String::new(), |(f, _)| f.to_owned());
    let safe: Vec<String> =
        paths.iter().filter(|path| path.ends_with(WEIGHTS)).map(|path| folder(path)).collect();
    paths.retain(|path| {
        !is_weights(path) || path.ends_with(WEIGHTS) || !safe.contains(&folder(path))
    });
    paths
}

/// The files below a directory that are part of the model, by their path within it, sorted.
pub(super) fn list(dir: &Path) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let at = dir.join(&folder);
        let entries = std::fs::read_dir(&at).map_err(|source| read_error(&at, source))?;
        for entry in entries {
            let entry = entry.map_err(|source| read_error(&at, source))?;
            let path = folder.join(entry.file_name());
            // Modules lie one level below the top.
            if entry.path().is_dir() && folder.as_os_str().is_empty() {
                folders.push(path);
            } else if let Some(path) = path.to_str().filter(|path| belongs(path)) {
                found.push(path.to_owned());
            }
        }
    }
    found.sort();
    Ok(without_doubles(found))
}

/// The one weights file at the top of a directory, or in its first module.
pub(super) fn weights_in(dir: &Path) -> Result<PathBuf, SourceError> {
    let files = list(dir)?;
    let mut weights = files
        .iter()
        .filter(|path| is_weights(path) && (!path.contains('/') || path.starts_with("0_")));
    match (weights.next(), weights.next()) {
        (Some(weights), None) => Ok(dir.join(weights)),
        (None, _) => Err(SourceError::NotAModel("no weights file")),
        _ => Err(SourceError::NotAModel("several weights files")),
    }
}

/// Turns every weights file into `model.safetensors`, so that no pickle is ever read again.
pub(super) fn convert(dir: &Path) -> Result<(), StoreError> {
    for file in list(dir)?.iter().filter(|file| is_weights(file)) {
        let path = dir.join(file);
        if path.file_name().is_some_and(|name| name == WEIGHTS) {
            continue;
        }
        Weights::open(&path)?.save_safetensors(&path.with_file_name(WEIGHTS))?;
        std::fs::remove_file(&path).map_err(write_error(&path))?;
    }
    Ok(())
}

/// Where a file of an archive or a hub goes, if its path leads nowhere else.
pub(super) fn target(dir: &Path, path: &str) -> Option<PathBuf> {
    let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    (inside && belongs(path)).then(|| dir.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_model_and_leaves_the_rest() {
        for path in ["config.json", "1_Pooling/config.json", "0_BERT/pytorch_model.bin", "a.pth"] {
            assert!(belongs(path), "{path}");
        }
        for path in [
            "README.md",
            "onnx/model.onnx",
            "onnx/config.json",
            "openvino/tokenizer.json",
            "data_config.json",
            "1_Pooling/deeper/config.json",
            "../config.json",
            "_/config.json",
            "lookalike.json",
        ] {
            assert!(!belongs(path), "{path}");
        }
    }

    #[test]
    fn takes_the_same_weights_once() {
        let paths = ["model.safetensors", "pytorch_model.bin", "2_Dense/pytorch_model.bin"];
        let once = without_doubles(paths.map(str::to_owned).to_vec());
        assert_eq!(once, ["model.safetensors", "2_Dense/pytorch_model.bin"]);
    }
}
