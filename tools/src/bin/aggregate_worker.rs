//! The planted task of `tools/bench taste`: which way of making one picture of many tells shoppers' categories.
//!
//! `aggregate_worker SHOPPERS HIDDEN EPOCHS SEEDS RATE [PLOT]` trains the four variants on seven in ten planted shoppers, judges
//! them by the others, and prints a line of JSON a model and figure: `{"data", "model", "metric", "mean",
//! "sd"}`. PLOT becomes a drawing of the curves.

use std::error::Error;
use std::time::Instant;

use lookalike::taste::aggregation::{
    Aggregation, AggregationSettings, Curve, PLACES, Place, Variant, curves, measure,
};
use lookalike_tools::planted::Planted;
use serde_json::json;

const DIMENSION: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| -> Result<usize, Box<dyn Error>> {
        let text = arguments.get(at).ok_or("SHOPPERS HIDDEN EPOCHS SEEDS RATE [PLOT]")?;
        Ok(text.parse()?)
    };
    let (shoppers, hidden, epochs, seeds) = (number(0)?, number(1)?, number(2)?, number(3)?);
    let rate: f32 = arguments.get(4).map_or(Ok(3e-3), |text| text.parse())?;
    let mut drawn = Vec::new();
    for variant in Variant::ALL {
        let mut runs: Vec<Vec<Place>> = Vec::new();
        for seed in 1..=seeds as u64 {
            let planted = Planted::draw(shoppers, DIMENSION, seed);
            let (train, test) = planted.parts();
            let settings =
                AggregationSettings { hidden, rate, seed, ..AggregationSettings::of(variant) };
            let categories = planted.labels.inventory();
            let mut model = Aggregation::new(planted.features.clone(), categories, settings)?;
            let start = Instant::now();
            for epoch in 0..epochs as u32 {
                let loss = model.learn(&train, &planted.labels, seed, epoch)?;
                if epoch % 10 == 9 {
                    let f1 = measure(&model, &test, &planted.labels)?[2].f1;
                    eprintln!(
                        "{} {seed}: epoch {epoch}, loss {loss:.4}, F1@15 {f1:.4}",
                        variant.model()
                    );
                }
            }
            eprintln!("{} {seed}: {:.1} s", variant.model(), start.elapsed().as_secs_f64());
            runs.push(measure(&model, &test, &planted.labels)?);
        }
        drawn.push(report(variant.model(), &runs));
    }
    if let Some(path) = arguments.get(5) {
        std::fs::write(path, curves(&drawn))?;
    }
    Ok(())
}

/// Prints a model's figures and returns the means.
fn report(model: &str, runs: &[Vec<Place>]) -> Curve {
    type Figure = (&'static str, fn(&Place) -> f64);
    let values: [Figure; 3] = [("p", |p| p.precision), ("r", |p| p.recall), ("f1", |p| p.f1)];
    let mut places = Vec::new();
    for (n, at) in PLACES.into_iter().enumerate() {
        let [precision, recall, f1] = values.map(|(name, value)| {
            let all: Vec<f64> = runs.iter().map(|run| value(&run[n])).collect();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let squares: f64 = all.iter().map(|x| (x - mean) * (x - mean)).sum();
            let sd = (squares / (all.len() - 1).max(1) as f64).sqrt();
            let metric = format!("{name}@{at}");
            println!(
                "{}",
                json!({"data": "planted", "model": model, "metric": metric, "mean": mean, "sd": sd})
            );
            mean
        });
        places.push(Place { at, precision, recall, f1 });
    }
    Curve { model: model.to_owned(), places }
}
