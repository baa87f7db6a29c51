//! Several segments searched as one, held to what one segment of their live rows answers.

use std::sync::Arc;

use lookalike_index::{
    Answer, Error, Fault, GraphOptions, Neighbours, Precision, QueryError, RowSet, SearchOptions,
    Segment, SegmentWriter, Shelf,
};
use proptest::prelude::*;

use crate::conformance::promises_by_id;
use crate::naive::{Problem, problem};

/// Which part of a shelf a row lives in, and in which others it lies dead.
#[derive(Debug, Clone)]
struct Place {
    alive: usize,
    dead: [bool; 4],
}

fn place() -> impl Strategy<Value = Place> {
    (0usize..4, any::<[bool; 4]>()).prop_map(|(alive, dead)| Place { alive, dead })
}

/// A shelf of four parts with the problem's vectors. Dead rows hold other vectors than live ones.
fn shelf(
    problem: &Problem,
    places: &[Place],
    precision: Precision,
    graph: &GraphOptions,
) -> Shelf<Vec<u8>> {
    let vectors: Vec<&[f32]> = problem.components.chunks(problem.dimension).collect();
    let part = |part: usize| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part");
        let mut writer =
            SegmentWriter::create(&path, problem.dimension, precision, b"label").unwrap();
        let mut dead = RowSet::default();
        for (i, (&id, place)) in problem.ids.iter().zip(places).enumerate() {
            if place.alive == part {
                writer.push(id, vectors[i]).unwrap();
            } else if place.dead[part] {
                dead.insert(writer.len() as u32);
                writer.push(id, vectors[(i * 7 + 3) % vectors.len()]).unwrap();
            }
        }
        writer.finish_with_graph(graph, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
        (Segment::from_bytes(std::fs::read(path).unwrap()).unwrap(), dead)
    };
    let shelf = Shelf::new(problem.dimension, (0..4).map(part)).unwrap();
    shelf.verify().unwrap();
    shelf
}

fn scattered(problem: &Problem) -> Vec<Place> {
    let place = |i: usize| Place {
        // Most are in the first part, as where a collection has grown.
        alive: [0, 0, 0, 1, 0, 2, 0, 0, 3, 0][i * 31 % 10],
        dead: [i.is_multiple_of(3), i.is_multiple_of(7), i.is_multiple_of(5), false],
    };
    (0..problem.ids.len()).map(place).collect()
}

fn found(answer: &Answer) -> Vec<(u32, f32)> {
    answer.candidates.iter().map(|found| (found.id, found.similarity)).collect()
}

/// The rows of these ids, for a segment that has no dead rows.
fn rows(segment: &Segment<Vec<u8>>, ids: &RowSet) -> Arc<RowSet> {
    Arc::new(ids.iter().filter_map(|id| segment.row_of(id)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn answers_as_one_segment_of_the_live_rows(
        mut problem in problem(),
        places in prop::collection::vec(place(), 60),
        (first, step) in (0u32..200, 1u32..4),
        wanted: [u64; 8],
    ) {
        // Close together, so that sets of ids stay small; with no gap or with some.
        problem.ids = (0..problem.ids.len() as u32).map(|row| first + row * step).collect();
        for precision in [Precision::F32, Precision::F16] {
            let whole = problem.segment(precision);
            let shelf = shelf(&problem, &places, precision, &GraphOptions::default());
            promises_by_id(&shelf, &problem, &whole);
            prop_assert_eq!(shelf.len(), whole.len());
            prop_assert!(shelf.ids().eq(whole.ids()));
            prop_assert!(shelf.vectors().map(|(_, vector)| vector).eq((0..).map_while(|row| whole.vector(row))));
            let ids: RowSet = (0..512).filter(|id| wanted[id / 64] >> (id % 64) & 1 == 1).map(|id| id as u32).collect();
            for id in 0..first + 200 {
                prop_assert_eq!(shelf.place_of(id), whole.row_of(id).map(|row| row as usize));
                prop_assert_eq!(shelf.contains(id), whole.row_of(id).is_some());
                prop_assert_eq!(shelf.vector(id), whole.row_of(id).and_then(|row| whole.vector(row)));
            }
            for query in problem.queries() {
                let (mut all, mut truth) = (vec![0.0; shelf.len()], vec![0.0; whole.len()]);
                shelf.scan(query, &mut all).unwrap();
                whole.scan(query, &mut truth).unwrap();
                prop_assert_eq!(&all, &truth);
                let asked: Vec<u32> = ids.iter().collect();
                let some = shelf.similarities(query, &asked).unwrap();
                let expected = asked.iter().map(|&id| whole.row_of(id).map(|row| truth[row as usize]));
                prop_assert!(some.into_iter().eq(expected));
                for options in [SearchOptions::default(), SearchOptions::default().within(Arc::new(ids.clone()))] {
                    let answer = shelf.search(query, problem.k, &options).unwrap();
                    let options = match options.within {
                        Some(_) => options.within(rows(&whole, &ids)),
                        None => options,
                    };
                    let truth = whole.exact().search(query, problem.k, &options).unwrap();
                    prop_assert_eq!(found(&answer), found(&truth));
                    prop_assert!(answer.exact);
                }
            }
        }
    }
}

#[test]
fn graphs_and_scans_work_together() {
    let problem = Problem::drawn(6_000, 16);
    let places = scattered(&problem);
    let shelf = shelf(&problem, &places, Precision::F16, &GraphOptions::default());
    let graphs: Vec<bool> = shelf.parts().iter().map(|p| p.segment().graph().is_some()).collect();
    assert!(shelf.has_graph() && graphs.contains(&false), "{graphs:?}");
    let whole = problem.segment(Precision::F16);
    promises_by_id(&shelf, &problem, &whole);
    let (mut hit, mut all) = (0, 0);
    for query in problem.components.chunks(16).step_by(97) {
        // Of many, of some, of a few and of one, each with ids that are nowhere.
        for step in [1, 2, 40, 900, 7_000] {
            let ids: RowSet = (0..14_000).step_by(step).map(|id| id + 1).collect();
            let within = rows(&whole, &ids);
            let expected = 12.min(within.len());
            let options = SearchOptions::default().breadth(100);
            let answer = shelf.search(query, 12, &options.clone().within(ids.into())).unwrap();
            let truth = whole.exact().search(query, 12, &options.within(within)).unwrap();
            assert_eq!(answer.candidates.len(), expected, "{step}");
            hit += found(&truth).iter().filter(|best| found(&answer).contains(best)).count();
            all += expected;
        }
        let exact = SearchOptions::default().exact();
        let answer = shelf.search(query, 12, &exact).unwrap();
        let truth = whole.exact().search(query, 12, &exact).unwrap();
        assert_eq!((found(&answer), answer.exact), (found(&truth), true));
    }
    assert!(hit as f64 > 0.98 * all as f64, "{hit} of {all}");
}

#[test]
fn a_hand_computed_case() {
    let east = [1.0, 0.0];
    let (north, both) = ([0.0, 1.0], [0.6, 0.8]);
    let part = |ids: &[u32], vectors: &[[f32; 2]]| {
        let (ids, components) = (ids.to_vec(), vectors.concat());
        Problem { dimension: 2, k: 2, ids, components }.segment(Precision::F32)
    };
    let old = part(&[3, 5, 9], &[east, north, north]);
    let new = part(&[1, 5], &[north, both]);
    let dead: RowSet = [1].into_iter().collect();
    let shelf = Shelf::new(2, [(old, dead), (new, RowSet::default())]).unwrap();
    assert_eq!((shelf.len(), shelf.parts()[0].dead()), (4, 1));
    assert!(shelf.ids().eq([1, 3, 5, 9]));
    let mut all = [0.0; 4];
    shelf.scan(&[0.5, 1.0], &mut all).unwrap();
    assert_eq!(all, [1.0, 0.5, 0.3 + 0.8, 1.0]);
    let answer = shelf.search(&[0.5, 1.0], 3, &SearchOptions::default()).unwrap();
    assert_eq!(found(&answer), [(5, 0.3 + 0.8), (1, 1.0), (9, 1.0)]);
    assert_eq!(shelf.similarities(&[1.0, 0.0], &[9, 4, 5]).unwrap(), [Some(0.0), None, Some(0.6)]);
    assert_eq!(
        shelf.scan(&[0.5, 1.0], &mut [0.0; 5]),
        Err(QueryError::OutputLength { expected: 4, found: 5 })
    );
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let three = Problem::drawn(5, 3).segment(Precision::F16);
    let refused = Shelf::new(2, [(three, RowSet::default())]).unwrap_err();
    assert!(matches!(refused, Error::Mismatch { expected: 2, found: 3, .. }));
    let same = || (Problem::drawn(5, 3).segment(Precision::F16), RowSet::default());
    let twice = Shelf::new(3, [same(), same()]).unwrap().verify().unwrap_err();
    assert!(matches!(twice, Error::Corrupted { fault: Fault::AliveTwice(1), .. }));
}

#[test]
fn an_empty_shelf_answers_with_nothing() {
    let shelf = Shelf::<Vec<u8>>::new(2, []).unwrap();
    assert!(shelf.is_empty() && !shelf.has_graph() && shelf.ids().next().is_none());
    let answer = shelf.search(&[1.0, 0.0], 3, &SearchOptions::default()).unwrap();
    assert!(answer.candidates.is_empty() && answer.exact);
    let refused = shelf.search(&[1.0], 3, &SearchOptions::default());
    assert_eq!(refused, Err(QueryError::Dimension { expected: 2, found: 1 }));
    let queries: [&[f32]; 2] = [&[1.0, 0.0]; 2];
    assert_eq!(shelf.search_batch(&queries, 3, &SearchOptions::default()).unwrap().len(), 2);
}
