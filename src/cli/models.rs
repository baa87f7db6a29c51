//! `lookalike models`: the networks that turn pictures and texts into vectors.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use lookalike::encode::store::{Listing, Model, ModelStore, Progress};
use serde_json::json;

use super::table::{Heading, Table};
use super::{Common, Outcome, remark};

/// List, fetch, add and check the models that encode pictures and texts
#[derive(Args)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Subcommand)]
enum ModelsCommand {
    /// List the models that are here and those that can be fetched
    List,
    /// Fetch a model by name, unless it is here already
    Pull {
        /// One of those that `models list` shows
        name: String,
    },
    /// Copy a model of your own into the store: a directory in the Hugging Face layout, or a weights file
    Add {
        /// The directory or file
        path: PathBuf,
        /// What to call it [default: as the directory or file is called]
        #[arg(long)]
        name: Option<String>,
    },
    /// Read every byte of a model, load it and let it answer
    Check {
        /// Its name, or a directory
        name: String,
    },
}

/// Runs the command.
pub fn run(args: &ModelsArgs, common: &Common) -> Outcome {
    let store = common.models()?;
    let mut out = io::stdout().lock();
    match &args.command {
        ModelsCommand::List if common.json => write_lines(&mut out, &store.list()?)?,
        ModelsCommand::List => write_table(&mut out, &store.list()?)?,
        ModelsCommand::Pull { name } => {
            let model = pull(&store, name)?;
            write_model(&mut out, &model, common)?;
        }
        ModelsCommand::Add { path, name } => {
            let model = store.add(path, name.as_deref())?;
            write_model(&mut out, &model, common)?;
        }
        ModelsCommand::Check { name } => {
            let checked = store.check(name)?;
            if common.json {
                let line = json!({
                    "name": name,
                    "files": checked.files,
                    "dimension": checked.dimension,
                    "answer_known": checked.answer_known,
                });
                writeln!(out, "{line}")?;
                return Ok(ExitCode::SUCCESS);
            }
            let answers = if checked.answer_known { "its known answer" } else { "an answer" };
            writeln!(
                out,
                "{name} is sound: {} files as they were stored, {answers} of {} values",
                checked.files, checked.dimension
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Where a model is now, what it is and where it came from.
fn write_model(out: &mut impl Write, model: &Model, common: &Common) -> io::Result<()> {
    let record = model.record.as_ref();
    if common.json {
        let line = json!({ "name": model.name, "directory": model.dir, "record": record });
        return writeln!(out, "{line}");
    }
    writeln!(out, "{} is in {}", model.name, model.dir.display())?;
    let Some(record) = record else { return Ok(()) };
    let licence = record.licence.as_deref().unwrap_or("licence not known");
    writeln!(out, "{} · {} values · {licence}", record.architecture, record.dimension)?;
    writeln!(out, "from {}, weights {}", record.source, &record.fetched_sha256[..16])
}

fn write_table(out: &mut impl Write, list: &[Listing]) -> io::Result<()> {
    let mark = |on: bool| if on { "yes" } else { "-" }.to_owned();
    let mut table = Table::new([
        Heading::left("name"),
        Heading::left("for"),
        Heading::right("values"),
        Heading::right("size"),
        Heading::left("licence"),
        Heading::left("here"),
        Heading::left("default"),
    ]);
    for model in list {
        table.row([
            model.name.clone(),
            format!("{}s", model.modality),
            model.dimension.to_string(),
            HumanBytes(model.bytes).to_string(),
            model.licence.clone().unwrap_or_else(|| "not known".into()),
            mark(model.present),
            mark(model.default),
        ]);
    }
    table.print(out)?;
    if list.iter().any(|model| !model.present) {
        writeln!(out, "\nTo fetch one: lookalike models pull NAME")?;
    }
    Ok(())
}

fn write_lines(out: &mut impl Write, list: &[Listing]) -> io::Result<()> {
    for model in list {
        let line = json!({
            "name": model.name,
            "for": model.modality,
            "dimension": model.dimension,
            "bytes": model.bytes,
            "licence": model.licence,
            "present": model.present,
            "default": model.default,
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Pulls, and tells a human at a terminal how far it is.
fn pull(store: &ModelStore, name: &str) -> Result<Model, Box<dyn Error>> {
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
    let style = "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
    bar.set_style(ProgressStyle::with_template(style)?);
    let told = |line: String| {
        if io::stderr().is_terminal() {
            bar.println(line);
        } else {
            remark!("{line}");
        }
    };
    let model = store.pull(name, &mut |progress| match progress {
        Progress::Waiting => told(format!("another process is fetching {name}; waiting for it")),
        Progress::Asking { source } => {
            bar.reset();
            told(format!("fetching from {source}"));
        }
        Progress::Bytes { done, total } => {
            bar.set_length(total.max(done));
            bar.set_position(done);
        }
        Progress::Failed { error, .. } => told(format!("  {error}")),
        Progress::Checking => told("checking".into()),
        _ => {}
    });
    bar.finish_and_clear();
    Ok(model?)
}
