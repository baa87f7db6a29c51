//! The commands of taste, from purchases to personal hits, on vectors that were made elsewhere.

#[path = "support/program.rs"]
mod program;

use std::fs;
use std::path::Path;

use program::{keys, lines, printed, refusal, run, shop};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The shop, in which every user takes things of one kind: user `n` every third item from `n % 3` on.
fn lived_in() -> TempDir {
    let dir = shop();
    let mut purchases = "user,item,time\n".to_owned();
    for (user, place) in (0..18).flat_map(|user| (0..4).map(move |place| (user, place))) {
        let item = user % 3 + 3 * ((place + user) % 4);
        purchases += &format!("u{user},k{item},{}\n", 1_600_000_000 + place);
    }
    fs::write(dir.path().join("purchases.csv"), purchases).unwrap();
    printed(dir.path(), &["interactions", "shop", "purchases.csv"], 0);
    for model in ["vbpr", "bpr-mf"] {
        let latent = format!("{model}.latent=4");
        let train = ["train", "shop", "--model", model, "--set", &latent, "--epochs", "3", "-q"];
        printed(dir.path(), &train, 0);
    }
    dir
}

fn asked(dir: &Path, args: &[&str]) -> Vec<Value> {
    lines(&printed(dir, &[&["search", "shop", "--json", "-k", "12"], args].concat(), 0))
}

#[test]
fn a_file_of_queries_is_put_into_the_order_of_many_tastes() {
    let dir = lived_in();
    let file = [
        json!({"item": "k3", "user": "u1"}),
        json!({"item": "k3", "liked": ["k4", "k7"]}),
        json!({"item": "k3", "user": "nobody"}),
        json!({"item": "k3"}),
        json!({"item": "k3", "liked": "no such thing"}),
    ];
    let file = file.map(|line| line.to_string()).join("\n");
    fs::write(dir.path().join("asked.jsonl"), file).unwrap();
    let options = ["--rerank", "vbpr:2,bpr-mf", "--blend", "0.8", "--candidates", "12"];
    let many = ["search", "shop", "--queries", "asked.jsonl", "-k", "12", "--user", "u2"];
    let answers = lines(&printed(dir.path(), &[&many[..], &options].concat(), 3));

    let alone: [&[&str]; 4] = [
        &["--user", "u1"],
        &["--liked", "k4", "--liked", "k7"],
        &["--user", "nobody"],
        &["--user", "u2"],
    ];
    for (answer, whose) in answers.iter().zip(alone) {
        let alone = asked(dir.path(), &[&["--item", "k3"], whose, &options].concat());
        let hits = answer["hits"].as_array().unwrap();
        assert_eq!(keys(hits), keys(&alone), "{whose:?}");
        for (hit, alone) in hits.iter().zip(&alone) {
            for part in ["score", "receipt", "taste"] {
                assert_eq!(hit[part], alone[part], "{whose:?}");
            }
        }
    }
    assert_eq!(answers[0]["unknown_to"], Value::Null);
    assert_eq!(answers[2]["unknown_to"], json!(["vbpr", "bpr-mf"]));
    let error = answers[4]["error"].as_str().unwrap();
    assert!(error.contains("no such thing"), "{error}");
    // Tastes differ, or this test could not tell one from another.
    assert_ne!(
        keys(answers[0]["hits"].as_array().unwrap()),
        keys(answers[3]["hits"].as_array().unwrap())
    );
}

#[test]
fn what_a_taste_lacks_is_named() {
    let dir = lived_in();
    fs::write(dir.path().join("asked.jsonl"), "{\"item\": \"k3\", \"user\": \"u1\"}").unwrap();
    let many = ["search", "shop", "--queries", "asked.jsonl"];
    let answers = lines(&printed(dir.path(), &many, 3));
    assert_eq!(answers[0]["error"], "say by which model: --rerank MODEL");
    let told =
        |args: &[&str]| refusal(dir.path(), &[&["search", "shop", "item:k3"], args].concat());
    for (args, expected) in [
        (&["--user", "u1"][..], "say by which model"),
        (&["--rerank", "vbpr"], "say for whom"),
        (&["--rerank", "vbpr:x", "--user", "u1"], "behind a colon its weight"),
        (&["--rerank", "ghost", "--user", "u1"], "no model \"ghost\""),
        (&["--rerank", "vbpr", "--user", "u1", "--side-by-side"], "leave out --side-by-side"),
        (&["--rerank", "vbpr", "--user", "u1", "--blend", "2"], "blend"),
    ] {
        let told = told(args);
        assert!(told.contains(expected), "{args:?}: {told}");
    }
}

#[test]
fn a_change_of_another_model_is_refused() {
    let dir = lived_in();
    for (args, expected) in [
        (&["train", "shop", "--set", "acf.latent=4"][..], "about vbpr, and not about acf"),
        (&["evaluate", "shop", "--set", "vbrp.rate=1"], "about bpr-mf, vbpr, and not about vbrp"),
        (&["evaluate", "shop", "--categories", "--set", "vbpr.rate=1"], "about aggregation, "),
        (&["train", "shop", "--set", "vbpr"], "write MODEL.NAME=VALUE"),
    ] {
        let told = refusal(dir.path(), args);
        assert!(told.contains(expected), "{args:?}: {told}");
    }
}

#[test]
fn users_are_recommended_what_they_have_not_taken() {
    let dir = lived_in();
    let recommended = |args: &[&str]| {
        let all = [&["recommend", "shop", "--json", "-k", "12"], args].concat();
        lines(&printed(dir.path(), &all, 0))
    };
    let found = recommended(&["--user", "u1"]);
    let mut left: Vec<&str> = keys(&found);
    left.sort_unstable();
    assert_eq!(left, ["k0", "k11", "k2", "k3", "k5", "k6", "k8", "k9"]);
    // Whom the model does not know gets what everybody likes.
    let stranger = run(dir.path(), &["recommend", "shop", "--user", "nobody"]);
    let told = String::from_utf8(stranger.stderr).unwrap();
    assert!(stranger.status.success() && told.contains("what everybody likes"), "{told}");
    let told = refusal(dir.path(), &["recommend", "shop"]);
    assert!(told.contains("say for whom"), "{told}");
}
