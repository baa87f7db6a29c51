//! `lookalike search`: the items most like a picture, some words or another item.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use lookalike::{Collection, Hit, Hits, Modality, Query, Term};
use serde_json::json;

use super::table::{Heading, Table};
use super::words::Words;
use super::{Common, NOTHING, Outcome, remark, sheet};

/// Find the items most like a picture, some words or another item
///
/// Any mix of `--image`, `--text` and `--item` is allowed, each as often as you like: an item's score is the
/// weighted mean of its cosines to all of them. Every hit says what each part contributed.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  lookalike search shop.lookalike --text \"red leather\"\n  \
                  lookalike search shop.lookalike --image shoe.jpg --text \"red leather\" --html hits.html\n  \
                  lookalike search shop.lookalike --item SKU123 --text-weight 0   # by looks alone")]
pub struct Args {
    /// The collection
    collection: PathBuf,
    #[command(flatten)]
    terms: Terms,
    /// How many hits
    #[arg(long, short = 'k', value_name = "N", default_value_t = 10, env = "LOOKALIKE_TOP")]
    top: usize,
    /// How much looks count; 0 leaves them out
    #[arg(
        long,
        value_name = "WEIGHT",
        default_value_t = 1.0,
        env = "LOOKALIKE_IMAGE_WEIGHT",
        allow_negative_numbers = true,
        value_parser = weight
    )]
    image_weight: f32,
    /// How much meaning counts; 0 leaves it out
    #[arg(
        long,
        value_name = "WEIGHT",
        default_value_t = 1.0,
        env = "LOOKALIKE_TEXT_WEIGHT",
        allow_negative_numbers = true,
        value_parser = weight
    )]
    text_weight: f32,
    /// Write a contact sheet of the hits: one HTML file, with pictures
    #[arg(long, value_name = "FILE", env = "LOOKALIKE_HTML")]
    html: Option<PathBuf>,
    /// Compare every item, however many there are
    #[arg(long, env = "LOOKALIKE_EXACT", value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    exact: bool,
    /// Find this part of the best in a large collection [default: 0.99]
    #[arg(long, value_name = "PART", value_parser = part, env = "LOOKALIKE_RECALL")]
    recall: Option<f32>,
    /// Keep so many items in mind on a graph's walk, whatever recall that gives
    #[arg(long, value_name = "N", env = "LOOKALIKE_EF")]
    ef: Option<usize>,
}

/// What to be similar to.
#[derive(clap::Args)]
#[group(required = true, multiple = true)]
struct Terms {
    /// Words to be similar to
    #[arg(long, short, value_name = "WORDS")]
    text: Vec<String>,
    /// A picture to be similar to
    #[arg(long, short, value_name = "FILE")]
    image: Vec<PathBuf>,
    /// The key of an item to be similar to
    #[arg(long, value_name = "KEY")]
    item: Vec<String>,
}

fn weight(text: &str) -> Result<f32, String> {
    let weight = text.parse().ok().filter(|weight: &f32| weight.is_finite());
    weight.ok_or_else(|| "a number, such as 0.5, 2 or -1 for *unlike*".to_owned())
}

pub fn run(args: &Args, common: &Common) -> Outcome {
    let collection = Collection::open(&args.collection)?.with_models(common.models()?);
    let terms = args.terms.in_order();
    let query = args.query(&terms);
    let start = Instant::now();
    let hits = collection.search(&query)?;
    let elapsed = start.elapsed();

    let words = Words::of(&collection);
    let mut out = io::stdout().lock();
    if common.json {
        for (place, hit) in hits.hits.iter().enumerate() {
            writeln!(out, "{}", json_line(place + 1, hit, &hits)?)?;
        }
    } else {
        table(&hits, &words).print(&mut out)?;
    }
    if !common.quiet {
        let how = if hits.exact { "exact" } else { "approximate" };
        let milliseconds = elapsed.as_secs_f64() * 1e3;
        remark!(
            "{} of {} items, {how}, {} vectors compared, {milliseconds:.0} ms with the encoders' loading",
            hits.hits.len(),
            collection.len(),
            hits.looked_at
        );
    }
    if let Some(path) = &args.html {
        fs::write(path, sheet::page(&terms, &hits, &collection, &words))
            .map_err(|e| format!("cannot write the contact sheet {}: {e}", path.display()))?;
        if !common.quiet {
            remark!("contact sheet: {}", path.display());
        }
    }
    Ok(if hits.hits.is_empty() { ExitCode::from(NOTHING) } else { ExitCode::SUCCESS })
}

fn part(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(part) if part > 0.0 && part <= 1.0 => Ok(part),
        _ => Err("a number above 0 and up to 1, such as 0.95".to_owned()),
    }
}

impl Args {
    fn query(&self, terms: &[Term]) -> Query {
        let mut query = terms
            .iter()
            .fold(Query::new(), |query, term| query.term(term.clone()))
            .weight(Modality::Image, self.image_weight)
            .weight(Modality::Text, self.text_weight)
            .top(self.top);
        if self.exact {
            query = query.exact();
        }
        if let Some(recall) = self.recall {
            query = query.recall(recall);
        }
        if let Some(breadth) = self.ef {
            query = query.breadth(breadth);
        }
        query
    }
}

impl Terms {
    fn in_order(&self) -> Vec<Term> {
        let images = self.image.iter().cloned().map(Term::Image);
        let texts = self.text.iter().cloned().map(Term::Text);
        let items = self.item.iter().cloned().map(Term::Item);
        images.chain(texts).chain(items).collect()
    }
}

fn table(hits: &Hits, words: &Words) -> Table {
    let parts = hits.hits.first().map(|hit| hit.receipt.parts.as_slice()).unwrap_or_default();
    let receipt = parts.iter().map(|part| {
        let term: String = part.term.chars().take(40).collect();
        let cut = if term.len() < part.term.len() { "…" } else { "" };
        Heading::right(format!("{:.0}% {} {term}{cut}", part.weight * 100.0, part.modality))
    });
    let columns = [
        Heading::right("#"),
        Heading::right("score"),
        Heading::left("key"),
        Heading::yielding("title"),
    ];
    let mut table = Table::new(columns.into_iter().chain(receipt));
    for (place, hit) in hits.hits.iter().enumerate() {
        let columns = [
            (place + 1).to_string(),
            format!("{:.3}", hit.score),
            hit.item.key.clone(),
            words.title(&hit.item),
        ];
        let receipt = hit.receipt.parts.iter().map(|part| match (part.cosine, part.rank) {
            (Some(cosine), Some(rank)) => format!("{cosine:.3} (#{rank})"),
            (Some(cosine), None) => format!("{cosine:.3}"),
            (None, _) => "none".to_owned(),
        });
        table.row(columns.into_iter().chain(receipt));
    }
    table
}

fn json_line(place: usize, hit: &Hit, hits: &Hits) -> serde_json::Result<String> {
    serde_json::to_string(&json!({
        "rank": place,
        "key": hit.item.key,
        "score": hit.score,
        "receipt": hit.receipt.parts,
        "exact": hits.exact,
        "item": hit.item,
    }))
}
