//! How fast the scan is: in cache, where the kernels decide, and out of it, where memory does.
//!
//! `cargo bench -p lookalike-index [-- FILTER]`. Each line is the best of several rounds, by wall clock: run it
//! on a quiet machine. `tools/bench scan` compares with other engines, and by CPU time.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use lookalike_index::{Neighbours, Precision, SearchOptions, Segment, SegmentWriter, kernels};

fn main() -> Result<(), Box<dyn Error>> {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    println!("kernels: {}", kernels());
    let folder = tempfile::tempdir()?;
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    for dimension in [384, 768, 2048] {
        for precision in [Precision::F32, Precision::F16] {
            // 64 rows stay in the second cache; 256 MiB stay in none.
            for rows in [64, (256 << 20) / (dimension * precision.bits() as usize / 8)] {
                let name = format!("{rows}x{dimension} {precision:?}");
                if wanted.as_ref().is_some_and(|wanted| !name.contains(wanted.as_str())) {
                    continue;
                }
                let path = folder.path().join(&name);
                let queries = write(&path, rows, dimension, precision)?;
                let segment = Segment::open(&path)?;
                one.install(|| measure(&format!("{name}, one thread"), &segment, &queries));
                if rows > 64 {
                    measure(&format!("{name}, all threads"), &segment, &queries);
                }
            }
        }
    }
    Ok(())
}

/// Writes a segment of pseudo-random vectors, and gives back the first hundred or fewer.
fn write(
    path: &std::path::Path,
    rows: usize,
    dimension: usize,
    precision: Precision,
) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
    let mut writer = SegmentWriter::create(path, dimension, precision, b"")?;
    let mut queries = Vec::new();
    let mut state = 1u64;
    for row in 0..rows {
        let mut component = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        let vector: Vec<f32> = (0..dimension).map(|_| component()).collect();
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        let vector: Vec<f32> = vector.iter().map(|x| x / norm).collect();
        writer.push(row as u32, &vector)?;
        if row < 100 {
            queries.push(vector);
        }
    }
    writer.finish()?;
    Ok(queries)
}

fn measure(name: &str, segment: &Segment, queries: &[Vec<f32>]) {
    let exact = segment.exact();
    let options = SearchOptions::default();
    let queries: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
    let bytes =
        (segment.len() * segment.dimension() * segment.precision().bits() as usize / 8) as f64;

    let single = best_of(|| exact.search(queries[0], 10, &options));
    let rate = bytes / single.as_secs_f64() / 1e9;
    println!("{name:40} search       {single:>12.3?}  {rate:6.1} GB/s");

    let batch = best_of(|| exact.search_batch(&queries, 10, &options));
    let products = (segment.len() * segment.dimension() * queries.len()) as f64;
    let rate = 2.0 * products / batch.as_secs_f64() / 1e9;
    println!("{name:40} batch of {:3} {batch:>12.3?}  {rate:6.1} GFLOP/s", queries.len());
}

/// The best of as many rounds as fit into half a second, and of three at least.
fn best_of<T>(mut work: impl FnMut() -> T) -> Duration {
    let begin = Instant::now();
    let mut best = Duration::MAX;
    let mut rounds = 0;
    while rounds < 3 || begin.elapsed() < Duration::from_millis(500) {
        let start = Instant::now();
        black_box(work());
        best = best.min(start.elapsed());
        rounds += 1;
    }
    best
}
