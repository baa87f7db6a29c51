//! Problems to solve, and the plainest way to solve them: `f64`, one row after the other.

use lookalike_index::{Precision, Segment, SegmentWriter};
use proptest::prelude::*;

/// Vectors with ids. Some of the vectors serve as queries.
#[derive(Debug, Clone)]
pub struct Problem {
    pub dimension: usize,
    pub k: usize,
    pub ids: Vec<u32>,
    pub components: Vec<f32>,
}

impl Problem {
    /// Vectors drawn from a fixed seed.
    pub fn drawn(rows: usize, dimension: usize) -> Self {
        let mut state = 7u64;
        let mut component = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        let mut components: Vec<f32> = (0..rows * dimension).map(|_| component()).collect();
        components.chunks_mut(dimension).for_each(scale);
        Problem {
            dimension,
            k: 10,
            ids: (0..rows as u32).map(|row| row * 2 + 1).collect(),
            components,
        }
    }

    pub fn queries(&self) -> impl Iterator<Item = &[f32]> {
        self.components.chunks(self.dimension).step_by(7).take(9)
    }

    /// The bytes of a segment file with these vectors.
    pub fn bytes(&self, precision: Precision) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segment");
        let mut writer = SegmentWriter::create(&path, self.dimension, precision, b"label").unwrap();
        for (id, vector) in self.ids.iter().zip(self.components.chunks(self.dimension)) {
            writer.push(*id, vector).unwrap();
        }
        writer.finish().unwrap();
        std::fs::read(path).unwrap()
    }

    pub fn segment(&self, precision: Precision) -> Segment<Vec<u8>> {
        let segment = Segment::from_bytes(self.bytes(precision)).unwrap();
        segment.verify().unwrap();
        segment
    }
}

/// Up to 60 rows of 1 to 40 components, some of them equal to others, and ids with gaps.
pub fn problem() -> impl Strategy<Value = Problem> {
    (1usize..=40, 0usize..=60, 0usize..=70).prop_flat_map(|(dimension, rows, k)| {
        // Few distinct values, so that ties and equal vectors come up.
        let component = prop_oneof![1 => -1.0f32..1.0, 1 => (-2i8..=2).prop_map(f32::from)];
        (
            prop::collection::vec(component, dimension * rows),
            prop::collection::btree_set(any::<u32>(), rows),
        )
            .prop_map(move |(mut components, ids)| {
                components.chunks_mut(dimension).for_each(scale);
                Problem { dimension, k, ids: ids.into_iter().collect(), components }
            })
    })
}

/// Scales to length one; zero becomes the first axis.
fn scale(vector: &mut [f32]) {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if norm < 1e-6 {
        vector.fill(0.0);
        vector[0] = 1.0;
    } else {
        vector.iter_mut().for_each(|x| *x /= norm);
    }
}

/// The similarity of every row's stored vector with the query.
pub fn similarities(segment: &Segment<Vec<u8>>, query: &[f32]) -> Vec<f64> {
    let similarity = |row| {
        let vector = segment.vector(row).unwrap();
        vector.iter().zip(query).map(|(x, q)| f64::from(*x) * f64::from(*q)).sum()
    };
    (0..segment.len() as u32).map(similarity).collect()
}
