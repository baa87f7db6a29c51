//! Each shopper's taste: learned from what was bought, judged, and used to re-rank what a search found.
//!
//! Flowing in: a collection's interactions and the vectors of its pictures. Flowing out: trained models
//! in the collection, tables of how good they are, and re-ranked hits.
//!
//! ```text
//! purchases.csv ─▶ InteractionFile ─▶ the collection ─▶ Interactions ─▶ Split ─▶ Training ─▶ Factors
//!                     rows, ledger      by item number     dense, k-core    train     Model::epoch   x_ui = p_u . q_i
//!                                                                           validation Judge (AUC)
//!                                                                           test ────▶ Judge ─▶ tables
//! ```
//!
//! # How a model joins
//!
//! - Its own file (or folder) begins with its equation. Its settings implement [`Plan`], which builds it; it
//!   implements [`Model`]: an `epoch` over a [`History`] ([`triples()`] draws what BPR learns from), what it
//!   has [`Learned`], and the `state` by which a run goes on where it was. [`Recipe`] has a line for its name.
//! - Everything random comes from [`Chance`], by seed, name and index, so that any number of threads and
//!   any interruption leave the bits as they are. Sums over threads are taken in a fixed order.
//! - Scores are dot products of the rows of its [`Factors`]; biases are a component whose users' side is
//!   ones. The blocks of the factors are what a receipt calls its terms: `popularity`, `history`,
//!   `looks`. What it makes of new items, of visitors who like some items, and of scores that are no products,
//!   is its [`Insight`], which is kept with it.
//! - What it looks at beside the history, it asks its [`Material`] for.
//! - Whoever trains within a program of their own starts it with `CANDLE_NUM_THREADS=1`: candle's threads for sums and products
//!   value by value wait for each other spinning, which takes an epoch two to three times as long.
//! - [`Training`], [`Study`], [`Keep`] and [`Served`] do the rest: validation, early stopping, the best epoch;
//!   judging beside the baselines; the file in the collection; recommending and re-ranking.

mod acf;
pub mod adam;
pub mod aggregation;
mod autoencoding;
pub mod baselines;
mod blend;
mod bpr_mf;
mod chance;
mod checkpoint;
mod curatornet;
mod dvbpr;
mod error;
mod evaluate;
mod factors;
mod features;
mod foreign;
mod frozen;
mod gallery;
mod history;
mod intake;
mod interactions;
mod material;
mod metrics;
mod model;
mod moment;
pub mod net;
mod newcomers;
mod parameters;
mod paused;
mod pictures;
pub mod plot;
mod principal;
mod profile;
mod ranker;
pub mod rating;
mod recipe;
mod rerank;
mod served;
mod sights;
mod significance;
mod split;
mod study;
mod tiles;
mod training;
mod trial;
mod tries;
mod triples;
mod vbpr;
mod visitor;

pub use acf::AcfSettings;
pub use autoencoding::CaeSettings;
pub use blend::{Blend, Weighed, blend, rerankers};
pub use bpr_mf::{BprMf, BprMfSettings};
pub use chance::Chance;
pub use curatornet::CuratorNetSettings;
pub use dvbpr::{Dvbpr, DvbprSettings, Eye};
pub use error::{Error, ModelError};
pub use evaluate::{Judge, Judged, Protocol, Slice};
pub use factors::{Block, Factors, Part, fold};
pub use features::Features;
pub use frozen::{FrozenSettings, LinearSettings};
pub use gallery::{Gallery, Scale};
pub use history::History;
pub use intake::{InteractionColumns, InteractionFile, InteractionOptions};
pub use interactions::{Event, Interaction, Interactions, Purpose};
pub use material::Material;
pub use metrics::{Metric, Standing};
pub use model::{Array, Insight, Learned, Liked, Looks, Model, Plan, State, Testimony, Witness};
pub use newcomers::Newcomers;
pub use paused::Paused;
pub use ranker::Ranker;
pub use recipe::Recipe;
pub use rerank::{Reranked, Reranking, by_model};
pub use served::{Keep, Recommendation, Reranker, Scores, Served};
pub use significance::{Difference, compare};
pub use split::{Split, SplitRule};
pub use study::{Comparison, Figure, SliceFigures, Study, StudyRow};
pub use tiles::Tiles;
pub use training::{Best, Course, EpochReport, Training};
pub use trial::{Trial, attempt, finish};
pub use tries::{Grid, Tried};
pub use triples::{Triple, triples};
pub use vbpr::{Start, Vbpr, VbprSettings};
pub use visitor::{LikedPicture, Visitor};
