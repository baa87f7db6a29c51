//! One suite for everything that finds neighbours. The exact scan must pass all of it; whatever comes
//! later must pass [`promises`], and is compared with the scan by its recall.

use crate::naive::{self, Problem, problem};
use lookalike_index::{Candidate, Neighbours, Precision, QueryError, SearchOptions, Segment};
use proptest::prelude::*;

/// What any implementation promises about any answer from a segment.
pub fn promises(neighbours: &dyn Neighbours, problem: &Problem, segment: &Segment<Vec<u8>>) {
    let options = SearchOptions::default();
    for query in problem.queries() {
        let answer = neighbours.search(query, problem.k, &options).unwrap();
        assert!(answer.looked_at <= segment.len());
        for candidate in &answer.candidates {
            assert_eq!(segment.id(candidate.row), Some(candidate.id));
        }
    }
    promises_by_id(neighbours, problem, segment);
}

/// What any implementation promises about any answer, wherever it keeps the vectors that the segment has.
pub fn promises_by_id(neighbours: &dyn Neighbours, problem: &Problem, segment: &Segment<Vec<u8>>) {
    let options = SearchOptions::default();
    for query in problem.queries() {
        let answer = neighbours.search(query, problem.k, &options).unwrap();
        let found = &answer.candidates;
        assert_eq!(found.len(), problem.k.min(segment.len()), "as many as were asked for, or all");
        for pair in found.windows(2) {
            assert!(
                pair[0].similarity > pair[1].similarity
                    || (pair[0].similarity == pair[1].similarity && pair[0].id < pair[1].id),
                "best first, ties by ascending id, none twice: {pair:?}"
            );
        }
        let row = |candidate: &Candidate| segment.row_of(candidate.id).unwrap();
        let rows: Vec<u32> = found.iter().map(row).collect();
        let exact = segment.similarities(query, &rows).unwrap();
        let similarities: Vec<f32> = found.iter().map(|candidate| candidate.similarity).collect();
        assert_eq!(similarities, exact, "the exact similarity of the stored vector");

        assert_eq!(neighbours.search(query, problem.k, &options).unwrap(), answer, "and again");
        let fewer = neighbours.search(query, problem.k / 2, &options).unwrap();
        if answer.exact && fewer.exact {
            assert_eq!(
                fewer.candidates,
                found[..fewer.candidates.len()],
                "fewer are the first of more"
            );
        }
        if let Some(middle) = found.get(found.len() / 2) {
            let options = options.clone().at_least(middle.similarity);
            let above = neighbours.search(query, problem.k, &options).unwrap().candidates;
            assert!(above.iter().all(|candidate| candidate.similarity >= middle.similarity));
            assert!(above.contains(middle), "the threshold itself passes");
        }
    }
    hands_out_every_row_once(neighbours, problem, segment);
    same_alone_in_a_batch_and_on_many_threads(neighbours, problem);
    refuses_bad_queries(neighbours, problem);
}

/// Page after page: first what a search finds, then further, and in the end every row.
fn hands_out_every_row_once(
    neighbours: &dyn Neighbours,
    problem: &Problem,
    segment: &Segment<Vec<u8>>,
) {
    let options = SearchOptions::default();
    for query in problem.queries() {
        let mut pages = neighbours.pages(query, &options).unwrap();
        let search = neighbours.search(query, problem.k, &options).unwrap();
        let mut page = pages.more(problem.k);
        assert_eq!(page.candidates, search.candidates, "first what a search finds");
        assert_eq!(page.exact, search.exact || problem.k == 0);
        let mut all: Vec<Candidate> = Vec::new();
        for count in [1, 5, 60].into_iter().chain(std::iter::repeat(1_000)) {
            assert!(page.candidates.is_sorted_by(|a, b| a.similarity >= b.similarity));
            all.extend(&page.candidates);
            page = pages.more(count);
            if page.candidates.is_empty() {
                break;
            }
        }
        if page.exact {
            let deep = neighbours.search(query, segment.len(), &options.clone().exact()).unwrap();
            assert_eq!(all, deep.candidates, "the answer of a deeper search");
        }
        all.sort_by_key(|candidate| candidate.id);
        assert!(all.iter().map(|candidate| candidate.id).eq(segment.ids()), "every row, once");
        let mut exact = vec![0.0; segment.len()];
        segment.scan(query, &mut exact).unwrap();
        assert!(all.iter().map(|candidate| candidate.similarity).eq(exact));
    }
}

fn same_alone_in_a_batch_and_on_many_threads(neighbours: &dyn Neighbours, problem: &Problem) {
    let options = SearchOptions::default();
    let queries: Vec<&[f32]> = problem.queries().collect();
    let alone: Vec<_> = queries
        .iter()
        .map(|query| neighbours.search(query, problem.k, &options).unwrap())
        .collect();
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let batch =
            pool.install(|| neighbours.search_batch(&queries, problem.k, &options)).unwrap();
        assert_eq!(batch, alone, "{threads} threads");
    }
}

fn refuses_bad_queries(neighbours: &dyn Neighbours, problem: &Problem) {
    let options = SearchOptions::default();
    let long = vec![0.5; problem.dimension + 1];
    let dimension = QueryError::Dimension { expected: problem.dimension, found: long.len() };
    assert_eq!(neighbours.search(&long, 1, &options), Err(dimension.clone()));
    assert_eq!(neighbours.search_batch(&[&long], 1, &options), Err(dimension.clone()));
    assert_eq!(neighbours.pages(&long, &options).unwrap_err(), dimension);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut query = vec![0.0; problem.dimension];
        query[problem.dimension - 1] = bad;
        assert_eq!(neighbours.search(&query, 1, &options), Err(QueryError::NotFinite));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_exact_scan_keeps_the_promises(problem in problem()) {
        for precision in [Precision::F32, Precision::F16] {
            let segment = problem.segment(precision);
            promises(&segment.exact(), &problem, &segment);
        }
    }

    #[test]
    fn the_exact_scan_finds_what_brute_force_finds(problem in problem()) {
        for precision in [Precision::F32, Precision::F16] {
            let segment = problem.segment(precision);
            let mut all = vec![f32::NAN; segment.len()];
            for query in problem.queries() {
                let answer = segment.exact().search(query, problem.k, &SearchOptions::default()).unwrap();
                prop_assert!(answer.exact);
                prop_assert_eq!(answer.looked_at, segment.len());
                let truth = naive::similarities(&segment, query);
                segment.scan(query, &mut all).unwrap();
                for (found, true_one) in all.iter().zip(&truth) {
                    prop_assert!((f64::from(*found) - true_one).abs() < 1e-5);
                }
                // f32 may swap what f64 can only just tell apart; beyond that, none may be missed.
                let kept: Vec<u32> = answer.candidates.iter().map(|candidate| candidate.row).collect();
                let worst = kept.iter().map(|&row| truth[row as usize]).fold(f64::INFINITY, f64::min);
                for (row, similarity) in truth.iter().enumerate() {
                    prop_assert!(kept.contains(&(row as u32)) || problem.k == 0 || *similarity < worst + 1e-5);
                }
            }
        }
    }
}

#[test]
fn equal_vectors_are_told_apart_by_their_ids() {
    let vector = [0.6, 0.8];
    let problem =
        Problem { dimension: 2, k: 3, ids: vec![3, 5, 900, 70_000], components: vector.repeat(4) };
    let segment = problem.segment(Precision::F16);
    let answer = segment.exact().search(&vector, 3, &SearchOptions::default()).unwrap();
    assert_eq!(answer.candidates.iter().map(|c| c.id).collect::<Vec<_>>(), [3, 5, 900]);
}

#[test]
fn many_rows_give_the_same_bits_on_any_number_of_threads() {
    // Several blocks, the last one cut short, and more queries than share a pass.
    let problem = Problem::drawn(20_011, 24);
    let segment = problem.segment(Precision::F16);
    promises(&segment.exact(), &problem, &segment);
    let queries: Vec<&[f32]> = problem.components.chunks(24).take(300).collect();
    let batch = segment.exact().search_batch(&queries, 3, &SearchOptions::default()).unwrap();
    for (query, (id, answer)) in queries.iter().zip(problem.ids.iter().zip(&batch)) {
        assert_eq!(answer.candidates[0].id, *id, "each is its own neighbour");
        assert_eq!(*answer, segment.exact().search(query, 3, &SearchOptions::default()).unwrap());
    }
}

#[test]
fn a_hand_computed_case() {
    let components = vec![1.0, 0.0, 0.0, 1.0, -1.0, 0.0];
    let segment =
        Problem { dimension: 2, k: 3, ids: vec![10, 20, 30], components }.segment(Precision::F32);
    let answer = segment.exact().search(&[0.5, 0.25], 9, &SearchOptions::default()).unwrap();
    let found: Vec<_> = answer.candidates.iter().map(|c| (c.row, c.id, c.similarity)).collect();
    assert_eq!(found, [(0, 10, 0.5), (1, 20, 0.25), (2, 30, -0.5)]);
    assert_eq!(segment.similarities(&[0.5, 0.25], &[2, 0, 2]).unwrap(), [-0.5, 0.5, -0.5]);
    assert_eq!(
        segment.similarities(&[0.5, 0.25], &[0, 3]),
        Err(QueryError::NoSuchRow { row: 3, rows: 3 })
    );
    assert_eq!(
        segment.scan(&[0.5, 0.25], &mut [0.0; 2]),
        Err(QueryError::OutputLength { expected: 3, found: 2 })
    );
}
