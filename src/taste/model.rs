//! The seam of training: what a model must be able to do to be trained, kept, judged and served.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Error;
use super::factors::Factors;
use super::history::History;

/// A model that learns from triples.
///
/// [`Training`](super::Training) drives it, epoch by epoch. Whatever it draws by chance must follow from
/// the seed and the epoch alone, so that a run that was interrupted goes on as if it had not been, and
/// any number of threads comes to the same bits.
pub trait Model: Send {
    /// What it is called on the command line and in tables.
    fn name(&self) -> &str;

    /// What it was built with, for whoever reads its file.
    fn settings(&self) -> Map<String, Value>;

    /// Learns from every pair of the history once, epochs counted from 0; returns the mean of
    /// `-ln sigmoid(x_ui - x_uj)` over its triples, each before it was learned from.
    fn epoch(&mut self, history: &History, seed: u64, epoch: u32) -> Result<f64, Error>;

    /// What it has come to: a vector a user and a vector an item, biases folded in.
    fn factors(&self) -> Result<Factors, Error>;

    /// How items without a history get their vectors; `None` where they cannot have one.
    fn newcomers(&self) -> Option<Newcomers> {
        None
    }

    /// All that training changes, the optimiser's memory included.
    fn state(&self) -> State;

    /// Goes back to a state that [`state`](Self::state) gave.
    fn restore(&mut self, state: &State) -> Result<(), Error>;
}

/// Named arrays of numbers.
pub type State = BTreeMap<String, Array>;

/// Numbers in rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Rows and columns, or more.
    pub shape: Vec<usize>,
    /// Row after row.
    pub values: Vec<f32>,
}

impl Array {
    /// So many rows of equal length.
    pub fn rows(rows: usize, values: Vec<f32>) -> Self {
        let columns = values.len().checked_div(rows).unwrap_or(0);
        Array { shape: vec![rows, columns], values }
    }
}

/// Puts a named array back where it came from.
pub fn restore(state: &State, name: &str, values: &mut [f32]) -> Result<(), Error> {
    match state.get(name) {
        Some(array) if array.values.len() == values.len() => {
            values.copy_from_slice(&array.values);
            Ok(())
        }
        _ => Err(Error::Network(format!(
            "the checkpoint has no fitting \"{name}\": it is of a model with other settings"
        ))),
    }
}

/// How an item's picture alone becomes its vector: `q[first + r] = rows[r] . centre(f)`, and zeros
/// elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Newcomers {
    /// The first component that shows in the picture.
    pub first: usize,
    /// What is taken off a feature before it is brought to length one; empty for nothing.
    pub mean: Vec<f32>,
    /// A row a component.
    pub rows: Vec<f32>,
    /// The length of a feature.
    pub dimension: usize,
}

impl Newcomers {
    /// An item's vector, as long as the model's `width`.
    pub fn vector(&self, feature: &[f32], width: usize) -> Vec<f32> {
        let mut feature = feature.to_vec();
        super::features::centre(&mut feature, &self.mean);
        let mut vector = vec![0.0; width];
        for (component, row) in
            vector[self.first..].iter_mut().zip(self.rows.chunks(self.dimension))
        {
            *component = row.iter().zip(&feature).map(|(a, b)| a * b).sum();
        }
        vector
    }
}
