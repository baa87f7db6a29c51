//! `lookalike index`: a catalogue becomes a collection, or brings one up to date.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::builder::FalseyValueParser;
use indicatif::ProgressBar;
use lookalike::catalogue::{Catalogue, CatalogueOptions, Columns, Format};
use lookalike::collection::FieldReading;
use lookalike::encode::store::Model;
use lookalike::{Collection, Indexer, Modality, PictureLimits, Report};
use serde_json::json;

use super::progress::{bar, show};
use super::remote::Remote;
use super::{Common, Outcome, SKIPPED, remark};

/// Index a catalogue: CSV, TSV, JSON lines, Parquet, a Google Merchant or Shopify feed, or a folder of pictures
///
/// What each column is for is guessed from its name, printed, and can be said. Run it again when the
/// catalogue has changed: only what is new or different is embedded. It can be stopped at any time and goes
/// on where it was. Rows that cannot be used go into the ledger (`lookalike ledger`) and make the exit
/// status 3.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  lookalike index my.csv --images photos/ shop.lookalike\n  \
                  lookalike index photos/ shop.lookalike\n  \
                  lookalike index feed.jsonl shop.lookalike --key sku --text title,brand,colour\n  \
                  lookalike index merchant.xml.gz shop.lookalike --mirror cdn/\n  \
                  lookalike index products_export.csv shop.lookalike --fetch")]
pub struct Args {
    /// The catalogue: a file, gzipped or not, or a folder of pictures
    catalogue: PathBuf,
    /// The collection to fill; made if it is not there
    collection: PathBuf,
    /// Remove items that the catalogue no longer has
    #[arg(long, env = "LOOKALIKE_PRUNE", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    prune: bool,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    models: Models,
}

/// How the catalogue is read.
#[derive(clap::Args)]
#[command(next_help_heading = "Reading the catalogue")]
pub struct Reading {
    /// Where the pictures are [default: beside the catalogue]
    #[arg(long, value_name = "DIR", env = "LOOKALIKE_IMAGES")]
    images: Option<PathBuf>,
    /// The column with each item's own key
    #[arg(long, value_name = "COLUMN", env = "LOOKALIKE_KEY")]
    key: Option<String>,
    /// The column with its title
    #[arg(long, value_name = "COLUMN", env = "LOOKALIKE_TITLE")]
    title: Option<String>,
    /// The column with its picture's file name
    #[arg(long, value_name = "COLUMN", env = "LOOKALIKE_PICTURE")]
    picture: Option<String>,
    /// The column that variants of one product share
    #[arg(long, value_name = "COLUMN", env = "LOOKALIKE_GROUP")]
    group: Option<String>,
    /// The column with its price
    #[arg(long, value_name = "COLUMN", env = "LOOKALIKE_PRICE")]
    price: Option<String>,
    /// The columns that make up the text to embed, in this order
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',', env = "LOOKALIKE_TEXT")]
    text: Option<Vec<String>>,
    /// What a column's values are: text, number, boolean or date, and behind it what stands between several
    /// values of one cell, as in `sizes=number|`; `auto` to go by the values again. It is remembered
    #[arg(long = "type", value_name = "COLUMN=TYPE", value_delimiter = '\n', value_parser = told, env = "LOOKALIKE_TYPE")]
    types: Vec<(String, Option<FieldReading>)>,
    /// The file's format, where its name and beginning do not tell
    #[arg(long, env = "LOOKALIKE_FORMAT")]
    format: Option<FormatArg>,
    /// What stands between columns, where guessing fails: a character, or `tab`
    #[arg(long, value_name = "CHAR", value_parser = delimiter, env = "LOOKALIKE_DELIMITER")]
    delimiter: Option<char>,
    /// Take `"` for a character like any other
    #[arg(long, env = "LOOKALIKE_NO_QUOTES", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    no_quotes: bool,
    /// The file's encoding, where guessing fails: utf-8, utf-16le, latin1, ...
    #[arg(long, env = "LOOKALIKE_ENCODING")]
    encoding: Option<String>,
    /// Number the items by row where no column is their key
    #[arg(long, env = "LOOKALIKE_NUMBER_KEYS", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    number_keys: bool,
    /// In a folder of pictures, take the words of each file's name as its text
    #[arg(long, env = "LOOKALIKE_TEXT_FROM_NAMES", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    text_from_names: bool,
    /// Let the catalogue name pictures outside of the picture folder
    #[arg(long, env = "LOOKALIKE_ALLOW_OUTSIDE", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    allow_outside: bool,
}

/// What is spent on one picture.
#[derive(clap::Args)]
#[command(next_help_heading = "Limits")]
struct Limits {
    /// Refuse pictures with more pixels than this; none of them is decoded
    #[arg(long, value_name = "N", default_value_t = PictureLimits::default().max_pixels, env = "LOOKALIKE_MAX_PICTURE_PIXELS")]
    max_picture_pixels: u64,
    /// Refuse picture files with more bytes than this
    #[arg(long, value_name = "N", default_value_t = PictureLimits::default().max_bytes, env = "LOOKALIKE_MAX_PICTURE_BYTES")]
    max_picture_bytes: u64,
}

/// The networks.
#[derive(clap::Args)]
#[command(next_help_heading = "Encoders")]
struct Models {
    /// The model for pictures, `none` to leave them out [default: the collection's, or the best one present]
    #[arg(long, value_name = "MODEL", env = "LOOKALIKE_IMAGE_MODEL")]
    image_model: Option<String>,
    /// The model for texts, `none` to leave them out [default: the collection's, or the best one present]
    #[arg(long, value_name = "MODEL", env = "LOOKALIKE_TEXT_MODEL")]
    text_model: Option<String>,
    /// Embed every item again where a model differs from the collection's
    #[arg(long, env = "LOOKALIKE_CHANGE_ENCODER", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    change_encoder: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum FormatArg {
    /// Any table: CSV, TSV and their kin, as it stands
    Csv,
    /// One JSON object a line
    Jsonl,
    /// Google Merchant: XML, TSV or CSV
    Merchant,
    /// Shopify's product export
    Shopify,
    Parquet,
    /// A folder of pictures
    Pictures,
}

fn delimiter(text: &str) -> Result<char, String> {
    let mut chars = text.chars();
    match (text, chars.next(), chars.next()) {
        ("tab" | "\\t", ..) => Ok('\t'),
        (_, Some(c), None) => Ok(c),
        _ => Err("one character, or `tab`".to_owned()),
    }
}

fn told(text: &str) -> Result<(String, Option<FieldReading>), String> {
    match text.rsplit_once('=') {
        None => Err("a column and its type, as in `price=number`".to_owned()),
        Some((column, "auto")) => Ok((column.to_owned(), None)),
        Some((column, reading)) => Ok((column.to_owned(), Some(reading.parse()?))),
    }
}

pub fn run(args: &Args, common: &Common) -> Outcome {
    let start = Instant::now();
    let options = args.options(common)?;
    let catalogue = Catalogue::open(&args.catalogue, &options)?;
    let columns = catalogue.columns().clone();
    let chosen = args.models.choose(args, &columns, common)?;
    if !common.quiet {
        let (path, dialect) = (args.catalogue.display(), catalogue.dialect());
        remark!("reading {path} ({dialect}): {columns}");
        for (modality, model) in [("pictures", &chosen.image), ("texts", &chosen.text)] {
            remark!("{modality} by {}", model.as_ref().map_or("no model", |m| m.name.as_str()));
        }
    }
    let mut indexer = Indexer::new(&args.collection)
        .prune(args.prune)
        .change_encoder(args.models.change_encoder)
        .picture_limits(PictureLimits {
            max_pixels: args.limits.max_picture_pixels,
            max_bytes: args.limits.max_picture_bytes,
        })
        .note("catalogue", args.catalogue.display().to_string())
        .note("columns", columns.roles());
    indexer = args.reading.tell(indexer);
    let device = common.device();
    let (image, text) = rayon::join(
        || chosen.image.as_ref().map(|model| model.open_image(&device)).transpose(),
        || chosen.text.as_ref().map(|model| model.open_text(&device)).transpose(),
    );
    if let (Some(model), Some(encoder)) = (&chosen.image, image?) {
        indexer = indexer.image_encoder(&model.name, Arc::from(encoder));
    }
    if let (Some(model), Some(encoder)) = (&chosen.text, text?) {
        indexer = indexer.text_encoder(&model.name, Arc::from(encoder));
    }
    let bar = bar(common.quiet);
    count(&bar, args, options);
    let report = indexer.progress(show(&bar)).run(catalogue);
    bar.finish_and_clear();
    let report = report?;
    print(&report, args, common, start.elapsed().as_secs_f64())?;
    Ok(if report.progress.rejected > 0 { ExitCode::from(SKIPPED) } else { ExitCode::SUCCESS })
}

impl Args {
    fn options(&self, common: &Common) -> Result<CatalogueOptions, Box<dyn Error>> {
        Ok(CatalogueOptions {
            mirror: self.remote.mirror.clone(),
            fetch: self.remote.fetch(common)?,
            ..self.reading.options()
        })
    }
}

impl Reading {
    /// Says how fields are to be read.
    pub fn tell<'a>(&self, indexer: Indexer<'a>) -> Indexer<'a> {
        let types = self.types.iter();
        types.fold(indexer, |indexer, (column, reading)| indexer.field(column, *reading))
    }

    pub fn options(&self) -> CatalogueOptions {
        CatalogueOptions {
            format: self.format.map(|format| match format {
                FormatArg::Csv => Format::Delimited,
                FormatArg::Jsonl => Format::JsonLines,
                FormatArg::Merchant => Format::Merchant,
                FormatArg::Shopify => Format::Shopify,
                FormatArg::Parquet => Format::Parquet,
                FormatArg::Pictures => Format::Pictures,
            }),
            delimiter: self.delimiter,
            quotes: !self.no_quotes,
            encoding: self.encoding.clone(),
            key: self.key.clone(),
            title: self.title.clone(),
            picture: self.picture.clone(),
            group: self.group.clone(),
            price: self.price.clone(),
            text: self.text.clone(),
            images: self.images.clone(),
            allow_outside: self.allow_outside,
            number_keys: self.number_keys,
            text_from_names: self.text_from_names,
            ..CatalogueOptions::default()
        }
    }
}

/// The models that a run uses.
struct Chosen {
    image: Option<Model>,
    text: Option<Model>,
}

impl Models {
    /// What was asked for; else what the collection was built with; else the best that is present, for
    /// modalities that the catalogue has.
    fn choose(
        &self,
        args: &Args,
        columns: &Columns,
        common: &Common,
    ) -> Result<Chosen, Box<dyn Error>> {
        let published = Collection::published(&args.collection)?;
        let store = common.models()?;
        let choose = |asked: &Option<String>, modality, has: bool| match asked.as_deref() {
            Some("none") => Ok(None),
            Some(name) => store.get(name).map(Some),
            None => match published.as_ref().and_then(|published| published.encoder(modality)) {
                // What was made elsewhere stays as it is.
                Some(encoder) if encoder.is_elsewhere() => Ok(None),
                Some(encoder) => store.get(&encoder.model).map(Some),
                None if has => store.default_for(modality).map(Some),
                None => Ok(None),
            },
        };
        let is_folder = args.catalogue.is_dir();
        let pictures = columns.picture.is_some() || args.reading.images.is_some() || is_folder;
        let texts = !columns.text.is_empty() || args.reading.text_from_names;
        Ok(Chosen {
            image: choose(&self.image_model, Modality::Image, pictures)?,
            text: choose(&self.text_model, Modality::Text, texts)?,
        })
    }
}

/// Counts the catalogue's rows beside the run, so that the bar can tell what is left.
fn count(bar: &ProgressBar, args: &Args, options: CatalogueOptions) {
    let (bar, path) = (bar.clone(), args.catalogue.clone());
    if !bar.is_hidden() && (path.is_file() || path.is_dir()) {
        std::thread::spawn(move || {
            if let Ok(rows) = Catalogue::count_rows(path, &options) {
                bar.set_length(rows);
            }
        });
    }
}

fn print(report: &Report, args: &Args, common: &Common, seconds: f64) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if common.json {
        let mut line = serde_json::to_value(report)?;
        line["seconds"] = json!(seconds);
        return writeln!(out, "{line}");
    }
    let Report { items, added, updated, removed, published, progress, .. } = report;
    let collection = args.collection.display();
    if *published {
        writeln!(
            out,
            "{collection}: {items} items ({added} new, {updated} changed, {removed} removed)"
        )?;
    } else {
        writeln!(out, "{collection}: {items} items, nothing has changed")?;
    }
    if common.quiet {
        return Ok(());
    }
    remark!(
        "embedded {} pictures and {} texts in {seconds:.1} s",
        progress.pictures_embedded,
        progress.texts_embedded
    );
    if progress.rejected > 0 {
        let rows = if progress.rejected == 1 { "row" } else { "rows" };
        remark!(
            "{} {rows} could not be used in full: lookalike ledger {collection}",
            progress.rejected
        );
    }
    Ok(())
}
