//! The picture files of a collection's items, as taste looks at them: by the hash of what was indexed.

use std::path::{Path, PathBuf};

use image::RgbImage;
use sha2::{Digest, Sha256};

use super::Error;
use crate::catalogue::picture::{PictureLimits, decode_picture, read_picture};
use crate::collection::Collection;

/// The SHA-256 of a picture's file.
pub(super) type Hash = [u8; 32];

/// An item's picture; `None` where it has none.
pub(super) type Picture = Option<(Hash, PathBuf)>;

/// The pictures of some of a collection's items, in their order.
pub(super) fn pictures(collection: &Collection, items: &[u32]) -> Result<Vec<Picture>, Error> {
    let of_item = |&id: &u32| -> Result<Picture, Error> {
        let record = collection.item(id)?.and_then(|item| item.picture);
        let record = record.filter(|record| record.refused.is_none());
        Ok(record.and_then(|record| Some((record.content_hash()?, record.path))))
    };
    items.iter().map(of_item).collect()
}

/// A file's picture; `None` where it is gone, or is no longer what was indexed.
pub(super) fn decode(hash: &Hash, path: &Path) -> Option<RgbImage> {
    let limits = PictureLimits::default();
    let bytes = read_picture(path, &limits).ok()?;
    if Sha256::digest(&bytes).as_slice() != hash {
        return None;
    }
    decode_picture(&bytes, &limits).ok()
}
