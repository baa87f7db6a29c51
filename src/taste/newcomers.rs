//! New items, scored from their pictures' features by one projection: what VBPR and every model over a frozen
//! network makes of an item that nobody has taken yet.

use std::sync::Arc;

use super::Error;
use super::features::centre;
use super::model::{Array, Insight, Looks, State};

/// Measures biases from that of a typical item, the median of the `known`. Training fixes them up to a constant only,
/// and few popular items draw their mean far above most: what is new and has none would stand above two thirds of
/// the inventory for no reason.
pub(super) fn from_typical(biases: &mut [f32], known: &[u32]) {
    let mut of_known: Vec<f32> = known.iter().map(|&item| biases[item as usize]).collect();
    if of_known.is_empty() {
        return;
    }
    let middle = of_known.len() / 2;
    let median = *of_known.select_nth_unstable_by(middle, f32::total_cmp).1;
    known.iter().for_each(|&item| biases[item as usize] -= median);
}

/// How an item's feature alone becomes its vector: `q[first + r] = rows[r] . centre(f)`, and zeros
/// elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Newcomers {
    /// The first component that shows in the picture.
    pub first: usize,
    /// The length of an item's vector.
    pub width: usize,
    /// What is taken off a feature before it is brought to length one; empty for nothing.
    pub mean: Vec<f32>,
    /// A row a component.
    pub rows: Vec<f32>,
    /// The length of a feature.
    pub dimension: usize,
}

impl Newcomers {
    /// An item's vector.
    pub fn vector(&self, feature: &[f32]) -> Vec<f32> {
        let mut feature = feature.to_vec();
        centre(&mut feature, &self.mean);
        let mut vector = vec![0.0; self.width];
        for (component, row) in
            vector[self.first..].iter_mut().zip(self.rows.chunks(self.dimension))
        {
            *component = row.iter().zip(&feature).map(|(a, b)| a * b).sum();
        }
        vector
    }

    /// Takes it up from a file; `None` where the file has none.
    pub(super) fn restored(state: &State) -> Result<Option<Arc<dyn Insight>>, Error> {
        let Some(rows) = state.get("rows") else { return Ok(None) };
        let wrong = || Error::Network("the projection of new items does not fit".to_owned());
        let dimension = rows.shape.get(1).copied().unwrap_or(0);
        let place = state.get("place").map(|place| place.values.as_slice());
        let (Some(&[first, width]), Some(mean)) = (place, state.get("mean")) else {
            return Err(wrong());
        };
        let (first, width) = (first as usize, width as usize);
        let fits = dimension > 0
            && first + rows.values.len() / dimension <= width
            && [0, dimension].contains(&mean.values.len());
        if !fits {
            return Err(wrong());
        }
        let (rows, mean) = (rows.values.clone(), mean.values.clone());
        Ok(Some(Arc::new(Newcomers { first, width, mean, rows, dimension })))
    }
}

impl Insight for Newcomers {
    fn state(&self) -> State {
        let components = self.rows.len() / self.dimension.max(1);
        let place = vec![self.first as f32, self.width as f32];
        State::from([
            ("rows".to_owned(), Array::rows(components, self.rows.clone())),
            ("mean".to_owned(), Array::rows(1, self.mean.clone())),
            ("place".to_owned(), Array::rows(1, place)),
        ])
    }

    fn item(&self, looks: &Looks<'_>) -> Result<Option<Vec<f32>>, Error> {
        let fits = looks.feature.filter(|feature| feature.len() == self.dimension);
        Ok(fits.map(|feature| self.vector(feature)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_known_stand_above_what_is_new() {
        let mut biases = [5.0, 0.0, -1.0, 0.0, -2.0, 9.0];
        from_typical(&mut biases, &[0, 2, 4]);
        assert_eq!(biases, [6.0, 0.0, 0.0, 0.0, -1.0, 9.0]);
        from_typical(&mut biases, &[]);
        assert_eq!(biases[5], 9.0);
    }

    /// By hand: (3, 4) less (3, 3) is (0, 1), which is of length one.
    #[test]
    fn a_new_item_is_projected_and_survives_being_kept() {
        let mean = vec![3.0, 3.0];
        let newcomers =
            Newcomers { first: 1, width: 4, mean, rows: vec![5.0, 6.0, 7.0, 8.0], dimension: 2 };
        assert_eq!(newcomers.vector(&[3.0, 4.0]), [0.0, 6.0, 8.0, 0.0]);
        let again = Newcomers::restored(&newcomers.state()).unwrap().unwrap();
        let looks = Looks { feature: Some(&[3.0, 4.0]), picture: &|| Ok(None) };
        assert_eq!(again.item(&looks).unwrap(), Some(vec![0.0, 6.0, 8.0, 0.0]));
        let looks = Looks { feature: Some(&[3.0]), ..looks };
        assert_eq!(again.item(&looks).unwrap(), None);
        let mut torn = newcomers.state();
        torn.insert("place".to_owned(), Array::rows(1, vec![3.0, 4.0]));
        assert!(Newcomers::restored(&torn).is_err());
        assert!(Newcomers::restored(&State::new()).unwrap().is_none());
    }
}
