//! Every operation against finite differences, against PyTorch, and against itself on other threads.

mod gradients;
mod mobilenet;
mod pytorch;
pub mod slopes;
