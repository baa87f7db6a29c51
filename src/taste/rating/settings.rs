//! What can be chosen about the rating model, and what its training tells.

use serde::{Deserialize, Serialize};

/// What the tower builds on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroundKind {
    /// Nothing: the network as published.
    #[default]
    None,
    /// Biases of users and items.
    Biases,
    /// Biases, what is rated by the same users, and each user's own taste in that.
    Company,
}

impl GroundKind {
    /// What is told by it alone, in a table of errors.
    pub fn name(self) -> &'static str {
        match self {
            GroundKind::None => "nothing",
            GroundKind::Biases => "ground-biases",
            GroundKind::Company => "ground-company",
        }
    }
}

/// What can be chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RatingSettings {
    /// What the tower builds on. Models that were kept before there was any ground have none.
    #[serde(default)]
    pub ground: GroundKind,
    /// Values of a user, and of an item.
    pub embedding: usize,
    /// Whether pictures are looked at.
    pub pictures: bool,
    /// Whether reviews are learned from.
    pub reviews: bool,
    /// What structure counts for in pictures.
    pub structure: f32,
    /// What the squared error counts for in pictures.
    pub pixels: f32,
    /// What the squared error of a review's vector counts for, that of a rating being 1. Vectors have length
    /// √d here, so that their values are about one.
    pub review: f32,
    /// Ratings a step.
    pub batch: usize,
    /// Pictures a step: fewer, for a shop has far fewer pictures than ratings, and an epoch of a few steps teaches
    /// little.
    pub batch_pictures: usize,
    /// Adam's step size for the networks.
    pub rate: f32,
    /// Adam's step size for users and items.
    pub rate_tables: f32,
    /// What keeps users' and items' values small.
    pub lambda: f32,
    /// Where chance starts from.
    pub seed: u64,
}

impl Default for RatingSettings {
    fn default() -> Self {
        RatingSettings {
            ground: GroundKind::Company,
            embedding: 16,
            pictures: true,
            reviews: true,
            structure: 1.0,
            pixels: 1.0,
            review: 0.5,
            batch: 256,
            batch_pictures: 32,
            rate: 1e-3,
            rate_tables: 1e-3,
            lambda: 0.01,
            seed: 1,
        }
    }
}

/// The mean losses of an epoch, each batch's before it was learned from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// 1 - SSIM.
    pub structure: f64,
    /// The squared error of pictures.
    pub pixels: f64,
    /// The squared error of ratings.
    pub rating: f64,
    /// The squared error of reviews' vectors; 0 without any.
    pub review: f64,
}
