//! `lookalike import`: vectors that were made elsewhere, or an export.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::FalseyValueParser;
use lookalike::catalogue::CatalogueOptions;
use lookalike::exchange::{Vectors, import_export};
use lookalike::{Indexer, Modality, Report};

use super::{Common, Outcome, SKIPPED, remark};

/// Take in vectors that were made elsewhere, or what `lookalike export` wrote
///
/// Vectors come as rows of an .npy file, each belonging to the same row of a catalogue (--items); or as a column of
/// numbers in a Parquet file or in JSON lines. They are scaled to length one. A collection remembers by name
/// what made them: it can be searched by item, but not by text or picture, which nobody here can embed. Rows
/// that cannot be used go into the ledger and make the exit status 3.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  lookalike import vectors/ copy.lookalike     # an export\n  \
                  lookalike import clip.npy shop.lookalike --items products.csv --by image --encoder clip-vit-b-32\n  \
                  lookalike import products.parquet shop.lookalike --by text --encoder my-sbert --column embedding")]
pub struct Args {
    /// The folder of an export, an .npy file, or a file with a column of vectors
    source: PathBuf,
    /// The collection to fill; made if it is not there
    collection: PathBuf,
    /// What the vectors stand for
    #[arg(long, env = "LOOKALIKE_BY")]
    by: Option<By>,
    /// The name of what made them
    #[arg(long, value_name = "NAME", env = "LOOKALIKE_ENCODER")]
    encoder: Option<String>,
    /// The catalogue whose rows are those of the .npy file
    #[arg(long, value_name = "FILE", env = "LOOKALIKE_ITEMS")]
    items: Option<PathBuf>,
    /// The column of the vectors [default: vector, embedding or features]
    #[arg(long, value_name = "COLUMN", env = "LOOKALIKE_COLUMN")]
    column: Option<String>,
    /// The column with each item's own key
    #[arg(long, value_name = "COLUMN", env = "LOOKALIKE_KEY")]
    key: Option<String>,
    /// The columns that make up the text to be found by its words, in this order
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',', env = "LOOKALIKE_TEXT")]
    text: Option<Vec<String>>,
    /// Number the items by row where no column is their key
    #[arg(long, env = "LOOKALIKE_NUMBER_KEYS", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    number_keys: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum By {
    /// Pictures
    Image,
    /// Texts
    Text,
}

pub fn run(args: &Args, common: &Common) -> Outcome {
    let indexer = Indexer::new(&args.collection);
    let report = match args.source.is_dir() {
        true => import_export(&args.source, indexer)?,
        false => args.vectors()?.import(indexer)?,
    };
    let mut out = io::stdout().lock();
    let Report { items, added, updated, progress, .. } = &report;
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        let collection = args.collection.display();
        writeln!(out, "{collection}: {items} items ({added} new, {updated} changed)")?;
        if progress.rejected > 0 && !common.quiet {
            let rejected = progress.rejected;
            remark!("{rejected} rows could not be used in full: lookalike ledger {collection}");
        }
    }
    Ok(if progress.rejected > 0 { ExitCode::from(SKIPPED) } else { ExitCode::SUCCESS })
}

impl Args {
    fn vectors(&self) -> Result<Vectors, Box<dyn Error>> {
        let modality =
            match self.by.ok_or("say what the vectors stand for: --by image or --by text")? {
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
            (false, _) => Vectors::column_of(&self.source, modality, encoder),
        };
        let vectors = match &self.column {
            Some(column) => vectors.column(column),
            None => vectors,
        };
        Ok(vectors.options(CatalogueOptions {
            key: self.key.clone(),
            text: self.text.clone(),
            number_keys: self.number_keys,
            ..CatalogueOptions::default()
        }))
    }
}
