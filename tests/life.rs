//! Runs that change little: what they write, what they leave, and that the answers are those of a
//! collection that was filled at once.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lookalike::catalogue::Item;
use lookalike::collection::{Collection, Error};
use lookalike::{Modality, Query};
use lookalike_index::GraphOptions;
use support::{Both, entries, item};

const NOUNS: [&str; 7] = ["shirt", "mug", "lamp", "hat", "scarf", "boot", "bowl"];
/// More than the smallest segment that is not merged with every change.
const MANY: u64 = 4_500;

fn text(n: u64, version: u64) -> String {
    format!("{} number {n} of kind {} version {version}", NOUNS[n as usize % 7], n % 31)
}

fn items(range: std::ops::Range<u64>, version: u64) -> impl Iterator<Item = Item> {
    range.map(move |n| item(&format!("k{n}"), n + 1, &text(n, version)))
}

/// Every item's score, by key: to the bit.
fn scores(collection: &Collection, words: &str) -> BTreeMap<String, u32> {
    let query = Query::new().text(words).top(usize::MAX).exact();
    let hits = collection.search(&query).unwrap().hits;
    hits.into_iter().map(|hit| (hit.item.key, hit.score.to_bits())).collect()
}

/// Names and times of change of the files of vectors.
fn files(path: &Path) -> BTreeMap<String, std::time::SystemTime> {
    let files = fs::read_dir(path.join("vectors")).unwrap().map(Result::unwrap);
    files
        .map(|file| {
            let changed = file.metadata().unwrap().modified().unwrap();
            (file.file_name().into_string().unwrap(), changed)
        })
        .collect()
}

/// Rows alive and dead in each segment of the texts.
fn segments(collection: &Collection) -> Vec<(usize, usize)> {
    let parts = collection.vectors(Modality::Text).unwrap().parts();
    parts.iter().map(|part| (part.len(), part.dead())).collect()
}

#[test]
fn a_small_change_writes_a_small_file() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    both.index(&path, items(0..MANY, 1));
    let before = files(&path);
    let changed = items(10..15, 2).chain(items(MANY..MANY + 2, 1));
    let report = both.index(&path, changed);
    assert_eq!((report.added, report.updated, report.items), (2, 5, MANY + 2));
    let collection = both.open(&path);
    assert_eq!(segments(&collection), [(MANY as usize - 5, 5), (7, 0)]);
    assert!(before.iter().all(|(name, time)| files(&path).get(name) == Some(time)));
    let written = fs::metadata(path.join("vectors/2-text.seg")).unwrap().len();
    assert!(written < 2_000, "{written} bytes for seven vectors");
    collection.verify().unwrap();

    // The next small change takes the small file with it, and leaves the large one alone.
    both.index(&path, items(12..20, 3));
    assert_eq!(segments(&both.open(&path)), [(MANY as usize - 10, 10), (12, 0)]);
    assert_eq!(files(&path).into_keys().collect::<Vec<_>>(), ["1-text.seg", "3-text.seg"]);
    // A change of most of it makes one file of all.
    both.index(&path, items(0..MANY, 4));
    assert_eq!(segments(&both.open(&path)), [(MANY as usize + 2, 0)]);
    both.open(&path).verify().unwrap();
}

#[test]
fn answers_are_those_of_a_collection_filled_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    let graph = || GraphOptions::default().from_rows(2_000);
    let index = |path: &Path, some: Vec<Item>| {
        both.indexer(path).graph(graph()).run(entries(some)).unwrap()
    };
    // What the catalogue should hold, by number: the version of each.
    let mut now: BTreeMap<u64, u64> = (0..MANY).map(|n| (n, 1)).collect();
    index(&path, items(0..MANY, 1).collect());
    let mut state = 5u64;
    let mut draw = move |below: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % below
    };
    let mut most = 0;
    for round in 2..12 {
        let some: Vec<u64> = (0..draw(500)).map(|_| draw(MANY + 1_000)).collect();
        if round % 3 == 0 {
            let keys: Vec<String> = some.iter().map(|n| format!("k{n}")).collect();
            let removal = both.indexer(&path).graph(graph()).remove(&keys).unwrap();
            let gone = some.iter().filter(|n| now.remove(n).is_some()).count();
            assert_eq!(removal.report.removed, gone as u64);
        } else {
            now.extend(some.iter().map(|&n| (n, round)));
            let mut some: Vec<Item> =
                some.iter().map(|&n| item(&format!("k{n}"), n + 1, &text(n, round))).collect();
            some.sort_by_key(|item| item.row);
            some.dedup_by_key(|item| item.row);
            index(&path, some);
        }
        most = most.max(segments(&both.open(&path)).len());
    }
    assert!(most > 1, "every run merged everything: the test tests little");
    let grown = both.open(&path);
    grown.verify().unwrap();
    let fresh = dir.path().join("fresh");
    let all = now.iter().map(|(&n, &v)| item(&format!("k{n}"), n + 1, &text(n, v))).collect();
    index(&fresh, all);
    let fresh = both.open(&fresh);
    assert_eq!(grown.len(), now.len() as u64);
    for words in ["lamp of kind 3", "number 77", "version 8 scarf", "nothing like it"] {
        assert_eq!(scores(&grown, words), scores(&fresh, words), "{words}");
        let query = Query::new().text(words).top(10);
        let hits = grown.search(&query).unwrap();
        let best = grown.search(&query.exact()).unwrap();
        let sum = |hits: &lookalike::Hits| hits.hits.iter().map(|hit| hit.score).sum::<f32>();
        assert!(sum(&hits) > 0.98 * sum(&best) && hits.hits.len() == 10, "{words}");
    }
    // And once more when all is put together.
    let before = both.encoded();
    let compaction = both.indexer(&path).graph(graph()).compact().unwrap();
    assert_eq!((compaction.segments, both.encoded()), (1, before));
    let compact = both.open(&path);
    compact.verify().unwrap();
    assert_eq!(scores(&compact, "lamp of kind 3"), scores(&fresh, "lamp of kind 3"));
}

#[test]
fn a_price_is_changed_without_a_vector() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    both.index(&path, items(0..50, 1));
    let (before, encoded) = (files(&path), both.encoded());
    let priced = items(0..50, 1).map(|mut item| {
        item.fields.insert("price".into(), (item.row as f64 * 1.5).into());
        item
    });
    let report = both.index(&path, priced);
    assert_eq!((report.updated, report.published), (50, true));
    assert_eq!((files(&path), both.encoded()), (before, encoded));
    let hits = both.open(&path).search(&Query::new().item("k3").top(1)).unwrap().hits;
    assert!(hits[0].item.fields.contains_key("price"));
}

#[test]
fn single_items_are_removed_by_key() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    both.index(&path, items(0..50, 1).chain([item("k1", 51, "twice")]));
    let before = files(&path);
    // No encoder is needed for it.
    let removal = lookalike::Indexer::new(&path).remove(["k3", "nobody", "k4", "k3"]).unwrap();
    assert_eq!((removal.report.removed, removal.report.items), (2, 48));
    assert_eq!(removal.unknown, ["nobody"]);
    assert_eq!(files(&path), before, "nothing was written but that they are dead");
    let collection = both.open(&path);
    collection.verify().unwrap();
    assert_eq!(segments(&collection), [(48, 2)]);
    let found = scores(&collection, "lamp");
    assert!(!found.contains_key("k3") && found.len() == 48);
    assert!(collection.search(&Query::new().item("k3")).is_err());
    assert_eq!(collection.ledger().unwrap().count(), 1, "the ledger of the last index stands");

    let again = lookalike::Indexer::new(&path).remove(["k3"]).unwrap();
    assert_eq!((again.report.published, again.unknown), (false, vec!["k3".to_owned()]));
    // Back again, and then gone with all others.
    both.index(&path, items(3..4, 1));
    assert!(scores(&both.open(&path), "lamp").contains_key("k3"));
    let all: Vec<String> = (0..50).map(|n| format!("k{n}")).collect();
    let removal = lookalike::Indexer::new(&path).remove(&all).unwrap();
    assert_eq!((removal.report.items, removal.unknown), (0, vec!["k4".to_owned()]));
    both.open(&path).verify().unwrap();
    assert!(files(&path).is_empty());
    both.index(&path, items(0..3, 1));
    assert_eq!(both.open(&path).len(), 3);
    let nowhere = lookalike::Indexer::new(dir.path().join("nowhere")).remove(["a"]);
    assert!(matches!(nowhere, Err(Error::NotFound { .. })));
}

#[test]
fn compaction_frees_what_nobody_needs() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    both.index(&path, items(0..MANY, 1));
    both.index(&path, items(0..1_000, 2));
    both.indexer(&path).remove((4_000..MANY).map(|n| format!("k{n}"))).unwrap();
    let before = scores(&both.open(&path), "lamp");
    assert_eq!(both.open(&path).verify().unwrap().cached, MANY + 1_000);
    let compaction = lookalike::Indexer::new(&path).compact().unwrap();
    assert_eq!((compaction.segments, compaction.forgotten), (1, 1_500));
    assert!(compaction.bytes < compaction.bytes_before * 9 / 10, "{compaction:?}");
    let collection = both.open(&path);
    let sound = collection.verify().unwrap();
    assert_eq!((sound.cached, sound.vectors), (4_000, 4_000));
    assert_eq!(scores(&collection, "lamp"), before);
    assert_eq!(segments(&collection), [(4_000, 0)]);
    let encoded = both.encoded();
    let report = both.index(&path, items(0..1_000, 2));
    assert!(!report.published, "{report:?}");
    assert_eq!(both.encoded(), encoded, "what is in use is still in the cache");
    let again = lookalike::Indexer::new(&path).compact().unwrap();
    assert_eq!((again.generation, again.forgotten), (compaction.generation, 0));
}

#[test]
fn compaction_mends_what_a_medium_forgot() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    both.index(&path, items(0..50, 1));
    let file = path.join("vectors/1-text.seg");
    let sound = fs::read(&file).unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1 << 30);
    let set_time =
        || fs::File::options().write(true).open(&file).unwrap().set_modified(old).unwrap();
    set_time();
    // This run reads the file and remembers it.
    both.index(&path, items(0..50, 1));
    let mut bytes = sound.clone();
    bytes[700] ^= 1;
    fs::write(&file, &bytes).unwrap();
    set_time();
    assert!(!both.index(&path, items(0..50, 1)).published, "it looks the same from outside");
    let found = both.open(&path).verify().unwrap_err();
    assert!(found.to_string().contains("lookalike compact"), "{found}");
    let encoded = both.encoded();
    lookalike::Indexer::new(&path).compact().unwrap();
    both.open(&path).verify().unwrap();
    assert_eq!(fs::read(path.join("vectors/2-text.seg")).unwrap(), sound);
    assert_eq!(both.encoded(), encoded);
}

#[test]
fn a_collection_of_the_first_version_is_opened_and_grows() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/collection/version-1");
    for folder in ["store", "vectors"] {
        fs::create_dir_all(path.join(folder)).unwrap();
        for file in fs::read_dir(old.join(folder)).unwrap().map(Result::unwrap) {
            fs::copy(file.path(), path.join(folder).join(file.file_name())).unwrap();
        }
    }
    let collection = both.open(&path);
    let sound = collection.verify().unwrap();
    assert_eq!((sound.items, sound.vectors, sound.ledger, sound.cached), (5, 3 + 5, 1, 13));
    assert_eq!(collection.manifest().generation, 2);
    let hits = collection.search(&Query::new().text("blue mug")).unwrap().hits;
    assert_eq!(hits[0].item.key, "k2");
    drop(collection);

    let (pictures, texts) = both.encoded();
    both.indexer(&path).remove(["k3"]).unwrap();
    both.index(&path, [item("new", 1, "blue lamp")]);
    let collection = both.open(&path);
    collection.verify().unwrap();
    assert_eq!((collection.len(), both.encoded()), (5, (pictures, texts + 1)));
    assert!(collection.search(&Query::new().text("blue lamp")).unwrap().hits[0].score > 0.999);
}

#[test]
fn a_snapshot_is_a_collection_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    both.index(&path, items(0..MANY, 1));
    both.index(&path, items(0..20, 2).chain([item("k1", 9_999, "twice")]));
    let copy = dir.path().join("copy");
    // While a run has written rows that it has not published, and goes on.
    let rows = entries(items(0..200, 3)).inspect(|row| {
        if matches!(row, Ok(lookalike::catalogue::Entry::Item(item, _)) if item.row == 150) {
            Collection::snapshot(&path, &copy).unwrap();
        }
    });
    both.indexer(&path).run(rows).unwrap();
    let (taken, original) = (both.open(&copy), both.open(&path));
    let sound = taken.verify().unwrap();
    assert_eq!((taken.manifest().generation, original.manifest().generation), (2, 3));
    assert_eq!((sound.items, sound.vectors, sound.ledger), (MANY, MANY, 1));
    assert_eq!(segments(&taken), [(MANY as usize - 20, 20), (20, 0)]);
    assert_eq!(taken.item(7).unwrap().unwrap().text, text(7, 2));
    assert_eq!(original.item(7).unwrap().unwrap().text, text(7, 3));
    // Each goes its own way, and nothing is embedded again.
    let encoded = both.encoded();
    both.indexer(&path).compact().unwrap();
    both.index(&copy, items(0..200, 3));
    assert_eq!(both.encoded().0, encoded.0);
    let (copied, original) = (both.open(&copy), both.open(&path));
    copied.verify().unwrap();
    assert_eq!(scores(&copied, "lamp 3"), scores(&original, "lamp 3"));
    let refused = Collection::snapshot(&path, &copy);
    assert!(matches!(refused, Err(Error::Exists { .. })));
    let left = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 2, "nothing half is left");
}

#[test]
fn the_old_encoder_answers_until_the_new_one_has_embedded_everything() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("shop"), Both::default());
    old.index(&path, items(0..300, 1));
    let new = Both { words: support::Words::version(1).into(), ..old.clone() };
    let mut asked = 0;
    let rows = entries(items(0..300, 1)).inspect(|_| {
        asked += 1;
        if asked % 100 == 0 {
            let hits = old.open(&path).search(&Query::new().text(text(5, 1)).top(1)).unwrap().hits;
            assert_eq!(hits[0].item.key, "k5");
            let refused = Collection::open(&path).unwrap().with_text_encoder(new.words.clone());
            assert!(matches!(refused, Err(Error::ModelChanged { .. })));
        }
    });
    new.indexer(&path).change_encoder(true).run(rows).unwrap();
    assert_eq!((asked, new.encoded().1), (300, 300));
    let collection = new.open(&path);
    collection.verify().unwrap();
    assert_eq!(segments(&collection), [(300, 0)]);
    // Nobody can go back to what the old one made, and compaction forgets it.
    assert_eq!(collection.verify().unwrap().cached, 600);
    assert_eq!(new.indexer(&path).compact().unwrap().forgotten, 300);
}

#[test]
fn readers_search_throughout_while_a_writer_works() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    both.index(&path, items(0..60, 1));
    let done = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let read = || {
            let mut seen = std::collections::BTreeSet::new();
            while !done.load(Ordering::Relaxed) {
                let collection = both.open(&path);
                // One version of everything: the words, the items and their vectors.
                let first = collection.item(0).unwrap().unwrap().text;
                let version = first.rsplit(' ').next().unwrap().to_owned();
                for n in [3, 59, 20] {
                    let words = text(n, version.parse().unwrap());
                    let hits = collection.search(&Query::new().text(&words).top(100)).unwrap().hits;
                    assert_eq!(hits.len(), 60);
                    assert!(hits[0].score > 0.999, "{words}: {}", hits[0].score);
                    assert!(hits.iter().all(|hit| hit.item.text.ends_with(&version)));
                }
                seen.insert(version);
            }
            seen
        };
        let readers: Vec<_> = (0..3).map(|_| scope.spawn(read)).collect();
        for version in 2..12 {
            both.index(&path, items(0..60, version));
            if version % 4 == 0 {
                both.indexer(&path).compact().unwrap();
            }
        }
        done.store(true, Ordering::Relaxed);
        readers.into_iter().map(|reader| reader.join().unwrap().len()).max().unwrap()
    });
    assert!(seen > 1, "the readers saw one generation: the test tests nothing");
}
