//! `lookalike duplicates`: items that are the same, or nearly so.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::FalseyValueParser;
use lookalike::search::{Cluster, Member};
use lookalike::{Collection, Duplicates, Modality, StoredItem};
use serde_json::json;

use super::words::Words;
use super::{Common, NOTHING, Outcome, remark, sheet};

/// Find items with the same picture or the same text, or nearly the same
///
/// Clusters of items whose vectors have a cosine from the threshold on, or whose picture's bytes or whose text
/// are the very same ("same"). The first of each cluster is the one most like all others; what follows is
/// ordered by its similarity to that one. CSV, or JSON lines with `--json`. Exits with 1 where there are none.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  lookalike duplicates shop.lookalike --html twins.html\n  \
                  lookalike duplicates shop.lookalike --by image --threshold 0.99 > twins.csv")]
pub struct Args {
    /// The collection
    collection: PathBuf,
    /// What to compare [default: looks and meaning, one after the other]
    #[arg(long, env = "LOOKALIKE_BY")]
    by: Option<By>,
    /// From which cosine on two items are taken for the same
    #[arg(long, value_name = "COSINE", default_value_t = 0.97, value_parser = cosine, env = "LOOKALIKE_THRESHOLD")]
    threshold: f32,
    /// Write a contact sheet of the clusters: one HTML file, with pictures
    #[arg(long, value_name = "FILE", env = "LOOKALIKE_HTML")]
    html: Option<PathBuf>,
    /// Compare every item with every other, however many there are
    #[arg(long, env = "LOOKALIKE_EXACT", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    exact: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum By {
    /// Looks
    Image,
    /// Meaning
    Text,
}

fn cosine(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(cosine) if cosine > 0.0 && cosine <= 1.0 => Ok(cosine),
        _ => Err("a number above 0 and up to 1, such as 0.98".to_owned()),
    }
}

/// A cluster with its items.
type Shown = (Cluster, Vec<(Member, StoredItem)>);

pub fn run(args: &Args, common: &Common) -> Outcome {
    let collection = Collection::open(&args.collection)?;
    let asked = match args.by {
        Some(By::Image) => vec![Modality::Image],
        Some(By::Text) => vec![Modality::Text],
        None => Modality::ALL.into_iter().filter(|&m| collection.vectors(m).is_some()).collect(),
    };
    let mut found: Vec<Shown> = Vec::new();
    for modality in asked {
        let mut wish = Duplicates::by(modality).threshold(args.threshold);
        if args.exact {
            wish = wish.exact();
        }
        for cluster in collection.duplicates(&wish)? {
            let members = cluster.members.iter();
            let items = members.map(|&member| Ok((member, item(&collection, member.id)?)));
            let items = items.collect::<Result<Vec<_>, Box<dyn Error>>>()?;
            found.push((cluster, items));
        }
    }
    let words = Words::of(&collection);
    if common.json {
        print_json(&found)?
    } else {
        print_csv(&found, &words)?
    }
    if let Some(path) = &args.html {
        write_sheet(path, &found, &words, args.threshold)?;
    }
    if !common.quiet {
        let items: usize = found.iter().map(|(_, items)| items.len()).sum();
        remark!("{} clusters of {items} items", found.len());
    }
    Ok(if found.is_empty() { ExitCode::from(NOTHING) } else { ExitCode::SUCCESS })
}

fn item(collection: &Collection, id: u32) -> Result<StoredItem, Box<dyn Error>> {
    Ok(collection.item(id)?.ok_or("an item that has a vector is gone: run `lookalike verify`")?)
}

fn print_csv(found: &[Shown], words: &Words) -> Result<(), Box<dyn Error>> {
    let mut out = csv::Writer::from_writer(io::stdout().lock());
    out.write_record(["cluster", "by", "place", "key", "similarity", "same", "title"])?;
    for (number, (cluster, items)) in found.iter().enumerate() {
        for (place, (member, item)) in items.iter().enumerate() {
            out.write_record([
                &(number + 1).to_string(),
                &cluster.modality.to_string(),
                &(place + 1).to_string(),
                &item.key,
                &format!("{:.4}", member.similarity),
                &member.same.to_string(),
                &words.title(item),
            ])?;
        }
    }
    Ok(out.flush()?)
}

fn print_json(found: &[Shown]) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    for (number, (cluster, items)) in found.iter().enumerate() {
        let items = items.iter().map(|(member, item)| {
            json!({"key": item.key, "similarity": member.similarity, "same": member.same, "fields": item.fields})
        });
        let items: Vec<_> = items.collect();
        writeln!(
            out,
            "{}",
            json!({"cluster": number + 1, "by": cluster.modality, "items": items})
        )?;
    }
    Ok(())
}

fn write_sheet(
    path: &Path,
    found: &[Shown],
    words: &Words,
    threshold: f32,
) -> Result<(), Box<dyn Error>> {
    let about =
        format!("{} clusters from a cosine of {threshold} on, the largest first", found.len());
    let clusters: String = found
        .iter()
        .enumerate()
        .map(|(number, (cluster, items))| {
            let by = match cluster.modality {
                Modality::Image => "one look",
                Modality::Text => "one meaning",
            };
            let cards = items.iter().zip(1..);
            let cards: String = cards.map(|(item, place)| card(place, item, words)).collect();
            format!("<h2>{}: {} items of {by}</h2>\n<ol>\n{cards}</ol>\n", number + 1, items.len())
        })
        .collect();
    let page = sheet::listing("Duplicates", &about, &clusters);
    fs::write(path, page)
        .map_err(|e| format!("cannot write the contact sheet {}: {e}", path.display()).into())
}

fn card(place: usize, (member, item): &(Member, StoredItem), words: &Words) -> String {
    let same = if member.same && place > 1 { "the same, " } else { "" };
    let below = format!("<p class=\"score\">{same}<b>{:.3}</b></p>", member.similarity);
    sheet::figure(place, item, &below, words)
}
