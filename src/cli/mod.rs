//! The command line: one file a command, each from arguments through the library to print.

mod compact;
mod duplicates;
mod evaluate;
mod export;
mod fields;
mod import;
mod index;
mod info;
mod interactions;
mod ledger;
mod models;
mod progress;
mod queries;
mod recommend;
mod remote;
mod remove;
mod search;
mod sheet;
mod shell;
mod similar;
mod snapshot;
mod table;
mod taste;
mod taste_categories;
mod taste_rating;
mod terms;
mod train;
mod tries;
mod tune;
mod verify;
mod words;

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lookalike::Collection;
use lookalike::encode::store::{ModelStore, StoreError};
use lookalike::encode::{Device, Wanted};

/// Nothing answered the question, or there was nothing to do.
const NOTHING: u8 = 1;
/// It could not be done.
const FAILED: u8 = 2;
/// Done, but some rows of the catalogue had to be left out.
const SKIPPED: u8 = 3;

/// Search a product catalogue by picture, by words and by product.
#[derive(Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Results go to stdout, progress and remarks to stderr. Exit status: 0 done, 1 nothing found, \
                  2 error, 3 done but some rows were left out (see `lookalike ledger`).\n\
                  Every option can be given by an environment variable too; each command's help names them."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

/// What every command understands.
#[derive(clap::Args)]
#[command(next_help_heading = "With every command")]
struct Common {
    /// Print results as JSON, one object a line
    #[arg(long, global = true, env = "LOOKALIKE_JSON", value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    json: bool,
    /// Print no progress and no remarks
    #[arg(long, short, global = true, env = "LOOKALIKE_QUIET", value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    quiet: bool,
    /// Where models and fetched pictures are kept [default: lookalike in the user's cache directory]
    #[arg(long, global = true, value_name = "DIR", env = "LOOKALIKE_CACHE")]
    cache: Option<PathBuf>,
    /// Use so many threads, 1024 at the most; 0 for one for each core [default: 0]
    #[arg(long, global = true, value_name = "N", env = "LOOKALIKE_THREADS", value_parser = clap::value_parser!(u16).range(..=1024))]
    threads: Option<u16>,
    /// Where pictures and texts are embedded: cuda, cpu, or auto, which takes a GPU for catalogues where this
    /// build can use one and finds it, and the CPU for queries [default: auto]
    #[arg(long, global = true, value_name = "DEVICE", env = "LOOKALIKE_DEVICE")]
    device: Option<Wanted>,
}

impl Common {
    /// Remarks how far something is that takes long.
    fn tell(&self, progress: &str) {
        if !self.quiet {
            remark!("{progress}");
        }
    }

    fn models(&self) -> Result<ModelStore, StoreError> {
        self.cache.as_ref().map_or_else(ModelStore::default_location, |dir| Ok(ModelStore::at(dir)))
    }

    /// The device for a catalogue.
    fn device(&self) -> Device {
        let (device, why) = Device::choose(self.device.unwrap_or_default());
        if let Some(why) = why.filter(|_| !self.quiet) {
            // Where RUST_BACKTRACE is set, candle's error goes on with where it arose.
            let why = explained(&why);
            let why = why.lines().next().unwrap_or_default();
            remark!("embedding on the CPU, for there is no GPU to use: {why}");
        }
        device
    }

    /// The collection, with what embeds its queries.
    fn open(&self, path: &Path) -> Result<Collection, Box<dyn Error>> {
        let collection = Collection::open(path)?.with_models(self.models()?);
        // One query is embedded before a GPU has woken up.
        Ok(match self.device {
            Some(Wanted::Cuda) => collection.with_device(self.device()),
            _ => collection,
        })
    }
}

#[derive(Subcommand)]
enum Command {
    Index(index::Args),
    Search(search::Args),
    Similar(similar::Args),
    Duplicates(duplicates::Args),
    Export(export::Args),
    Fields(fields::Args),
    Import(import::Args),
    Interactions(interactions::Args),
    Train(train::Args),
    Evaluate(evaluate::Args),
    Recommend(recommend::Args),
    Taste(taste_categories::Args),
    Rate(taste_rating::Args),
    Ledger(ledger::Args),
    Info(info::Args),
    Verify(verify::Args),
    Tune(tune::Args),
    Remove(remove::Args),
    Compact(compact::Args),
    Snapshot(snapshot::Args),
    Models(models::ModelsArgs),
    Completions(shell::CompletionsArgs),
    #[command(hide = true)]
    Man(shell::ManArgs),
}

type Outcome = Result<ExitCode, Box<dyn Error>>;

/// Does what the command line says.
pub fn run(cli: Cli) -> ExitCode {
    let common = &cli.common;
    let outcome = use_threads(common.threads).and_then(|()| match &cli.command {
        Command::Index(args) => index::run(args, common),
        Command::Search(args) => search::run(args, common),
        Command::Similar(args) => similar::run(args, common),
        Command::Duplicates(args) => duplicates::run(args, common),
        Command::Export(args) => export::run(args, common),
        Command::Fields(args) => fields::run(args, common),
        Command::Import(args) => import::run(args, common),
        Command::Interactions(args) => interactions::run(args, common),
        Command::Train(args) => train::run(args, common),
        Command::Recommend(args) => recommend::run(args, common),
        Command::Taste(args) => taste_categories::run(args, common),
        Command::Rate(args) => taste_rating::run(args, common),
        Command::Evaluate(args) => evaluate::run(args, common),
        Command::Ledger(args) => ledger::run(args, common),
        Command::Info(args) => info::run(args, common),
        Command::Verify(args) => verify::run(args, common),
        Command::Tune(args) => tune::run(args, common),
        Command::Remove(args) => remove::run(args, common),
        Command::Compact(args) => compact::run(args, common),
        Command::Snapshot(args) => snapshot::run(args, common),
        Command::Models(args) => models::run(args, common),
        Command::Completions(args) => shell::completions(args),
        Command::Man(args) => shell::manual(args),
    });
    outcome.unwrap_or_else(|error| {
        // Whoever read our output has seen enough: `lookalike search ... | head -1`.
        if causes(&*error).any(|e| {
            e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
        }) {
            return ExitCode::SUCCESS;
        }
        remark!("lookalike: {}", explained(&*error));
        ExitCode::from(FAILED)
    })
}

/// Says something to the person at the terminal. Where nobody can hear it any more (`2>&1 | head -1`, a
/// full disk), the work goes on all the same.
macro_rules! remark {
    ($($words:tt)*) => {{
        use std::io::Write;
        let line = $crate::cli::plain(&format!($($words)*));
        let _ = writeln!(std::io::stderr(), "{line}");
    }};
}
use remark;

/// Text that a terminal shows and does not obey: catalogues, keys and file names are other people's.
fn plain(text: &str) -> String {
    let obeyed = |c: char| c.is_control() && c != '\n' || table::turns_text(c);
    text.replace(obeyed, "\u{fffd}")
}

fn use_threads(threads: Option<u16>) -> Result<(), Box<dyn Error>> {
    if let Some(threads) = threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global()?;
    }
    Ok(())
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The error and its causes in one line; a cause that the error itself already words is left out.
fn explained(error: &(dyn Error + 'static)) -> String {
    // The library names what it cannot read or write; a bare one comes from printing.
    let printing = error.is::<io::Error>();
    let mut text = if printing { format!("cannot print: {error}") } else { error.to_string() };
    for cause in causes(error).skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
