//! `lookalike info`: all there is to know of a collection.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use lookalike::{Collection, Modality};
use lookalike_index::{CurvePoint, Part};
use serde_json::{Value, json};

use super::{Common, Outcome};

/// Tell what a collection holds and how it was made
#[derive(clap::Args)]
pub struct Args {
    /// The collection
    collection: PathBuf,
}

pub fn run(args: &Args, common: &Common) -> Outcome {
    let collection = Collection::open(&args.collection)?;
    let manifest = collection.manifest();
    let bytes = collection.size_on_disk()?;
    let mut out = io::stdout().lock();
    if common.json {
        let mut info = serde_json::to_value(manifest)?;
        info["path"] = json!(collection.path());
        info["bytes"] = json!(bytes);
        writeln!(out, "{info}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut line = |name: &str, value: String| writeln!(out, "{name:<12}{value}");
    line("collection", collection.path().display().to_string())?;
    line("items", manifest.items.to_string())?;
    for modality in Modality::ALL {
        let Some(encoder) = collection.encoder(modality) else { continue };
        let Some(vectors) = collection.vectors(modality) else { continue };
        line(&format!("{modality}s"), format!("{} vectors by {encoder}", vectors.len()))?;
        for part in vectors.parts() {
            line("", described(part))?;
        }
    }
    line(
        "words",
        match &manifest.words {
            Some(words) => format!("{} in {} texts", words.words, words.items),
            None => {
                "none yet: `lookalike index` makes an index of them when it is run again".to_owned()
            }
        },
    )?;
    line("left out", format!("{} ledger entries", manifest.ledger))?;
    line("generation", manifest.generation.to_string())?;
    line("on disk", format!("{:.1} MB", bytes as f64 / 1e6))?;
    for (name, value) in &manifest.notes {
        match value {
            Value::Object(parts) => {
                for (part, value) in parts {
                    line(part, plain(value))?;
                }
            }
            value => line(name, plain(value))?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What a segment holds, and how it is searched: all of it, or as far as its graph was measured to reach.
fn described(part: &Part) -> String {
    let segment = part.segment();
    let (rows, bits, megabytes) =
        (segment.len(), segment.precision().bits(), segment.size() as f64 / 1e6);
    let dead = match part.dead() {
        0 => String::new(),
        dead => format!(", {:.1}% of them superseded", 100.0 * dead as f64 / rows as f64),
    };
    let reach = match segment.graph() {
        None => "compared whole".to_owned(),
        Some(graph) => {
            let point = |p: CurvePoint| format!("{:.3} at {}", p.recall, p.breadth);
            let points: Vec<String> = graph.curve().map(point).collect();
            format!("searched by a graph; recall by --ef: {}", points.join(", "))
        }
    };
    format!("a segment of {rows}{dead}, {bits}-bit, {megabytes:.1} MB, {reach}")
}

/// A value as people write it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}
