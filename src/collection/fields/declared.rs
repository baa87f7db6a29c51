//! What was told of fields, which goes before what their values look like.

use std::collections::BTreeMap;

use super::{FieldEntry, FieldReading};
use crate::collection::Error;
use crate::spelling::nearest;

/// By name, how a field is to be read; `None` where its values are to tell again.
#[derive(Debug, Clone, Default)]
pub(in crate::collection) struct Declared(BTreeMap<String, Option<FieldReading>>);

impl Declared {
    pub(in crate::collection) fn say(&mut self, name: &str, reading: Option<FieldReading>) {
        self.0.insert(name.to_owned(), reading);
    }

    /// Whether fields are read as was told already.
    pub(in crate::collection) fn hold_in(&self, fields: Option<&[FieldEntry]>) -> bool {
        let Some(fields) = fields else { return false };
        self.0.iter().all(|(name, told)| {
            let field = fields.iter().find(|field| field.name == *name);
            field.is_some_and(|field| field.declared.then_some(field.reading) == *told)
        })
    }

    /// Settles how each field is read.
    pub(in crate::collection) fn settle(&self, fields: &mut [FieldEntry]) -> Result<(), Error> {
        for (name, told) in &self.0 {
            let Some(field) = fields.iter_mut().find(|field| field.name == *name) else {
                let known: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
                let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
                return Err(Error::NoSuchField { name: name.clone(), nearest, known });
            };
            field.declared = told.is_some();
            field.reading = told.unwrap_or(field.reading);
        }
        let inferred = fields.iter_mut().filter(|field| !field.declared);
        inferred.for_each(|field| field.reading = field.tally.reading());
        Ok(())
    }
}
