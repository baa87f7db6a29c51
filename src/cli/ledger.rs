//! `lookalike ledger`: what of the catalogue could not be used, and why.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use lookalike::{Collection, Rejection};

use super::table::{Heading, Table};
use super::{Common, NOTHING, Outcome, remark};

/// List the rows that the last `index` could not use, and why
///
/// Exits with 1 where there are none.
#[derive(clap::Args)]
pub struct Args {
    /// The collection
    collection: PathBuf,
    /// List the rows of the last file of interactions instead
    #[arg(long, env = "LOOKALIKE_INTERACTIONS", value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    interactions: bool,
}

pub fn run(args: &Args, common: &Common) -> Outcome {
    let collection = Collection::open(&args.collection)?;
    let mut out = io::stdout().lock();
    let mut table = Table::new([
        Heading::right("row"),
        Heading::left("key"),
        Heading::left("indexed"),
        Heading::sentences("reason"),
    ]);
    let entries: Box<dyn Iterator<Item = _>> = match args.interactions {
        true => Box::new(collection.interactions_ledger()?),
        false => Box::new(collection.ledger()?),
    };
    let mut count = 0;
    for entry in entries {
        let entry = entry?;
        count += 1;
        if common.json {
            writeln!(out, "{}", serde_json::to_string(&entry)?)?;
        } else {
            let Rejection { row, key, reason, kept } = entry;
            let indexed = if kept { "in part" } else { "no" };
            table.row([row.to_string(), key.unwrap_or_default(), indexed.to_owned(), reason]);
        }
    }
    if count == 0 {
        if !common.quiet {
            remark!("every row was used in full");
        }
        return Ok(ExitCode::from(NOTHING));
    }
    if !common.json {
        table.print(&mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}
