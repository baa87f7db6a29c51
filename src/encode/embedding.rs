//! The unit vector: made here and nowhere else, so that every vector in the house has length one.

use std::ops::Deref;

/// A vector of length one.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding(Vec<f32>);

/// Why a vector cannot be scaled to length one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAnEmbedding {
    /// All of its components are zero.
    #[error("the vector is zero: it points nowhere")]
    Zero,
    /// A component is NaN or infinite.
    #[error("the vector has a component that is not a finite number")]
    NotFinite,
}

impl Embedding {
    /// Scales a vector to length one.
    pub fn new(mut vector: Vec<f32>) -> Result<Self, NotAnEmbedding> {
        // In f64, because the squares of an f32 can overflow or vanish where the vector itself is sound.
        let norm = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
        if !norm.is_finite() {
            return Err(NotAnEmbedding::NotFinite);
        }
        if norm == 0.0 {
            return Err(NotAnEmbedding::Zero);
        }
        for x in &mut vector {
            *x = (f64::from(*x) / norm) as f32;
        }
        Ok(Embedding(vector))
    }

    /// The components, given up.
    pub fn into_inner(self) -> Vec<f32> {
        self.0
    }
}

impl Deref for Embedding {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_to_length_one() {
        assert_eq!(*Embedding::new(vec![3.0, 4.0]).unwrap(), [0.6, 0.8]);
    }

    #[test]
    fn keeps_the_direction_of_vectors_whose_squares_leave_f32() {
        for scale in [1e30f32, 1e-30] {
            let unit = Embedding::new(vec![3.0 * scale, 4.0 * scale]).unwrap();
            assert!((unit[0] - 0.6).abs() < 1e-6 && (unit[1] - 0.8).abs() < 1e-6, "{unit:?}");
        }
    }

    #[test]
    fn refuses_vectors_without_a_direction() {
        assert_eq!(Embedding::new(vec![0.0; 3]), Err(NotAnEmbedding::Zero));
        assert_eq!(Embedding::new(vec![]), Err(NotAnEmbedding::Zero));
        assert_eq!(Embedding::new(vec![1.0, f32::NAN]), Err(NotAnEmbedding::NotFinite));
        assert_eq!(Embedding::new(vec![1.0, f32::INFINITY]), Err(NotAnEmbedding::NotFinite));
    }
}
