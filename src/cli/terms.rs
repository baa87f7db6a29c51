//! What a search asks for, and how its parts are weighed: the options that make a query.

use std::path::PathBuf;

use lookalike::{Aspect, Fusion, Modality, Query};

use clap::builder::FalseyValueParser;

/// What to be similar to.
#[derive(clap::Args)]
#[group(multiple = true)]
pub struct Terms {
    /// What to be similar to, as one expression: '"red dress" + ./photo.jpg - 2:stripes + item:SKU123'
    ///
    /// Terms with + or - between them; a number and a colon before a term say what it counts for. A term is
    /// words; a picture's path (it begins with ./ ../ / or ~/, or ends like a picture's name); or text:,
    /// words:, image: or item: with what it names. Quotes make anything words. An expression that begins with -
    /// comes last, behind --.
    #[arg(value_name = "QUERY")]
    expression: Vec<String>,
    /// Words to be similar to in meaning
    #[arg(long, short, value_name = "WORDS")]
    text: Vec<String>,
    /// A picture to be similar to
    #[arg(long, short, value_name = "FILE")]
    image: Vec<PathBuf>,
    /// The key of an item to be similar to
    #[arg(long, value_name = "KEY")]
    item: Vec<String>,
    /// Words to have, as they are written
    #[arg(long, short, value_name = "WORDS")]
    words: Vec<String>,
    /// A file of queries, `-` for standard input: a text a line, or JSON lines such as {"id": 1, "text": "red",
    /// "image": "a.jpg", "item": "SKU1", "words": "wool", "query": "red - blue", "where": "price < 30", "top": 5}
    ///
    /// The answers come as JSON lines in the same order, `{"id": 1, "hits": [...]}`, or `{"id": 1, "error":
    /// "..."}`, which makes the exit status 3. Each query has what it needs of `top`, `exact`,
    /// `image_weight`, `text_weight` and `words_weight`, with --rerank `user` and `liked`, and the rest from the
    /// options. `unknown_to` names the models that do not know the user.
    #[arg(long, value_name = "FILE", env = "LOOKALIKE_QUERIES", conflicts_with_all = ["expression", "text", "image", "item", "words", "html"])]
    pub queries: Option<PathBuf>,
}

/// How the parts of a query are weighed and put together.
#[derive(clap::Args)]
#[command(next_help_heading = "Fusion")]
pub struct Weighing {
    /// How much looks count; 0 leaves them out
    #[arg(
        long,
        value_name = "WEIGHT",
        default_value_t = 1.0,
        env = "LOOKALIKE_IMAGE_WEIGHT",
        allow_negative_numbers = true,
        value_parser = weight
    )]
    image_weight: f32,
    /// How much meaning counts; 0 leaves it out
    #[arg(
        long,
        value_name = "WEIGHT",
        default_value_t = 1.0,
        env = "LOOKALIKE_TEXT_WEIGHT",
        allow_negative_numbers = true,
        value_parser = weight
    )]
    text_weight: f32,
    /// How much the words themselves count; 0 leaves them out
    #[arg(
        long,
        value_name = "WEIGHT",
        default_value_t = 1.0,
        env = "LOOKALIKE_WORDS_WEIGHT",
        allow_negative_numbers = true,
        value_parser = weight
    )]
    words_weight: f32,
    /// What is added up: `sum` of values; `rrf`, reciprocal ranks; `none` for one ranking each of looks, meaning and words
    #[arg(long, value_name = "HOW", default_value = "sum", env = "LOOKALIKE_FUSION")]
    fusion: FusionArg,
    /// The same as `--fusion none`
    #[arg(long, env = "LOOKALIKE_SIDE_BY_SIDE", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    side_by_side: bool,
    /// With `--fusion rrf`: a part gives weight / (K + rank)
    #[arg(long, value_name = "K", default_value_t = 60, env = "LOOKALIKE_RRF_K")]
    rrf_k: u32,
    /// With `--fusion rrf`: a rank beyond this gives nothing
    #[arg(long, value_name = "N", default_value_t = 1000, env = "LOOKALIKE_RRF_DEPTH")]
    rrf_depth: usize,
    /// Take a word that no item has for the nearest ones that there are
    #[arg(long, env = "LOOKALIKE_TYPO", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    typo: bool,
    /// Take the last of the words for the beginning of one
    #[arg(long, env = "LOOKALIKE_AS_YOU_TYPE", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    as_you_type: bool,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum FusionArg {
    Sum,
    Rrf,
    None,
}

fn weight(text: &str) -> Result<f32, String> {
    number(text).ok_or_else(|| "a number, such as 0.5, 2 or -1 for *unlike*".to_owned())
}

/// The least score that a hit may have.
pub fn score(text: &str) -> Result<f32, String> {
    number(text).ok_or_else(|| "a number, such as 0.5".to_owned())
}

fn number(text: &str) -> Option<f32> {
    text.parse().ok().filter(|number: &f32| number.is_finite())
}

impl Terms {
    /// The query that asks for all of these.
    pub fn query(&self) -> Result<Query, lookalike::search::ExpressionError> {
        let mut query = Query::new();
        if !self.expression.is_empty() {
            query = query.expression(&self.expression.join(" "))?;
        }
        query = self.image.iter().fold(query, |query, path| query.image(path));
        query = self.text.iter().fold(query, |query, words| query.text(words));
        query = self.item.iter().fold(query, |query, key| query.item(key));
        Ok(self.words.iter().fold(query, |query, words| query.words(words)))
    }
}

impl Weighing {
    /// The query, weighed as it was asked for.
    pub fn of(&self, query: Query) -> Query {
        let fusion = match self.fusion {
            FusionArg::Rrf => Fusion::Rrf { k: self.rrf_k, depth: self.rrf_depth },
            FusionArg::Sum | FusionArg::None => Fusion::Sum,
        };
        query
            .weight(Modality::Image, self.image_weight)
            .weight(Modality::Text, self.text_weight)
            .weight(Aspect::Words, self.words_weight)
            .forgive_typos(self.typo)
            .as_you_type(self.as_you_type)
            .fusion(fusion)
    }

    /// Whether nothing is fused.
    pub fn side_by_side(&self) -> bool {
        self.side_by_side || self.fusion == FusionArg::None
    }
}
