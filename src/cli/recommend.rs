//! `lookalike recommend`: what a user may like, out of the whole collection.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use lookalike::Collection;
use lookalike::taste::{self, Served, Visitor};
use serde_json::json;

use super::table::{Heading, Table};
use super::words::Words;
use super::{Common, NOTHING, Outcome, remark};

/// Recommend items to a user, or to whoever likes some items
///
/// Needs a model (`lookalike train`). What the user took already is left out; items that came after the training
/// are judged by their picture. A user whom the model does not know gets what everybody likes, and is told so.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  lookalike recommend shop.lookalike --user U000042\n  \
                  lookalike recommend shop.lookalike --liked SKU123 --liked SKU7 --model vbpr")]
pub struct Args {
    /// The collection
    collection: PathBuf,
    #[command(flatten)]
    visitor: VisitorArgs,
    /// The model [default: vbpr]
    #[arg(
        long,
        value_name = "MODEL",
        default_value = "vbpr",
        hide_default_value = true,
        env = "LOOKALIKE_MODEL"
    )]
    model: String,
    /// How many items
    #[arg(long, short = 'k', value_name = "N", default_value_t = 10, env = "LOOKALIKE_TOP")]
    top: usize,
}

/// Whose taste.
#[derive(clap::Args)]
pub struct VisitorArgs {
    /// The user, by the key in the interactions
    #[arg(long, value_name = "USER", env = "LOOKALIKE_USER")]
    pub user: Option<String>,
    /// Something that the visitor likes: an item's key, or a picture; several make a taste on the spot, in place of
    /// the user's
    #[arg(long, value_name = "KEY|PICTURE", env = "LOOKALIKE_LIKED", value_delimiter = ',')]
    pub liked: Vec<String>,
}

impl VisitorArgs {
    /// The visitor, what is liked looked up.
    pub fn visitor(&self, collection: &Collection) -> Result<Visitor, taste::Error> {
        let visitor = Visitor { user: self.user.clone(), ..Visitor::default() };
        self.liked.iter().try_fold(visitor, |visitor, liked| visitor.likes(collection, liked))
    }

    /// Whether nobody is named.
    pub fn is_nobody(&self) -> bool {
        self.user.is_none() && self.liked.is_empty()
    }
}

pub fn run(args: &Args, common: &Common) -> Outcome {
    if args.visitor.is_nobody() {
        return Err("say for whom: --user USER, or --liked KEY".into());
    }
    let collection = common.open(&args.collection)?;
    let model = Served::open(&collection, &args.model)?;
    let visitor = args.visitor.visitor(&collection)?;
    let mut taken = visitor.liked.clone();
    if let Some(user) = &visitor.user {
        taken.extend(collection.taken_by(user)?);
    }
    let (found, personal) = model.recommend(&visitor, &taken, args.top)?;
    if !personal && !common.quiet {
        remark!(
            "the model {} does not know this visitor: this is what everybody likes",
            args.model
        );
    }
    let words = Words::of(&collection);
    let mut out = io::stdout().lock();
    let terms = found.first().map(|first| first.terms.as_slice()).unwrap_or_default();
    let headings = [
        Heading::right("#"),
        Heading::right("score"),
        Heading::left("key"),
        Heading::yielding("title"),
    ];
    let mut table = Table::new(
        headings.into_iter().chain(terms.iter().map(|(name, _)| Heading::right(name.as_str()))),
    );
    for (place, one) in found.iter().enumerate() {
        let Some(item) = collection.item(one.id)? else { continue };
        if common.json {
            let receipt: Vec<_> =
                one.terms.iter().map(|(n, share)| json!({"term": n, "share": share})).collect();
            writeln!(
                out,
                "{}",
                json!({
                    "rank": place + 1, "key": item.key, "score": one.score, "model": args.model,
                    "personal": personal, "receipt": receipt, "item": item,
                })
            )?;
            continue;
        }
        let row = [
            (place + 1).to_string(),
            format!("{:.3}", one.score),
            item.key.clone(),
            words.title(&item),
        ];
        table.row(row.into_iter().chain(one.terms.iter().map(|(_, share)| format!("{share:+.3}"))));
    }
    if !common.json {
        table.print(&mut out)?;
    }
    Ok(if found.is_empty() { ExitCode::from(NOTHING) } else { ExitCode::SUCCESS })
}
