//! `lookalike import`: vectors that were made elsewhere, or an export.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use lookalike::exchange::{Vectors, import_export};
use lookalike::{Indexer, Modality, Report};

use super::index::Reading;
use super::progress::{bar, show};
use super::{Common, Outcome, SKIPPED, remark};

/// Take in vectors that were made elsewhere, or what `lookalike export` wrote
///
/// Vectors come as rows of an .npy file, each belonging to the same row of a catalogue (--items); or as a column of
/// lists of numbers in a Parquet file or in JSON lines. They are scaled to length one. A collection remembers by
/// name what made them: it can be searched by item and by words, but not by a text or a picture that nobody
/// here can embed like them. `lookalike index` adds what it can embed itself. Rows that cannot be used go into
/// the ledger and make the exit status 3.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  lookalike import vectors/ copy.lookalike     # an export\n  \
                  lookalike import clip.npy shop.lookalike --items products.csv --by image --encoder clip-vit-b-32\n  \
                  lookalike import products.parquet shop.lookalike --by text --encoder my-sbert --column embedding")]
pub struct Args {
    /// The folder of an export, an .npy file, or a catalogue with a column of vectors
    source: PathBuf,
    /// The collection to fill; made if it is not there
    collection: PathBuf,
    /// What the vectors stand for
    #[arg(long, env = "LOOKALIKE_BY")]
    by: Option<By>,
    /// The name of what made them, as you like to call it
    #[arg(long, value_name = "NAME", env = "LOOKALIKE_ENCODER")]
    encoder: Option<String>,
    /// The catalogue whose rows are those of the .npy file
    #[arg(long, value_name = "FILE", env = "LOOKALIKE_ITEMS")]
    items: Option<PathBuf>,
    /// The column of the vectors [default: vector, embedding or features]
    #[arg(long, value_name = "COLUMN", env = "LOOKALIKE_COLUMN")]
    column: Option<String>,
    #[command(flatten)]
    reading: Reading,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum By {
    /// Pictures
    Image,
    /// Texts
    Text,
}

pub fn run(args: &Args, common: &Common) -> Outcome {
    let bar = bar(common.quiet);
    let indexer = Indexer::new(&args.collection).progress(show(&bar));
    let indexer = args.reading.tell(indexer);
    let report = match args.source.is_dir() {
        true => Ok(import_export(&args.source, indexer)),
        false => args.vectors().map(|vectors| vectors.import(indexer)),
    };
    bar.finish_and_clear();
    let report = report??;
    let mut out = io::stdout().lock();
    let Report { items, added, updated, published, progress, .. } = &report;
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        let collection = args.collection.display();
        let changed = match published {
            true => format!(" ({added} new, {updated} changed)"),
            false => ", nothing has changed".to_owned(),
        };
        writeln!(out, "{collection}: {items} items{changed}")?;
        if progress.rejected > 0 && !common.quiet {
            let rows = if progress.rejected == 1 { "row" } else { "rows" };
            let rejected = progress.rejected;
            remark!("{rejected} {rows} could not be used in full: lookalike ledger {collection}");
        }
    }
    Ok(if progress.rejected > 0 { ExitCode::from(SKIPPED) } else { ExitCode::SUCCESS })
}

impl Args {
    fn vectors(&self) -> Result<Vectors, Box<dyn Error>> {
        let by = self.by.ok_or("say what the vectors stand for: --by image or --by text")?;
        let modality = match by {
            By::Image => Modality::Image,
            By::Text => Modality::Text,
        };
        let encoder = self.encoder.as_deref();
        let encoder =
            encoder.ok_or("name what made the vectors: --encoder NAME, as you like to call it")?;
        let npy = self.source.extension().is_some_and(|extension| extension == "npy");
        let vectors = match (npy, &self.items) {
            (true, Some(items)) => Vectors::npy(&self.source, items, modality, encoder),
            (true, None) => {
                return Err("name the catalogue whose rows these are: --items FILE".into());
            }
            (false, None) => Vectors::column_of(&self.source, modality, encoder),
            (false, Some(_)) => {
                return Err(
                    "--items belongs to vectors in an .npy file: leave it out, or save them with \
                            numpy.save"
                        .into(),
                );
            }
        };
        let vectors = match &self.column {
            Some(column) => vectors.column(column),
            None => vectors,
        };
        Ok(vectors.options(self.reading.options()))
    }
}
