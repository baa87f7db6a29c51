//! Lists of similar items and clusters of duplicates are what comparing every item with every other gives.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use lookalike::collection::{EncoderEntry, Error as CollectionError, Import, StoredItem};
use lookalike::search::{Cluster, Error, SimilarTo};
use lookalike::{Collection, Duplicates, Indexer, Item, Modality, Similar};
use lookalike_index::GraphOptions;
use proptest::prelude::*;
use support::{Both, entries, item, pictured};

const NOUNS: [&str; 5] = ["shirt", "mug", "lamp", "hat", "red lamp"];
/// Sums of products in 32 and in 64 bits differ by less.
const ROUNDING: f64 = 1e-5;

/// Items with a text, a picture in shades of few colours, or both.
fn shop(directory: &Path, kinds: &[(usize, usize)]) -> Vec<Item> {
    let items = kinds.iter().enumerate().map(|(n, &(noun, colour))| {
        let (key, row) = (format!("k{n}"), n as u64 + 1);
        let text = NOUNS.get(noun).map_or(String::new(), |noun| format!("{noun} {}", n % 3));
        match colour {
            0..=4 => {
                let shade = (colour * 63) as u8;
                pictured(&key, row, &text, [shade, 200 - shade / 2, 30 * n as u8], directory)
            }
            _ if text.is_empty() => item(&key, row, "nothing else"),
            _ => item(&key, row, &text),
        }
    });
    items.collect()
}

/// The cosines of an item to all others that have any of it, by the vectors that are stored.
fn cosines(collection: &Collection, id: u32, by: &[Modality]) -> BTreeMap<u32, f64> {
    let own = |modality| collection.embedding(id, modality).unwrap();
    let mut sums = BTreeMap::new();
    let asked: Vec<Modality> = by.iter().copied().filter(|&m| own(m).is_some()).collect();
    for &modality in &asked {
        let own = own(modality).unwrap();
        let vectors = collection.vectors(modality).unwrap();
        for (other, vector) in vectors.vectors().filter(|(other, _)| *other != id) {
            let products = own.iter().zip(&vector).map(|(a, b)| f64::from(*a) * f64::from(*b));
            let dot: f64 = products.sum();
            *sums.entry(other).or_insert(0.0) += dot / asked.len() as f64;
        }
    }
    sums
}

fn lists(collection: &Collection, wish: &Similar) -> Vec<SimilarTo> {
    let mut rows = Vec::new();
    let keep = |row| -> Result<(), Error> {
        rows.push(row);
        Ok(())
    };
    collection.similar(wish, keep).unwrap();
    rows
}

/// Whether a list has the best of these, in order and none too few, as far as rounding lets one tell.
fn is_best(row: &SimilarTo, all: &BTreeMap<u32, f64>, top: usize, least: f64) -> bool {
    let right = |&(id, score): &(u32, f32)| (all[&id] - f64::from(score)).abs() < ROUNDING;
    let ordered = |pair: &[(u32, f32)]| {
        pair[0].1 > pair[1].1 || pair[0].1 == pair[1].1 && pair[0].0 < pair[1].0
    };
    let found: BTreeSet<u32> = row.others.iter().map(|&(id, _)| id).collect();
    let last = match row.others.last() {
        Some(&(_, score)) if row.others.len() == top => f64::from(score),
        _ => least,
    };
    row.others.iter().all(right)
        && row.others.windows(2).all(ordered)
        && all.iter().all(|(id, &cosine)| found.contains(id) || cosine < last + ROUNDING)
        && row.others.iter().all(|&(_, score)| f64::from(score) > least - ROUNDING)
}

/// Clusters as brute force finds them: whoever can be reached by steps of at least the threshold.
fn connected(collection: &Collection, modality: Modality, threshold: f64) -> BTreeSet<Vec<u32>> {
    let ids: Vec<u32> = collection.vectors(modality).unwrap().ids().collect();
    let content = |id: u32| {
        let item = collection.item(id).unwrap().unwrap();
        match modality {
            Modality::Image => item.picture.map(|picture| picture.hash).unwrap_or_default(),
            Modality::Text => item.text,
        }
    };
    let mut left: BTreeSet<u32> = ids.iter().copied().collect();
    let mut clusters = BTreeSet::new();
    while let Some(first) = left.pop_first() {
        let (mut cluster, mut waiting) = (vec![first], vec![first]);
        while let Some(id) = waiting.pop() {
            let near = cosines(collection, id, &[modality]);
            let joined: Vec<u32> = left
                .iter()
                .copied()
                .filter(|&other| near[&other] >= threshold || content(other) == content(id))
                .collect();
            left.retain(|other| !joined.contains(other));
            cluster.extend(&joined);
            waiting.extend(joined);
        }
        cluster.sort_unstable();
        if cluster.len() > 1 {
            clusters.insert(cluster);
        }
    }
    clusters
}

fn ids(clusters: &[Cluster]) -> BTreeSet<Vec<u32>> {
    let sorted = |cluster: &Cluster| {
        let mut ids: Vec<u32> = cluster.members.iter().map(|member| member.id).collect();
        ids.sort_unstable();
        ids
    };
    clusters.iter().map(sorted).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn every_items_list_is_that_of_brute_force(
        kinds in prop::collection::vec((0usize..6, 0usize..6), 3..25),
        top in 1usize..6,
        least in prop::option::of(-0.2f32..0.9),
        exact in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (path, both) = (dir.path().join("shop"), Both::default());
        both.indexer(&path).run(entries(shop(dir.path(), &kinds))).unwrap();
        let collection = both.open(&path);
        for by in [&[Modality::Image][..], &[Modality::Text], &Modality::ALL] {
            if by.iter().any(|&modality| collection.vectors(modality).is_none()) {
                continue;
            }
            let mut wish = Similar::by(by.iter().copied()).top(top);
            if let Some(least) = least {
                wish = wish.at_least(least);
            }
            let rows = lists(&collection, &if exact { wish.exact() } else { wish });
            let has = |id: u32| by.iter().any(|&m| collection.embedding(id, m).unwrap().is_some());
            let expected: Vec<u32> = (0..kinds.len() as u32).filter(|&id| has(id)).collect();
            prop_assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), expected);
            for row in &rows {
                let all = cosines(&collection, row.id, by);
                let least = f64::from(least.unwrap_or(f32::NEG_INFINITY));
                prop_assert!(is_best(row, &all, top, least), "{:?} {:?}", row, all);
            }
        }
    }

    #[test]
    fn clusters_are_whatever_hangs_together(
        kinds in prop::collection::vec((0usize..6, 0usize..6), 3..25),
        threshold in 0.5f32..1.0,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (path, both) = (dir.path().join("shop"), Both::default());
        both.indexer(&path).run(entries(shop(dir.path(), &kinds))).unwrap();
        let collection = both.open(&path);
        for modality in Modality::ALL {
            let Some(vectors) = collection.vectors(modality) else { continue };
            let near: Vec<(u32, BTreeMap<u32, f64>)> =
                vectors.ids().map(|id| (id, cosines(&collection, id, &[modality]))).collect();
            let limit = f64::from(threshold);
            // What is asked with is of length one, what is stored as far as half precision goes.
            let unclear = |cosine: &f64| (cosine - limit).abs() < 1e-3;
            prop_assume!(!near.iter().any(|(_, others)| others.values().any(unclear)));
            let wish = Duplicates::by(modality).threshold(threshold);
            let found = collection.duplicates(&wish).unwrap();
            prop_assert_eq!(ids(&found), connected(&collection, modality, limit));
            prop_assert_eq!(&collection.duplicates(&wish.exact()).unwrap(), &found);
            for Cluster { members, .. } in &found {
                let first = members[0].id;
                let to_first = cosines(&collection, first, &[modality]);
                let right = members[1..].iter().all(|member| {
                    (f64::from(member.similarity) - to_first[&member.id]).abs() < ROUNDING
                });
                prop_assert!(right && members[0].same, "{:?}", members);
                let order: Vec<_> = members[1..].iter().map(|m| (!m.same, -m.similarity, m.id)).collect();
                prop_assert!(order.windows(2).all(|pair| pair[0] <= pair[1]), "{:?}", members);
            }
            let sizes: Vec<usize> = found.iter().map(|cluster| cluster.members.len()).collect();
            prop_assert!(sizes.windows(2).all(|pair| pair[0] >= pair[1]));
        }
    }
}

/// So many items with vectors of 24 values about as many centres as are wanted; the same seed, the same items.
fn drawn(path: &Path, items: u64, centres: u64, spread: f32) -> Collection {
    let mut state = 11u64;
    let mut draw = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let centres: Vec<Vec<f32>> = (0..centres).map(|_| (0..24).map(|_| draw()).collect()).collect();
    let rows = (0..items).map(|n| {
        let centre = &centres[n as usize % centres.len()];
        let vector = centre.iter().map(|x| x + spread * draw()).collect();
        let item = StoredItem::of(format!("k{n}"), n + 1, Default::default(), String::new());
        Ok::<_, CollectionError>(Import::Item { item, vectors: vec![(Modality::Image, vector)] })
    });
    let encoder = EncoderEntry::elsewhere(Modality::Image, "drawn", 24);
    let indexer = Indexer::new(path).graph(GraphOptions::default().from_rows(1_000));
    indexer.import(&[encoder], rows).unwrap();
    Collection::open(path).unwrap()
}

#[test]
fn lists_from_a_graph_are_nearly_those_of_comparing_everything() {
    let dir = tempfile::tempdir().unwrap();
    let collection = drawn(&dir.path().join("shop"), 3_000, 40, 0.8);
    assert!(collection.vectors(Modality::Image).unwrap().has_graph());
    let wish = Similar::by([Modality::Image]).top(10);
    let (walked, exact) = (lists(&collection, &wish), lists(&collection, &wish.clone().exact()));
    assert_eq!((walked.len(), exact.len()), (3_000, 3_000));
    for row in exact.iter().step_by(97) {
        let all = cosines(&collection, row.id, &[Modality::Image]);
        assert!(is_best(row, &all, 10, -1.0), "{row:?}");
    }
    let shared = walked.iter().zip(&exact).map(|(walked, exact)| {
        assert!(walked.id == exact.id && walked.others.iter().all(|&(id, _)| id != walked.id));
        walked.others.iter().filter(|found| exact.others.contains(found)).count()
    });
    let recall = shared.sum::<usize>() as f64 / 30_000.0;
    assert!(recall > 0.97, "{recall}");
}

#[test]
fn a_cluster_of_many_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let collection = drawn(&dir.path().join("shop"), 2_000, 8, 0.001);
    let found = collection.duplicates(&Duplicates::by(Modality::Image)).unwrap();
    assert_eq!(found.iter().map(|cluster| cluster.members.len()).collect::<Vec<_>>(), [250; 8]);
    let all_of_one_centre = |cluster: &Cluster| {
        cluster.members.iter().all(|member| member.id % 8 == cluster.members[0].id % 8)
    };
    assert!(found.iter().all(all_of_one_centre));
}

#[test]
fn what_the_items_lack_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    both.index(&path, [item("a", 1, "red lamp"), item("b", 2, "red hat")]);
    let collection = both.open(&path);
    let by_looks = collection.duplicates(&Duplicates::by(Modality::Image)).unwrap_err();
    assert!(by_looks.to_string().ends_with("has no image vectors"), "{by_looks}");
    for by in [&[][..], &[Modality::Image], &Modality::ALL] {
        let wish = Similar::by(by.iter().copied());
        let refused: Result<(), Error> =
            collection.similar(&wish, |_| panic!("it found something"));
        assert!(refused.is_err());
    }
    let nothing = lists(&collection, &Similar::by([Modality::Text]).top(0));
    assert!(nothing.len() == 2 && nothing.iter().all(|row| row.others.is_empty()));
}
