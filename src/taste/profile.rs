//! What models that read a user's whole profile learn from: a batch of triples, its profiles and its items.
//!
//! Flowing in: triples and the history. Flowing out: each item once, and by whose places profiles, positives and
//! negatives name it.

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor};

use super::aggregation::Stretches;
use super::chance::Chance;
use super::history::History;
use super::net::values::{elements, stored, tensor, with};
use super::triples::Triple;

/// A batch whose items are numbered from 0.
pub(super) struct Batch {
    /// Each item that is named, ascending.
    pub items: Vec<u32>,
    /// The profiles' items, one profile after the other, by place in `items`.
    pub profiles: Tensor,
    /// Where each triple's profile lies.
    pub sets: Stretches,
    /// Each triple's positive and negative, by place in `items`.
    pub positives: Tensor,
    pub negatives: Tensor,
}

impl Batch {
    /// The batch of some triples. A profile is what the user took but for the positive; of long ones `most` items are
    /// drawn.
    pub fn of(
        triples: &[Triple],
        history: &History,
        most: usize,
        chance: &mut Chance,
    ) -> Result<Self> {
        let profiles: Vec<Vec<u32>> = triples
            .iter()
            .map(|triple| {
                let own = history.of(triple.user).iter().copied();
                let mut profile: Vec<u32> = own.filter(|&item| item != triple.positive).collect();
                if profile.is_empty() {
                    // Somebody who took one thing is told by it.
                    profile.push(triple.positive);
                }
                if profile.len() > most {
                    chance.shuffle(&mut profile);
                    profile.truncate(most);
                }
                profile
            })
            .collect();
        let named = triples.iter().flat_map(|triple| [triple.positive, triple.negative]);
        let mut items: Vec<u32> = profiles.iter().flatten().copied().chain(named).collect();
        items.sort_unstable();
        items.dedup();
        let places = |wanted: &mut dyn Iterator<Item = u32>| {
            let place = |item| items.partition_point(|&other| other < item) as u32;
            let places: Vec<u32> = wanted.map(place).collect();
            Tensor::new(places, &Device::Cpu)
        };
        Ok(Batch {
            profiles: places(&mut profiles.iter().flatten().copied())?,
            sets: Stretches::of(profiles.iter().map(Vec::len)),
            positives: places(&mut triples.iter().map(|triple| triple.positive))?,
            negatives: places(&mut triples.iter().map(|triple| triple.negative))?,
            items,
        })
    }
}

/// The largest value of each column of each set: (rows, K) make (sets, K). A set without rows makes zeros.
///
/// The gradient goes to the first of equals.
pub(super) fn largest(rows: &Tensor, sets: &Stretches) -> Result<Tensor> {
    rows.contiguous()?.apply_op1(Largest(sets.clone()))
}

struct Largest(Stretches);

/// No row.
const NONE: u32 = u32::MAX;

impl Largest {
    /// By set and column, which row is largest; of a set without rows, none.
    fn places(&self, x: &[f32], width: usize) -> Vec<u32> {
        let mut places = vec![NONE; self.0.len() * width];
        for (set, places) in places.chunks_exact_mut(width).enumerate() {
            let rows = self.0.range(set);
            if rows.is_empty() {
                continue;
            }
            places.fill(rows.start as u32);
            let mut best = x[rows.start * width..][..width].to_vec();
            for row in rows.skip(1) {
                let own = &x[row * width..][..width];
                for ((place, best), &value) in places.iter_mut().zip(&mut best).zip(own) {
                    let larger = value > *best;
                    *place = if larger { row as u32 } else { *place };
                    *best = if larger { value } else { *best };
                }
            }
        }
        places
    }
}

impl CustomOp1 for Largest {
    fn name(&self) -> &'static str {
        "largest of sets"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, width) = layout.shape().dims2()?;
        let x = elements(x, layout)?;
        let places = self.places(x, width);
        let value = |(n, &row): (usize, &u32)| match row {
            NONE => 0.0,
            row => x[row as usize * width + n % width],
        };
        let largest = places.iter().enumerate().map(value).collect();
        Ok(stored(largest, (self.0.len(), width)))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let width = x.dim(1)?;
        let dx = with([x, dy], |[x, dy]| {
            let mut dx = vec![0.0; x.len()];
            for (n, row) in self.places(x, width).into_iter().enumerate() {
                if row != NONE {
                    dx[row as usize * width + n % width] += dy[n];
                }
            }
            dx
        })?;
        Ok(Some(tensor(dx, x.shape())?))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use candle_core::Var;
    use serde_json::Value;

    use super::*;
    use crate::encode::image::seeded::{floats, parameter, places};
    use crate::taste::features::Features;
    use crate::taste::model::{Array, State};

    /// What PyTorch made of a model (`tools/golden/profiles.py`).
    pub fn golden(model: &str) -> Value {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = path.join("fixtures/golden/train/profiles.json");
        let all: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        all[model].clone()
    }

    pub fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    pub fn assert_close(what: &str, ours: &[f32], theirs: &Value) {
        for (place, theirs) in places(ours.len()).zip(floats(theirs)) {
            let error = (ours[place] - theirs).abs() / (1.0 + theirs.abs());
            assert!(error < 2e-5, "{what} at {place}: {} where PyTorch has {theirs}", ours[place]);
        }
    }

    /// The same after a step of Adam, which makes a whole step of the least gradient: where PyTorch's is but rounding,
    /// the step is too, and says nothing.
    pub fn assert_moved(what: &str, ours: &[f32], golden: &Value) {
        let (after, gradients) = (&golden["after"][what], &golden["gradients"][what]);
        for ((place, theirs), gradient) in
            places(ours.len()).zip(floats(after)).zip(floats(gradients))
        {
            let error = (ours[place] - theirs).abs();
            assert!(error < 2e-5 || gradient.abs() < 1e-6, "{what} at {place}: {error:e}");
        }
    }

    /// The golden first weights of a model's layers.
    pub fn weights(model: &str, shapes: &Value) -> State {
        let array = |(name, shape): (&String, &Value)| {
            let shape: Vec<usize> = serde_json::from_value(shape.clone()).unwrap();
            let values = values(&parameter(&format!("{model}.{name}"), &shape));
            (name.clone(), Array { shape, values })
        };
        shapes.as_object().unwrap().iter().map(array).collect()
    }

    /// The golden features, of length one.
    pub fn features() -> Features {
        let mut rows = values(&parameter("profiles.features", &[6, 7]));
        for row in rows.chunks_mut(7) {
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            row.iter_mut().for_each(|x| *x /= length);
        }
        Features::new(rows, 7)
    }

    /// The golden history and triples: a profile is the history without the positive.
    pub fn batch() -> (History, Vec<Triple>, Batch) {
        let taken = [[0, 1, 2].as_slice(), &[3, 4], &[5, 0, 2, 3]];
        let pairs = (0..).zip(taken).flat_map(|(user, row)| row.iter().map(move |&i| (user, i)));
        let history = History::new(3, 6, pairs);
        let triple = |user, positive, negative| Triple { user, positive, negative };
        let triples = vec![triple(0, 0, 4), triple(1, 3, 2), triple(2, 5, 1)];
        let batch = Batch::of(&triples, &history, 50, &mut Chance::new(1, "none", 0)).unwrap();
        (history, triples, batch)
    }

    #[test]
    fn a_batch_names_each_item_once_and_profiles_lack_the_positive() {
        let (history, triples, batch) = batch();
        assert_eq!(batch.items, [0, 1, 2, 3, 4, 5]);
        assert_eq!(batch.profiles.to_vec1::<u32>().unwrap(), [1, 2, 4, 0, 2, 3]);
        assert_eq!((batch.sets.range(1), batch.sets.range(2)), (2..3, 3..6));
        let short = Batch::of(&triples, &history, 1, &mut Chance::new(1, "cut", 0)).unwrap();
        assert_eq!(short.sets.range(2), 2..3);
        let lonely = History::new(1, 6, [(0, 4)]);
        let triple = [Triple { user: 0, positive: 4, negative: 2 }];
        let batch = Batch::of(&triple, &lonely, 5, &mut Chance::new(1, "none", 0)).unwrap();
        assert_eq!((batch.items, batch.sets.range(0)), (vec![2, 4], 0..1));
    }

    /// By hand; the gradient flows to where the largest stood.
    #[test]
    fn the_largest_of_each_column_is_found_and_differentiated() {
        let x = Tensor::new(&[[1f32, 5.], [3., 2.], [7., -1.]], &Device::Cpu).unwrap();
        let x = Var::from_tensor(&x).unwrap();
        let y = largest(&x, &Stretches::of([2, 0, 1])).unwrap();
        assert_eq!(values(&y), [3.0, 5.0, 0.0, 0.0, 7.0, -1.0]);
        let scale = Tensor::new(&[[1f32, 2.], [3., 4.], [5., 6.]], &Device::Cpu).unwrap();
        let gradients = (y * scale).unwrap().sum_all().unwrap().backward().unwrap();
        assert_eq!(values(gradients.get(&x).unwrap()), [0.0, 2.0, 1.0, 0.0, 5.0, 6.0]);
    }
}
