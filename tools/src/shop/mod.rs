//! The drawn shop: a catalogue with pictures, and shoppers who buy and review.
//!
//! Flowing in: [`Settings`]. Flowing out: a directory of CSV files and pictures. Products come first and
//! know nobody; shoppers look at products, reviews at purchases, and [`mod@write`] puts all of it down.

pub mod calendar;
pub mod interactions;
pub mod palette;
pub mod product;
pub mod range;
pub mod reviews;
pub mod shoppers;
pub mod words;
pub mod write;

use std::io;
use std::path::Path;

/// How much to draw, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How many products.
    pub products: usize,
    /// How many shoppers.
    pub shoppers: usize,
    /// How many products a shopper looks at, where there are more.
    pub shelf: usize,
    /// What chance starts from: the same seed draws the same shop.
    pub seed: u64,
    /// The side of the pictures in pixels; `None` draws no pictures.
    pub side: Option<u32>,
    /// The quality of JPEG pictures, 1 to 100.
    pub quality: u8,
}

impl Default for Settings {
    /// The shop of the fixtures.
    fn default() -> Self {
        Self {
            products: 240,
            shoppers: 120,
            shelf: shoppers::SHELF,
            seed: 1,
            side: Some(224),
            quality: 65,
        }
    }
}

/// What was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// How many products.
    pub products: usize,
    /// How many pictures.
    pub pictures: usize,
    /// How many purchases.
    pub purchases: usize,
    /// How many reviews.
    pub reviews: usize,
}

/// Draws a shop into a directory, which is made if need be. Files of the same name are replaced.
pub fn draw(out: &Path, settings: &Settings) -> io::Result<Summary> {
    let products = product::products(settings.seed, settings.products);
    let shoppers: Vec<_> =
        (0..settings.shoppers).map(|index| shoppers::Shopper::new(settings.seed, index)).collect();
    let purchases = shoppers::purchases(settings.seed, settings.shelf, &shoppers, &products);
    let reviews = reviews::reviews(settings.seed, &shoppers, &products, &purchases);
    std::fs::create_dir_all(out).map_err(|error| write::about(out, error))?;
    let pictures = match settings.side {
        Some(side) => write::pictures(out, &products, side, settings.quality)?,
        None => 0,
    };
    write::catalogue(&out.join("catalogue.csv"), &products, settings.side.is_some())?;
    write::hidden(&out.join("hidden.csv"), &products)?;
    write::shoppers(&out.join("shoppers.csv"), &shoppers)?;
    write::purchases(&out.join("purchases.csv"), &purchases, &shoppers, &products)?;
    write::reviews(&out.join("reviews.csv"), &reviews, &shoppers, &products)?;
    Ok(Summary {
        products: products.len(),
        pictures,
        purchases: purchases.len(),
        reviews: reviews.len(),
    })
}
