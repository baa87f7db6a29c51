//! What models that read a user's whole profile learn from: a batch of triples, its profiles and its items.
//!
//! Flowing in: triples and the history. Flowing out: each item once, and by whose places profiles, positives and
//! negatives name it.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::aggregation::Stretches;
use super::chance::Chance;
use super::history::History;
use super::net::values::{elements, stored, tensor, with};
use super::triples::Triple;
use crate::encode::kernels::{Isa, for_each_isa};

/// A batch whose items are numbered from 0.
pub(super) struct Batch {
    /// Each item that is named, ascending.
    pub items: Vec<u32>,
    /// The profiles' items, one profile after the other, by place in `items`.
    pub profiles: Vec<u32>,
    /// Where each triple's profile lies.
    pub sets: Stretches,
    /// Each triple's positive and negative, by place in `items`.
    pub positives: Vec<u32>,
    pub negatives: Vec<u32>,
}

impl Batch {
    /// The batch of some triples. A profile is what the user took but for the positive; of long ones `most` items are
    /// drawn.
    pub fn of(triples: &[Triple], history: &History, most: usize, chance: &mut Chance) -> Self {
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
        let named = profiles.iter().flatten().copied().chain(named);
        let (items, mut places) = distinct(&named.collect::<Vec<u32>>());
        let pairs = places.split_off(places.len() - 2 * triples.len());
        let every_other = |first| pairs.iter().skip(first).step_by(2).copied().collect();
        Batch {
            profiles: places,
            sets: Stretches::of(profiles.iter().map(Vec::len)),
            positives: every_other(0),
            negatives: every_other(1),
            items,
        }
    }
}

/// Each item that is named, ascending, and by whose place each name is there.
pub(super) fn distinct(named: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut items = named.to_vec();
    items.sort_unstable();
    items.dedup();
    let place = |item: &u32| items.partition_point(|other| other < item) as u32;
    let places = named.iter().map(place).collect();
    (items, places)
}

/// The mean and the largest value of each column over each set: of rows (rows, K) some, by their places and set after set,
/// make (sets, 2K). A set without rows makes zeros.
///
/// ```text
/// y_s = [1/n Σ_l x_l; max_l x_l],  l over the n rows of set s        dx_l = 1/n dy_s + dy_s where x_l is the largest
/// ```
///
/// The gradient of the largest goes to the first of equals.
pub(super) fn summary(rows: &Tensor, places: &[u32], sets: &Stretches) -> Result<Tensor> {
    rows.contiguous()?.apply_op1(Summary { places: places.to_vec(), sets: sets.clone() })
}

struct Summary {
    places: Vec<u32>,
    sets: Stretches,
}

impl Summary {
    /// The rows of a set, by place.
    fn of(&self, set: usize) -> &[u32] {
        &self.places[self.sets.range(set)]
    }
}

for_each_isa! {
    /// Adds a row to the sum of a set and lifts the largest.
    join(row: &[f32], share: f32, mean: &mut [f32], largest: &mut [f32]) runs join_all
}

#[inline(always)]
fn join_all(row: &[f32], share: f32, mean: &mut [f32], largest: &mut [f32]) {
    for ((mean, largest), &x) in mean.iter_mut().zip(largest).zip(row) {
        *mean += share * x;
        *largest = if x > *largest { x } else { *largest };
    }
}

for_each_isa! {
    /// Adds to a row's gradient its share of the mean's, and what is left of the largest's where it is that.
    part(row: &[f32], share: f32, dmean: &[f32], largest: &[f32], left: &mut [f32], dx: &mut [f32]) runs part_all
}

#[inline(always)]
fn part_all(
    row: &[f32],
    share: f32,
    dmean: &[f32],
    largest: &[f32],
    left: &mut [f32],
    dx: &mut [f32],
) {
    let of_largest = row.iter().zip(largest).zip(left);
    for ((dx, dmean), ((x, largest), left)) in dx.iter_mut().zip(dmean).zip(of_largest) {
        let own = if x == largest { *left } else { 0.0 };
        *left = if x == largest { 0.0 } else { *left };
        *dx += share * dmean + own;
    }
}

impl CustomOp1 for Summary {
    fn name(&self) -> &'static str {
        "mean and largest of sets"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = layout.shape().dims2()?;
        let there = |&place: &u32| (place as usize) < rows;
        if self.places.len() != self.sets.rows() || !self.places.iter().all(there) || width == 0 {
            bail!("{} places of {rows} rows for {} sets", self.places.len(), self.sets.len());
        }
        let x = elements(x, layout)?;
        let row = |place: u32| &x[place as usize * width..][..width];
        let mut both = vec![0.0; self.sets.len() * 2 * width];
        both.par_chunks_mut(2 * width).enumerate().with_min_len(16).for_each(|(set, both)| {
            let (mean, largest) = both.split_at_mut(width);
            let places = self.of(set);
            if let Some(&first) = places.first() {
                largest.copy_from_slice(row(first));
            }
            let share = 1.0 / places.len() as f32;
            places.iter().for_each(|&place| join(Isa::best(), row(place), share, mean, largest));
        });
        Ok(stored(both, (self.sets.len(), 2 * width)))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let width = x.dim(1)?;
        let dx = with([x, y, dy], |[x, y, dy]| {
            let mut dx = vec![0.0; x.len()];
            let both = y.chunks_exact(2 * width).zip(dy.chunks_exact(2 * width));
            for (set, (y, dy)) in both.enumerate() {
                let (dmean, mut left) = (&dy[..width], dy[width..].to_vec());
                let share = 1.0 / self.of(set).len() as f32;
                for &place in self.of(set) {
                    let own = place as usize * width..(place as usize + 1) * width;
                    let (row, dx) = (&x[own.clone()], &mut dx[own]);
                    part(Isa::best(), row, share, dmean, &y[width..], &mut left, dx);
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

    use candle_core::{Device, Var};
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
        let batch = Batch::of(&triples, &history, 50, &mut Chance::new(1, "none", 0));
        (history, triples, batch)
    }

    #[test]
    fn a_batch_names_each_item_once_and_profiles_lack_the_positive() {
        let (history, triples, batch) = batch();
        assert_eq!(batch.items, [0, 1, 2, 3, 4, 5]);
        assert_eq!(batch.profiles, [1, 2, 4, 0, 2, 3]);
        assert_eq!((batch.sets.range(1), batch.sets.range(2)), (2..3, 3..6));
        let short = Batch::of(&triples, &history, 1, &mut Chance::new(1, "cut", 0));
        assert_eq!(short.sets.range(2), 2..3);
        let lonely = History::new(1, 6, [(0, 4)]);
        let triple = [Triple { user: 0, positive: 4, negative: 2 }];
        let batch = Batch::of(&triple, &lonely, 5, &mut Chance::new(1, "none", 0));
        assert_eq!((batch.items, batch.sets.range(0)), (vec![2, 4], 0..1));
    }

    /// By hand; the largest's gradient flows to where it stood first, the mean's to all.
    #[test]
    fn mean_and_largest_of_each_column_are_found_and_differentiated() {
        let x = Tensor::new(&[[7f32, -1.], [3., 5.], [1., 5.]], &Device::Cpu).unwrap();
        let x = Var::from_tensor(&x).unwrap();
        let y = summary(&x, &[2, 1, 0], &Stretches::of([2, 0, 1])).unwrap();
        assert_eq!(values(&y), [2.0, 5.0, 3.0, 5.0, 0.0, 0.0, 0.0, 0.0, 7.0, -1.0, 7.0, -1.0]);
        let scale = [[10f32, 20., 1., 2.], [30., 40., 3., 4.], [50., 60., 5., 6.]];
        let scale = Tensor::new(&scale, &Device::Cpu).unwrap();
        let gradients = (y * scale).unwrap().sum_all().unwrap().backward().unwrap();
        assert_eq!(values(gradients.get(&x).unwrap()), [55.0, 66.0, 6.0, 10.0, 5.0, 12.0]);
        assert!(summary(&x, &[3], &Stretches::of([1])).is_err());
    }
}
