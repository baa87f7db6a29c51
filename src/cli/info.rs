//! `lookalike info`: all there is to know of a collection.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use lookalike::Collection;
use lookalike_index::Segment;
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
    for entry in &manifest.segments {
        let encoder = &entry.encoder;
        let Some(segment) = collection.segment(encoder.modality) else { continue };
        let name = format!("{}s", encoder.modality);
        let megabytes = segment.size() as f64 / 1e6;
        let bits = segment.precision().bits();
        line(
            &name,
            format!("{} vectors by {encoder}, {bits}-bit, {megabytes:.1} MB", entry.vectors),
        )?;
        line("", reach(segment))?;
    }
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

/// How a segment is searched: all of it, or as far as its graph was measured to reach.
fn reach(segment: &Segment) -> String {
    let Some(graph) = segment.graph() else { return "compared whole".to_owned() };
    let points = graph.curve().map(|point| format!("{:.3} at {}", point.recall, point.breadth));
    format!("searched by a graph; recall by --ef: {}", points.collect::<Vec<_>>().join(", "))
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
