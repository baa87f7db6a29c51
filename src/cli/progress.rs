//! How far a run has come, as a bar on stderr.

use std::collections::VecDeque;
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use lookalike::Progress;
use lookalike::collection::GraphProgress;
use lookalike_index::Stage;

/// The pace is that of the last seconds: rows that were known from an earlier run pass in no time, and what
/// they took says nothing of those that are still to be embedded.
const WINDOW: Duration = Duration::from_secs(10);

/// A bar of a length that is not known yet; none at all where it is to be quiet.
pub fn bar(quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    // How many rows there are is counted beside the run.
    let bar = ProgressBar::no_length();
    bar.set_message("starting");
    let template = "{bar:30} {percent:>3}% {msg}";
    bar.set_style(
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}

/// Shows on the bar how far a run has come: in rows of the catalogue, and then in vectors of a graph.
pub fn show(bar: &ProgressBar) -> impl FnMut(&Progress) + Send {
    let (bar, mut teller) = (bar.clone(), Teller::default());
    move |done| {
        if let Some(graph) = &done.graph {
            bar.set_length(graph.of as u64);
            bar.set_position(graph.done as u64);
            return bar.set_message(teller.graph(bar.elapsed(), graph));
        }
        bar.set_position(done.rows);
        let length = bar.length().filter(|&length| length > done.rows);
        let left = length.map(|length| length - done.rows);
        bar.set_message(teller.rows(bar.elapsed(), done, left));
    }
}

/// Words how far it is.
#[derive(Default)]
struct Teller {
    rows: Pace,
    embedded: Pace,
    /// What is done to which graph, and how fast.
    graph: (String, Pace),
}

impl Teller {
    /// What is said of a graph.
    fn graph(&mut self, elapsed: Duration, graph: &GraphProgress) -> String {
        let doing = match graph.stage {
            Stage::Linking => "linking",
            Stage::Coding => "coding",
            _ => "measuring",
        };
        let doing = format!("{doing} {} vectors", graph.modality);
        if doing != self.graph.0 {
            self.graph = (doing, Pace::default());
        }
        let (doing, pace) = &mut self.graph;
        pace.see(elapsed, graph.done as u64);
        let left = pace.left(graph.of.saturating_sub(graph.done) as u64);
        left.map_or_else(|| doing.clone(), |left| format!("{doing}, {left}"))
    }

    /// What is said of the rows after so much time, where so many are left.
    fn rows(&mut self, elapsed: Duration, done: &Progress, left: Option<u64>) -> String {
        self.rows.see(elapsed, done.rows);
        self.embedded.see(elapsed, done.rows_embedded);
        let mut told = format!("{} rows", done.rows);
        if let Some(rate) = self.embedded.a_second().filter(|&rate| rate > 0.0) {
            told += &format!(", {rate:.0}/s embedded");
        }
        if done.rejected > 0 {
            told += &format!(", {} in the ledger", done.rejected);
        }
        if let Some(left) = left.and_then(|left| self.rows.left(left)) {
            told += &format!(", {left}");
        }
        told
    }
}

/// How fast a count grows now.
#[derive(Default)]
struct Pace {
    /// When it was how much: those of the window, and the last one before it.
    seen: VecDeque<(Duration, u64)>,
}

impl Pace {
    fn see(&mut self, elapsed: Duration, count: u64) {
        self.seen.push_back((elapsed, count));
        while self.seen.get(1).is_some_and(|(next, _)| *next + WINDOW <= elapsed) {
            self.seen.pop_front();
        }
    }

    /// How many more came a second; `None` before there are two moments to compare.
    fn a_second(&self) -> Option<f64> {
        let ((start, first), (end, last)) = (self.seen.front()?, self.seen.back()?);
        let seconds = end.saturating_sub(*start).as_secs_f64();
        (seconds > 0.0).then(|| last.saturating_sub(*first) as f64 / seconds)
    }

    /// How long it goes on if so much is left.
    fn left(&self, count: u64) -> Option<String> {
        let rate = self.a_second().filter(|&rate| rate > 0.0)?;
        let left = Duration::from_secs_f64((count as f64 / rate).min(1e9));
        Some(format!("{:#} left", HumanDuration(left)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(rows: u64, rows_embedded: u64) -> Progress {
        let mut done = Progress::default();
        (done.rows, done.rows_embedded) = (rows, rows_embedded);
        done
    }

    fn seconds(tenths: u64) -> Duration {
        Duration::from_millis(100 * tenths)
    }

    /// Loading takes two seconds, then 80 rows a second are embedded.
    #[test]
    fn what_came_before_the_first_row_does_not_count() {
        let mut teller = Teller::default();
        assert_eq!(teller.rows(seconds(20), &after(8, 8), None), "8 rows");
        for tenth in 1..=400 {
            let rows = 8 + 8 * tenth;
            let told = teller.rows(seconds(20 + tenth), &after(rows, rows), Some(800));
            assert_eq!(told, format!("{rows} rows, 80/s embedded, 10s left"));
        }
    }

    /// A run that was killed is taken up again: 5,000 rows are known, the rest is embedded at 50 a second.
    #[test]
    fn rows_that_were_known_are_not_embedded_and_soon_forgotten() {
        let mut teller = Teller::default();
        for tenth in 0..=10 {
            let told = teller.rows(seconds(tenth), &after(500 * tenth, 0), None);
            assert!(!told.contains("embedded"), "{told}");
        }
        for tenth in 1..=200 {
            let done = after(5000 + 5 * tenth, 5 * tenth);
            let told = teller.rows(seconds(10 + tenth), &done, Some(3000));
            if tenth > 110 {
                assert!(told.ends_with(", 50/s embedded, 60s left"), "{told}");
            }
        }
    }

    #[test]
    fn few_moments_are_kept_however_long_it_takes() {
        let mut pace = Pace::default();
        (0..100_000).for_each(|tenth| pace.see(seconds(tenth), tenth));
        assert!(pace.seen.len() <= 102);
        assert!((pace.a_second().unwrap() - 10.0).abs() < 1e-9);
        let mut still = Pace::default();
        still.see(seconds(5), 7);
        still.see(seconds(5), 9);
        assert_eq!(still.a_second(), None);
    }
}
