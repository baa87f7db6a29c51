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

#[test]
fn a_killed_run_loses_nothing_and_shows_nothing_half() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    index(&path, BEFORE);
    let mut interrupted = 0;
    for round in 0..12u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_child_fills_the_collection"])
            .env(TARGET, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(5 + 7 * round));
        child.kill().unwrap();
        interrupted += u32::from(!child.wait().unwrap().success());

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
