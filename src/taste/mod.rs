//! Learned taste: re-ranking by what shoppers bought before.

mod chance;
pub mod net;
