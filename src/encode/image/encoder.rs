//! What all networks that read pictures share: preparing, batching, and the vector at the end.

use image::RgbImage;

use super::maps::{Arena, Maps};
use super::pool;
use super::preprocess::{Preprocessing, Resize};
use crate::encode::device::in_parts_that_fit;
use crate::encode::shares::{next_share, shared};
use crate::encode::{
    Device, Embedding, Encoder, Error, Fingerprint, Identity, ImageEncoder, Pixels, Weights,
};

/// A network that we know. Each has a file of its own, which ends in one of these.
pub(super) struct Known {
    pub(super) name: &'static str,
    /// What the model's own config.json may call it.
    pub(super) declared: &'static [&'static str],
    pub(super) dimension: usize,
    /// Whether the tensors' names are this network's.
    pub(super) recognise: fn(&Weights) -> bool,
    pub(super) load: fn(&Weights, &Device) -> Loaded,
    /// The rule where the model's files tell no other.
    pub(super) preprocessing: Preprocessing,
}

/// A network with its weights.
pub(super) type Loaded = Result<Box<dyn Network>, Error>;

/// Sees the activations after each stage, with the stage's name.
pub(super) type Tap<'a> = dyn FnMut(&'static str, &Maps) + 'a;

/// From pictures to maps whose channels' means are the vector.
pub(super) trait Network: Send + Sync {
    fn forward(&self, x: &Maps, tap: &mut Tap<'_>) -> candle_core::Result<Maps>;
}

/// What is read off the last maps.
#[derive(Clone, Copy)]
enum Read {
    /// The mean of all places.
    Whole,
    /// The means of so many rows of as many tiles.
    Tiles(usize),
}

/// How many pictures go through the network together on one core; the maps of more would leave its cache.
const TOGETHER: usize = 8;

/// How many pictures go through it together on a GPU if its memory holds them.
const TOGETHER_ON_GPU: usize = 128;

/// Bytes that a picture takes on a GPU, for each of its pixels: the largest maps of our networks, candle's
/// copy of their neighbourhoods, the maps before and after, and as much again, for freed memory is not
/// always whole. ResNet-50's stem has 784 of them, InceptionV3's second layer 410.
const GPU_BYTES_A_PIXEL: usize = 1600;

/// A network with its weights and its rule of preprocessing.
pub(super) struct PictureEncoder {
    identity: Identity,
    network: Box<dyn Network>,
    preprocessing: Preprocessing,
    device: Device,
}

impl PictureEncoder {
    pub(super) fn load(
        known: &Known,
        weights: &Weights,
        preprocessing: Preprocessing,
        device: &Device,
    ) -> Result<Self, Error> {
        let (network, hash) = rayon::join(|| (known.load)(weights, device), || weights.sha256());
        let fingerprint = Fingerprint::of(&[
            known.name.as_bytes(),
            &hash,
            preprocessing.to_string().as_bytes(),
            &(known.dimension as u64).to_le_bytes(),
        ]);
        Ok(PictureEncoder {
            identity: Identity {
                name: known.name.to_owned(),
                dimension: known.dimension,
                fingerprint,
            },
            network: network?,
            preprocessing,
            device: device.clone(),
        })
    }

    /// What `read` makes of the network's last maps.
    fn vectors(&self, batch: &[Pixels], read: Read) -> candle_core::Result<Vec<Vec<f32>>> {
        let side = self.preprocessing.crop;
        let fits = |pixels: &&Pixels| pixels.side == side && pixels.values.len() == 3 * side * side;
        if let Some(other) = batch.iter().find(|pixels| !fits(pixels)) {
            candle_core::bail!(
                "{} reads pictures of side {side} and was given one of side {}",
                self.name(),
                other.side
            );
        }
        let planes: Vec<&[f32]> = batch.iter().map(|pixels| &pixels.values[..]).collect();
        let pictures = Maps::of_pictures(&planes, side, &self.device, &Arena::of_thread())?;
        let maps = self.network.forward(&pictures, &mut |_, _| ())?;
        match read {
            Read::Whole => pool::mean(&maps)?.planes(),
            Read::Tiles(side) => pool::tiles(&maps, side),
        }
    }

    /// On the CPU each core takes parts of the batch, because a core for an operator's part waits more.
    fn by_cores(&self, batch: &[Pixels], read: Read) -> candle_core::Result<Vec<Vec<f32>>> {
        let threads = rayon::current_num_threads();
        let (mut parts, mut left) = (Vec::new(), batch);
        while !left.is_empty() {
            // A batch that is one part for each core is cut evenly: its weights are read but once.
            let share = match batch.len() <= threads * TOGETHER {
                true => batch.len().div_ceil(threads),
                false => next_share(left.len(), threads, TOGETHER / 2, TOGETHER),
            };
            let (part, rest) = left.split_at(share.min(left.len()));
            parts.push(part);
            left = rest;
        }
        Ok(shared(parts, |part| self.vectors(part, read))?.concat())
    }

    fn by_memory(&self, batch: &[Pixels], read: Read) -> candle_core::Result<Vec<Vec<f32>>> {
        let side = self.preprocessing.crop;
        let together = self.device.together(GPU_BYTES_A_PIXEL * side * side, TOGETHER_ON_GPU);
        let mut vectors = Vec::with_capacity(batch.len());
        for part in batch.chunks(together) {
            vectors.extend(in_parts_that_fit(part, &|part| self.vectors(part, read))?);
        }
        Ok(vectors)
    }

    fn read(&self, batch: &[Pixels], read: Read) -> candle_core::Result<Vec<Vec<f32>>> {
        match self.device.is_ours() {
            true => self.by_cores(batch, read),
            false => self.by_memory(batch, read),
        }
    }
}

impl Encoder for PictureEncoder {
    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl ImageEncoder for PictureEncoder {
    fn prepare(&self, picture: &RgbImage) -> Pixels {
        self.preprocessing.apply(picture)
    }

    /// Two and a half times what it is resized to. Measured with EfficientNet-Lite0 alone, on small photographs that
    /// were enlarged: the least cosine was 0.99947 of 10 so, 0.99965 of 24 at three times, and 0.9988 of 40 at
    /// twice, which is too little.
    fn enough(&self) -> Option<u32> {
        let (Resize::ShortSide(side) | Resize::Squash(side)) = self.preprocessing.resize;
        u32::try_from(5 * side / 2).ok()
    }

    fn encode(&self, batch: &[Pixels]) -> Result<Vec<Embedding>, Error> {
        let vectors = self.read(batch, Read::Whole)?;
        vectors.into_iter().map(|vector| Ok(Embedding::new(vector)?)).collect()
    }

    fn tiles(&self, batch: &[Pixels], side: usize) -> Result<Option<Vec<Vec<f32>>>, Error> {
        Ok(Some(self.read(batch, Read::Tiles(side))?))
    }
}
