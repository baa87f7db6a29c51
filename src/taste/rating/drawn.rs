//! What the rating model sees, as pictures: where on an item it read a rating, and what it remembers of items.

use image::{Rgb, RgbImage, imageops};

use super::learn::SIDE;
use super::train::RatingEpoch;

/// How much larger than the network's own pictures those for people are.
const LARGER: u32 = 6;

/// A picture of [`SIDE`] rows and columns from values channel by channel, from 0 to 1.
fn picture(values: &[f32]) -> RgbImage {
    let plane = SIDE * SIDE;
    RgbImage::from_fn(SIDE as u32, SIDE as u32, |x, y| {
        let at = y as usize * SIDE + x as usize;
        Rgb(std::array::from_fn(|channel| {
            (values[channel * plane + at].clamp(0.0, 1.0) * 255.0 + 0.5) as u8
        }))
    })
}

fn enlarged(picture: &RgbImage) -> RgbImage {
    let side = SIDE as u32 * LARGER;
    imageops::resize(picture, side, side, imageops::FilterType::Triangle)
}

/// What each pixel of a map counted for, laid over the item's picture: red where the model looked. In: the
/// picture's values, channel by channel, and the map's, row by row.
pub fn overlaid(values: &[f32], attention: &[f32]) -> RgbImage {
    let side = attention.len().isqrt().max(1);
    let most = attention.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let least = attention.iter().copied().fold(most, f32::min);
    let heat = image::GrayImage::from_fn(side as u32, side as u32, |x, y| {
        let weight = attention.get(y as usize * side + x as usize).copied().unwrap_or(least);
        image::Luma([(255.0 * (weight - least) / (most - least).max(1e-12)) as u8])
    });
    let mut drawn = enlarged(&picture(values));
    let heat =
        imageops::resize(&heat, drawn.width(), drawn.height(), imageops::FilterType::Triangle);
    for (pixel, heat) in drawn.pixels_mut().zip(heat.pixels()) {
        let strength = 0.75 * f32::from(heat.0[0]) / 255.0;
        for (channel, hot) in pixel.0.iter_mut().zip([255.0, 30.0, 0.0]) {
            // Grey beneath, so that no red of the item's own is taken for heat.
            *channel = (f32::from(*channel) * 0.6 * (1.0 - strength) + hot * strength) as u8;
        }
    }
    drawn
}

/// Pictures above what was made of them, pair by pair, `across` pairs in a row. In: values, picture after
/// picture.
pub fn side_by_side(true_ones: &[f32], made: &[f32], across: usize) -> RgbImage {
    let size = 3 * SIDE * SIDE;
    let count = true_ones.len() / size;
    let (tile, gap) = (SIDE as u32 * LARGER / 2, 4);
    let across = across.clamp(1, count.max(1));
    let rows = count.div_ceil(across) as u32;
    let mut sheet = RgbImage::from_pixel(
        across as u32 * (tile + gap) + gap,
        rows * (2 * tile + 3 * gap),
        Rgb([255; 3]),
    );
    for (n, pair) in true_ones.chunks_exact(size).zip(made.chunks_exact(size)).enumerate() {
        let (column, row) = ((n % across) as u32, (n / across) as u32);
        let (x, y) = (gap + column * (tile + gap), gap + row * (2 * tile + 3 * gap));
        for (values, y) in [(pair.0, y), (pair.1, y + tile + gap)] {
            let shown =
                imageops::resize(&picture(values), tile, tile, imageops::FilterType::Triangle);
            imageops::replace(&mut sheet, &shown, x.into(), y.into());
        }
    }
    sheet
}

/// The course of a training: each loss over the epochs, on a scale of its own from 0: an SVG file.
pub fn course(epochs: &[RatingEpoch]) -> String {
    type Series = (&'static str, &'static str, fn(&RatingEpoch) -> f64);
    let series: [Series; 5] = [
        ("pictures, 1 - SSIM", "#8a9ba8", |epoch| epoch.losses.structure),
        ("pictures, MSE", "#d9a441", |epoch| epoch.losses.pixels),
        ("ratings, MSE", "#4f86c6", |epoch| epoch.losses.rating),
        ("reviews, MSE", "#5b8c5a", |epoch| epoch.losses.review),
        ("ratings held out, MSE", "#c8553d", |epoch| epoch.mse),
    ];
    let mut svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 380\" width=\"640\" height=\"380\" \
                   font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
        .to_owned();
    let across = 560.0 / (epochs.len().max(2) - 1) as f64;
    for (n, (name, colour, of)) in series.into_iter().enumerate() {
        let most = epochs.iter().map(of).fold(0.0, f64::max);
        if most <= 0.0 {
            continue;
        }
        let points: Vec<String> = (epochs.iter().enumerate())
            .map(|(n, e)| {
                format!("{:.1},{:.1}", 40.0 + n as f64 * across, 230.0 - 200.0 * of(e) / most)
            })
            .collect();
        let last = epochs.last().map_or(0.0, of);
        let y = 270 + 22 * n;
        svg += &format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <path d=\"M40 {}h30\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <text x=\"80\" y=\"{y}\">{name}: at most {most:.4}, last {last:.4}</text>\n",
            points.join(" "),
            y - 4,
        );
    }
    svg + "</svg>\n"
}
