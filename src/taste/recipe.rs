//! Models by name: how each is built from settings, an overridden few of which may come as text.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::bpr_mf::{BprMf, BprMfSettings};
use super::features::Features;
use super::history::History;
use super::model::Model;
use super::vbpr::{Vbpr, VbprSettings};
use super::{Error, ModelError};

/// A model that can be built, with its settings.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Recipe {
    /// `bpr-mf`
    BprMf(BprMfSettings),
    /// `vbpr`
    Vbpr(VbprSettings),
}

/// What a model may look at.
#[derive(Clone, Copy)]
pub struct Material<'a> {
    /// What it is to learn from.
    pub history: &'a History,
    /// The centred features of the pictures, where there are any.
    pub features: Option<&'a Features>,
    /// Where chance starts from.
    pub seed: u64,
}

impl Recipe {
    /// The names of all models.
    pub const NAMES: [&str; 2] = ["bpr-mf", "vbpr"];

    /// The model of a name, with its usual settings but for those that `changes` names.
    pub fn new(name: &str, changes: &[(String, String)]) -> Result<Self, ModelError> {
        match name {
            "bpr-mf" => changed(BprMfSettings::default(), changes).map(Recipe::BprMf),
            "vbpr" => changed(VbprSettings::default(), changes).map(Recipe::Vbpr),
            _ => Err(ModelError::Unknown { name: name.to_owned() }),
        }
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Recipe::BprMf(_) => "bpr-mf",
            Recipe::Vbpr(_) => "vbpr",
        }
    }

    /// Its settings, by name.
    pub fn settings(&self) -> Map<String, Value> {
        match self {
            Recipe::BprMf(settings) => map(settings),
            Recipe::Vbpr(settings) => map(settings),
        }
    }

    /// Whether it cannot do without pictures.
    pub fn looks_at_pictures(&self) -> bool {
        matches!(self, Recipe::Vbpr(_))
    }

    /// The model before its first epoch.
    pub fn build<'a>(&self, material: Material<'a>) -> Result<Box<dyn Model + 'a>, Error> {
        let Material { history, features, seed } = material;
        let needed = || features.ok_or(ModelError::NoPictures { model: self.name() });
        Ok(match self {
            Recipe::BprMf(settings) => {
                let settings = BprMfSettings { seed, ..settings.clone() };
                Box::new(BprMf::new(history.users(), history.inventory(), settings))
            }
            Recipe::Vbpr(settings) => {
                let settings = VbprSettings { seed, ..settings.clone() };
                Box::new(Vbpr::new(history, needed()?, settings))
            }
        })
    }
}

/// Settings as JSON writes them.
pub(super) fn map(settings: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(settings) {
        Ok(Value::Object(settings)) => settings,
        _ => Map::new(),
    }
}

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
        let expected = VbprSettings {
            visual: 12,
            rate: 0.5,
            bias: false,
            start: super::super::Start::Chance,
            ..VbprSettings::default()
        };
        assert_eq!(recipe, Ok(Recipe::Vbpr(expected)));
        assert!(Recipe::NAMES.iter().all(|name| Recipe::new(name, &[]).unwrap().name() == *name));
    }

    #[test]
    fn what_is_not_understood_is_said_with_what_would_be() {
        let told = |name, pairs: &[(&str, &str)]| {
            Recipe::new(name, &changes(pairs)).unwrap_err().to_string()
        };
        assert_eq!(told("svd", &[]), "there is no model \"svd\": there are bpr-mf, vbpr");
        assert!(
            told("bpr-mf", &[("depth", "3")])
                .starts_with("there is no setting \"depth\": there are latent,")
        );
        assert_eq!(told("bpr-mf", &[("latent", "many")]), "\"many\" is no value for latent");
        assert!(told("bpr-mf", &[("seed", "3")]).starts_with("there is no setting \"seed\""));
    }
}
