//! An indexer that is killed, again and again, at no particular moment.
//!
//! The test runs itself as a child, which fills a collection, and kills it (on Unix that is SIGKILL: no
//! destructor runs, no buffer is flushed). Whatever the moment, readers must find one generation whole,
//! and the run that is let finish must end with the very bytes of one that was never disturbed.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use lookalike::catalogue::Item;
use support::{Both, item};

const TARGET: &str = "LOOKALIKE_TEST_KILLED_TARGET";
/// As `TARGET`, for the child that changes a collection.
const CHANGED: &str = "LOOKALIKE_TEST_KILLED_CHANGED";
/// Enough for a large file of vectors that a small change leaves alone.
const LARGE: u64 = 4_500;
const BEFORE: u64 = 10;
const AFTER: u64 = 3000;

fn items(count: u64) -> impl Iterator<Item = Item> {
    (0..count).map(|n| item(&format!("key {n}"), n + 1, &format!("thing number {n} of {}", n % 17)))
}

fn index(path: &Path, count: u64) {
    Both::default().index(path, items(count));
}

#[test]
fn the_child_fills_the_collection() {
    // Does nothing unless the other test asked for it.
    if let Some(path) = std::env::var_os(TARGET) {
        index(&PathBuf::from(path), AFTER);
    }
}

/// Runs a child and kills it, the later the higher the round; whether that interrupted it.
fn killed(child: &str, variable: &str, path: &Path, round: u64) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child])
        .env(variable, path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(5 + 7 * round));
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

#[test]
fn a_killed_run_loses_nothing_and_shows_nothing_half() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    index(&path, BEFORE);
    let mut interrupted = 0;
    for round in 0..12 {
        interrupted += u32::from(killed("the_child_fills_the_collection", TARGET, &path, round));
        let collection = Both::default().open(&path);
        assert!([BEFORE, AFTER].contains(&collection.len()), "{} items", collection.len());
        collection.verify().unwrap();
    }
    assert!(interrupted > 0, "no round was interrupted: the test tests nothing");

    index(&path, AFTER);
    let undisturbed = dir.path().join("undisturbed");
    index(&undisturbed, BEFORE);
    index(&undisturbed, AFTER);
    let collection = Both::default().open(&path);
    assert_eq!(collection.len(), AFTER);
    let vectors = |root: &Path| {
        let name = &Both::default().open(root).manifest().segments[0].file.clone();
        fs::read(root.join("vectors").join(name)).unwrap()
    };
    assert_eq!(vectors(&path), vectors(&undisturbed));
    let left = fs::read_dir(path.join("vectors")).unwrap().count();
    assert_eq!(left, 1, "the files of killed runs are gone");
}

/// Some items differ, some are new, some leave.
fn change(path: &Path) {
    let changed = items(300).map(|item| Item { text: format!("{} again", item.text), ..item });
    Both::default().index(path, changed.chain(items(LARGE + 50).skip(LARGE as usize)));
    let gone: Vec<String> = (2_000..2_100).map(|n| format!("key {n}")).collect();
    Both::default().indexer(path).remove(&gone).unwrap();
}

#[test]
fn the_child_changes_the_collection() {
    if let Some(path) = std::env::var_os(CHANGED) {
        change(&PathBuf::from(path));
    }
}

#[test]
fn a_killed_change_is_made_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let (path, undisturbed) = (dir.path().join("shop"), dir.path().join("undisturbed"));
    [&path, &undisturbed].into_iter().for_each(|path| index(path, LARGE));
    let mut interrupted = 0;
    for round in 0..12 {
        interrupted += u32::from(killed("the_child_changes_the_collection", CHANGED, &path, round));
        let collection = Both::default().open(&path);
        let items = collection.len();
        assert!([LARGE, LARGE + 50, LARGE - 50].contains(&items), "{items} items");
        collection.verify().unwrap();
        assert_eq!(collection.vectors(lookalike::Modality::Text).unwrap().len() as u64, items);
    }
    assert!(interrupted > 0, "no round was interrupted: the test tests nothing");
    [&path, &undisturbed].into_iter().for_each(|path| change(path));
    let [one, other] = [&path, &undisturbed].map(|path| Both::default().open(path));
    let vectors = |collection: &lookalike::Collection| -> Vec<_> {
        collection.vectors(lookalike::Modality::Text).unwrap().vectors().collect()
    };
    assert!(vectors(&one) == vectors(&other));
    let left = fs::read_dir(path.join("vectors")).unwrap().count();
    assert_eq!(left, one.manifest().segments.len(), "the files of killed runs are gone");
}
