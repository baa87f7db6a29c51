//! "More, please": further neighbours of the same query, without starting over.
//!
//! In: from each segment, whatever comes next. Out: what comes next of all. A scan ranks its rows once and
//! hands them out; a walk goes on where it stopped.

use std::collections::VecDeque;

use crate::exact::Ranked;
use crate::graph::Further;
use crate::neighbours::{Answer, Candidate};

/// The neighbours of a query, so many at a time. Made by [`Neighbours::pages`](crate::Neighbours::pages).
///
/// The first of them are what a search finds. What an exact answer finds comes in order to the last row; what a walk
/// finds comes in order within what was asked for at once: a deeper walk may meet a row that
/// would have belonged earlier, and gives it later. None is given twice, and with enough patience every row is given
/// (unless a threshold leaves it out).
///
/// ```
/// # use lookalike_index::{Precision, Segment, SegmentWriter};
/// use lookalike_index::{Neighbours, SearchOptions};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("colours.seg");
/// # let mut writer = SegmentWriter::create(&path, 2, Precision::F32, b"")?;
/// # for (id, vector) in [(1, [1.0, 0.0]), (2, [0.0, 1.0]), (3, [0.6, 0.8])] { writer.push(id, &vector)?; }
/// # writer.finish()?;
/// # let segment = Segment::open(&path)?;
/// let neighbours = segment.neighbours();
/// let mut pages = neighbours.pages(&[0.0, 1.0], &SearchOptions::default())?;
/// assert_eq!(pages.more(2).candidates[1].id, 3);
/// assert_eq!(pages.more(2).candidates[0].id, 1);
/// assert!(pages.more(2).candidates.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pages<'a> {
    sources: Vec<Source<'a>>,
}

/// One segment's neighbours.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    finder: Finder<'a>,
    /// Found, and not given yet.
    waiting: VecDeque<Candidate>,
    /// Whether all that came was exact.
    exact: bool,
    /// Whether no more will come.
    dry: bool,
}

#[derive(Debug)]
pub(crate) enum Finder<'a> {
    Walk(Box<Further<'a>>),
    Ranked(Ranked),
}

impl<'a> From<Finder<'a>> for Source<'a> {
    fn from(finder: Finder<'a>) -> Self {
        Source { finder, waiting: VecDeque::new(), exact: true, dry: false }
    }
}

impl<'a> Pages<'a> {
    pub(crate) fn new(sources: Vec<Source<'a>>) -> Self {
        Pages { sources }
    }

    pub(crate) fn into_sources(self) -> Vec<Source<'a>> {
        self.sources
    }

    /// The next `count`, best first; fewer only where no more are to be had. `looked_at` counts what this page
    /// took, and `exact` says whether all pages so far hold certainly the best.
    pub fn more(&mut self, count: usize) -> Answer {
        let mut answer = Answer { candidates: Vec::new(), exact: true, looked_at: 0 };
        while answer.candidates.len() < count {
            let missing = count - answer.candidates.len();
            for source in &mut self.sources {
                source.fill(missing, &mut answer.looked_at);
            }
            let heads = self.sources.iter_mut().filter(|source| !source.waiting.is_empty());
            let best = heads.min_by(|a, b| match (a.waiting.front(), b.waiting.front()) {
                (Some(a), Some(b)) => a.rank(b),
                _ => std::cmp::Ordering::Equal,
            });
            let Some(candidate) = best.and_then(|source| source.waiting.pop_front()) else { break };
            answer.candidates.push(candidate);
        }
        // A walk that went on within this page may have met a better one.
        answer.candidates.sort_unstable_by(Candidate::rank);
        answer.exact = self.sources.iter().all(|source| source.exact);
        answer
    }
}

impl Source<'_> {
    /// Makes sure that something is waiting, if there is anything left.
    fn fill(&mut self, count: usize, looked_at: &mut usize) {
        if !self.waiting.is_empty() || self.dry {
            return;
        }
        let found = match &mut self.finder {
            Finder::Ranked(ranked) => ranked.more(count),
            Finder::Walk(walk) => match walk.more(count) {
                Some(found) => found,
                None => {
                    let mut rest = walk.rest();
                    self.exact &= !walk.began();
                    let found = rest.more(count);
                    self.finder = Finder::Ranked(rest);
                    found
                }
            },
        };
        *looked_at += found.looked_at;
        self.exact &= found.exact;
        self.dry = found.candidates.len() < count;
        self.waiting.extend(found.candidates);
    }
}
