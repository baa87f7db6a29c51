//! `lookalike interactions`: purchases, clicks or ratings become part of a collection.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::FalseyValueParser;
use lookalike::Collection;
use lookalike::collection::InteractionReport;
use lookalike::taste::{self, InteractionFile, InteractionOptions};

use super::{Common, Outcome, SKIPPED, remark};

/// Tell a collection what its users took: purchases, clicks or ratings
///
/// What each column is for is guessed from its name, printed, and can be said: a user and an item a row, and
/// as you have it the time, a rating, a weight (a quantity, say), what the row is for (train, validation or
/// test) and a review. Rows join those that are there. Rows whose item the collection does not have are left
/// out and make the exit status 3; `lookalike ledger COLLECTION --interactions` lists them.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  lookalike interactions shop.lookalike purchases.csv\n  \
                  lookalike interactions shop.lookalike ratings.jsonl --item-column asin --anew")]
pub struct Args {
    /// The collection
    collection: PathBuf,
    /// A CSV, TSV or JSON-lines file
    file: PathBuf,
    #[command(flatten)]
    reading: Reading,
}

/// How interactions are read.
#[derive(clap::Args)]
#[command(next_help_heading = "Reading the interactions")]
pub struct Reading {
    /// Forget what the collection knew of its users before
    #[arg(long, env = "LOOKALIKE_ANEW", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    anew: bool,
    /// The column with the user
    #[arg(long, value_name = "COLUMN", env = "LOOKALIKE_USER_COLUMN")]
    user_column: Option<String>,
    /// The column with the item's key
    #[arg(long, value_name = "COLUMN", env = "LOOKALIKE_ITEM_COLUMN")]
    item_column: Option<String>,
    /// The column with the time: dates, or seconds since 1970
    #[arg(long, value_name = "COLUMN", env = "LOOKALIKE_TIME_COLUMN")]
    time_column: Option<String>,
    /// The column with the rating
    #[arg(long, value_name = "COLUMN", env = "LOOKALIKE_RATING_COLUMN")]
    rating_column: Option<String>,
    /// The column with the weight
    #[arg(long, value_name = "COLUMN", env = "LOOKALIKE_WEIGHT_COLUMN")]
    weight_column: Option<String>,
    /// The column that says train, validation or test
    #[arg(long, value_name = "COLUMN", env = "LOOKALIKE_SPLIT_COLUMN")]
    split_column: Option<String>,
    /// The column with the review
    #[arg(long, value_name = "COLUMN", env = "LOOKALIKE_REVIEW_COLUMN")]
    review_column: Option<String>,
}

impl Reading {
    /// Reads a file into a collection, and says what it took for what.
    pub fn take(
        &self,
        collection: &Path,
        file: &Path,
        common: &Common,
    ) -> Result<InteractionReport, taste::Error> {
        let options = InteractionOptions {
            user: self.user_column.clone(),
            item: self.item_column.clone(),
            time: self.time_column.clone(),
            rating: self.rating_column.clone(),
            weight: self.weight_column.clone(),
            split: self.split_column.clone(),
            review: self.review_column.clone(),
            ..InteractionOptions::default()
        };
        let rows = InteractionFile::open(file, &options)?;
        if !common.quiet {
            remark!("reading {}: {}", file.display(), rows.columns());
        }
        let report = Collection::add_interactions(collection, rows, self.anew)?;
        if !common.quiet && report.left_out() > 0 {
            remark!(
                "{} rows left out ({} of items that the collection does not have): lookalike ledger {} \
                 --interactions",
                report.left_out(),
                report.unknown_items,
                collection.display()
            );
        }
        Ok(report)
    }
}

pub fn run(args: &Args, common: &Common) -> Outcome {
    let report = args.reading.take(&args.collection, &args.file, common)?;
    let mut out = io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        writeln!(
            out,
            "{}: {} items taken by {} users, from {} rows ({} repeated)",
            args.collection.display(),
            report.kept,
            report.users,
            report.rows,
            report.repeated
        )?;
    }
    Ok(if report.left_out() > 0 { ExitCode::from(SKIPPED) } else { ExitCode::SUCCESS })
}
