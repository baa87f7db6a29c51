//! Our side of `tools/bench scan`.
//!
//! `scan_worker build VECTORS ROWS DIMENSION f32|f16 SEGMENT` writes a segment from raw `f32` vectors.
//! `scan_worker serve SEGMENT QUERIES` opens one, says so, and then answers each line on stdin with one on stdout:
//!
//! - `search THREADS BATCH COUNT`: finds the ten nearest of `COUNT` queries, `BATCH` at a time;
//! - `answers COUNT`: the same, and prints them as `[[ids, similarities], ...]`.
//!
//! `scan_worker memory BYTES` answers `search THREADS BATCH COUNT` by reading so many bytes `COUNT` times: as fast
//! as anything could. The driver holds the clocks, so that they are the same for all.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufReader, Read, Write, stdin, stdout};
use std::time::Instant;

use lookalike_index::{
    Answer, Neighbours, Precision, SearchOptions, Segment, SegmentWriter, kernels,
};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::json;

type Outcome = Result<(), Box<dyn Error>>;

/// As many as a page of hits shows.
const K: usize = 10;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["build", vectors, rows, dimension, precision, segment] => {
            build(vectors, rows.parse()?, dimension.parse()?, precision, segment)
        }
        ["serve", segment, queries] => serve(segment, queries),
        ["memory", bytes] => memory(bytes.parse()?),
        _ => Err("scan_worker build|serve|memory ...: see the top of its source".into()),
    }
}

fn build(vectors: &str, rows: u32, dimension: usize, precision: &str, segment: &str) -> Outcome {
    let precision = match precision {
        "f32" => Precision::F32,
        "f16" => Precision::F16,
        other => return Err(format!("{other} is neither f32 nor f16").into()),
    };
    let mut vectors = BufReader::new(File::open(vectors)?);
    let mut row = vec![0; dimension * 4];
    let mut writer = SegmentWriter::create(segment, dimension, precision, b"bench")?;
    for id in 0..rows {
        vectors.read_exact(&mut row)?;
        writer.push(id, &floats(&row))?;
    }
    Ok(writer.finish()?)
}

fn serve(segment: &str, queries: &str) -> Outcome {
    let queries = floats(&std::fs::read(queries)?);
    let start = Instant::now();
    let segment = Segment::open(segment)?;
    let opened = start.elapsed();
    let queries: Vec<&[f32]> = queries.chunks(segment.dimension()).collect();
    say(&json!({"open_ms": opened.as_secs_f64() * 1e3, "kernels": kernels()}))?;
    converse(|pool, request| {
        let exact = segment.exact();
        let options = SearchOptions::default();
        let search = |queries: &[&[f32]]| match queries {
            [query] => exact.search(query, K, &options).map(|answer| vec![answer]),
            queries => exact.search_batch(queries, K, &options),
        };
        match request {
            Request::Search { batch, count } => {
                for batch in repeat(&queries, count).chunks(batch) {
                    black_box(pool.install(|| search(batch))?);
                }
                Ok(json!({}))
            }
            Request::Answers { count } => {
                let pair = |answer: Answer| {
                    answer
                        .candidates
                        .iter()
                        .map(|c| (c.id, c.similarity))
                        .unzip::<_, _, Vec<_>, Vec<_>>()
                };
                let answers = pool.install(|| search(&repeat(&queries, count)))?;
                Ok(json!(answers.into_iter().map(pair).collect::<Vec<_>>()))
            }
        }
    })
}

fn memory(bytes: usize) -> Outcome {
    let words: Vec<u64> = (0..bytes as u64 / 8).collect();
    say(&json!({}))?;
    converse(|pool, request| {
        let Request::Search { count, .. } = request else { return Err("nothing to answer".into()) };
        for _ in 0..count {
            let sum = |words: &[u64]| words.iter().fold(0, |sum, word| sum ^ word);
            black_box(
                pool.install(|| words.par_chunks(1 << 15).map(sum).reduce(|| 0, |a, b| a ^ b)),
            );
        }
        Ok(json!({}))
    })
}

/// What the driver asks for.
enum Request {
    Search { batch: usize, count: usize },
    Answers { count: usize },
}

/// Answers line by line until the driver hangs up.
fn converse(
    answer: impl Fn(&ThreadPool, Request) -> Result<serde_json::Value, Box<dyn Error>>,
) -> Outcome {
    let mut pools: HashMap<usize, ThreadPool> = HashMap::new();
    for line in stdin().lines() {
        let line = line?;
        let (threads, request) = match line.split(' ').collect::<Vec<_>>()[..] {
            ["search", threads, batch, count] => {
                (threads.parse()?, Request::Search { batch: batch.parse()?, count: count.parse()? })
            }
            ["answers", count] => (0, Request::Answers { count: count.parse()? }),
            _ => return Err(format!("no such request: {line}").into()),
        };
        let pool = match pools.entry(threads) {
            Entry::Occupied(pool) => pool.into_mut(),
            Entry::Vacant(free) => {
                free.insert(ThreadPoolBuilder::new().num_threads(threads).build()?)
            }
        };
        say(&answer(pool, request)?)?;
    }
    Ok(())
}

/// The first `count` queries, over and over if there are fewer.
fn repeat<'a>(queries: &[&'a [f32]], count: usize) -> Vec<&'a [f32]> {
    queries.iter().cycle().take(count).copied().collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|x| f32::from_le_bytes(*x)).collect()
}

fn say(line: &serde_json::Value) -> Outcome {
    println!("{line}");
    Ok(stdout().flush()?)
}
