//! The catalogue as a stream of entries.
//!
//! Flowing in: rows of one of the formats. Flowing out: an [`Entry`] a row, in the catalogue's order,
//! with memory that does not grow with its length.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::columns::{Chosen, Why};
use super::fetch::{Fetched, Ticket};
use super::opening::Opened;
use super::text::{sentence, words_of_name};
use super::walk::{Walk, is_picture_name};
use super::whereabouts::{Found, Whereabouts};
use super::{CatalogueOptions, Columns, Dialect, Entry, Error, Format, Item, Rejection};

/// The most bytes that one row may have: room for a long description many times over.
pub(super) const LONGEST_ROW: u64 = 16 << 20;

/// So many rows of JSON are looked at for the names of their fields.
pub(super) const SAMPLE: usize = 100;

/// A row as its format gives it: its fields, or why it has none.
pub(super) struct Row {
    pub number: u64,
    pub fields: Result<Map<String, Value>, String>,
}

/// The rows of any format.
pub(super) type Rows = Box<dyn Iterator<Item = Result<Row, Error>> + Send>;

/// A catalogue that is being read. Iterating yields an [`Entry`] for each row, or an [`Error`] after
/// which there is no more, because the file itself cannot be read further.
///
/// ```no_run
/// use lookalike::catalogue::{Catalogue, CatalogueOptions, Entry};
///
/// let catalogue = Catalogue::open("products.csv", &CatalogueOptions::default())?;
/// println!("{}", catalogue.columns());
/// for entry in catalogue {
///     match entry? {
///         Entry::Item(item, flaw) => println!("{}: {} {flaw:?}", item.key, item.text),
///         Entry::Rejected(rejection) => println!("{rejection}"),
///     }
/// }
/// # Ok::<(), lookalike::catalogue::Error>(())
/// ```
pub struct Catalogue {
    rows: Rows,
    /// Rows that were read to learn their fields and are still to be yielded.
    sampled: VecDeque<Result<Row, Error>>,
    columns: Columns,
    dialect: Dialect,
    separator: String,
    pictures: Whereabouts,
    /// Entries whose pictures may still be on their way.
    ahead: VecDeque<Result<Pending, Error>>,
    /// Whether a product without a picture column has its picture under its key.
    picture_by_key: bool,
}

impl Catalogue {
    /// Opens a file, or a folder of pictures, and settles how it is to be read.
    pub fn open(path: impl AsRef<Path>, options: &CatalogueOptions) -> Result<Self, Error> {
        let path = path.as_ref();
        if path.is_dir() || options.format == Some(Format::Pictures) {
            return Self::open_folder(path, options);
        }
        let Opened { dialect, mut rows, columns, header, none } = Opened::new(path, options)?;
        let wanted = if columns.is_some() { 1 } else { SAMPLE };
        let sampled = sample(&mut rows, wanted, || none)?;
        let all = columns.unwrap_or_else(|| names_of(&sampled));
        if all.is_empty() {
            let (found, remedy) = ("without JSON objects", "write one object {...} a line");
            return Err(Error::NotACatalogue { path: path.to_owned(), found, remedy });
        }
        let mut columns = Columns::choose(all, options)?;
        if let Some(header) = header {
            columns.is_shopify(header, options);
        }
        let beside = path.parent().unwrap_or(Path::new(""));
        Ok(Catalogue {
            rows,
            sampled,
            picture_by_key: columns.picture.is_none() && options.images.is_some(),
            columns,
            dialect,
            separator: options.separator.clone(),
            pictures: Whereabouts::new(beside, options)?,
            ahead: VecDeque::new(),
        })
    }

    fn open_folder(path: &Path, options: &CatalogueOptions) -> Result<Self, Error> {
        const FILE: &str = "file";
        const WORDS: &str = "words";
        let pictures = Whereabouts::folder(path, options)?;
        let mut rows = Walk::new(path).zip(1..).map({
            let named = options.text_from_names;
            move |(file, number)| Ok(Row { number, fields: fields_of(&file?, named) })
        });
        let sampled = sample(&mut rows, 1, || Error::NoPictures { path: path.to_owned() })?;
        let text: Vec<String> =
            options.text_from_names.then(|| WORDS.to_owned()).into_iter().collect();
        let file = Some(Chosen { column: FILE.to_owned(), why: Why::Guessed });
        let columns = Columns {
            all: [vec![FILE.to_owned()], text.clone()].concat(),
            key: file.clone(),
            title: None,
            picture: file,
            group: None,
            price: None,
            text,
            text_why: Why::Given,
        };
        Ok(Catalogue {
            rows: Box::new(rows),
            sampled,
            columns,
            dialect: Dialect {
                format: Format::Pictures,
                delimiter: None,
                encoding: None,
                encoding_given: false,
                gzip: false,
            },
            separator: options.separator.clone(),
            pictures,
            ahead: VecDeque::new(),
            picture_by_key: false,
        })
    }

    /// Which column means what, and why.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// In what form the catalogue is written.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// How many rows [`open`](Self::open) would yield, found by reading the file through: for whoever
    /// wants to show how much is left. A pipe, which can be read only once, is not to be counted.
    pub fn count_rows(path: impl AsRef<Path>, options: &CatalogueOptions) -> Result<u64, Error> {
        let path = path.as_ref();
        if path.is_dir() {
            return Ok(Walk::new(path).count() as u64);
        }
        Ok(Opened::new(path, options)?.rows.count() as u64)
    }

    /// What a row turns into, but for a picture that has to be fetched.
    fn begin(&mut self, Row { number, fields }: Row) -> Result<Pending, Error> {
        let rejected = |key, reason| {
            let rejection = Rejection { row: number, key, reason, kept: false };
            Ok(Pending::Done(Entry::Rejected(rejection)))
        };
        let fields = match fields {
            Ok(fields) => fields,
            Err(reason) => return rejected(None, reason),
        };
        let key = match &self.columns.key {
            None => number.to_string(),
            Some(chosen) => match key(&fields, &chosen.column) {
                Ok(key) => key,
                Err(reason) => return rejected(None, reason),
            },
        };
        let text = sentence(&fields, &self.columns.text, &self.separator);
        let named = match &self.columns.picture {
            Some(chosen) => fields.get(&chosen.column).and_then(first_text),
            None => self.picture_by_key.then(|| key.clone()),
        };
        let located = named.map(|name| self.pictures.find(&name)).transpose()?;
        let item = Item { key, row: number, fields, text, picture: None };
        Ok(match located {
            None => Pending::Done(entry(item, Ok(None), None)),
            Some(Found::Here(path)) => Pending::Done(entry(item, Ok(Some(path)), None)),
            Some(Found::Nowhere(reason)) => Pending::Done(entry(item, Err(reason), None)),
            Some(Found::Coming(ticket)) => Pending::Waiting(Box::new(item), ticket),
        })
    }
}

/// An entry, or what it lacks.
enum Pending {
    Done(Entry),
    /// For its picture.
    Waiting(Box<Item>, Ticket),
}

impl Pending {
    fn finish(self) -> Entry {
        match self {
            Pending::Done(entry) => entry,
            Pending::Waiting(item, ticket) => match ticket.wait() {
                Ok(Fetched { path, stale }) => entry(*item, Ok(Some(path)), stale),
                Err(reason) => entry(*item, Err(reason), None),
            },
        }
    }
}

/// An item with its picture, or without the one that it should have; `flaw` is what else there is to tell.
fn entry(item: Item, picture: Result<Option<PathBuf>, String>, flaw: Option<String>) -> Entry {
    let rejection = |item: &Item, reason, kept| {
        let key = Some(item.key.clone());
        Rejection { row: item.row, key, reason, kept }
    };
    match picture {
        Err(reason) if item.text.is_empty() => Entry::Rejected(rejection(&item, reason, false)),
        Err(reason) => {
            let flaw = rejection(&item, reason, true);
            Entry::Item(item, Some(flaw))
        }
        Ok(None) if item.text.is_empty() => {
            let reason = "neither text nor picture: name its columns with --text and --picture";
            Entry::Rejected(rejection(&item, reason.to_owned(), false))
        }
        Ok(picture) => {
            let flaw = flaw.map(|reason| rejection(&item, reason, true));
            Entry::Item(Item { picture, ..item }, flaw)
        }
    }
}

impl Iterator for Catalogue {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        // While a picture is on its way, those of the next rows can be asked for.
        while self.ahead.len() < self.pictures.under_way() {
            let Some(row) = self.sampled.pop_front().or_else(|| self.rows.next()) else { break };
            let pending = row.and_then(|row| self.begin(row));
            self.ahead.push_back(pending);
        }
        self.ahead.pop_front().map(|pending| pending.map(Pending::finish))
    }
}

/// The first rows; an error if there are none, or if not even the first can be read.
pub(super) fn sample(
    rows: &mut impl Iterator<Item = Result<Row, Error>>,
    most: usize,
    none: impl FnOnce() -> Error,
) -> Result<VecDeque<Result<Row, Error>>, Error> {
    let first = rows.next().ok_or_else(none)??;
    Ok([Ok(first)].into_iter().chain(rows.take(most - 1)).collect())
}

/// The names of the sampled rows' fields, in the order of their first appearance.
pub(super) fn names_of(rows: &VecDeque<Result<Row, Error>>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for fields in rows.iter().flatten().filter_map(|row| row.fields.as_ref().ok()) {
        for name in fields.keys() {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    names
}

fn key(fields: &Map<String, Value>, column: &str) -> Result<String, String> {
    let key = match fields.get(column) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(key)) => key.trim().to_owned(),
        Some(Value::Number(key)) => key.to_string(),
        Some(_) => return Err(format!("the key in {column:?} is neither text nor number")),
    };
    if key.is_empty() {
        return Err(format!("no key in {column:?}: every product needs one"));
    }
    Ok(key)
}

/// The text of a cell that is not blank, or of the first of several.
pub(crate) fn first_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(values) => values.iter().find_map(first_text),
        _ => None,
    }
}

/// The fields of a picture in a bare folder.
fn fields_of(file: &Path, named: bool) -> Result<Map<String, Value>, String> {
    let shown = file.display();
    let Some(path) = file.to_str() else {
        return Err(format!("the name of {shown} is not valid UTF-8: rename it"));
    };
    if !is_picture_name(file) {
        return Err(format!(
            "{shown} is of a kind that cannot be read: convert it to JPEG, PNG, WebP, GIF or BMP"
        ));
    }
    let path = if cfg!(windows) { path.replace('\\', "/") } else { path.to_owned() };
    let mut fields = Map::from_iter([("file".to_owned(), Value::String(path))]);
    if named {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        fields.insert("words".to_owned(), Value::String(words_of_name(&stem)));
    }
    Ok(fields)
}
