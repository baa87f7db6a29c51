//! `lookalike verify`: whether a collection is what it was when it was written.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use lookalike::Collection;

use super::{Common, Outcome};

/// Read every byte of a collection and say whether it is sound
#[derive(clap::Args)]
pub struct Args {
    /// The collection
    collection: PathBuf,
}

pub fn run(args: &Args, common: &Common) -> Outcome {
    let found = Collection::open(&args.collection)?.verify()?;
    let mut out = io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&found)?)?;
    } else {
        writeln!(
            out,
            "sound: {} items, {} vectors, {} texts as words, {} cached embeddings, {} ledger entries",
            found.items, found.vectors, found.texts, found.cached, found.ledger
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
