//! The built program, run as people run it, on a small shop whose vectors were made elsewhere.

#![allow(dead_code)] // Each test file uses its own part of this.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

pub fn golden(name: &str) -> String {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden/exchange");
    folder.join(name).to_str().unwrap().to_owned()
}

pub fn run(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lookalike"));
    command.current_dir(dir).args(args).output().unwrap()
}

/// What a command prints that ends with this status.
pub fn printed(dir: &Path, args: &[&str], status: i32) -> String {
    let output = run(dir, args);
    assert_eq!(output.status.code(), Some(status), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command says that must fail; it prints nothing.
pub fn refusal(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    assert_eq!((output.status.code(), output.stdout), (Some(2), Vec::new()), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

pub fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Twelve items with titles, prices and the vectors that NumPy wrote.
pub fn shop() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (vectors, items) = (golden("f4.npy"), golden("items.csv"));
    let args =
        ["import", &vectors, "shop", "--items", &items, "--by", "image", "--encoder", "drawn"];
    assert_eq!(printed(dir.path(), &args, 0), "shop: 12 items (12 new, 0 changed)\n");
    dir
}

pub fn keys(hits: &[Value]) -> Vec<&str> {
    hits.iter().map(|hit| hit["key"].as_str().unwrap()).collect()
}
