//! Which categories each item is in: what the catalogue's columns say.
//!
//! A cell may hold several values (`shirt|summer`) and paths (`Home > Kitchen > Pans`), of which every
//! step is a category of its own: a pan tells of kitchens too.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::collection::{Collection, StoredItem};
use crate::taste::{Error, History};

/// Columns that are looked for where none is named, the first that any item fills.
const USUAL: [&str; 6] =
    ["kind", "product_type", "google_product_category", "categories", "category", "type"];

/// Names, and the items' rows of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Categories {
    names: Vec<String>,
    of: History,
}

impl Categories {
    /// Categories that are known by number; `of` has a row an item.
    ///
    /// # Panics
    /// Where there are not as many names as `of` has numbers.
    pub fn new(names: Vec<String>, of: History) -> Self {
        assert_eq!(names.len(), of.inventory(), "a name a category");
        Categories { names, of }
    }

    /// What some of a collection's columns say of its items; `items` are its numbers of them. Without
    /// `columns`, a usual one is taken. `None` where no item is in any category.
    pub fn of(
        collection: &Collection,
        items: &[u32],
        columns: &[String],
    ) -> Result<Option<Self>, Error> {
        let stored = items.iter().map(|&id| Ok(collection.item(id)?));
        let stored = stored.collect::<Result<Vec<Option<StoredItem>>, Error>>()?;
        let fills =
            |column: &str| stored.iter().flatten().any(|item| !values(item, column).is_empty());
        let columns: Vec<String> = match columns {
            [] => {
                USUAL.iter().find(|name| fills(name)).map(|&n| n.to_owned()).into_iter().collect()
            }
            named => named.to_vec(),
        };
        let rows: Vec<Vec<String>> = stored
            .iter()
            .map(|item| {
                let item = item.iter();
                item.flat_map(|item| columns.iter().flat_map(|c| named(item, c, columns.len() > 1)))
                    .collect()
            })
            .collect();
        Ok(Self::from_names(&rows))
    }

    /// Numbers the names of each item's categories; `None` where there are none.
    fn from_names(rows: &[Vec<String>]) -> Option<Self> {
        let names: BTreeSet<&str> = rows.iter().flatten().map(String::as_str).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let number = |name: &String| names.binary_search(&name.as_str()).ok();
        let pairs = (0u32..).zip(rows).flat_map(|(item, row)| {
            row.iter().filter_map(number).map(move |category| (item, category as u32))
        });
        let of = History::new(rows.len(), names.len(), pairs);
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        (!names.is_empty()).then_some(Categories { names, of })
    }

    /// Their names, ascending.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Those of an item, ascending.
    pub fn of_item(&self, item: u32) -> &[u32] {
        self.of.of(item)
    }

    /// Those of any of some items, ascending.
    pub fn of_set(&self, items: &[u32]) -> Vec<u32> {
        let all: BTreeSet<u32> =
            items.iter().flat_map(|&item| self.of_item(item)).copied().collect();
        all.into_iter().collect()
    }

    /// Those of each user's items.
    pub fn of_sets(&self, sets: &History) -> History {
        let users = 0..sets.users() as u32;
        let pairs = users.flat_map(|user| {
            self.of_set(sets.of(user)).into_iter().map(move |category| (user, category))
        });
        History::new(sets.users(), self.len(), pairs)
    }
}

/// The values of a cell.
fn values(item: &StoredItem, column: &str) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let cells = match item.fields.get(column) {
        Some(Value::Array(all)) => all.iter().filter_map(text).collect(),
        Some(one) => text(one).into_iter().collect::<Vec<String>>(),
        None => Vec::new(),
    };
    let split = cells.iter().flat_map(|cell| cell.split(['|', ';']));
    split.map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// The categories of a cell: each step of its paths, with the column's name where there are several.
fn named(item: &StoredItem, column: &str, several: bool) -> Vec<String> {
    let mut names = Vec::new();
    for value in values(item, column) {
        let mut path = String::new();
        for step in value.split(" > ").map(str::trim) {
            path = if path.is_empty() { step.to_owned() } else { format!("{path} > {step}") };
            names.push(if several { format!("{column}: {path}") } else { path.clone() });
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_are_cut_into_values_and_paths_into_steps() {
        let item: StoredItem = serde_json::from_value(json!({
            "key": "a", "row": 1,
            "fields": {"type": "Home > Kitchen > Pans|Sale", "tags": ["x", "y"], "size": null},
        }))
        .unwrap();
        assert_eq!(
            named(&item, "type", false),
            ["Home", "Home > Kitchen", "Home > Kitchen > Pans", "Sale"]
        );
        assert_eq!(named(&item, "tags", true), ["tags: x", "tags: y"]);
        assert!(named(&item, "size", false).is_empty() && named(&item, "none", false).is_empty());
    }

    #[test]
    fn categories_are_numbered_by_name_and_sets_have_those_of_all_their_items() {
        let rows = [vec!["b".to_owned(), "c".to_owned()], vec![], vec!["a".to_owned()]];
        let categories = Categories::from_names(&rows).unwrap();
        assert_eq!(categories.names(), ["a", "b", "c"]);
        assert_eq!(categories.of_item(0), [1, 2]);
        assert_eq!(categories.of_set(&[2, 0, 1]), [0, 1, 2]);
        assert_eq!(Categories::from_names(&[vec![], vec![]]), None);
    }
}
