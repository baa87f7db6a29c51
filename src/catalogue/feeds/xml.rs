//! Feeds in XML: RSS and Atom, with elements of Google's namespace.
//!
//! Flowing in: XML as text. Flowing out: a row for each `<item>` or `<entry>`. Nothing is fetched, no
//! document type definition is read and no entity of a document's own is expanded, so that a small file
//! cannot become a large one; depth, names and lengths are bounded. An element that is not closed, or
//! closed by another's tag, costs its product and no more.

use std::collections::HashMap;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

use super::{markup, merchant};
use crate::catalogue::Error;
use crate::catalogue::fence::Fence;
use crate::catalogue::rows::{LONGEST_ROW, Row};

/// Elements within elements of one product.
const DEEPEST: usize = 12;
/// Elements of one product.
const MOST_ELEMENTS: usize = 5_000;
/// The characters of one element.
const LONGEST_TEXT: usize = 1 << 20;
/// Prefixes that a document may declare.
const MOST_PREFIXES: usize = 64;

/// The products of an XML feed, one at a time, numbered from 1.
pub(in crate::catalogue) struct XmlFeed {
    reader: Reader<BufReader<Fence<Box<dyn Read + Send>>>>,
    path: PathBuf,
    buffer: Vec<u8>,
    /// Which prefixes stand for Google's namespace.
    prefixes: HashMap<String, bool>,
    product: Option<Product>,
    number: u64,
    ended: bool,
}

/// A product whose end has not come yet.
struct Product {
    /// The name of its element, with its prefix.
    tag: String,
    open: Vec<Element>,
    fields: Map<String, Value>,
    /// The fields that came from Google's namespace, which count for more than others of their name.
    googles: Vec<String>,
    elements: usize,
    length: usize,
    flaw: Option<String>,
}

#[derive(Default)]
struct Element {
    tag: String,
    name: String,
    google: bool,
    text: String,
    link: Option<String>,
    children: Map<String, Value>,
}

impl XmlFeed {
    pub fn new(path: &Path, text: Box<dyn Read + Send>) -> Self {
        let mut reader = Reader::from_reader(BufReader::new(Fence::new(text, LONGEST_ROW)));
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        // Which tags fit together is for us to see, product by product.
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.allow_dangling_amp = true;
        XmlFeed {
            reader,
            path: path.to_owned(),
            buffer: Vec::new(),
            prefixes: HashMap::from([("g".to_owned(), true)]),
            product: None,
            number: 0,
            ended: false,
        }
    }

    /// Reads on to the end of the next product.
    fn read_product(&mut self) -> Result<Option<Row>, Error> {
        loop {
            self.buffer.clear();
            self.reader.get_mut().get_mut().move_on();
            let event = self.reader.read_event_into(&mut self.buffer);
            let row = match event {
                Ok(Event::Start(start)) => {
                    let (tag, name, google) = named(&start, &mut self.prefixes);
                    let begins = matches!(name.as_str(), "item" | "entry") && !google;
                    match &mut self.product {
                        Some(product) if product.tag == tag => {
                            product
                                .fail(format!("<{tag}> is not closed before the next one begins"));
                            self.product.replace(Product::new(tag))
                        }
                        Some(product) => {
                            product.start(tag, name, google, href(&start));
                            None
                        }
                        None if begins => self.product.replace(Product::new(tag)),
                        None => None,
                    }
                }
                Ok(Event::End(end)) => {
                    let tag = end.name().as_ref().to_owned();
                    match &mut self.product {
                        Some(product) if product.tag == tag => self.product.take(),
                        Some(product) => {
                            product.end(&tag);
                            None
                        }
                        None => None,
                    }
                }
                Ok(Event::Text(text)) => say(&mut self.product, &text),
                Ok(Event::CData(text)) => say(&mut self.product, &text),
                Ok(Event::GeneralRef(entity)) => {
                    if let Some(product) = &mut self.product {
                        product.entity(&entity);
                    }
                    None
                }
                Ok(Event::Eof) => {
                    self.ended = true;
                    match self.product.take() {
                        Some(mut product) => {
                            product.fail(format!("the file ends before </{}>", product.tag));
                            Some(product)
                        }
                        None => return Ok(None),
                    }
                }
                Ok(_) => None,
                Err(error) => return Err(self.fatal(error)),
            };
            if let Some(product) = row {
                self.number += 1;
                return Ok(Some(Row { number: self.number, fields: product.finish() }));
            }
        }
    }

    fn fatal(&self, error: quick_xml::Error) -> Error {
        let (path, row) = (self.path.clone(), self.number + 1);
        if self.reader.get_ref().get_ref().is_reached() {
            return Error::ElementTooLong { path, row, limit: LONGEST_ROW };
        }
        match error {
            quick_xml::Error::Io(source) => {
                let source = std::io::Error::new(source.kind(), source.to_string());
                Error::Io { path, source }
            }
            other => {
                let (position, reason) = (self.reader.error_position(), other.to_string());
                Error::Xml { path, row, position, reason }
            }
        }
    }
}

impl Iterator for XmlFeed {
    type Item = Result<Row, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let row = self.read_product();
        self.ended |= row.is_err();
        row.transpose()
    }
}

fn say(product: &mut Option<Product>, text: &str) -> Option<Product> {
    if let Some(product) = product {
        product.say(text);
    }
    None
}

/// An element's full name, its own name, and whether that is of Google's namespace. Learns what prefixes the
/// element declares.
fn named(start: &BytesStart, prefixes: &mut HashMap<String, bool>) -> (String, String, bool) {
    for attribute in start.attributes().with_checks(false).flatten() {
        let key: &str = attribute.key.as_ref();
        if let Some(prefix) = key.strip_prefix("xmlns:")
            && prefixes.len() < MOST_PREFIXES
        {
            let google = attribute.value.contains("base.google.com/ns");
            prefixes.insert(prefix.to_owned(), google);
        }
    }
    let tag = start.name().as_ref().to_owned();
    let (google, name) = match tag.split_once(':') {
        Some((prefix, name)) => match prefixes.get(prefix) {
            Some(true) => (true, name),
            // Another vocabulary's element keeps its prefix: it may mean something else.
            _ if prefix != "atom" => (false, tag.as_str()),
            _ => (false, name),
        },
        None => (false, tag.as_str()),
    };
    let name = merchant::name(name);
    (tag, name, google)
}

/// Where an Atom link leads.
fn href(start: &BytesStart) -> Option<String> {
    let mut attributes = start.attributes();
    let found = attributes.with_checks(false).flatten().find(|a| a.key.as_ref() == "href")?;
    quick_xml::escape::unescape(&found.value).ok().map(|value| value.into_owned())
}

impl Product {
    fn new(tag: String) -> Self {
        Product {
            tag,
            open: Vec::new(),
            fields: Map::new(),
            googles: Vec::new(),
            elements: 0,
            length: 0,
            flaw: None,
        }
    }

    /// Notes what is wrong; the first flaw counts, and nothing more is gathered.
    fn fail(&mut self, flaw: String) {
        if self.flaw.is_none() {
            self.flaw = Some(flaw);
            self.open = Vec::new();
            self.fields = Map::new();
        }
    }

    fn start(&mut self, tag: String, name: String, google: bool, link: Option<String>) {
        if self.flaw.is_some() {
            return;
        }
        self.elements += 1;
        self.length += tag.len() + link.as_ref().map_or(0, String::len);
        if self.open.len() == DEEPEST {
            return self.fail(format!("<{tag}> stands deeper than {DEEPEST} elements"));
        }
        if self.elements > MOST_ELEMENTS {
            return self.fail(format!("the product has more than {MOST_ELEMENTS} elements"));
        }
        self.open.push(Element { tag, name, google, link, ..Element::default() });
    }

    fn say(&mut self, text: &str) {
        self.length += text.len();
        let Some(element) = self.open.last_mut() else { return };
        let tag = &element.tag;
        if element.text.len() + text.len() > LONGEST_TEXT {
            let flaw = format!("<{tag}> is longer than {LONGEST_TEXT} bytes");
            return self.fail(flaw);
        }
        if text.contains('\u{FFFD}') {
            let flaw = format!(
                "<{tag}> holds bytes that are no text: correct them, or name the file's encoding with \
                 --encoding (windows-1252, say)"
            );
            return self.fail(flaw);
        }
        element.text.push_str(text);
        if self.length as u64 > LONGEST_ROW {
            self.fail(format!("the product is longer than {LONGEST_ROW} bytes"));
        }
    }

    fn entity(&mut self, name: &str) {
        match markup::resolved(name) {
            Some(meaning) => self.say(&meaning),
            None => self.fail(format!(
                "&{name}; is no known entity: write the character itself (a document's own entities are \
                 not expanded)"
            )),
        }
    }

    fn end(&mut self, tag: &str) {
        if self.flaw.is_some() {
            return;
        }
        let element = match self.open.pop() {
            Some(element) if element.tag == tag => element,
            Some(element) => {
                return self
                    .fail(format!("<{}> is closed by </{tag}>: correct the feed", element.tag));
            }
            None => return self.fail(format!("</{tag}> closes nothing: correct the feed")),
        };
        let (name, google) = (element.name.clone(), element.google);
        let value = element.value();
        match self.open.last_mut() {
            Some(parent) => add(&mut parent.children, name, value),
            None => {
                let known = self.googles.contains(&name);
                match (google, known) {
                    (false, true) => return,
                    (true, false) => {
                        self.fields.shift_remove(&name);
                        self.googles.push(name.clone());
                    }
                    _ => (),
                }
                add(&mut self.fields, name, value);
            }
        }
    }

    fn finish(mut self) -> Result<Map<String, Value>, String> {
        if let Some(element) = self.open.last() {
            let flaw = format!("<{}> is not closed: correct the feed", element.tag);
            self.fail(flaw);
        }
        match self.flaw {
            Some(flaw) => Err(flaw),
            None => Ok(merchant::tidy(self.fields)),
        }
    }
}

/// Adds a field; one that is said again becomes a list.
fn add(fields: &mut Map<String, Value>, name: String, value: Value) {
    match fields.get_mut(&name) {
        Some(Value::Array(values)) => values.push(value),
        Some(old) => {
            let first = std::mem::take(old);
            *old = Value::Array(vec![first, value]);
        }
        None => {
            let value = if merchant::is_list(&name) { Value::Array(vec![value]) } else { value };
            fields.insert(name, value);
        }
    }
}

impl Element {
    /// Its text; or its children by name; or, of text that is mixed with elements, all the words.
    fn value(self) -> Value {
        let text = self.text.trim();
        match (self.children.is_empty(), text.is_empty()) {
            (true, true) => Value::String(self.link.unwrap_or_default()),
            (true, false) => Value::String(text.to_owned()),
            (false, true) => Value::Object(self.children),
            (false, false) => {
                let words = self.children.values().filter_map(Value::as_str);
                Value::String([text].into_iter().chain(words).collect::<Vec<_>>().join(" "))
            }
        }
    }
}
