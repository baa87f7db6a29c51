//! `lookalike search`: the items most like a picture, some words or another item.

mod narrow;
mod rerank;

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use lookalike::search::How;
use lookalike::taste::by_model;
use lookalike::{Aspect, Collection, Fusion, Hit, Hits, Query};
use serde_json::json;

use super::table::{Heading, Table};
use super::terms::{Terms, Weighing};
use super::words::Words;
use super::{Common, NOTHING, Outcome, queries, remark, sheet};
use narrow::Narrowing;
pub use narrow::counts;
pub use rerank::Order;
use rerank::Taste;

const THOROUGH: &str = "How thoroughly";

/// Find the items most like a picture, some words or another item
///
/// Any mix of pictures, texts, items and words is allowed, written as one expression or as options, each as
/// often as you like. An item's score is the weighted mean of its cosines to all of them (for words: of BM25,
/// as a part of the most that it can give). Every hit says what each part contributed.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  lookalike search shop.lookalike \"red leather\"\n  \
                  lookalike search shop.lookalike '\"red dress\" + ./photo.jpg - 2:stripes + item:SKU123'\n  \
                  lookalike search shop.lookalike --image shoe.jpg --text \"red leather\" --html hits.html\n  \
                  lookalike search shop.lookalike --item SKU123 --text-weight 0   # by looks alone\n  \
                  lookalike search shop.lookalike --words \"nvay sho\" --typo --as-you-type\n  \
                  lookalike search shop.lookalike --item SKU123 --side-by-side --html hits.html\n  \
                  lookalike search shop.lookalike shirt --where 'price < 30' --group-by item_group_id\n  \
                  lookalike search shop.lookalike shirt --user U000042 --rerank vbpr --blend 0.7\n  \
                  lookalike search shop.lookalike --queries queries.jsonl > answers.jsonl")]
pub struct Args {
    /// The collection
    collection: PathBuf,
    #[command(flatten)]
    terms: Terms,
    /// How many hits
    #[arg(long, short = 'k', value_name = "N", default_value_t = 10, env = "LOOKALIKE_TOP")]
    top: usize,
    /// Write a contact sheet of the hits: one HTML file, with pictures
    #[arg(long, value_name = "FILE", env = "LOOKALIKE_HTML")]
    html: Option<PathBuf>,
    #[command(flatten)]
    weighing: Weighing,
    #[command(flatten)]
    narrow: Narrowing,
    #[command(flatten)]
    taste: Taste,
    /// Compare every item, however many there are
    #[arg(long, help_heading = THOROUGH, env = "LOOKALIKE_EXACT", value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    exact: bool,
    /// Find this part of the best in a large collection [default: 0.99]
    #[arg(long, help_heading = THOROUGH, value_name = "PART", value_parser = part, env = "LOOKALIKE_RECALL")]
    recall: Option<f32>,
    /// Keep so many items in mind on a graph's walk, whatever recall that gives
    #[arg(long, help_heading = THOROUGH, value_name = "N", env = "LOOKALIKE_EF")]
    ef: Option<usize>,
}

/// Hits; and what was compared, where nothing was fused.
pub type Answer = (Option<Aspect>, Hits);

pub fn run(args: &Args, common: &Common) -> Outcome {
    let query = args.query()?;
    let personal = args.taste.is_asked(args.terms.queries.is_some())?;
    if personal && args.weighing.side_by_side() {
        return Err("--rerank orders the one list of a query: leave out --side-by-side".into());
    }
    let collection = Collection::open(&args.collection)?.with_models(common.models()?);
    if let Some(file) = &args.terms.queries {
        let order = personal.then(|| args.taste.order(&collection)).transpose()?;
        return queries::run(&collection, &query, order.as_ref(), file, common);
    }
    let start = Instant::now();
    let has_terms = query.terms().next().is_some();
    let answers: Vec<Answer> = if personal {
        vec![(None, args.taste.order(&collection)?.search(&query, common)?)]
    } else if args.weighing.side_by_side() && has_terms {
        let rankings = collection.rankings(&query)?.into_iter();
        rankings.map(|ranking| (Some(ranking.aspect), ranking.answer)).collect()
    } else {
        vec![(None, collection.search(&query)?)]
    };
    let elapsed = start.elapsed();

    let words = Words::of(&collection);
    let mut out = io::stdout().lock();
    for (aspect, hits) in &answers {
        if common.json {
            for (place, hit) in hits.hits.iter().enumerate() {
                writeln!(out, "{}", json_line(hits.offset + place + 1, hit, hits, *aspect)?)?;
            }
            narrow::print_counts_json(&hits.facets, *aspect, &mut out)?;
            continue;
        }
        if let Some(aspect) = aspect {
            writeln!(out, "by {aspect}")?;
        }
        args.table(hits, &words).print(&mut out)?;
        narrow::print_counts(&hits.facets, &mut out)?;
    }
    if !common.quiet {
        for (aspect, hits) in &answers {
            let by = aspect.map_or(String::new(), |aspect| format!("by {aspect}: "));
            remark!("{by}{}", about(hits, &collection, elapsed.as_secs_f64() * 1e3));
        }
    }
    if let Some(path) = &args.html {
        fs::write(path, sheet::page(&query, &answers, &collection, &words))
            .map_err(|e| format!("cannot write the contact sheet {}: {e}", path.display()))?;
        if !common.quiet {
            remark!("contact sheet: {}", path.display());
        }
    }
    let nothing = answers.iter().all(|(_, hits)| hits.hits.is_empty());
    Ok(if nothing { ExitCode::from(NOTHING) } else { ExitCode::SUCCESS })
}

fn about(hits: &Hits, collection: &Collection, milliseconds: f64) -> String {
    let fused = match hits.fusion {
        Fusion::Rrf { k, depth } => {
            format!("fused by 1 / ({k} + rank) over the first {depth} of each part, ")
        }
        _ => String::new(),
    };
    format!(
        "{} of {} items, {}, {fused}{} compared, {milliseconds:.0} ms with the encoders' loading",
        hits.hits.len(),
        collection.len(),
        hits.plan,
        hits.looked_at
    )
}

pub fn part(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(part) if part > 0.0 && part <= 1.0 => Ok(part),
        _ => Err("a number above 0 and up to 1, such as 0.95".to_owned()),
    }
}

impl Args {
    fn query(&self) -> Result<Query, Box<dyn Error>> {
        let mut query = self.weighing.of(self.terms.query()?).top(self.top);
        if self.exact {
            query = query.exact();
        }
        if let Some(recall) = self.recall {
            query = query.recall(recall);
        }
        if let Some(breadth) = self.ef {
            query = query.breadth(breadth);
        }
        Ok(self.narrow.narrow(query)?)
    }

    fn table(&self, hits: &Hits, words: &Words) -> Table {
        let parts = hits.hits.first().map(|hit| hit.receipt.parts.as_slice()).unwrap_or_default();
        let receipt = parts.iter().map(|part| {
            let term: String = part.term.chars().take(40).collect();
            let cut = if term.len() < part.term.len() { "…" } else { "" };
            Heading::right(format!("{:.0}% {} {term}{cut}", part.weight * 100.0, part.modality))
        });
        // What was listed has no score, and what is not grouped stands for itself.
        let (scored, grouped) = (hits.plan.how != How::Listed, self.narrow.is_grouped());
        let columns = [
            Some(Heading::right("#")),
            scored.then(|| Heading::right("score")),
            Some(Heading::left("key")),
            grouped.then(|| Heading::right("of")),
            Some(Heading::yielding("title")),
        ];
        let models = hits.hits.first().map(by_model).unwrap_or_default();
        let models = models.into_iter().map(|(model, _)| Heading::right(model));
        let mut table = Table::new(columns.into_iter().flatten().chain(models).chain(receipt));
        for (place, hit) in hits.hits.iter().enumerate() {
            let columns = [
                Some((hits.offset + place + 1).to_string()),
                scored.then(|| score(hit.score, hits.fusion)),
                Some(hit.item.key.clone()),
                grouped.then(|| narrow::members(hit.group.as_ref())),
                Some(words.title(&hit.item)),
            ];
            let receipt = hit.receipt.parts.iter().map(|part| match (part.value(), part.rank) {
                (Some(value), Some(rank)) => format!("{value:.3} (#{rank})"),
                (Some(value), None) => format!("{value:.3}"),
                (None, _) => "none".to_owned(),
            });
            let models = by_model(hit).into_iter().map(|(_, share)| format!("{share:+.3}"));
            table.row(columns.into_iter().flatten().chain(models).chain(receipt));
        }
        table
    }
}

/// A score with as many digits as tell scores apart.
pub fn score(score: f32, fusion: Fusion) -> String {
    match fusion {
        Fusion::Rrf { .. } => format!("{score:.5}"),
        _ => format!("{score:.3}"),
    }
}

fn json_line(
    place: usize,
    hit: &Hit,
    hits: &Hits,
    aspect: Option<Aspect>,
) -> serde_json::Result<String> {
    let mut line = json!({
        "rank": place,
        "key": hit.item.key,
        "score": hit.score,
        "receipt": hit.receipt.parts,
        "exact": hits.exact,
        "plan": hits.plan,
        "fusion": hits.fusion,
        "item": hit.item,
    });
    if let Some(group) = &hit.group {
        line["group"] = json!(group);
    }
    if !hit.receipt.taste.is_empty() {
        line["taste"] = json!(hit.receipt.taste);
    }
    if let Some(aspect) = aspect {
        line["by"] = json!(aspect);
    }
    serde_json::to_string(&line)
}
