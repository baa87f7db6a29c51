//! Filters, groups, facets, diversity and pages hold to their definitions, worked out item by item here.

mod support;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use lookalike::collection::{FieldReading, FieldType};
use lookalike::search::{Comparison, Error, FilterError, How};
use lookalike::{Collection, Filter, Hit, Item, Modality, Query, StoredItem};
use lookalike_index::GraphOptions;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{Both, entries, item, pictured};

const COUNT: usize = 120;

/// Items of every kind of field, with gaps, odd spellings and several values in a cell.
fn shop(directory: &Path) -> Vec<Item> {
    (0..COUNT).map(|n| product(n, n, directory)).collect()
}

/// The `n`th item, with the fields that the `look`th would have.
fn product(n: usize, look: usize, directory: &Path) -> Item {
    let categories = ["Shoes", "shoes ", "Shirts", "hand bags"];
    let (key, words) =
        (format!("k{n}"), format!("{} number {} of {}", categories[look % 4], look, look % 7));
    let colour = [[200, 20, 20], [20, 200, 20], [20, 20, 200]][look % 3];
    let mut made = match look % 5 {
        4 => item(&key, n as u64 + 1, &words),
        _ => pictured(&key, n as u64 + 1, &words, colour, directory),
    };
    let mut put = |name: &str, value: Value| drop(made.fields.insert(name.to_owned(), value));
    put("n", json!(look));
    put("category", json!(categories[look % 4]));
    put(
        "price",
        match look % 6 {
            5 => json!(""),
            4 => json!(look as f64 / 2.0),
            _ => json!(format!("{}.90 EUR", look % 50)),
        },
    );
    put("sold_out", [json!("yes"), json!(false), json!("No"), Value::Null][look % 4].clone());
    put("released", json!(format!("20{:02}-0{}-1{}", 10 + look % 9, 1 + look % 3, look % 10)));
    put(
        "colours",
        [json!("red|Blue"), json!(["RED", "green"]), json!("black"), json!("")][look % 4].clone(),
    );
    put("brand name", json!(["Größe", "nike \"air\"", "NIKE"][look % 3]));
    if !look.is_multiple_of(3) {
        put("family", json!(format!("f{}", look % 11)));
    }
    made
}

struct Shop {
    directory: tempfile::TempDir,
    both: Both,
    collection: Collection,
}

fn open() -> Shop {
    let directory = tempfile::tempdir().unwrap();
    let both = Both::default();
    let path = directory.path().join("shop");
    both.index(&path, shop(directory.path()));
    let collection = both.open(&path);
    Shop { directory, both, collection }
}

/// A question, with its meaning spelled out for one item.
#[derive(Debug, Clone)]
enum Ask {
    Category(Comparison, &'static str),
    Price(Comparison, f64),
    PriceBetween(f64, f64),
    Number(Comparison, usize),
    SoldOut,
    Released(Comparison, &'static str),
    Colours(Vec<&'static str>),
    Brand(&'static str),
    Exists(&'static str),
    Not(Box<Ask>),
    And(Box<Ask>, Box<Ask>),
    Or(Box<Ask>, Box<Ask>),
}

fn asks() -> impl Strategy<Value = Ask> {
    let how = prop::sample::select(vec![
        Comparison::Equal,
        Comparison::Different,
        Comparison::Less,
        Comparison::AtMost,
        Comparison::More,
        Comparison::AtLeast,
    ]);
    let category = prop::sample::select(vec!["SHOES", " shirts", "hand bags", "hats", "s"]);
    let day = prop::sample::select(vec!["2013-02-13", "2015", "2012-03", "2016-01-10T00:00:00Z"]);
    let colour = prop::sample::select(vec!["Red", "blue", "black", "pink"]);
    let price = prop::sample::select(vec![0.0, 2.9, 10.5, 20.0, 30.9, 99.0]);
    let field = prop::sample::select(vec![
        "price",
        "sold_out",
        "Colours",
        "family",
        "brand name",
        "image",
        "text",
    ]);
    let leaf = prop_oneof![
        (how.clone(), category).prop_map(|(how, category)| Ask::Category(how, category)),
        (how.clone(), price.clone()).prop_map(|(how, price)| Ask::Price(how, price)),
        (price.clone(), price).prop_map(|(low, high)| Ask::PriceBetween(low, high)),
        (how.clone(), 0..COUNT + 2).prop_map(|(how, n)| Ask::Number(how, n)),
        Just(Ask::SoldOut),
        (how, day).prop_map(|(how, day)| Ask::Released(how, day)),
        prop::collection::vec(colour, 1..3).prop_map(Ask::Colours),
        prop::sample::select(vec!["gr", "nike", "NIKE \"", "x", ""]).prop_map(Ask::Brand),
        field.prop_map(Ask::Exists),
    ];
    leaf.prop_recursive(4, 16, 2, |inner| {
        let (a, b) = (inner.clone().prop_map(Box::new), inner.prop_map(Box::new));
        prop_oneof![
            a.clone().prop_map(Ask::Not),
            (a.clone(), b.clone()).prop_map(|(a, b)| Ask::And(a, b)),
            (a, b).prop_map(|(a, b)| Ask::Or(a, b)),
        ]
    })
}

impl Ask {
    fn filter(&self) -> Filter {
        match self {
            Ask::Category(how, category) => Filter::compare("category", *how, *category),
            Ask::Price(how, price) => Filter::compare("Price", *how, *price),
            Ask::PriceBetween(low, high) => Filter::between("price", *low, *high),
            Ask::Number(how, n) => Filter::compare("n", *how, *n as u64),
            Ask::SoldOut => Filter::holds("sold_out"),
            Ask::Released(how, day) => Filter::compare("released", *how, *day),
            Ask::Colours(colours) => Filter::one_of("colours", colours.clone()),
            Ask::Brand(beginning) => Filter::starts_with("brand name", *beginning),
            Ask::Exists(field) => Filter::exists(*field),
            Ask::Not(negated) => !negated.filter(),
            Ask::And(a, b) => a.filter().and(b.filter()),
            Ask::Or(a, b) => a.filter().or(b.filter()),
        }
    }

    fn holds(&self, item: &StoredItem) -> bool {
        let text = |name: &str| {
            item.fields.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_lowercase()
        };
        let price = match &item.fields["price"] {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.strip_suffix(" EUR").map(|number| number.parse().unwrap()),
            _ => None,
        };
        match self {
            Ask::Category(how, category) => {
                compared(*how, text("category").cmp(&category.trim().to_lowercase()))
            }
            Ask::Price(Comparison::Different, asked) => price != Some(*asked),
            Ask::Price(how, asked) => {
                price.is_some_and(|price| compared(*how, price.total_cmp(asked)))
            }
            Ask::PriceBetween(low, high) => {
                price.is_some_and(|price| *low <= price && price <= *high)
            }
            Ask::Number(how, n) => {
                compared(*how, item.fields["n"].as_u64().unwrap().cmp(&(*n as u64)))
            }
            Ask::SoldOut => text("sold_out") == "yes",
            Ask::Released(how, day) => {
                // A day lies before, within or after what is asked for, by its first letters.
                let released = text("released");
                let asked = day.split('T').next().unwrap();
                compared(*how, released[..asked.len()].cmp(asked))
            }
            Ask::Colours(asked) => {
                let having: Vec<String> = match &item.fields["colours"] {
                    Value::String(cell) => cell.split('|').map(str::to_lowercase).collect(),
                    Value::Array(values) => {
                        values.iter().map(|v| v.as_str().unwrap().to_lowercase()).collect()
                    }
                    _ => Vec::new(),
                };
                asked.iter().any(|colour| having.contains(&colour.to_lowercase()))
            }
            Ask::Brand(beginning) => text("brand name").starts_with(&beginning.to_lowercase()),
            Ask::Exists("image") => item.picture.is_some(),
            Ask::Exists("text") => !item.text.is_empty(),
            Ask::Exists(field) => match item.fields.get(&field.to_lowercase()) {
                None | Some(Value::Null) => false,
                Some(value) => *value != json!(""),
            },
            Ask::Not(negated) => !negated.holds(item),
            Ask::And(a, b) => a.holds(item) && b.holds(item),
            Ask::Or(a, b) => a.holds(item) || b.holds(item),
        }
    }
}

fn compared(how: Comparison, order: std::cmp::Ordering) -> bool {
    match how {
        Comparison::Equal => order.is_eq(),
        Comparison::Different => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::AtMost => order.is_le(),
        Comparison::More => order.is_gt(),
        Comparison::AtLeast => order.is_ge(),
    }
}

/// By looks and by words, so that the order is one of two parts fused.
fn question() -> Query {
    Query::new().item("k1").text("number 5 of shoes").weight(Modality::Image, 0.4)
}

fn ranked(collection: &Collection, query: Query) -> Vec<(u32, f32)> {
    let hits = collection.search(&query).unwrap().hits;
    hits.iter().map(|hit| (hit.id, hit.score)).collect()
}

fn all(collection: &Collection) -> BTreeMap<u32, StoredItem> {
    collection.items().unwrap().map(Result::unwrap).collect()
}

#[test]
fn filtered_answers_are_those_of_all_answers_that_match() {
    let shop = open();
    let items = all(&shop.collection);
    let everything = ranked(&shop.collection, question().top(1000));
    let check = |ask: Ask, top: usize| {
        // Once as it was built, and once as it is written.
        let filter = ask.filter();
        let written: Filter = filter.to_string().parse().unwrap();
        assert_eq!(written, filter);
        let matching = || items.iter().filter(|(_, item)| ask.holds(item)).map(|(id, _)| *id);
        let expected = everything.iter().copied().filter(|(id, _)| ask.holds(&items[id]));
        let expected: Vec<(u32, f32)> = expected.take(top).collect();
        let found = ranked(&shop.collection, question().filter(written).top(top));
        assert_eq!(found, expected, "{filter}");
        let listed =
            shop.collection.search(&Query::new().filter(filter.clone()).top(1000)).unwrap();
        let ids: Vec<u32> = listed.hits.iter().map(|hit| hit.id).collect();
        assert_eq!(ids, matching().collect::<Vec<_>>(), "{filter}");
        assert_eq!((listed.plan.how, listed.plan.matching), (How::Listed, Some(ids.len() as u64)));
    };
    // Every selectivity from no item to all.
    for n in 0..=COUNT {
        check(Ask::Number(Comparison::Less, n), 10);
    }
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(400));
    runner
        .run(&(asks(), 0usize..30), |(ask, top)| {
            check(ask, top);
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_changes_is_found_as_it_is_and_by_older_readers_as_it_was() {
    let Shop { directory, both, collection } = open();
    let path = directory.path().join("shop");
    let by = |collection: &Collection, filter: &str| -> Vec<String> {
        let query = Query::new().filter(filter.parse().unwrap()).top(1000);
        collection.search(&query).unwrap().hits.into_iter().map(|hit| hit.item.key).collect()
    };
    let before = by(&collection, "n >= 115");
    assert_eq!(before, ["k115", "k116", "k117", "k118", "k119"]);
    // One item looks like another, one is gone, one is new, far behind in another block.
    let mut items: Vec<Item> =
        shop(directory.path()).into_iter().filter(|item| item.key != "k117").collect();
    items[0] = product(0, 118, directory.path());
    items.push(product(2000, 116, directory.path()));
    let report = both.indexer(&path).prune(true).run(entries(items.clone())).unwrap();
    assert_eq!((report.added, report.updated, report.removed), (1, 1, 1));
    let after = both.open(&path);
    after.verify().unwrap();
    assert_eq!(by(&after, "n >= 115"), ["k0", "k115", "k116", "k118", "k119", "k2000"]);
    assert_eq!(by(&collection, "n >= 115"), before);
    assert_eq!(by(&after, "not exists(n)"), [""; 0]);

    // A value that is no number makes text of the field, and its going makes numbers of it again.
    assert_eq!(kind(&after, "price"), FieldType::Number);
    items[7].fields.insert("price".into(), json!("on request"));
    both.index(&path, items.clone());
    let asked = both.open(&path);
    assert_eq!(kind(&asked, "price"), FieldType::Text);
    assert_eq!(by(&asked, "price = \"On Request\""), ["k7"]);
    // Unless it was told what the field is: then the value is there, and is no number.
    both.indexer(&path)
        .field("price", Some("number".parse().unwrap()))
        .run(entries(items.clone()))
        .unwrap();
    let told = both.open(&path);
    assert_eq!(kind(&told, "price"), FieldType::Number);
    assert!(by(&told, "exists(price) and not price >= 0").contains(&"k7".to_owned()));
    items[7].fields.insert("price".into(), json!("5"));
    both.indexer(&path).field("price", None).run(entries(items)).unwrap();
    let again = both.open(&path);
    assert_eq!(by(&again, "price = 5 and n = 7"), ["k7"]);
    again.verify().unwrap();
}

fn kind(collection: &Collection, field: &str) -> FieldType {
    collection.fields().unwrap().iter().find(|entry| entry.name == field).unwrap().reading.kind
}

#[test]
fn types_are_told_from_the_values() {
    let shop = open();
    let found: Vec<(String, String, u64)> = shop
        .collection
        .fields()
        .unwrap()
        .iter()
        .map(|field| (field.name.clone(), field.reading.to_string(), field.items()))
        .collect();
    let expected = [
        ("n", "number", 120),
        ("category", "text", 120),
        ("price", "number", 100),
        ("sold_out", "boolean", 90),
        ("released", "date", 120),
        ("colours", "text|", 90),
        ("brand name", "text", 120),
        ("family", "text", 80),
    ];
    assert_eq!(
        found,
        expected.map(|(name, kind, items)| (name.to_owned(), kind.to_owned(), items))
    );
    let reading: FieldReading = "number;".parse().unwrap();
    assert_eq!((reading.kind, reading.separator), (FieldType::Number, Some(';')));
    assert!(
        "numbers".parse::<FieldReading>().is_err() && "number||".parse::<FieldReading>().is_err()
    );
}

#[test]
fn a_type_for_a_field_that_is_not_there_is_refused() {
    let Shop { directory, both, collection: _ } = open();
    let (path, number) = (directory.path().join("shop"), "number".parse().unwrap());
    let run = both.indexer(&path).field("prise", Some(number)).run(entries(shop(directory.path())));
    let message = run.unwrap_err().to_string();
    assert!(message.contains("\"prise\" (did you mean price?)"), "{message}");
    assert_eq!(both.open(&path).manifest().generation, 1);
}

#[test]
fn a_collection_from_before_filters_answers_and_gets_them_when_indexed_again() {
    let Shop { directory, both, collection } = open();
    let path = directory.path().join("shop");
    let expected = ranked(&collection, question().filter("n < 50".parse().unwrap()));
    drop(collection);
    let mut options = rocksdb::Options::default();
    options.create_if_missing(false);
    let store = path.join("store");
    let families = rocksdb::DB::list_cf(&options, &store).unwrap();
    let mut db = rocksdb::DB::open_cf(&options, &store, &families).unwrap();
    db.drop_cf("postings").unwrap();
    let settings = db.cf_handle("settings").unwrap();
    let mut manifest: Value =
        serde_json::from_slice(&db.get_cf(settings, "current").unwrap().unwrap()).unwrap();
    manifest.as_object_mut().unwrap().remove("fields").unwrap();
    db.put_cf(settings, "current", manifest.to_string()).unwrap();
    drop(db);

    let old = both.open(&path);
    old.verify().unwrap();
    assert!(old.fields().is_none());
    assert_eq!(old.search(&question()).unwrap().hits.len(), 10);
    let refused = old.search(&question().filter("n < 50".parse().unwrap()));
    assert!(matches!(refused, Err(Error::Filter(FilterError::NoPostings { .. }))));
    let embedded = both.encoded();
    assert!(both.index(&path, shop(directory.path())).published);
    assert_eq!(both.encoded(), embedded, "nothing is embedded anew for it");
    let new = both.open(&path);
    new.verify().unwrap();
    assert_eq!(ranked(&new, question().filter("n < 50".parse().unwrap())), expected);
    assert!(!both.index(&path, shop(directory.path())).published);
}

proptest! {
    #[test]
    fn a_filter_of_any_names_and_values_is_read_back(
        names in prop::collection::vec(".{0,8}", 3),
        text in ".{0,8}",
        number: f64,
        truth: bool,
        shape in 0usize..6,
    ) {
        prop_assume!(number.is_finite());
        let [a, b, c] = [0, 1, 2].map(|n| names[n].as_str());
        let filter = match shape {
            0 => Filter::equals(a, text.as_str()).and(Filter::between(b, number, -1)).and(Filter::exists(c)),
            1 => Filter::one_of(a, [text.as_str(), b]).or(!Filter::holds(c)),
            2 => !(Filter::starts_with(a, text).and(Filter::equals(b, truth))),
            3 => !!Filter::holds(a).or(Filter::compare(b, Comparison::Less, number)),
            4 => Filter::holds(a).and(Filter::holds(b).or(Filter::holds(c))),
            _ => Filter::holds(a).and(Filter::holds(b)).or(Filter::holds(c)).and(Filter::holds(text)),
        };
        prop_assert_eq!(filter.to_string().parse::<Filter>().unwrap(), filter);
        // And nothing that can be written makes the parser stumble.
        let _ = names.join(" ").parse::<Filter>();
    }
}

/// What each group's best hit is, and how many of it match, in the order of the ranking.
fn grouped(
    ranking: &[(u32, f32)],
    items: &BTreeMap<u32, StoredItem>,
    matching: &BTreeSet<u32>,
) -> Vec<(u32, Option<(String, u64)>)> {
    let family =
        |id: &u32| items[id].fields.get("family").map(|family| family.as_str().unwrap().to_owned());
    let mut seen = HashSet::new();
    let best = ranking
        .iter()
        .map(|(id, _)| *id)
        .filter(|id| family(id).is_none_or(|family| seen.insert(family)));
    let count = |wanted: &String| {
        matching.iter().filter(|id| family(id).as_ref() == Some(wanted)).count() as u64
    };
    best.map(|id| (id, family(&id).map(|family| (family.clone(), count(&family))))).collect()
}

fn groups(hits: &[Hit]) -> Vec<(u32, Option<(String, u64)>)> {
    hits.iter()
        .map(|hit| (hit.id, hit.group.as_ref().map(|g| (g.value.clone(), g.count))))
        .collect()
}

#[test]
fn groups_show_their_best_and_facets_count_them() {
    let shop = open();
    let items = all(&shop.collection);
    for filter in ["n >= 0", "category = shoes", "n < 30 or price > 20", "n = 5", "n > 1000"] {
        let filter: Filter = filter.parse().unwrap();
        let query = || question().filter(filter.clone()).top(1000);
        let ranking = ranked(&shop.collection, query());
        let matching: BTreeSet<u32> = ranking.iter().map(|(id, _)| *id).collect();
        let expected = grouped(&ranking, &items, &matching);
        for top in [1, 5, 12, 1000] {
            let answer = shop
                .collection
                .search(&query().group_by("family").facet("Category").top(top))
                .unwrap();
            let expected_page: Vec<_> = expected.iter().take(top).cloned().collect();
            assert_eq!(groups(&answer.hits), expected_page, "{filter}");

            let mut members: BTreeMap<String, HashSet<String>> = BTreeMap::new();
            for id in &matching {
                let group = items[id]
                    .fields
                    .get("family")
                    .map_or(items[id].key.clone(), |family| family.to_string());
                let category = items[id].fields["category"].as_str().unwrap().trim().to_lowercase();
                members.entry(category).or_default().insert(group);
            }
            let counted: BTreeMap<String, usize> = answer.facets[0]
                .values
                .iter()
                .map(|value| (value.value.to_lowercase(), value.count as usize))
                .collect();
            let expected_counts: BTreeMap<String, usize> =
                members.into_iter().map(|(category, groups)| (category, groups.len())).collect();
            assert_eq!(counted, expected_counts, "{filter}");
            let counts: Vec<u64> =
                answer.facets[0].values.iter().map(|value| value.count).collect();
            assert!(counts.is_sorted_by(|a, b| a >= b));
        }
    }
    // Without groups, items are counted; the one that was asked for is no answer, and not among them.
    let facets = shop.collection.search(&question().facet("colours")).unwrap().facets;
    let counts: Vec<(&str, u64)> =
        facets[0].values.iter().map(|v| (v.value.as_str(), v.count)).collect();
    assert_eq!(counts, [("RED", 59), ("black", 30), ("Blue", 30), ("green", 29)]);
}

/// Pages of one size, until one is not full.
fn pages(collection: &Collection, size: usize, query: impl Fn() -> Query) -> Vec<(u32, f32)> {
    let mut all = Vec::new();
    loop {
        let page = ranked(collection, query().top(size).offset(all.len()));
        all.extend(&page);
        if page.len() < size {
            return all;
        }
    }
}

#[test]
fn pages_continue_one_another() {
    let shop = open();
    let filter = || "n > 20".parse::<Filter>().unwrap();
    let queries: [&dyn Fn() -> Query; 4] = [
        &|| question(),
        &|| question().filter(filter()).group_by("family"),
        &|| question().min_score(0.3).group_by("colours"),
        &|| Query::new().filter(filter()),
    ];
    for query in queries {
        let whole = ranked(&shop.collection, query().top(1000));
        for size in [1, 7, 64] {
            assert_eq!(pages(&shop.collection, size, query), whole);
        }
    }
    // Those that differ differ by the size of a page, but not from page to page.
    for size in [3, 8] {
        let spread = pages(&shop.collection, size, || question().diversity(0.5));
        let ids: HashSet<u32> = spread.iter().map(|(id, _)| *id).collect();
        assert_eq!((ids.len(), spread.len()), (COUNT - 1, COUNT - 1));
    }
}

#[test]
fn pages_of_a_graph_show_everything_once_and_a_filter_gives_as_many_as_match() {
    let directory = tempfile::tempdir().unwrap();
    let (both, path) = (Both::default(), directory.path().join("shop"));
    let items = (0..3000u32).map(|n| {
        // Words that nothing orders: each item has its own few of many.
        let words: Vec<String> =
            (1..6).map(|w| format!("w{}", n.wrapping_mul(2_654_435_761 + w) >> 25)).collect();
        let mut item = item(&format!("k{n}"), u64::from(n) + 1, &words.join(" "));
        item.fields.insert("n".into(), json!(n));
        item
    });
    both.indexer(&path).graph(GraphOptions::default().from_rows(500)).run(entries(items)).unwrap();
    let collection = both.open(&path);
    assert!(collection.vectors(Modality::Text).unwrap().has_graph());
    // So narrow a walk misses some of the best; another depth misses others.
    let query = || Query::new().text("w1 w9 w77").breadth(1);
    let first = collection.search(&query()).unwrap();
    assert_eq!(first.plan.how, How::Walked);
    for size in [10, 37] {
        let listed = pages(&collection, size, query);
        let ids: HashSet<u32> = listed.iter().map(|(id, _)| *id).collect();
        assert_eq!((ids.len(), listed.len()), (3000, 3000));
    }
    let mut ways = HashSet::new();
    for below in [0, 1, 5, 30, 300, 1000, 2000, 2999, 3000] {
        for top in [1, 10, 100] {
            let query = query().filter(Filter::compare("n", Comparison::Less, below)).top(top);
            let answer = collection.search(&query).unwrap();
            assert_eq!(answer.hits.len(), top.min(below as usize), "{below} match");
            assert!(answer.hits.iter().all(|hit| hit.id < below));
            assert_eq!(answer.plan.matching, Some(below.into()));
            assert_eq!(answer.exact, answer.plan.how == How::Scanned);
            ways.insert(answer.plan.how);
            if answer.exact {
                assert_eq!(ranked(&collection, query.clone()), ranked(&collection, query.exact()));
            }
        }
    }
    assert_eq!(ways.len(), 2, "the planner knows one way only");
}

#[test]
fn diversity_picks_what_is_least_like_what_was_picked() {
    let shop = open();
    let vector = |id: u32, modality| shop.collection.embedding(id, modality).unwrap();
    let everything = ranked(&shop.collection, question().top(1000));
    // By looks 0.4 for each of the two, by words 1: of 0.4 + 1 + 1.
    let weights = [(Modality::Image, 0.4 / 2.4), (Modality::Text, 2.0 / 2.4)];
    let like = |a: u32, b: u32| -> f64 {
        weights
            .iter()
            .map(|&(modality, weight)| match (vector(a, modality), vector(b, modality)) {
                (Some(a), Some(b)) => {
                    weight * a.iter().zip(b.iter()).map(|(x, y)| f64::from(x * y)).sum::<f64>()
                }
                _ => 0.0,
            })
            .sum()
    };
    for diversity in [0.0f32, 0.3, 0.9] {
        let mut pool: Vec<(u32, f32)> = everything.iter().copied().take(100).collect();
        let mut picked: Vec<(u32, f32)> = Vec::new();
        while picked.len() < 10 {
            let worth = |&(id, score): &(u32, f32)| {
                let likeness = picked
                    .iter()
                    .map(|&(other, _)| like(id, other))
                    .reduce(f64::max)
                    .unwrap_or(0.0);
                f64::from(1.0 - diversity) * f64::from(score) - f64::from(diversity) * likeness
            };
            let mut best = 0;
            for place in 1..pool.len() {
                // What is equal but for rounding comes in its order.
                best = if worth(&pool[place]) > worth(&pool[best]) + 1e-6 { place } else { best };
            }
            let next = pool.remove(best);
            picked.push(next);
        }
        assert_eq!(
            ranked(&shop.collection, question().diversity(diversity)),
            picked,
            "diversity {diversity}"
        );
    }
    let refused = shop.collection.search(&question().diversity(1.5));
    assert!(matches!(refused, Err(Error::Diversity { .. })));
}

#[test]
fn the_least_score_cuts_and_a_list_has_none() {
    let shop = open();
    let everything = ranked(&shop.collection, question().top(1000));
    let least = everything[13].1;
    let expected: Vec<_> =
        everything.iter().copied().filter(|&(_, score)| score >= least).collect();
    assert_eq!(ranked(&shop.collection, question().top(1000).min_score(least)), expected);
    let list = || Query::new().filter("n < 5".parse().unwrap());
    assert!(matches!(shop.collection.search(&list().min_score(0.1)), Err(Error::NothingToCompare)));
    assert!(matches!(shop.collection.search(&list().diversity(0.1)), Err(Error::NothingToCompare)));
    assert!(matches!(shop.collection.search(&Query::new()), Err(Error::EmptyQuery)));
}

#[test]
fn what_is_wrong_with_a_filter_is_pointed_at() {
    let shop = open();
    let ask = |filter: &str| -> String {
        let answer = filter
            .parse()
            .map_err(Error::from)
            .and_then(|filter| shop.collection.search(&question().filter(filter)));
        answer.unwrap_err().to_string()
    };
    let told = ask("category = shoes and prize < 20");
    let expected = "there is no field \"prize\" (did you mean price?); there are: n (number), category (text), \
                    price (number), sold_out (boolean), released (date), colours (text), brand name (text), \
                    family (text)\n  category = shoes and prize < 20\n                       ^^^^^";
    assert_eq!(told, expected);
    let points = [
        ("größe = 1", "no field", "größe"),
        ("price in (1, cheap)", "\"cheap\" is no number", "cheap"),
        ("released > 5.5", "\"5.5\" is no date", "5.5"),
        ("not category", "type text, which cannot be asked whether it is true", "category"),
        ("category > 7", "cannot be asked for more or less than a number", "category"),
        ("sold_out >= true", "cannot be asked for more or less", "sold_out"),
        ("price starts with 1", "cannot be asked what it starts with", "price"),
        ("price 5", "a comparison", "5"),
        ("price = ", "a value was expected, not the end", ""),
        ("(price = 5", "`)`", ""),
        ("price = 5)", "the end was expected", ")"),
        ("category = \"shoes", "never closed", "\""),
        ("price between 1 or 2", "`and` and the upper end", "or"),
        ("!price", "expected", "!"),
        ("in (5)", "the name of a field", "in"),
    ];
    for (filter, expected, marked) in points {
        let told = ask(filter);
        assert!(told.contains(expected), "{told}");
        let lines: Vec<&str> = told.lines().collect();
        let [.., shown, carets] = lines[..] else { panic!("{told}") };
        assert_eq!(shown.trim(), filter.trim());
        let start = carets.chars().position(|c| c == '^').unwrap();
        let length = marked.chars().count();
        assert_eq!(carets.trim().len(), length.max(1), "{told}");
        assert_eq!(shown.chars().skip(start).take(length).collect::<String>(), marked, "{told}");
    }
    assert_eq!(ask(" "), "the filter is empty: say what has to hold, such as \"price < 30\"");
    let deep = format!("{}n = 1{}", "(".repeat(5000), ")".repeat(5000));
    assert!(matches!(deep.parse::<Filter>(), Err(FilterError::TooDeep { .. })));
    assert!(matches!("not ".repeat(5000).parse::<Filter>(), Err(FilterError::TooDeep { .. })));
    let wide = vec!["n = 1"; 5000].join(" or ");
    assert_eq!(ranked(&shop.collection, Query::new().filter(wide.parse().unwrap())).len(), 1);
}
