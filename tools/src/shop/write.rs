//! Puts the shop down: one function a file, and the pictures.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder};
use rayon::prelude::*;
use tiny_skia::Pixmap;

use super::product::Product;
use super::range::Range;
use super::reviews::Review;
use super::shoppers::{Purchase, Shopper, kinds_in_words};
use crate::draw;

/// The same error, naming the file.
pub(super) fn about(path: &Path, error: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

/// A table, a header and a row for each thing.
fn table<T>(
    path: &Path,
    header: &[&str],
    things: &[T],
    row: impl Fn(usize, &T) -> Vec<String>,
) -> io::Result<()> {
    let fill = || -> Result<(), csv::Error> {
        let file = BufWriter::new(File::create(path)?);
        let mut table = csv::Writer::from_writer(file);
        table.write_record(header)?;
        for (position, thing) in things.iter().enumerate() {
            table.write_record(row(position, thing))?;
        }
        Ok(table.flush()?)
    };
    fill().map_err(|error| about(path, error))
}

/// The catalogue: what the product reads.
pub(super) fn catalogue(path: &Path, products: &[Product], pictures: bool) -> io::Result<()> {
    let header = [
        "sku",
        "item_group_id",
        "title",
        "category",
        "kind",
        "colour",
        "pattern",
        "material",
        "size",
        "season",
        "year",
        "brand",
        "price",
        "sold_out",
        "tags",
        "description",
        "image",
    ];
    // A shop without pictures names none: a catalogue that names missing files would fill the ledger.
    let header = if pictures { &header[..] } else { &header[..16] };
    table(path, header, products, |_, product| {
        let design = &product.design;
        let range = Range::of(design.kind);
        let mut row = vec![
            product.sku.clone(),
            design.key.clone(),
            product.title.clone(),
            range.category.to_owned(),
            range.kind.to_owned(),
            product.shade.name.to_owned(),
            design.pattern.name().to_owned(),
            design.material.to_owned(),
            range.sizes.to_owned(),
            design.season.to_owned(),
            design.year.to_string(),
            design.brand.to_owned(),
            format!("{}.{:02}", design.pence / 100, design.pence % 100),
            product.sold_out.to_string(),
            product.tags.join("|"),
            product.description.clone(),
        ];
        if pictures {
            row.push(product.image.clone());
        }
        row
    })
}

/// What only the pictures show: the truth for tests.
pub(super) fn hidden(path: &Path, products: &[Product]) -> io::Result<()> {
    let header = ["sku", "motif", "trim", "backdrop", "cold"];
    table(path, &header, products, |_, product| {
        let yes_or_no = |holds: bool| if holds { "yes" } else { "no" }.to_owned();
        vec![
            product.sku.clone(),
            product.design.motif.map_or("none", |motif| motif.name()).to_owned(),
            yes_or_no(product.design.trimmed),
            product.look.backdrop.name().to_owned(),
            yes_or_no(product.cold),
        ]
    })
}

/// The shoppers and the tastes that made their purchases, for reference.
pub(super) fn shoppers(path: &Path, shoppers: &[Shopper]) -> io::Result<()> {
    let header =
        ["id", "colours", "patterns", "kinds", "price_level", "hidden_motif", "hidden_trim"];
    table(path, &header, shoppers, |_, shopper| {
        vec![
            shopper.id.clone(),
            shopper.colours.join("|"),
            shopper.patterns.map(|pattern| pattern.name()).join("|"),
            kinds_in_words(&shopper.kinds),
            format!("{:.2}", shopper.level),
            shopper.motif.name().to_owned(),
            if shopper.likes_trim { "yes" } else { "no" }.to_owned(),
        ]
    })
}

/// What was bought.
pub(super) fn purchases(
    path: &Path,
    purchases: &[Purchase],
    shoppers: &[Shopper],
    products: &[Product],
) -> io::Result<()> {
    table(path, &["user", "item", "timestamp", "quantity"], purchases, |_, purchase| {
        vec![
            shoppers[purchase.shopper].id.clone(),
            products[purchase.product].sku.clone(),
            purchase.at.timestamp(),
            purchase.quantity.to_string(),
        ]
    })
}

/// Stars and words.
pub(super) fn reviews(
    path: &Path,
    reviews: &[Review],
    shoppers: &[Shopper],
    products: &[Product],
) -> io::Result<()> {
    table(path, &["user", "item", "stars", "review", "date"], reviews, |_, review| {
        vec![
            shoppers[review.shopper].id.clone(),
            products[review.product].sku.clone(),
            review.stars.to_string(),
            review.text.clone(),
            review.at.day(),
        ]
    })
}

/// Draws every product's picture, on all cores. Returns how many.
pub(super) fn pictures(
    out: &Path,
    products: &[Product],
    side: u32,
    quality: u8,
) -> io::Result<usize> {
    let folder = out.join("pictures");
    std::fs::create_dir_all(&folder).map_err(|error| about(&folder, error))?;
    products.par_iter().try_for_each(|product| {
        let path = out.join(&product.image);
        let bytes = picture(product, side, quality).map_err(|error| about(&path, error))?;
        File::create(&path)
            .and_then(|mut file| file.write_all(&bytes))
            .map_err(|error| about(&path, error))
    })?;
    Ok(products.len())
}

/// One product's picture, encoded as its file name says.
pub fn picture(product: &Product, side: u32, quality: u8) -> io::Result<Vec<u8>> {
    let drawn = draw::picture(&product.look, side)
        .ok_or_else(|| io::Error::other(format!("a side of {side} pixels cannot be drawn")))?;
    let mut bytes = Vec::new();
    let encoded = match product.image.rsplit('.').next() {
        Some("png") => {
            // The fast one is png's own; the others are whichever deflate the whole build has agreed on,
            // and then the bytes would depend on that.
            PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Adaptive)
                .write_image(&rgba(&drawn), side, side, ExtendedColorType::Rgba8)
        }
        Some("webp") => WebPEncoder::new_lossless(&mut bytes).write_image(
            &rgba(&drawn),
            side,
            side,
            ExtendedColorType::Rgba8,
        ),
        _ => JpegEncoder::new_with_quality(&mut bytes, quality).write_image(
            &rgb(&drawn),
            side,
            side,
            ExtendedColorType::Rgb8,
        ),
    };
    encoded.map_err(io::Error::other)?;
    Ok(bytes)
}

/// Opaque pixels: nothing needs to be taken back from the premultiplied colours.
fn rgb(drawn: &Pixmap) -> Vec<u8> {
    drawn.pixels().iter().flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]).collect()
}

fn rgba(drawn: &Pixmap) -> Vec<u8> {
    let straight = drawn.pixels().iter().map(|pixel| pixel.demultiply());
    straight.flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue(), pixel.alpha()]).collect()
}
