//! `lookalike tune`: how far a graph has to walk in this collection for how much recall.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use lookalike::{Collection, Modality};
use lookalike_index::{Graph, Shelf, Trial};
use serde_json::json;

use super::search::part;
use super::table::{Heading, Table};
use super::{Common, NOTHING, Outcome, remark};

/// Measure how much of the best a search finds, and tell which --ef reaches a recall
///
/// The collection's own vectors are the questions: for each, the most similar other items, by walks of different
/// breadth and by comparing all. Nothing is written: segments stay as they are, and with them the curves by which
/// `search --recall` chooses, which were measured when each was written. Where the two differ, `search
/// --ef` takes what was measured here.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  lookalike tune shop.lookalike\n  \
                  lookalike tune shop.lookalike --recall 0.999 --queries 1000 -k 50\n  \
                  lookalike tune shop.lookalike --json")]
pub struct Args {
    /// The collection
    collection: PathBuf,
    /// The part of the best that is to be found
    #[arg(long, value_name = "PART", value_parser = part, default_value_t = 0.99, env = "LOOKALIKE_RECALL")]
    recall: f32,
    /// How many items to ask with
    #[arg(long, value_name = "N", default_value_t = 500, env = "LOOKALIKE_TUNE_QUERIES", value_parser = clap::value_parser!(u32).range(1..))]
    queries: u32,
    /// How many hits of each search count
    #[arg(long = "top", short, value_name = "N", default_value_t = 10, env = "LOOKALIKE_TOP", value_parser = clap::value_parser!(u32).range(1..))]
    k: u32,
}

/// What was measured at one breadth.
struct Point {
    ef: usize,
    recall: f64,
    looked_at: f64,
    a_second: f64,
}

pub fn run(args: &Args, common: &Common) -> Outcome {
    let collection = Collection::open(&args.collection)?;
    let mut tuned = false;
    for modality in Modality::ALL {
        let Some(vectors) = collection.vectors(modality) else { continue };
        if !vectors.has_graph() {
            if !common.quiet {
                remark!(
                    "{modality}s: {} vectors are compared whole, so that every answer is exact: nothing to tune",
                    vectors.len()
                );
            }
            continue;
        }
        tuned = true;
        let points = args.measure(vectors)?;
        match common.json {
            true => args.print_json(modality, vectors, &points)?,
            false => args.print(modality, vectors, &points)?,
        }
    }
    Ok(if tuned { ExitCode::SUCCESS } else { ExitCode::from(NOTHING) })
}

/// The graphs of a shelf, one for each segment that has one.
fn graphs(vectors: &Shelf) -> impl Iterator<Item = Graph<'_>> {
    vectors.parts().iter().filter_map(|part| part.segment().graph())
}

impl Args {
    /// Breadth after breadth, until all are found.
    fn measure(&self, vectors: &Shelf) -> Result<Vec<Point>, Box<dyn std::error::Error>> {
        let trial = Trial::new(vectors, self.queries as usize, self.k as usize)?;
        let mut points: Vec<Point> = Vec::new();
        let curve = graphs(vectors).next().into_iter().flat_map(|g| g.curve().collect::<Vec<_>>());
        // A search that is asked for so many keeps as many in mind.
        for ef in curve.map(|point| point.breadth).filter(|&ef| ef > self.k as usize) {
            let start = Instant::now();
            let tried = trial.at(ef)?;
            let a_second = trial.queries() as f64 / start.elapsed().as_secs_f64();
            let (recall, looked_at) = (tried.recall, tried.looked_at);
            points.push(Point { ef, recall, looked_at, a_second });
            if recall >= 1.0 {
                break;
            }
        }
        Ok(points)
    }

    /// The least breadth that reached the wanted recall.
    fn found(&self, points: &[Point]) -> Option<usize> {
        points.iter().find(|point| point.recall >= self.recall.into()).map(|point| point.ef)
    }

    /// What a search for this recall uses, segment by segment.
    fn used(&self, vectors: &Shelf) -> Vec<usize> {
        graphs(vectors).map(|graph| graph.breadth_for(self.recall, self.k as usize)).collect()
    }

    fn print(&self, modality: Modality, vectors: &Shelf, points: &[Point]) -> io::Result<()> {
        let mut table =
            Table::new(["ef", "recall", "looked at", "queries a second"].map(Heading::right));
        for point in points {
            table.row([
                point.ef.to_string(),
                format!("{:.4}", point.recall),
                format!("{:.0}", point.looked_at),
                format!("{:.0}", point.a_second),
            ]);
        }
        let mut out = io::stdout().lock();
        let (asked, all) = (vectors.len().min(self.queries as usize), vectors.len());
        writeln!(out, "{modality}s: the {} best of {all}, asked with {asked} of them", self.k)?;
        table.print(&mut out)?;
        let recall = self.recall;
        match self.found(points) {
            Some(ef) => writeln!(out, "a recall of {recall} takes --ef {ef}")?,
            None => writeln!(
                out,
                "a recall of {recall} was not reached: `search --exact` finds all, at the cost of a scan"
            )?,
        }
        let used: Vec<String> = self.used(vectors).iter().map(usize::to_string).collect();
        writeln!(
            out,
            "`search --recall {recall}` walks with {}, by what was measured when each segment was written",
            used.join(", ")
        )
    }

    fn print_json(&self, modality: Modality, vectors: &Shelf, points: &[Point]) -> io::Result<()> {
        let curve: Vec<_> = points
            .iter()
            .map(|point| {
                json!({
                    "ef": point.ef, "recall": point.recall, "looked_at": point.looked_at,
                    "queries_per_second": point.a_second.round(),
                })
            })
            .collect();
        let line = json!({
            "modality": modality.to_string(), "vectors": vectors.len(), "top": self.k,
            "curve": curve, "recall": self.recall, "ef": self.found(points),
            "search_uses": self.used(vectors),
        });
        writeln!(io::stdout().lock(), "{line}")
    }
}
