//! What the pictures of all items look like to the collection's own encoder.

use rayon::prelude::*;

use crate::collection::Collection;
use crate::encode::Modality;

/// A vector an item, by dense number; zeros where an item has no picture.
#[derive(Debug, Clone)]
pub struct Features {
    values: Vec<f32>,
    dimension: usize,
    /// What was taken off every vector; empty where nothing was.
    mean: Vec<f32>,
}

impl Features {
    /// Vectors that stand one after the other.
    ///
    /// # Panics
    /// Where the values are no whole number of vectors.
    pub fn new(values: Vec<f32>, dimension: usize) -> Self {
        assert!(dimension > 0 && values.len().is_multiple_of(dimension), "no whole vectors");
        Features { values, dimension, mean: Vec::new() }
    }

    /// The vectors that a collection has of these items' pictures; `None` where it has none.
    pub fn of(collection: &Collection, items: &[u32]) -> Option<Self> {
        let vectors = collection.vectors(Modality::Image)?;
        let dimension = vectors.dimension();
        let mut values = vec![0.0; items.len() * dimension];
        values.par_chunks_mut(dimension).zip(items).for_each(|(to, &id)| {
            if let Some(vector) = vectors.vector(id) {
                to.copy_from_slice(&vector);
            }
        });
        Some(Features::new(values, dimension))
    }

    /// The same, seen from their mean, at length one again. What all pictures of a shop have in common,
    /// the white ground above all, then no longer makes every two of them alike.
    pub fn centred(mut self) -> Self {
        let dimension = self.dimension;
        let mut mean = vec![0.0f64; dimension];
        let mut count = 0;
        for row in self.values.chunks(dimension).filter(|row| is_there(row)) {
            count += 1;
            mean.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        self.mean = mean.iter().map(|sum| (sum / f64::from(count.max(1))) as f32).collect();
        let mean = &self.mean;
        self.values.par_chunks_mut(dimension).for_each(|row| centre(row, mean));
        self
    }

    /// What [`centred`](Self::centred) took off; empty where it was not called.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The vector of an item.
    #[inline]
    pub fn row(&self, item: u32) -> &[f32] {
        &self.values[item as usize * self.dimension..][..self.dimension]
    }

    /// The vectors of some items one after the other, as layers are used to numbers: values about one, whatever the
    /// length of a vector.
    pub fn scaled(&self, items: &[u32]) -> Vec<f32> {
        let scale = (self.dimension as f32).sqrt();
        let mut rows = vec![0.0; items.len() * self.dimension];
        rows.par_chunks_mut(self.dimension).zip(items).with_min_len(64).for_each(|(to, &item)| {
            to.iter_mut().zip(self.row(item)).for_each(|(to, x)| *to = scale * x);
        });
        rows
    }

    /// All vectors, one after the other.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The length of a vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len() / self.dimension
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// Whether a vector is one, and no gap.
fn is_there(row: &[f32]) -> bool {
    row.iter().any(|&x| x != 0.0)
}

/// Takes the mean off a vector and brings it to length one. A gap stays a gap.
pub(super) fn centre(row: &mut [f32], mean: &[f32]) {
    if !is_there(row) {
        return;
    }
    row.iter_mut().zip(mean).for_each(|(x, m)| *x -= m);
    let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        row.iter_mut().for_each(|x| *x /= length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: the mean of (1,0) and (0,1) is (.5,.5); what is left points along (1,-1).
    #[test]
    fn centring_takes_off_what_all_have_in_common_and_leaves_gaps() {
        let features = Features::new(vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0], 2).centred();
        let half = 0.5f32.sqrt();
        assert_eq!(features.mean(), [0.5, 0.5]);
        assert_eq!(features.row(1), [0.0, 0.0]);
        for (x, expected) in
            features.row(0).iter().chain(features.row(2)).zip([half, -half, -half, half])
        {
            assert!((x - expected).abs() < 1e-6);
        }
    }
}
