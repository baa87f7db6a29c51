//! Measures a fresh graph: how good its estimates are, and how much walks of which breadth find.
//!
//! The queries are made up: a row, moved by half the difference of two of its neighbours. So they lie where
//! rows lie, but are none; a row itself would be found too easily.

use super::build::{Cancelled, OnProgress, Random, Stage, tell};
use super::codes::dot;
use super::curve::{BREADTHS, Curve, doubt, slack};
use super::layout::View;
use super::walk::{Reach, Scratch, walk};
use crate::exact::Exact;
use crate::kernels::Kernels;
use crate::kernels::nibbles::NEIGHBOURS;
use crate::neighbours::{Answer, Neighbours, SearchOptions};
use crate::top::Top;
use crate::vectors::Vectors;

const QUERIES: usize = 256;
/// The recall is that of the ten best.
const K: usize = 10;

pub(super) fn measure(
    vectors: &Vectors<'_>,
    view: &View<'_>,
    seed: u64,
    on_progress: &mut OnProgress<'_>,
) -> Result<Curve, Cancelled> {
    tell(on_progress, Stage::Tuning, 0, QUERIES)?;
    let queries = queries(vectors, view, seed);
    let each: Vec<&[f32]> = queries.chunks(vectors.dimension).collect();
    let options = SearchOptions::default();
    // The queries fit the vectors, so there is always an answer.
    let truths = Exact::new(*vectors).search_batch(&each, K, &options).unwrap_or_default();
    let mut scratch = Scratch::default();
    let (error, sketch_error) = errors(vectors, view, &each, &truths, &mut scratch);
    let mut found = [0usize; BREADTHS.len()];
    for (q, (query, truth)) in each.iter().zip(&truths).enumerate() {
        if q % 16 == 0 {
            tell(on_progress, Stage::Tuning, q, QUERIES)?;
        }
        for (&breadth, found) in BREADTHS.iter().zip(&mut found) {
            let breadth = breadth as usize;
            let (slack, doubt) = (slack(error, breadth), doubt(sketch_error));
            let floor = f32::NEG_INFINITY;
            let reach = Reach { breadth, slack, doubt, floor, within: None };
            let k = K.min(vectors.len());
            let mut top = Top::new(k, &options);
            walk(view, vectors, query, k, reach, &mut top, &mut scratch);
            let candidates = top.into_candidates();
            *found += truth.candidates.iter().filter(|best| candidates.contains(best)).count();
        }
    }
    tell(on_progress, Stage::Tuning, QUERIES, QUERIES)?;
    let all = truths.iter().map(|truth| truth.candidates.len()).sum::<usize>().max(1);
    let recalls = found.map(|found| found as f32 / all as f32);
    Ok(Curve { error, sketch_error, recalls })
}

fn queries(vectors: &Vectors<'_>, view: &View<'_>, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed ^ 0x7475_6e65);
    let mut queries = Vec::with_capacity(QUERIES * vectors.dimension);
    for _ in 0..QUERIES {
        let row = random.below(vectors.len());
        let links = view.block(row as u32).links.map(u32::from_le_bytes);
        queries.extend(query_near(vectors, row, &links, &mut random));
    }
    queries
}

/// A made-up query: a row moved by half the difference of two of these neighbours.
pub(super) fn query_near(
    vectors: &Vectors<'_>,
    row: usize,
    links: &[u32],
    random: &mut Random,
) -> Vec<f32> {
    let mut neighbour = || vectors.row(links[random.below(links.len())] as usize);
    let (one, other) = (neighbour(), neighbour());
    let moved = one.iter().zip(other).map(|(one, other)| (one - other) / 2.0);
    let mut query: Vec<f32> =
        vectors.row(row).iter().zip(moved).map(|(x, moved)| x + moved).collect();
    let norm = dot(&query, &query).sqrt().max(f32::MIN_POSITIVE);
    query.iter_mut().for_each(|x| *x /= norm);
    query
}

/// The root mean square errors of estimates around the best rows, and of sketches of those.
fn errors(
    vectors: &Vectors<'_>,
    view: &View<'_>,
    queries: &[&[f32]],
    truths: &[Answer],
    scratch: &mut Scratch,
) -> (f32, f32) {
    let kernels = Kernels::best();
    let (mut of_estimates, mut of_sketches) = (Squares::default(), Squares::default());
    let mut estimates = [0.0; NEIGHBOURS];
    for (query, truth) in queries.iter().zip(truths) {
        scratch.prepare(kernels, view, query);
        for best in &truth.candidates {
            let block = view.block(best.row);
            let table = scratch.table();
            let similarity = scratch.similarity(kernels, view, vectors, query, best.row);
            of_sketches.add(similarity - best.similarity);
            kernels.estimates(table, block.codes, block.factors, similarity, &mut estimates);
            for (link, estimate) in block.links.iter().zip(estimates) {
                let to = u32::from_le_bytes(*link);
                if to != best.row {
                    of_estimates.add(estimate - vectors.similarity(to, query));
                }
            }
        }
    }
    (of_estimates.root_mean(), of_sketches.root_mean())
}

#[derive(Default)]
struct Squares {
    sum: f64,
    count: usize,
}

impl Squares {
    fn add(&mut self, error: f32) {
        self.sum += f64::from(error).powi(2);
        self.count += 1;
    }

    fn root_mean(&self) -> f32 {
        (self.sum / self.count.max(1) as f64).sqrt().min(1.0) as f32
    }
}
