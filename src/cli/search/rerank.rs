//! The hits of a search in the order of somebody's taste: its options, and the columns that it adds.

use std::error::Error;

use lookalike::taste::rating::reranker;
use lookalike::taste::{self, Reranker, Reranking, Visitor};
use lookalike::{Collection, Hits, Query};

use crate::cli::recommend::VisitorArgs;
use crate::cli::taste_categories::{names, witnesses};
use crate::cli::{Common, remark};

/// Whose taste, and by which models.
#[derive(clap::Args)]
#[command(next_help_heading = "Taste")]
pub struct Taste {
    #[command(flatten)]
    visitor: VisitorArgs,
    /// A model that `lookalike train` trained; of several, each counts for its weight, 1 unless said otherwise
    #[arg(long, value_name = "MODEL[:WEIGHT]", env = "LOOKALIKE_RERANK", value_delimiter = ',', value_parser = weighed)]
    rerank: Vec<(String, f32)>,
    /// How much the models count beside the search: from 0, not at all, to 1, alone
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, env = "LOOKALIKE_BLEND")]
    blend: f32,
    /// Put so many of the search's best into order
    #[arg(long, value_name = "N", default_value_t = 200, env = "LOOKALIKE_CANDIDATES")]
    candidates: usize,
}

/// `MODEL` or `MODEL:WEIGHT`.
fn weighed(text: &str) -> Result<(String, f32), String> {
    let Some((model, weight)) = text.rsplit_once(':') else { return Ok((text.to_owned(), 1.0)) };
    match weight.parse::<f32>() {
        Ok(weight) if weight.is_finite() => Ok((model.to_owned(), weight)),
        _ => Err("a model, and behind a colon its weight: vbpr:0.6".to_owned()),
    }
}

impl Taste {
    /// Whether hits are to be put into somebody's order. Queries in a file name their visitors themselves.
    pub fn is_asked(&self, many: bool) -> Result<bool, Box<dyn Error>> {
        match (self.visitor.is_nobody(), self.rerank.is_empty()) {
            (true, true) => Ok(false),
            (false, false) => Ok(true),
            (false, true) => Err("say by which model: --rerank MODEL".into()),
            (true, false) if many => Ok(true),
            (true, false) => Err("say for whom: --user USER, or --liked KEY".into()),
        }
    }

    /// The models, opened.
    pub fn order<'a>(&self, collection: &'a Collection) -> Result<Order<'a>, taste::Error> {
        let models = self
            .rerank
            .iter()
            .map(|(name, weight)| Ok((reranker(collection, name)?, *weight)))
            .collect::<Result<Vec<_>, taste::Error>>()?;
        let (blend, candidates) = (self.blend, self.candidates);
        let visitor = self.visitor.visitor(collection)?;
        Ok(Order { collection, models, blend, candidates, visitor })
    }
}

/// Models that are open, and the visitor whose order is asked for.
pub struct Order<'a> {
    pub collection: &'a Collection,
    models: Vec<(Box<dyn Reranker + 'a>, f32)>,
    blend: f32,
    candidates: usize,
    pub visitor: Visitor,
}

impl Order<'_> {
    pub fn reranking(&self) -> Reranking<'_> {
        let start = Reranking::new().blend(self.blend).candidates(self.candidates);
        self.models.iter().fold(start, |order, (model, weight)| order.by(&**model, *weight))
    }

    /// Answers a query, and remarks what the models made of the visitor.
    pub fn search(&self, query: &Query, common: &Common) -> Result<Hits, Box<dyn Error>> {
        let reranked = self.reranking().search(self.collection, query, &self.visitor)?;
        if !common.quiet {
            self.told()?;
        }
        if !common.quiet && !reranked.strangers.is_empty() {
            let so = match reranked.personal {
                true => "the others decide",
                false => "the hits stand as the search found them",
            };
            remark!("this visitor is not known to {}: {so}", reranked.strangers.join(", "));
        }
        Ok(reranked.hits)
    }

    /// Remarks what the visitor's pictures said to the models that have words for it.
    fn told(&self) -> Result<(), Box<dyn Error>> {
        for (model, _) in &self.models {
            if let Some(testimony) = model.testimony(&self.visitor)? {
                witnesses(&names(self.collection, &self.visitor)?, &testimony);
            }
        }
        Ok(())
    }
}
