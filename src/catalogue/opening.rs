//! From a path to rows, by whatever format the file turns out to have.

use std::path::Path;

use super::delimited::Delimited;
use super::feeds::parquet::{Parquet, is_parquet};
use super::feeds::shopify::{self, Header, Shopify};
use super::feeds::{merchant, xml::XmlFeed};
use super::json_lines::JsonLines;
use super::rows::Rows;
use super::source::Source;
use super::{CatalogueOptions, Dialect, Error, Format};

/// The rows of a file and how they are written.
pub(super) struct Opened {
    pub dialect: Dialect,
    pub rows: Rows,
    /// The columns, where the file tells them before its first row.
    pub columns: Option<Vec<String>>,
    /// The generation of Shopify's header.
    pub header: Option<&'static Header>,
    /// What to say if there are no rows.
    pub none: Error,
}

impl Opened {
    pub fn new(path: &Path, options: &CatalogueOptions) -> Result<Self, Error> {
        let asked = options.format;
        if asked == Some(Format::Parquet) || asked.is_none() && is_parquet(path) {
            return Self::parquet(path);
        }
        let source = Source::open(path, options)?;
        let dialect = Dialect::of(path, &source, options)?;
        let none = Error::NoRows { path: path.to_owned() };
        match (dialect.format, dialect.delimiter) {
            (Format::JsonLines, _) => {
                let rows: Rows = Box::new(JsonLines::new(path, source.text));
                Ok(Opened { dialect, rows, columns: None, header: None, none })
            }
            (Format::Merchant, None) => {
                let none = Error::NotACatalogue {
                    path: path.to_owned(),
                    found: "XML without products",
                    remedy: "export an RSS feed with <item>, or an Atom feed with <entry> elements",
                };
                let rows: Rows = Box::new(XmlFeed::new(path, source.text));
                Ok(Opened { dialect, rows, columns: None, header: None, none })
            }
            (_, delimiter) => {
                let delimiter = delimiter.unwrap_or(',');
                let rows = Delimited::open(path, source.text, delimiter, options)?;
                let opened = Opened {
                    dialect,
                    rows: Box::new(std::iter::empty()),
                    columns: None,
                    header: None,
                    none,
                };
                opened.table(path, rows, asked)
            }
        }
    }

    fn parquet(path: &Path) -> Result<Self, Error> {
        let rows = Parquet::open(path)?;
        let dialect = Dialect {
            format: Format::Parquet,
            delimiter: None,
            encoding: None,
            encoding_given: false,
            gzip: rows.is_gzip(),
        };
        let columns = Some(rows.columns().to_vec());
        let none = Error::NoRows { path: path.to_owned() };
        Ok(Opened { dialect, rows: Box::new(rows), columns, header: None, none })
    }

    /// A table, which may be one that a shop system has exported.
    fn table(mut self, path: &Path, rows: Delimited, asked: Option<Format>) -> Result<Self, Error> {
        let columns = rows.columns().to_vec();
        let other = |format, remedy, columns| {
            Err(Error::OtherFormat { path: path.to_owned(), format, remedy, columns })
        };
        let shopify = shopify::header(&columns);
        let merchant = merchant::is_header(&columns);
        match (asked, shopify) {
            (Some(Format::Shopify), None) => {
                return other(
                    "Shopify's export",
                    "it needs a handle, and a SKU or options",
                    columns,
                );
            }
            (None | Some(Format::Shopify), Some(header)) => {
                self.dialect.format = Format::Shopify;
                self.rows = Box::new(Shopify::new(Box::new(rows), header));
                self.header = Some(header);
            }
            (None, None) | (Some(Format::Merchant), _) if merchant || asked.is_some() => {
                self.dialect.format = Format::Merchant;
                self.rows = merchant::rows(Box::new(rows));
                self.columns = Some(merchant::columns(&columns));
            }
            _ => {
                self.rows = Box::new(rows);
                self.columns = Some(columns);
            }
        }
        Ok(self)
    }
}
