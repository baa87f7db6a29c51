//! What Google Merchant feeds have in common, be they tables or XML.
//!
//! Flowing in: rows as the file has them. Flowing out: rows whose columns have their plain names
//! (`image_link` for `g:image_link` and for `image link`), with lists where a cell holds several values, and
//! beside each price such as `15.00 EUR` its number as `price_amount`.

use serde_json::{Map, Number, Value};

use super::markup;
use crate::catalogue::rows::{Row, Rows};

/// Columns with an amount and a currency.
const PRICES: [&str; 4] = ["price", "sale_price", "cost_of_goods_sold", "auto_pricing_min_price"];
/// What may be said more than once of a product: a list, even where it is said once.
const LISTS: [&str; 9] = [
    "additional_image_link",
    "shipping",
    "tax",
    "product_detail",
    "product_highlight",
    "included_destination",
    "excluded_destination",
    "promotion_id",
    "lifestyle_image_link",
];

/// The plain name of a column.
pub(super) fn name(column: &str) -> String {
    let column = column.trim();
    let column = column.strip_prefix("g:").unwrap_or(column);
    let spaced = |c: char| if c.is_whitespace() || c == '-' { '_' } else { c };
    column.chars().map(spaced).flat_map(char::to_lowercase).collect()
}

/// Whether something may be said more than once of a product.
pub(super) fn is_list(name: &str) -> bool {
    LISTS.contains(&name)
}

/// Whether a header is such a feed's: it has what every product needs, by the names that it has there.
pub(in crate::catalogue) fn is_header(columns: &[String]) -> bool {
    let names: Vec<String> = columns.iter().map(|column| name(column)).collect();
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    let further = ["link", "availability", "condition", "google_product_category", "item_group_id"];
    has("id") && has("title") && has("image_link") && further.iter().any(|name| has(name))
}

/// The columns of a table after [`rows`] has been over it.
pub(in crate::catalogue) fn columns(columns: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in columns.iter().map(|column| name(column)) {
        let amount = PRICES.contains(&name.as_str()).then(|| amount_name(&name));
        for name in [Some(name), amount].into_iter().flatten() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// The rows of a table with tidy fields.
pub(in crate::catalogue) fn rows(rows: Rows) -> Rows {
    Box::new(rows.map(|row| {
        let row = row?;
        Ok(Row { fields: row.fields.map(of_table), ..row })
    }))
}

fn of_table(cells: Map<String, Value>) -> Map<String, Value> {
    let mut fields = Map::with_capacity(cells.len() + 1);
    for (column, cell) in cells {
        let name = name(&column);
        let cell = match &cell {
            Value::String(text) if name == "additional_image_link" => {
                let pieces = text.split(',').map(str::trim).filter(|piece| !piece.is_empty());
                Value::Array(pieces.map(|piece| Value::String(piece.to_owned())).collect())
            }
            _ => cell,
        };
        // Of two spellings of one name the one that says something counts.
        if fields.get(&name).is_none_or(|old| old.as_str() == Some("")) {
            fields.insert(name, cell);
        }
    }
    tidy(fields)
}

/// Adds the prices' numbers and takes the markup out of the description.
pub(super) fn tidy(fields: Map<String, Value>) -> Map<String, Value> {
    let mut tidied = Map::with_capacity(fields.len() + 1);
    for (name, value) in fields {
        let amount = match &value {
            Value::String(price) if PRICES.contains(&name.as_str()) => amount(price),
            _ => None,
        };
        let named = amount.map(|amount| (amount_name(&name), amount));
        let value = match value {
            Value::String(text) if name == "description" => {
                Value::String(markup::words(&text).into_owned())
            }
            value => value,
        };
        tidied.insert(name, value);
        if let Some((name, amount)) = named {
            tidied.insert(name, Value::Number(amount));
        }
    }
    tidied
}

fn amount_name(price: &str) -> String {
    format!("{price}_amount")
}

/// The number in a price such as `15.00 EUR`, `EUR 15` or `1,299.00 USD`. With both marks in it, the last one
/// is the decimal mark; a single comma with two digits behind it is one too.
pub(super) fn amount(price: &str) -> Option<Number> {
    let is_digit = |c: char| c.is_ascii_digit();
    let start = price.find(is_digit)?;
    let end = price.rfind(is_digit)? + 1;
    let sign = if price[..start].trim_end().ends_with('-') { "-" } else { "" };
    let digits = &price[start..end];
    if !digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',')) {
        return None;
    }
    let decimal = match (digits.rfind('.'), digits.rfind(',')) {
        (Some(point), Some(comma)) => Some(point.max(comma)),
        (Some(point), None) => (digits.matches('.').count() == 1).then_some(point),
        (None, Some(comma)) => {
            (digits.matches(',').count() == 1 && digits.len() - comma == 3).then_some(comma)
        }
        (None, None) => None,
    };
    let (whole, part) = digits.split_at(decimal.unwrap_or(digits.len()));
    let whole = whole.replace(['.', ','], "");
    let number: f64 = format!("{sign}{whole}.{}", part.get(1..).unwrap_or("0")).parse().ok()?;
    Number::from_f64(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_have_numbers() {
        for (price, number) in [
            ("15.00 EUR", Some(15.0)),
            ("EUR 15", Some(15.0)),
            ("$1,299.50", Some(1299.5)),
            ("1.299,50 €", Some(1299.5)),
            ("12,5", Some(125.0)),
            ("12,50", Some(12.5)),
            ("1,299", Some(1299.0)),
            ("1.299.000 VND", Some(1_299_000.0)),
            ("-3.50 USD", Some(-3.5)),
            ("free", None),
            ("", None),
            ("15 EUR or 3 coins", None),
        ] {
            assert_eq!(amount(price).and_then(|n| n.as_f64()), number, "{price:?}");
        }
    }

    #[test]
    fn headers_are_recognised_in_every_spelling() {
        let header = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
        assert!(is_header(&header("id,title,description,link,image_link,availability,price")));
        assert!(is_header(&header("ID,Title,Image Link,Item Group ID")));
        assert!(is_header(&header("g:id,g:title,g:image_link,g:condition")));
        assert!(!is_header(&header("id,title,image")));
        assert_eq!(
            columns(&header("ID,image link,Price")).join(","),
            "id,image_link,price,price_amount"
        );
    }
}
