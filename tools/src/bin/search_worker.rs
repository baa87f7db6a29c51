//! Our side of `tools/bench search`.
//!
//! `search_worker build VECTORS ROWS DIMENSION batches|hnsw_rs BREADTH SEGMENT` writes a segment with a graph from raw
//! `f32` vectors, and prints what it took.
//! `search_worker serve SEGMENT QUERIES` opens one, says so, and then answers each line on stdin with one on stdout:
//!
//! - `search BREADTH COUNT`: finds the ten nearest of the first `COUNT` queries, on one thread;
//! - `answers BREADTH COUNT`: the same, and prints their ids, and how many rows were looked at.
//!
//! The driver holds the clocks, so that they are the same for all.

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufReader, Read, Write, stdin, stdout};
use std::ops::ControlFlow;
use std::time::Instant;

use lookalike_index::{
    Builder, GraphOptions, Precision, Scratch, SearchOptions, Segment, SegmentWriter, kernels,
};
use serde_json::{Value, json};

type Outcome = Result<(), Box<dyn Error>>;

/// As many as a page of hits shows.
const K: usize = 10;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["build", vectors, rows, dimension, builder, breadth, segment] => {
            let builder = match builder {
                "batches" => Builder::Batches,
                "hnsw_rs" => Builder::HnswRs,
                other => return Err(format!("{other} is neither batches nor hnsw_rs").into()),
            };
            let options = GraphOptions::default().builder(builder).breadth(breadth.parse()?);
            build(vectors, rows.parse()?, dimension.parse()?, &options, segment)
        }
        ["serve", segment, queries] => serve(segment, queries),
        _ => Err("search_worker build|serve ...: see the top of its source".into()),
    }
}

fn build(
    vectors: &str,
    rows: u32,
    dimension: usize,
    options: &GraphOptions,
    segment: &str,
) -> Outcome {
    let mut vectors = BufReader::new(File::open(vectors)?);
    let mut row = vec![0; dimension * 4];
    let mut writer = SegmentWriter::create(segment, dimension, Precision::F16, b"bench")?;
    for id in 0..rows {
        vectors.read_exact(&mut row)?;
        writer.push(id, &floats(&row))?;
    }
    let start = Instant::now();
    let mut stages: Vec<(String, f64)> = Vec::new();
    writer.finish_with_graph(options, &mut |progress| {
        let stage = format!("{:?}", progress.stage);
        if stages.last().is_none_or(|(last, _)| *last != stage) {
            stages.push((stage, start.elapsed().as_secs_f64()));
        }
        ControlFlow::Continue(())
    })?;
    let segment = Segment::open(segment)?;
    let curve: Vec<_> =
        segment.graph().into_iter().flat_map(|g| g.curve().collect::<Vec<_>>()).collect();
    let curve: Vec<_> = curve.iter().map(|point| (point.breadth, point.recall)).collect();
    say(&json!({
        "wall": start.elapsed().as_secs_f64(),
        "began": stages,
        "bytes_per_vector": segment.size() as f64 / f64::from(rows),
        "curve": curve,
    }))
}

fn serve(segment: &str, queries: &str) -> Outcome {
    let queries = floats(&std::fs::read(queries)?);
    let start = Instant::now();
    let segment = Segment::open(segment)?;
    let opened = start.elapsed();
    let graph = segment.graph().ok_or("the segment has no graph")?;
    let queries: Vec<&[f32]> = queries.chunks(segment.dimension()).collect();
    say(&json!({"open_ms": opened.as_secs_f64() * 1e3, "kernels": kernels()}))?;
    let mut scratch = Scratch::default();
    for line in stdin().lines() {
        let line = line?;
        let [request, breadth, count] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("no such request: {line}").into());
        };
        let options = SearchOptions::default().breadth(breadth.parse()?);
        let mut found: Vec<Vec<u32>> = Vec::new();
        let mut looked_at = 0;
        for query in queries.iter().cycle().take(count.parse()?) {
            let answer = black_box(graph.search_with(&mut scratch, query, K, &options)?);
            if request == "answers" {
                looked_at += answer.looked_at;
                found.push(answer.candidates.iter().map(|candidate| candidate.id).collect());
            }
        }
        match request {
            "answers" => say(&json!({"ids": found, "looked_at": looked_at}))?,
            _ => say(&json!({}))?,
        }
    }
    Ok(())
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|x| f32::from_le_bytes(*x)).collect()
}

fn say(line: &Value) -> Outcome {
    println!("{line}");
    Ok(stdout().flush()?)
}
