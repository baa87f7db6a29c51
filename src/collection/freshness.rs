//! Whether a picture's file is the one that was read before, told without reading it.

use std::fs::{self, Metadata};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::manifest::PictureRecord;
use super::work::Work;

/// The picture as it was, if its file has not changed since.
pub(super) fn unchanged(work: &Work, path: &Path) -> Option<PictureRecord> {
    let (stored, _) = work.old.as_ref()?;
    let record = stored.picture.as_ref().filter(|record| record.path == path)?;
    let metadata = fs::metadata(path).ok()?;
    let same = record.changed != 0
        && record.size == metadata.len()
        && record.changed == change_time(&metadata);
    same.then(|| record.clone())
}

/// When a file was last changed, or 0 where that is too recent to rely on: a second change within the
/// clock's grain would not show.
pub(super) fn reliable_change(metadata: &Metadata) -> u64 {
    let old_enough = metadata
        .modified()
        .ok()
        .and_then(|changed| SystemTime::now().duration_since(changed).ok())
        .is_some_and(|age| age > Duration::from_secs(2));
    if old_enough { change_time(metadata) } else { 0 }
}

fn change_time(metadata: &Metadata) -> u64 {
    let since = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |age| age.as_nanos() as u64)
}
