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
    for entry in collection.ledger()? {
        let entry = entry?;
        if common.json {
            writeln!(out, "{}", serde_json::to_string(&entry)?)?;
        } else {
            let Rejection { row, key, reason, kept } = entry;
            let indexed = if kept { "in part" } else { "no" };
            table.row([row.to_string(), key.unwrap_or_default(), indexed.to_owned(), reason]);
        }
    }
    if collection.manifest().ledger == 0 {
        if !common.quiet {
            remark!("every row was indexed in full");
        }
        return Ok(ExitCode::from(NOTHING));
    }
    if !common.json {
        table.print(&mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}
