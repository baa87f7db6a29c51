//! The graph against the scan: what it finds, what it promises, and that it is the same whoever builds it.

use std::ops::ControlFlow;
use std::sync::Arc;

use lookalike_index::{
    Builder, GraphOptions, Neighbours, Precision, RowSet, Scratch, SearchOptions, Segment,
    SegmentWriter, Stage, WriteError,
};

use crate::conformance::promises;
use crate::naive::Problem;

/// Rows in clusters along a few axes, as embeddings are: noise alone has no neighbours worth the name.
pub fn clustered(rows: usize, dimension: usize) -> Problem {
    let mut problem = Problem::drawn(rows, dimension);
    let centres = Problem::drawn(rows.div_ceil(40), dimension).components;
    for (row, vector) in problem.components.chunks_mut(dimension).enumerate() {
        let centre = &centres[row * 7919 % rows / 40 * dimension..][..dimension];
        for (x, c) in vector.iter_mut().zip(centre) {
            *x = *x * 0.6 + c;
        }
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|x| *x /= norm);
    }
    problem
}

pub fn with_graph(problem: &Problem, precision: Precision, options: &GraphOptions) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("segment");
    let mut writer = SegmentWriter::create(&path, problem.dimension, precision, b"label").unwrap();
    for (id, vector) in problem.ids.iter().zip(problem.components.chunks(problem.dimension)) {
        writer.push(*id, vector).unwrap();
    }
    writer.finish_with_graph(options, &mut |_| ControlFlow::Continue(())).unwrap();
    std::fs::read(path).unwrap()
}

pub fn segment(problem: &Problem, options: &GraphOptions) -> Segment<Vec<u8>> {
    let segment = Segment::from_bytes(with_graph(problem, Precision::F16, options)).unwrap();
    segment.verify().unwrap();
    segment
}

/// Vectors near the rows, none of which is one.
pub fn queries(problem: &Problem, count: usize) -> Vec<Vec<f32>> {
    let rows: Vec<&[f32]> = problem.components.chunks(problem.dimension).collect();
    let between = |i: usize| {
        let (one, other) = (rows[i * 31 % rows.len()], rows[i * 57 % rows.len()]);
        one.iter().zip(other).map(|(a, b)| a + 0.2 * b).collect()
    };
    (1..=count).map(between).collect()
}

/// The part of the best that is found.
fn recall(
    segment: &Segment<Vec<u8>>,
    queries: &[Vec<f32>],
    k: usize,
    options: &SearchOptions,
) -> f64 {
    let graph = segment.graph().unwrap();
    let (mut found, mut all) = (0, 0);
    for query in queries {
        let answer = graph.search(query, k, options).unwrap();
        assert!(!answer.exact, "the walk is what is tested");
        let truth = graph.search(query, k, &options.clone().exact()).unwrap();
        assert!(truth.exact);
        found += truth.candidates.iter().filter(|best| answer.candidates.contains(best)).count();
        all += truth.candidates.len();
    }
    found as f64 / all as f64
}

#[test]
fn keeps_the_promises_and_finds_nearly_all() {
    for dimension in [5, 24, 100] {
        let problem = clustered(6_000, dimension);
        let segment = segment(&problem, &GraphOptions::default());
        let graph = segment.graph().unwrap();
        promises(&graph, &problem, &segment);
        let queries = queries(&problem, 200);
        let narrow = recall(&segment, &queries, 10, &SearchOptions::default().breadth(20));
        let wide = recall(&segment, &queries, 10, &SearchOptions::default().breadth(128));
        assert!(wide > 0.98 && wide >= narrow, "{dimension}: {narrow} {wide}");
        let curve: Vec<_> = graph.curve().collect();
        assert!(curve.last().unwrap().recall > 0.98, "{curve:?}");
        assert!(recall(&segment, &queries, 10, &SearchOptions::default().recall(0.95)) > 0.9);
    }
}

#[test]
fn walks_look_at_few_rows() {
    let problem = clustered(8_000, 32);
    let segment = segment(&problem, &GraphOptions::default());
    for query in queries(&problem, 20) {
        let options = SearchOptions::default().breadth(40);
        let answer = segment.graph().unwrap().search(&query, 10, &options).unwrap();
        assert!(answer.looked_at < 400, "{}", answer.looked_at);
    }
}

#[test]
fn the_same_bytes_on_any_number_of_threads() {
    let problem = clustered(2_500, 20);
    let bytes = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| with_graph(&problem, Precision::F16, &GraphOptions::default()))
    };
    let one = bytes(1);
    assert!(one == bytes(2) && one == bytes(5));
    assert!(one != with_graph(&problem, Precision::F16, &GraphOptions::default().seed(2)));
}

#[test]
fn a_filter_keeps_the_recall_and_the_number() {
    let problem = clustered(8_000, 24);
    let segment = segment(&problem, &GraphOptions::default());
    let graph = segment.graph().unwrap();
    let queries = queries(&problem, 60);
    for step in [2, 5, 40, 3_000] {
        let within: Arc<RowSet> = Arc::new((0..8_000).step_by(step).collect());
        let options = SearchOptions::default().breadth(48).within(within.clone());
        for query in &queries {
            let answer = graph.search(query, 20, &options).unwrap();
            assert_eq!(answer.candidates.len(), 20.min(within.len()));
            assert!(answer.candidates.iter().all(|found| within.contains(found.row)));
            let truth = segment.exact().search(query, 20, &options).unwrap();
            assert_eq!(truth.candidates.len(), 20.min(within.len()));
            if answer.exact {
                assert_eq!(answer.candidates, truth.candidates);
            }
        }
        let few = graph.search(&queries[0], 20, &options).unwrap().exact;
        assert_eq!(few, step > 2, "few rows are scanned, many are walked");
    }
    let half: Arc<RowSet> = Arc::new((0..8_000).step_by(2).collect());
    let options = SearchOptions::default().breadth(48).within(half);
    assert!(recall(&segment, &queries, 10, &options) > 0.95);
    // None at all, and rows that are not there.
    for rows in [RowSet::default(), [9_000, 70_000].into_iter().collect()] {
        let options = SearchOptions::default().within(Arc::new(rows));
        assert!(graph.search(&queries[0], 5, &options).unwrap().candidates.is_empty());
    }
}

#[test]
fn equal_rows_do_not_hide_the_others() {
    // Fifty rows are one and the same vector: more than a row has links.
    let mut problem = clustered(3_000, 16);
    let same = problem.components[..16].to_vec();
    for vector in problem.components.chunks_mut(16).step_by(60) {
        vector.copy_from_slice(&same);
    }
    let segment = segment(&problem, &GraphOptions::default());
    let others: RowSet = (0..3_000).filter(|row| row % 60 > 0).collect();
    let options = SearchOptions::default().breadth(64).within(Arc::new(others));
    let elsewhere: Vec<Vec<f32>> = queries(&problem, 90)
        .into_iter()
        .filter(|query| {
            let best = segment.exact().search(query, 1, &SearchOptions::default()).unwrap();
            best.candidates[0].row % 60 > 0
        })
        .collect();
    assert!(elsewhere.len() > 30);
    assert!(recall(&segment, &elsewhere, 5, &options) > 0.9);
    let wide = SearchOptions::default().breadth(128);
    let answer = segment.graph().unwrap().search(&same, 50, &wide).unwrap();
    let equal = answer.candidates.iter().filter(|found| found.row % 60 == 0).count();
    assert!(equal >= 40, "{equal} of 50");
}

#[test]
fn a_scratch_serves_one_segment_after_another() {
    let (small, large) = (clustered(2_200, 8), clustered(4_000, 30));
    let segments = [small, large].map(|problem| {
        let segment = segment(&problem, &GraphOptions::default());
        (problem, segment)
    });
    let mut scratch = Scratch::default();
    let options = SearchOptions::default().breadth(30);
    for _ in 0..2 {
        for (problem, segment) in &segments {
            let graph = segment.graph().unwrap();
            for query in queries(problem, 5) {
                let answer = graph.search_with(&mut scratch, &query, 7, &options).unwrap();
                assert_eq!(answer, graph.search(&query, 7, &options).unwrap());
                // Twice the query is the same question.
                let twice: Vec<f32> = query.iter().map(|x| x * 2.0).collect();
                let rows = |query: &[f32]| -> Vec<u32> {
                    let answer = graph.search(query, 7, &options).unwrap();
                    answer.candidates.iter().map(|found| found.row).collect()
                };
                assert_eq!(rows(&twice), rows(&query));
            }
        }
    }
}

#[test]
fn hnsw_rs_builds_too() {
    let problem = clustered(2_500, 24);
    let options = GraphOptions::default().builder(Builder::HnswRs).breadth(100);
    let segment = segment(&problem, &options);
    let wide = SearchOptions::default().breadth(100);
    assert!(recall(&segment, &queries(&problem, 100), 10, &wide) > 0.97);
    assert!(
        with_graph(&problem, Precision::F16, &options)
            == with_graph(&problem, Precision::F16, &options)
    );
}

#[test]
fn any_number_of_rows_will_do() {
    for builder in [Builder::Batches, Builder::HnswRs] {
        for rows in [0, 1, 2, 3, 33, 70] {
            let problem = Problem::drawn(rows, 3);
            let options = GraphOptions::default().from_rows(0).builder(builder);
            let segment = segment(&problem, &options);
            assert_eq!(segment.graph().is_some(), rows > 0);
            promises(&*segment.neighbours(), &problem, &segment);
        }
    }
    let few = segment(&Problem::drawn(100, 3), &GraphOptions::default());
    assert!(few.graph().is_none(), "so few are scanned as fast");
}

#[test]
fn a_cancelled_build_leaves_nothing() {
    let problem = clustered(2_100, 8);
    for stage in [Stage::Linking, Stage::Coding, Stage::Tuning] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segment");
        let mut writer = SegmentWriter::create(&path, 8, Precision::F16, b"").unwrap();
        for (id, vector) in problem.ids.iter().zip(problem.components.chunks(8)) {
            writer.push(*id, vector).unwrap();
        }
        let outcome = writer.finish_with_graph(&GraphOptions::default(), &mut |progress| {
            assert!(progress.done <= progress.total);
            match progress.stage == stage && progress.done * 2 >= progress.total {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        assert!(matches!(outcome, Err(WriteError::Cancelled { .. })), "{stage:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

/// Turns a vector of at most 128 components as FORMAT.md says, by the matrix.
fn turned_by_the_book(signs: &[u8], vector: &[f32], width: usize) -> Vec<f64> {
    assert_eq!(width, 128, "then a run is all there is");
    let mut values: Vec<f64> = vector.iter().map(|x| f64::from(*x)).collect();
    values.resize(width, 0.0);
    for signs in signs.chunks(width / 8) {
        let sign = |minus: bool| if minus { -1.0 } else { 1.0 };
        let flipped: Vec<f64> =
            (0..width).map(|i| sign(signs[i / 8] >> (i % 8) & 1 == 1) * values[i]).collect();
        let entry = |i: usize, j: usize| sign((i & j).count_ones() % 2 == 1);
        values = (0..width)
            .map(|i| {
                (0..width).map(|j| entry(i, j) * flipped[j]).sum::<f64>() / (width as f64).sqrt()
            })
            .collect();
    }
    values
}

/// Reads a graph as FORMAT.md says, in `f64` and without the crate, and estimates all neighbours of a row:
/// (neighbour, estimate) of each.
fn estimates_by_the_book(
    section: &[u8],
    segment: &Segment<Vec<u8>>,
    query: &[f32],
    row: usize,
) -> Vec<(u32, f64)> {
    let number = |at: usize| u32::from_le_bytes(section[at..at + 4].try_into().unwrap()) as usize;
    let single = |at: usize| f64::from(f32::from_le_bytes(section[at..at + 4].try_into().unwrap()));
    let short = |at: usize| u16::from_le_bytes(section[at..at + 2].try_into().unwrap());
    let half = |at: usize| half::f16::from_bits(short(at)).to_f64();
    let (slots, axes, dimension) = (number(12), number(16), query.len());
    assert_eq!(number(20), 0, "so short a row has no sketch");
    let (points, units, width) = (64, 64 + 64 * axes, dimension.next_multiple_of(128));
    let (signs, directions) = (units + 4 * axes, units + 4 * axes + width / 4);
    let starts = directions + axes * width;
    let blocks = (starts + 2 * (slots + 1)).next_multiple_of(64);
    let block = blocks + row * (256 + 16 * slots);
    let turned = turned_by_the_book(&section[signs..directions], query, width);
    let dot = |x: &[f32]| -> f64 { x.iter().zip(query).map(|(x, q)| f64::from(x * q)).sum() };
    let centre = dot(&segment.vector(row as u32).unwrap());
    let estimate = |n: usize| {
        let mut sum = 0.0;
        for slot in 0..slots {
            let code = section[block + 256 + 16 * slot + n % 16] >> (4 * (n / 16)) & 15;
            for axis in short(starts + 2 * slot)..short(starts + 2 * slot + 2) {
                let axis = usize::from(axis);
                let component = |d: usize| f64::from(section[directions + axis * width + d] as i8);
                let along: f64 = (0..width).map(|d| component(d) * turned[d]).sum();
                let along = along * single(units + 4 * axis);
                sum += along * single(points + 64 * axis + 4 * usize::from(code));
            }
        }
        let (scale, offset) = (half(block + 128 + 2 * n), half(block + 192 + 2 * n));
        (number(block + 4 * n) as u32, centre + offset + scale * sum)
    };
    (0..32).map(estimate).collect()
}

#[test]
fn codes_mean_what_the_format_says() {
    let problem = clustered(3_000, 24);
    let bytes = with_graph(&problem, Precision::F16, &GraphOptions::default());
    let at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    assert_eq!(&bytes[160..164], b"GRPH");
    let section = bytes[at(168)..at(168) + at(176)].to_vec();
    let curve = section.len() - 64;
    let stated = f32::from_le_bytes(section[curve..curve + 4].try_into().unwrap());
    let segment = Segment::from_bytes(bytes).unwrap();
    let (mut squares, mut spread, mut count) = (0.0, 0.0, 0.0);
    for (i, query) in queries(&problem, 20).iter_mut().enumerate() {
        let norm = query.iter().map(|x| x * x).sum::<f32>().sqrt();
        query.iter_mut().for_each(|x| *x /= norm);
        let row = segment.exact().search(query, 5, &SearchOptions::default()).unwrap().candidates
            [i % 5]
            .row;
        let centre = segment.similarities(query, &[row]).unwrap()[0];
        for (to, estimate) in estimates_by_the_book(&section, &segment, query, row as usize) {
            let truth = f64::from(segment.similarities(query, &[to]).unwrap()[0]);
            squares += (estimate - truth).powi(2);
            spread += (f64::from(centre) - truth).powi(2);
            count += 1.0;
        }
    }
    let (error, spread): (f64, f64) = ((squares / count).sqrt(), (spread / count).sqrt());
    assert!(error < spread / 4.0, "{error} of {spread}");
    assert!((0.5..2.0).contains(&(error / f64::from(stated))), "{error} against {stated}");
}

#[test]
fn old_graphs_are_read_for_ever_and_the_newest_is_written_again() {
    let golden = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/golden/segment/");
        std::fs::read(folder.to_owned() + name).unwrap()
    };
    let problem = Problem::drawn(40, 4);
    for name in ["version-1-graph.seg", "version-1-graph-2.seg"] {
        let segment = Segment::from_bytes(golden(name)).unwrap();
        segment.verify().unwrap();
        promises(&segment.graph().unwrap(), &problem, &segment);
    }
    let bytes = golden("version-1-graph-2.seg");
    let options = GraphOptions::default().from_rows(0);
    // But for the curve at the end and the checksums, which change with how a walk is led.
    let again = with_graph(&problem, Precision::F16, &options);
    assert_eq!(again.len(), bytes.len());
    let body = 192..bytes.len() - 64;
    assert!(again[body.clone()] == bytes[body], "the same bytes as ever, on any machine");
}

#[test]
fn rows_with_sketches_are_found_exactly() {
    let problem = clustered(2_100, 1_024);
    let segment = segment(&problem, &GraphOptions::default());
    promises(&segment.graph().unwrap(), &problem, &segment);
    let wide = SearchOptions::default().breadth(100);
    assert!(recall(&segment, &queries(&problem, 50), 10, &wide) > 0.97);
}
