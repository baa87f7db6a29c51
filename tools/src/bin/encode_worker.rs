//! Our side of `tools/bench encode`: one network in memory, and its inputs.
//!
//! `encode_worker image|text DIRECTORY INPUT DEVICE` opens a model directory on a device (`cpu`, `cuda`, or `candle`, which
//! is the CPU by the operations that a GPU has), says so, and then answers each line on stdin with one on stdout:
//!
//! - `encode THREADS BATCH COUNT`: encodes a batch of the first inputs `COUNT` times;
//! - `answers THREADS BATCH COUNT`: the same, and prints the vectors of the last.
//!
//! INPUT holds prepared pictures of side 224 as raw `f32`, channel by channel, or a sentence a line. The driver holds the
//! clocks, so that they are the same for all.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::error::Error;
use std::io::{Write, stdin, stdout};
use std::path::Path;

use lookalike::Embedding;
use lookalike::encode::{Device, ImageEncoder, Pixels, TextEncoder, image, text};
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

const SIDE: usize = 224;

/// A network with its inputs.
enum Work {
    Pictures(Box<dyn ImageEncoder>, Vec<Pixels>),
    Texts(Box<dyn TextEncoder>, Vec<String>),
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, directory, input, device] = &arguments[..] else {
        return Err(
            "encode_worker image|text DIRECTORY INPUT DEVICE: see the top of its source".into()
        );
    };
    let device = match device.as_str() {
        "cpu" => Device::cpu(),
        "candle" => Device::cpu_by_candle(),
        "cuda" => Device::cuda()?,
        other => return Err(format!("no such device: {other}").into()),
    };
    let work = match kind.as_str() {
        "image" => {
            let values = std::fs::read(input)?;
            let pixels = |bytes: &[u8]| Pixels { side: SIDE, values: floats(bytes) };
            let pictures = values.chunks_exact(3 * SIDE * SIDE * 4).map(pixels).collect();
            Work::Pictures(image::open(Path::new(directory), &device)?, pictures)
        }
        "text" => {
            let sentences = std::fs::read_to_string(input)?.lines().map(str::to_owned).collect();
            Work::Texts(text::open(Path::new(directory), &device)?, sentences)
        }
        other => return Err(format!("{other} is neither image nor text").into()),
    };
    say(&json!({}))?;
    let mut pools: HashMap<usize, ThreadPool> = HashMap::new();
    for line in stdin().lines() {
        let line = line?;
        let [request, threads, batch, count] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("no such request: {line}").into());
        };
        let (threads, batch) = (threads.parse()?, batch.parse()?);
        let pool = match pools.entry(threads) {
            Entry::Occupied(pool) => pool.into_mut(),
            Entry::Vacant(free) => {
                free.insert(ThreadPoolBuilder::new().num_threads(threads).build()?)
            }
        };
        let mut vectors = Vec::new();
        for _ in 0..count.parse()? {
            vectors = pool.install(|| work.encode(batch))?;
        }
        let vectors: Vec<&[f32]> = vectors.iter().map(|vector| &**vector).collect();
        say(&if request == "answers" { json!({ "vectors": vectors }) } else { json!({}) })?;
    }
    Ok(())
}

impl Work {
    /// The first `batch` inputs.
    fn encode(&self, batch: usize) -> Result<Vec<Embedding>, lookalike::encode::Error> {
        match self {
            Work::Pictures(network, pictures) => network.encode(&pictures[..batch]),
            Work::Texts(network, sentences) => {
                let sentences: Vec<&str> = sentences[..batch].iter().map(String::as_str).collect();
                network.encode(&sentences)
            }
        }
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|x| f32::from_le_bytes(*x)).collect()
}

fn say(line: &Value) -> Outcome<()> {
    println!("{line}");
    Ok(stdout().flush()?)
}
