//! Answers are exact, explained and in a fixed order.

mod support;

use lookalike::encode::{ImageEncoder, TextEncoder};
use lookalike::search::Error;
use lookalike::{Aspect, Collection, Hit, Item, Modality, Query};
use proptest::prelude::*;
use support::{Both, item, pictured};

const COLOURS: [[u8; 3]; 5] =
    [[200, 20, 20], [20, 200, 20], [20, 20, 200], [200, 200, 20], [100, 100, 100]];
const NOUNS: [&str; 4] = ["shirt", "mug", "lamp", "hat"];

/// Twenty items: every fifth has no picture, every seventh no text.
fn shop(directory: &std::path::Path) -> Vec<Item> {
    (0..20)
        .map(|n| {
            let (key, noun) = (format!("k{n}"), NOUNS[n % 4]);
            let text = if n % 7 == 3 { String::new() } else { format!("{noun} number {n}") };
            match n % 5 {
                4 if !text.is_empty() => item(&key, n as u64 + 1, &text),
                _ => pictured(&key, n as u64 + 1, &text, COLOURS[n % 5], directory),
            }
        })
        .collect()
}

struct Shop {
    _directory: tempfile::TempDir,
    both: Both,
    items: Vec<Item>,
    collection: Collection,
}

fn open() -> Shop {
    let directory = tempfile::tempdir().unwrap();
    let items = shop(directory.path());
    let both = Both::default();
    let path = directory.path().join("shop");
    both.index(&path, items.clone());
    let collection = both.open(&path);
    Shop { _directory: directory, both, items, collection }
}

/// The score by its definition, from what the encoders say of the items themselves.
fn by_definition(
    shop: &Shop,
    words: &str,
    colour: [u8; 3],
    weights: [f32; 2],
) -> Vec<(String, f32)> {
    let picture = image::RgbImage::from_pixel(8, 8, image::Rgb(colour));
    let colours = &shop.both.colours;
    let asked_look = &colours.encode(&[colours.prepare(&picture)]).unwrap()[0];
    let asked_words = &shop.both.words.encode(&[words]).unwrap()[0];
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(x * y)).sum::<f64>();
    let total = f64::from(weights[0].abs() + weights[1].abs());
    let mut scores: Vec<(String, f32)> = shop
        .items
        .iter()
        .map(|item| {
            let look = item.picture.as_ref().map_or(0.0, |path| {
                let picture = image::open(path).unwrap().into_rgb8();
                dot(asked_look, &colours.encode(&[colours.prepare(&picture)]).unwrap()[0])
            });
            let meaning = match item.text.as_str() {
                "" => 0.0,
                text => dot(asked_words, &shop.both.words.encode(&[text]).unwrap()[0]),
            };
            let score = f64::from(weights[0]) * look + f64::from(weights[1]) * meaning;
            (item.key.clone(), (score / total) as f32)
        })
        .collect();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1));
    scores
}

fn adds_up(hit: &Hit) -> bool {
    hit.receipt.parts.iter().map(|part| part.share).sum::<f32>() == hit.score
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn the_fused_score_is_the_weighted_mean_of_the_cosines(
        image_weight in -2.0f32..2.0,
        text_weight in 0.1f32..2.0,
        colour in 0usize..5,
        noun in 0usize..4,
    ) {
        let shop = open();
        let picture = shop._directory.path().join("asked.png");
        image::RgbImage::from_pixel(8, 8, image::Rgb(COLOURS[colour])).save(&picture).unwrap();
        let query = Query::new()
            .image(&picture)
            .text(NOUNS[noun])
            .weight(Modality::Image, image_weight)
            .weight(Modality::Text, text_weight)
            .top(100);
        let hits = shop.collection.search(&query).unwrap().hits;
        let expected = by_definition(&shop, NOUNS[noun], COLOURS[colour], [image_weight, text_weight]);
        prop_assert_eq!(hits.len(), expected.len());
        for (hit, (_, score)) in hits.iter().zip(&expected) {
            // Vectors are stored in half precision.
            prop_assert!((hit.score - score).abs() < 2e-3, "{} is not {score}", hit.score);
            prop_assert!(adds_up(hit));
        }
        let ordered = hits.windows(2).all(|w| (w[0].score, w[1].id) > (w[1].score, w[0].id));
        prop_assert!(ordered, "best first, equal scores by ascending number");
    }
}

#[test]
fn ranks_count_from_one_in_each_part() {
    let shop = open();
    let query = Query::new().item("k0").text("mug number 5").top(100);
    let hits = shop.collection.search(&query).unwrap().hits;
    for part in 0..3 {
        let mut seen: Vec<(u32, f32)> = hits
            .iter()
            .filter_map(|hit| {
                Some((hit.receipt.parts[part].rank?, hit.receipt.parts[part].cosine?))
            })
            .collect();
        seen.sort_by_key(|&(rank, _)| rank);
        assert!(seen.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 >= w[1].1));
        // The item that was asked for holds one of the places.
        let count = shop
            .collection
            .vectors(hits[0].receipt.parts[part].modality.modality().unwrap())
            .unwrap()
            .len();
        assert_eq!(seen.len(), count - 1);
        assert_eq!(seen.last().unwrap().0 as usize, count);
    }
}

#[test]
fn an_item_that_lacks_a_modality_scores_nothing_there() {
    let shop = open();
    let hits = shop.collection.search(&Query::new().item("k1").top(100)).unwrap().hits;
    let lacking = hits.iter().find(|hit| hit.item.picture.is_none()).unwrap();
    let part = &lacking.receipt.parts[0];
    assert_eq!(
        (part.modality, part.cosine, part.rank, part.share),
        (Aspect::Image, None, None, 0.0)
    );
    // Asked by looks alone, it is no answer at all.
    let by_looks = Query::new().item("k1").weight(Modality::Text, 0.0).top(100);
    let hits = shop.collection.search(&by_looks).unwrap().hits;
    assert!(hits.iter().all(|hit| hit.item.picture.is_some()));
}

#[test]
fn the_item_asked_for_is_among_the_hits_only_on_request() {
    let shop = open();
    let query = Query::new().item("k2").top(100);
    let without = shop.collection.search(&query).unwrap().hits;
    assert!(without.iter().all(|hit| hit.item.key != "k2"));
    let with = shop.collection.search(&query.keep_asked(true)).unwrap().hits;
    assert_eq!(with[0].item.key, "k2");
    assert!((with[0].score - 1.0).abs() < 1e-3);
    assert_eq!(with.len(), without.len() + 1);
}

#[test]
fn a_question_that_makes_no_sense_is_refused() {
    let shop = open();
    let ask = |query: Query| shop.collection.search(&query).unwrap_err();
    assert!(matches!(ask(Query::new()), Error::EmptyQuery));
    assert!(matches!(ask(Query::new().text("  ")), Error::EmptyText));
    assert!(matches!(ask(Query::new().item("nobody")), Error::NoSuchItem { .. }));
    assert!(matches!(ask(Query::new().image("nothing.jpg")), Error::Picture { .. }));
    let unweighted = Query::new().text("mug").weight(Modality::Text, 0.0);
    assert!(matches!(ask(unweighted), Error::NoWeight));
    let not_a_number = Query::new().text("mug").weight(Modality::Text, f32::NAN);
    assert!(matches!(ask(not_a_number), Error::NoWeight));
}

#[test]
fn a_collection_without_pictures_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop");
    Both::default().index(&path, [item("a", 1, "red mug")]);
    let collection = Collection::open(&path).unwrap();
    let refused = collection.search(&Query::new().image("x.png"));
    assert!(matches!(refused, Err(Error::NoVectors { modality: Modality::Image, .. })));
}

#[test]
fn readers_are_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    let shop = open();
    shared(&shop.collection);
    std::thread::scope(|scope| {
        for n in 0..4 {
            let collection = &shop.collection;
            scope.spawn(move || collection.search(&Query::new().item(format!("k{n}"))).unwrap());
        }
    });
}
