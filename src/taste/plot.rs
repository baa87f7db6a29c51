//! Plots as SVG: one file, no script, no network.

use std::fmt::Write;

use super::study::StudyRow;
use super::training::EpochReport;

const WIDTH: f64 = 640.0;
const TRAINED: &str = "#c8553d";
const OTHER: &str = "#8a9ba8";

/// A metric of every model in the study as bars, with the seeds' deviation as whiskers.
pub fn bars(rows: &[StudyRow], title: &str, metric: usize) -> String {
    let figures: Vec<_> =
        rows.iter().filter_map(|row| Some((row, row.slices.first()?.figures[metric]?))).collect();
    let most = figures.iter().map(|(_, f)| f.mean + f.deviation).fold(f64::MIN_POSITIVE, f64::max);
    let (left, height) = (150.0, 22.0);
    let scale = (WIDTH - left - 80.0) / most;
    let mut svg = open(figures.len() as f64 * height + 50.0, title);
    for (n, (row, figure)) in figures.iter().enumerate() {
        let y = 40.0 + n as f64 * height;
        let end = left + figure.mean * scale;
        let colour = if row.trained { TRAINED } else { OTHER };
        let (low, high) = (end - figure.deviation * scale, end + figure.deviation * scale);
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{left:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"14\" fill=\"{colour}\"/>\
             <path d=\"M{low:.1} {mid:.1}H{high:.1}\" stroke=\"#222\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{:.4}</text>",
            left - 8.0,
            y + 11.0,
            escaped(&row.model),
            end - left,
            high + 6.0,
            y + 11.0,
            figure.mean,
            mid = y + 7.0,
        );
    }
    svg + "</svg>\n"
}

/// The course of a run: the loss and the validation's AUC, epoch by epoch, each on its own scale.
pub fn curves(epochs: &[EpochReport], title: &str) -> String {
    let mut svg = open(300.0, title);
    let losses: Vec<f64> = epochs.iter().map(|epoch| epoch.loss).collect();
    let aucs: Vec<f64> = epochs.iter().filter_map(|epoch| epoch.auc).collect();
    for (n, (values, name, colour)) in
        [(losses, "loss", OTHER), (aucs, "AUC on the validation", TRAINED)].into_iter().enumerate()
    {
        if values.is_empty() {
            continue;
        }
        let (least, most) =
            values.iter().fold((f64::MAX, f64::MIN), |(a, b), &v| (a.min(v), b.max(v)));
        let range = (most - least).max(1e-9);
        let across = (WIDTH - 120.0) / (values.len().max(2) - 1) as f64;
        let points: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(n, v)| {
                format!(
                    "{:.1},{:.1}",
                    60.0 + n as f64 * across,
                    255.0 - 185.0 * (v - least) / range
                )
            })
            .collect();
        let (side, anchor) = if n == 0 { (55.0, "end") } else { (WIDTH - 55.0, "start") };
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <text x=\"{side}\" y=\"258\" text-anchor=\"{anchor}\" fill=\"{colour}\">{least:.3}</text>\
             <text x=\"{side}\" y=\"74\" text-anchor=\"{anchor}\" fill=\"{colour}\">{most:.3}</text>\
             <text x=\"{}\" y=\"50\" fill=\"{colour}\">{name}</text>",
            points.join(" "),
            60.0 + n as f64 * 80.0,
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"60\" y=\"280\">epoch 1</text><text x=\"{}\" y=\"280\" text-anchor=\"end\">epoch {}</text>",
        WIDTH - 60.0,
        epochs.len()
    );
    svg + "</svg>\n"
}

fn open(height: f64, title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/><text x=\"10\" y=\"22\" font-size=\"15\">{}</text>\n",
        escaped(title)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_is_drawn_with_its_extremes_and_no_markup_of_its_title() {
        let epoch = |epoch, loss, auc| EpochReport { epoch, loss, auc: Some(auc), seconds: 0.0 };
        let svg = curves(&[epoch(0, 0.7, 0.5), epoch(1, 0.4, 0.625)], "<vbpr>");
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        for part in
            ["&lt;vbpr&gt;", "0.700", "0.400", "0.500", "0.625", "epoch 2", "60.0,70.0 580.0,255.0"]
        {
            assert!(svg.contains(part), "{part} is not in {svg}");
        }
        assert!(!curves(&[], "nothing").contains("NaN"));
    }
}
