//! How far a run has come, as a bar on stderr.

use indicatif::{ProgressBar, ProgressStyle};
use lookalike::Progress;
use lookalike_index::Stage;

/// A bar of a length that is not known yet; none at all where it is to be quiet.
pub fn bar(quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    // How many rows there are is counted beside the run.
    let bar = ProgressBar::no_length();
    bar.set_message("starting");
    let template = "{bar:30} {percent:>3}% {msg}, {eta} left";
    bar.set_style(
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}

/// Shows how far a run has come: in rows of the catalogue, and then in vectors of a graph.
pub fn show(bar: &ProgressBar, done: &Progress) {
    if let Some(graph) = &done.graph {
        let doing = match graph.stage {
            Stage::Linking => "linking",
            Stage::Coding => "coding",
            _ => "measuring",
        };
        bar.set_length(graph.of as u64);
        bar.set_position(graph.done as u64);
        return bar.set_message(format!("{doing} {} vectors", graph.modality));
    }
    bar.set_position(done.rows);
    let rate = done.rows as f64 / bar.elapsed().as_secs_f64().max(0.1);
    let left_out = match done.rejected {
        0 => String::new(),
        n => format!(", {n} in the ledger"),
    };
    bar.set_message(format!("{} rows, {rate:.0}/s{left_out}", done.rows));
}
