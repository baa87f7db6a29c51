//! Vectors go out and come in: held to what NumPy and PyArrow write, and to the answers of the collection that
//! was exported.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lookalike::catalogue::CatalogueOptions;
use lookalike::collection::Error as CollectionError;
use lookalike::exchange::{Error, VectorFormat, Vectors, import_export};
use lookalike::{
    Collection, Duplicates, Filter, Indexer, Item, Modality, Query, Rejection, Report, Similar,
};
use proptest::prelude::*;
use support::{Both, entries, item, pictured};

const COLOURS: [[u8; 3]; 4] = [[200, 20, 20], [20, 200, 20], [20, 20, 200], [100, 100, 100]];
const NOUNS: [&str; 5] = ["shirt", "mug", "lamp", "hat", "red lamp"];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden/exchange").join(name)
}

fn npy(file: impl Into<PathBuf>, items: impl Into<PathBuf>) -> Vectors {
    Vectors::npy(file, items, Modality::Image, "elsewhere")
}

fn column_of(items: impl Into<PathBuf>) -> Vectors {
    Vectors::column_of(items, Modality::Image, "elsewhere")
}

fn ledger(collection: &Collection) -> Vec<Rejection> {
    collection.ledger().unwrap().map(Result::unwrap).collect()
}

#[test]
fn what_numpy_and_arrow_wrote_comes_in_and_goes_out_as_numpy_writes_it() {
    let items = golden("items.csv");
    let sources = [
        npy(golden("f2.npy"), &items),
        npy(golden("f4.npy"), &items),
        npy(golden("f8-big.npy"), &items),
        column_of(golden("items.parquet")),
        column_of(golden("items.jsonl")).column("vector"),
    ];
    let neighbours = fs::read(golden("neighbours.json")).unwrap();
    let neighbours: Vec<Vec<(String, f64)>> = serde_json::from_slice(&neighbours).unwrap();
    for source in sources {
        let dir = tempfile::tempdir().unwrap();
        let (path, folder) = (dir.path().join("shop"), dir.path().join("export"));
        let report = source.clone().import(Indexer::new(&path)).unwrap();
        assert_eq!((report.items, report.added, report.progress.rejected), (12, 12, 0));
        let collection = Collection::open(&path).unwrap();
        collection.verify().unwrap();
        collection.export(&folder, VectorFormat::Npy).unwrap();
        for (written, expected) in [("image", "exported"), ("image-ids", "exported-ids")] {
            let written = fs::read(folder.join(written).with_extension("npy")).unwrap();
            let expected = fs::read(golden(expected).with_extension("npy")).unwrap();
            assert_eq!(written, expected, "{source:?}");
        }
        for (n, expected) in neighbours.iter().enumerate() {
            let hits = collection.search(&Query::new().item(format!("k{n}")).top(11)).unwrap().hits;
            let found: Vec<&str> = hits.iter().map(|hit| hit.item.key.as_str()).collect();
            assert_eq!(found, expected.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>());
            for (hit, (_, cosine)) in hits.iter().zip(expected) {
                assert!((f64::from(hit.score) - cosine).abs() < 1e-3, "{} {cosine}", hit.score);
            }
        }
        assert!(!source.import(Indexer::new(&path)).unwrap().published);
    }
}

/// A shop in which some lack a picture, some a text, and some are the same.
fn shop(directory: &Path, kinds: &[(usize, usize)]) -> Vec<Item> {
    let items = kinds.iter().enumerate().map(|(n, &(noun, colour))| {
        let (key, row) = (format!("k{n}"), n as u64 + 1);
        let text = NOUNS.get(noun).map_or(String::new(), |noun| format!("{noun} {}", n % 3));
        let mut item = match COLOURS.get(colour) {
            Some(&colour) => pictured(&key, row, &text, colour, directory),
            None if text.is_empty() => item(&key, row, "nothing else"),
            None => item(&key, row, &text),
        };
        item.fields.insert("size".into(), format!("{}", n % 5).into());
        item
    });
    items.collect()
}

/// Everything that a collection answers, with scores to the bit.
fn answers(collection: &Collection, keys: &[String]) -> Vec<Vec<(String, u32)>> {
    let named = |id: u32| collection.item(id).unwrap().unwrap().key;
    let hits = |query: Query| -> Vec<(String, u32)> {
        let hits = collection.search(&query.top(100)).unwrap().hits;
        hits.into_iter().map(|hit| (hit.item.key, hit.score.to_bits())).collect()
    };
    let filter: Filter = "size >= \"3\"".parse().unwrap();
    let mut answers: Vec<_> = keys.iter().map(|key| hits(Query::new().item(key))).collect();
    answers.push(hits(Query::new().text("red lamp").words("lamp")));
    answers.push(hits(Query::new().text("hat 2").filter(filter)));
    for modality in Modality::ALL.into_iter().filter(|&m| collection.vectors(m).is_some()) {
        let add = |row: lookalike::search::SimilarTo| -> Result<(), lookalike::search::Error> {
            let others = row.others.iter().map(|&(id, score)| (named(id), score.to_bits()));
            answers.push(others.chain([(named(row.id), 0)]).collect());
            Ok(())
        };
        collection.similar(&Similar::by([modality]).top(3), add).unwrap();
        for cluster in collection.duplicates(&Duplicates::by(modality)).unwrap() {
            let members = cluster.members.iter();
            answers.push(members.map(|m| (named(m.id), m.similarity.to_bits())).collect());
        }
    }
    answers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn an_export_taken_in_again_answers_as_the_original(
        kinds in prop::collection::vec((0usize..6, 0usize..5), 6..20),
        parquet in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (path, both) = (dir.path().join("shop"), Both::default());
        let indexer = both.indexer(&path).note("catalogue", "my.csv");
        let indexer = indexer.field("size", Some("text".parse().unwrap()));
        indexer.run(entries(shop(dir.path(), &kinds))).unwrap();
        // So that numbers have a gap, and files dead rows.
        Indexer::new(&path).remove(["k2", "k4"]).unwrap();
        let keys: Vec<String> =
            (0..kinds.len()).filter(|n| ![2, 4].contains(n)).map(|n| format!("k{n}")).collect();
        let original = both.open(&path);
        let format = if parquet { VectorFormat::Parquet } else { VectorFormat::Npy };
        let (folder, copy) = (dir.path().join("export"), dir.path().join("copy"));
        let exported = original.export(&folder, format).unwrap();
        prop_assert_eq!(exported.items, keys.len() as u64);

        let encoded = both.encoded();
        let report = import_export(&folder, Indexer::new(&copy)).unwrap();
        prop_assert_eq!((report.added, report.progress.rejected), (keys.len() as u64, 0));
        let taken = both.open(&copy);
        taken.verify().unwrap();
        prop_assert_eq!(answers(&taken, &keys), answers(&original, &keys));
        prop_assert_eq!(&taken.manifest().notes, &original.manifest().notes);
        prop_assert!(!import_export(&folder, Indexer::new(&copy)).unwrap().published);
        prop_assert_eq!(both.encoded().0, encoded.0);

        // It is a collection like any other: it goes on with its own encoders, and embeds nothing again.
        let encoded = both.encoded();
        let mut items = shop(dir.path(), &kinds);
        items.retain(|item| keys.contains(&item.key));
        both.index(&copy, items);
        prop_assert_eq!(both.encoded(), encoded);
        prop_assert_eq!(answers(&both.open(&copy), &keys), answers(&original, &keys));
    }
}

fn words_alone(both: &Both, path: &Path) -> Indexer<'static> {
    Indexer::new(path).text_encoder("words", both.words.clone())
}

fn text_hits(collection: &Collection, words: &str) -> Vec<(String, bool)> {
    let hits = collection.search(&Query::new().text(words).top(2)).unwrap().hits;
    hits.into_iter().map(|hit| (hit.item.key, hit.score > 0.99)).collect()
}

fn imported(collection: &Collection) -> usize {
    collection.vectors(Modality::Image).map_or(0, |vectors| vectors.len())
}

#[test]
fn vectors_from_elsewhere_stand_beside_those_made_here() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    let items = |words: &'static str| {
        (0..10).map(move |n| item(&format!("k{n}"), n + 1, &format!("{words} number {n}")))
    };
    words_alone(&both, &path).run(entries(items("lamp"))).unwrap();
    let report = npy(golden("f4.npy"), golden("items.csv")).import(Indexer::new(&path)).unwrap();
    assert_eq!((report.items, report.added, report.updated), (12, 2, 10));
    // What was embedded here keeps its text, whatever the other catalogue calls it; k11 is not embedded yet.
    let collection = both.open_texts(&path);
    collection.verify().unwrap();
    assert_eq!(text_hits(&collection, "lamp number 3")[0], ("k3".to_owned(), true));
    assert_eq!(collection.vectors(Modality::Text).unwrap().len(), 10);
    assert_eq!(collection.item(11).unwrap().unwrap().text, "green hat");
    let by_words = collection.search(&Query::new().words("green hat")).unwrap().hits;
    assert_eq!(by_words[0].item.key, "k11");
    assert_eq!(collection.item(3).unwrap().unwrap().fields["price"], "15.50");

    // The next run embeds what came without a vector, and leaves alone what others have made.
    let encoded = both.encoded().1;
    let rows = items("lamp").chain([item("k11", 11, "green hat"), item("new", 12, "green mug")]);
    let report = words_alone(&both, &path).run(entries(rows)).unwrap();
    assert_eq!((report.progress.texts_embedded, both.encoded().1), (2, encoded + 2));
    let collection = both.open_texts(&path);
    collection.verify().unwrap();
    assert_eq!(text_hits(&collection, "green hat")[0], ("k11".to_owned(), true));
    assert_eq!(imported(&collection), 12);
    let asked = collection.search(&Query::new().item("k11").weight(Modality::Text, 0.0)).unwrap();
    assert_eq!(asked.hits.len(), 10);

    // Fields change without any encoder where nothing else does.
    let fields = dir.path().join("vectors");
    let elsewhere = Vectors::npy(golden("f4.npy"), golden("items.csv"), Modality::Text, "sbert");
    elsewhere.import(Indexer::new(&fields)).unwrap();
    let priced = items("hat").map(|mut item| {
        item.fields.insert("price".into(), "9.00".into());
        item
    });
    let report = Indexer::new(&fields).run(entries(priced)).unwrap();
    assert_eq!((report.items, report.updated), (12, 10));
    let collection = Collection::open(&fields).unwrap();
    collection.verify().unwrap();
    assert_eq!(collection.vectors(Modality::Text).unwrap().len(), 12);
    assert_eq!(collection.item(3).unwrap().unwrap().fields["price"], "9.00");
    let refused = collection.search(&Query::new().text("hat")).unwrap_err().to_string();
    assert!(refused.contains("were made elsewhere, by sbert (8-d, "), "{refused}");
    // Another encoder's are kept apart, or take their place.
    let error = words_alone(&both, &fields).run(entries(items("hat"))).unwrap_err();
    assert!(error.to_string().contains("index with `--text-model none`"), "{error}");
    words_alone(&both, &fields).change_encoder(true).run(entries(items("hat"))).unwrap();
    let collection = both.open_texts(&fields);
    collection.verify().unwrap();
    assert_eq!(text_hits(&collection, "hat number 3")[0], ("k3".to_owned(), true));
    assert_eq!(text_hits(&collection, "green hat").len(), 2);
    let error = Vectors::npy(golden("f4.npy"), golden("items.csv"), Modality::Text, "sbert");
    let error = error.import(Indexer::new(&fields)).unwrap_err();
    assert!(matches!(error, Error::Collection(CollectionError::OtherVectors { .. })), "{error}");
    let nothing = Indexer::new(dir.path().join("nothing")).run(entries(items("hat")));
    assert!(matches!(nothing, Err(CollectionError::NoEncoder)));
    assert!(!dir.path().join("nothing").exists());
}

#[test]
fn rows_that_cannot_be_used_are_told_and_cost_nobody_else_anything() {
    let dir = tempfile::tempdir().unwrap();
    let (path, file) = (dir.path().join("shop"), dir.path().join("my.jsonl"));
    let rows = [
        r#"{"id": "late", "title": "a mug"}"#,
        r#"{"id": "a", "features": [3, 4]}"#,
        r#"{"id": "b", "title": "a hat", "features": "[0.0, -2e-30]"}"#,
        r#"{"id": "zero", "features": [0, 0]}"#,
        r#"{"id": "nan", "title": "a lamp", "features": [1, "x"]}"#,
        r#"{"id": "long", "features": [1, 2, 3]}"#,
        r#"{"id": "none"}"#,
        r#"{"id": "a", "features": [1, 0]}"#,
        r#"{"features": [1, 0]}"#,
        "no JSON",
    ];
    fs::write(&file, rows.join("\n")).unwrap();
    let report = column_of(&file).import(Indexer::new(&path)).unwrap();
    assert_eq!((report.items, report.progress.rejected), (4, 7));
    let collection = Collection::open(&path).unwrap();
    collection.verify().unwrap();
    let told: Vec<(u64, bool, String)> =
        ledger(&collection).into_iter().map(|r| (r.row, r.kept, r.reason)).collect();
    let starts = [
        (4, false, "its image vector cannot be used: the vector is zero"),
        (
            5,
            true,
            "its image vector cannot be used: the vector has a component that is not a finite number",
        ),
        (6, false, "its image vector has 3 components, where elsewhere (2-d, "),
        (7, false, "the row has neither a vector nor a text"),
        (8, false, "the key \"a\" stood on row 2 already"),
        (9, false, "no key in \"id\""),
        (10, false, "the line is not JSON"),
    ];
    assert_eq!(told.len(), starts.len());
    for ((row, kept, reason), (at, stays, start)) in told.iter().zip(starts) {
        assert_eq!((*row, *kept), (at, stays), "{reason}");
        assert!(reason.starts_with(start), "{reason}");
    }
    let vectors = collection.vectors(Modality::Image).unwrap();
    assert_eq!(vectors.vectors().map(|(_, v)| v).collect::<Vec<_>>()[1], [0.0, -1.0]);
    let words = collection.search(&Query::new().words("lamp mug")).unwrap().hits;
    assert_eq!(words.len(), 2, "they are found by their words");
}

/// What an import that must fail says, and that it leaves nothing to be seen.
fn refusal(result: Result<Report, Error>, path: &Path) -> String {
    let error = result.expect_err("it was taken in").to_string();
    assert!(!matches!(Collection::published(path), Ok(Some(_))), "{error}");
    error
}

#[test]
fn input_that_makes_no_sense_is_refused_with_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let (path, here) = (dir.path().join("shop"), |name: &str| dir.path().join(name));
    let csv = fs::read_to_string(golden("items.csv")).unwrap();
    let short: Vec<&str> = csv.lines().take(12).collect();
    fs::write(here("short.csv"), short.join("\n")).unwrap();
    fs::write(here("long.csv"), format!("{csv}k12,one more,1\n")).unwrap();
    let sound = fs::read(golden("f4.npy")).unwrap();
    fs::write(here("cut.npy"), &sound[..sound.len() - 3]).unwrap();
    fs::write(here("empty.npy"), "").unwrap();
    let said = |vectors: Vectors| refusal(vectors.import(Indexer::new(&path)), &path);
    let uneven = "each row has to be the vector of the same row of the catalogue";
    for (vectors, told) in [
        (npy(golden("f4.npy"), here("short.csv")), "f4.npy has 12 rows, the catalogue 11: "),
        (npy(golden("f4.npy"), here("long.csv")), "f4.npy has 12 rows, the catalogue more: "),
        (npy(here("cut.npy"), golden("items.csv")), "cut.npy has not the length that its shape of"),
        (npy(here("empty.npy"), golden("items.csv")), "empty.npy is no .npy file"),
        (npy(golden("exported-ids.npy"), golden("items.csv")), "-ids.npy has the shape [12]: save"),
        (npy(golden("columns.npy"), golden("items.csv")), "columns.npy is stored column by column"),
        (npy(here("no.npy"), golden("items.csv")), "no.npy: No such file"),
        (npy(golden("f4.npy"), here("no.csv")), "no.csv"),
        (
            column_of(golden("items.csv")),
            "has no column that is called as vectors usually are: name",
        ),
        (
            column_of(golden("items.jsonl")).column("vec"),
            "has no column \"vec\": name it with --column",
        ),
        (column_of(golden("items.jsonl")).column("title"), "has no list of numbers in the column"),
    ] {
        let said = said(vectors);
        assert!(said.contains(told), "{told}: {said}");
        assert_eq!(said.contains(uneven), told.contains("the catalogue"), "{said}");
    }
    let numbered = CatalogueOptions { key: Some("nobody".into()), ..Default::default() };
    let said = said(npy(golden("f4.npy"), golden("items.csv")).options(numbered));
    assert!(said.contains("nobody"), "{said}");
}

#[test]
fn an_export_that_was_altered_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    both.index(&path, shop(dir.path(), &[(0, 0), (1, 1), (2, 9), (3, 2)]));
    let (folder, copy) = (dir.path().join("export"), dir.path().join("copy"));
    let collection = both.open(&path);
    collection.export(&folder, VectorFormat::Npy).unwrap();
    let again = collection.export(&folder, VectorFormat::Npy);
    assert!(matches!(again, Err(Error::Occupied { .. })));
    let sound: BTreeMap<String, Vec<u8>> = fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|file| {
            (file.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&file).unwrap())
        })
        .collect();
    let text = |name: &str| String::from_utf8(sound[name].clone()).unwrap();
    let replaced = |name: &str, from: &str, to: &str| {
        assert!(text(name).contains(from), "{name}: {}", text(name));
        text(name).replacen(from, to, 1).into_bytes()
    };
    let lines = text("items.jsonl");
    let lines: Vec<&str> = lines.lines().collect();
    let twice = [lines[0], lines[0], lines[1], lines[2]].join("\n").into_bytes();
    let gone = lines[1..].join("\n").into_bytes();
    let cut = lines[..3].join("\n").into_bytes();
    let mut ids = sound["image-ids.npy"].clone();
    let first = ids.len() - 12;
    ids[first] = 1;
    let mut strange = sound["image-ids.npy"].clone();
    strange[first + 8] = 4;
    let manifest = "manifest.json";
    for (name, bytes, told) in [
        (manifest, b"{}".to_vec(), "manifest.json is no manifest of an export"),
        (manifest, replaced(manifest, "\"format\": 1", "\"format\": 2"), "is of a later format"),
        (manifest, replaced(manifest, "image.npy", "../image.npy"), "does not lie beside it"),
        (manifest, replaced(manifest, "\"items\": 4", "\"items\": 5"), "has 4 items, where 5 were"),
        (
            manifest,
            replaced(manifest, "\"vectors\": 3", "\"vectors\": 4"),
            "has 3 vectors, where 4",
        ),
        (
            manifest,
            replaced(manifest, "\"dimension\": 27", "\"dimension\": 26"),
            "3 rows of 27 and not",
        ),
        (
            manifest,
            replaced(manifest, "\"fingerprint\": \"", "\"fingerprint\": \"x"),
            "no fingerprint",
        ),
        ("items.jsonl", gone, "image.npy has a vector of item 0, which was not exported"),
        ("items.jsonl", twice, "has item 0 in line 2, after a later one"),
        ("items.jsonl", cut, "has 3 items, where 4 were exported"),
        ("items.jsonl", replaced("items.jsonl", "{", "["), "is damaged in line 1"),
        ("image-ids.npy", ids, "image.npy has item 1 after a later one"),
        ("image-ids.npy", strange, "image.npy has a vector of item 4, which was not exported"),
        ("image.npy", sound["text.npy"].clone(), "image.npy has 4 rows of 64 and not 3 of 27"),
    ] {
        fs::write(folder.join(name), bytes).unwrap();
        let said = refusal(import_export(&folder, Indexer::new(&copy)), &copy);
        assert!(said.contains(told), "{told}: {said}");
        fs::write(folder.join(name), &sound[name]).unwrap();
    }
    fs::remove_file(folder.join(manifest)).unwrap();
    let said = refusal(import_export(&folder, Indexer::new(&copy)), &copy);
    assert!(said.contains("manifest.json: No such file"), "{said}");
}
