//! The expression meets a collection: its names become fields, its values keys, its tests sets of items.

use std::ops::{Bound, Range};
use std::str::FromStr;

use roaring::RoaringBitmap;

use super::error::FilterError;
use super::expression::{Asked, Comparison, Expression, Filter, Literal, Test};
use super::parse::parse;
use super::place::Place;
use crate::collection::fields::{Key, boolean, date, fold, number};
use crate::collection::postings::Column;
use crate::collection::{Collection, FieldEntry, FieldType};
use crate::encode::Modality;
use crate::search::Error;
use crate::spelling::nearest;

impl Filter {
    /// The items of a collection that match.
    pub(in crate::search) fn evaluate(
        &self,
        collection: &Collection,
    ) -> Result<RoaringBitmap, Error> {
        let fields = collection
            .fields()
            .ok_or_else(|| FilterError::NoPostings { collection: collection.path().to_owned() })?;
        let mut evaluation = Evaluation { collection, fields, tests: 0 };
        evaluation.of(&self.expression).map_err(|stop| match stop {
            Stop::Failed(error) => *error,
            Stop::Wrong(wrong) => self.error(&wrong, evaluation.tests - 1, fields).into(),
        })
    }

    /// The error for something wrong in the test of this number.
    fn error(&self, wrong: &Wrong, test: usize, fields: &[FieldEntry]) -> FilterError {
        let source = self.source.as_deref().map_or_else(|| self.to_string(), str::to_owned);
        let spans =
            parse(&source).map(|(_, mut spans)| spans.swap_remove(test)).unwrap_or_default();
        let field = Place::new(&source, spans.field.clone());
        let value = |n: usize| {
            Place::new(&source, spans.values.get(n).cloned().unwrap_or(spans.field.clone()))
        };
        match wrong {
            Wrong::Field(name) => no_such_field(name, fields, field),
            Wrong::Value { field, kind, value: n, text } => FilterError::NotOfType {
                field: field.clone(),
                kind: *kind,
                value: text.clone(),
                place: value(*n),
            },
            Wrong::Asked { field: name, kind, asked, wanted } => FilterError::NotAskable {
                field: name.clone(),
                kind: *kind,
                asked,
                wanted: *wanted,
                place: field,
            },
        }
    }
}

/// The field of this name, in whatever case if only one is so called.
pub(in crate::search) fn field_named<'a>(
    name: &str,
    fields: &'a [FieldEntry],
) -> Option<&'a FieldEntry> {
    let mut alike = fields.iter().filter(|field| fold(&field.name) == fold(name));
    let exact = fields.iter().find(|field| field.name == name);
    exact.or_else(|| alike.next().filter(|_| alike.next().is_none()))
}

impl FilterError {
    /// The error for a name that no field has, and that is all of what was written.
    pub(in crate::search) fn unknown(name: &str, fields: &[FieldEntry]) -> Self {
        no_such_field(name, fields, Place::new(name, 0..name.len()))
    }
}

/// The error for a name that no field has.
fn no_such_field(name: &str, fields: &[FieldEntry], place: Place) -> FilterError {
    let nearest = nearest(name, fields.iter().map(|field| field.name.as_str()));
    FilterError::NoSuchField {
        name: name.to_owned(),
        nearest: nearest.map(str::to_owned),
        known: fields
            .iter()
            .map(|field| format!("{} ({})", field.name, field.reading.kind))
            .collect(),
        place,
    }
}

/// What is wrong with a test.
enum Wrong {
    Field(String),
    Value { field: String, kind: FieldType, value: usize, text: String },
    Asked { field: String, kind: FieldType, asked: &'static str, wanted: FieldType },
}

enum Stop {
    Wrong(Wrong),
    Failed(Box<Error>),
}

impl From<crate::collection::Error> for Stop {
    fn from(error: crate::collection::Error) -> Self {
        Stop::Failed(Box::new(error.into()))
    }
}

struct Evaluation<'a> {
    collection: &'a Collection,
    fields: &'a [FieldEntry],
    /// How many tests were begun.
    tests: usize,
}

impl Evaluation<'_> {
    fn of(&mut self, expression: &Expression) -> Result<RoaringBitmap, Stop> {
        match expression {
            Expression::Test(test) => {
                self.tests += 1;
                self.test(test)
            }
            Expression::Not(negated) => {
                let negated = self.of(negated)?;
                Ok(&*self.collection.ids()? - negated)
            }
            Expression::All(all) => self.together(all, |all, one| *all &= one),
            Expression::Any(any) => self.together(any, |any, one| *any |= one),
        }
    }

    fn together(
        &mut self,
        parts: &[Expression],
        add: fn(&mut RoaringBitmap, RoaringBitmap),
    ) -> Result<RoaringBitmap, Stop> {
        let mut parts = parts.iter();
        let mut sum =
            parts.next().map_or_else(|| Ok(RoaringBitmap::new()), |first| self.of(first))?;
        for part in parts {
            add(&mut sum, self.of(part)?);
        }
        Ok(sum)
    }

    fn test(&mut self, test: &Test) -> Result<RoaringBitmap, Stop> {
        let Some(field) = field_named(&test.field, self.fields) else {
            let modality = Modality::ALL
                .into_iter()
                .find(|m| test.asked == Asked::Present && m.to_string() == test.field);
            let modality = modality.ok_or_else(|| Stop::Wrong(Wrong::Field(test.field.clone())))?;
            let vectors = self.collection.vectors(modality);
            return Ok(vectors.into_iter().flat_map(|vectors| vectors.ids()).collect());
        };
        let asking = Asking { field };
        let ranges = asking.ranges(&test.asked).map_err(Stop::Wrong)?;
        let column = self.collection.column(field)?;
        let mut found = RoaringBitmap::new();
        for range in &ranges {
            found |= column.bitmap(range.of(&column));
        }
        Ok(match test.asked {
            Asked::Compared(Comparison::Different, _) => &*self.collection.ids()? - found,
            Asked::Present => {
                found.extend(column.strays().iter().copied());
                found
            }
            _ => found,
        })
    }
}

/// Values that lie together in a column.
enum Together {
    Between(Bound<Key>, Bound<Key>),
    Beginning(String),
}

impl Together {
    fn of(&self, column: &Column) -> Range<usize> {
        match self {
            Together::Between(low, high) => column.between(low.as_ref(), high.as_ref()),
            Together::Beginning(text) => column.beginning_with(text),
        }
    }
}

/// What is asked of one field.
struct Asking<'a> {
    field: &'a FieldEntry,
}

impl Asking<'_> {
    /// The values that answer; for `!=`, those that do not.
    fn ranges(&self, asked: &Asked) -> Result<Vec<Together>, Wrong> {
        use Bound::{Excluded, Included, Unbounded};
        use Comparison::*;
        let one = |low, high| Ok(vec![Together::Between(low, high)]);
        match asked {
            Asked::Present => one(Unbounded, Unbounded),
            Asked::True if self.kind() == FieldType::Boolean => {
                let truth = Key::Number(1.0);
                one(Included(truth.clone()), Included(truth))
            }
            Asked::True => Err(self.wrong("whether it is true", FieldType::Boolean)),
            Asked::Compared(how, literal) => {
                let (low, high) = self.keys(literal, 0)?;
                match how {
                    Equal | Different => return one(Included(low), Included(high)),
                    _ => self.ordered([literal])?,
                }
                match how {
                    Less => one(Unbounded, Excluded(low)),
                    AtMost => one(Unbounded, Included(high)),
                    More => one(Excluded(high), Unbounded),
                    _ => one(Included(low), Unbounded),
                }
            }
            Asked::Between(low, high) => {
                let ((from, _), (_, to)) = (self.keys(low, 0)?, self.keys(high, 1)?);
                self.ordered([low, high])?;
                one(Included(from), Included(to))
            }
            Asked::OneOf(literals) => {
                let keys = literals.iter().enumerate().map(|(n, literal)| self.keys(literal, n));
                keys.map(|keys| {
                    keys.map(|(low, high)| Together::Between(Included(low), Included(high)))
                })
                .collect()
            }
            Asked::Beginning(literal) if self.kind() == FieldType::Text => {
                Ok(vec![Together::Beginning(fold(&literal.text))])
            }
            Asked::Beginning(_) => Err(self.wrong("what it starts with", FieldType::Text)),
        }
    }

    /// The first and the last key that a value names: a day has many moments.
    fn keys(&self, literal: &Literal, value: usize) -> Result<(Key, Key), Wrong> {
        let text = literal.text.trim();
        let same = |key: Key| (key.clone(), key);
        let keys = match self.kind() {
            FieldType::Text => Some(same(Key::Text(fold(text)))),
            FieldType::Number => calculable(text).map(|number| same(Key::Number(number))),
            FieldType::Boolean => boolean(text).map(|truth| same(Key::Number(truth.into()))),
            FieldType::Date => {
                date(text).map(|date| (Key::Number(date.from), Key::Number(date.to)))
            }
        };
        keys.ok_or_else(|| Wrong::Value {
            field: self.field.name.clone(),
            kind: self.kind(),
            value,
            text: literal.text.clone(),
        })
    }

    /// Refuses to order what has no order, and text by numbers: "9" stands behind "10" there.
    fn ordered<const N: usize>(&self, literals: [&Literal; N]) -> Result<(), Wrong> {
        let numeric =
            literals.iter().any(|literal| !literal.quoted && calculable(&literal.text).is_some());
        match self.kind() {
            FieldType::Text if numeric => {
                Err(self.wrong("for more or less than a number", FieldType::Number))
            }
            FieldType::Boolean => Err(self.wrong("for more or less", FieldType::Number)),
            _ => Ok(()),
        }
    }

    fn kind(&self) -> FieldType {
        self.field.reading.kind
    }

    fn wrong(&self, asked: &'static str, wanted: FieldType) -> Wrong {
        Wrong::Asked { field: self.field.name.clone(), kind: self.kind(), asked, wanted }
    }
}

/// A number in a filter. It may have more digits than one that a field is inferred from.
fn calculable(text: &str) -> Option<f64> {
    let starts = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    let exact =
        starts.then(|| f64::from_str(text).ok()).flatten().filter(|number| number.is_finite());
    exact.map(|number| number + 0.0).or_else(|| number(text))
}
