//! `lookalike search --queries`: a file of queries, answered over all cores.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use lookalike::search::Error as SearchError;
use lookalike::taste::{Reranked, Visitor};
use lookalike::{Aspect, Collection, Filter, Hits, Modality, Query};
use serde::Deserialize;
use serde_json::{Value, json};

use super::search::Order;
use super::words::Words;
use super::{Common, NOTHING, Outcome, SKIPPED, remark};

/// Queries that are answered together: enough for all cores, few enough that answers come soon.
const BATCH: usize = 256;

/// One line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: Option<Value>,
    query: Option<String>,
    #[serde(default)]
    text: Several<String>,
    #[serde(default)]
    image: Several<PathBuf>,
    #[serde(default)]
    item: Several<String>,
    #[serde(default)]
    words: Several<String>,
    #[serde(rename = "where")]
    filter: Option<String>,
    top: Option<usize>,
    image_weight: Option<f32>,
    text_weight: Option<f32>,
    words_weight: Option<f32>,
    #[serde(default)]
    exact: bool,
    user: Option<String>,
    #[serde(default)]
    liked: Several<String>,
}

/// One value, or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Several<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> Default for Several<T> {
    fn default() -> Self {
        Several::Many(Vec::new())
    }
}

impl<T> Several<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Several::One(value) => vec![value],
            Several::Many(values) => values,
        }
    }
}

/// A query and whose taste it is for, with its name, or what is wrong with it.
type Asked = (Value, Result<(Query, Visitor), String>);

/// What the queries of a file have in common.
struct Base<'a> {
    query: &'a Query,
    order: Option<&'a Order<'a>>,
}

/// Answers every query of a file, `-` for what is piped in; `query` is what they have in common, and `order` by
/// which models their hits are put into somebody's order.
pub fn run(
    collection: &Collection,
    query: &Query,
    order: Option<&Order>,
    file: &Path,
    common: &Common,
) -> Outcome {
    let base = Base { query, order };
    let unreadable = |e: io::Error| format!("cannot read the queries in {}: {e}", file.display());
    let input: Box<dyn BufRead> = match file.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => Box::new(BufReader::new(File::open(file).map_err(unreadable)?)),
    };
    let start = Instant::now();
    let words = Words::of(collection);
    let (mut asked, mut answered, mut failed) = (0u64, 0u64, 0u64);
    let mut batch: Vec<Asked> = Vec::new();
    let mut lines = input.split(b'\n').zip(1u64..).peekable();
    while let Some((line, number)) = lines.next() {
        let line = line.map_err(unreadable)?;
        batch.extend(read(&line, number, &base));
        if batch.len() == BATCH || lines.peek().is_none() {
            asked += batch.len() as u64;
            for (id, answer) in answers(collection, order, std::mem::take(&mut batch)) {
                match &answer {
                    Ok(answer) => answered += u64::from(!answer.hits.hits.is_empty()),
                    Err(_) => failed += 1,
                }
                print(&id, &answer, &words)?;
            }
        }
    }
    if !common.quiet {
        let seconds = start.elapsed().as_secs_f64();
        remark!("{asked} queries, {failed} of them could not be answered, {seconds:.1} s");
    }
    Ok(match (failed, answered) {
        (1.., _) => ExitCode::from(SKIPPED),
        (0, 0) => ExitCode::from(NOTHING),
        _ => ExitCode::SUCCESS,
    })
}

/// The query on a line, if there is anything on it: an object, or just a text.
fn read(line: &[u8], number: u64, base: &Base) -> Option<Asked> {
    let id = json!(number);
    let Ok(line) = std::str::from_utf8(line.trim_ascii()) else {
        return Some((id, Err("the line is not valid UTF-8: save the file as UTF-8".to_owned())));
    };
    if line.is_empty() {
        return None;
    }
    if !line.starts_with('{') {
        // A text, which may be written as JSON writes it.
        let text = serde_json::from_str(line).unwrap_or_else(|_| line.to_owned());
        return Some((id, Ok((base.query.clone().text(text), base.visitor()))));
    }
    match serde_json::from_str::<Line>(line) {
        Ok(mut line) => {
            let id = line.id.take().unwrap_or(id);
            Some((id, asked(line, base)))
        }
        Err(error) => {
            // The name may be readable all the same.
            let named = serde_json::from_str::<Value>(line).ok();
            let named = named.and_then(|mut line| line.get_mut("id").map(Value::take));
            Some((named.unwrap_or(id), Err(format!("the line is no query: {error}"))))
        }
    }
}

impl Base<'_> {
    /// Whom a line is for that does not say.
    fn visitor(&self) -> Visitor {
        self.order.map(|order| order.visitor.clone()).unwrap_or_default()
    }
}

fn asked(mut line: Line, base: &Base) -> Result<(Query, Visitor), String> {
    let (user, liked) = (line.user.take(), std::mem::take(&mut line.liked).into_vec());
    let visitor = match (user, liked, base.order) {
        (None, liked, _) if liked.is_empty() => base.visitor(),
        (_, _, None) => return Err("say by which model: --rerank MODEL".to_owned()),
        (user, liked, Some(order)) => {
            let visitor = Visitor { user, ..Visitor::default() };
            let likes = |visitor: Visitor, what: &String| visitor.likes(order.collection, what);
            liked.iter().try_fold(visitor, likes).map_err(|error| super::explained(&error))?
        }
    };
    Ok((query(line, base.query)?, visitor))
}

fn query(line: Line, base: &Query) -> Result<Query, String> {
    let mut query = base.clone();
    if let Some(expression) = &line.query {
        query = query.expression(expression).map_err(|error| error.to_string())?;
    }
    query = line.image.into_vec().into_iter().fold(query, |query, path| query.image(path));
    query = line.text.into_vec().into_iter().fold(query, |query, words| query.text(words));
    query = line.item.into_vec().into_iter().fold(query, |query, key| query.item(key));
    query = line.words.into_vec().into_iter().fold(query, |query, words| query.words(words));
    let weights = [
        (Aspect::from(Modality::Image), line.image_weight),
        (Aspect::from(Modality::Text), line.text_weight),
        (Aspect::Words, line.words_weight),
    ];
    for (aspect, weight) in weights {
        if let Some(weight) = weight {
            query = query.weight(aspect, weight);
        }
    }
    if let Some(filter) = &line.filter {
        query = query.filter(filter.parse::<Filter>().map_err(|error| error.to_string())?);
    }
    if let Some(top) = line.top {
        query = query.top(top);
    }
    Ok(if line.exact { query.exact() } else { query })
}

/// What was found, and the models that do not know whom it is for.
struct Answer {
    hits: Hits,
    strangers: Vec<String>,
}

type Answered = (Value, Result<Answer, String>);

/// The answers in the order of the questions.
fn answers(
    collection: &Collection,
    order: Option<&Order>,
    batch: Vec<Asked>,
) -> impl Iterator<Item = Answered> {
    let asked: Vec<_> =
        batch.iter().filter_map(|(_, asked)| asked.as_ref().ok().cloned()).collect();
    let mut found = match order {
        Some(order) => personal(order, &asked),
        None => plain(collection, asked),
    }
    .into_iter();
    batch.into_iter().map(move |(id, asked)| {
        let none = || Err(super::explained(&SearchError::EmptyQuery));
        (id, asked.and_then(|_| found.next().unwrap_or_else(none)))
    })
}

fn personal(order: &Order, asked: &[(Query, Visitor)]) -> Vec<Result<Answer, String>> {
    let found = order.reranking().search_all(order.collection, asked).into_iter();
    let answer = |found: Result<Reranked, _>| match found {
        Ok(Reranked { hits, strangers, .. }) => Ok(Answer { hits, strangers }),
        Err(error) => Err(super::explained(&error)),
    };
    found.map(answer).collect()
}

fn plain(collection: &Collection, asked: Vec<(Query, Visitor)>) -> Vec<Result<Answer, String>> {
    let queries: Vec<Query> = asked.into_iter().map(|(query, _)| query).collect();
    let answer = |found: Result<Hits, _>| match found {
        Ok(hits) => Ok(Answer { hits, strangers: Vec::new() }),
        Err(error) => Err(super::explained(&error)),
    };
    collection.search_all(&queries).into_iter().map(answer).collect()
}

fn print(id: &Value, answer: &Result<Answer, String>, words: &Words) -> Result<(), Box<dyn Error>> {
    let line = match answer {
        Err(error) => json!({"id": id, "error": error}),
        Ok(Answer { hits, strangers }) => {
            let shown = hits.hits.iter().zip(1..).map(|(hit, rank)| {
                let mut shown = json!({
                    "rank": rank,
                    "key": hit.item.key,
                    "score": hit.score,
                    "title": words.title(&hit.item),
                    "receipt": hit.receipt.parts,
                });
                if !hit.receipt.taste.is_empty() {
                    shown["taste"] = json!(hit.receipt.taste);
                }
                shown
            });
            let shown: Vec<Value> = shown.collect();
            let mut line = json!({"id": id, "hits": shown, "exact": hits.exact});
            if !strangers.is_empty() {
                line["unknown_to"] = json!(strangers);
            }
            line
        }
    };
    Ok(writeln!(io::stdout().lock(), "{line}")?)
}
