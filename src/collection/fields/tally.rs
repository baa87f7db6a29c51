//! From counts of what values look like to what a field is.
//!
//! Counts can be added and taken away, so a run that changes a few items reads no others to find that all
//! prices are numbers at last, or that one is not any more.

use serde::{Deserialize, Serialize};

use super::value::{date, number};
use super::{FieldReading, FieldType};

/// What may stand between several values of one cell without being told. A comma or a slash is too common
/// within a value.
const SEPARATORS: [char; 2] = ['|', ';'];
/// A column is taken for one of several values where one in so many of its cells has the separator...
const ONE_IN: u64 = 20;
/// ...and where nothing longer than this stands between: such are sentences.
const LONGEST_PART: usize = 32;

/// Counts over the values of a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::collection) struct Tally {
    items: u64,
    whole: Kinds,
    /// By what the values would be if cells were cut at each of [`SEPARATORS`].
    cut: [Cut; SEPARATORS.len()],
}

/// How many values there are, and how many could be of which type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kinds {
    values: u64,
    numbers: u64,
    booleans: u64,
    dates: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cut {
    /// Cells with the separator.
    cells: u64,
    /// Those of them in which something else than short values stands around it.
    unfit: u64,
    kinds: Kinds,
}

impl Tally {
    /// Counts `times` items with the same value.
    pub(in crate::collection) fn add_value(&mut self, value: &str, times: u64) {
        let whole = Kinds::of(value).times(times);
        self.whole = self.whole.plus(whole);
        for (separator, cut) in SEPARATORS.into_iter().zip(&mut self.cut) {
            if !value.contains(separator) {
                cut.kinds = cut.kinds.plus(whole);
                continue;
            }
            cut.cells += times;
            let short = |part: &str| !part.is_empty() && part.chars().count() <= LONGEST_PART;
            cut.unfit += if value.split(separator).map(str::trim).all(short) { 0 } else { times };
            for part in value.split(separator) {
                cut.kinds = cut.kinds.plus(Kinds::of(part.trim()).times(times));
            }
        }
    }

    /// Counts items that have at least one value.
    pub(in crate::collection) fn add_items(&mut self, items: u64) {
        self.items += items;
    }

    pub(super) fn items(&self) -> u64 {
        self.items
    }

    pub(in crate::collection) fn plus(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    pub(in crate::collection) fn minus(self, other: Self) -> Self {
        self.with(other, u64::saturating_sub)
    }

    fn with(self, other: Self, op: fn(u64, u64) -> u64) -> Self {
        let mut cut = self.cut;
        for (cut, other) in cut.iter_mut().zip(other.cut) {
            cut.cells = op(cut.cells, other.cells);
            cut.unfit = op(cut.unfit, other.unfit);
            cut.kinds = cut.kinds.with(other.kinds, op);
        }
        let (items, whole) = (op(self.items, other.items), self.whole.with(other.whole, op));
        Tally { items, whole, cut }
    }

    /// What the field is: of a type only if every value is, and otherwise text.
    pub(super) fn reading(&self) -> FieldReading {
        let several =
            |cut: &Cut| cut.cells > 0 && cut.unfit == 0 && cut.cells * ONE_IN >= self.items;
        let chosen = SEPARATORS.into_iter().zip(&self.cut).find(|(_, cut)| several(cut));
        let kinds = chosen.map_or(self.whole, |(_, cut)| cut.kinds);
        FieldReading { kind: kinds.kind(), separator: chosen.map(|(separator, _)| separator) }
    }
}

impl Kinds {
    fn of(value: &str) -> Self {
        Kinds {
            values: 1,
            numbers: number(value).is_some().into(),
            booleans: matches!(
                value.to_ascii_lowercase().as_str(),
                "true" | "false" | "yes" | "no"
            )
            .into(),
            dates: date(value).is_some_and(|date| date.to_the_day()).into(),
        }
    }

    fn times(self, times: u64) -> Self {
        let times = Kinds { values: times, numbers: times, booleans: times, dates: times };
        self.with(times, u64::saturating_mul)
    }

    fn plus(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    fn with(self, other: Self, op: fn(u64, u64) -> u64) -> Self {
        Kinds {
            values: op(self.values, other.values),
            numbers: op(self.numbers, other.numbers),
            booleans: op(self.booleans, other.booleans),
            dates: op(self.dates, other.dates),
        }
    }

    fn kind(&self) -> FieldType {
        match self {
            Kinds { values: 0, .. } => FieldType::Text,
            kinds if kinds.numbers == kinds.values => FieldType::Number,
            kinds if kinds.booleans == kinds.values => FieldType::Boolean,
            kinds if kinds.dates == kinds.values => FieldType::Date,
            _ => FieldType::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(values: &[&str]) -> Tally {
        let mut tally = Tally::default();
        values.iter().for_each(|value| tally.add_value(value, 1));
        tally.add_items(values.len() as u64);
        tally
    }

    fn reading(values: &[&str]) -> String {
        tally(values).reading().to_string()
    }

    #[test]
    fn a_field_is_of_a_type_if_all_of_it_is() {
        assert_eq!(reading(&["19.90", "5", "-3e2"]), "number");
        assert_eq!(reading(&["19.90 EUR", "$5"]), "number");
        assert_eq!(reading(&["19.90", "on request"]), "text");
        assert_eq!(reading(&["true", "No"]), "boolean");
        assert_eq!(reading(&["1", "0"]), "number");
        assert_eq!(reading(&["2024-02-29", "2023-01-01T10:00:00Z"]), "date");
        assert_eq!(reading(&["2024-02-30"]), "text");
        assert_eq!(reading(&["2024-02"]), "text");
        assert_eq!(reading(&["007", "12"]), "text", "a code, not a number");
        assert_eq!(reading(&[]), "text");
    }

    #[test]
    fn several_values_in_a_cell_are_told_by_what_is_between_them() {
        assert_eq!(reading(&["red|blue", "red"]), "text|");
        assert_eq!(reading(&["38;39", "40"]), "number;");
        assert_eq!(reading(&["red, blue", "red"]), "text");
        let mut rare = vec!["red"; 99];
        rare.push("red|blue");
        assert_eq!(reading(&rare), "text", "one cell in a hundred");
        let sentence =
            "A long and winding description; it goes on; and on and on and on and on for ever";
        assert_eq!(reading(&[sentence, "red;blue"]), "text");
        assert_eq!(reading(&["red;", "red;blue"]), "text");
    }

    #[test]
    fn what_is_added_can_be_taken_away() {
        let (some, more) = (["5", "red|blue"], ["7", "2024-01-01", "yes"]);
        let both: Vec<&str> = some.into_iter().chain(more).collect();
        assert_eq!(tally(&some).plus(tally(&more)), tally(&both));
        assert_eq!(tally(&both).minus(tally(&more)), tally(&some));
        let mut thrice = Tally::default();
        thrice.add_value("5|6", 3);
        thrice.add_items(3);
        assert_eq!(thrice, tally(&["5|6"; 3]));
    }
}
