//! `lookalike compact`: what a collection has outgrown is cleared away.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use lookalike::Indexer;

use super::progress::{bar, show};
use super::{Common, Outcome};

/// Clear away what a collection has outgrown
///
/// Puts the vectors of each modality into one file, without those that were superseded; forgets embeddings that no
/// item uses any more; has the database clear its files. Reads everything on the way, and makes anew
/// what is damaged. Nothing is embedded, and nothing that is found changes. `index` merges files by itself
/// where that pays: this is for after a great change, and for when room is short.
#[derive(clap::Args)]
pub struct Args {
    /// The collection
    collection: PathBuf,
}

pub fn run(args: &Args, common: &Common) -> Outcome {
    let bar = bar(common.quiet);
    let done = Indexer::new(&args.collection).progress(show(&bar)).compact();
    bar.finish_and_clear();
    let done = done?;
    let mut out = io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&done)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    writeln!(
        out,
        "{}: {:.1} MB, where it was {:.1} MB; {} files of vectors, where there were {}; {} embeddings forgotten",
        args.collection.display(),
        megabytes(done.bytes),
        megabytes(done.bytes_before),
        done.segments,
        done.segments_before,
        done.forgotten
    )?;
    Ok(ExitCode::SUCCESS)
}
