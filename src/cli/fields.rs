//! `lookalike fields`: what a filter can ask of a collection.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use lookalike::Collection;
use serde_json::json;

use super::search::counts;
use super::table::{Heading, Table};
use super::{Common, NOTHING, Outcome, remark};

/// Tell which fields the items have: of what type, with which values, how often
///
/// These are what `search --where`, `--group-by` and `--facet` speak of. Types are told from the values; where
/// they are not as you mean them, `index --type FIELD=TYPE` says so.
#[derive(clap::Args)]
pub struct Args {
    /// The collection
    collection: PathBuf,
    /// Name so many of each field's values, the most frequent first
    #[arg(long, value_name = "N", default_value_t = 5, env = "LOOKALIKE_VALUES")]
    values: usize,
}

pub fn run(args: &Args, common: &Common) -> Outcome {
    let collection = Collection::open(&args.collection)?;
    let Some(fields) = collection.fields() else {
        return Err(
            "the collection was indexed before there were filters: index its catalogue once more"
                .into(),
        );
    };
    if fields.is_empty() {
        if !common.quiet {
            remark!("the items have no fields");
        }
        return Ok(ExitCode::from(NOTHING));
    }
    let mut out = io::stdout().lock();
    let mut table = Table::new([
        Heading::left("field"),
        Heading::left("type"),
        Heading::right("items"),
        Heading::right("values"),
        Heading::yielding("most frequent"),
    ]);
    for field in fields {
        let counted = collection.values_of(&field.name)?;
        let distinct = counted.values.len() + counted.more;
        if common.json {
            let most: Vec<_> = counted.values.iter().take(args.values).collect();
            let line = json!({
                "field": field.name, "type": field.reading.kind, "separator": field.reading.separator,
                "told": field.declared, "items": field.items(), "values": distinct,
                "not_of_type": counted.strays, "most": most,
            });
            writeln!(out, "{line}")?;
            continue;
        }
        let several = field.reading.separator.map(|separator| format!(", several by {separator}"));
        let told = if field.declared { ", told" } else { "" };
        let kind = format!("{}{}{told}", field.reading.kind, several.unwrap_or_default());
        table.row([
            field.name.clone(),
            kind,
            field.items().to_string(),
            distinct.to_string(),
            counts(&counted, args.values),
        ]);
        if counted.strays > 0 && !common.quiet {
            let kind = field.reading.kind;
            remark!(
                "{} items have a \"{}\" that is no {kind}; only exists() finds them",
                counted.strays,
                field.name
            );
        }
    }
    if !common.json {
        table.print(&mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}
