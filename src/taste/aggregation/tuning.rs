//! The extractor of features, fine-tuned: MobileNet-v1 with a classifier on top learns which categories single pictures
//! are of, first with its deep layers frozen, then with all of them learning.
//!
//! Flowing in: the pictures of items whose categories are known. Flowing out: a [`Frozen`] network, and the features
//! that it makes of all items. What a run has come to is kept in the collection pass by pass, so that one that was
//! stopped goes on, and models of the same settings share the extractor that came of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::loss::weighted_cross_entropy;
use super::{AggregationSettings, Categories, failed};
use crate::encode::image::{find_weights, mobilenet_v1, squash};
use crate::encode::{Error as EncodeError, Weights};
use crate::hex;
use crate::taste::chance::Chance;
use crate::taste::checkpoint::{Checkpoint, Column, write};
use crate::taste::error::Error;
use crate::taste::features::Features;
use crate::taste::frozen::{Eye, Frozen};
use crate::taste::gallery::{Gallery, Scale, planes};
use crate::taste::material::Material;
use crate::taste::model::{Array, Looks, State, halves, whole};
use crate::taste::net::{Activation, Adam, AdamSettings, MobileNet, backward, dropout};
use crate::taste::parameters::Parameters;
use crate::taste::recipe::map;

/// What can be chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TuningSettings {
    /// Where MobileNet-v1 starts from before it is fine-tuned: an encoder of the model store, such as `mobilenet-v1`, or
    /// `chance`; `no` for the collection's own vectors as they are.
    pub finetune: String,
    /// Rows and columns of the pictures that it sees; as published, 224.
    pub side: usize,
    /// From chance, one in so many of its channels is kept; as published, 1.
    pub thin: usize,
    /// So many of its 27 layers, counted from the pictures, are frozen at first.
    pub frozen: usize,
    /// Pictures a step; the document has 64, which take 6 GB at the published size.
    pub pictures: usize,
    /// How often the top layers see each picture, with the others frozen.
    pub top_passes: u32,
    /// How often all layers then do.
    pub all_passes: u32,
    /// Adam's step size for the top layers.
    pub top_rate: f32,
    /// Adam's step size for all of them.
    pub all_rate: f32,
}

impl Default for TuningSettings {
    fn default() -> Self {
        TuningSettings {
            finetune: NO.to_owned(),
            side: 224,
            thin: 1,
            frozen: 22,
            pictures: 32,
            top_passes: 10,
            all_passes: 20,
            top_rate: 1e-3,
            all_rate: 1e-4,
        }
    }
}

const NO: &str = "no";
const CHANCE: &str = "chance";

impl TuningSettings {
    /// Whether there is anything to tune.
    pub fn is_asked(&self) -> bool {
        self.finetune != NO
    }

    fn passes(&self) -> u32 {
        self.top_passes + self.all_passes
    }
}

/// Pictures that go through the network at once when nothing is learned.
const TOGETHER: usize = 16;

/// A run is written down no more often than this.
const EVERY: Duration = Duration::from_secs(10);

/// What the names of an extractor's arrays begin with in a model's file.
const EXTRACTOR: &str = "extractor.";

/// The network with its classifier, as far as it has learned.
pub(super) struct Tuner {
    settings: AggregationSettings,
    network: MobileNet,
    head: Parameters,
    adam: Adam,
    /// How often it has seen the pictures.
    passes: u32,
}

impl Tuner {
    /// Before its first pass; `start` are its first weights, chance's where there are none.
    pub fn new(
        settings: &AggregationSettings,
        categories: usize,
        start: Option<&State>,
    ) -> candle_core::Result<Self> {
        let mut network = MobileNet::new(settings.tuning.thin, settings.seed)?;
        if let Some(start) = start {
            network.restore(start)?;
        }
        let mut head = Parameters::new(settings.seed);
        head.dense("hidden", network.dimension(), settings.hidden)?;
        head.dense("output", settings.hidden, categories)?;
        let adam = optimiser(&settings.tuning, &network, &head, 0);
        Ok(Tuner { settings: settings.clone(), network, head, adam, passes: 0 })
    }

    /// Shows it the pictures of some items once; returns the mean loss over the batches, each before it was learned from.
    pub fn pass(
        &mut self,
        gallery: &Gallery,
        categories: &Categories,
        items: &[u32],
    ) -> Result<f64, Error> {
        let (seed, pass) = (self.settings.seed, u64::from(self.passes));
        let mut items = items.to_vec();
        Chance::new(seed, "tuning", pass).shuffle(&mut items);
        let mut loss = 0.0;
        let batches = items.chunks(self.settings.tuning.pictures.max(2));
        let count = batches.len();
        // A batch norm learns nothing from a picture by itself.
        for (number, some) in (0u64..).zip(batches).filter(|(n, some)| *n == 0 || some.len() > 1) {
            let masks = &mut Chance::new(seed, "tuning dropout", pass << 32 | number);
            loss += f64::from(self.step(gallery, categories, some, masks).map_err(failed)?);
        }
        self.passes += 1;
        if self.passes == self.settings.tuning.top_passes {
            self.adam = optimiser(&self.settings.tuning, &self.network, &self.head, self.passes);
        }
        Ok(loss / count.max(1) as f64)
    }

    fn step(
        &mut self,
        gallery: &Gallery,
        categories: &Categories,
        items: &[u32],
        masks: &mut Chance,
    ) -> candle_core::Result<f32> {
        let AggregationSettings { dropout: share, weight, .. } = self.settings;
        let frozen = frozen(&self.settings.tuning, self.passes);
        let seen = self.network.learn(&pictures(gallery, items)?, frozen)?;
        let mut hidden = self.head.apply(&seen, "hidden", Activation::Relu, true)?;
        if share > 0.0 {
            hidden = dropout(&hidden, share, masks)?;
        }
        let logits = self.head.apply(&hidden, "output", Activation::None, true)?;
        let width = categories.len();
        let mut ones = vec![0f32; items.len() * width];
        for (ones, &item) in ones.chunks_mut(width.max(1)).zip(items) {
            categories.of_item(item).iter().for_each(|&category| ones[category as usize] = 1.0);
        }
        let ones = Tensor::from_vec(ones, (items.len(), width), &Device::Cpu)?;
        let loss = weighted_cross_entropy(&logits, &ones, weight)?.mean_all()?;
        self.adam.step(&mut backward(&loss)?)?;
        loss.to_scalar()
    }

    /// All that a pass changes.
    pub fn state(&self) -> Result<State, Error> {
        let mut state = self.network.state().map_err(failed)?;
        state.extend(self.head.state().map_err(failed)?);
        state.extend(self.adam.state());
        state.insert("steps".to_owned(), halves(self.adam.steps() as u32));
        state.insert("passes".to_owned(), halves(self.passes));
        Ok(state)
    }

    /// Goes back to a state that [`state`](Self::state) gave.
    pub fn restore(&mut self, state: &State) -> Result<(), Error> {
        self.network.restore(state).map_err(failed)?;
        self.head.restore(state).map_err(failed)?;
        self.passes = whole(state, "passes")?;
        self.adam = optimiser(&self.settings.tuning, &self.network, &self.head, self.passes);
        self.adam.restore(whole(state, "steps")?.into(), state).map_err(failed)
    }

    /// The network as it has become.
    pub fn extractor(self) -> Extractor {
        Extractor { network: self.network, side: self.settings.tuning.side }
    }
}

/// How many layers are frozen after so many passes.
fn frozen(settings: &TuningSettings, passes: u32) -> usize {
    if passes < settings.top_passes { settings.frozen } else { 0 }
}

/// Each part of a run has an optimiser of its own.
fn optimiser(settings: &TuningSettings, network: &MobileNet, head: &Parameters, at: u32) -> Adam {
    let rate = if at < settings.top_passes { settings.top_rate } else { settings.all_rate };
    let parameters = network.parameters(frozen(settings, at)).chain(head.iter());
    Adam::new(parameters, AdamSettings { rate, ..AdamSettings::default() })
}

fn pictures(gallery: &Gallery, items: &[u32]) -> candle_core::Result<Tensor> {
    let side = gallery.side();
    Tensor::from_vec(
        gallery.batch(items, Scale::Signed),
        (items.len(), 3, side, side),
        &Device::Cpu,
    )
}

/// A tuned network.
pub(super) struct Extractor {
    network: MobileNet,
    side: usize,
}

impl Extractor {
    /// Takes up what a model's file has of it.
    pub fn restored(settings: &TuningSettings, state: &State) -> Result<Self, Error> {
        let mut network = MobileNet::new(settings.thin, 0).map_err(failed)?;
        let own = state.iter().filter_map(|(name, array)| {
            Some((name.strip_prefix(EXTRACTOR)?.to_owned(), array.clone()))
        });
        network.restore(&own.collect()).map_err(failed)?;
        Ok(Extractor { network, side: settings.side })
    }

    /// What it sees of every item of a gallery, centred; zeros where there is no picture.
    pub fn features(&self, gallery: &Gallery) -> Result<Features, Error> {
        let (width, items) = (self.network.dimension(), gallery.items());
        let mut values = vec![0.0; gallery.len() * width];
        for some in items.chunks(TOGETHER) {
            let seen = self.seen(gallery, some)?;
            for (&item, seen) in some.iter().zip(seen.chunks(width)) {
                values[item as usize * width..][..width].copy_from_slice(seen);
            }
        }
        Ok(Features::new(values, width).centred())
    }

    fn seen(&self, gallery: &Gallery, items: &[u32]) -> Result<Vec<f32>, Error> {
        let seen = pictures(gallery, items)
            .and_then(|x| self.network.look(&x)?.flatten_all()?.to_vec1::<f32>());
        seen.map_err(failed)
    }
}

impl Eye for Extractor {
    fn feature(&self, looks: &Looks<'_>) -> Result<Option<Vec<f32>>, Error> {
        let Some(picture) = (looks.picture)()? else { return Ok(None) };
        let pixels = planes(&squash(&picture, self.side));
        self.seen(&Gallery::new(self.side, vec![Some(pixels)]), &[0]).map(Some)
    }

    fn state(&self) -> State {
        // Reading a parameter cannot fail; should it, restoring says that it is not there.
        let state = self.network.state().unwrap_or_default();
        state.into_iter().map(|(name, array)| (format!("{EXTRACTOR}{name}"), array)).collect()
    }
}

impl AggregationSettings {
    /// The extractor, tuned on the pictures of some items, and what it sees of all.
    pub(super) fn tuned(
        &self,
        material: &Material<'_>,
        categories: &Categories,
        items: &[u32],
    ) -> Result<Arc<Frozen>, Error> {
        let gallery = material.gallery(self.pooling.model(), self.tuning.side)?;
        let mut items = items.to_vec();
        items.retain(|&item| gallery.has(item) && !categories.of_item(item).is_empty());
        let digest = self.digest(&gallery, categories, &items);
        let name = format!("tuned {digest}");
        material.frozen(&name, || {
            let tuner = self.tune(material, &gallery, categories, &items, &digest)?;
            let extractor = tuner.extractor();
            Ok(Frozen {
                features: Arc::new(extractor.features(&gallery)?),
                eye: Arc::new(extractor),
            })
        })
    }

    /// All passes that a run before this one did not make.
    fn tune(
        &self,
        material: &Material<'_>,
        gallery: &Gallery,
        categories: &Categories,
        items: &[u32],
        digest: &str,
    ) -> Result<Tuner, Error> {
        let start = match self.tuning.finetune.as_str() {
            CHANCE => None,
            encoder => Some(published(encoder, self.tuning.thin, material)?),
        };
        let mut tuner = Tuner::new(self, categories.len(), start.as_ref()).map_err(failed)?;
        let mut kept = Kept::of(material, digest);
        kept.resume(&mut tuner)?;
        let all = self.tuning.passes();
        while tuner.passes < all {
            let loss = tuner.pass(gallery, categories, items)?;
            if !loss.is_finite() {
                return Err(Error::Diverged { epoch: tuner.passes });
            }
            let (pass, count) = (tuner.passes, items.len());
            material
                .tell(&format!("fine-tuning on {count} pictures, {pass} of {all}: loss {loss:.4}"));
            kept.write(&tuner, pass == all)?;
        }
        Ok(tuner)
    }

    /// What makes a run the same.
    fn digest(&self, gallery: &Gallery, categories: &Categories, items: &[u32]) -> String {
        let mut hash = Sha256::new();
        let AggregationSettings { hidden, dropout, weight, seed, .. } = *self;
        let settings = serde_json::json!([map(&self.tuning), hidden, dropout, weight, seed]);
        hash.update(settings.to_string());
        hash.update(categories.names().join("\n"));
        for &item in items {
            hash.update(item.to_le_bytes());
            categories
                .of_item(item)
                .iter()
                .for_each(|category| hash.update(category.to_le_bytes()));
            hash.update(gallery.picture(item).unwrap_or_default());
        }
        hex::encode(hash.finalize())
    }
}

/// The weights of an encoder of the model store, by the network's own names.
fn published(name: &str, thin: usize, material: &Material<'_>) -> Result<State, Error> {
    let model = material.models()?.get(name)?;
    let weights = Weights::open(&find_weights(&model.dir)?)?;
    let other = || weights.malformed("it is no MobileNet-v1, which is what can be fine-tuned");
    let prefix = mobilenet_v1::prefix(&weights).ok_or_else(other)?;
    let network = MobileNet::new(thin, 0).map_err(failed)?;
    let array = |(name, shape): (String, Vec<usize>)| -> Result<(String, Array), EncodeError> {
        let found = weights.tensor_of(&format!("{prefix}{name}"), shape.clone(), &Device::Cpu)?;
        Ok((name, Array { shape, values: found.flatten_all()?.to_vec1()? }))
    };
    Ok(network.shapes().map(array).collect::<Result<State, EncodeError>>()?)
}

/// The run's file in the collection: one, the latest.
struct Kept {
    path: Option<PathBuf>,
    digest: String,
    since: Instant,
}

#[derive(Serialize, Deserialize)]
struct About {
    digest: String,
}

impl Kept {
    fn of(material: &Material<'_>, digest: &str) -> Self {
        let file = |folder: PathBuf| folder.join("tuning").join("extractor.safetensors");
        let path = material.collection().map(|collection| file(collection.models_folder()));
        Kept { path, digest: digest.to_owned(), since: Instant::now() }
    }

    fn resume(&self, tuner: &mut Tuner) -> Result<(), Error> {
        let Some(path) = &self.path else { return Ok(()) };
        let Some(file) = Checkpoint::open(path)? else { return Ok(()) };
        match file.about::<About>()?.digest == self.digest {
            true => tuner.restore(&file.arrays("")?),
            false => Ok(()),
        }
    }

    fn write(&mut self, tuner: &Tuner, done: bool) -> Result<(), Error> {
        let Some(path) = self.path.as_ref().filter(|_| done || self.since.elapsed() > EVERY) else {
            return Ok(());
        };
        let state = tuner.state()?;
        let columns: Vec<_> =
            state.iter().map(|(name, array)| (name.clone(), Column::Floats(array))).collect();
        write(path, &About { digest: self.digest.clone() }, &columns)?;
        self.since = Instant::now();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
