//! The commands that need no network, on vectors that were made elsewhere: what they print and what they refuse.

#[path = "support/program.rs"]
mod program;

use std::collections::BTreeMap;
use std::fs;

use lookalike::catalogue::{Catalogue, Entry};
use program::{golden, keys, lines, printed, refusal, run, shop};
use serde_json::Value;

/// By key, all others with their cosines, best first: from NumPy.
fn neighbours() -> BTreeMap<String, Vec<(String, f64)>> {
    let file = fs::read(golden("neighbours.json")).unwrap();
    let rows: Vec<Vec<(String, f64)>> = serde_json::from_slice(&file).unwrap();
    rows.into_iter().enumerate().map(|(n, row)| (format!("k{n}"), row)).collect()
}

#[test]
fn options_may_follow_the_query() {
    let dir = shop();
    let args =
        ["search", "shop", "item:k3", "--where", "price < 30 and not price in (5.5)", "-k", "3"];
    let found = lines(&printed(dir.path(), &[&args[..], &["--json"]].concat(), 0));
    let price = |key: &str| 5.0 * key[1..].parse::<f64>().unwrap() + 0.5;
    let expected: Vec<String> = neighbours()["k3"]
        .iter()
        .map(|(key, _)| key.clone())
        .filter(|key| price(key) < 30.0 && price(key) != 5.5)
        .take(3)
        .collect();
    assert_eq!(keys(&found), expected);
    let unlike = ["search", "shop", "item:k3", "-", "item:k4", "--json", "--min-score", "-1"];
    let args = ["search", "shop", "--json", "--min-score", "-1", "--", "- item:k4 + item:k3"];
    let (apart, whole) = (printed(dir.path(), &unlike, 0), printed(dir.path(), &args, 0));
    assert_eq!(keys(&lines(&apart)), keys(&lines(&whole)));
    for (wrong, told) in [
        ("--min-score", "'NaN' for '--min-score <SCORE>': a number, such as 0.5"),
        ("-k", "'NaN' for '--top <N>': invalid digit"),
    ] {
        let said = refusal(dir.path(), &["search", "shop", "item:k3", wrong, "NaN"]);
        assert!(said.contains(told), "{said}");
    }
}

#[test]
fn a_file_of_queries_is_answered_as_each_of_them_would_be() {
    let dir = shop();
    let asked = [
        (r#"{"id": "a", "item": "k3", "top": 2}"#, vec!["--item", "k3", "-k", "2"]),
        (r#"{"query": "item:k3 - 2:item:k7"}"#, vec!["item:k3 - 2:item:k7"]),
        (r#"{"words": ["red", "hat"], "id": [1]}"#, vec!["--words", "red", "--words", "hat"]),
        (r#"{"item": "k1", "where": "price > 20"}"#, vec!["--item", "k1", "--where", "price > 20"]),
        (
            r#"{"item": "k1", "words": "lamp", "words_weight": 3}"#,
            vec!["--item", "k1", "--words", "lamp", "--words-weight", "3"],
        ),
        (r#"{"words": "nothing has it", "where": "price < 1"}"#, vec!["--words", "zzz"]),
    ];
    let file: Vec<&str> = asked.iter().map(|(line, _)| *line).collect();
    fs::write(dir.path().join("asked.jsonl"), file.join("\n\n")).unwrap();
    let all = ["search", "shop", "--queries", "asked.jsonl", "-k", "5"];
    let answers = lines(&printed(dir.path(), &all, 0));
    assert_eq!(answers.len(), asked.len());
    for (answer, (line, options)) in answers.iter().zip(asked) {
        let alone = [&["search", "shop", "-k", "5", "--json"], &options[..]].concat();
        let alone = match options.iter().position(|&option| option == "-k") {
            Some(_) => [&["search", "shop", "--json"], &options[..]].concat(),
            None => alone,
        };
        let alone = lines(&String::from_utf8(run(dir.path(), &alone).stdout).unwrap());
        let hits = answer["hits"].as_array().unwrap();
        assert_eq!(keys(hits), keys(&alone), "{line}");
        let parts = |hits: &[Value]| -> Vec<(Value, Value)> {
            hits.iter().map(|hit| (hit["score"].clone(), hit["receipt"].clone())).collect()
        };
        assert_eq!(parts(hits), parts(&alone), "{line}");
    }
    let ids: Vec<&Value> = answers.iter().map(|answer| &answer["id"]).collect();
    assert_eq!(serde_json::to_string(&ids).unwrap(), r#"["a",3,[1],7,9,11]"#);
}

#[test]
fn a_query_that_cannot_be_answered_holds_up_no_other() {
    let dir = shop();
    let asked: [(&[u8], &str); 9] = [
        (br#"{"item": "k3"}"#, ""),
        (br#"{"item": "k3""#, "the line is no query: EOF while parsing"),
        (br#"{"id": "x", "colour": 1}"#, "the line is no query: unknown field `colour`"),
        (br#"{"item": "nobody"}"#, "there is no item \"nobody\" in shop"),
        (b"lamp", "shop has no text vectors, so it cannot be searched by \"lamp\""),
        (br#""red lamp""#, "shop has no text vectors, so it cannot be searched by \"red lamp\""),
        (
            br#"{"words": "lamp", "where": "prise < 3"}"#,
            "there is no field \"prise\" (did you mean price?)",
        ),
        (b"\xff\xfe", "the line is not valid UTF-8"),
        (br#"{"query": "words:lamp - "}"#, "a sign stands before a term"),
    ];
    let file: Vec<&[u8]> = asked.iter().map(|(line, _)| *line).collect();
    fs::write(dir.path().join("asked.jsonl"), file.join(&b'\n')).unwrap();
    let args = ["search", "shop", "--queries", "asked.jsonl"];
    let answers = lines(&printed(dir.path(), &args, 3));
    assert_eq!(answers.len(), asked.len());
    for (answer, (_, told)) in answers.iter().zip(asked) {
        match told {
            "" => assert_eq!(answer["hits"].as_array().unwrap().len(), 10),
            told => assert!(answer["error"].as_str().unwrap().starts_with(told), "{answer}"),
        }
    }
    assert_eq!(answers[2]["id"], "x");
    fs::write(dir.path().join("none.jsonl"), "\n \n").unwrap();
    assert_eq!(printed(dir.path(), &["search", "shop", "--queries", "none.jsonl"], 1), "");
    let said = refusal(dir.path(), &["search", "shop", "--queries", "nowhere.jsonl"]);
    assert!(said.contains("cannot read the queries in nowhere.jsonl"), "{said}");
    let said = refusal(dir.path(), &["search", "shop", "lamp", "--queries", "none.jsonl"]);
    assert!(said.contains("cannot be used with"), "{said}");
}

#[test]
fn the_table_of_similar_items_is_the_same_in_every_form() {
    let dir = shop();
    let by = ["similar", "shop", "-k", "3", "--quiet"];
    let csv = printed(dir.path(), &by, 0);
    for name in ["table.csv", "table.jsonl", "table.parquet"] {
        assert_eq!(printed(dir.path(), &[&by[..], &["--out", name]].concat(), 0), "");
    }
    assert_eq!(fs::read_to_string(dir.path().join("table.csv")).unwrap(), csv);
    let json = printed(dir.path(), &[&by[..], &["--json"]].concat(), 0);
    assert_eq!(fs::read_to_string(dir.path().join("table.jsonl")).unwrap(), json);

    let mut rows: Vec<(String, String, f64)> = Vec::new();
    for (key, others) in neighbours() {
        rows.extend(others.into_iter().take(3).map(|(other, cosine)| (key.clone(), other, cosine)));
    }
    rows.sort_by_key(|(key, ..)| key[1..].parse::<u32>().unwrap());
    let check = |found: Vec<(String, String, f64)>| {
        assert_eq!(found.len(), rows.len());
        for (found, row) in found.iter().zip(&rows) {
            assert_eq!((&found.0, &found.1), (&row.0, &row.1));
            assert!((found.2 - row.2).abs() < 1e-3, "{found:?} {row:?}");
        }
    };
    let mut read = csv::Reader::from_reader(csv.as_bytes());
    let read: Vec<(String, u32, String, f64)> = read.deserialize().map(Result::unwrap).collect();
    assert!(read.iter().enumerate().all(|(n, row)| row.1 == n as u32 % 3 + 1));
    check(read.into_iter().map(|(key, _, other, score)| (key, other, score)).collect());
    let read = lines(&json).into_iter().flat_map(|line| {
        let others = line["similar"].as_array().unwrap().clone().into_iter();
        others.map(move |other| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&line["key"]), text(&other["key"]), other["score"].as_f64().unwrap())
        })
    });
    check(read.collect());
    let options = lookalike::catalogue::CatalogueOptions {
        key: Some("key".into()),
        bare: true,
        ..Default::default()
    };
    let read = Catalogue::open(dir.path().join("table.parquet"), &options).unwrap().map(|entry| {
        let Entry::Item(item, None) = entry.unwrap() else { panic!("it is no table") };
        let other = item.fields["similar"].as_str().unwrap().to_owned();
        (item.key, other, item.fields["score"].as_f64().unwrap())
    });
    check(read.collect());
    let said = refusal(dir.path(), &["similar", "shop", "--out", "table.txt"]);
    assert!(said.contains("must end with .csv, .jsonl or .parquet"), "{said}");
    let said = refusal(dir.path(), &["similar", "shop", "--by", "text"]);
    assert!(said.contains("has no text vectors"), "{said}");
}

#[test]
fn duplicates_are_listed_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    let rows = [
        r#"{"id": "a", "title": "A <b>lamp</b>, dark", "vector": [1, 0, 0]}"#,
        r#"{"id": "b", "title": "a hat", "vector": [0, 1, 0]}"#,
        r#"{"id": "c", "title": "a lamp", "vector": [2, 0, 0]}"#,
        r#"{"id": "d", "title": "a lamp, darker", "vector": [1, 0, 0.1]}"#,
    ];
    fs::write(dir.path().join("my.jsonl"), rows.join("\n")).unwrap();
    let args = ["import", "my.jsonl", "shop", "--by", "image", "--encoder", "drawn"];
    printed(dir.path(), &args, 0);
    let csv = printed(dir.path(), &["duplicates", "shop", "--html", "sheet.html"], 0);
    // The last cosine is 1 / sqrt(1.01) = 0.99504, and 0.99512 in half precision.
    let expected = "cluster,by,place,key,similarity,same,title\n\
                    1,image,1,a,1.0000,true,\"A <b>lamp</b>, dark\"\n\
                    1,image,2,c,1.0000,true,a lamp\n\
                    1,image,3,d,0.9951,false,\"a lamp, darker\"\n";
    assert_eq!(csv, expected);
    let sheet = fs::read_to_string(dir.path().join("sheet.html")).unwrap();
    assert_eq!(sheet.matches("<figure>").count(), 3);
    assert!(sheet.contains("A &lt;b&gt;lamp&lt;/b&gt;, dark") && !sheet.contains("<b>lamp"));
    let json = lines(&printed(dir.path(), &["duplicates", "shop", "--json"], 0));
    assert_eq!(keys(json[0]["items"].as_array().unwrap()), ["a", "c", "d"]);
    let nearer = ["duplicates", "shop", "--threshold", "0.999", "--quiet"];
    assert_eq!(printed(dir.path(), &nearer, 0).lines().count(), 3);
    printed(dir.path(), &["remove", "shop", "c"], 0);
    assert_eq!(printed(dir.path(), &nearer, 1).lines().count(), 1);
}

#[test]
fn what_is_exported_is_imported_and_asked_the_same() {
    let dir = shop();
    let ask = |shop: &str| {
        let args = ["search", shop, "--item", "k5", "--words", "blue", "--json", "--exact"];
        let hits = lines(&printed(dir.path(), &args, 0)).into_iter();
        hits.map(|hit| (hit["key"].clone(), hit["receipt"].clone())).collect::<Vec<_>>()
    };
    for format in ["npy", "parquet"] {
        printed(dir.path(), &["export", "shop", format, "--format", format], 0);
        let said = printed(dir.path(), &["import", format, &format!("{format}-copy")], 0);
        assert_eq!(said, format!("{format}-copy: 12 items (12 new, 0 changed)\n"));
        assert_eq!(ask(&format!("{format}-copy")), ask("shop"));
    }
    let said = printed(dir.path(), &["import", "npy", "npy-copy"], 0);
    assert_eq!(said, "npy-copy: 12 items, nothing has changed\n");
    let (vectors, items) = (golden("f4.npy"), golden("items.csv"));
    let import = ["import", &vectors, "other"];
    for (more, told) in [
        (&[][..], "say what the vectors stand for: --by image or --by text"),
        (&["--by", "image"], "name what made the vectors: --encoder NAME"),
        (&["--by", "image", "--encoder", "x"], "name the catalogue whose rows these are: --items"),
        (&["--by", "image", "--encoder", "x", "--items", &items, "--key", "no"], "no"),
    ] {
        let said = refusal(dir.path(), &[&import[..], more].concat());
        assert!(said.contains(told), "{told}: {said}");
    }
    assert!(!dir.path().join("other").exists());
    let text = ["search", "shop", "--text", "lamp"];
    assert!(refusal(dir.path(), &text).contains("has no text vectors"));
    let picture = golden("f4.npy");
    let said = refusal(dir.path(), &["search", "shop", "--image", &picture]);
    assert!(said.starts_with("lookalike: "), "{said}");
}

#[test]
fn a_collection_that_lost_everything_answers_with_nothing() {
    let dir = shop();
    let keys: Vec<String> = (0..12).map(|n| format!("k{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    printed(dir.path(), &[&["remove", "shop"], &keys[..]].concat(), 0);
    assert_eq!(printed(dir.path(), &["similar", "shop"], 1), "key,rank,similar,score\n");
    assert_eq!(printed(dir.path(), &["duplicates", "shop"], 1).lines().count(), 1);
    printed(dir.path(), &["search", "shop", "--words", "lamp"], 1);
    printed(dir.path(), &["verify", "shop"], 0);
    let said = refusal(dir.path(), &["search", "shop", "--where", "price < 3"]);
    assert!(said.contains("there is no field \"price\"; there are: none"), "{said}");
    let said = refusal(dir.path(), &["search", "shop", "--item", "k3"]);
    assert!(said.contains("there is no item \"k3\""), "{said}");
}
