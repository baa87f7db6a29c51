//! The graph: looks at few vectors, and finds nearly all of the best.
//!
//! [`build`] links each row with 32 others; [`codes`] writes beside each row where its neighbours lie, in some 44
//! bytes each, so that a [`walk`] can tell which are worth a visit without reading their vectors. [`writer`] puts
//! this into a section of the segment, [`layout`] reads it where it lies, [`search`] plans how a question is
//! answered, and [`curve`] knows how far to walk for how much recall.
//!
//! **Why rows keep their order.** A breadth-first order of the rows changed nothing that could be measured at
//! 100,000 x 768 (21.4 against 20.1 thousand queries a CPU-second, the noise being as large): the next row's
//! bytes are fetched ahead either way. So a link is a row number, and no table leads back.

mod build;
mod codes;
mod curve;
mod further;
mod layout;
mod search;
mod seen;
mod sketch;
mod tune;
mod turn;
mod verify;
mod walk;
mod writer;

pub use build::{Builder, GraphOptions, OnProgress, Progress, Stage};
pub use curve::CurvePoint;
pub(crate) use further::Further;
pub(crate) use layout::GraphLayout;
pub use search::Graph;
pub(crate) use verify::verify;
pub use walk::Scratch;
pub(crate) use writer::{Failure, measure, write};
