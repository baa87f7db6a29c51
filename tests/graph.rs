//! In a large collection graphs propose and fusion decides: the answers must be those of the scan.

mod support;

use lookalike::{Collection, Hits, Item, Modality, Query};
use lookalike_index::GraphOptions;
use support::{Both, entries, pictured};

const NOUNS: [&str; 6] = ["shirt", "mug", "lamp", "hat", "scarf", "boot"];
const WORDS: [&str; 8] = ["red", "striped", "wool", "summer", "tall", "soft", "old", "small"];

/// Enough items for graphs, every ninth without a text and every eleventh without a picture.
fn items(directory: &std::path::Path) -> Vec<Item> {
    let mut state = 1u32;
    let mut draw = move |n: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize % n
    };
    (0..5000)
        .map(|n| {
            let words: Vec<&str> = (0..3).map(|_| WORDS[draw(8)]).collect();
            let text = format!("{} {} {}", words.join(" "), NOUNS[draw(6)], n % 97);
            let colour = [draw(256) as u8, draw(256) as u8, draw(256) as u8];
            let text = if n % 9 == 8 { "" } else { &text };
            let mut item = pictured(&format!("k{n}"), n as u64 + 1, text, colour, directory);
            if n % 11 == 10 && !text.is_empty() {
                item.picture = None;
            }
            item
        })
        .collect()
}

fn scores(hits: &Hits) -> Vec<f32> {
    hits.hits.iter().map(|hit| hit.score).collect()
}

fn open() -> (tempfile::TempDir, Collection) {
    let directory = tempfile::tempdir().unwrap();
    let both = Both::default();
    let path = directory.path().join("shop");
    let graphs = GraphOptions::default().from_rows(1000);
    both.indexer(&path).graph(graphs).run(entries(items(directory.path()))).unwrap();
    let collection = both.open(&path);
    (directory, collection)
}

#[test]
fn what_the_graphs_propose_is_what_the_scan_finds() {
    let (_directory, collection) = open();
    collection.verify().unwrap();
    for modality in Modality::ALL {
        assert!(collection.vectors(modality).unwrap().has_graph(), "{modality}");
    }
    let queries = |n: usize| {
        [
            Query::new().text(format!("{} {}", WORDS[n % 8], NOUNS[n % 6])),
            Query::new().item(format!("k{}", n * 7 + 1)),
            Query::new().item(format!("k{}", n * 5 + 3)).text(WORDS[n % 8]),
        ]
    };
    let (mut found, mut wanted, mut approximate) = (0, 0, 0);
    for query in (0..30).flat_map(queries) {
        let proposed = collection.search(&query).unwrap();
        let scanned = collection.search(&query.exact()).unwrap();
        assert!(scanned.exact);
        approximate += usize::from(!proposed.exact);
        // Scores, because many items are equally good.
        let worst = scores(&scanned).last().copied().unwrap();
        found += scores(&proposed).iter().filter(|&&score| score >= worst).count();
        wanted += scanned.hits.len();
        for hit in &proposed.hits {
            assert_eq!(hit.receipt.parts.iter().map(|part| part.share).sum::<f32>(), hit.score);
        }
    }
    assert!(approximate > 0, "no query was answered by a graph: the test tests nothing");
    assert!(found * 100 >= wanted * 97, "{found} of {wanted}");
}

#[test]
fn a_receipt_ranks_only_what_is_certain() {
    let (_directory, collection) = open();
    let query = Query::new().item("k1");
    let proposed = collection.search(&query).unwrap();
    let scanned = collection.search(&query.clone().exact().top(5000)).unwrap();
    for hit in &proposed.hits {
        let truth = scanned.hits.iter().find(|other| other.id == hit.id).unwrap();
        for (part, truth) in hit.receipt.parts.iter().zip(&truth.receipt.parts) {
            assert_eq!(part.cosine, truth.cosine);
            // A graph may have missed a better one, but never invents one.
            assert!(part.rank.is_none_or(|rank| Some(rank) <= truth.rank), "{part:?} {truth:?}");
        }
    }
}

#[test]
fn unlike_is_asked_of_everything() {
    let (_directory, collection) = open();
    let hits = collection.search(&Query::new().item("k1").weight(Modality::Image, -1.0)).unwrap();
    assert!(hits.exact);
}
