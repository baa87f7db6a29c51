//! The workshop beside the product: what draws the fixtures and serves the benchmarks.
//!
//! The drawn shop is made in two steps that know each other in one direction only. [`shop`] decides
//! what there is (products, shoppers, purchases, reviews) and writes it down; [`draw`] turns the look
//! of one product into a picture. Flowing in: a handful of numbers, of which one is the seed. Flowing
//! out: a directory of CSV files and pictures, the same to the byte for the same seed, whatever the
//! number of threads.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::print_stdout,
        clippy::print_stderr,
        clippy::exit
    )
)]

pub mod draw;
pub mod planted;
pub mod planted_stars;
pub mod seed;
pub mod shop;
