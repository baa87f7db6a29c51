//! Models by name: how each is built from settings, an overridden few of which may come as text.

use std::sync::Arc;

use image::RgbImage;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::acf::AcfSettings;
use super::aggregation::{AggregationSettings, Variant};
use super::autoencoding::CaeSettings;
use super::bpr_mf::BprMfSettings;
use super::curatornet::CuratorNetSettings;
use super::dvbpr::DvbprSettings;
use super::frozen::{FrozenSettings, LinearSettings};
use super::history::History;
use super::material::Material;
use super::model::{Insight, Model, Plan, State};
use super::rating::RatingSettings;
use super::vbpr::VbprSettings;
use super::{Error, ModelError};

/// A model that can be built: its name, and its settings.
#[derive(Debug, Clone)]
pub struct Recipe {
    name: String,
    plan: Arc<dyn Plan>,
}

impl Recipe {
    /// The names of all models; the last stands for as many as there are image encoders.
    pub const NAMES: [&str; 12] = [
        "bpr-mf",
        "vbpr",
        "dvbpr",
        "dvbpr-alexnet",
        "dvbpr-cae",
        "acf",
        "curatornet",
        "aggregation-average",
        "aggregation-1",
        "aggregation-2",
        "aggregation-gated",
        "dvbpr-ENCODER",
    ];

    /// Those that train within minutes on any machine.
    pub const QUICK: [&str; 2] = ["bpr-mf", "vbpr"];

    /// The model of a name, with its usual settings but for those that `changes` names.
    pub fn new(name: &str, changes: &[(String, String)]) -> Result<Self, ModelError> {
        Recipe::with(name, Changes::Told(changes))
    }

    /// The model of a name, with the settings that its file tells.
    pub fn restored(name: &str, settings: &Map<String, Value>) -> Result<Self, ModelError> {
        Recipe::with(name, Changes::Kept(settings))
    }

    /// Every model has a line here.
    fn with(name: &str, changes: Changes<'_>) -> Result<Self, ModelError> {
        let unknown = || ModelError::Unknown { name: name.to_owned() };
        let aggregation = |pooling| -> Result<Arc<dyn Plan>, ModelError> {
            Ok(Arc::new(changes.to(AggregationSettings::of(pooling))?))
        };
        let plan: Arc<dyn Plan> = match name {
            "bpr-mf" => Arc::new(changes.to(BprMfSettings::default())?),
            "vbpr" => Arc::new(changes.to(VbprSettings::default())?),
            "dvbpr" => Arc::new(changes.to(DvbprSettings::default())?),
            "dvbpr-alexnet" => Arc::new(changes.to(DvbprSettings::with_alexnet())?),
            "acf" => Arc::new(changes.to(AcfSettings::default())?),
            "curatornet" => Arc::new(changes.to(CuratorNetSettings::default())?),
            "aggregation-average" => aggregation(Variant::Average)?,
            "aggregation-1" => aggregation(Variant::One)?,
            "aggregation-2" => aggregation(Variant::Two)?,
            "aggregation-gated" => aggregation(Variant::Gated)?,
            "dvbpr-cae" => {
                Arc::new(FrozenSettings::Autoencoder(changes.to(CaeSettings::default())?))
            }
            _ => {
                let encoder = name.strip_prefix("dvbpr-").ok_or_else(unknown)?;
                if encoder.is_empty() || encoder.contains(['/', '\\']) {
                    return Err(unknown());
                }
                let model = changes.to(LinearSettings::default())?;
                Arc::new(FrozenSettings::Encoder { name: encoder.to_owned(), model })
            }
        };
        Ok(Recipe { name: name.to_owned(), plan })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its settings, by name.
    pub fn settings(&self) -> Map<String, Value> {
        self.plan.settings()
    }

    /// The model before its first epoch, to learn from `history`.
    pub fn build(
        &self,
        material: &Material<'_>,
        history: &History,
        seed: u64,
    ) -> Result<Box<dyn Model>, Error> {
        self.plan.build(material, history, seed)
    }

    /// What an insight told of itself, taken up again.
    pub fn insight(
        &self,
        state: &State,
        material: &Material<'_>,
    ) -> Result<Option<Arc<dyn Insight>>, Error> {
        self.plan.insight(state, material)
    }

    /// Some of the shop's pictures, and below each what the model draws of it; `None` where it draws nothing.
    pub fn drawings(&self, material: &Material<'_>, seed: u64) -> Result<Option<RgbImage>, Error> {
        self.plan.drawings(material, seed)
    }
}

impl AggregationSettings {
    /// The usual settings of a variant but for those that `changes` names.
    pub fn changed(pooling: Variant, changes: &[(String, String)]) -> Result<Self, ModelError> {
        changed(AggregationSettings::of(pooling), changes)
    }
}

impl RatingSettings {
    /// The usual settings but for those that `changes` names.
    pub fn changed(changes: &[(String, String)]) -> Result<Self, ModelError> {
        changed(RatingSettings::default(), changes)
    }
}

/// In what settings differ from the usual.
#[derive(Clone, Copy)]
enum Changes<'a> {
    Told(&'a [(String, String)]),
    Kept(&'a Map<String, Value>),
}

impl Changes<'_> {
    fn to<S: Serialize + DeserializeOwned>(self, usual: S) -> Result<S, ModelError> {
        match self {
            Changes::Told(changes) => changed(usual, changes),
            Changes::Kept(settings) => {
                let mut all = map(&usual);
                all.extend(settings.clone());
                serde_json::from_value(Value::Object(all)).map_err(|_| ModelError::Value {
                    name: "a setting".to_owned(),
                    text: Value::Object(settings.clone()).to_string(),
                })
            }
        }
    }
}

/// Settings as JSON writes them: .03 is .03, and not the longer number that a float holds for it, which would not come
/// back from a file to the last bit.
pub(super) fn map(settings: &impl Serialize) -> Map<String, Value> {
    let text = serde_json::to_string(settings);
    text.and_then(|text| serde_json::from_str(&text)).unwrap_or_default()
}

/// Settings that count what there has to be one of at least; of others none may be wanted, as of factors in VBPR.
const COUNTS: [&str; 11] = [
    "side",
    "thin",
    "visual",
    "hidden",
    "attention",
    "components",
    "embedding",
    "batch",
    "batch_pictures",
    "most",
    "pictures",
];

/// Settings of which some are given as text.
fn changed<S: Serialize + DeserializeOwned>(
    usual: S,
    changes: &[(String, String)],
) -> Result<S, ModelError> {
    let mut all = map(&usual);
    for (name, text) in changes {
        let known = || {
            let names = all.keys().filter(|name| *name != "seed").cloned().collect();
            ModelError::Setting { name: name.clone(), known: names }
        };
        // The seed is the run's, and set there.
        let old = all.get(name).filter(|_| name != "seed").ok_or_else(known)?;
        let value = match old {
            Value::String(_) => Value::String(text.clone()),
            _ => serde_json::from_str(text).unwrap_or_else(|_| {
                // `.5` is a number to people, and not to JSON.
                serde_json::from_str(&format!("0{text}")).unwrap_or(Value::Null)
            }),
        };
        let bad = || ModelError::Value { name: name.clone(), text: text.clone() };
        if value == 0 && COUNTS.contains(&name.as_str()) {
            return Err(bad());
        }
        let mut one = all.clone();
        one.insert(name.clone(), value);
        serde_json::from_value::<S>(Value::Object(one.clone())).map_err(|_| bad())?;
        all = one;
    }
    serde_json::from_value(Value::Object(all))
        .map_err(|_| ModelError::Unknown { name: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn settings_can_be_changed_by_name() {
        let recipe = Recipe::new(
            "vbpr",
            &changes(&[("visual", "12"), ("rate", ".5"), ("bias", "false"), ("start", "chance")]),
        );
        let expected = map(&VbprSettings {
            visual: 12,
            rate: 0.5,
            bias: false,
            start: super::super::Start::Chance,
            ..VbprSettings::default()
        });
        assert_eq!(recipe.unwrap().settings(), expected);
        let kept = Recipe::restored("vbpr", &expected).unwrap();
        assert_eq!(kept.settings(), expected);
    }

    #[test]
    fn networks_without_layers_are_refused() {
        for (model, name) in [
            ("vbpr", "visual"),
            ("dvbpr", "side"),
            ("acf", "attention"),
            ("curatornet", "hidden"),
            ("aggregation-gated", "hidden"),
            ("aggregation-1", "most"),
        ] {
            let refused = Recipe::new(model, &changes(&[(name, "0")])).unwrap_err();
            assert_eq!(refused.to_string(), format!("\"0\" is no value for {name}"));
        }
        assert!(Recipe::new("vbpr", &changes(&[("latent", "0")])).is_ok());
    }

    /// Settings of settings stand beside the others: a new model's must not hide them.
    #[test]
    fn every_model_keeps_its_settings() {
        for name in Recipe::NAMES {
            let recipe = Recipe::new(name, &changes(&[("visual", "7")]));
            let Ok(recipe) = recipe else { continue };
            assert_eq!((recipe.name(), &recipe.settings()["visual"]), (name, &Value::from(7)));
            let kept = Recipe::restored(name, &recipe.settings()).unwrap();
            assert_eq!(kept.settings(), recipe.settings());
            let written = serde_json::to_string(&recipe.settings()).unwrap();
            let read: Map<String, Value> = serde_json::from_str(&written).unwrap();
            assert_eq!(read, recipe.settings());
        }
        assert!(Recipe::new("dvbpr-cae", &changes(&[("passes", "2"), ("rate", ".1")])).is_ok());
    }

    #[test]
    fn what_is_not_understood_is_said_with_what_would_be() {
        let told = |name, pairs: &[(&str, &str)]| {
            Recipe::new(name, &changes(pairs)).unwrap_err().to_string()
        };
        let unknown = told("svd", &[]);
        let names = Recipe::NAMES.into_iter().chain(["rating", "blend"]);
        assert!(
            unknown.starts_with("there is no model \"svd\"")
                && names.into_iter().all(|n| unknown.contains(n))
        );
        assert!(
            told("bpr-mf", &[("depth", "3")])
                .starts_with("there is no setting \"depth\": there are latent,")
        );
        assert_eq!(told("bpr-mf", &[("latent", "many")]), "\"many\" is no value for latent");
        assert!(told("bpr-mf", &[("seed", "3")]).starts_with("there is no setting \"seed\""));
    }
}
