//! What a collection's fields hold: the type of each, told from all values that the catalogue has for it.
//!
//! Flowing in: values as they stand in the catalogue, tallied whenever a block of postings is written.
//! Flowing out: a [`FieldEntry`] for each field, which the manifest keeps, and the keys by which values of
//! that type are compared. Postings hold values as the catalogue spells them, so a field that is taken
//! for another type tomorrow, because a price is "on request", needs nothing to be written anew.

mod declared;
mod tally;
mod value;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub(super) use declared::Declared;
pub(super) use tally::Tally;
pub(crate) use value::{Key, fold, parts};
pub(crate) use value::{boolean, date, number};
pub(super) use value::{key, texts};

/// What the values of a field are, and so how they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// Text, compared without regard to case and to blanks at its ends.
    Text,
    /// Numbers, a currency before or behind them left aside.
    Number,
    /// True or false.
    Boolean,
    /// Dates as in ISO 8601, with or without a time.
    Date,
}

impl FieldType {
    const ALL: [FieldType; 4] =
        [FieldType::Text, FieldType::Number, FieldType::Boolean, FieldType::Date];

    fn name(self) -> &'static str {
        match self {
            FieldType::Text => "text",
            FieldType::Number => "number",
            FieldType::Boolean => "boolean",
            FieldType::Date => "date",
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How a field is to be read, whatever its values look like.
///
/// ```
/// use lookalike::collection::FieldReading;
///
/// assert_eq!("number".parse::<FieldReading>()?.to_string(), "number");
/// // Several numbers in one cell, as in `38|39|40`.
/// assert_eq!("number|".parse::<FieldReading>()?.separator, Some('|'));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldReading {
    /// What its values are.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// What stands between several values in one cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<char>,
}

impl fmt::Display for FieldReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = self.separator.map(String::from).unwrap_or_default();
        f.pad(&format!("{}{separator}", self.kind))
    }
}

impl FromStr for FieldReading {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = FieldType::ALL
            .into_iter()
            .find_map(|kind| Some((kind, text.strip_prefix(kind.name())?)));
        let mut rest = found.map(|(_, rest)| rest.chars());
        let separator = rest.as_mut().and_then(Iterator::next);
        match (found, rest.and_then(|mut rest| rest.next())) {
            (Some((kind, _)), None) if !separator.is_some_and(char::is_alphanumeric) => {
                Ok(FieldReading { kind, separator })
            }
            _ => Err(format!(
                "\"{text}\" is no type: text, number, boolean or date, and behind it what stands between several \
                 values of one cell, as in `number|`"
            )),
        }
    }
}

/// A field as the collection remembers it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldEntry {
    /// As the catalogue calls it.
    pub name: String,
    /// How its values are read.
    #[serde(flatten)]
    pub reading: FieldReading,
    /// Whether that was told, and not inferred from the values.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub declared: bool,
    /// What its values were found to be.
    pub(super) tally: Tally,
}

impl FieldEntry {
    pub(super) fn new(name: &str) -> Self {
        let tally = Tally::default();
        FieldEntry { name: name.to_owned(), reading: tally.reading(), declared: false, tally }
    }

    /// How many items have a value of it.
    pub fn items(&self) -> u64 {
        self.tally.items()
    }
}
