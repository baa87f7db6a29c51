//! Adam, for arrays that every batch touches and for tables of which a batch touches a few rows.
//!
//! `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`, `x -= rate m' / (sqrt(v') + e)`, where `m'` and `v'`
//! are corrected for their start at zero by the number of steps taken.
//!
//! A table is updated *lazily*: a row that no example of the batch named keeps its values and its
//! moments. With half a million rows a full step would cost a thousand times what the batch costs; on
//! H&M's purchases both come to the same AUC within its noise.

use super::Error;
use super::model::{Array, State, restore};
use crate::encode::kernels::{Isa, for_each_isa};

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// The step size and how many steps were taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    rate: f32,
    steps: u32,
}

impl Adam {
    /// Before the first step.
    pub fn new(rate: f32) -> Self {
        Adam { rate, steps: 0 }
    }

    /// Counts a step and returns what it takes.
    pub fn step(&mut self) -> Step {
        self.steps += 1;
        let correction = |beta: f32| 1.0 - f64::from(beta).powi(self.steps as i32);
        let (first, second) = (correction(BETA_1), correction(BETA_2));
        Step { rate: (f64::from(self.rate) / first) as f32, root: second.sqrt() as f32 }
    }

    /// How many steps were taken, for a checkpoint.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// Goes on after so many steps.
    pub fn resume(&mut self, steps: u32) {
        self.steps = steps;
    }
}

/// One step, its corrections worked out.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    rate: f32,
    root: f32,
}

impl Step {
    /// Moves values down their gradients.
    pub fn apply(self, values: &mut [f32], moments: &mut Moments, gradients: &[f32]) {
        self.apply_to(values, &mut moments.first, &mut moments.second, gradients);
    }

    fn apply_to(self, values: &mut [f32], m: &mut [f32], v: &mut [f32], gradients: &[f32]) {
        // v' = v / root^2, so that sqrt(v') + e = (sqrt(v) + e root) / root.
        update(Isa::best(), values, m, v, gradients, self.rate * self.root, EPSILON * self.root);
    }
}

for_each_isa! {
    /// One step of Adam.
    update(values: &mut [f32], m: &mut [f32], v: &mut [f32], gradients: &[f32], rate: f32, epsilon: f32)
        runs update_all
}

#[inline(always)]
fn update_all(
    values: &mut [f32],
    m: &mut [f32],
    v: &mut [f32],
    gradients: &[f32],
    rate: f32,
    epsilon: f32,
) {
    for (((x, m), v), &g) in values.iter_mut().zip(m).zip(v).zip(gradients) {
        *m = BETA_1 * *m + (1.0 - BETA_1) * g;
        *v = BETA_2 * *v + (1.0 - BETA_2) * g * g;
        *x -= rate * *m / (v.sqrt() + epsilon);
    }
}

/// Adam's memory of an array.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Moments {
    /// Of so many values, before the first step.
    pub fn new(values: usize) -> Self {
        Moments { first: vec![0.0; values], second: vec![0.0; values] }
    }
}

/// Rows of which each batch touches a few.
#[derive(Debug, Clone)]
pub struct Table {
    width: usize,
    values: Vec<f32>,
    moments: Moments,
    /// By row, its place among the touched and one; 0 where it is not touched.
    slots: Vec<u32>,
    touched: Vec<u32>,
    gradients: Vec<f32>,
}

impl Table {
    /// Rows of this width.
    pub fn new(width: usize, values: Vec<f32>, rows: usize) -> Self {
        assert_eq!(values.len(), rows * width, "rows of another width");
        Table {
            width,
            moments: Moments::new(values.len()),
            values,
            slots: vec![0; rows],
            touched: Vec::new(),
            gradients: Vec::new(),
        }
    }

    /// A row as it is.
    #[inline]
    pub fn row(&self, row: u32) -> &[f32] {
        &self.values[row as usize * self.width..][..self.width]
    }

    /// All rows.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.slots.len()
    }

    /// A row with what the batch has found of its gradient so far, to add to.
    #[inline]
    pub fn touch(&mut self, row: u32) -> (&[f32], &mut [f32]) {
        let slot = &mut self.slots[row as usize];
        if *slot == 0 {
            self.touched.push(row);
            *slot = self.touched.len() as u32;
            self.gradients.resize(self.touched.len() * self.width, 0.0);
        }
        let gradient = &mut self.gradients[(*slot as usize - 1) * self.width..][..self.width];
        (&self.values[row as usize * self.width..][..self.width], gradient)
    }

    /// Moves the touched rows, in the order in which they were touched, and forgets the gradients.
    pub fn descend(&mut self, step: Step) {
        let width = self.width;
        for (&row, gradient) in self.touched.iter().zip(self.gradients.chunks(width.max(1))) {
            let at = row as usize * width..(row as usize + 1) * width;
            let Moments { first, second } = &mut self.moments;
            let (m, v) = (&mut first[at.clone()], &mut second[at.clone()]);
            step.apply_to(&mut self.values[at], m, v, gradient);
        }
        self.forget();
    }

    fn forget(&mut self) {
        self.touched.iter().for_each(|&row| self.slots[row as usize] = 0);
        self.touched.clear();
        self.gradients.clear();
    }

    /// What a batch has found: each touched row with its gradient.
    #[cfg(test)]
    pub fn gradients(&self) -> impl Iterator<Item = (u32, &[f32])> {
        self.touched.iter().copied().zip(self.gradients.chunks(self.width))
    }

    /// Writes values and moments into a checkpoint.
    pub fn save(&self, name: &str, state: &mut State) {
        save(name, self.rows(), &self.values, &self.moments, state);
    }

    /// Takes them back.
    pub fn load(&mut self, name: &str, state: &State) -> Result<(), Error> {
        self.forget();
        load(name, &mut self.values, &mut self.moments, state)
    }
}

/// Writes an array and its moments into a checkpoint.
pub fn save(name: &str, rows: usize, values: &[f32], moments: &Moments, state: &mut State) {
    for (suffix, values) in [("", values), (".m", &moments.first), (".v", &moments.second)] {
        state.insert(format!("{name}{suffix}"), Array::rows(rows, values.to_vec()));
    }
}

/// Takes them back.
pub fn load(
    name: &str,
    values: &mut [f32],
    moments: &mut Moments,
    state: &State,
) -> Result<(), Error> {
    restore(state, name, values)?;
    restore(state, &format!("{name}.m"), &mut moments.first)?;
    restore(state, &format!("{name}.v"), &mut moments.second)
}
