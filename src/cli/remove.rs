//! `lookalike remove`: single items leave a collection.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lookalike::Indexer;

use super::progress::{bar, show};
use super::{Common, NOTHING, Outcome, SKIPPED, remark};

/// Remove items by their keys
///
/// Nothing is embedded or written anew for it, and no model is needed. Exits with 1 where none of the items is
/// there, and with 3 where some are not.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  lookalike remove shop.lookalike SKU123 SKU124\n  \
                  lookalike remove shop.lookalike --keys-from sold-out.txt")]
pub struct Args {
    /// The collection
    collection: PathBuf,
    /// The items' keys, as their catalogue writes them
    #[arg(value_name = "KEY", required_unless_present = "keys_from")]
    keys: Vec<String>,
    /// Remove those in this file too: a key a line; `-` for standard input
    #[arg(long, value_name = "FILE", env = "LOOKALIKE_KEYS_FROM")]
    keys_from: Option<PathBuf>,
}

pub fn run(args: &Args, common: &Common) -> Outcome {
    let mut keys = args.keys.clone();
    if let Some(path) = &args.keys_from {
        let read =
            lines(path).map_err(|e| format!("cannot read keys from {}: {e}", path.display()))?;
        keys.extend(read);
    }
    let bar = bar(common.quiet);
    let removal = Indexer::new(&args.collection).progress(show(&bar)).remove(&keys);
    bar.finish_and_clear();
    let removal = removal?;
    let mut out = io::stdout().lock();
    let report = &removal.report;
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&removal)?)?;
    } else {
        let collection = args.collection.display();
        writeln!(out, "{collection}: {} items, {} removed", report.items, report.removed)?;
    }
    if !common.quiet {
        removal.unknown.iter().for_each(|key| remark!("there is no item \"{key}\""));
    }
    Ok(match (report.removed, removal.unknown.is_empty()) {
        (0, _) => ExitCode::from(NOTHING),
        (_, false) => ExitCode::from(SKIPPED),
        (_, true) => ExitCode::SUCCESS,
    })
}

/// The lines of a file that are not empty.
fn lines(path: &Path) -> io::Result<Vec<String>> {
    let file: Box<dyn BufRead> = match path.as_os_str() == "-" {
        true => Box::new(io::stdin().lock()),
        false => Box::new(BufReader::new(File::open(path)?)),
    };
    let lines = file.lines().map(|line| Ok(line?.trim_end_matches('\r').to_owned()));
    lines.filter(|line| !matches!(line, Ok(line) if line.is_empty())).collect()
}
