//! `lookalike completions` and `lookalike man`: help for the shell.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory;

use super::{Cli, Outcome};

/// Print completions for a shell
///
/// bash: `lookalike completions bash > ~/.local/share/bash-completion/completions/lookalike`
#[derive(clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

/// Write the manual pages into a directory
#[derive(clap::Args)]
pub struct ManArgs {
    /// Where to; made if it is not there
    directory: PathBuf,
}

pub fn completions(args: &CompletionsArgs) -> Outcome {
    // Rendered first: the generator panics where it cannot write, and a closed pipe is no reason to.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "lookalike", &mut script);
    io::Write::write_all(&mut io::stdout().lock(), &script)?;
    Ok(ExitCode::SUCCESS)
}

pub fn manual(args: &ManArgs) -> Outcome {
    std::fs::create_dir_all(&args.directory)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), &args.directory))
        .map_err(|e| format!("cannot write manual pages into {}: {e}", args.directory.display()))?;
    Ok(ExitCode::SUCCESS)
}
