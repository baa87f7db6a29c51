//! Which hits are wanted: the options of a search beside what it is to be similar to, and what is printed
//! for them.

use std::io::{self, Write};

use lookalike::search::{Facet, FilterError, Group};
use lookalike::{Aspect, Filter, Query};
use serde_json::json;

use crate::cli::plain;
use crate::cli::terms::score;

/// Which hits are wanted.
#[derive(clap::Args)]
#[command(next_help_heading = "Which hits")]
pub struct Narrowing {
    /// Only items of which this holds, such as `category = "shoes" and price between 20 and 80 and colour in
    /// ("red", "black") and not sold_out`; alone it lists them. `lookalike fields` tells what there is
    #[arg(long = "where", value_name = "EXPRESSION", env = "LOOKALIKE_WHERE")]
    filters: Vec<String>,
    /// Of all items that share a value of this field, such as variants, show the best
    #[arg(long, value_name = "FIELD", env = "LOOKALIKE_GROUP_BY")]
    group_by: Option<String>,
    /// Count what matches by the values of this field; grouped, by groups
    #[arg(long, value_name = "FIELD,...", value_delimiter = ',', env = "LOOKALIKE_FACET")]
    facet: Vec<String>,
    /// How much hits shall differ from one another, from 0, not at all, to 1, above all else
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, env = "LOOKALIKE_DIVERSITY")]
    diversity: f32,
    /// Leave out what scores less
    #[arg(long, value_name = "SCORE", env = "LOOKALIKE_MIN_SCORE", allow_negative_numbers = true, value_parser = score)]
    min_score: Option<f32>,
    /// Leave out so many of the first hits, which earlier pages have shown
    #[arg(long, value_name = "N", default_value_t = 0, env = "LOOKALIKE_OFFSET")]
    offset: usize,
}

impl Narrowing {
    /// The query with all of this.
    pub fn narrow(&self, mut query: Query) -> Result<Query, FilterError> {
        for filter in &self.filters {
            query = query.filter(filter.parse::<Filter>()?);
        }
        if let Some(field) = &self.group_by {
            query = query.group_by(field);
        }
        query = self.facet.iter().fold(query, |query, field| query.facet(field));
        if let Some(score) = self.min_score {
            query = query.min_score(score);
        }
        Ok(query.diversity(self.diversity).offset(self.offset))
    }

    /// Whether hits stand for groups.
    pub fn is_grouped(&self) -> bool {
        self.group_by.is_some()
    }
}

/// How many items a hit stands for, in a cell.
pub fn members(group: Option<&Group>) -> String {
    group.map_or(1, |group| group.count).to_string()
}

/// The counts of a field's values, as one line.
pub fn counts(facet: &Facet, most: usize) -> String {
    let shown = facet.values.iter().take(most);
    let mut counts: Vec<String> =
        shown.map(|value| format!("{} {}", value.value, value.count)).collect();
    let more = facet.values.len().saturating_sub(most) + facet.more;
    counts.extend((more > 0).then(|| format!("{more} more")));
    counts.join(", ")
}

/// Prints the counts below a table: one line a field.
pub fn print_counts(facets: &[Facet], out: &mut impl Write) -> io::Result<()> {
    const MOST: usize = 20;
    for facet in facets {
        writeln!(out, "{}: {}", plain(&facet.field), plain(&counts(facet, MOST)))?;
    }
    Ok(())
}

/// Prints the counts as JSON: one line a field, after those of the hits.
pub fn print_counts_json(
    facets: &[Facet],
    aspect: Option<Aspect>,
    out: &mut impl Write,
) -> io::Result<()> {
    for facet in facets {
        let mut line = json!({ "facet": facet.field, "values": facet.values, "more": facet.more });
        if let Some(aspect) = aspect {
            line["by"] = json!(aspect);
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}
