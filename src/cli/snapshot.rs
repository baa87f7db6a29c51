//! `lookalike snapshot`: a copy of a collection, taken while it is in use.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use lookalike::Collection;
use serde_json::json;

use super::{Common, Outcome};

/// Copy a collection as it is published now, also while another process writes to it
///
/// The copy is a collection of its own. On the same file system it shares the files of vectors, which never
/// change, with the original.
#[derive(clap::Args)]
pub struct Args {
    /// The collection
    collection: PathBuf,
    /// Where the copy is to be; nothing may be there yet
    copy: PathBuf,
}

pub fn run(args: &Args, common: &Common) -> Outcome {
    let copy = Collection::snapshot(&args.collection, &args.copy)?;
    let (items, generation, bytes) = (copy.len(), copy.manifest().generation, copy.size_on_disk()?);
    let mut out = io::stdout().lock();
    if common.json {
        let line = json!({ "path": copy.path(), "items": items, "generation": generation, "bytes": bytes });
        writeln!(out, "{line}")?;
    } else {
        let (path, megabytes) = (copy.path().display(), bytes as f64 / 1e6);
        writeln!(out, "{path}: {items} items, generation {generation}, {megabytes:.1} MB")?;
    }
    Ok(ExitCode::SUCCESS)
}
