//! Written queries: what each term becomes, what is refused and where, and that a written query is answered
//! as its definition says.

mod support;

use std::fs;
use std::path::Path;

use lookalike::encode::{ImageEncoder, TextEncoder};
use lookalike::search::ExpressionError;
use lookalike::{Collection, Fusion, Hits, Item, Modality, Query, Term};
use proptest::prelude::*;
use support::{Both, item, pictured};

fn parsed(expression: &str) -> Vec<(f32, Term)> {
    let query: Query = expression.parse().unwrap_or_else(|e| panic!("{e}"));
    query.terms().map(|(term, weight)| (weight, term.clone())).collect()
}

fn text(words: &str) -> Term {
    Term::Text(words.into())
}

fn picture(path: &str) -> Term {
    Term::Image(path.into())
}

#[test]
fn the_readmes_example_means_what_it_says() {
    let expected = [
        (1.0, text("red dress")),
        (1.0, picture("./photo.jpg")),
        (-2.0, text("stripes")),
        (1.0, Term::Item("SKU123".into())),
    ];
    assert_eq!(parsed("\"red dress\" + ./photo.jpg - 2:stripes + item:SKU123"), expected);
}

#[test]
fn words_reach_to_the_next_sign_and_signs_inside_words_are_none() {
    assert_eq!(
        parsed("long-sleeved  t-shirt -stripes +men's 501"),
        [(1.0, text("long-sleeved t-shirt")), (-1.0, text("stripes")), (1.0, text("men's 501"))]
    );
    assert_eq!(parsed("- dots"), [(-1.0, text("dots"))]);
    assert_eq!(parsed("R+B hat"), [(1.0, text("R+B hat"))]);
}

#[test]
fn every_kind_of_term_takes_quotes_and_weights() {
    assert_eq!(
        parsed(
            "0.5:words:navy blue - 3:item:\"SKU 1: a\" + image:'my photo.png' + text:\"./x.jpg\""
        ),
        [
            (0.5, Term::Words("navy blue".into())),
            (-3.0, Term::Item("SKU 1: a".into())),
            (1.0, picture("my photo.png")),
            (1.0, text("./x.jpg")),
        ]
    );
    assert_eq!(parsed("item:a:b+c"), [(1.0, Term::Item("a:b+c".into()))]);
}

#[test]
fn quotes_and_backslashes_take_signs_for_themselves() {
    assert_eq!(
        parsed(r#""a \"b\" - \\ c" + 'it''s'"#.replace("''", "\\'").as_str()),
        [(1.0, text(r#"a "b" - \ c"#)), (1.0, text("it's")),]
    );
    assert_eq!(parsed(r"black \- white \+ grey"), [(1.0, text("black - white + grey"))]);
    assert_eq!(parsed(r"./my\ photo"), [(1.0, picture("./my photo"))]);
    assert_eq!(parsed(r"C:\shop\a.jpg"), [(1.0, picture(r"C:\shop\a.jpg"))]);
    assert_eq!(parsed("\"2:30\""), [(1.0, text("2:30"))]);
}

#[test]
fn paths_are_told_by_how_they_are_written() {
    for path in ["./photo", "../photo.xyz", "/photo", "~nobody/x.png"] {
        let found = path.parse::<Query>();
        match path.starts_with('~') {
            // Only its ending makes this one a path, and it is not there.
            true => assert!(found.is_err()),
            false => assert_eq!(parsed(path), [(1.0, picture(path))]),
        }
    }
    let home = std::env::home_dir().unwrap();
    assert_eq!(parsed("~/a.jpg"), [(1.0, Term::Image(home.join("a.jpg")))]);
}

/// What an expression is refused for, with the marked part of it.
fn refused(expression: &str) -> (String, String) {
    let error: ExpressionError = expression.parse::<Query>().unwrap_err();
    (expression[error.place.clone()].to_owned(), error.reason)
}

#[test]
fn refusals_point_at_what_they_mean_and_say_what_to_write() {
    let cases = [
        ("red + ", "+", "a sign stands before a term"),
        ("red + - blue", "+", "a sign stands before a term"),
        ("\"red\" blue", "blue", "write + or -"),
        ("red \"blue\"", "\"blue\"", "write + or -"),
        ("red ./a.jpg", "./a.jpg", "write + or -"),
        ("red item:1", "item:1", "write + or -"),
        ("\"red", "\"", "not closed"),
        ("\"red\"dish", "dish", "white space"),
        ("2: red", "2:", "right before its term"),
        ("1.2.3:red", "1.2.3:", "is a number"),
        ("colour:red", "colour:", "text, words, image or item"),
        ("item:", "item:", "right before what it names"),
        ("https://shop.example/a.jpg", "https://shop.example/a.jpg", "not fetched"),
        ("red + nowhere.jpg", "nowhere.jpg", "no picture nowhere.jpg here"),
    ];
    for (expression, marked, reason) in cases {
        let (found, why) = refused(expression);
        assert_eq!(found, marked, "{expression}: {why}");
        assert!(why.contains(reason), "{expression}: {why}");
    }
    assert!("  ".parse::<Query>().is_err());
}

#[test]
fn the_caret_stands_below_its_place_in_any_script() {
    let error = "靴 + item:".parse::<Query>().unwrap_err();
    let shown = error.to_string();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[1], "  靴 + item:");
    // The shoe is two columns wide.
    assert_eq!(lines[2], "       ^^^^^");
}

#[test]
fn a_file_that_is_named_like_words_is_asked_about() {
    // Every package has one of these in the folder where its tests run.
    assert!(Path::new("Cargo.toml").is_file());
    assert!(refused("red + Cargo.toml").1.contains("./Cargo.toml"));
    assert!(refused("red + \"Cargo.toml\"").1.contains("text:\"Cargo.toml\""));
    assert_eq!(parsed("text:Cargo.toml"), [(1.0, text("Cargo.toml"))]);
}

proptest! {
    #[test]
    fn no_line_makes_the_reader_stumble(line in "[-+:\"'\\\\ a2./~é靴]{0,24}") {
        if let Err(error) = line.parse::<Query>() {
            prop_assert!(line.get(error.place.clone()).is_some());
            // What went wrong; and, where there is anything to point at, the line and a caret under it.
            let said = if line.trim().is_empty() { 1 } else { 3 };
            prop_assert!(error.to_string().lines().count() >= said);
        }
    }

    #[test]
    fn quoted_words_are_those_words(words in "[^\0]{1,20}") {
        prop_assume!(!words.trim().is_empty() && !Path::new(&words).is_file());
        let quoted = words.replace('\\', "\\\\").replace('"', "\\\"");
        prop_assert_eq!(parsed(&format!("text:\"{quoted}\"")), [(1.0, text(&words))]);
    }
}

const COLOURS: [[u8; 3]; 4] = [[200, 20, 20], [20, 200, 20], [20, 20, 200], [200, 200, 20]];
const NOUNS: [&str; 5] = ["red shirt", "blue mug", "striped lamp", "red hat", "striped shirt"];

struct Shop {
    directory: tempfile::TempDir,
    both: Both,
    items: Vec<Item>,
    collection: Collection,
}

fn shop() -> Shop {
    let directory = tempfile::tempdir().unwrap();
    let items: Vec<Item> = (0..30)
        .map(|n| {
            let (key, text) = (format!("k{n}"), format!("{} {n}", NOUNS[n % 5]));
            match n % 6 {
                5 => item(&key, n as u64 + 1, &text),
                _ => pictured(&key, n as u64 + 1, &text, COLOURS[n % 4], directory.path()),
            }
        })
        .collect();
    let both = Both::default();
    let path = directory.path().join("shop");
    both.index(&path, items.clone());
    let collection = both.open(&path);
    Shop { directory, both, items, collection }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(x * y)).sum()
}

impl Shop {
    fn meaning(&self, words: &str) -> Vec<f32> {
        self.both.words.encode(&[words]).unwrap()[0].to_vec()
    }

    fn look(&self, path: &Path) -> Vec<f32> {
        let colours = &self.both.colours;
        let picture = image::open(path).unwrap().into_rgb8();
        colours.encode(&[colours.prepare(&picture)]).unwrap()[0].to_vec()
    }

    fn picture(&self) -> String {
        let path = self.directory.path().join("asked.png");
        image::RgbImage::from_pixel(8, 8, image::Rgb(COLOURS[0])).save(&path).unwrap();
        path.display().to_string()
    }
}

fn adds_up(hits: &Hits) -> bool {
    let sum = |hit: &lookalike::Hit| hit.receipt.parts.iter().map(|part| part.share).sum::<f32>();
    hits.hits.iter().all(|hit| sum(hit) == hit.score)
}

#[test]
fn a_written_query_is_the_normalised_sum_of_its_terms() {
    let shop = shop();
    let path = shop.picture();
    let query: Query = format!("3:{path} + \"red shirt\" - 2:striped").parse().unwrap();
    let hits = shop.collection.search(&query.top(100)).unwrap();
    assert_eq!(hits.hits.len(), shop.items.len());
    assert!(adds_up(&hits));
    let asked = [shop.meaning("red shirt"), shop.meaning("striped")];
    for hit in &hits.hits {
        let item = shop.items.iter().find(|item| item.key == hit.item.key).unwrap();
        let own = shop.meaning(&item.text);
        let look = item
            .picture
            .as_ref()
            .map_or(0.0, |own| dot(&shop.look(Path::new(&path)), &shop.look(own)));
        // The weights 3, 1 and -2 come to 6 without their signs.
        let expected = (3.0 * look + dot(&asked[0], &own) - 2.0 * dot(&asked[1], &own)) / 6.0;
        assert!((f64::from(hit.score) - expected).abs() < 2e-3, "{} is not {expected}", hit.score);
        let weights: Vec<f32> = hit.receipt.parts.iter().map(|part| part.weight).collect();
        assert_eq!(weights, [0.5, 1.0 / 6.0, -2.0 / 6.0]);
    }
    assert!(hits.hits.windows(2).all(|pair| pair[0].score >= pair[1].score));
}

#[test]
fn reciprocal_ranks_are_those_of_each_part() {
    let shop = shop();
    let path = shop.picture();
    let query = Query::new().image(&path).weighted(text("red shirt"), 2.0).unlike(text("striped"));
    let hits = shop.collection.search(&query.fusion(Fusion::rrf(60)).top(100)).unwrap();
    assert_eq!(hits.fusion, Fusion::Rrf { k: 60, depth: 1000 });
    assert!(hits.exact && adds_up(&hits));
    // Each part's ranking by itself, as one who asks for that part alone is answered.
    let alone =
        [Query::new().image(&path), Query::new().text("red shirt"), Query::new().text("striped")];
    let ranking = |query: Query| -> Vec<u32> {
        let hits = shop.collection.search(&query.top(100).exact()).unwrap().hits;
        hits.iter().map(|hit| hit.id).collect()
    };
    let rankings = alone.map(ranking);
    for hit in &hits.hits {
        let mut expected = 0.0;
        for (ranking, weight) in rankings.iter().zip([1.0, 2.0, -1.0]) {
            let place = ranking.iter().position(|&id| id == hit.id);
            expected += place.map_or(0.0, |place| weight / 4.0 / (60.0 + place as f64 + 1.0));
        }
        assert!((f64::from(hit.score) - expected).abs() < 1e-7, "{} is not {expected}", hit.score);
    }
    assert!(hits.hits.windows(2).all(|pair| pair[0].score >= pair[1].score));
}

#[test]
fn ranks_beyond_the_depth_count_for_nothing() {
    let shop = shop();
    let query = Query::new().text("red shirt").fusion(Fusion::Rrf { k: 1, depth: 3 }).top(100);
    let hits = shop.collection.search(&query).unwrap().hits;
    let scores: Vec<f32> = hits.iter().map(|hit| hit.score).collect();
    assert_eq!(scores, [1.0 / 2.0, 1.0 / 3.0, 1.0 / 4.0]);
}

#[test]
fn side_by_side_each_aspect_ranks_alone() {
    let shop = shop();
    let query = Query::new().item("k0").words("red").top(7);
    let rankings = shop.collection.rankings(&query).unwrap();
    let aspects: Vec<String> = rankings.iter().map(|r| r.aspect.to_string()).collect();
    assert_eq!(aspects, ["image", "text", "words"]);
    let by_looks = Query::new().item("k0").weight(Modality::Text, 0.0).top(7);
    let keys = |hits: &Hits| hits.hits.iter().map(|hit| hit.item.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&rankings[0].answer), keys(&shop.collection.search(&by_looks).unwrap()));
    assert!(rankings.iter().all(|ranking| adds_up(&ranking.answer)));
}

#[test]
fn a_picture_may_lie_anywhere() {
    let shop = shop();
    let spaced = shop.directory.path().join("my photo.png");
    fs::copy(shop.picture(), &spaced).unwrap();
    let query: Query = format!("image:\"{}\"", spaced.display()).parse().unwrap();
    assert_eq!(shop.collection.search(&query).unwrap().hits.len(), 10);
}
