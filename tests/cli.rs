//! The program as people use it: the built binary, real models, and everything that may go wrong on a
//! command line. Skipped, and says so, where the models are not here.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const CATALOGUE: &str = "sku,title\nA1,red leather shoe\nA2,blue cotton shirt\nA3,green hat\n";

fn lookalike(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lookalike"));
    command.current_dir(dir).args(args);
    command
}

fn run(dir: &Path, args: &[&str]) -> Output {
    lookalike(dir, args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The one line that a command which must fail has said.
fn refusal(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
    assert_eq!(output.stdout, b"", "{args:?}");
    let line = said.lines().last().unwrap_or_default().to_owned();
    line.strip_prefix("lookalike: ").unwrap_or_else(|| panic!("{args:?}: {said}")).to_owned()
}

fn has(modality: &str) -> bool {
    let list = run(Path::new("."), &["models", "list", "--json"]);
    let lines = stdout(&list);
    let mut models = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let has = models.any(|model| model["for"] == modality && model["default"] == true);
    if !has {
        eprintln!("skipped: no model for {modality}s is here; `tools/setup` fetches one");
    }
    has
}

/// A folder with a catalogue of words, indexed into `shop`; `None` without a model for texts.
fn shop(catalogue: &str, name: &str) -> Option<TempDir> {
    has("text").then(|| {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(name), catalogue).unwrap();
        let output = run(dir.path(), &["index", name, "shop"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        dir
    })
}

#[test]
fn what_is_asked_for_in_words_is_found() {
    let Some(dir) = shop(CATALOGUE, "my.csv") else { return };
    let output = run(dir.path(), &["search", "shop", "--text", "footwear", "--json", "-k", "1"]);
    assert_eq!(output.status.code(), Some(0));
    let hit: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(hit["key"], "A1");
    let nothing = run(dir.path(), &["search", "shop", "--text", "hat", "-k", "0"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert_eq!(run(dir.path(), &["ledger", "shop"]).status.code(), Some(1));
}

#[test]
fn options_may_stand_behind_an_expression() {
    let Some(dir) = shop(CATALOGUE, "my.csv") else { return };
    let asked = |args: &[&str]| {
        let output = run(dir.path(), &[&["search", "shop"], args].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        stdout(&output)
    };
    let whole = asked(&["--json", "-k", "1", "footwear + hat - 2:cotton"]);
    assert_eq!(whole.lines().count(), 1, "{whole}");
    let apart = asked(&["footwear", "+", "hat", "-", "2:cotton", "-k", "1", "--json"]);
    assert_eq!(whole, apart);
}

#[test]
fn json_is_json_alone() {
    let Some(dir) = shop(CATALOGUE, "my.csv") else { return };
    let commands: [&[&str]; 6] = [
        &["index", "my.csv", "shop"],
        &["search", "shop", "--item", "A1"],
        &["info", "shop"],
        &["verify", "shop"],
        &["models", "list"],
        &["models", "check", "all-minilm-l6-v2"],
    ];
    for command in commands {
        let output = lookalike(dir.path(), command).arg("--json").output().unwrap();
        let lines = stdout(&output);
        assert!(lines.lines().count() > 0, "{command:?}: {output:?}");
        for line in lines.lines() {
            serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{command:?}: {line}"));
        }
    }
}

#[test]
fn every_refusal_names_the_thing() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    fs::write(here.join("my.csv"), CATALOGUE).unwrap();
    fs::write(here.join("empty.csv"), "").unwrap();
    fs::create_dir(here.join("empty")).unwrap();
    let cases: [(&[&str], &str); 7] = [
        (&["info", "nowhere"], "there is no collection at nowhere; `lookalike index"),
        (&["info", "empty"], "there is no collection at empty; `lookalike index"),
        (&["info", "my.csv"], "my.csv is not a collection"),
        (&["index", "nowhere.csv", "shop"], "cannot read nowhere.csv"),
        (&["index", "empty.csv", "shop"], "empty.csv is empty"),
        (&["index", "my.csv", "my.csv"], "my.csv is not a collection"),
        (&["models", "add", "empty"], "empty cannot be added as empty: it holds no weights file"),
    ];
    for (args, start) in cases {
        let args = [&["--cache", "cache"], args].concat();
        let said = refusal(here, &args);
        assert!(said.starts_with(start), "{args:?}: {said}");
    }
    assert!(!here.join("shop").exists());
}

#[test]
fn an_empty_directory_becomes_a_collection() {
    if !has("text") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("my.csv"), CATALOGUE).unwrap();
    fs::create_dir(dir.path().join("shop")).unwrap();
    assert_eq!(run(dir.path(), &["index", "my.csv", "shop"]).status.code(), Some(0));
}

#[test]
fn weights_and_threads_have_bounds() {
    for args in [
        ["search", "x", "--text", "y", "--text-weight", "NaN"],
        ["search", "x", "--text", "y", "--image-weight", "inf"],
        ["search", "x", "--text", "y", "--threads", "999999999"],
    ] {
        let output = run(Path::new("."), &args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(said.starts_with(&format!("error: invalid value '{}' for '{}", args[5], args[4])));
    }
}

#[test]
fn titles_can_neither_command_the_terminal_nor_the_sheet() {
    let title = r"\u001b]0;taken\u0007 <script>alert(1)</script> \u202e";
    let line = format!("{{\"id\":\"k\\u001b[31m\",\"title\":\"{title}\"}}\n");
    let Some(dir) = shop(&line, "my.jsonl") else { return };
    let words = "\u{1b}[2J<script>";
    let output = run(dir.path(), &["search", "shop", "--text", words, "--html", "hits.html"]);
    assert_eq!(output.status.code(), Some(0));
    let refused = run(dir.path(), &["search", "shop", "--item", "\u{1b}[31m"]);
    for bytes in [output.stdout, output.stderr, refused.stderr] {
        let text = String::from_utf8(bytes).unwrap();
        let obeyed = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!text.contains(obeyed), "{text:?}");
    }
    assert!(!fs::read_to_string(dir.path().join("hits.html")).unwrap().contains("<script"));
}

/// `2>&1 | head -1` closes the pipe in the midst; a full disk refuses every byte.
#[test]
#[cfg(target_os = "linux")]
fn nobody_listening_is_no_crash() {
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let here = Path::new(".");
    let refused = lookalike(here, &["info", "nowhere"]).stderr(full()).status().unwrap();
    assert_eq!(refused.code(), Some(2));
    let output = lookalike(here, &["models", "list"]).stdout(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("lookalike: cannot print: No space left"), "{said}");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(
        lookalike(here, &["models", "list"]).stdout(writer).status().unwrap().code(),
        Some(0)
    );
}

/// Indexed here, searched from there: the contact sheet has its pictures all the same.
#[test]
fn a_collection_is_searched_from_any_directory() {
    if !has("image") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let photos = dir.path().join("photos");
    fs::create_dir(&photos).unwrap();
    for (name, colour) in [("a.png", [200, 0, 0]), ("b.png", [0, 0, 200])] {
        image::RgbImage::from_pixel(40, 40, image::Rgb(colour)).save(photos.join(name)).unwrap();
    }
    fs::write(dir.path().join("my.csv"), "sku,image\nA,photos/a.png\nB,b.png\n").unwrap();
    let output = run(dir.path(), &["index", "my.csv", "shop", "--images", "photos"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let shop = dir.path().join("shop");
    let args = ["search", shop.to_str().unwrap(), "--item", "A", "--html", "hits.html"];
    assert_eq!(run(&photos, &args).status.code(), Some(0));
    let sheet = fs::read_to_string(photos.join("hits.html")).unwrap();
    assert_eq!(sheet.matches("data:image/jpeg;base64,").count(), 2);
}
