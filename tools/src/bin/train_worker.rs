//! Our side of the training step in `tools/bench train`.
//!
//! `train_worker step CNN WEIGHTS THREADS BATCH SIDE THIN` makes CNN (`cnn-f` or `alexnet`), writes its first weights to the file
//! WEIGHTS (name, sizes and little-endian `f32`s; see `tools/benches/train_step_peer.py`), says so, and then
//! answers each line `COUNT` on stdin with the last loss after so many steps: forward, backward, AdamW, on the same
//! pictures every time. `losses COUNT` answers with all of them.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write, stdin, stdout};

use candle_core::{Device, Tensor};
use lookalike::taste::Chance;
use lookalike::taste::net::{
    Adam, AdamSettings, Decay, Network, Pass, Shape, alexnet, backward, cnn_f,
};
use rayon::ThreadPoolBuilder;
use serde_json::json;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ["step", cnn, weights, threads, batch, side, thin] =
        arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
    else {
        return Err(
            "train_worker step CNN WEIGHTS THREADS BATCH SIDE THIN: see the top of its source"
                .into(),
        );
    };
    ThreadPoolBuilder::new().num_threads(threads.parse()?).build_global()?;
    let side = side.parse()?;
    // Masks would differ from the peer's.
    let shape = Shape { side, thin: thin.parse()?, dimension: 50, dropout: 0.0 };
    let network = match cnn {
        "cnn-f" => cnn_f(shape, 1)?,
        "alexnet" => alexnet(shape, 1)?,
        other => return Err(format!("{other} is neither cnn-f nor alexnet").into()),
    };
    write(&network, weights)?;
    let settings =
        AdamSettings { rate: 1e-5, decay: Decay::Shrink(0.01), ..AdamSettings::default() };
    let mut adam = Adam::new(network.parameters(), settings);
    let pictures = pictures(batch.parse()?, side)?;
    println!("{}", json!({"parameters": network.size()}));
    for line in stdin().lines() {
        let line = line?;
        let (all, count) = match line.strip_prefix("losses ") {
            Some(count) => (true, count),
            None => (false, line.as_str()),
        };
        let mut losses = Vec::new();
        for _ in 0..count.parse::<usize>()? {
            losses.push(step(&network, &pictures, &mut adam)?);
        }
        let answer = if all { json!(losses) } else { json!(losses.last()) };
        println!("{answer}");
        stdout().flush()?;
    }
    Ok(())
}

fn step(network: &Network, pictures: &Tensor, adam: &mut Adam) -> Outcome<f32> {
    let chance = &mut Chance::new(1, "dropout", 0);
    let loss = (network.forward(pictures, Pass::Train(chance))? - 1.0)?.sqr()?.mean_all()?;
    adam.step(&mut backward(&loss)?)?;
    Ok(loss.to_scalar()?)
}

/// Pictures that the peer makes in the same way: value `n` is `n * 37 % 255`, brought to -1 to 1.
fn pictures(batch: usize, side: usize) -> Outcome<Tensor> {
    let values = (0..batch * 3 * side * side).map(|n| (n * 37 % 255) as f32 / 127.0 - 1.0);
    Ok(Tensor::from_iter(values, &Device::Cpu)?.reshape((batch, 3, side, side))?)
}

/// A line of JSON with names and shapes, and then the values in that order.
fn write(network: &Network, path: &str) -> Outcome<()> {
    let state = network.state()?;
    let mut file = BufWriter::new(File::create(path)?);
    let shapes: Vec<_> = state.iter().map(|(name, array)| json!([name, array.shape])).collect();
    writeln!(file, "{}", json!(shapes))?;
    for array in state.values() {
        for value in &array.values {
            file.write_all(&value.to_le_bytes())?;
        }
    }
    Ok(file.flush()?)
}
