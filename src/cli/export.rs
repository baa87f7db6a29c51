//! `lookalike export`: a collection as plain files.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use lookalike::Collection;
use lookalike::exchange::VectorFormat;

use super::{Common, Outcome};

/// Write a collection's items and vectors as plain files, for NumPy, Arrow and whatever reads JSON
///
/// Vectors go into .npy files with the items' numbers beside them, or into Parquet; the items into JSON lines,
/// by ascending number; which encoder made the vectors into manifest.json. `lookalike import` reads it back.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  lookalike export shop.lookalike vectors/\n  \
                  python3 -c 'import numpy; print(numpy.load(\"vectors/text.npy\").shape)'")]
pub struct Args {
    /// The collection
    collection: PathBuf,
    /// Where to; an empty folder, made if it is not there
    folder: PathBuf,
    /// How vectors are written
    #[arg(long, default_value = "npy", env = "LOOKALIKE_VECTOR_FORMAT")]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Npy,
    Parquet,
}

pub fn run(args: &Args, common: &Common) -> Outcome {
    let format = match args.format {
        Format::Npy => VectorFormat::Npy,
        Format::Parquet => VectorFormat::Parquet,
    };
    let exported = Collection::open(&args.collection)?.export(&args.folder, format)?;
    let mut out = io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&exported)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let folder = args.folder.display();
    writeln!(out, "{folder}: {} items in {}", exported.items, exported.items_file)?;
    for vectors in &exported.vectors {
        let encoder = &vectors.encoder;
        writeln!(out, "{folder}: {} vectors by {encoder} in {}", vectors.vectors, vectors.file)?;
    }
    Ok(ExitCode::SUCCESS)
}
