//! What a user will think of an item, in stars, from both and the item's picture.
//!
//! Flowing in: ratings, the items' pictures, and the vectors of what users wrote about them. `structure`
//! judges reconstructed pictures, `look` is how the tower looks at a picture.

mod look;
mod structure;
#[cfg(test)]
mod tests;

pub use look::{gather, worth};
pub use structure::structure;
