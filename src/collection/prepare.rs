//! The pipeline's first stage: what of a row has to go through a network is read, decoded and resized.

use std::fs;

use super::Error;
use super::clock::timed;
use super::freshness::{reliable_change, unchanged};
use super::manifest::PictureRecord;
use super::pipeline::{Pipeline, Ready, Row, at};
use super::store::{Cached, hash};
use super::work::Step;
use crate::catalogue::picture::{PictureError, decode_at_least, read_picture};

impl Pipeline<'_> {
    pub(super) fn prepare(&self, step: Step) -> Result<Ready, Error> {
        let work = match step {
            Step::Item(work) => *work,
            Step::Rejected(rejection) => return Ok(Ready::Rejected(rejection)),
        };
        let mut row = Row {
            work,
            picture: None,
            picture_input: None,
            text_input: None,
            picture_made: None,
            text_made: None,
            picture_refused: None,
            text_refused: None,
        };
        self.prepare_text(&mut row)?;
        self.prepare_picture(&mut row)?;
        Ok(Ready::Row(Box::new(row)))
    }

    fn prepare_text(&self, row: &mut Row) -> Result<(), Error> {
        let Some((_, encoder)) = &self.encoders.text else { return Ok(()) };
        if row.work.item.text.is_empty() {
            return Ok(());
        }
        let hash = hash(row.work.item.text.as_bytes());
        match self.store.known(&encoder.fingerprint(), &hash)? {
            Some(known) => row.text_refused = known.refusal(),
            None => row.text_input = Some(hash),
        }
        Ok(())
    }

    fn prepare_picture(&self, row: &mut Row) -> Result<(), Error> {
        let Some((_, encoder)) = &self.encoders.image else { return Ok(()) };
        let Some(path) = row.work.item.picture.clone() else { return Ok(()) };
        let fingerprint = encoder.fingerprint();
        if let Some(record) = unchanged(&row.work, &path)
            && let Some(hash) = record.content_hash()
            && let Some(known) = self.store.known(&fingerprint, &hash)?
        {
            row.picture = Some(record);
            row.picture_refused = known.refusal().map(|why| at(&path, why));
            return Ok(());
        }
        // Looked up before the bytes are read: a change in between then shows at the next run.
        let changed = fs::metadata(&path).map_or(0, |metadata| reliable_change(&metadata));
        let bytes = match timed(&self.clock.read, || read_picture(&path, self.limits)) {
            Ok(bytes) => bytes,
            Err(reason) => {
                row.picture_refused = Some(reason.to_string());
                return Ok(());
            }
        };
        let hash = timed(&self.clock.read, || hash(&bytes));
        row.picture = Some(PictureRecord::new(path.clone(), &hash, bytes.len() as u64, changed));
        match self.store.known(&fingerprint, &hash)? {
            Some(known) => row.picture_refused = known.refusal().map(|why| at(&path, why)),
            None => match timed(&self.clock.decode, || {
                decode_at_least(&bytes, self.limits, encoder.enough().unwrap_or(u32::MAX))
            }) {
                Ok(picture) => {
                    let pixels = timed(&self.clock.prepare, || encoder.prepare(&picture));
                    row.picture_input = Some((hash, pixels));
                }
                Err(reason) => {
                    // A limit can be raised for the next run; a broken file stays broken.
                    if !is_limit(&reason) {
                        let refused = Cached::Refused(reason.to_string());
                        self.store.put_cached(&fingerprint, &hash, &refused)?;
                    }
                    row.picture_refused = Some(at(&path, reason));
                }
            },
        }
        Ok(())
    }
}

/// Whether a picture was refused for what we are willing to spend, and not for what it is.
fn is_limit(reason: &PictureError) -> bool {
    matches!(reason, PictureError::TooManyBytes { .. } | PictureError::TooManyPixels { .. })
}
