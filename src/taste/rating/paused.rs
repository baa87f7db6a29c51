//! A run of the rating model that can be taken up again: the model after its last epoch, and at its best.
//!
//! The file, and whose run it is, are any model's (`taste::paused`). The ground is no part of it: the same ratings give the
//! same again.

use sha2::{Digest, Sha256};

use super::learn::Rating;
use super::ratings::{Rated, Ratings};
use super::settings::RatingSettings;
use super::train::RatingCourse;
use crate::collection::Collection;
use crate::hex;
use crate::taste::Error;
use crate::taste::checkpoint::Column;
use crate::taste::paused::{Paused, STATE};
use crate::taste::recipe::map;

/// What the names of the arrays of the model at its best begin with.
const BEST: &str = "best.";

impl Paused {
    /// The file of a run that learns from some of a collection's ratings and chooses by others.
    pub fn of_ratings(
        collection: &Collection,
        settings: &RatingSettings,
        ratings: &Ratings,
        (known, held): (&[Rated], &[Rated]),
        seed: u64,
    ) -> Self {
        let mut hasher = Sha256::new();
        for part in [known, held] {
            for Rated { user, item, value, review } in part {
                let review = review.unwrap_or(u32::MAX);
                for number in [*user, *item, value.to_bits(), review] {
                    hasher.update(number.to_le_bytes());
                }
            }
            hasher.update(u64::MAX.to_le_bytes());
        }
        for text in ratings.reviews.iter().filter(|_| settings.reviews) {
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text);
        }
        let history = hex::encode(hasher.finalize());
        Paused::of(collection, "rating", map(settings), seed, history)
    }

    /// Takes up the run where it was left, if it was; `model` is then in the state that it had.
    pub fn resume_rating(&self, model: &mut Rating) -> Result<RatingCourse, Error> {
        let Some((file, mut course)) = self.left::<RatingCourse>()? else {
            return Ok(RatingCourse::default());
        };
        model.restore(&file.arrays(STATE)?)?;
        course.state = file.arrays(BEST)?;
        Ok(course)
    }

    /// Writes the run down, unless it was written just now.
    pub fn write_rating(&mut self, model: &Rating, course: &RatingCourse) -> Result<(), Error> {
        if !self.due() {
            return Ok(());
        }
        let state = model.state()?;
        let named = [(STATE, &state), (BEST, &course.state)];
        let columns = named.into_iter().flat_map(|(prefix, state)| {
            let arrays = state.iter();
            arrays.map(move |(name, array)| (format!("{prefix}{name}"), Column::Floats(array)))
        });
        self.keep(course, &columns.collect::<Vec<_>>())
    }
}
