//! What travels through a run: rows on their way in, and what became of them.

use super::manifest::StoredItem;
use crate::catalogue::{Item, Rejection};

/// A row to embed.
pub(super) struct Work {
    pub(super) id: u32,
    pub(super) item: Item,
    /// What of it could not be used, as the catalogue saw it.
    pub(super) rejection: Option<Rejection>,
    /// What the collection has under this key, and the generation that wrote it.
    pub(super) old: Option<(StoredItem, u32)>,
}

/// What goes in: a row to embed, or one that was refused already.
pub(super) enum Step {
    Item(Box<Work>),
    Rejected(Rejection),
}

/// What comes out.
pub(super) enum Outcome {
    Item(Box<Embedded>),
    /// Nothing of the row can be found by anybody.
    Rejected(Rejection),
}

/// An item whose embeddings are in the cache, as far as it has any.
pub(super) struct Embedded {
    pub(super) id: u32,
    pub(super) stored: StoredItem,
    pub(super) old: Option<(StoredItem, u32)>,
    /// What of it could not be used.
    pub(super) rejection: Option<Rejection>,
    pub(super) now: EmbeddedNow,
}

/// Which of an item's parts went through a network in this run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct EmbeddedNow {
    pub(super) picture: bool,
    pub(super) text: bool,
}
