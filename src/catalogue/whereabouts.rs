//! Where a row's picture is: in the picture folder, in a local mirror of its site, or on the web.

use std::path::{Path, PathBuf};

use super::fetch::{Fetcher, Ticket};
use super::location::{PictureRoot, address};
use super::{CatalogueOptions, Error};

/// The places where pictures are looked for.
pub(super) struct Whereabouts {
    root: PictureRoot,
    mirror: Option<PictureRoot>,
    fetcher: Option<Fetcher>,
    /// Whether the root was named, and may so hold what a web address means.
    root_named: bool,
}

/// What became of looking for a picture.
pub(super) enum Found {
    Here(PathBuf),
    /// Somebody is fetching it.
    Coming(Ticket),
    /// For this reason.
    Nowhere(String),
}

impl Whereabouts {
    /// Looks where the options say, or else `beside` the catalogue.
    pub fn new(beside: &Path, options: &CatalogueOptions) -> Result<Self, Error> {
        let root = options.images.as_deref().unwrap_or(beside);
        let open = |folder: &PathBuf| PictureRoot::new(folder, options.allow_outside);
        Ok(Whereabouts {
            root: PictureRoot::new(root, options.allow_outside)?,
            mirror: options.mirror.as_ref().map(open).transpose()?,
            fetcher: options.fetch.clone().map(Fetcher::new).transpose()?,
            root_named: options.images.is_some(),
        })
    }

    /// Looks in this folder of pictures and nowhere else.
    pub fn folder(folder: &Path, options: &CatalogueOptions) -> Result<Self, Error> {
        let root = PictureRoot::new(folder, options.allow_outside)?;
        Ok(Whereabouts { root, mirror: None, fetcher: None, root_named: true })
    }

    /// How many rows to look at together, so that their pictures can come at the same time.
    pub fn under_way(&self) -> usize {
        self.fetcher.as_ref().map_or(1, Fetcher::under_way)
    }

    /// Where the picture is that a row speaks of. A web address is looked up in the mirror, then in the
    /// picture folder, and fetched last.
    pub fn find(&mut self, value: &str) -> Result<Found, Error> {
        let Some(remote) = first_address(value) else {
            return Ok(Found::from(self.root.find(value)?));
        };
        if let Some(mirror) = &mut self.mirror
            && let Ok(path) = mirror.find(remote)?
        {
            return Ok(Found::Here(path));
        }
        let Some(fetcher) = &mut self.fetcher else {
            let found = self.root.find(value)?;
            return Ok(match (&mut self.mirror, found) {
                (Some(mirror), Err(_)) => Found::from(mirror.find(value)?),
                (_, found) => Found::from(found),
            });
        };
        if self.root_named
            && let Ok(path) = self.root.find(value)?
        {
            return Ok(Found::Here(path));
        }
        Ok(Found::Coming(fetcher.fetch(remote)))
    }
}

/// The first of the web addresses in a cell, if it begins with one. A comma may be a part of an address: it
/// separates where another address follows.
fn first_address(value: &str) -> Option<&str> {
    let first = value.split('|').map(str::trim).find(|piece| !piece.is_empty())?;
    address(first)?;
    let separates = |&(at, _): &(usize, &str)| address(first[at + 1..].trim_start()).is_some();
    let end = first.match_indices([',', ';', ' ']).find(separates);
    Some(&first[..end.map_or(first.len(), |(at, _)| at)])
}

impl From<Result<PathBuf, String>> for Found {
    fn from(found: Result<PathBuf, String>) -> Self {
        match found {
            Ok(path) => Found::Here(path),
            Err(reason) => Found::Nowhere(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_address_of_several_counts() {
        for (cell, first) in [
            ("https://a.example/1.jpg", Some("https://a.example/1.jpg")),
            ("https://a.example/w_2,h_3/1.jpg", Some("https://a.example/w_2,h_3/1.jpg")),
            (
                "https://a.example/w_2,h_3/1.jpg, https://a.example/2.jpg",
                Some("https://a.example/w_2,h_3/1.jpg"),
            ),
            (" https://a.example/1.jpg|https://a.example/2.jpg", Some("https://a.example/1.jpg")),
            ("//a.example/my shoe.jpg;//a.example/2.jpg", Some("//a.example/my shoe.jpg")),
            ("1.jpg, https://a.example/2.jpg", None),
            ("", None),
        ] {
            assert_eq!(first_address(cell), first, "{cell:?}");
        }
    }
}
