//! Lookalike's command line.

mod cli;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "lookalike")]
enum Command {
    Models(cli::models::ModelsArgs),
}

fn main() -> ExitCode {
    let Command::Models(args) = Command::parse();
    cli::models::run(&args).unwrap_or_else(|error| {
        eprintln!("lookalike: {error}");
        ExitCode::FAILURE
    })
}
