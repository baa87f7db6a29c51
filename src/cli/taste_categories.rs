//! `lookalike taste`: the categories of somebody who likes some pictures; and how well categories are told.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lookalike::Collection;
use lookalike::taste::aggregation::{
    AggregationSettings, Curve, Place, Studied, Variant, curves, study,
};
use lookalike::taste::{Interactions, Material, Reranker, Served, Testimony, Visitor, Witness};
use serde_json::{Value, json};

use super::recommend::VisitorArgs;
use super::table::{Heading, Table};
use super::taste::write_plot;
use super::{Common, NOTHING, Outcome, remark};

/// Tell the categories of whoever likes some pictures
///
/// Needs a model of sets of pictures (`lookalike train --model aggregation-gated`), and no account: the pictures are
/// the taste. Each says what it counted for and what it would have named alone.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lookalike taste shop.lookalike --liked shirt.jpg --liked SKU123\n  \
                  lookalike search shop.lookalike shoes --liked shirt.jpg --rerank aggregation-gated"
)]
pub struct Args {
    /// The collection
    collection: PathBuf,
    #[command(flatten)]
    visitor: VisitorArgs,
    /// The model
    #[arg(
        long,
        value_name = "MODEL",
        default_value = "aggregation-gated",
        env = "LOOKALIKE_TASTE_MODEL"
    )]
    model: String,
    /// How many categories
    #[arg(long, short = 'k', value_name = "N", default_value_t = 10, env = "LOOKALIKE_TOP")]
    top: usize,
}

pub fn run(args: &Args, common: &Common) -> Outcome {
    let collection = common.open(&args.collection)?;
    let model = Served::open(&collection, &args.model)?;
    let mut visitor = args.visitor.visitor(&collection)?;
    if visitor.liked.is_empty()
        && let Some(user) = visitor.user.take()
    {
        visitor.liked = collection.taken_by(&user)?;
    }
    let Some(testimony) = model.testimony(&visitor)? else {
        return Err(format!(
            "{} has no categories to tell: name pictures by --liked, and a model of sets by --model",
            args.model
        )
        .into());
    };
    let mut out = io::stdout().lock();
    let named = names(&collection, &visitor)?;
    if common.json {
        let liked = witnesses_json(&named, &testimony, usize::MAX);
        for (place, (category, probability)) in
            testimony.categories.iter().take(args.top).enumerate()
        {
            let (rank, model) = (place + 1, &args.model);
            let line = json!({
                "rank": rank, "category": category, "probability": probability, "model": model,
                "liked": liked,
            });
            writeln!(out, "{line}")?;
        }
    } else {
        let headings =
            [Heading::right("#"), Heading::right("probability"), Heading::yielding("category")];
        let mut table = Table::new(headings);
        for (place, (category, p)) in testimony.categories.iter().take(args.top).enumerate() {
            table.row([(place + 1).to_string(), format!("{p:.3}"), category.clone()]);
        }
        table.print(&mut out)?;
    }
    if !common.quiet {
        witnesses(&named, &testimony);
    }
    let nothing = testimony.categories.is_empty();
    Ok(if nothing { ExitCode::from(NOTHING) } else { ExitCode::SUCCESS })
}

/// What liked things are called, in the order of a testimony.
pub fn names(
    collection: &Collection,
    visitor: &Visitor,
) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let mut names = Vec::new();
    for &id in &visitor.liked {
        names.push(collection.item(id)?.map_or_else(|| id.to_string(), |item| item.key));
    }
    names.extend(visitor.pictures.iter().map(|picture| picture.name.clone()));
    Ok(names)
}

/// What each liked picture counted for, and its first `most` votes; nothing of one without a picture.
pub fn witnesses_json(names: &[String], testimony: &Testimony, most: usize) -> Vec<Value> {
    let told = |(name, witness): (&String, &Option<Witness>)| {
        let witness = witness.as_ref();
        let votes = |witness: &Witness| -> Vec<(String, f32)> {
            witness.categories.iter().take(most).cloned().collect()
        };
        json!({
            "liked": name,
            "attention": witness.map(|witness| witness.attention),
            "categories": witness.map(votes),
        })
    };
    names.iter().zip(&testimony.liked).map(told).collect()
}

/// Remarks what each liked picture counted for and what it voted for.
pub fn witnesses(names: &[String], testimony: &Testimony) {
    for (name, witness) in names.iter().zip(&testimony.liked) {
        match witness {
            None => remark!("{name}: no picture to go by"),
            Some(witness) => {
                let votes: Vec<String> = (witness.categories.iter().take(3))
                    .map(|(category, p)| format!("{category} {p:.2}"))
                    .collect();
                remark!(
                    "{name}: counts for {:.0}%: {}",
                    witness.attention * 100.0,
                    votes.join(", ")
                );
            }
        }
    }
}

/// How a study of categories is to be made.
pub struct Judging<'a> {
    /// The collection.
    pub collection: &'a Path,
    /// The most epochs.
    pub epochs: u32,
    /// From so many seeds.
    pub seeds: u64,
    /// What becomes a drawing of the curves.
    pub plot: Option<&'a Path>,
}

/// Judges the four variants by the users that they did not learn from, as `lookalike evaluate --categories` does.
pub fn evaluate(
    judging: &Judging<'_>,
    usual: impl Fn(Variant) -> Result<AggregationSettings, Box<dyn std::error::Error>>,
    interactions: &Interactions,
    material: &Material<'_>,
    common: &Common,
) -> Outcome {
    let variants = Variant::ALL.into_iter().map(usual).collect::<Result<Vec<_>, _>>()?;
    let runs = (judging.epochs, judging.seeds);
    let studied = study(interactions, material, &variants, runs, &mut |told| {
        if !common.quiet {
            remark!("{told}");
        }
    })?;
    print(&studied, judging, common)?;
    if let Some(path) = judging.plot {
        let drawn: Vec<Curve> = studied.into_iter().map(|studied| studied.curve).collect();
        write_plot(path, curves(&drawn))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(studied: &[Studied], judging: &Judging<'_>, common: &Common) -> io::Result<()> {
    type Figure = (&'static str, fn(&Place) -> f64);
    let figures: [Figure; 3] = [("p", |p| p.precision), ("r", |p| p.recall), ("f1", |p| p.f1)];
    let mut out = io::stdout().lock();
    let places = studied.first().map(|first| first.curve.places.clone()).unwrap_or_default();
    let headings = places
        .iter()
        .flat_map(|place| figures.map(|(name, _)| Heading::right(format!("{name}@{}", place.at))));
    let mut table = Table::new([Heading::left("model")].into_iter().chain(headings));
    for Studied { curve, deviations } in studied {
        let mut row = vec![curve.model.clone()];
        for (mean, deviation) in curve.places.iter().zip(deviations) {
            for (name, of) in figures {
                let (mean, sd) = (of(mean), of(deviation));
                if common.json {
                    let metric = format!("{name}@{}", deviation.at);
                    let line = json!({
                        "data": judging.collection, "model": curve.model, "metric": metric,
                        "mean": mean, "sd": sd,
                    });
                    writeln!(out, "{line}")?;
                }
                row.push(format!("{mean:.3} ±{sd:.3}"));
            }
        }
        table.row(row);
    }
    if !common.json {
        table.print(&mut out)?;
    }
    Ok(())
}
