//! How a catalogue is to be read, where guessing is not wanted.

use std::path::PathBuf;

use super::{FetchOptions, Format};

/// What the caller knows about a catalogue. Everything left out is guessed or has the default that is
/// named here; [`Catalogue::columns`](super::Catalogue::columns) and
/// [`Catalogue::dialect`](super::Catalogue::dialect) tell what was chosen.
///
/// ```
/// use lookalike::catalogue::CatalogueOptions;
///
/// let options = CatalogueOptions { key: Some("sku".into()), ..Default::default() };
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogueOptions {
    /// The format; by default told from the content and the file's extension.
    pub format: Option<Format>,
    /// The character between cells; by default the one of `,` `;` tab `|` that fits the first rows.
    pub delimiter: Option<char>,
    /// Whether `"` encloses cells that contain delimiters or line ends; by default it does.
    pub quotes: bool,
    /// The encoding's name (`utf-8`, `utf-16le`, `windows-1252`, `latin1` ...); by default told from the
    /// byte-order mark, or UTF-8 where the first MiB is valid UTF-8, or else Windows-1252.
    pub encoding: Option<String>,
    /// The column of the shop's own identifiers.
    pub key: Option<String>,
    /// The column of the products' names.
    pub title: Option<String>,
    /// The column of the pictures' paths.
    pub picture: Option<String>,
    /// The column that variants of one product share.
    pub group: Option<String>,
    /// The column of prices.
    pub price: Option<String>,
    /// The columns whose values make up a product's sentence, in this order.
    pub text: Option<Vec<String>>,
    /// What stands between the parts of the sentence; by default `", "`.
    pub separator: String,
    /// The folder below which pictures are looked for; by default the catalogue's own.
    pub images: Option<PathBuf>,
    /// The folder that mirrors the sites from which a feed's pictures come: `DIR/host/path`, `DIR/path` or just
    /// the file's name below it.
    pub mirror: Option<PathBuf>,
    /// How pictures are fetched that a catalogue gives by web address; by default they are not.
    pub fetch: Option<FetchOptions>,
    /// Whether a picture may lie outside that folder (by `..`, an absolute path or a link).
    pub allow_outside: bool,
    /// Whether the row's number serves as key where no column does.
    pub number_keys: bool,
    /// Whether, in a bare folder of pictures, the words of a file's name are its text.
    pub text_from_names: bool,
}

impl Default for CatalogueOptions {
    fn default() -> Self {
        CatalogueOptions {
            format: None,
            delimiter: None,
            quotes: true,
            encoding: None,
            key: None,
            title: None,
            picture: None,
            group: None,
            price: None,
            text: None,
            separator: ", ".to_owned(),
            images: None,
            mirror: None,
            fetch: None,
            allow_outside: false,
            number_keys: false,
            text_from_names: false,
        }
    }
}
