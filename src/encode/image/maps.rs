//! What flows between the layers of a network: the feature maps of some pictures.
//!
//! On a CPU a place's channels lie together (pictures, rows, columns, channels): then a convolution is a
//! product of places and weights without any rearranging, and every step has its vectors along the
//! channels. A GPU has candle's own order (pictures, channels, rows, columns).

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use candle_core::{Result, Tensor};

use crate::encode::Device;

/// Feature maps.
pub(super) struct Maps {
    pub(super) pictures: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) channels: usize,
    values: Values,
}

enum Values {
    Cpu(Buffer),
    Device(Tensor),
}

impl Maps {
    /// Pictures as planes, `3 * side * side` values each.
    pub(super) fn of_pictures(
        planes: &[&[f32]],
        side: usize,
        device: &Device,
        arena: &Arena,
    ) -> Result<Self> {
        let (pictures, channels) = (planes.len(), 3);
        let size = channels * side * side;
        let values = if device.is_ours() {
            let mut values = arena.buffer(pictures * size);
            for (places, planes) in values.chunks_exact_mut(size).zip(planes) {
                for (channel, plane) in planes.chunks_exact(side * side).enumerate() {
                    let places = places.chunks_exact_mut(channels);
                    places.zip(plane).for_each(|(place, &value)| place[channel] = value);
                }
            }
            Values::Cpu(values)
        } else {
            let shape = (pictures, channels, side, side);
            Values::Device(Tensor::from_vec(planes.concat(), shape, device.tensors())?)
        };
        Ok(Maps { pictures, rows: side, columns: side, channels, values })
    }

    /// Sends the pictures through some layers one by one, and lays what comes of them side by side again.
    /// On a GPU they go together.
    ///
    /// A network's first maps are large: those of one picture stay in a core's caches, those of several
    /// do not. Its last ones are small and their weights large, which several pictures read but once.
    pub(super) fn one_by_one(&self, mut layers: impl FnMut(&Maps) -> Result<Maps>) -> Result<Maps> {
        if self.pictures == 1 || self.tensor().is_some() {
            return layers(self);
        }
        let values = self.places()?;
        let mut all: Option<Maps> = None;
        for (at, picture) in values.chunks_exact(values.len() / self.pictures).enumerate() {
            let mut one = values.arena.buffer(picture.len());
            one.copy_from_slice(picture);
            let made = layers(&Maps { pictures: 1, values: Values::Cpu(one), ..*self })?;
            let all = match &mut all {
                Some(all) => all,
                none => none.insert(self.unwritten(made.rows, made.columns, made.channels)?),
            };
            let made = made.places()?;
            all.places_mut()?[at * made.len()..][..made.len()].copy_from_slice(made);
        }
        all.ok_or_else(|| candle_core::Error::msg("no pictures"))
    }

    /// Maps of the same places with the channels of all, those of the first first.
    pub(super) fn end_to_end(parts: &[Maps]) -> Result<Self> {
        let tensors: Vec<&Tensor> = parts.iter().filter_map(Maps::tensor).collect();
        if !tensors.is_empty() {
            return Maps::of_tensor(Tensor::cat(&tensors, 1)?);
        }
        let Some(first) = parts.first() else { candle_core::bail!("no maps to lay end to end") };
        let channels = parts.iter().map(|part| part.channels).sum();
        let mut all = first.unwritten(first.rows, first.columns, channels)?;
        let mut start = 0;
        for part in parts {
            let places = part.places()?.chunks_exact(part.channels);
            for (all, place) in all.places_mut()?.chunks_exact_mut(channels).zip(places) {
                all[start..start + part.channels].copy_from_slice(place);
            }
            start += part.channels;
        }
        Ok(all)
    }

    /// Maps on a CPU, whose values are yet to be written.
    pub(super) fn unwritten(&self, rows: usize, columns: usize, channels: usize) -> Result<Self> {
        let Values::Cpu(values) = &self.values else { candle_core::bail!("maps of a GPU") };
        let pictures = self.pictures;
        let values = Values::Cpu(values.arena.buffer(pictures * rows * columns * channels));
        Ok(Maps { pictures, rows, columns, channels, values })
    }

    /// Maps on a GPU.
    pub(super) fn of_tensor(tensor: Tensor) -> Result<Self> {
        let (pictures, channels, rows, columns) = tensor.dims4()?;
        Ok(Maps { pictures, rows, columns, channels, values: Values::Device(tensor) })
    }

    /// The values, place by place, of maps on a CPU.
    pub(super) fn places(&self) -> Result<&Buffer> {
        match &self.values {
            Values::Cpu(values) => Ok(values),
            Values::Device(_) => candle_core::bail!("maps of a GPU where a CPU's were expected"),
        }
    }

    /// The same, to be written.
    pub(super) fn places_mut(&mut self) -> Result<&mut [f32]> {
        match &mut self.values {
            Values::Cpu(values) => Ok(values),
            Values::Device(_) => candle_core::bail!("maps of a GPU where a CPU's were expected"),
        }
    }

    /// The tensor of maps on a GPU; `None` on a CPU.
    pub(super) fn tensor(&self) -> Option<&Tensor> {
        match &self.values {
            Values::Cpu(_) => None,
            Values::Device(tensor) => Some(tensor),
        }
    }

    /// All values of each picture, channel by channel.
    pub(super) fn planes(&self) -> Result<Vec<Vec<f32>>> {
        if let Some(tensor) = self.tensor() {
            return tensor.flatten_from(1)?.to_vec2();
        }
        let channels = self.channels;
        let pictures = self.places()?.chunks_exact(self.rows * self.columns * channels);
        let planes = |places: &[f32]| -> Vec<f32> {
            let plane = |channel| places.iter().skip(channel).step_by(channels).copied();
            (0..channels).flat_map(plane).collect()
        };
        Ok(pictures.map(planes).collect())
    }
}

/// Memory of past maps, which the next ones take over: it is in the cache, and need neither be asked of the
/// system nor cleared.
#[derive(Clone, Default)]
pub(super) struct Arena(Rc<RefCell<Vec<Vec<f32>>>>);

/// Values in memory that returns to its arena.
pub(super) struct Buffer {
    /// At least `length` of them.
    values: Vec<f32>,
    length: usize,
    pub(super) arena: Arena,
}

impl Arena {
    /// That of this thread, which lives as long as it does.
    pub(super) fn of_thread() -> Self {
        thread_local!(static ARENA: Arena = Arena::default());
        ARENA.with(Arena::clone)
    }

    /// So many values, of which nothing is known.
    pub(super) fn buffer(&self, length: usize) -> Buffer {
        let mut spare = self.0.borrow_mut();
        // The smallest that is large enough, else the largest.
        let fitting = |values: &Vec<f32>| match values.len().checked_sub(length) {
            Some(left) => (0, left),
            None => (1, usize::MAX - values.len()),
        };
        let best = (0..spare.len()).min_by_key(|&at| fitting(&spare[at]));
        let mut values = best.map(|at| spare.swap_remove(at)).unwrap_or_default();
        if values.len() < length {
            values.resize(length, 0.0);
        }
        Buffer { values, length, arena: self.clone() }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.arena.0.borrow_mut().push(std::mem::take(&mut self.values));
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[..self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[..self.length]
    }
}
