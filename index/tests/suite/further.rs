//! Page after page on a graph, against the deeper search that it stands for and against brute force.

use std::sync::Arc;

use lookalike_index::{Candidate, GraphOptions, Neighbours, Pages, RowSet, SearchOptions};

use crate::graph::{clustered, queries, segment};

const PAGE: usize = 10;
const PAGES: usize = 12;

/// What so many pages hold, and how many rows were looked at for them.
fn take(mut pages: Pages<'_>) -> (Vec<Candidate>, usize) {
    let (mut all, mut looked_at) = (Vec::new(), 0);
    for _ in 0..PAGES {
        let page = pages.more(PAGE);
        all.extend(page.candidates);
        looked_at += page.looked_at;
    }
    (all, looked_at)
}

fn shared(some: &[Candidate], others: &[Candidate]) -> usize {
    some.iter().filter(|one| others.contains(one)).count()
}

#[test]
fn pages_find_what_a_deeper_search_finds_for_about_its_cost() {
    // With sketches and without.
    for (rows, dimension) in [(8_000, 24), (4_000, 1_024)] {
        let problem = clustered(rows, dimension);
        let segment = segment(&problem, &GraphOptions::default());
        let graph = segment.graph().unwrap();
        let most: RowSet = (0..rows as u32).filter(|row| row % 3 > 0).collect();
        for options in
            [SearchOptions::default(), SearchOptions::default().within(Arc::new(most.clone()))]
        {
            let (mut deep_hits, mut hits, mut steps, mut deep_steps) = (0, 0, 0, 0);
            let queries = queries(&problem, 40);
            for query in &queries {
                let k = PAGE * PAGES;
                let truth = segment.exact().search(query, k, &options).unwrap().candidates;
                let deep = graph.search(query, k, &options).unwrap();
                assert!(!deep.exact, "the walk is what is tested");
                let (all, looked_at) = take(graph.pages(query, &options).unwrap());
                assert_eq!(all.len(), k);
                hits += shared(&truth, &all);
                deep_hits += shared(&truth, &deep.candidates);
                steps += looked_at;
                deep_steps += deep.looked_at;
            }
            let most = (queries.len() * PAGE * PAGES) as f64;
            assert!(hits as f64 > deep_hits as f64 - 0.01 * most, "{hits} {deep_hits} of {most}");
            assert!(steps as f64 <= 1.2 * deep_steps as f64, "{steps} against {deep_steps}");
        }
    }
}

#[test]
fn pages_end_at_a_threshold() {
    let problem = clustered(8_000, 24);
    let segment = segment(&problem, &GraphOptions::default());
    let graph = segment.graph().unwrap();
    let (mut hits, mut deep_hits) = (0, 0);
    for query in queries(&problem, 30) {
        let best = segment.exact().search(&query, 95, &SearchOptions::default()).unwrap();
        let least = best.candidates[94].similarity;
        let options = SearchOptions::default().at_least(least);
        let (found, _) = take(graph.pages(&query, &options).unwrap());
        assert!(found.iter().all(|one| one.similarity >= least));
        assert!(found.len() <= 95 && shared(&best.candidates, &found) == found.len());
        hits += found.len();
        deep_hits += graph.search(&query, PAGE * PAGES, &options).unwrap().candidates.len();
    }
    assert!(hits + 30 > deep_hits && hits > 30 * 90, "{hits} against {deep_hits} of {}", 30 * 95);
}

#[test]
fn a_walk_becomes_a_scan_where_that_is_as_cheap() {
    let problem = clustered(3_000, 16);
    let segment = segment(&problem, &GraphOptions::default());
    let graph = segment.graph().unwrap();
    let query = &queries(&problem, 1)[0];
    let mut pages = graph.pages(query, &SearchOptions::default()).unwrap();
    let (first, second) = (pages.more(20), pages.more(1_000));
    assert!(!first.exact && first.looked_at < 500, "{}", first.looked_at);
    assert!(!second.exact, "what a walk may have missed came too late");
    assert_eq!((second.candidates.len(), second.looked_at), (1_000, 3_000));
    let best = segment.exact().search(query, 1_020, &SearchOptions::default()).unwrap().candidates;
    let both = [first.candidates, second.candidates].concat();
    assert_eq!(shared(&best, &both), 1_020);
    assert_eq!(pages.more(5_000).candidates.len(), 1_980);
    assert!(pages.more(1).candidates.is_empty());
}
