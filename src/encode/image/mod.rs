//! Networks that read pictures, one file each.

mod preprocess;
mod resize;
#[cfg(test)]
mod seeded;
