//! `lookalike tune` on a collection that is large enough for a graph: what it says is held against the answers that
//! `search` gives with and without `--exact`.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const ITEMS: usize = 20_000;

fn run(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lookalike"));
    command.current_dir(dir).args(args).args(["--threads", "2"]).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// So many items with vectors of 24 numbers around a few centres, taken in as `shop`.
fn shop(dir: &Path, items: usize) {
    let mut state = 11u64;
    let mut number = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let centres: Vec<f32> = (0..24 * 40).map(|_| number()).collect();
    let mut catalogue = String::new();
    for item in 0..items {
        let centre = &centres[item % 40 * 24..][..24];
        let vector: Vec<f32> = centre.iter().map(|x| x + 0.6 * number()).collect();
        writeln!(catalogue, "{{\"id\": \"K{item}\", \"title\": \"t\", \"vector\": {vector:?}}}")
            .unwrap();
    }
    fs::write(dir.join("shop.jsonl"), catalogue).unwrap();
    let taken = run(dir, &["import", "shop.jsonl", "shop", "--by", "image", "--encoder", "drawn"]);
    assert_eq!(taken.status.code(), Some(0), "{taken:?}");
}

/// The keys of the ten items most like another.
fn like(dir: &Path, item: &str, how: &[&str]) -> Vec<Value> {
    let args = [&["search", "shop", "--item", item, "-k", "10", "--json"], how].concat();
    lines(&run(dir, &args)).into_iter().map(|hit| hit["key"].clone()).collect()
}

#[test]
fn the_ef_that_it_names_reaches_the_recall() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    shop(dir, ITEMS);
    let tuned = run(dir, &["tune", "shop", "--recall", "0.97", "--queries", "300", "--json"]);
    assert_eq!(tuned.status.code(), Some(0), "{tuned:?}");
    let said = lines(&tuned);
    let [said] = &said[..] else { panic!("{said:?}") };
    assert_eq!((&said["modality"], &said["vectors"]), (&"image".into(), &ITEMS.into()));
    let curve = said["curve"].as_array().unwrap();
    let recalls: Vec<f64> = curve.iter().map(|point| point["recall"].as_f64().unwrap()).collect();
    assert!(
        recalls.len() > 1 && recalls.windows(2).all(|two| two[0] <= two[1] + 0.01),
        "{recalls:?}"
    );
    let least = curve.iter().find(|point| point["recall"].as_f64().unwrap() >= 0.97).unwrap();
    assert_eq!(said["ef"], least["ef"]);
    assert!(said["search_uses"][0].as_u64().unwrap() >= 12);
    // The same items are asked after, one by one.
    let ef = said["ef"].to_string();
    let (mut found, mut all) = (0, 0);
    for item in (0..ITEMS).step_by(ITEMS / 30) {
        let item = format!("K{item}");
        let truth = like(dir, &item, &["--exact"]);
        let walked = like(dir, &item, &["--ef", &ef]);
        found += truth.iter().filter(|key| walked.contains(key)).count();
        all += truth.len();
    }
    assert!(all >= 300, "{all}");
    assert!(found as f64 > 0.93 * all as f64, "{found} of {all}");

    let said = run(dir, &["tune", "shop", "-k", "1"]);
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(
        text.contains("a recall of 0.99 takes --ef") && text.contains("search --recall"),
        "{text}"
    );
}

#[test]
fn a_small_collection_has_nothing_to_tune() {
    let dir = tempfile::tempdir().unwrap();
    shop(dir.path(), 50);
    let said = run(dir.path(), &["tune", "shop"]);
    assert_eq!(said.status.code(), Some(1));
    assert!(String::from_utf8(said.stderr).unwrap().contains("every answer is exact"));
    assert_eq!(run(dir.path(), &["tune", "shop", "--recall", "1.5"]).status.code(), Some(2));
}
