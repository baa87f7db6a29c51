//! Searches to be timed: ours, and tantivy's own over the same titles.

use std::error::Error;
use std::hint::black_box;
use std::io::stdin;

use lookalike::{Collection, Query, Term};
use serde_json::json;
use tantivy::collector::TopDocs;
use tantivy::query::QueryParser;
use tantivy::schema::{STORED, STRING, Schema, TEXT, Value as _};
use tantivy::{Index, IndexWriter, TantivyDocument, doc};

use super::{Outcome, attributes, items, say};

const TOP: usize = 10;

/// Answers `search COUNT` with as many searches, by turns for what products are called.
pub fn serve(collection: &Collection, what: &str) -> Outcome {
    let pairs = attributes(&items(collection)?);
    let asked = pairs.iter().map(|(colour, article)| format!("{colour} {article}").to_lowercase());
    let asked: Vec<String> = asked.collect();
    // Embedded beforehand: what is timed is the search and not the network.
    let embedded = |words: &String| -> Result<Term, Box<dyn Error>> {
        let modality = lookalike::Modality::Text;
        let embedding = collection.embed_text(words)?;
        Ok(Term::Embedding { modality, name: words.clone(), embedding })
    };
    let vectors = match what {
        "hybrid" | "vectors" => asked.iter().map(embedded).collect::<Result<Vec<_>, _>>()?,
        _ => Vec::new(),
    };
    let queries: Vec<Query> = match what {
        "words" => asked.iter().map(|words| Query::new().words(words).top(TOP)).collect(),
        "vectors" => vectors.into_iter().map(|term| Query::new().term(term).top(TOP)).collect(),
        _ => {
            let both = vectors.into_iter().zip(&asked);
            both.map(|(term, words)| Query::new().term(term).words(words).top(TOP)).collect()
        }
    };
    let tantivy = if what == "tantivy" { Some(Tantivy::of(collection)?) } else { None };
    say(&json!({"items": collection.len(), "queries": asked.len()}))?;
    let mut next = 0;
    for line in stdin().lines() {
        let line = line?;
        let count: usize = line.strip_prefix("search ").ok_or("no such request")?.parse()?;
        for _ in 0..count {
            match &tantivy {
                Some(tantivy) => {
                    black_box(tantivy.search(&asked[next % asked.len()])?);
                }
                None => {
                    black_box(collection.search(&queries[next % queries.len()])?);
                }
            }
            next += 1;
        }
        say(&json!({}))?;
    }
    Ok(())
}

/// tantivy as its own documentation sets it up.
struct Tantivy {
    reader: tantivy::IndexReader,
    parser: QueryParser,
    key: tantivy::schema::Field,
}

impl Tantivy {
    fn of(collection: &Collection) -> Result<Self, Box<dyn Error>> {
        let mut schema = Schema::builder();
        let key = schema.add_text_field("key", STRING | STORED);
        let title = schema.add_text_field("title", TEXT);
        let index = Index::create_in_ram(schema.build());
        let mut writer: IndexWriter = index.writer_with_num_threads(1, 50_000_000)?;
        for (_, item) in items(collection)? {
            writer.add_document(doc!(key => item.key, title => item.text))?;
        }
        writer.commit()?;
        writer.wait_merging_threads()?;
        let parser = QueryParser::for_index(&index, vec![title]);
        Ok(Tantivy { reader: index.reader()?, parser, key })
    }

    /// The keys of the ten best.
    fn search(&self, words: &str) -> Result<Vec<String>, Box<dyn Error>> {
        let searcher = self.reader.searcher();
        let query = self.parser.parse_query(words)?;
        let best = searcher.search(&query, &TopDocs::with_limit(TOP).order_by_score())?;
        let key = |address| -> Result<String, Box<dyn Error>> {
            let found: TantivyDocument = searcher.doc(address)?;
            Ok(found
                .get_first(self.key)
                .and_then(|key| key.as_str())
                .unwrap_or_default()
                .to_owned())
        };
        best.into_iter().map(|(_, address)| key(address)).collect()
    }
}
