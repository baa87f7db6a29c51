//! A trial: how much of the best a shelf's walks find, and what they look at for it.
//!
//! In: a shelf, whose own vectors are asked with, spread evenly over its ids. Out: for a breadth, the part of the best
//! others that walks found. A segment's own curve was measured once, when it was written; a trial is of
//! all segments together as they are today, and changes none.

use memmap2::Mmap;

use crate::error::QueryError;
use crate::neighbours::{Candidate, Neighbours, SearchOptions};
use crate::shelf::Shelf;

/// Questions to a [`Shelf`], and their true answers.
///
/// ```
/// # use lookalike_index::{Precision, RowSet, Segment, SegmentWriter, Shelf, Trial};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("colours.seg");
/// # let mut writer = SegmentWriter::create(&path, 2, Precision::F32, b"")?;
/// # for (id, vector) in [(1, [1.0, 0.0]), (2, [0.0, 1.0]), (3, [0.6, 0.8])] { writer.push(id, &vector)?; }
/// # writer.finish()?;
/// # let shelf = Shelf::new(2, [(Segment::open(&path)?, RowSet::default())])?;
/// let trial = Trial::new(&shelf, 100, 10)?;
/// assert_eq!(trial.queries(), 3);
/// assert_eq!(trial.at(64)?.recall, 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Trial<'a, B = Mmap> {
    shelf: &'a Shelf<B>,
    k: usize,
    ids: Vec<u32>,
    queries: Vec<Vec<f32>>,
    truths: Vec<Vec<Candidate>>,
}

/// What walks of one breadth came to.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Tried {
    /// The part of the best that they found.
    pub recall: f64,
    /// How many vectors each looked at, in the mean.
    pub looked_at: f64,
}

impl<'a, B: AsRef<[u8]> + Sync> Trial<'a, B> {
    /// Takes so many of the vectors for questions after the `k` most similar others, and compares all with all of
    /// those.
    pub fn new(shelf: &'a Shelf<B>, queries: usize, k: usize) -> Result<Self, QueryError> {
        let every = shelf.len().div_ceil(queries.max(1)).max(1);
        let ids: Vec<u32> = shelf.ids().step_by(every).collect();
        let queries = ids.iter().map(|&id| shelf.vector(id).unwrap_or_default()).collect();
        let mut trial = Trial { shelf, k, ids, queries, truths: Vec::new() };
        trial.truths = trial.ask(&SearchOptions::default().exact())?.0;
        Ok(trial)
    }

    /// How many questions there are.
    pub fn queries(&self) -> usize {
        self.ids.len()
    }

    /// Asks all of them with walks of this breadth, on all threads.
    pub fn at(&self, breadth: usize) -> Result<Tried, QueryError> {
        let (answers, looked_at) = self.ask(&SearchOptions::default().breadth(breadth))?;
        let pairs = answers.iter().zip(&self.truths);
        let found = pairs.map(|(found, truth)| truth.iter().filter(|t| found.contains(t)).count());
        let all: usize = self.truths.iter().map(Vec::len).sum();
        let recall = found.sum::<usize>() as f64 / all.max(1) as f64;
        Ok(Tried {
            recall: if all == 0 { 1.0 } else { recall },
            looked_at: looked_at as f64 / self.queries().max(1) as f64,
        })
    }

    /// The others that each question finds, and how many vectors were looked at.
    fn ask(&self, options: &SearchOptions) -> Result<(Vec<Vec<Candidate>>, usize), QueryError> {
        let queries: Vec<&[f32]> = self.queries.iter().map(Vec::as_slice).collect();
        // One more, since each finds itself.
        let answers = self.shelf.search_batch(&queries, self.k.saturating_add(1), options)?;
        let looked_at = answers.iter().map(|answer| answer.looked_at).sum();
        let others = answers.into_iter().zip(&self.ids).map(|(answer, &id)| {
            let others = answer.candidates.into_iter().filter(|found| found.id != id);
            others.take(self.k).collect()
        });
        Ok((others.collect(), looked_at))
    }
}
