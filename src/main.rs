//! The `lookalike` program.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    if std::env::var_os(CANDLES_THREADS).is_none() {
        // SAFETY: nobody may read or write the environment meanwhile. No other thread runs yet.
        unsafe { std::env::set_var(CANDLES_THREADS, "1") };
    }
    cli::run(cli::Cli::parse())
}

/// Candle's threads for sums and products value by value, which wait for each other spinning: a training step of CuratorNet took
/// twice the processor time, and longer too.
const CANDLES_THREADS: &str = "CANDLE_NUM_THREADS";
