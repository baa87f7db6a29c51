//! How aggregation joins the other models: an item's vector says which categories it is in, a user's how
//! likely each is theirs.
//!
//! ```text
//! x_ui = 1/|C_i| Σ_{c in C_i} p_c(pictures of u)
//! ```
//!
//! A visitor needs no account: some liked pictures are a set as any user's are. An item that came later counts by
//! what the network makes of its picture alone.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use serde_json::{Map, Value};

use super::tuning::Extractor;
use super::{
    Aggregation, AggregationSettings, Aggregator, Categories, Extent, Sight, Stretches, attention,
    failed,
};
use crate::taste::error::Error;
use crate::taste::factors::{Factors, Part};
use crate::taste::features::centre;
use crate::taste::frozen::Eye;
use crate::taste::history::History;
use crate::taste::material::Material;
use crate::taste::model::{
    Array, Insight, Learned, Liked, Looks, Model, Plan, State, Testimony, Witness,
};
use crate::taste::net::Pass;
use crate::taste::recipe::map;

/// How many categories are named.
const NAMED: usize = 20;

impl Plan for AggregationSettings {
    fn settings(&self) -> Map<String, Value> {
        map(self)
    }

    fn build(
        &self,
        material: &Material<'_>,
        history: &History,
        seed: u64,
    ) -> Result<Box<dyn Model>, Error> {
        let categories = self.categories(material)?;
        let settings = AggregationSettings { seed, ..self.clone() };
        // Categories are the catalogue's, and nothing of what users took.
        let everything: Vec<u32> = (0..history.inventory() as u32).collect();
        let Sight { features, eye } = settings.sight(material, &categories, &everything)?;
        let model = Aggregation::new(features, categories.len(), settings)?;
        Ok(Box::new(Shoppers { model, eye, categories, sets: history.clone() }))
    }

    fn insight(&self, state: &State, _: &Material<'_>) -> Result<Option<Arc<dyn Insight>>, Error> {
        Teller::restored(self, state).map(|teller| Some(Arc::new(teller) as Arc<dyn Insight>))
    }
}

/// The model over a collection's users and categories.
struct Shoppers {
    model: Aggregation,
    eye: Option<Arc<dyn Eye>>,
    categories: Categories,
    sets: History,
}

impl Model for Shoppers {
    fn epoch(&mut self, history: &History, seed: u64, epoch: u32) -> Result<f64, Error> {
        let labels = self.categories.of_sets(history);
        self.model.learn(history, &labels, seed, epoch)
    }

    fn learned(&self) -> Result<Learned, Error> {
        let (users, items) = (self.sets.users(), self.sets.inventory());
        let sets: Vec<Vec<u32>> = (0..users as u32).map(|u| self.sets.of(u).to_vec()).collect();
        let width = self.categories.len();
        let tastes = self.model.probabilities(&sets)?;
        let mut rows = vec![0.0; items * width];
        for (item, row) in (0..).zip(rows.chunks_mut(width)) {
            let of = self.categories.of_item(item);
            of.iter().for_each(|&category| row[category as usize] = 1.0 / of.len() as f32);
        }
        let part = Part { name: "categories", width, users: &tastes, items: &rows };
        let network = self.model.network().copied().map_err(failed)?;
        let (names, mean) =
            (self.categories.names().to_vec(), self.model.features().mean().to_vec());
        Ok(Learned {
            factors: Factors::new(users, items, &[part]),
            insight: Some(Arc::new(Teller { network, names, mean, eye: self.eye.clone() })),
        })
    }

    fn state(&self) -> Result<State, Error> {
        self.model.state()
    }

    fn restore(&mut self, state: &State) -> Result<(), Error> {
        self.model.restore(state)
    }
}

/// A trained network, and what its categories are called.
struct Teller {
    network: Aggregator,
    names: Vec<String>,
    /// What is taken off a feature before it is brought to length one.
    mean: Vec<f32>,
    /// What makes features of pictures, where it is not the collection's own encoder.
    eye: Option<Arc<dyn Eye>>,
}

impl Teller {
    fn restored(settings: &AggregationSettings, state: &State) -> Result<Self, Error> {
        let wrong = || Error::Network("its network does not fit".to_owned());
        let array = |name: &str| state.get(name).ok_or_else(wrong);
        let (hidden, output) = (array("hidden.weight")?, array("output.weight")?);
        let ([outputs, inputs], [categories, _]) = (&hidden.shape[..], &output.shape[..]) else {
            return Err(wrong());
        };
        let extent = Extent {
            features: *inputs,
            hidden: *outputs,
            categories: *categories,
            dropout: settings.dropout,
        };
        let network = Aggregator::new(settings.pooling, extent, settings.seed).map_err(failed)?;
        network.parameters().restore(state).map_err(failed)?;
        let network = network.halved().map_err(failed)?;
        let bytes: Vec<u8> = array("names")?.values.iter().map(|&byte| byte as u8).collect();
        let names = String::from_utf8(bytes).map_err(|_| wrong())?;
        let names: Vec<String> = names.split('\n').map(str::to_owned).collect();
        let mean = array("mean")?.values.clone();
        if names.len() != *categories || ![0, *inputs].contains(&mean.len()) {
            return Err(wrong());
        }
        let eye: Option<Arc<dyn Eye>> = match settings.tuning.is_asked() {
            true => Some(Arc::new(Extractor::restored(&settings.tuning, state)?)),
            false => None,
        };
        Ok(Teller { network, names, mean, eye })
    }

    /// What the network looks at, of vectors that the collection's encoder made.
    fn rows(&self, features: &[&[f32]]) -> candle_core::Result<Tensor> {
        let width = self.network.extent().features;
        let mut rows = Vec::with_capacity(features.len() * width);
        for feature in features {
            let mut row = feature.to_vec();
            centre(&mut row, &self.mean);
            rows.extend(row);
        }
        Tensor::from_vec(rows, (features.len(), width), &Device::Cpu)
    }

    /// The probability of every category for one set.
    fn told(&self, features: &[&[f32]]) -> Result<Vec<f32>, Error> {
        let told = self.rows(features).and_then(|rows| {
            let sets = Stretches::of([features.len()]);
            let logits = self.network.forward(&rows, &sets, Pass::Use)?;
            candle_nn::ops::sigmoid(&logits)?.flatten_all()?.to_vec1()
        });
        told.map_err(failed)
    }

    /// What each picture of a set counts for in the last block.
    fn weights(&self, features: &[&[f32]]) -> Result<Vec<f32>, Error> {
        let found = self.rows(features).and_then(|rows| {
            let pooled = self.network.pool(&rows, &Stretches::of([features.len()]), false)?;
            let query = match pooled.queries {
                Some(queries) => queries.flatten_all()?.to_vec1::<f32>()?,
                None => vec![0.0; self.network.extent().features],
            };
            Ok(attention(&rows.flatten_all()?.to_vec1::<f32>()?, &query))
        });
        found.map_err(failed)
    }

    /// The likeliest categories by name, best first; equals in the names' order.
    fn named(&self, told: &[f32]) -> Vec<(String, f32)> {
        let mut places: Vec<usize> = (0..told.len()).collect();
        places.sort_by(|&a, &b| told[b].total_cmp(&told[a]));
        places.truncate(NAMED);
        places.into_iter().map(|place| (self.names[place].clone(), told[place])).collect()
    }

    fn fits<'a>(&self, feature: Option<&'a [f32]>) -> Option<&'a [f32]> {
        feature.filter(|feature| feature.len() == self.network.extent().features)
    }
}

impl Insight for Teller {
    fn state(&self) -> State {
        // A state holds numbers: names are kept as their bytes, one a line.
        let bytes: Vec<f32> = self.names.join("\n").bytes().map(f32::from).collect();
        let mut state = self.network.parameters().state().unwrap_or_default();
        state.insert("names".to_owned(), Array::rows(1, bytes));
        state.insert("mean".to_owned(), Array::rows(1, self.mean.clone()));
        state.extend(self.eye.iter().flat_map(|eye| eye.state()));
        state
    }

    fn feature(&self, looks: &Looks<'_>) -> Result<Option<Vec<f32>>, Error> {
        match &self.eye {
            Some(eye) => eye.feature(looks),
            None => Ok(looks.feature.map(<[f32]>::to_vec)),
        }
    }

    fn item(&self, looks: &Looks<'_>) -> Result<Option<Vec<f32>>, Error> {
        let feature = self.feature(looks)?;
        let Some(feature) = self.fits(feature.as_deref()) else { return Ok(None) };
        let mut told = self.told(&[feature])?;
        let sum: f32 = told.iter().sum();
        told.iter_mut().for_each(|p| *p /= sum.max(f32::MIN_POSITIVE));
        Ok(Some(told))
    }

    fn visitor(&self, liked: &[Liked]) -> Result<Option<Vec<f32>>, Error> {
        let features: Vec<&[f32]> =
            liked.iter().filter_map(|liked| self.fits(liked.feature.as_deref())).collect();
        if features.is_empty() { Ok(None) } else { self.told(&features).map(Some) }
    }

    fn testimony(&self, liked: &[Liked]) -> Result<Option<Testimony>, Error> {
        let features: Vec<Option<&[f32]>> =
            liked.iter().map(|liked| self.fits(liked.feature.as_deref())).collect();
        let pictures: Vec<&[f32]> = features.iter().copied().flatten().collect();
        if pictures.is_empty() {
            return Ok(None);
        }
        let mut attention = self.weights(&pictures)?.into_iter();
        let witness = |feature: Option<&[f32]>| {
            let Some((feature, attention)) = feature.zip(attention.next()) else {
                return Ok(None);
            };
            Ok(Some(Witness { attention, categories: self.named(&self.told(&[feature])?) }))
        };
        let categories = self.named(&self.told(&pictures)?);
        let liked = features.into_iter().map(witness).collect::<Result<_, Error>>()?;
        Ok(Some(Testimony { categories, liked }))
    }
}
