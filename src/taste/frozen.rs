//! DVBPR over a frozen network: `x_ui = [b_i] + [g_u . g_i] + t_u . W f_i`, `f_i` what the network makes of
//! the item's picture.
//!
//! The network is a convolutional autoencoder that learns the shop's pictures first (`dvbpr-cae`), or any image
//! encoder (`dvbpr-ENCODER`). Since it is frozen, its features are made once, and what is left to learn is
//! [`Vbpr`] without the visual bias.

use std::sync::Arc;

use image::RgbImage;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Error;
use super::autoencoding::{Autoencoding, CaeSettings};
use super::features::Features;
use super::foreign::Foreign;
use super::history::History;
use super::material::Material;
use super::model::{Insight, Learned, Looks, Model, Plan, State};
use super::newcomers::Newcomers;
use super::recipe::map;
use super::vbpr::{Start, Vbpr, VbprSettings};

/// A network that is not trained any more, and what it sees of every item.
pub(super) struct Frozen {
    /// Centred.
    pub features: Arc<Features>,
    pub eye: Arc<dyn Eye>,
}

/// Makes features of new pictures.
pub(super) trait Eye: Send + Sync {
    fn feature(&self, looks: &Looks<'_>) -> Result<Option<Vec<f32>>, Error>;

    /// The arrays that it takes to have it again.
    fn state(&self) -> State;

    /// Some of the shop's pictures, and below each what it draws of it.
    fn drawings(&self, _material: &Material<'_>) -> Result<Option<RgbImage>, Error> {
        Ok(None)
    }
}

/// Which network is frozen, and what can be chosen beside it.
#[derive(Debug, Clone, PartialEq)]
pub enum FrozenSettings {
    /// `dvbpr-cae`
    Autoencoder(CaeSettings),
    /// `dvbpr-ENCODER`
    Encoder {
        /// The encoder's name in the model store.
        name: String,
        /// What is learned over its features.
        model: LinearSettings,
    },
}

/// What is learned over frozen features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LinearSettings(pub VbprSettings);

impl Default for LinearSettings {
    fn default() -> Self {
        LinearSettings(VbprSettings {
            latent: 0,
            visual: 50,
            bias: false,
            visual_bias: false,
            batch: 128,
            rate: 3e-3,
            lambda: 1e-3,
            start: Start::Chance,
            ..VbprSettings::default()
        })
    }
}

impl FrozenSettings {
    fn model(&self) -> &VbprSettings {
        match self {
            FrozenSettings::Autoencoder(settings) => &settings.model.0,
            FrozenSettings::Encoder { model, .. } => &model.0,
        }
    }

    /// The network, and what it sees of every item.
    pub(super) fn frozen(&self, material: &Material<'_>, seed: u64) -> Result<Arc<Frozen>, Error> {
        match self {
            FrozenSettings::Autoencoder(settings) => {
                material.frozen(&format!("cae from {seed}"), || settings.train(material, seed))
            }
            FrozenSettings::Encoder { name, .. } => {
                material.frozen(name, || Foreign::open(name, material)?.frozen(material))
            }
        }
    }
}

/// The model: [`Vbpr`], which also knows where its features come from.
struct Linear {
    vbpr: Vbpr,
    frozen: Arc<Frozen>,
}

/// Takes new items in by the network's features.
struct LinearInsight {
    newcomers: Arc<dyn Insight>,
    eye: Arc<dyn Eye>,
}

impl Insight for LinearInsight {
    fn state(&self) -> State {
        let mut state = self.newcomers.state();
        state.extend(self.eye.state());
        state
    }

    fn item(&self, looks: &Looks<'_>) -> Result<Option<Vec<f32>>, Error> {
        let feature = self.eye.feature(looks)?;
        self.newcomers.item(&Looks { feature: feature.as_deref(), ..*looks })
    }
}

impl Plan for FrozenSettings {
    fn settings(&self) -> Map<String, Value> {
        match self {
            FrozenSettings::Autoencoder(settings) => map(settings),
            FrozenSettings::Encoder { model, .. } => map(model),
        }
    }

    fn build(
        &self,
        material: &Material<'_>,
        history: &History,
        seed: u64,
    ) -> Result<Box<dyn Model>, Error> {
        let frozen = self.frozen(material, seed)?;
        let settings = VbprSettings { seed, ..self.model().clone() };
        let vbpr = Vbpr::new(history, Arc::clone(&frozen.features), settings);
        Ok(Box::new(Linear { vbpr, frozen }))
    }

    fn insight(
        &self,
        state: &State,
        material: &Material<'_>,
    ) -> Result<Option<Arc<dyn Insight>>, Error> {
        let eye: Arc<dyn Eye> = match self {
            FrozenSettings::Autoencoder(settings) => {
                Arc::new(Autoencoding::restored(settings, state)?)
            }
            FrozenSettings::Encoder { name, .. } => match Foreign::restored(name, state, material)?
            {
                Some(eye) => Arc::new(eye),
                None => return Ok(None),
            },
        };
        let newcomers = Newcomers::restored(state)?;
        Ok(newcomers.map(|newcomers| Arc::new(LinearInsight { newcomers, eye }) as _))
    }

    fn drawings(&self, material: &Material<'_>, seed: u64) -> Result<Option<RgbImage>, Error> {
        self.frozen(material, seed)?.eye.drawings(material)
    }
}

impl Model for Linear {
    fn epoch(&mut self, history: &History, seed: u64, epoch: u32) -> Result<f64, Error> {
        self.vbpr.epoch(history, seed, epoch)
    }

    fn learned(&self) -> Result<Learned, Error> {
        let Learned { factors, insight } = self.vbpr.learned()?;
        let eye = Arc::clone(&self.frozen.eye);
        let insight = insight.map(|newcomers| Arc::new(LinearInsight { newcomers, eye }) as _);
        Ok(Learned { factors, insight })
    }

    fn state(&self) -> Result<State, Error> {
        self.vbpr.state()
    }

    fn restore(&mut self, state: &State) -> Result<(), Error> {
        self.vbpr.restore(state)
    }
}
