//! `draw-shop OUT`: draws the shop of the fixtures, or one of any size for benchmarks.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use lookalike_tools::shop::interactions::{self, Volume};
use lookalike_tools::shop::shoppers::SHELF;
use lookalike_tools::shop::{self, Settings};

/// Draws a shop: a catalogue with pictures, shoppers, their purchases and reviews.
///
/// The same seed draws the same bytes, on any number of threads. Without options it draws the shop
/// that lies in fixtures/shop.
#[derive(Parser)]
#[command(name = "draw-shop", version)]
struct Arguments {
    /// The directory to draw into; with --interactions-only, the file to write.
    out: PathBuf,
    /// How many products.
    #[arg(long, default_value_t = 240)]
    products: usize,
    /// How many shoppers.
    #[arg(long, default_value_t = 120)]
    shoppers: usize,
    /// How many products a shopper looks at, rather popular ones, where there are more.
    #[arg(long, default_value_t = SHELF)]
    shelf: usize,
    /// What chance starts from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The side of the pictures in pixels.
    #[arg(long, default_value_t = 224, value_parser = clap::value_parser!(u32).range(8..=4096))]
    side: u32,
    /// The quality of the JPEG pictures, 1 to 100.
    #[arg(long, default_value_t = 65, value_parser = clap::value_parser!(u8).range(1..=100))]
    quality: u8,
    /// Write the tables only.
    #[arg(long)]
    no_pictures: bool,
    /// Write only ratings, to one CSV file, at the size that --users, --items and --ratings give.
    #[arg(long)]
    interactions_only: bool,
    /// How many users rate.
    #[arg(long, default_value_t = 614_505, requires = "interactions_only")]
    users: usize,
    /// How many items are rated.
    #[arg(long, default_value_t = 132_006, requires = "interactions_only")]
    items: usize,
    /// How many ratings there are.
    #[arg(long, default_value_t = 880_000, requires = "interactions_only")]
    ratings: usize,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("draw-shop: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> std::io::Result<String> {
    let out = arguments.out.display();
    if arguments.interactions_only {
        let Arguments { users, items, ratings, .. } = *arguments;
        let file = std::fs::File::create(&arguments.out)
            .map_err(|error| std::io::Error::other(format!("{out}: {error}")))?;
        let written = interactions::write(arguments.seed, Volume { users, items, ratings }, file)?;
        return Ok(format!("{out}: {written} ratings"));
    }
    let drawn = shop::draw(
        &arguments.out,
        &Settings {
            products: arguments.products,
            shoppers: arguments.shoppers,
            shelf: arguments.shelf,
            seed: arguments.seed,
            side: (!arguments.no_pictures).then_some(arguments.side),
            quality: arguments.quality,
        },
    )?;
    Ok(format!(
        "{out}: {} products, {} pictures, {} purchases, {} reviews",
        drawn.products, drawn.pictures, drawn.purchases, drawn.reviews
    ))
}
