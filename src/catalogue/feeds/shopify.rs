//! Shopify's product export, in both generations of its header.
//!
//! Flowing in: the rows of its table, where a product takes as many rows as it has variants or pictures,
//! whichever are more, and says what is common to its variants in the first row only. Flowing out: a row for
//! each variant. It inherits what is common; it has its own picture, or else the product's first one;
//! its description without markup, its tags and all pictures as lists, and each of its options as a
//! field of that name (`Color`, `Size`).
//!
//! A variant's key is its SKU. Those without one, which Shopify allows, go by handle and options
//! (`linen-shirt/Red/M`).

use std::collections::VecDeque;

use serde_json::{Map, Value};

use super::markup;
use crate::catalogue::Error;
use crate::catalogue::rows::{LONGEST_ROW, Row, Rows};

/// The field that holds a variant's key.
pub(in crate::catalogue) const KEY: &str = "key";
/// The field that holds the picture to embed.
pub(in crate::catalogue) const PICTURE: &str = "image";
/// All pictures of the product.
const PICTURES: &str = "images";

/// What one generation calls the columns that matter here.
pub(in crate::catalogue) struct Header {
    handle: &'static str,
    body: &'static str,
    sku: &'static str,
    price: &'static str,
    picture: &'static str,
    own_picture: &'static str,
    options: [(&'static str, &'static str); 3],
    /// How the names of further columns begin that belong to the variant.
    variants: &'static [&'static str],
}

const HEADERS: [Header; 2] = [
    Header {
        handle: "Handle",
        body: "Body (HTML)",
        sku: "Variant SKU",
        price: "Variant Price",
        picture: "Image Src",
        own_picture: "Variant Image",
        options: [
            ("Option1 Name", "Option1 Value"),
            ("Option2 Name", "Option2 Value"),
            ("Option3 Name", "Option3 Value"),
        ],
        variants: &["Variant ", "Cost per item"],
    },
    Header {
        handle: "URL handle",
        body: "Description",
        sku: "SKU",
        price: "Price",
        picture: "Product image URL",
        own_picture: "Variant image URL",
        options: [
            ("Option1 name", "Option1 value"),
            ("Option2 name", "Option2 value"),
            ("Option3 name", "Option3 value"),
        ],
        variants: &[
            "Barcode",
            "Compare-at price",
            "Cost per item",
            "Unit price ",
            "Inventory ",
            "Weight ",
        ],
    },
];

/// The generation that a header is of, if it is Shopify's.
pub(in crate::catalogue) fn header(columns: &[String]) -> Option<&'static Header> {
    let has = |name: &str| columns.iter().any(|column| column == name);
    HEADERS.iter().find(|header| {
        let variants = has(header.sku) || has(header.options[0].1);
        has(header.handle) && variants && (has(header.picture) || has(header.price))
    })
}

impl Header {
    /// What groups the variants.
    pub(in crate::catalogue) fn group(&self) -> &'static str {
        self.handle
    }

    /// Whether a row describes a variant; otherwise it only adds a picture.
    fn is_variant(&self, cells: &Map<String, Value>) -> bool {
        [self.sku, self.options[0].1, self.price]
            .iter()
            .any(|column| !cell(cells, column).is_empty())
    }

    /// Whether a blank cell of this column is blank, and not meant as in the product's first row.
    fn is_variants_own(&self, column: &str) -> bool {
        let image = column.starts_with("Image ") || column == self.picture;
        let own = column == self.own_picture || column == self.sku || column == self.price;
        let option = self.options.iter().any(|(_, value)| column == *value);
        image || own || option || self.variants.iter().any(|start| column.starts_with(start))
    }
}

fn cell<'a>(cells: &'a Map<String, Value>, column: &str) -> &'a str {
    cells.get(column).and_then(Value::as_str).unwrap_or_default().trim()
}

/// The variants of a Shopify export, one at a time. A product is in memory at once.
pub(in crate::catalogue) struct Shopify {
    rows: Rows,
    header: &'static Header,
    /// The first row of the next product.
    next: Option<Row>,
    ready: VecDeque<Result<Row, Error>>,
}

/// The rows of one product.
struct Product {
    handle: String,
    rows: Vec<(u64, Map<String, Value>)>,
    length: usize,
}

impl Shopify {
    pub fn new(rows: Rows, header: &'static Header) -> Self {
        Shopify { rows, header, next: None, ready: VecDeque::new() }
    }

    /// Reads the rows of the next product; what cannot be used of them is ready at once.
    fn read_product(&mut self) -> Option<Product> {
        let mut product: Option<Product> = None;
        loop {
            let row = match self.next.take() {
                Some(row) => row,
                None => match self.rows.next() {
                    Some(Ok(row)) => row,
                    Some(Err(error)) => {
                        self.ready.push_back(Err(error));
                        return product;
                    }
                    None => return product,
                },
            };
            let Row { number, fields } = row;
            let cells = match fields {
                Ok(cells) => cells,
                Err(reason) => {
                    self.ready.push_back(Ok(Row { number, fields: Err(reason) }));
                    continue;
                }
            };
            let handle = cell(&cells, self.header.handle);
            match &mut product {
                Some(product) if handle.is_empty() || handle == product.handle => {
                    if let Err(reason) = product.push(number, cells) {
                        self.ready.push_back(Ok(Row { number, fields: Err(reason) }));
                    }
                }
                Some(_) => {
                    self.next = Some(Row { number, fields: Ok(cells) });
                    return product;
                }
                None if handle.is_empty() => {
                    let reason =
                        format!("no handle in {:?}: every product needs one", self.header.handle);
                    self.ready.push_back(Ok(Row { number, fields: Err(reason) }));
                }
                None => {
                    let handle = handle.to_owned();
                    product = Some(Product { handle, rows: vec![(number, cells)], length: 0 });
                }
            }
        }
    }
}

impl Product {
    fn push(&mut self, number: u64, cells: Map<String, Value>) -> Result<(), String> {
        let texts = cells.values().filter_map(Value::as_str);
        let length = texts.map(|text| text.len() + size_of::<Value>()).sum::<usize>();
        if (self.length + length) as u64 > LONGEST_ROW {
            let handle = &self.handle;
            return Err(format!(
                "the rows of {handle:?} are longer than {LONGEST_ROW} bytes together"
            ));
        }
        self.length += length;
        self.rows.push((number, cells));
        Ok(())
    }

    /// A row for each variant.
    fn variants(self, header: &Header) -> Vec<Row> {
        let pictures: Vec<Value> = self
            .rows
            .iter()
            .map(|(_, cells)| cell(cells, header.picture))
            .filter(|picture| !picture.is_empty())
            .map(|picture| Value::String(picture.to_owned()))
            .collect();
        let first = self.rows.first().map(|(_, cells)| cells.clone()).unwrap_or_default();
        let mut variants = Vec::new();
        for (place, (number, cells)) in self.rows.into_iter().enumerate() {
            if place == 0 || header.is_variant(&cells) {
                let fields = variant(header, &self.handle, &first, cells, &pictures);
                variants.push(Row { number, fields: Ok(fields) });
            }
        }
        variants
    }
}

/// The tidy fields of one variant.
fn variant(
    header: &Header,
    handle: &str,
    first: &Map<String, Value>,
    cells: Map<String, Value>,
    pictures: &[Value],
) -> Map<String, Value> {
    // Shopify calls the one variant of a plain product so.
    let options = header.options.iter().filter_map(|&(name, value)| {
        let (name, value) = (cell(first, name), cell(&cells, value));
        let says = !name.is_empty() && !value.is_empty() && value != "Default Title";
        says.then(|| (name.to_owned(), value.to_owned()))
    });
    let options: Vec<(String, String)> = options.collect();
    let key = match cell(&cells, header.sku) {
        "" => {
            let values = options.iter().map(|(_, value)| value.as_str());
            [handle].into_iter().chain(values).collect::<Vec<_>>().join("/")
        }
        // Spreadsheets keep a SKU of digits a text by an apostrophe before it.
        sku => sku.trim_start_matches('\'').to_owned(),
    };
    let picture = match cell(&cells, header.own_picture) {
        "" => pictures.first().cloned().unwrap_or_default(),
        own => Value::String(own.to_owned()),
    };
    let mut fields = Map::with_capacity(cells.len() + options.len() + 3);
    fields.insert(KEY.to_owned(), Value::String(key));
    fields.insert(PICTURE.to_owned(), picture);
    for (column, value) in cells {
        let blank = value.as_str().is_some_and(|text| text.trim().is_empty());
        let value = match first.get(&column) {
            Some(common) if blank && !header.is_variants_own(&column) => common.clone(),
            _ => value,
        };
        let value = tidied(header, &column, value);
        fields.entry(column).or_insert(value);
    }
    for (name, value) in options {
        fields.entry(name).or_insert(Value::String(value));
    }
    fields.insert(PICTURES.to_owned(), Value::Array(pictures.to_vec()));
    fields
}

fn tidied(header: &Header, column: &str, value: Value) -> Value {
    match &value {
        Value::String(text) if column == header.body => {
            Value::String(markup::words(text).into_owned())
        }
        Value::String(text) if column == "Tags" => {
            let tags = text.split(',').map(str::trim).filter(|tag| !tag.is_empty());
            Value::Array(tags.map(|tag| Value::String(tag.to_owned())).collect())
        }
        _ => value,
    }
}

impl Iterator for Shopify {
    type Item = Result<Row, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() {
            // An error or a refused row may have become ready beside the product, or in its place.
            let product = self.read_product();
            let variants = product.map(|product| product.variants(self.header)).unwrap_or_default();
            if variants.is_empty() && self.ready.is_empty() {
                return None;
            }
            variants.into_iter().rev().for_each(|row| self.ready.push_front(Ok(row)));
        }
        self.ready.pop_front()
    }
}
