//! `lookalike similar`: every item's most similar others, as a shop shows them beside each product.

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::builder::FalseyValueParser;
use lookalike::exchange::{Cell, Table};
use lookalike::search::SimilarTo;
use lookalike::{Collection, Modality, Similar};
use serde_json::json;

use super::terms::score;
use super::{Common, NOTHING, Outcome, remark};

/// List every item's most similar others
///
/// One table for the whole catalogue: key, rank, the other's key, score. In a large collection each item walks
/// through the graph; `--exact` compares every item with every other.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  lookalike similar shop.lookalike --out similar.csv\n  \
                  lookalike similar shop.lookalike --by image -k 20 --out similar.parquet\n  \
                  lookalike similar shop.lookalike --by text --json | head")]
pub struct Args {
    /// The collection
    collection: PathBuf,
    /// How many others for each item
    #[arg(long, short = 'k', value_name = "N", default_value_t = 10, env = "LOOKALIKE_TOP")]
    top: usize,
    /// What to compare [default: whatever the items have]
    #[arg(long, env = "LOOKALIKE_BY")]
    by: Option<By>,
    /// Write into this file, whose name ends with .csv, .jsonl or .parquet [default: CSV to the terminal]
    #[arg(long, value_name = "FILE", env = "LOOKALIKE_OUT")]
    out: Option<PathBuf>,
    /// Leave out what scores less
    #[arg(long, value_name = "SCORE", env = "LOOKALIKE_MIN_SCORE", allow_negative_numbers = true, value_parser = score)]
    min_score: Option<f32>,
    /// Compare every item with every other, however many there are
    #[arg(long, env = "LOOKALIKE_EXACT", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    exact: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum By {
    /// Looks
    Image,
    /// Meaning
    Text,
    /// The mean of both
    Both,
}

pub fn run(args: &Args, common: &Common) -> Outcome {
    let collection = Collection::open(&args.collection)?;
    let keys = keys(&collection)?;
    let modalities: Vec<Modality> = match args.by {
        Some(By::Image) => vec![Modality::Image],
        Some(By::Text) => vec![Modality::Text],
        Some(By::Both) => Modality::ALL.to_vec(),
        None => Modality::ALL.into_iter().filter(|&m| collection.vectors(m).is_some()).collect(),
    };
    let mut wish = Similar::by(modalities).top(args.top);
    if let Some(score) = args.min_score {
        wish = wish.at_least(score);
    }
    if args.exact {
        wish = wish.exact();
    }
    let start = Instant::now();
    // Made when there is something to write: until then it may turn out that nothing can be compared.
    let mut rows: Option<Rows> = None;
    let create = || Rows::create(args.out.as_deref(), common.json);
    let (mut items, mut pairs) = (0u64, 0u64);
    let write = |found: SimilarTo| -> Result<(), Box<dyn Error>> {
        let rows = match &mut rows {
            Some(rows) => rows,
            None => rows.insert(create()?),
        };
        items += 1;
        pairs += found.others.len() as u64;
        let named = found.others.iter().map(|&(id, score)| (keys[&id].as_str(), score));
        rows.write(&keys[&found.id], &named.collect::<Vec<_>>())
    };
    if !collection.is_empty() {
        collection.similar(&wish, write)?;
    }
    rows.map_or_else(create, Ok)?.finish()?;
    if !common.quiet {
        remark!("{pairs} pairs of {items} items in {:.1} s", start.elapsed().as_secs_f64());
    }
    Ok(if pairs == 0 { ExitCode::from(NOTHING) } else { ExitCode::SUCCESS })
}

/// Every item's key by its number.
fn keys(collection: &Collection) -> Result<HashMap<u32, String>, Box<dyn Error>> {
    let items = collection.items()?;
    Ok(items.map(|row| row.map(|(id, item)| (id, item.key))).collect::<Result<_, _>>()?)
}

/// Where the table goes.
enum Rows {
    Csv(Box<csv::Writer<Box<dyn Write>>>),
    JsonLines(Box<dyn Write>),
    Parquet(Box<Table>),
}

impl Rows {
    fn create(path: Option<&Path>, json: bool) -> Result<Self, Box<dyn Error>> {
        let Some(path) = path else {
            let out: Box<dyn Write> = Box::new(BufWriter::new(io::stdout().lock()));
            return if json { Ok(Rows::JsonLines(out)) } else { Rows::csv(out) };
        };
        let file = || -> Result<Box<dyn Write>, String> {
            let file = File::create(path);
            let file = file.map_err(|e| format!("cannot write {}: {e}", path.display()))?;
            Ok(Box::new(BufWriter::new(file)))
        };
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => Rows::csv(file()?),
            Some("jsonl") => Ok(Rows::JsonLines(file()?)),
            Some("parquet") => {
                let columns = [
                    ("key", Cell::Text(String::new())),
                    ("rank", Cell::Number(0)),
                    ("similar", Cell::Text(String::new())),
                    ("score", Cell::Float(0.0)),
                ];
                Ok(Rows::Parquet(Box::new(Table::create(path, &columns)?)))
            }
            _ => {
                Err(format!("{}: the name must end with .csv, .jsonl or .parquet", path.display())
                    .into())
            }
        }
    }

    fn csv(out: Box<dyn Write>) -> Result<Self, Box<dyn Error>> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(["key", "rank", "similar", "score"])?;
        Ok(Rows::Csv(Box::new(writer)))
    }

    fn write(&mut self, key: &str, others: &[(&str, f32)]) -> Result<(), Box<dyn Error>> {
        let ranked = others.iter().zip(1u32..).map(|(&(other, score), rank)| (rank, other, score));
        match self {
            Rows::Csv(out) => {
                for (rank, other, score) in ranked {
                    out.write_record([key, &rank.to_string(), other, &score.to_string()])?;
                }
            }
            Rows::JsonLines(out) => {
                let others = others.iter().map(|(key, score)| json!({"key": key, "score": score}));
                let line = json!({"key": key, "similar": others.collect::<Vec<_>>()});
                writeln!(out, "{line}")?;
            }
            Rows::Parquet(table) => {
                for (rank, other, score) in ranked {
                    table.push([
                        Cell::Text(key.to_owned()),
                        Cell::Number(rank),
                        Cell::Text(other.to_owned()),
                        Cell::Float(score),
                    ])?;
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Box<dyn Error>> {
        match self {
            Rows::Csv(mut out) => out.flush()?,
            Rows::JsonLines(mut out) => out.flush()?,
            Rows::Parquet(table) => table.finish()?,
        }
        Ok(())
    }
}
