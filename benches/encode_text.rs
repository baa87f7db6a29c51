//! What a batch of texts costs: CPU and wall time of the text encoder, tokenising included.
//!
//! `cargo bench --bench encode_text [-- MODEL]`, where MODEL is a name in the model store (else
//! all-minilm-l6-v2). Each figure is the median of the rounds; all cases take turns in every round, so that
//! a noisy neighbour disturbs them alike. The CPU time is that of all threads.
//! Linux only, whose scheduler tells it.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::time::Instant;

use lookalike::encode::store::ModelStore;
use lookalike::encode::{Device, TextEncoder, text};
use rayon::{ThreadPool, ThreadPoolBuilder};

const ROUNDS: usize = 9;
/// A case is repeated until it has taken this long.
const LEAST_SECONDS: f64 = 0.2;

struct Case {
    threads: usize,
    tokens: usize,
    batch: Vec<String>,
    /// CPU and wall seconds a batch, one pair a round.
    seconds: Vec<(f64, f64)>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let name = name.unwrap_or_else(|| "all-minilm-l6-v2".into());
    let model = match ModelStore::default_location().and_then(|store| store.get(&name)) {
        Ok(model) => model,
        Err(error) => {
            eprintln!("skipped: {error}");
            return Ok(());
        }
    };
    let encoder = text::open(&model.dir, &Device::cpu())?;
    let pools = [1, 2].map(|threads| ThreadPoolBuilder::new().num_threads(threads).build());
    let [one, two] = pools;
    let pools = [one?, two?];
    let mut cases = Vec::new();
    for tokens in [16, 64] {
        for size in [1, 8, 32] {
            for threads in [1, 2] {
                let batch = (0..size).map(|n| sentence(tokens, n)).collect();
                cases.push(Case { threads, tokens, batch, seconds: Vec::new() });
            }
        }
    }
    for _ in 0..ROUNDS {
        for case in &mut cases {
            let seconds = measure(&*encoder, &pools[case.threads - 1], &case.batch)?;
            case.seconds.push(seconds);
        }
    }
    println!("{name}\ntokens  batch  threads    CPU ms   wall ms   texts per CPU-s");
    for Case { threads, tokens, batch, seconds } in &cases {
        let cpu = median(seconds.iter().map(|seconds| seconds.0));
        let wall = median(seconds.iter().map(|seconds| seconds.1));
        let rate = batch.len() as f64 / cpu;
        let (cpu, wall) = (cpu * 1e3, wall * 1e3);
        println!("{tokens:6} {:6} {threads:8} {cpu:9.2} {wall:9.2} {rate:17.0}", batch.len());
    }
    Ok(())
}

/// A sentence of so many tokens, start and end included: all of its words are in every vocabulary.
fn sentence(tokens: usize, n: usize) -> String {
    const WORDS: [&str; 8] = ["red", "dress", "with", "white", "flowers", "and", "long", "blue"];
    let words = (0..tokens - 2).map(|w| WORDS[(w * (n + 1) + n) % WORDS.len()]);
    words.collect::<Vec<_>>().join(" ")
}

/// CPU and wall seconds a batch.
fn measure(
    encoder: &dyn TextEncoder,
    pool: &ThreadPool,
    batch: &[String],
) -> Result<(f64, f64), Box<dyn Error>> {
    let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
    let encode = || pool.install(|| encoder.encode(&batch));
    black_box(encode()?);
    let (cpu, start) = (cpu_seconds()?, Instant::now());
    let mut times = 0.0;
    while start.elapsed().as_secs_f64() < LEAST_SECONDS {
        black_box(encode()?);
        times += 1.0;
    }
    Ok(((cpu_seconds()? - cpu) / times, start.elapsed().as_secs_f64() / times))
}

/// What the threads of this process have used so far. The scheduler counts it in nanoseconds; the process's
/// own sum in `/proc/self/stat` goes by hundredths of a second.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let mut nanos = 0.0;
    for thread in fs::read_dir("/proc/self/task")? {
        let used = fs::read_to_string(thread?.path().join("schedstat"))?;
        nanos += used.split_whitespace().next().ok_or("an empty schedstat")?.parse::<f64>()?;
    }
    Ok(nanos * 1e-9)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
