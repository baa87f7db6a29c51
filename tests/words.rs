//! The index of words against BM25 by its definition, through whatever becomes of a collection; and what
//! readers and killed runs see of it.

mod support;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use lookalike::collection;
use lookalike::search::Error;
use lookalike::{Aspect, Collection, Fusion, Hits, Indexer, Item, Modality, Query};
use proptest::prelude::*;
use support::{Both, entries, item, pictured};

/// The words of a text as anybody would cut these.
fn cut(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// BM25 by Robertson's formula, over the texts of all items; and the most that it can give.
fn bm25(texts: &BTreeMap<String, String>, query: &str) -> (BTreeMap<String, f64>, f64) {
    let (k, b) = (1.2, 0.75);
    let texts: BTreeMap<&String, Vec<String>> = texts
        .iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(key, text)| (key, cut(text)))
        .collect();
    let mean = texts.values().map(Vec::len).sum::<usize>() as f64 / texts.len() as f64;
    let (mut scores, mut most) = (BTreeMap::new(), 0.0);
    let mut seen = HashSet::new();
    for word in cut(query).into_iter().filter(|word| seen.insert(word.clone())) {
        let having = texts.values().filter(|text| text.contains(&word)).count() as f64;
        if having == 0.0 {
            continue;
        }
        let idf = (1.0 + (texts.len() as f64 - having + 0.5) / (having + 0.5)).ln();
        most += idf * (k + 1.0);
        for (&key, text) in &texts {
            let times = text.iter().filter(|other| **other == word).count() as f64;
            if times > 0.0 {
                let length = text.len() as f64 / mean;
                let score = idf * times * (k + 1.0) / (times + k * (1.0 - b + b * length));
                *scores.entry(key.clone()).or_default() += score;
            }
        }
    }
    (scores, most)
}

fn found(hits: &Hits) -> BTreeMap<String, f32> {
    hits.hits.iter().map(|hit| (hit.item.key.clone(), hit.score)).collect()
}

fn by_words(words: &str) -> Query {
    Query::new().words(words).top(1000)
}

fn agrees(collection: &Collection, texts: &BTreeMap<String, String>, query: &str) {
    let hits = collection.search(&by_words(query)).unwrap();
    let (expected, most) = bm25(texts, query);
    assert!(hits.exact);
    assert_eq!(hits.hits.len(), expected.len(), "{query}");
    for hit in &hits.hits {
        let expected = expected[&hit.item.key];
        let part = &hit.receipt.parts[0];
        let bm25 = part.bm25.unwrap();
        assert!((f64::from(bm25.score) - expected).abs() < 1e-4 * expected, "{query}");
        assert!((f64::from(bm25.normalised) - expected / most).abs() < 1e-5, "{query}");
        assert_eq!((part.modality, part.cosine, part.share), (Aspect::Words, None, hit.score));
        assert!(bm25.normalised > 0.0 && bm25.normalised < 1.0);
    }
    let ordered = |pair: &[lookalike::Hit]| {
        pair[0].score > pair[1].score || pair[0].score == pair[1].score && pair[0].id < pair[1].id
    };
    assert!(hits.hits.windows(2).all(ordered));
    let ranks: Vec<Option<u32>> = hits.hits.iter().map(|hit| hit.receipt.parts[0].rank).collect();
    assert!(ranks.iter().enumerate().all(|(place, rank)| *rank == Some(place as u32 + 1)));
}

const WORDS: [&str; 8] = ["navy", "blue", "shoe", "shoes", "shirt", "Leather", "t", "mug"];

/// A text of some of the words, each as often as it is drawn.
fn a_text() -> impl Strategy<Value = String> {
    prop::collection::vec(0..WORDS.len(), 0..9)
        .prop_map(|drawn| drawn.iter().map(|&n| WORDS[n]).collect::<Vec<_>>().join(" "))
}

fn items(texts: &BTreeMap<String, String>) -> Vec<Item> {
    let item = |(row, (key, text)): (usize, (&String, &String))| item(key, row as u64 + 1, text);
    texts.iter().enumerate().map(item).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    /// Whatever the collection went through, its words are those of the items that it has, to the bit: as
    /// if it had been made of them in one go.
    #[test]
    fn scores_are_bm25_by_definition_and_know_no_history(
        rounds in prop::collection::vec(
            (prop::collection::btree_map("[a-p]", a_text(), 1..12), any::<bool>()), 1..4),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shop");
        let mut texts = BTreeMap::new();
        for (round, prune) in rounds {
            if prune {
                texts.clear();
            }
            // An item without a text is none at all, and what it was before stays.
            texts.extend(round.iter().filter(|(_, text)| !text.is_empty()).map(|(k, t)| (k.clone(), t.clone())));
            let kept: Vec<Item> = items(&round);
            Both::default().indexer(&path).prune(prune).run(entries(kept)).unwrap();
            if prune {
                // Rows that were refused spare what the collection has of them.
                let collection = Collection::open(&path).unwrap();
                texts = collection.items().unwrap().map(|row| row.unwrap().1).map(|item| (item.key, item.text)).collect();
            }
        }
        let collection = Both::default().open(&path);
        let fresh = directory.path().join("fresh");
        Both::default().index(&fresh, items(&texts));
        let fresh = Both::default().open(&fresh);
        for query in ["navy blue shoes", "LEATHER", "t-shirt shirt", "mug glass mug", "glass"] {
            if !texts.is_empty() {
                agrees(&collection, &texts, query);
                let again = fresh.search(&by_words(query)).unwrap();
                prop_assert_eq!(found(&collection.search(&by_words(query)).unwrap()), found(&again));
            }
        }
        collection.verify().unwrap();
    }
}

fn shop(texts: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop");
    let rows = texts.iter().enumerate();
    Both::default().index(&path, rows.map(|(row, (key, text))| item(key, row as u64 + 1, text)));
    (directory, path)
}

const CLOTHES: [(&str, &str); 6] = [
    ("a", "navy blue casual shoes"),
    ("b", "red skirt"),
    ("c", "blue shirt"),
    ("d", "leather shoelaces"),
    ("e", "turquoise earrings"),
    ("f", "shoe, blue"),
];

fn keys(collection: &Collection, query: Query) -> Vec<String> {
    let hits = collection.search(&query.top(100)).unwrap().hits;
    hits.into_iter().map(|hit| hit.item.key).collect()
}

#[test]
fn slips_are_forgiven_where_no_item_has_the_word() {
    let (_directory, path) = shop(&CLOTHES);
    let collection = Collection::open(&path).unwrap();
    let exact = |words: &str| keys(&collection, by_words(words));
    let forgiving = |words: &str| keys(&collection, by_words(words).forgive_typos(true));
    for (written, meant) in [
        ("nvay", vec!["a"]),   // two letters swapped
        ("shirrt", vec!["c"]), // one too many
        ("lether", vec!["d"]), // one missing
        ("turqoise", vec!["e"]),
        ("turkwoise", vec!["e"]),      // two slips in a long word
        ("shirt", vec!["c"]),          // right as it is: no skirts
        ("rde", vec![]),               // too short to tell
        ("bleu", vec!["c", "f", "a"]), // stands for blue, scored as blue is
    ] {
        assert_eq!(forgiving(written), meant, "{written}");
        let known = written == "shirt";
        assert_eq!(exact(written).is_empty(), !known || meant.is_empty(), "{written}");
    }
    // What is only like the word counts for as much as is like it: 3 letters of 4 at one slip.
    let score =
        |query: Query| collection.search(&query).unwrap().hits[0].receipt.parts[0].bm25.unwrap();
    let (slip, right) = (score(by_words("nvay").forgive_typos(true)), score(by_words("navy")));
    assert!((slip.score / right.score - 0.75).abs() < 1e-6);
}

#[test]
fn the_last_word_may_be_unfinished() {
    let (_directory, path) = shop(&CLOTHES);
    let collection = Collection::open(&path).unwrap();
    let typing = |words: &str| keys(&collection, by_words(words).as_you_type(true));
    let mut begun = typing("sho");
    begun.sort();
    assert_eq!(begun, ["a", "d", "f"]);
    // The word itself comes before what it begins: in d it is a longer one.
    assert_eq!(typing("shoe").last().unwrap(), "d");
    assert_eq!(typing("shoe")[0], "f");
    assert!(typing("sho blue").iter().all(|key| ["a", "c", "f"].contains(&key.as_str())));
    let both = by_words("shoels").as_you_type(true).forgive_typos(true);
    // One letter too many in shoes, or one wrong in what begins shoelaces: more of the first is right.
    assert_eq!(keys(&collection, both), ["a", "d"]);
    let slipped = by_words("earin").as_you_type(true).forgive_typos(true);
    assert_eq!(keys(&collection, slipped), ["e"]);
}

#[test]
fn accents_and_case_make_no_difference() {
    let (_directory, path) = shop(&[("a", "Crème BRÛLÉE"), ("b", "creme")]);
    let collection = Collection::open(&path).unwrap();
    assert_eq!(keys(&collection, by_words("creme brulee")), ["a", "b"]);
    assert_eq!(keys(&collection, by_words("CRÈME")), ["b", "a"]);
}

#[test]
fn words_are_fused_with_vectors_in_any_way() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop");
    let rows: Vec<Item> = (0..24)
        .map(|n| {
            let text = ["red shirt", "blue shirt", "red mug"][n % 3].to_owned() + &format!(" {n}");
            let colour = [[200, 20, 20], [20, 20, 200]][n % 2];
            pictured(&format!("k{n}"), n as u64 + 1, &text, colour, directory.path())
        })
        .collect();
    let both = Both::default();
    both.index(&path, rows.clone());
    let collection = both.open(&path);
    let query: Query = "item:k0 + 2:words:\"red shirt\" - words:mug".parse().unwrap();
    let hits = collection.search(&query.clone().top(100)).unwrap().hits;
    assert_eq!(hits.len(), 23);
    let texts = rows.iter().map(|row| (row.key.clone(), row.text.clone())).collect();
    let (shirts, most_shirts) = bm25(&texts, "red shirt");
    let (mugs, most_mugs) = bm25(&texts, "mug");
    for hit in &hits {
        let parts = &hit.receipt.parts;
        assert_eq!(parts.iter().map(|part| part.share).sum::<f32>(), hit.score);
        let weights: Vec<f32> = parts.iter().map(|part| part.weight).collect();
        assert_eq!(weights, [0.2, 0.2, 0.4, -0.2]);
        let value = |scores: &BTreeMap<String, f64>, most: f64| {
            scores.get(&hit.item.key).copied().unwrap_or_default() / most
        };
        let expected = 0.2 * f64::from(parts[0].cosine.unwrap() + parts[1].cosine.unwrap())
            + 0.4 * value(&shirts, most_shirts)
            - 0.2 * value(&mugs, most_mugs);
        assert!((f64::from(hit.score) - expected).abs() < 1e-5);
    }
    // Under a weight of 0 words are not looked at; by ranks they count like anything else.
    let without = query.clone().weight(Aspect::Words, 0.0);
    assert_eq!(collection.search(&without).unwrap().hits[0].receipt.parts.len(), 2);
    let ranked = collection.search(&query.fusion(Fusion::rrf(60)).top(100)).unwrap().hits;
    let words = &ranked[0].receipt.parts[2];
    assert_eq!(words.share, 0.4 / (60.0 + words.rank.unwrap() as f32));
}

#[test]
fn readers_keep_their_words_while_others_come() {
    let (_directory, path) = shop(&CLOTHES);
    let before = Collection::open(&path).unwrap();
    let files = |root: &Path| {
        let entries = fs::read_dir(root.join("words")).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<HashSet<_>>()
    };
    let old_files = files(&path);
    // Every text becomes another one: nothing of the old segments is named any more.
    let changed =
        CLOTHES.iter().enumerate().map(|(row, (key, _))| item(key, row as u64 + 1, "green hat"));
    Both::default().index(&path, changed);
    assert_eq!(keys(&before, by_words("blue")), ["c", "f", "a"]);
    assert!(keys(&before, by_words("green")).is_empty());
    before.verify().unwrap();
    let after = Collection::open(&path).unwrap();
    assert_eq!(keys(&after, by_words("green")).len(), CLOTHES.len());
    assert!(keys(&after, by_words("blue")).is_empty());
    assert!(files(&path).is_disjoint(&old_files), "what nobody names is swept");
}

#[test]
fn only_what_changed_is_written() {
    let rows = |changed: usize| {
        (0..400).map(move |n| {
            let text = if n < changed { format!("another text {n}") } else { format!("text {n}") };
            item(&format!("k{n}"), n as u64 + 1, &text)
        })
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop");
    let index = |changed| {
        let indexer = Indexer::new(&path).text_encoder("words", Both::default().words);
        indexer.run(entries(rows(changed))).unwrap()
    };
    index(0);
    let first = Collection::open(&path).unwrap().manifest().words.clone().unwrap();
    index(3);
    let second = Collection::open(&path).unwrap().manifest().words.clone().unwrap();
    let kept = first.files.iter().filter(|file| second.files.contains(file)).count();
    assert!(kept >= first.files.len() - 1, "the old segment stays, but for its list of who left");
    assert_eq!((second.items, second.words), (400, 803));
    Collection::open(&path).unwrap().verify().unwrap();
    // Nothing at all has changed: nothing at all is written.
    assert!(!index(3).published);
    assert_eq!(Collection::open(&path).unwrap().manifest().words.clone().unwrap(), second);
}

/// A collection as it was before there was an index of words.
fn made_before(path: &Path) -> PathBuf {
    let words = path.join("words");
    fs::remove_dir_all(&words).unwrap();
    words
}

#[test]
fn damaged_words_are_told_and_indexing_again_mends_them() {
    let (_directory, path) = shop(&CLOTHES);
    let manifest = Collection::open(&path).unwrap().manifest().clone();
    let whole = |extension: &str| {
        let files = manifest.words.clone().unwrap().files;
        let name = files.into_iter().find(|name| name.ends_with(extension)).unwrap();
        let path = path.join("words").join(name);
        (path.clone(), fs::read(path).unwrap())
    };
    for extension in [".idx", ".term", ".fieldnorm", ".fast"] {
        let (file, bytes) = whole(extension);
        for (place, length) in
            [(0, bytes.len()), (bytes.len() / 2, bytes.len()), (0, bytes.len() / 2), (0, 0)]
        {
            let mut damaged = bytes[..length].to_vec();
            if let Some(byte) = damaged.get_mut(place) {
                *byte ^= 0x55;
            }
            // Another file in its place, since the old one may be mapped.
            fs::remove_file(&file).unwrap();
            fs::write(&file, damaged).unwrap();
            // However much of the damage it meets, a search ends; reading everything finds it.
            let opened = Collection::open(&path);
            let told = opened.and_then(|collection| {
                let _ = collection.search(&by_words("blue shoes"));
                collection.verify()
            });
            assert!(matches!(told, Err(collection::Error::Words { .. })), "{extension}: {told:?}");
        }
        fs::remove_file(&file).unwrap();
        fs::write(&file, &bytes).unwrap();
    }
    made_before(&path);
    assert!(matches!(Collection::open(&path), Err(collection::Error::Words { .. })));
    let rows = CLOTHES.iter().enumerate();
    let report = Both::default().index(&path, rows.map(|(row, (k, t))| item(k, row as u64 + 1, t)));
    assert!(report.published);
    assert_eq!((report.progress.texts_embedded, report.updated), (0, 0));
    let collection = Collection::open(&path).unwrap();
    assert_eq!(keys(&collection, by_words("blue")), ["c", "f", "a"]);
    collection.verify().unwrap();
}

#[test]
fn a_query_without_words_is_refused_and_one_of_unknown_words_finds_nothing() {
    let (_directory, path) = shop(&CLOTHES);
    let collection = Both::default().open(&path);
    assert!(matches!(collection.search(&by_words("  ")), Err(Error::EmptyText)));
    assert!(keys(&collection, by_words("xylophone")).is_empty());
    assert!(keys(&collection, by_words("--")).is_empty());
    // Beside something else, words that nobody has neither help nor hurt.
    let query = Query::new().text("blue shirt").words("xylophone").weight(Modality::Text, 1.0);
    let hits = collection.search(&query).unwrap().hits;
    assert_eq!(hits.len(), CLOTHES.len());
    assert!(hits.iter().all(|hit| hit.receipt.parts[1].bm25.is_none()));
}

const TARGET: &str = "LOOKALIKE_TEST_WORDS_TARGET";

fn many(count: u64, noun: &str) -> impl Iterator<Item = Item> {
    (0..count)
        .map(move |n| item(&format!("key {n}"), n + 1, &format!("{noun} number {n} of {}", n % 17)))
}

#[test]
fn the_child_rewords_the_collection() {
    // Does nothing unless the other test asked for it.
    if let Some(path) = std::env::var_os(TARGET) {
        Both::default().index(&PathBuf::from(path), many(2000, "mug"));
    }
}

#[test]
fn a_killed_run_leaves_the_words_as_they_were() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop");
    Both::default().index(&path, many(10, "shirt"));
    let mut interrupted = 0;
    for round in 0..12u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_child_rewords_the_collection"])
            .env(TARGET, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(20 + 12 * round));
        child.kill().unwrap();
        interrupted += u32::from(!child.wait().unwrap().success());

        let collection = Collection::open(&path).unwrap();
        collection.verify().unwrap();
        let (shirts, mugs) =
            (keys(&collection, by_words("shirt")), keys(&collection, by_words("mug")));
        match collection.len() {
            10 => assert_eq!((shirts.len(), mugs.len()), (10, 0)),
            _ => assert_eq!((shirts.len(), mugs.len()), (0, 100)),
        }
    }
    assert!(interrupted > 0, "no round was interrupted: the test tests nothing");
    Both::default().index(&path, many(2000, "mug"));
    let collection = Collection::open(&path).unwrap();
    let named: HashSet<String> =
        collection.manifest().words.clone().unwrap().files.into_iter().collect();
    let left = fs::read_dir(path.join("words")).unwrap();
    let left: HashSet<String> =
        left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(left, named, "the files of killed runs are gone");
}
