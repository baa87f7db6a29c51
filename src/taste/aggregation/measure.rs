//! How well the categories of users' sets are told: precision, recall and F1 of the first few.
//!
//! Flowing in: a trained model and sets that it did not learn from. Flowing out: a table and a drawing of its
//! three curves over the number of categories that are named.

use std::fmt::Write;

use super::Aggregation;
use crate::taste::{Error, History, Metric, Standing};

/// How many categories are named.
pub const PLACES: [u32; 4] = [5, 10, 15, 20];

/// The three figures where so many categories are named.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// So many.
    pub at: u32,
    /// The part of the named that is right.
    pub precision: f64,
    /// The part of the right that is named.
    pub recall: f64,
    /// The harmonic mean of both, of each set; over sets, the mean.
    pub f1: f64,
}

/// A model's curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The model.
    pub model: String,
    /// At each of the [`PLACES`].
    pub places: Vec<Place>,
}

/// Judges a model by sets that it did not learn from, `labels` being their categories; those in no
/// category, or in all, say nothing.
pub fn measure(model: &Aggregation, sets: &History, labels: &History) -> Result<Vec<Place>, Error> {
    let users: Vec<u32> = (0..sets.users() as u32).filter(|&u| !sets.of(u).is_empty()).collect();
    let all: Vec<Vec<u32>> = users.iter().map(|&user| sets.of(user).to_vec()).collect();
    let probabilities = model.probabilities(&all)?;
    let rows = users.iter().zip(probabilities.chunks(labels.inventory().max(1)));
    let standings: Vec<Standing> =
        rows.filter_map(|(&user, scores)| Standing::of(scores, &[], labels.of(user))).collect();
    let mean = |metric: Metric| {
        let sum: f64 = standings.iter().map(|standing| standing.value(metric)).sum();
        sum / standings.len().max(1) as f64
    };
    let at = |at| Place {
        at,
        precision: mean(Metric::Precision(at)),
        recall: mean(Metric::Recall(at)),
        f1: mean(Metric::F1(at)),
    };
    Ok(PLACES.into_iter().map(at).collect())
}

/// A figure's name, and where it stands.
type Figure = (&'static str, fn(&Place) -> f64);

const COLOURS: [&str; 6] = ["#8a9ba8", "#d9a441", "#4f86c6", "#c8553d", "#5b8c5a", "#7d5ba6"];
const PANEL: (f64, f64) = (300.0, 220.0);

/// Precision, recall and F1 of some models over the number of categories named, side by side: an SVG file.
pub fn curves(models: &[Curve]) -> String {
    let (width, height) = PANEL;
    let key = 24.0 * models.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        3.0 * width,
        height + 40.0 + key
    );
    let panels: [Figure; 3] =
        [("precision", |p| p.precision), ("recall", |p| p.recall), ("F1", |p| p.f1)];
    for (panel, (name, value)) in panels.into_iter().enumerate() {
        draw_panel(&mut svg, panel as f64 * width, name, models, value);
    }
    for (n, (model, colour)) in models.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let y = height + 40.0 + 24.0 * n as f64;
        let name = model.model.replace('&', "&amp;").replace('<', "&lt;");
        let _ = writeln!(
            svg,
            "<path d=\"M40 {y}h30\" stroke=\"{colour}\" stroke-width=\"2\"/><text x=\"80\" y=\"{:.1}\">{name}</text>",
            y + 4.0,
        );
    }
    svg + "</svg>\n"
}

fn draw_panel(svg: &mut String, left: f64, name: &str, models: &[Curve], value: fn(&Place) -> f64) {
    let (width, height) = PANEL;
    let x = |at: u32| left + 40.0 + (f64::from(at) - 5.0) / 15.0 * (width - 70.0);
    let y = |value: f64| 30.0 + (1.0 - value) * (height - 40.0);
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"18\" font-size=\"14\">{name} of the first k categories</text>",
        left + 40.0
    );
    for tenth in (0..=10).step_by(2) {
        let share = f64::from(tenth) / 10.0;
        let _ = writeln!(
            svg,
            "<path d=\"M{:.1} {2:.1}H{:.1}\" stroke=\"#ddd\"/><text x=\"{3:.1}\" y=\"{4:.1}\" \
             text-anchor=\"end\">{share:.1}</text>",
            x(5),
            x(20),
            y(share),
            x(5) - 6.0,
            y(share) + 4.0,
        );
    }
    for at in PLACES {
        let below = y(0.0) + 16.0;
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{at}</text>",
            x(at)
        );
    }
    for (model, colour) in models.iter().zip(COLOURS.iter().cycle()) {
        let points: Vec<String> =
            model.places.iter().map(|p| format!("{:.1},{:.1}", x(p.at), y(value(p)))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        );
    }
}
