//! Which published files of vectors a run may build upon.
//!
//! Indexing again is the remedy for files that were damaged, so a run must notice them. To read them all at
//! every run would make a small change cost as much as the collection is large. So each is read once, and
//! its length and its time of change are remembered: whoever overwrites or restores a file changes these.
//! What a medium forgets by itself does not show in them; `verify` finds that, and `compact`, which
//! reads everything, mends it.

use std::collections::BTreeMap;
use std::fs;

use lookalike_index::Segment;

use super::freshness::reliable_change;
use super::layout::Layout;
use super::manifest::{Manifest, SegmentEntry};
use super::store::Store;
use super::{Error, open_part};
use crate::encode::Modality;

/// Files by name, each with its length and its time of change when it was found sound.
pub(super) type Checked = BTreeMap<String, (u64, u64)>;

/// How much of what is published a run reads.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Reading {
    /// What it does not remember to have been sound.
    Unknown,
    /// All of it.
    Everything,
}

/// The modalities whose published vectors are not as they were written. They are written anew, from the
/// cache.
pub(super) fn unsound(
    layout: &Layout,
    store: &Store,
    published: &Manifest,
    reading: Reading,
) -> Result<Vec<Modality>, Error> {
    let known = store.checked()?;
    let mut checked = Checked::new();
    let mut unsound = Vec::new();
    for entry in &published.segments {
        // Looked up before the file is read: a change in between then shows at the next run.
        let state = state(layout, entry);
        let trusted = reading == Reading::Unknown
            && state.is_some_and(|state| known.get(&entry.file) == Some(&state));
        match check(layout, store, entry, trusted) {
            Ok(()) => checked.extend(state.map(|state| (entry.file.clone(), state))),
            Err(_) => unsound.push(entry.encoder.modality),
        }
    }
    if checked != known {
        store.put_checked(&checked)?;
    }
    unsound.dedup();
    Ok(unsound)
}

fn check(layout: &Layout, store: &Store, entry: &SegmentEntry, trusted: bool) -> Result<(), Error> {
    let (segment, _) = open_part(layout, store, entry)?;
    let read = |segment: &Segment| Ok(segment.verify()?);
    if trusted { Ok(()) } else { read(&segment) }
}

/// A file's length and time of change; `None` where that cannot be relied upon yet.
fn state(layout: &Layout, entry: &SegmentEntry) -> Option<(u64, u64)> {
    let metadata = fs::metadata(layout.segment(&entry.file)).ok()?;
    let changed = reliable_change(&metadata);
    (changed != 0).then(|| (metadata.len(), changed))
}
