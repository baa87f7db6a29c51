//! `lookalike evaluate`: how good models are at telling what users take next.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::FalseyValueParser;
use lookalike::taste::aggregation::{AggregationSettings, Variant};
use lookalike::taste::rating::RatingSettings;
use lookalike::taste::{
    self, Judge, Material, Metric, Protocol, Recipe, Study, StudyRow, Training, Tried,
};
use serde_json::{Value, json};

use super::table::{Heading, Table};
use super::taste::{Dividing, changes, shown, write_plot};
use super::taste_categories::{self, Judging};
use super::taste_rating;
use super::tries::{self, Trying};
use super::{Common, Outcome, remark};

const JUDGING: &str = "Judging";

/// Judge models by what users took in truth, beside models that learn nothing
///
/// Trains each model on a part of the interactions, several times from other seeds, and ranks the whole
/// inventory for every user: where do the items stand that were held out? `random`, `popularity` and
/// `visrank` (by the best likeness to anything that the user took; on plain and on centred vectors) are always in
/// the table. Nothing in the collection is changed.
///
/// `auc-warm` is of items that somebody took in training and `auc-cold` of those that nobody did. p: how likely a
/// model's distance to the best baseline, or to `--against`, would be by chance (paired, over users).
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  lookalike evaluate shop.lookalike\n  \
                  lookalike evaluate shop.lookalike --model vbpr --set vbpr.visual=64 --seeds 5 --plot auc.svg\n  \
                  lookalike evaluate shop.lookalike --model vbpr --try vbpr.rate=1e-3,3e-3 --try vbpr.lambda=.01,.1\n  \
                  lookalike evaluate shop.lookalike --model bpr-mf,vbpr --against bpr-mf --arrivals 0.1")]
pub struct Args {
    /// The collection
    collection: PathBuf,
    /// A model to judge, any that `lookalike train` knows but a blend (`rating` by itself) [default: bpr-mf,vbpr]
    #[arg(long, value_name = "MODEL", env = "LOOKALIKE_MODEL", value_delimiter = ',')]
    model: Vec<String>,
    /// Change a setting of a model
    #[arg(long, value_name = "MODEL.NAME=VALUE", env = "LOOKALIKE_SET", value_delimiter = ',')]
    set: Vec<String>,
    #[command(flatten)]
    dividing: Dividing,
    /// Hide so large a part of the items from training, as if they had only just come in: tells what models make of
    /// what nobody has taken
    #[arg(long, value_name = "PART", env = "LOOKALIKE_ARRIVALS", value_parser = arrivals)]
    arrivals: Option<f32>,
    /// Compare everything with this model or baseline, instead of models with the best baseline
    #[arg(long, help_heading = JUDGING, value_name = "MODEL", env = "LOOKALIKE_AGAINST")]
    against: Option<String>,
    #[command(flatten)]
    trying: Trying,
    /// Train each model from so many seeds
    #[arg(long, help_heading = JUDGING, value_name = "N", default_value_t = 3, env = "LOOKALIKE_SEEDS", value_parser = clap::value_parser!(u64).range(1..=100))]
    seeds: u64,
    /// The most epochs
    #[arg(long, help_heading = JUDGING, value_name = "N", default_value_t = 50, env = "LOOKALIKE_EPOCHS")]
    epochs: u32,
    /// Stop when so many epochs brought nothing better on the validation
    #[arg(long, help_heading = JUDGING, value_name = "N", default_value_t = 5, env = "LOOKALIKE_PATIENCE")]
    patience: u32,
    /// Judge on the validation instead of the test: for choosing settings
    #[arg(long, help_heading = JUDGING, env = "LOOKALIKE_VALIDATION", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    validation: bool,
    /// Places at which precision, recall and nDCG are taken
    #[arg(
        long,
        help_heading = JUDGING,
        value_name = "K,...",
        value_delimiter = ',',
        default_value = "20,100",
        env = "LOOKALIKE_AT"
    )]
    at: Vec<u32>,
    /// Rank among 100 random items, as the original code of DVBPR does, and not among all. Quicker, and not
    /// to be compared with exact figures
    #[arg(long, help_heading = JUDGING, env = "LOOKALIKE_SAMPLED_100", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    sampled_100: bool,
    /// Judge how well the four models of sets of pictures tell users' categories: precision, recall and F1 of the first
    /// 5, 10, 15 and 20, on three in ten users whom they have not seen
    #[arg(long, help_heading = JUDGING, env = "LOOKALIKE_CATEGORIES", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue, conflicts_with_all = ["model", "validation", "at", "sampled_100", "arrivals", "against", "values"])]
    categories: bool,
    /// Draw the AUC of every model, or the curves of the categories: an SVG file
    #[arg(long, help_heading = JUDGING, value_name = "FILE", env = "LOOKALIKE_PLOT")]
    plot: Option<PathBuf>,
}

/// As much again arrives with the validation, and something must be there already.
fn arrivals(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(part) if part > 0.0 && part < 0.5 => Ok(part),
        _ => Err("a number between 0 and 0.5, such as 0.1".to_owned()),
    }
}

/// What `--set` calls all four models of sets of pictures together.
const ALL_VARIANTS: &str = "aggregation";

pub fn run(args: &Args, common: &Common) -> Outcome {
    let collection = common.open(&args.collection)?;
    let names: Vec<&str> = match args.model.as_slice() {
        [] => Recipe::QUICK.to_vec(),
        names => names.iter().map(String::as_str).collect(),
    };
    let variants = Variant::ALL.map(Variant::model);
    let judged = match args.categories {
        true => [[ALL_VARIANTS].as_slice(), &variants].concat(),
        false => names.clone(),
    };
    let set = changes(&args.set, &judged)?;
    if names == ["rating"] {
        let settings = RatingSettings::changed(set.get("rating").map_or(&[][..], Vec::as_slice))?;
        let interactions = args.dividing.interactions(&collection)?;
        let runs = (args.epochs, args.patience, args.seeds);
        return taste_rating::evaluate(&collection, &interactions, &settings, runs, common);
    }
    let interactions = args.dividing.interactions(&collection)?;
    let tell = |progress: &str| common.tell(progress);
    let material =
        Material::of(&collection, &interactions).with_models(common.models()?).telling(&tell);
    if args.categories {
        let judging = Judging {
            collection: &args.collection,
            epochs: args.epochs,
            seeds: args.seeds,
            plot: args.plot.as_deref(),
        };
        let usual = |variant: Variant| {
            let of = |model: &str| set.get(model).map_or(&[][..], Vec::as_slice);
            let changes = [of(ALL_VARIANTS), of(variant.model())].concat();
            Ok(AggregationSettings::changed(variant, &changes)?)
        };
        return taste_categories::evaluate(&judging, usual, &interactions, &material, common);
    }
    let mut study = Study::new(&interactions, &material, args.dividing.rule());
    if let Some(part) = args.arrivals {
        study = study.with_arrivals(part);
    }
    study.against = args.against.clone();
    study.judge = Judge {
        protocol: if args.sampled_100 { Protocol::Sampled(100) } else { Protocol::Exact },
        metrics: Metric::usual(&args.at),
        ..Judge::default()
    };
    study.training =
        Training { epochs: args.epochs, patience: args.patience, ..Training::default() };
    study.seeds = (1..=args.seeds).collect();
    study.on_validation = args.validation;
    if !common.quiet {
        remark!("{}", study.about());
    }
    let (recipes, tries) = args.trying.recipes(&names, &set, &study, common)?;
    let rows = study.run(&recipes, &mut |progress: &str| common.tell(progress))?;
    print(&rows, &tries, &study, args, common)?;
    if let Some(path) = &args.plot {
        write_plot(path, taste::plot::bars(&rows, "AUC", 0))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(
    rows: &[StudyRow],
    tries: &[Tried],
    study: &Study<'_>,
    args: &Args,
    common: &Common,
) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    if common.json {
        let tries = tries.iter().map(tries::line);
        for mut line in tries.chain(rows.iter().flat_map(|row| lines(row, study))) {
            line["data"] = json!(args.collection);
            writeln!(out, "{line}")?;
        }
        return Ok(());
    }
    tries::print(tries, &mut out)?;
    let slices = study.slice_names();
    let metrics = study.judge.metrics.iter().map(|metric| Heading::right(metric.to_string()));
    let others = slices[1..].iter().map(|name| Heading::right(format!("auc{name}")));
    let headings = [Heading::left("model")].into_iter().chain(metrics).chain(others);
    let mut table = Table::new(headings.chain([Heading::right("p")]));
    for row in rows {
        let figures = row.slices[0].figures.iter();
        let others = row.slices[1..].iter().map(|slice| &slice.figures[0]);
        let figures = figures.chain(others).map(|figure| shown(figure.as_ref(), row.seeds));
        let p = row.comparison.as_ref().map_or(String::new(), |c| format!("{:.4}", c.difference.p));
        table.row([row.model.clone()].into_iter().chain(figures).chain([p]));
    }
    table.print(&mut out)?;
    if !common.quiet {
        let against = rows.iter().find_map(|row| row.comparison.as_ref());
        remark!(
            "AUC over the whole inventory{}; p: how likely the distance to {} would be by chance (paired, over users)",
            if args.sampled_100 { " as 100 random items stand for it" } else { "" },
            against.map_or("the best baseline", |comparison| &comparison.against),
        );
    }
    Ok(())
}

/// A row as JSON: one object a metric and slice.
fn lines(row: &StudyRow, study: &Study<'_>) -> Vec<Value> {
    let mut lines = Vec::new();
    for (slice, name) in row.slices.iter().zip(study.slice_names()) {
        for (metric, figure) in study.judge.metrics.iter().zip(&slice.figures) {
            let Some(figure) = figure else { continue };
            lines.push(json!({
                "data": null,
                "model": row.model,
                "metric": format!("{metric}{name}"),
                "mean": figure.mean,
                "sd": figure.deviation,
                "seeds": row.seeds,
                "users": slice.users,
                "p": row.comparison.as_ref().map(|comparison| comparison.difference.p),
                "against": row.comparison.as_ref().map(|comparison| &comparison.against),
                "ahead": row.comparison.as_ref().map(|comparison| comparison.difference.mean),
            }));
        }
    }
    lines
}
