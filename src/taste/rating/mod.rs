//! What a user will think of an item, in stars, from both and the item's picture.
//!
//! Flowing in: ratings, the items' pictures, and the vectors of what users wrote about them. Flowing out: a
//! rating for any user and item, where on the picture it was read, and pictures as the network remembers them.
//!
//! `network` has the equations, `learn` the two phases of training; `structure` judges reconstructed pictures, `look` is
//! how the tower looks at a picture and `looks` what is kept of it, `judge` what a model tells, `baselines` what is told
//! without looking; `ground` is what the tower builds on, by the `company` that items keep;
//! `paused` is a run that was stopped.

mod baselines;
mod company;
mod drawn;
mod ground;
mod judge;
mod kept;
mod learn;
mod look;
mod looks;
mod network;
mod paused;
mod ratings;
mod reviews;
mod settings;
mod structure;
#[cfg(test)]
mod tests;
mod train;

pub use baselines::{Biases, Factorisation};
pub use drawn::{course, overlaid, side_by_side};
pub use ground::Ground;
pub use judge::Verdicts;
pub use kept::{KeptRating, Told, reranker};
pub use learn::{Rating, SIDE};
pub use look::look;
pub use network::{Judged, RatingNetwork, Sight, Sizes};
pub use ratings::{Parts, Rated, Ratings, Stars, mean_squared_error};
pub use reviews::embed;
pub use settings::{GroundKind, Losses, RatingSettings};
pub use structure::structure;
pub use train::{BestRating, RatingCourse, RatingEpoch, RatingTraining, TrainedRating, baselines};
