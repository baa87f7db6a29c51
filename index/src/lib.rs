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
//! Unit vectors in, neighbours out.
//!
//! This crate knows rows, vectors and similarities, and nothing of products or models. Flowing in:
//! unit vectors, each with the `u32` id its owner knows it by. Flowing out: [`Candidate`]s, best
//! first, from an immutable, memory-mapped segment file.
