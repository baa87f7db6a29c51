#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::exit,
        clippy::print_stdout,
        clippy::print_stderr
    )
)]
//! Search a product catalogue by picture, by words and by product.
//!
//! Data flows one way through the modules: [`catalogue`] turns what a shop hands over into items,
//! [`encode`] turns their pictures and texts into unit vectors, [`words`] their texts into words,
//! [`collection`] keeps all of it on disk, [`search`] answers queries.

pub mod catalogue;
pub mod collection;
pub mod encode;
mod hex;
pub mod search;
pub mod taste;
pub mod words;

pub use catalogue::picture::PictureLimits;
pub use catalogue::{Item, Rejection};
pub use collection::{Collection, Indexer, Progress, Report, StoredItem};
pub use encode::{Embedding, Modality};
pub use search::{Aspect, Fusion, Hit, Hits, Part, Query, Ranking, Receipt, Term};
pub use words::Spelling;

/// The README's example, compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
