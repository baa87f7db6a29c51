//! The planted task of `tools/bench sets`: which way of making one picture of many tells shoppers' categories.
//!
//! `aggregate_worker SHOPPERS HIDDEN EPOCHS FIRST SEEDS [RATE [PLOT]]` trains the four variants on seven in ten planted
//! shoppers, anew for each of SEEDS seeds from FIRST on, judges them by the others, and prints a line of JSON a model and
//! figure: `{"data", "model", "metric", "mean", "sd"}`. RATE is Adam's step size; PLOT becomes a drawing of the curves.

use std::error::Error;
use std::time::Instant;

use lookalike::taste::aggregation::{
    Aggregation, AggregationSettings, Curve, Place, Studied, Variant, curves, measure,
};
use lookalike_tools::planted::Planted;
use serde_json::json;

const DIMENSION: usize = 128;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| -> Result<usize, Box<dyn Error>> {
        let text = arguments.get(at).ok_or("SHOPPERS HIDDEN EPOCHS FIRST SEEDS [RATE [PLOT]]")?;
        Ok(text.parse()?)
    };
    let (shoppers, hidden, epochs) = (number(0)?, number(1)?, number(2)? as u32);
    let seeds = number(3)? as u64..number(3)? as u64 + number(4)? as u64;
    let usual = AggregationSettings::default().rate;
    let rate: f32 = arguments.get(5).map_or(Ok(usual), |text| text.parse())?;
    let mut drawn = Vec::new();
    for variant in Variant::ALL {
        let mut runs: Vec<Vec<Place>> = Vec::new();
        for seed in seeds.clone() {
            let settings =
                AggregationSettings { hidden, rate, seed, ..AggregationSettings::of(variant) };
            let start = Instant::now();
            runs.push(run(&Planted::draw(shoppers, DIMENSION, seed), settings, epochs)?);
            let (f1, seconds) = (runs[runs.len() - 1][2].f1, start.elapsed().as_secs_f64());
            eprintln!("{}, seed {seed}: F1@15 {f1:.4}, {seconds:.1} s", variant.model());
        }
        let studied = Studied::of(variant.model(), &runs);
        print(&studied);
        drawn.push(studied.curve);
    }
    if let Some(path) = arguments.get(6) {
        std::fs::write(path, curves(&drawn))?;
    }
    Ok(())
}

/// Precision, recall and F1 on the shoppers that were held out.
fn run(
    planted: &Planted,
    settings: AggregationSettings,
    epochs: u32,
) -> Result<Vec<Place>, Box<dyn Error>> {
    let (train, test) = planted.parts();
    let (features, seed) = (planted.features.clone(), settings.seed);
    let mut model = Aggregation::new(features, planted.labels.inventory(), settings)?;
    for epoch in 0..epochs {
        model.learn(&train, &planted.labels, seed, epoch)?;
    }
    Ok(measure(&model, &test, &planted.labels)?)
}

fn print(Studied { curve: Curve { model, places }, deviations }: &Studied) {
    type Figure = (&'static str, fn(&Place) -> f64);
    let values: [Figure; 3] = [("p", |p| p.precision), ("r", |p| p.recall), ("f1", |p| p.f1)];
    for (mean, deviation) in places.iter().zip(deviations) {
        for (name, value) in values {
            let (metric, mean, sd) = (format!("{name}@{}", mean.at), value(mean), value(deviation));
            println!(
                "{}",
                json!({"data": "planted", "model": model, "metric": metric, "mean": mean, "sd": sd})
            );
        }
    }
}
