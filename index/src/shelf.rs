//! A shelf: several segments, searched as one.
//!
//! What lives is written in parts: a large segment at the beginning, and a small one with whatever has
//! changed since. Flowing in: segments of one dimension, each with the rows that are dead, and
//! questions that name ids. Flowing out: what one segment of all live rows would answer. Rows are a
//! matter between a shelf and its segments; its owner speaks of ids alone.

use std::borrow::Cow;
use std::sync::Arc;

use memmap2::Mmap;

use crate::error::{Error, Fault, QueryError};
use crate::neighbours::{Answer, Candidate, Neighbours, SearchOptions};
use crate::pages::Pages;
use crate::rows::RowSet;
use crate::segment::Segment;

/// Of so many rows one is asked for when finding the row of each id beats looking at the id of each row.
const FEW: usize = 32;
/// So many rows before it is needed memory is asked for one: they lie apart.
const AHEAD: usize = 4;

/// Segments whose live rows are searched as one. An id is alive in one of them at the most.
///
/// [`SearchOptions::within`] names **ids** here. All promises of [`Neighbours`] hold, over the live rows
/// of all parts together.
///
/// ```
/// # use lookalike_index::{Precision, Segment, SegmentWriter};
/// use lookalike_index::{Neighbours, RowSet, SearchOptions, Shelf};
///
/// # let folder = tempfile::tempdir()?;
/// # let segment = |name, rows: &[(u32, [f32; 2])]| {
/// #     let path = folder.path().join(name);
/// #     let mut writer = SegmentWriter::create(&path, 2, Precision::F32, b"")?;
/// #     rows.iter().try_for_each(|(id, vector)| writer.push(*id, vector))?;
/// #     writer.finish()?;
/// #     Ok::<_, Box<dyn std::error::Error>>(Segment::open(&path)?)
/// # };
/// let old = segment("old", &[(1, [1.0, 0.0]), (2, [0.0, 1.0]), (3, [0.6, 0.8])])?;
/// let new = segment("new", &[(2, [0.8, 0.6])])?;
/// // The vector of 2 was replaced: in the old segment its row is dead.
/// let dead: RowSet = [1].into_iter().collect();
/// let shelf = Shelf::new(2, [(old, dead), (new, RowSet::default())])?;
/// assert!(shelf.ids().eq([1, 2, 3]));
/// let answer = shelf.search(&[0.8, 0.6], 1, &SearchOptions::default())?;
/// assert_eq!(answer.candidates[0].id, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Shelf<B = Mmap> {
    dimension: usize,
    parts: Vec<Part<B>>,
    len: usize,
}

/// One segment of a [`Shelf`].
#[derive(Debug)]
pub struct Part<B = Mmap> {
    segment: Segment<B>,
    /// `None` where all are.
    live: Option<Arc<RowSet>>,
    len: usize,
}

impl<B: AsRef<[u8]>> Shelf<B> {
    /// Puts segments of this dimension together, each with its dead rows.
    pub fn new(
        dimension: usize,
        segments: impl IntoIterator<Item = (Segment<B>, RowSet)>,
    ) -> Result<Self, Error> {
        let part = |(segment, dead): (Segment<B>, RowSet)| {
            if segment.dimension() != dimension {
                let (path, found) = (segment.path().to_owned(), segment.dimension());
                return Err(Error::Mismatch { path, expected: dimension, found });
            }
            let rows = segment.len();
            let len = rows - dead.count_below(rows);
            let live = (len < rows).then(|| {
                let mut live = RowSet::all(rows);
                live.subtract(&dead);
                Arc::new(live)
            });
            Ok(Part { segment, live, len })
        };
        let parts = segments.into_iter().map(part).collect::<Result<Vec<_>, _>>()?;
        let len = parts.iter().map(Part::len).sum();
        Ok(Shelf { dimension, parts, len })
    }

    /// How many rows are alive.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none are.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The components of each vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The segments, in the order in which they came.
    pub fn parts(&self) -> &[Part<B>] {
        &self.parts
    }

    /// Whether a search may look at fewer than all rows.
    pub fn has_graph(&self) -> bool {
        self.parts.iter().any(|part| part.segment.graph().is_some())
    }

    /// Whether this id is alive.
    pub fn contains(&self, id: u32) -> bool {
        self.locate(id).is_some()
    }

    /// The vector of an id, as it is stored.
    pub fn vector(&self, id: u32) -> Option<Vec<f32>> {
        let (part, row) = self.locate(id)?;
        part.segment.vector(row)
    }

    /// The live ids, ascending.
    pub fn ids(&self) -> impl Iterator<Item = u32> {
        self.rows().map(|row| row.id)
    }

    /// The live ids, ascending, each with its vector: all that another segment has to be given to take
    /// the place of these.
    pub fn vectors(&self) -> impl Iterator<Item = (u32, Vec<f32>)> {
        let vector = |row: Row| self.parts[row.part].segment.vector(row.row);
        self.rows().filter_map(move |row| Some((row.id, vector(row)?)))
    }

    /// Where an id stands among [`ids`](Self::ids).
    pub fn place_of(&self, id: u32) -> Option<usize> {
        self.contains(id).then(|| self.parts.iter().map(|part| part.live_below(id)).sum())
    }

    /// The exact similarity of every live row, in the order of [`ids`](Self::ids). `similarities` must
    /// have [`len`](Self::len) places.
    pub fn scan(&self, query: &[f32], similarities: &mut [f32]) -> Result<(), QueryError> {
        self.check(query)?;
        if similarities.len() != self.len {
            let (expected, found) = (self.len, similarities.len());
            return Err(QueryError::OutputLength { expected, found });
        }
        if let [Part { segment, live: None, .. }] = &self.parts[..] {
            return segment.scan(query, similarities);
        }
        let scan = |part: &Part<B>| {
            let mut similarities = vec![0.0; part.segment.len()];
            part.segment.scan(query, &mut similarities).map(|()| similarities)
        };
        let scanned = self.parts.iter().map(scan).collect::<Result<Vec<_>, _>>()?;
        for (similarity, Row { part, row, .. }) in similarities.iter_mut().zip(self.rows()) {
            *similarity = scanned[part][row as usize];
        }
        Ok(())
    }

    /// The exact similarities of some ids, in their order; `None` for those that are not alive.
    pub fn similarities(&self, query: &[f32], ids: &[u32]) -> Result<Vec<Option<f32>>, QueryError> {
        self.check(query)?;
        let located: Vec<_> = ids.iter().map(|&id| self.locate(id)).collect();
        let similarity = |(n, place): (usize, &Option<(&Part<B>, u32)>)| {
            if let Some(Some((part, row))) = located.get(n + AHEAD) {
                part.segment.vectors().ahead(*row as usize);
            }
            place.map(|(part, row)| part.segment.vectors().similarity(row, query))
        };
        Ok(located.iter().enumerate().map(similarity).collect())
    }

    /// Reads every byte of every segment and says whether all are sound and no id lives twice.
    pub fn verify(&self) -> Result<(), Error> {
        self.parts.iter().try_for_each(|part| part.segment.verify())?;
        let mut last = None;
        for Row { id, part, .. } in self.rows() {
            if last == Some(id) {
                let path = self.parts[part].segment.path().to_owned();
                return Err(Error::Corrupted { path, fault: Fault::AliveTwice(id) });
            }
            last = Some(id);
        }
        Ok(())
    }

    fn locate(&self, id: u32) -> Option<(&Part<B>, u32)> {
        self.parts.iter().find_map(|part| Some((part, part.row_of(id)?)))
    }

    fn check(&self, query: &[f32]) -> Result<(), QueryError> {
        crate::vectors::check(self.dimension, query)
    }

    /// Every live row, by ascending id.
    fn rows(&self) -> Rows<'_> {
        Rows { cursors: self.parts.iter().map(Part::cursor).collect(), current: 0, until: 0 }
    }

    /// Asks every part and keeps the best of all, for each of some queries.
    fn ask(
        &self,
        queries: usize,
        k: usize,
        options: &SearchOptions,
        ask: impl Fn(&dyn Neighbours, &SearchOptions) -> Result<Vec<Answer>, QueryError>,
    ) -> Result<Vec<Answer>, QueryError>
    where
        B: Sync,
    {
        let nothing = Answer { candidates: Vec::new(), exact: true, looked_at: 0 };
        let mut answers = vec![nothing; queries];
        for part in &self.parts {
            let found = ask(&*part.segment.neighbours(), &part.options(options))?;
            for (answer, found) in answers.iter_mut().zip(found) {
                answer.candidates.extend(found.candidates);
                answer.exact &= found.exact;
                answer.looked_at += found.looked_at;
            }
        }
        if self.parts.len() > 1 {
            for Answer { candidates, .. } in &mut answers {
                candidates.sort_unstable_by(Candidate::rank);
                candidates.truncate(k);
            }
        }
        Ok(answers)
    }
}

impl<B: AsRef<[u8]> + Sync> Neighbours for Shelf<B> {
    fn search(
        &self,
        query: &[f32],
        k: usize,
        options: &SearchOptions,
    ) -> Result<Answer, QueryError> {
        self.check(query)?;
        let ask = |part: &dyn Neighbours, options: &SearchOptions| {
            Ok(vec![part.search(query, k, options)?])
        };
        Ok(self.ask(1, k, options, ask)?.remove(0))
    }

    fn pages(&self, query: &[f32], options: &SearchOptions) -> Result<Pages<'_>, QueryError> {
        self.check(query)?;
        let mut sources = Vec::new();
        for part in &self.parts {
            sources.extend(part.segment.pages(query, &part.options(options))?.into_sources());
        }
        Ok(Pages::new(sources))
    }

    fn search_batch(
        &self,
        queries: &[&[f32]],
        k: usize,
        options: &SearchOptions,
    ) -> Result<Vec<Answer>, QueryError> {
        queries.iter().try_for_each(|query| self.check(query))?;
        let ask =
            |part: &dyn Neighbours, options: &SearchOptions| part.search_batch(queries, k, options);
        self.ask(queries.len(), k, options, ask)
    }
}

impl<B: AsRef<[u8]>> Part<B> {
    /// The segment, with its dead rows.
    pub fn segment(&self) -> &Segment<B> {
        &self.segment
    }

    /// How many of its rows are alive.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none are.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many of its rows are dead.
    pub fn dead(&self) -> usize {
        self.segment.len() - self.len
    }

    fn is_live(&self, row: u32) -> bool {
        self.live.as_ref().is_none_or(|live| live.contains(row))
    }

    fn row_of(&self, id: u32) -> Option<u32> {
        self.segment.row_of(id).filter(|&row| self.is_live(row))
    }

    /// How many live rows have a lower id.
    fn live_below(&self, id: u32) -> usize {
        let lower = |other: &[u8; 4]| u32::from_le_bytes(*other) < id;
        let rows = self.segment.vectors().ids.partition_point(lower);
        self.live.as_ref().map_or(rows, |live| live.count_below(rows))
    }

    fn cursor(&self) -> Cursor<'_> {
        let (ids, live) = (self.segment.vectors().ids, self.live.as_deref());
        let mut cursor = Cursor { ids, live, row: 0, head: None };
        cursor.settle();
        cursor
    }

    /// The options of a shelf as this segment understands them: rows in place of ids.
    fn options<'a>(&self, options: &'a SearchOptions) -> Cow<'a, SearchOptions> {
        let within = match &options.within {
            None => self.live.clone(),
            Some(ids) => Some(Arc::new(self.live_rows_of(ids))),
        };
        match within {
            None => Cow::Borrowed(options),
            within => Cow::Owned(SearchOptions { within, ..options.clone() }),
        }
    }

    /// The live rows whose ids these are.
    fn live_rows_of(&self, ids: &RowSet) -> RowSet {
        let all = self.segment.vectors().ids;
        let (Some(first), Some(last)) = (all.first(), all.last()) else { return RowSet::default() };
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        let mut rows = if last.checked_sub(first).is_some_and(|gap| gap as usize == all.len() - 1) {
            // No id is missing in between.
            ids.moved_down(first, all.len())
        } else if ids.len() * FEW < all.len() {
            ids.iter().filter_map(|id| self.segment.row_of(id)).collect()
        } else {
            let ids = all.iter().map(|id| ids.contains(u32::from_le_bytes(*id)));
            RowSet::from_bits(ids)
        };
        if let Some(live) = &self.live {
            rows.intersect(live);
        }
        rows
    }
}

/// A live row of a shelf.
#[derive(Debug, Clone, Copy)]
struct Row {
    id: u32,
    part: usize,
    row: u32,
}

/// The live rows of one part that are still to come.
struct Cursor<'a> {
    ids: &'a [[u8; 4]],
    live: Option<&'a RowSet>,
    row: usize,
    /// The id at `row`, unless all have come.
    head: Option<u32>,
}

impl Cursor<'_> {
    /// Goes on to the next live row, unless this is one.
    fn settle(&mut self) {
        if let Some(live) = self.live {
            while self.row < self.ids.len() && !live.contains(self.row as u32) {
                self.row += 1;
            }
        }
        self.head = self.ids.get(self.row).map(|id| u32::from_le_bytes(*id));
    }
}

/// Merges the parts' rows. Where one part is far larger than the others, most of what comes next comes
/// from the same part, and costs one comparison.
struct Rows<'a> {
    cursors: Vec<Cursor<'a>>,
    current: usize,
    /// Below this id, the current part is the next.
    until: u64,
}

impl Iterator for Rows<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let due = |cursor: &Cursor, until| cursor.head.filter(|&id| u64::from(id) < until);
        if self.cursors.get(self.current).and_then(|cursor| due(cursor, self.until)).is_none() {
            let heads = self.cursors.iter().enumerate();
            let mut heads: Vec<_> = heads.filter_map(|(p, c)| Some((c.head?, p))).collect();
            heads.sort_unstable();
            let &(id, part) = heads.first()?;
            self.current = part;
            // An id that lives twice comes twice, and holds up nothing.
            let other = heads.get(1).map_or(u64::MAX, |&(other, _)| other.into());
            self.until = other.max(u64::from(id) + 1);
        }
        let cursor = &mut self.cursors[self.current];
        let row = Row { id: cursor.head?, part: self.current, row: cursor.row as u32 };
        cursor.row += 1;
        cursor.settle();
        Some(row)
    }
}
