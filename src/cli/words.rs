//! How an item is called on screen: by the columns that the catalogue was found to have.

use lookalike::{Collection, StoredItem};
use serde_json::Value;

/// The characters of the longest title that is shown; a cell may hold a novel.
const LONGEST: usize = 200;

/// The columns that name an item.
pub struct Words {
    title: Option<String>,
    price: Option<String>,
}

impl Words {
    /// Learns the columns from what `index` noted in the collection.
    pub fn of(collection: &Collection) -> Self {
        let columns = collection.manifest().notes.get("columns");
        let column =
            |role: &str| columns.and_then(|columns| columns.get(role)?.as_str()).map(str::to_owned);
        Words { title: column("title"), price: column("price") }
    }

    /// The title, or else the beginning of the text, or else the key.
    pub fn title(&self, item: &StoredItem) -> String {
        let titled = value(item, self.title.as_deref()).unwrap_or_else(|| item.text.clone());
        let titled = if titled.is_empty() { item.key.clone() } else { titled };
        match titled.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &titled[..end]),
            None => titled,
        }
    }

    /// The key, and the price where there is one.
    pub fn subtitle(&self, item: &StoredItem) -> String {
        match value(item, self.price.as_deref()) {
            Some(price) => format!("{} · {price}", item.key),
            None => item.key.clone(),
        }
    }
}

fn value(item: &StoredItem, column: Option<&str>) -> Option<String> {
    let text = match item.fields.get(column?)? {
        Value::String(text) => text.clone(),
        Value::Null => return None,
        other => other.to_string(),
    };
    (!text.trim().is_empty()).then_some(text)
}
