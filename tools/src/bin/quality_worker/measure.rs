//! How good answers are, by what the catalogue says of the products that were found.

use std::error::Error;

use lookalike::{Aspect, Collection, Fusion, Hits, Modality, Query, StoredItem, Term};
use lookalike_tools::seed::Rng;
use serde_json::json;

use super::{Outcome, attributes, field, items, say};

/// As many as a page of hits shows.
const TOP: usize = 10;

/// What a way of asking is called, and how it asks from words, from an item, from an item beside another.
type ByWords<'a> = (&'a str, &'a dyn Fn(&str) -> Query);
type ByItem<'a> = (&'a str, &'a dyn Fn(&StoredItem) -> Query);
type ByTwo<'a> = (&'a str, &'a dyn Fn(&StoredItem, &StoredItem) -> Result<Query, Box<dyn Error>>);

pub fn measure(collection: &Collection, queries: usize) -> Outcome {
    let items = items(collection)?;
    by_attributes(collection, &attributes(&items))?;
    let mut rng = Rng::new(5, "asked", 0);
    let asked: Vec<&StoredItem> = (0..queries).map(|_| &rng.pick(&items).1).collect();
    by_pictures(collection, &asked)?;
    faithful(collection, &asked)
}

/// Which part of the hits has this in that column.
fn precision(hits: &Hits, wanted: &[(&str, &str)]) -> f64 {
    let right =
        |item: &StoredItem| wanted.iter().all(|(column, value)| field(item, column) == *value);
    hits.hits.iter().filter(|hit| right(&hit.item)).count() as f64 / TOP as f64
}

/// "navy blue casual shoes": which part of the ten best is of that colour and kind?
fn by_attributes(collection: &Collection, pairs: &[(String, String)]) -> Outcome {
    let asked = |words: &str| Query::new().text(words).words(words).top(TOP);
    let ways: [ByWords; 6] = [
        ("text", &|words| asked(words).weight(Aspect::Words, 0.0)),
        ("words", &|words| asked(words).weight(Modality::Text, 0.0)),
        ("words, typos forgiven", &|words| {
            asked(words).weight(Modality::Text, 0.0).forgive_typos(true)
        }),
        ("text + words", &asked),
        ("text + 3 words", &|words| asked(words).weight(Aspect::Words, 3.0)),
        ("text + words by ranks", &|words| asked(words).fusion(Fusion::rrf(60))),
    ];
    for (way, query) in ways {
        let (mut both, mut colour_alone, mut article_alone) = (0.0, 0.0, 0.0);
        for (colour, article) in pairs {
            let hits = collection.search(&query(&format!("{colour} {article}").to_lowercase()))?;
            let (colour, article) = (("base_colour", &**colour), ("article_type", &**article));
            both += precision(&hits, &[colour, article]);
            colour_alone += precision(&hits, &[colour]);
            article_alone += precision(&hits, &[article]);
        }
        let queries = pairs.len() as f64;
        say(&json!({
            "asked": "attributes", "way": way, "queries": pairs.len(), "both": both / queries,
            "colour": colour_alone / queries, "article": article_alone / queries,
        }))?;
    }
    Ok(())
}

/// A product's picture, its title, or both: which part of the ten best is of its kind, and which of its colour?
fn by_pictures(collection: &Collection, asked: &[&StoredItem]) -> Outcome {
    let like = |item: &StoredItem| Query::new().item(&item.key).top(TOP);
    let ways: [ByItem; 5] = [
        ("picture", &|item| like(item).weight(Modality::Text, 0.0)),
        ("text", &|item| like(item).weight(Modality::Image, 0.0)),
        ("picture + text", &like),
        ("picture + text + words", &|item| like(item).words(&item.text)),
        ("picture + text by ranks", &|item| like(item).fusion(Fusion::rrf(60))),
    ];
    for (way, query) in ways {
        let (mut article, mut colour, mut both) = (0.0, 0.0, 0.0);
        for item in asked {
            let hits = collection.search(&query(item))?;
            let own = |column| (column, field(item, column));
            article += precision(&hits, &[own("article_type")]);
            colour += precision(&hits, &[own("base_colour")]);
            both += precision(&hits, &[own("article_type"), own("base_colour")]);
        }
        let queries = asked.len() as f64;
        say(&json!({
            "asked": "pictures", "way": way, "queries": asked.len(), "article": article / queries,
            "colour": colour / queries, "both": both / queries,
        }))?;
    }
    Ok(())
}

/// How often what the graphs propose leads to the very answer that comparing everything gives.
fn faithful(collection: &Collection, asked: &[&StoredItem]) -> Outcome {
    let like = |item: &StoredItem| Query::new().item(&item.key).top(TOP);
    let ways: [ByTwo; 8] = [
        ("picture", &|item, _| Ok(like(item).weight(Modality::Text, 0.0))),
        ("picture + text", &|item, _| Ok(like(item))),
        ("picture + text + words", &|item, _| Ok(like(item).words(&item.text))),
        ("two pictures", &|item, other| {
            Ok(like(item).item(&other.key).weight(Modality::Text, 0.0))
        }),
        ("two texts", &|item, other| Ok(like(item).item(&other.key).weight(Modality::Image, 0.0))),
        ("picture - half another", &|item, other| {
            let other = Term::Item(other.key.clone());
            Ok(like(item).weighted(other, -0.5).weight(Modality::Text, 0.0))
        }),
        ("picture + text - half another's text", &|item, other| {
            let embedding = stored_text(collection, other)?;
            Ok(like(item).weighted(embedding, -0.5))
        }),
        ("picture + text by ranks", &|item, _| Ok(like(item).fusion(Fusion::rrf(60)))),
    ];
    for (way, query) in ways {
        let (mut same, mut shared, mut scanned) = (0, 0, 0);
        for (place, item) in asked.iter().enumerate() {
            let query = query(item, asked[(place + 1) % asked.len()])?;
            let ids = |hits: &Hits| hits.hits.iter().map(|hit| hit.id).collect::<Vec<_>>();
            let answer = collection.search(&query)?;
            let exact = collection.search(&query.clone().exact())?;
            scanned += usize::from(answer.exact);
            let (found, wanted) = (ids(&answer), ids(&exact));
            same += usize::from(found == wanted);
            shared += found.iter().filter(|id| wanted.contains(id)).count();
        }
        let queries = asked.len() as f64;
        say(&json!({
            "asked": "faithful", "way": way, "queries": asked.len(), "same": same as f64 / queries,
            "recall": shared as f64 / (queries * TOP as f64), "scanned": scanned as f64 / queries,
        }))?;
    }
    Ok(())
}

/// The vector of an item's text, as a term.
fn stored_text(collection: &Collection, item: &StoredItem) -> Result<Term, Box<dyn Error>> {
    let id = collection.id_of(&item.key)?.ok_or("the item is gone")?;
    let embedding = collection.embedding(id, Modality::Text)?.ok_or("the item has no text")?;
    Ok(Term::Embedding { modality: Modality::Text, name: item.key.clone(), embedding })
}
