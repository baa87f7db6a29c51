//! What a model's own files say of its network and of its preprocessing.
//!
//! Flowing in: `config.json` as timm or Hugging Face write it, and Hugging Face's
//! `preprocessor_config.json`, as far as they are there. Flowing out: the network's declared name, and
//! a rule of preprocessing that starts from the network's own and follows what the files say.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::preprocess::{Preprocessing, Resize, Rounding};
use super::resize::Filter;
use crate::encode::Error;

/// Hugging Face's processors resize for a crop by this ratio below this side, and squash above.
const CONVNEXT_CROPS_BELOW: u64 = 384;

/// A model's configuration files.
pub(super) struct Config {
    /// `config.json`.
    model: Option<File>,
    /// `preprocessor_config.json`.
    processor: Option<File>,
}

struct File {
    path: PathBuf,
    json: Value,
}

impl Config {
    /// Reads what there is of them.
    pub(super) fn read(folder: &Path) -> Result<Self, Error> {
        Ok(Config {
            model: File::read(folder.join("config.json"))?,
            processor: File::read(folder.join("preprocessor_config.json"))?,
        })
    }

    /// The network's name: timm's `architecture`, else Hugging Face's `model_type`.
    pub(super) fn declared(&self) -> Result<Option<&str>, Error> {
        let Some(file) = &self.model else { return Ok(None) };
        // The same weights in another network: a stride that moves from the 3x3 to the 1x1 before it, or
        // zeros on other sides.
        for (field, ours) in [("downsample_in_bottleneck", false), ("tf_padding", true)] {
            if let Some(other) = file.json.get(field).filter(|set| **set != Value::Bool(ours)) {
                return Err(file.unknown(field, other));
            }
        }
        let name = file.json.get("architecture").or_else(|| file.json.get("model_type"));
        Ok(name.and_then(Value::as_str))
    }

    /// The rule that the files describe, starting from the network's own.
    pub(super) fn preprocessing(&self, own: &Preprocessing) -> Result<Preprocessing, Error> {
        let mut rule = own.clone();
        if let Some(file) = &self.processor {
            hugging_face(file, &mut rule)?;
            return file.sound(rule);
        }
        if let Some(file) = &self.model
            && file.json.get("architecture").is_some()
        {
            timm(file, &mut rule)?;
            return file.sound(rule);
        }
        Ok(rule)
    }
}

/// `{"pretrained_cfg": {"input_size": [3, 224, 224], "crop_pct": .875, "interpolation": "bicubic", ...}}`,
/// or, in older files, the inner fields on top.
fn timm(file: &File, rule: &mut Preprocessing) -> Result<(), Error> {
    let fields = file.json.get("pretrained_cfg").unwrap_or(&file.json);
    if let Some(size) = fields.get("input_size") {
        rule.crop = file.side(&size[1], "input_size")?;
    }
    if let Some(mode) = fields.get("crop_mode").filter(|mode| *mode != "center") {
        return Err(file.unknown("crop_mode", mode));
    }
    let ratio = fields.get("crop_pct").and_then(Value::as_f64).unwrap_or(0.875);
    rule.resize = Resize::ShortSide((rule.crop as f64 / ratio) as usize);
    rule.rounding = Rounding::HalfToEven;
    match fields.get("interpolation").map(|name| (name, name.as_str())) {
        None => {}
        Some((_, Some("bilinear"))) => rule.filter = Filter::Bilinear,
        Some((_, Some("bicubic"))) => rule.filter = Filter::Bicubic,
        Some((other, _)) => return Err(file.unknown("interpolation", other)),
    }
    file.normalisation(fields, ("mean", "std"), rule)
}

/// `{"size": {"shortest_edge": 224}, "crop_pct": .875, "resample": 3, "image_mean": [...], ...}`.
fn hugging_face(file: &File, rule: &mut Preprocessing) -> Result<(), Error> {
    let json = &file.json;
    rule.rounding = Rounding::Down;
    match json.get("resample").map(|number| (number, number.as_u64())) {
        None => {}
        Some((_, Some(2))) => rule.filter = Filter::Bilinear,
        Some((_, Some(3))) => rule.filter = Filter::Bicubic,
        Some((other, _)) => return Err(file.unknown("resample", other)),
    }
    if let Some(size) = json.get("size") {
        let crop = json
            .get("crop_size")
            .filter(|_| json.get("do_center_crop") != Some(&Value::Bool(false)));
        let ratio = json.get("crop_pct").and_then(Value::as_f64);
        // A bare number is the shorter side, as it was before sizes had names.
        let edge = size.get("shortest_edge").or(Some(size).filter(|size| size.is_u64()));
        match (edge, ratio, crop) {
            (Some(edge), Some(ratio), _) if edge.as_u64() < Some(CONVNEXT_CROPS_BELOW) => {
                rule.crop = file.side(edge, "size")?;
                rule.resize = Resize::ShortSide((rule.crop as f64 / ratio) as usize);
            }
            (Some(edge), Some(_), _) => {
                rule.crop = file.side(edge, "size")?;
                rule.resize = Resize::Squash(rule.crop);
            }
            (Some(edge), None, Some(crop)) => {
                rule.resize = Resize::ShortSide(file.side(edge, "size")?);
                rule.crop = file.side(crop.get("height").unwrap_or(crop), "crop_size")?;
            }
            (None, _, crop) if size.get("height").is_some() && size["height"] == size["width"] => {
                let side = file.side(&size["height"], "size")?;
                rule.resize = Resize::Squash(side);
                rule.crop = match crop {
                    Some(crop) => file.side(crop.get("height").unwrap_or(crop), "crop_size")?,
                    None => side,
                };
            }
            _ => return Err(file.unknown("size", size)),
        }
    }
    if let Some(factor) = json.get("rescale_factor").and_then(Value::as_f64) {
        rule.scale = (1.0 / factor) as f32;
    }
    file.normalisation(json, ("image_mean", "image_std"), rule)
}

impl File {
    fn read(path: PathBuf) -> Result<Option<Self>, Error> {
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Io { path, source }),
        };
        match serde_json::from_slice(&bytes) {
            Ok(json) => Ok(Some(File { path, json })),
            Err(error) => {
                Err(Error::Malformed { path, reason: format!("it is not JSON: {error}") })
            }
        }
    }

    fn side(&self, value: &Value, field: &str) -> Result<usize, Error> {
        let side = value.as_u64().and_then(|side| usize::try_from(side).ok());
        side.ok_or_else(|| self.unknown(field, value))
    }

    /// Mean and deviation. They are given for values between 0 and 1 even where our own rule is not.
    fn normalisation(
        &self,
        fields: &Value,
        (mean, std): (&str, &str),
        rule: &mut Preprocessing,
    ) -> Result<(), Error> {
        let three = |field: &str| -> Result<Option<[f32; 3]>, Error> {
            let Some(value) = fields.get(field) else { return Ok(None) };
            let numbers: Option<Vec<f32>> = value
                .as_array()
                .and_then(|list| list.iter().map(|x| x.as_f64().map(|x| x as f32)).collect());
            match numbers.and_then(|numbers| numbers.try_into().ok()) {
                Some(numbers) => Ok(Some(numbers)),
                None => Err(self.unknown(field, value)),
            }
        };
        match (three(mean)?, three(std)?) {
            (Some(mean), Some(std)) => {
                if fields.get("rescale_factor").is_none() {
                    rule.scale = 255.0;
                }
                (rule.mean, rule.std) = (mean, std);
                Ok(())
            }
            (None, None) => Ok(()),
            _ => Err(self.malformed(format!("it has only one of `{mean}` and `{std}`"))),
        }
    }

    fn sound(&self, rule: Preprocessing) -> Result<Preprocessing, Error> {
        if rule.is_sound() {
            return Ok(rule);
        }
        Err(self.malformed(format!("its preprocessing cannot be done: {rule}")))
    }

    fn unknown(&self, field: &str, value: &Value) -> Error {
        self.malformed(format!("its `{field}` is {value}, which we do not know how to follow"))
    }

    fn malformed(&self, reason: String) -> Error {
        Error::Malformed { path: self.path.clone(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::super::resnet;
    use super::*;

    /// What becomes of ResNet-50's own rule beside these files.
    fn rule(files: &[(&str, &str)]) -> Result<Preprocessing, Error> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Config::read(folder.path())?.preprocessing(&resnet::KNOWN.preprocessing)
    }

    fn own() -> Preprocessing {
        resnet::KNOWN.preprocessing
    }

    #[test]
    fn without_files_the_networks_own_rule_holds() {
        assert_eq!(rule(&[]).unwrap(), own());
        assert_eq!(rule(&[("config.json", r#"{"model_type": "resnet"}"#)]).unwrap(), own());
    }

    #[test]
    fn timm_says_how_much_is_cropped() {
        let config = r#"{"architecture": "resnet50", "num_classes": 1000, "pretrained_cfg": {
            "input_size": [3, 224, 224], "crop_pct": 0.95, "crop_mode": "center",
            "interpolation": "bicubic", "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.5, 0.75]}}"#;
        let expected = Preprocessing {
            resize: Resize::ShortSide(235),
            filter: Filter::Bicubic,
            mean: [0.5; 3],
            std: [0.25, 0.5, 0.75],
            ..own()
        };
        assert_eq!(rule(&[("config.json", config)]).unwrap(), expected);
    }

    #[test]
    fn hugging_face_has_three_ways_to_give_a_size() {
        let rule = |text| rule(&[("preprocessor_config.json", text)]);
        let down = Preprocessing { rounding: Rounding::Down, ..own() };

        let convnext = r#"{"image_processor_type": "ConvNextImageProcessor", "crop_pct": 0.875,
            "resample": 3, "size": {"shortest_edge": 224}, "rescale_factor": 0.00392156862745098,
            "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}"#;
        let expected = Preprocessing { filter: Filter::Bicubic, ..down.clone() };
        assert_eq!(rule(convnext).unwrap(), expected);
        // Before sizes had names.
        let older = convnext.replace(r#"{"shortest_edge": 224}"#, "224");
        assert_eq!(rule(&older).unwrap(), expected);

        let cropped = r#"{"do_center_crop": true, "resample": 2, "size": {"shortest_edge": 232},
            "crop_size": {"height": 224, "width": 224}}"#;
        let expected = Preprocessing { resize: Resize::ShortSide(232), ..down.clone() };
        assert_eq!(rule(cropped).unwrap(), expected);

        let squashed = r#"{"do_center_crop": false, "size": {"height": 384, "width": 384}}"#;
        let expected = Preprocessing { resize: Resize::Squash(384), crop: 384, ..down };
        assert_eq!(rule(squashed).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_followed_is_named() {
        for (text, said) in [
            (r#"{"size": {"longest_edge": 9}}"#, "longest_edge"),
            (r#"{"size": {"height": 0, "width": 0}}"#, "cannot be done"),
            (r#"{"size": {"height": 9999999999, "width": 9999999999}}"#, "9999999999"),
            (r#"{"size": {"shortest_edge": 224}, "crop_pct": 1e-300}"#, "cannot be done"),
            (r#"{"size": {"shortest_edge": 224}, "crop_pct": -1}"#, "cannot be done"),
            (r#"{"rescale_factor": 0}"#, "cannot be done"),
            (r#"{"resample": 1}"#, "resample"),
            (r#"{"image_mean": [0, 0, 0]}"#, "only one of"),
            (r#"{"image_mean": [0, 0], "image_std": [1, 1]}"#, "image_mean"),
            (r#"{"image_mean": [0, 0, 0], "image_std": [1, 0, 1]}"#, "cannot be done"),
            ("[", "not JSON"),
        ] {
            let error = rule(&[("preprocessor_config.json", text)]).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("preprocessor_config"), "{error}");
        }
    }
}
