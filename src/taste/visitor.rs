//! Whose taste is asked for: a user whom models know, or somebody who likes some items and pictures.

use std::path::Path;

use image::RgbImage;

use super::Error;
use crate::catalogue::picture::{PictureLimits, decode_picture, read_picture};
use crate::collection::{self, Collection};
use crate::encode::{Embedding, Modality};

/// Whose taste is asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Visitor {
    /// The shop's key of a user.
    pub user: Option<String>,
    /// Items that the visitor likes, by the collection's numbers. Where there are any, or pictures, they are
    /// the taste, and not what is known of the user.
    pub liked: Vec<u32>,
    /// Pictures of no item that the visitor likes.
    pub pictures: Vec<LikedPicture>,
}

/// A picture of no item that a visitor likes.
#[derive(Debug, Clone, PartialEq)]
pub struct LikedPicture {
    /// What receipts call it.
    pub name: String,
    /// The picture.
    pub picture: RgbImage,
    /// Its vector by the collection's own encoder; `None` where the collection has no vectors of pictures.
    pub feature: Option<Embedding>,
}

impl Visitor {
    /// A user, by key.
    pub fn user(key: impl Into<String>) -> Self {
        Visitor { user: Some(key.into()), ..Visitor::default() }
    }

    /// Likes one thing more: the item of a key, or where there is none the picture in a file.
    pub fn likes(mut self, collection: &Collection, what: &str) -> Result<Self, Error> {
        if let Some(id) = collection.id_of(what)? {
            self.liked.push(id);
            return Ok(self);
        }
        if !Path::new(what).is_file() {
            let (liked, path) = (what.to_owned(), collection.path().to_owned());
            return Err(Error::NothingLiked { liked, path });
        }
        let limits = PictureLimits::default();
        let picture = read_picture(Path::new(what), &limits)
            .and_then(|bytes| decode_picture(&bytes, &limits))
            .map_err(|source| Error::Picture { name: what.to_owned(), source })?;
        let feature = match collection.embed_image(&picture) {
            Err(collection::Error::NoVectors { modality: Modality::Image, .. }) => None,
            feature => Some(feature?),
        };
        self.pictures.push(LikedPicture { name: what.to_owned(), picture, feature });
        Ok(self)
    }

    /// Whether nothing at all is known.
    pub fn is_nobody(&self) -> bool {
        self.user.is_none() && self.liked.is_empty() && self.pictures.is_empty()
    }
}
